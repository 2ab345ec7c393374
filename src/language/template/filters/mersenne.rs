//! Python's `random.Random`: the Mersenne Twister, seeded as Python seeds it, so that a seed gives what Ansible gives.

use sha2::{Digest as _, Sha512};

use crate::language::template::val::Val;

const SIZE: usize = 624;

/// A seeded generator.
pub struct SeededRandom {
    state: Vec<u32>,
    index: usize,
}

impl SeededRandom {
    /// Seeded with a text.
    pub fn new(seed: &str) -> Self {
        let mut bytes = seed.as_bytes().to_vec();
        bytes.extend(Sha512::digest(seed));
        Self::from_bytes(&bytes)
    }

    /// Seeded with a text or a number.
    pub(in crate::language::template) fn seeded(seed: &Val) -> Self {
        match seed.as_int() {
            Some(number) => Self::from_bytes(&number.unsigned_abs().to_be_bytes()),
            None => Self::new(&seed.to_string()),
        }
    }

    fn from_bytes(big_endian: &[u8]) -> Self {
        let mut key: Vec<u32> = big_endian
            .rchunks(4)
            .map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        let mut state = vec![0u32; SIZE];
        state[0] = 19_650_218;
        for i in 1..SIZE {
            state[i] = mix(state[i - 1]).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            state[i] =
                (state[i] ^ mix(state[i - 1]).wrapping_mul(1_664_525)).wrapping_add(key[j]).wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        for _ in 0..SIZE - 1 {
            state[i] = (state[i] ^ mix(state[i - 1]).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, index: SIZE }
    }

    fn next_word(&mut self) -> u32 {
        if self.index >= SIZE {
            for k in 0..SIZE {
                let y = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % SIZE] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[k] = self.state[(k + 397) % SIZE] ^ (y >> 1) ^ odd;
            }
            self.index = 0;
        }
        let mut y = self.state[self.index];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `_randbelow(n)`: as many bits as needed, again until it fits.
    pub fn below(&mut self, limit: u64) -> u64 {
        let bits = 64 - limit.leading_zeros();
        loop {
            let found = if bits <= 32 {
                u64::from(self.next_word() >> (32 - bits))
            } else {
                let low = u64::from(self.next_word());
                low | u64::from(self.next_word() >> (64 - bits)) << 32
            };
            if found < limit {
                return found;
            }
        }
    }
}

fn mix(word: u32) -> u32 {
    word ^ (word >> 30)
}
