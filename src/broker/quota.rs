//! The limits that a command sets itself: how often one user may run it, how many runs of it may be under way. Counts; decides
//! nothing else.

use super::wire::NotRun;
use crate::audit::Event;
use crate::identity::Uid;
use crate::limits::{Paces, Place, Places, Turn};
use crate::policy::{Grant, MaxRunning, Rate};
use crate::request::CommandName;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was taken of the limits of all commands, by the commands' names.
#[derive(Debug)]
pub struct Quotas {
    running: Arc<Places<CommandName>>,
    paces: Arc<Paces>,
}

/// One run's share. What was not spent is given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    place: Option<Place<CommandName>>,
    turn: Option<Turn>,
}

/// Which limit leaves nothing for a run.
#[derive(Debug)]
pub(super) enum Exceeded {
    /// So many run already.
    Running(MaxRunning),
    /// The user ran it so often, and may again after so many seconds.
    Rate(Rate, u64),
}

impl Quotas {
    /// Nothing was taken. The clock never goes back.
    #[must_use]
    pub fn new(clock: fn() -> Instant) -> Self {
        Self { running: Places::new(usize::MAX, usize::MAX), paces: Paces::new(clock) }
    }

    /// The share of a run that this user was granted.
    pub(super) fn take(&self, user: Uid, grant: &Grant) -> Result<Share, Exceeded> {
        let place = grant.terms().max_running.as_ref().map(|most| {
            let place = self.running.take_of(grant.command().clone(), most.runs);
            place.ok_or_else(|| Exceeded::Running(most.clone()))
        });
        let place = place.transpose()?;
        let turn = grant.terms().rate.as_ref().map(|rate| {
            let turn = self.paces.take(user, grant.command(), rate);
            turn.map_err(|wait| Exceeded::Rate(rate.clone(), seconds(wait)))
        });
        Ok(Share { place, turn: turn.transpose()? })
    }

    /// The place of a run that an earlier broker has started, however many of its command there may be by now.
    pub(super) fn keep(&self, command: &CommandName) -> Place<CommandName> {
        self.running.keep(command.clone())
    }
}

/// Whole seconds after which it is surely over: one at least.
fn seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

impl Share {
    /// The run has begun: its turn is spent, and its place is taken until this is dropped.
    pub(super) fn spend(self) -> Option<Place<CommandName>> {
        self.turn.into_iter().for_each(Turn::spend);
        self.place
    }
}

impl Exceeded {
    /// The record of the refusal.
    pub(super) fn on(&self, event: Event) -> Event {
        let (limit, origin, wait) = match self {
            Self::Running(most) => ("max-running", &most.origin, None),
            Self::Rate(rate, wait) => ("rate", &rate.origin, Some(wait)),
        };
        event
            .decision("deny", origin)
            .field("UDSADMIN_REASON", self)
            .field("UDSADMIN_LIMIT", limit)
            .optional("UDSADMIN_RETRY_AFTER", wait)
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(most) => write!(f, "its limit of {} at once is reached", most.runs),
            Self::Rate(rate, wait) => write!(f, "its rate of {rate} is used up; there is a turn in {wait} s"),
        }
    }
}

impl From<Exceeded> for NotRun {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Running(most) => Self::CommandBusy { most: most.runs },
            Exceeded::Rate(rate, retry_after) => Self::Rate { rate: rate.to_string(), retry_after },
        }
    }
}
