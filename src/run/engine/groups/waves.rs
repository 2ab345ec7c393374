//! What a group asks for next: which of its names, at which pick, in which wave. Pure: it is a function of the picks, of
//! what was asked and answered so far, and of how long the pauses of refused picks last.
//!
//! A wave spreads the names that have no machine evenly over the picks of the lowest rank that may be asked. A pick that
//! gave fewer than it was asked for pauses; one that said never is not asked again. Where a rank has none left, the next
//! one is asked at once. Each visit of a pick has a wave of its own, so that no key is ever used for two different asks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::platform::cloud::Pick;

/// The largest order: several of these come through where one large one would not (EC2 API Reference, `RunInstances`:
/// "launch five separate requests for 100 instances each instead of one request for 500").
const LARGEST_ORDER: usize = 100;

/// A name of the group, by its index, and the machine that is to carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    pub(super) index: u32,
    pub(super) incarnation: u32,
}

/// One launch to ask for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) wave: u32,
    pub(super) pick: Pick,
    pub(super) seats: Vec<Seat>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Ask for these, side by side.
    Ask(Vec<Ask>),
    /// Wait for news, or until this moment.
    Wait(Option<Duration>),
    /// Every name has a machine, or was given up.
    Complete,
    /// No pick will ever give what is missing.
    Exhausted,
}

/// A definite answer to an ask.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Machines for the first of its names.
    Launched(usize),
    /// None now.
    Later(String),
    /// None in this run.
    Never(String),
    /// None, here or elsewhere.
    Impossible(String),
    /// It happened before, and its machines are gone.
    Over(String),
    /// Nobody knows, and nobody asks any more: its names may have machines, so they are not asked for elsewhere.
    Unknown(String),
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Asked { pick: u32 },
    Alive { pick: u32 },
    GivenUp,
}

#[derive(Clone, Debug)]
struct Name {
    state: State,
    incarnation: u32,
}

#[derive(Clone, Debug)]
struct Place {
    pick: Pick,
    /// Not asked before this moment.
    pausing: Option<Duration>,
    closed: bool,
    /// Launches without an answer.
    open: u32,
    /// One of them was answered ambiguously: it may take long.
    doubtful: bool,
    refusal: Option<String>,
}

/// A group's launches so far. Moments are durations since the group was first asked for by this master.
#[derive(Clone, Debug)]
pub(super) struct Waves {
    names: Vec<Name>,
    places: BTreeMap<u32, Place>,
    next_wave: u32,
    pause: Duration,
}

impl Waves {
    /// A group of so many names that may be asked for at these picks; a pick that refuses rests for `pause`.
    pub(super) fn new(count: u32, picks: Vec<Pick>, pause: Duration) -> Self {
        let names = (0..count).map(|_| Name { state: State::Missing, incarnation: 1 }).collect();
        let mut waves = Self { names, places: BTreeMap::new(), next_wave: 1, pause };
        for pick in picks {
            waves.place(&pick);
        }
        waves
    }

    /// What to do now.
    pub(super) fn next(&self, now: Duration) -> Next {
        let missing = self.missing();
        if missing.is_empty() {
            return Next::Complete;
        }
        let may_answer = |place: &&Place| !place.closed && place.pausing.is_none_or(|until| until <= now);
        let may_be_asked: Vec<&Place> = self.places.values().filter(may_answer).filter(|p| !p.doubtful).collect();
        let Some(rank) = may_be_asked.iter().map(|place| place.pick.rank).min() else {
            let pausing = self.places.values().filter(|place| !place.closed).filter_map(|place| place.pausing);
            return match pausing.filter(|until| *until > now).min() {
                Some(until) => Next::Wait(Some(until)),
                None if self.places.values().any(|place| place.open > 0) => Next::Wait(None),
                None => Next::Exhausted,
            };
        };
        // A pick that is being asked answers first: what it cannot give is missing then.
        let idle: Vec<&Pick> = may_be_asked
            .iter()
            .filter(|place| place.pick.rank == rank && place.open == 0)
            .map(|place| &place.pick)
            .collect();
        if idle.is_empty() {
            return Next::Wait(None);
        }
        Next::Ask(self.spread(&missing, &idle))
    }

