//! What is to be done about a run whose master has a machine of its own: a pure function of what the store tells.
//!
//! Every time is the store's own, so nobody's clock is compared with another's; the one exception is the deadline.

use crate::core::ids::Epoch;
use crate::core::timing::Timing;

/// So many masters a run may get from a reaper or a trigger; restarts of a master's unit on its machine do not count.
pub const MOST_MASTERS: usize = 5;

/// One claim of an epoch: who created it may launch that master, by the request that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number.
    pub epoch: Epoch,
    /// When it was claimed, by the store's clock.
    pub at_ms: i64,
}

/// What is known of the signs of life of all masters of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The highest number that ever gave one.
    pub epoch: Epoch,
    /// When the newest was written, by the store's clock.
    pub at_ms: i64,
}

/// Everything that a verdict depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Now, by the store's clock.
    pub now_ms: i64,
    /// When the spec was written, by the store's clock.
    pub spec_ms: i64,
    /// The hard end as it stands now, moved or not.
    pub deadline_ms: i64,
    /// Whether the run's master has a machine that can be asked for again; false where it is a process of a person's.
    pub detached: bool,
    /// Claims, the oldest first.
    pub claims: Vec<Claim>,
    /// Signs of life, where there ever was one.
    pub sign: Option<Sign>,
    /// When the master said its last word, by the store's clock.
    pub receipt_ms: Option<i64>,
    /// Whether the proof is there already.
    pub closed: bool,
    /// The run's durations.
    pub timing: Timing,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its master lives, or had no time to begin: only looked at.
    LeaveAlone(Alone),
    /// Nobody began by the last claim: the same request again, byte for byte.
    AskAgain(Epoch),
    /// The master is dead: whoever creates this claim launches its successor.
    Claim(Epoch),
    /// Nothing goes on here any more: end what is left and prove it.
    End(Over),
    /// It was proven before; only the index did not hear of it.
    Forget,
}

/// Why a run is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// A beat is young enough.
    Beating,
    /// A master was asked for and may still be on its way.
    Beginning,
    /// Dead, but a master was launched not long ago.
    TooSoon,
    /// A person's own master is silent; its workers live until their leases end.
    Silent,
}

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The master said its last word.
    Receipt {
        /// It had its time to end its own machine: now it is ended.
        overdue: bool,
    },
    /// Past the deadline.
    Deadline,
    /// As many masters as may be, all dead.
    Masters,
    /// A person's own master died, and so did the leases of its workers.
    Foreground,
}

/// Machines end themselves at the deadline; only what is still there so long afterwards is ended from outside.
pub fn grace_ms(timing: &Timing) -> i64 {
    2 * timing.beat_dead_ms as i64
}

/// What is to be done about a run.
pub fn verdict(facts: &Facts) -> Verdict {
    let timing = &facts.timing;
    let age = |at_ms: i64| facts.now_ms.saturating_sub(at_ms);
    if facts.closed {
        return Verdict::Forget;
    }
    if let Some(receipt_ms) = facts.receipt_ms {
        return Verdict::End(Over::Receipt { overdue: age(receipt_ms) >= grace_ms(timing) });
    }
    if facts.now_ms >= facts.deadline_ms.saturating_add(grace_ms(timing)) {
        return Verdict::End(Over::Deadline);
    }
    if facts.sign.is_some_and(|sign| age(sign.at_ms) < timing.beat_dead_ms as i64) {
        return Verdict::LeaveAlone(Alone::Beating);
    }
    if !facts.detached {
        let last_ms = facts.sign.map_or(facts.spec_ms, |sign| sign.at_ms);
        let dead = age(last_ms) >= timing.lease_ms as i64;
        return if dead { Verdict::End(Over::Foreground) } else { Verdict::LeaveAlone(Alone::Silent) };
    }
    successor(facts)
}

