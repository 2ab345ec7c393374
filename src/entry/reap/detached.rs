//! A run on a cloud whose machines outlive this one: its master is watched from outside, succeeded when it is dead, and
//! what is over is ended and proven.

use async_trait::async_trait;

use super::clock::StoreClock;
use super::facts::{gather, present_deadline};
use super::reaper::Reaped;
use super::remains::{Remains, forget};
use super::verdict::{Alone, Claim, Facts, MOST_MASTERS, Over, Verdict, verdict};
use crate::core::ids::{Epoch, InstanceId};
use crate::core::records::Spec;
use crate::entry::exit::Problem;
use crate::entry::trigger::{MasterCall, MasterLaunchError, launch_master};
use crate::platform::aws::Access;
use crate::platform::cloud::{Cloud, MasterCloud};
use crate::platform::store::Store;

/// How a master's machine is asked for: claimed once, and asked for again in the same words by whoever comes later.
#[async_trait]
pub trait Callers: Send + Sync {
    /// The machine of a claim.
    async fn call(&self, spec: &Spec, call: &MasterCall) -> Result<InstanceId, Problem>;
}

/// The real way: a claim in the store, a request to EC2.
pub struct ClaimAndLaunch<'a> {
    pub store: &'a dyn Store,
    pub access: &'a Access,
}

#[async_trait]
impl Callers for ClaimAndLaunch<'_> {
    async fn call(&self, spec: &Spec, call: &MasterCall) -> Result<InstanceId, Problem> {
        Ok(launch_master(self.store, self.access, spec, call).await?.id)
    }
}

/// One run, and everything that can be done about it.
pub struct Detached<'a> {
    pub store: &'a dyn Store,
    pub spec: &'a Spec,
    pub cloud: &'a dyn Cloud,
    pub masters: &'a dyn MasterCloud,
    pub callers: &'a dyn Callers,
    pub clock: StoreClock,
}

impl Detached<'_> {
    /// One look, and what follows from it.
    pub async fn look_after(&self) -> Result<Reaped, Problem> {
        let facts = gather(self.store, self.spec, self.clock.now_ms()).await?;
        match verdict(&facts) {
            Verdict::LeaveAlone(alone) => Ok(left_alone(alone)),
            Verdict::AskAgain(epoch) => self.ask_again(epoch, &facts).await,
            Verdict::Claim(epoch) => self.call(epoch, false).await,
            Verdict::End(over) => self.remains().end(over, &facts).await,
            Verdict::Forget => {
                forget(self.store, &self.spec.run).await?;
                Ok(Reaped::Closed { ended: 0 })
            }
        }
    }

    /// The same request again. Where its machine turns out to be over, nobody will ever begin by that claim: the next one
    /// need not wait.
    async fn ask_again(&self, epoch: Epoch, facts: &Facts) -> Result<Reaped, Problem> {
        let problem = match self.call(epoch, true).await {
            Err(problem) => problem,
            asked => return asked,
        };
        let over = matches!(&problem, Problem::Failed(error)
            if matches!(error.downcast_ref(), Some(MasterLaunchError::Over { .. })));
        match over {
            false => Err(problem),
            true if facts.claims.len() < MOST_MASTERS => {
                self.call(Epoch(newest(&facts.claims, epoch).0 + 1), false).await
            }
            true => self.remains().end(Over::Masters, facts).await,
        }
    }

    async fn call(&self, epoch: Epoch, again: bool) -> Result<Reaped, Problem> {
        let call = MasterCall {
            epoch,
            why: "dead".to_owned(),
            by: "dayfly reap".to_owned(),
            deadline_ms: present_deadline(self.store, self.spec).await?,
        };
        let machine = self.callers.call(self.spec, &call).await?;
        Ok(Reaped::Launched { epoch, machine, again })
    }

    fn remains(&self) -> Remains<'_> {
        Remains { store: self.store, spec: self.spec, cloud: self.cloud, masters: self.masters, clock: self.clock }
    }
}

fn newest(claims: &[Claim], at_least: Epoch) -> Epoch {
    claims.iter().map(|claim| claim.epoch).fold(at_least, Epoch::max)
}

fn left_alone(alone: Alone) -> Reaped {
    let why = match alone {
        Alone::Beating => return Reaped::Alive,
        Alone::Beginning => "its master was asked for and may be about to begin",
        Alone::TooSoon => "its master is dead, and was launched too short a time ago for another",
        Alone::Silent => "its master, a person's own process, is silent; its workers live until their leases end",
    };
    Reaped::Waiting { why: why.to_owned(), over: false }
}