    /// Spreads names evenly over picks; a share that is larger than an order takes several waves.
    fn spread(&self, missing: &[Seat], picks: &[&Pick]) -> Vec<Ask> {
        let (share, more) = (missing.len() / picks.len(), missing.len() % picks.len());
        let mut asks = Vec::new();
        let mut rest = missing;
        for (number, pick) in picks.iter().enumerate() {
            let (own, others) = rest.split_at(share + usize::from(number < more));
            rest = others;
            for (wave, seats) in (self.next_wave..).zip(own.chunks(LARGEST_ORDER)) {
                asks.push(Ask { wave, pick: (*pick).clone(), seats: seats.to_vec() });
            }
        }
        asks.sort_by_key(|ask| (ask.wave, ask.pick.index));
        asks
    }

    /// An ask is in the journal.
    pub(super) fn asked(&mut self, wave: u32, pick: &Pick, seats: &[Seat]) {
        self.next_wave = self.next_wave.max(wave + 1);
        self.place(pick).open += 1;
        for seat in seats {
            if let Some(name) = self.names.get_mut(seat.index as usize) {
                name.state = State::Asked { pick: pick.index };
                name.incarnation = name.incarnation.max(seat.incarnation);
            }
        }
    }

    /// An ask had no clear answer: it is repeated, and meanwhile its pick is not asked for anything else.
    pub(super) fn doubted(&mut self, pick: &Pick) {
        self.place(pick).doubtful = true;
    }

    /// An ask has its answer.
    pub(super) fn answered(&mut self, pick: &Pick, seats: &[Seat], answer: &Answer, now: Duration) {
        let pause = now + self.pause;
        let place = self.place(pick);
        place.open = place.open.saturating_sub(1);
        place.doubtful &= place.open > 0;
        match answer {
            Answer::Launched(given) if *given < seats.len() => {
                place.pausing = Some(pause);
                place.refusal = Some(format!("gave {given} of {}", seats.len()));
            }
            Answer::Launched(_) => {}
            Answer::Later(why) => {
                place.pausing = Some(pause);
                place.refusal = Some(why.clone());
            }
            Answer::Never(why) => {
                place.closed = true;
                place.refusal = Some(why.clone());
            }
            Answer::Over(why) | Answer::Unknown(why) => place.refusal = Some(why.clone()),
            Answer::Impossible(why) => {
                place.refusal = Some(why.clone());
                self.places.values_mut().for_each(|place| place.closed = true);
            }
        }
        for (number, seat) in seats.iter().enumerate() {
            let Some(name) = self.names.get_mut(seat.index as usize) else { continue };
            match answer {
                Answer::Launched(given) if number < *given => name.state = State::Alive { pick: pick.index },
                Answer::Unknown(_) => name.state = State::GivenUp,
                Answer::Over(_) => {
                    name.state = State::Missing;
                    name.incarnation = seat.incarnation + 1;
                }
                _ => name.state = State::Missing,
            }
        }
    }

    /// A machine is gone before the group began: its name is missing again, and where it came from is not asked at once.
    pub(super) fn died(&mut self, seat: Seat, why: &str, now: Duration) {
        let Some(name) = self.names.get_mut(seat.index as usize) else { return };
        let State::Alive { pick } = name.state else { return };
        if name.incarnation != seat.incarnation {
            return;
        }
        *name = Name { state: State::Missing, incarnation: seat.incarnation + 1 };
        if let Some(place) = self.places.get_mut(&pick) {
            place.pausing = Some(now + self.pause);
            place.refusal = Some(why.to_owned());
        }
    }

    /// A machine lives but cannot be used: nothing else is asked for its name.
    pub(super) fn give_up(&mut self, seat: Seat) {
        if let Some(name) = self.names.get_mut(seat.index as usize) {
            name.state = State::GivenUp;
        }
    }

    /// Each pick that said no, and its last word; none where it was never asked.
    pub(super) fn refusals(&self) -> Vec<(&Pick, Option<&str>)> {
        self.places.values().map(|place| (&place.pick, place.refusal.as_deref())).collect()
    }

    fn missing(&self) -> Vec<Seat> {
        let missing = (0..).zip(&self.names).filter(|(_, name)| name.state == State::Missing);
        missing.map(|(index, name)| Seat { index, incarnation: name.incarnation }).collect()
    }

    fn place(&mut self, pick: &Pick) -> &mut Place {
        self.places.entry(pick.index).or_insert_with(|| Place {
            pick: pick.clone(),
            pausing: None,
            closed: false,
            open: 0,
            doubtful: false,
            refusal: None,
        })
    }
}

#[cfg(test)]
mod tests;
