//! The effort to bring a group up: wave after wave until every name has a machine that answers, or until the group has
//! waited long enough. What to ask for next is decided by `waves`; here it is asked, reached and counted.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::asking::{Names, answer_of, ask, intend, wave_of, why_of};
use super::lookout::Lookout;
use super::reach::{Unreached, reach};
use super::waves::{Answer, Next, Seat, Waves};
use super::{Machine, bury, declared};
use crate::core::event::EventKind;
use crate::core::ids::{GroupName, HostSlot, InstanceId};
use crate::core::records::GroupSpec;
use crate::core::timing::ms;
use crate::platform::cloud::{Instance, InstanceState, LaunchOrder, Pick};
use crate::run::engine::context::{Context, Engine, Member};
use crate::run::engine::ending::Problem;

/// What became of it.
pub(super) struct Fruit {
    /// In the order of the names.
    pub(super) members: Vec<Member>,
    /// Machines that live, as far as anybody knows, and cannot be used.
    pub(super) silent: Vec<(HostSlot, InstanceId, String)>,
    /// Set where there are fewer members than the group needs.
    pub(super) problem: Option<Problem>,
}

/// Something happened.
enum News {
    Answered(Box<LaunchOrder>, Engine<(Answer, Vec<Instance>)>),
    Reached(Box<Instance>, Engine<Result<Member, Unreached>>),
}

/// A group that is being brought up.
pub(super) struct Effort<'a> {
    context: &'a Arc<Context>,
    group: &'a GroupName,
    spec: &'a GroupSpec,
    names: Names,
    waves: Waves,
    lookout: &'a Lookout,
    began: Instant,
    work: FuturesUnordered<BoxFuture<'a, News>>,
    doubts: (mpsc::UnboundedSender<Pick>, mpsc::UnboundedReceiver<Pick>),
    fruit: Fruit,
    is_announced: bool,
    /// Machines of launches that are over.
    over: Vec<Machine>,
}

impl<'a> Effort<'a> {
    /// An effort that goes on where earlier masters stopped.
    pub(super) fn new(
        context: &'a Arc<Context>,
        group: &'a GroupName,
        spec: &'a GroupSpec,
        picks: Vec<Pick>,
        lookout: &'a Lookout,
    ) -> Self {
        let mut effort = Self {
            context,
            group,
            spec,
            names: Names(declared(group, spec)),
            waves: Waves::new(spec.count, picks, ms(context.spec.timing.cool_down_ms)),
            lookout,
            began: Instant::now(),
            work: FuturesUnordered::new(),
            doubts: mpsc::unbounded_channel(),
            fruit: Fruit { members: Vec::new(), silent: Vec::new(), problem: None },
            is_announced: false,
            over: Vec::new(),
        };
        effort.go_on();
        effort
    }

    /// Takes up what the journal knows: open launches are asked again, machines that were launched are reached.
    fn go_on(&mut self) {
        for launch in self.context.launches.of_group(self.group) {
            let seats = self.names.seats(&launch.order);
            self.waves.asked(wave_of(&launch.order.token), &launch.order.pick, &seats);
            self.announce(launch.order.slots.len());
            let Some(resolution) = &launch.answer else {
                self.ask(launch.order);
                continue;
            };
            let answer = answer_of(resolution);
            self.waves.answered(&launch.order.pick, &seats, &answer, Duration::ZERO);
            if matches!(answer, Answer::Over(_)) {
                self.over.extend(launch.machines());
            }
            if !matches!(answer, Answer::Launched(_)) {
                continue;
            }
            for ((slot, id), seat) in launch.machines().into_iter().zip(seats) {
                match self.context.launches.loss(&slot) {
                    Some(why) => self.waves.died(seat, &why, Duration::ZERO),
                    None => self.reach(Instance {
                        id,
                        slot,
                        state: InstanceState::Pending,
                        reach: None,
                        address: String::new(),
                    }),
                }
            }
        }
    }