/// No master lives as far as anybody can see: the next one, the last one again, or none any more.
fn successor(facts: &Facts) -> Verdict {
    let take_over_ms = facts.timing.take_over_ms as i64;
    let Some(last) = facts.claims.iter().max_by_key(|claim| claim.epoch).copied() else {
        // The trigger died between spec and claim, or is about to make it.
        let waited = facts.now_ms.saturating_sub(facts.spec_ms) >= take_over_ms;
        let first = Epoch(facts.sign.map_or(1, |sign| sign.epoch.0 + 1));
        return if waited { Verdict::Claim(first) } else { Verdict::LeaveAlone(Alone::Beginning) };
    };
    let waited = facts.now_ms.saturating_sub(last.at_ms);
    // A restart of a master's unit has a higher number than the claim that brought its machine; a master whose
    // predecessors never began may have a lower one.
    let began = facts.sign.is_some_and(|sign| sign.epoch >= last.epoch || sign.at_ms > last.at_ms);
    if waited < take_over_ms {
        return Verdict::LeaveAlone(if began { Alone::TooSoon } else { Alone::Beginning });
    }
    if !began && waited < 2 * take_over_ms {
        return Verdict::AskAgain(last.epoch);
    }
    if facts.claims.len() >= MOST_MASTERS {
        return Verdict::End(Over::Masters);
    }
    let newest = facts.sign.map_or(last.epoch, |sign| sign.epoch.max(last.epoch));
    Verdict::Claim(Epoch(newest.0 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000;
    const M: i64 = 60 * S;

    /// A run whose spec is as old as given, with a deadline in three hours.
    fn run(age: i64) -> Facts {
        Facts {
            now_ms: 1_000_000_000,
            spec_ms: 1_000_000_000 - age,
            deadline_ms: 1_000_000_000 + 180 * M,
            detached: true,
            claims: Vec::new(),
            sign: None,
            receipt_ms: None,
            closed: false,
            timing: Timing::default(),
        }
    }

    fn claimed(mut facts: Facts, claims: &[(u32, i64)]) -> Facts {
        facts.claims =
            claims.iter().map(|(epoch, age)| Claim { epoch: Epoch(*epoch), at_ms: facts.now_ms - age }).collect();
        facts
    }

    fn beating(mut facts: Facts, epoch: u32, age: i64) -> Facts {
        facts.sign = Some(Sign { epoch: Epoch(epoch), at_ms: facts.now_ms - age });
        facts
    }

    fn foreground(mut facts: Facts) -> Facts {
        facts.detached = false;
        facts
    }

    #[test]
    fn what_is_done_about_a_run() {
        use Verdict::{AskAgain, Claim, End, LeaveAlone};
        let five = [(1, 50 * M), (2, 40 * M), (3, 30 * M), (4, 20 * M), (5, 10 * M)];
        let cases: Vec<(&str, Facts, Verdict)> = vec![
            ("the trigger is at work", run(4 * M), LeaveAlone(Alone::Beginning)),
            ("the trigger died before its claim", run(5 * M), Claim(Epoch(1))),
            ("a beat without any claim, long dead", beating(run(9 * M), 1, 2 * M), Claim(Epoch(2))),
            ("the first master boots", claimed(run(4 * M), &[(1, 4 * M)]), LeaveAlone(Alone::Beginning)),
            ("it never came", claimed(run(5 * M), &[(1, 5 * M)]), AskAgain(Epoch(1))),
            ("nor did it when asked again", claimed(run(10 * M), &[(1, 10 * M)]), Claim(Epoch(2))),
            ("alive", beating(claimed(run(60 * M), &[(1, 60 * M)]), 1, 59 * S), LeaveAlone(Alone::Beating)),
            ("dead", beating(claimed(run(60 * M), &[(1, 60 * M)]), 1, 60 * S), Claim(Epoch(2))),
            ("dead at once", beating(claimed(run(3 * M), &[(1, 3 * M)]), 1, 2 * M), LeaveAlone(Alone::TooSoon)),
            (
                "its unit restarted twice, then the machine died",
                beating(claimed(run(60 * M), &[(1, 60 * M)]), 3, 2 * M),
                Claim(Epoch(4)),
            ),
            (
                "the second boots",
                beating(claimed(run(60 * M), &[(1, 60 * M), (2, M)]), 1, 3 * M),
                LeaveAlone(Alone::Beginning),
            ),
            (
                "the second never came",
                beating(claimed(run(60 * M), &[(1, 60 * M), (2, 6 * M)]), 1, 9 * M),
                AskAgain(Epoch(2)),
            ),
            (
                "the first was only frozen and beats again",
                beating(claimed(run(60 * M), &[(1, 60 * M), (2, 6 * M)]), 1, S),
                LeaveAlone(Alone::Beating),
            ),
            ("the fifth lives", beating(claimed(run(60 * M), &five), 5, S), LeaveAlone(Alone::Beating)),
            ("the fifth is dead", beating(claimed(run(60 * M), &five), 5, 2 * M), End(Over::Masters)),
            ("the fifth never came", beating(claimed(run(60 * M), &five), 4, 15 * M), End(Over::Masters)),
            ("a person's master lives", beating(foreground(run(9 * M)), 1, 50 * S), LeaveAlone(Alone::Beating)),
            ("a person's laptop sleeps", beating(foreground(run(60 * M)), 1, 14 * M), LeaveAlone(Alone::Silent)),
            ("it does not wake", beating(foreground(run(60 * M)), 1, 15 * M), End(Over::Foreground)),
            ("it never began", foreground(run(15 * M)), End(Over::Foreground)),
        ];
        for (name, facts, expected) in cases {
            assert_eq!(verdict(&facts), expected, "{name}");
        }
    }

    #[test]
    fn the_deadline_ends_even_a_master_that_beats_and_only_after_its_grace() {
        let mut facts = beating(claimed(run(60 * M), &[(1, 60 * M)]), 1, S);
        facts.deadline_ms = facts.now_ms - 2 * M + 1;
        assert_eq!(verdict(&facts), Verdict::LeaveAlone(Alone::Beating));
        facts.deadline_ms -= 1;
        assert_eq!(verdict(&facts), Verdict::End(Over::Deadline));
    }

    #[test]
    fn a_last_word_is_stronger_than_anything_but_the_proof() {
        let mut facts = beating(claimed(run(60 * M), &[(1, 60 * M)]), 1, S);
        facts.receipt_ms = Some(facts.now_ms - M);
        facts.deadline_ms = facts.now_ms - 60 * M;
        assert_eq!(verdict(&facts), Verdict::End(Over::Receipt { overdue: false }));
        facts.receipt_ms = Some(facts.now_ms - 2 * M);
        assert_eq!(verdict(&facts), Verdict::End(Over::Receipt { overdue: true }));
        facts.closed = true;
        assert_eq!(verdict(&facts), Verdict::Forget);
    }
}
