//! The real world: this machine's clock and chance.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::world::World;

/// Wall time and the kernel's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWorld;

impl World for SystemWorld {
    fn unix_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }
    fn random(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Without chance there is neither a run key nor a name that nobody else draws: nothing may go on.
            std::process::abort();
        }
    }
    #[cfg(feature = "faults")]
    fn fault(&self, point: &'static str) -> bool {
        std::env::var("DAYFLY_FAULT").is_ok_and(|wanted| wanted == point)
    }
}