    /// Works until the group can begin, or cannot.
    pub(super) async fn run(mut self) -> Engine<Fruit> {
        let looking = self.lookout.look(self.context);
        tokio::pin!(looking);
        let mut stop = self.context.stop.clone();
        stop.mark_unchanged();
        loop {
            for (slot, id) in std::mem::take(&mut self.over) {
                bury(self.context, &slot, &id, &format!("{id} is gone")).await?;
            }
            let until = self.ask_for_what_is_missing().await?;
            if self.work.is_empty() && until.is_none() {
                break;
            }
            let wait = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(pick) = self.doubts.1.recv() => self.waves.doubted(&pick),
                Some(news) = self.work.next(), if !self.work.is_empty() => self.take(news).await?,
                () = &mut looking => {}
                () = wait => {}
                Ok(()) = stop.changed() => {}
            }
        }
        let names = &self.names;
        self.fruit.members.sort_by_key(|member| names.seat(&member.slot));
        if (self.fruit.members.len() as u32) < self.spec.min_count {
            self.fruit.problem = Some(self.problem());
        }
        Ok(self.fruit)
    }

    /// Asks for all that may be asked for now; says until when to wait where only time helps.
    async fn ask_for_what_is_missing(&mut self) -> Engine<Option<Instant>> {
        let end = self.began + ms(self.context.spec.timing.capacity_ms);
        while !self.context.is_stopping() && Instant::now() < end {
            match self.waves.next(self.began.elapsed()) {
                Next::Ask(asks) => {
                    self.announce(asks.iter().map(|ask| ask.seats.len()).sum());
                    let orders = intend(self.context, self.group, self.spec, &self.names, &asks).await?;
                    for (asked, order) in asks.iter().zip(orders) {
                        self.waves.asked(asked.wave, &asked.pick, &asked.seats);
                        self.ask(order);
                    }
                }
                Next::Wait(Some(until)) => return Ok(Some((self.began + until).min(end))),
                Next::Wait(None) | Next::Complete | Next::Exhausted => return Ok(None),
            }
        }
        Ok(None)
    }

    fn announce(&mut self, count: usize) {
        if !self.is_announced {
            self.is_announced = true;
            self.context.emit(EventKind::GroupLaunching { group: self.group.clone(), count: count as u32 });
        }
    }

    fn ask(&mut self, order: LaunchOrder) {
        let (context, doubts) = (self.context, self.doubts.0.clone());
        self.work.push(Box::pin(async move {
            let answer = ask(context, &order, doubts).await;
            News::Answered(Box::new(order), answer)
        }));
    }

    fn reach(&mut self, instance: Instance) {
        let (context, lookout) = (self.context, self.lookout);
        self.work.push(Box::pin(async move {
            let outcome = reach(context, lookout, instance.clone(), false).await;
            News::Reached(Box::new(instance), outcome)
        }));
    }

    async fn take(&mut self, news: News) -> Engine<()> {
        match news {
            News::Answered(order, answer) => {
                let (answer, instances) = answer?;
                self.tell(&order, &answer);
                if matches!(answer, Answer::Over(_)) {
                    self.over.extend(self.context.launches.machines_of(&order.token));
                }
                let seats = self.names.seats(&order);
                self.waves.answered(&order.pick, &seats, &answer, self.began.elapsed());
                for instance in instances {
                    self.reach(instance);
                }
            }
            News::Reached(_, Err(error)) => return Err(error),
            News::Reached(_, Ok(Ok(member))) => self.fruit.members.push(member),
            News::Reached(instance, Ok(Err(unreached))) => self.miss(*instance, unreached).await?,
        }
        Ok(())
    }

    /// A machine that will be no member.
    async fn miss(&mut self, instance: Instance, unreached: Unreached) -> Engine<()> {
        let seat = self.names.seat(&instance.slot).unwrap_or(Seat { index: u32::MAX, incarnation: 0 });
        match unreached {
            Unreached::Stopped => self.waves.give_up(seat),
            Unreached::Silent(why) => {
                self.waves.give_up(seat);
                self.fruit.silent.push((instance.slot, instance.id, why));
            }
            Unreached::Dead(why) => {
                bury(self.context, &instance.slot, &instance.id, &why).await?;
                self.waves.died(seat, &why, self.began.elapsed());
            }
        }
        Ok(())
    }

    /// Tells people what a pick did not give.
    fn tell(&self, order: &LaunchOrder, answer: &Answer) {
        let why = match answer {
            Answer::Launched(given) if *given < order.slots.len() => format!("gave {given} of {}", order.slots.len()),
            answer => match why_of(answer) {
                Some(why) => why,
                None => return,
            },
        };
        let place = if order.pick.label.is_empty() { "the cloud" } else { &order.pick.label };
        let message = format!("group {}: {}", self.group, of_place(place, &why));
        self.context.emit(EventKind::Note { message });
    }

    /// Why there are too few, and what to change.
    fn problem(&self) -> Problem {
        let (group, have, need) = (self.group, self.fruit.members.len(), self.spec.min_count);
        let mut why = format!("group {group}: {have} of at least {need} workers came up");
        let silent = self.fruit.silent.first();
        let refusals = self.waves.refusals();
        match (silent, refusals.as_slice()) {
            _ if self.context.is_stopping() => {
                let _ = write!(why, ": the run was stopped ({})", self.context.stop_reason());
            }
            (Some((_, _, silence)), _) => {
                let _ = write!(why, ": {silence}");
            }
            (None, [(pick, refusal)]) if pick.label.is_empty() => {
                let _ = write!(why, ": {}", refusal.unwrap_or("no answer"));
            }
            _ => {
                let waited = ms(self.context.spec.timing.capacity_ms).as_secs();
                let _ = write!(why, " within {waited} s. Asked were");
                for (pick, refusal) in &refusals {
                    let _ = write!(why, "\n  {}", of_place(&pick.label, refusal.unwrap_or("not asked")));
                }
                let _ = write!(
                    why,
                    "\nGive cluster.groups.{group} more instance_type or subnets, `market: spot-then-on-demand` or \
                     `on-demand`, or a smaller min_count."
                );
            }
        }
        if silent.is_some() { Problem::of_hosts(why) } else { Problem::ours(why) }
    }
}

/// What was heard of a place. Most refusals name it themselves.
fn of_place(place: &str, why: &str) -> String {
    if why.starts_with(place) { why.to_owned() } else { format!("{place}: {why}") }
}
