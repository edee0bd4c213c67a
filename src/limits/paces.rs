//! How often users do things: so often within any span of time. Waits for nothing, and remembers no longer than it must.

use crate::identity::Uid;
use crate::policy::Rate;
use crate::request::CommandName;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Runs that are remembered of all users together: 16 octets each.
const REMEMBERED: usize = 1 << 20;

/// Runs that are remembered of one user, of all commands that have a rate: 16 commands with the largest one.
const REMEMBERED_OF_USER: usize = 1 << 14;

/// Runs that may be remembered longer than they must.
const SLACK: usize = 1024;

/// When users ran commands that have a rate.
#[derive(Debug)]
pub struct Paces {
    clock: fn() -> Instant,
    log: Mutex<Log>,
}

/// The log, and how many runs are in it: in all, and right after it was last swept.
#[derive(Debug, Default)]
struct Log {
    users: HashMap<Uid, HashMap<CommandName, Runs>>,
    all: usize,
    swept: usize,
}

/// One user's runs of one command, the oldest first, for as long as they count.
#[derive(Debug, Default)]
struct Runs {
    began: VecDeque<Instant>,
    per: Duration,
}

/// The right to one run. Given back when dropped, unless it was spent.
#[derive(Debug)]
pub struct Turn {
    paces: Arc<Paces>,
    user: Uid,
    command: CommandName,
    at: Option<Instant>,
}

impl Paces {
    /// Nobody has run anything. The clock never goes back.
    #[must_use]
    pub fn new(clock: fn() -> Instant) -> Arc<Self> {
        Arc::new(Self { clock, log: Mutex::default() })
    }

    /// One more run of this command for this user.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub fn take(self: &Arc<Self>, user: Uid, command: &CommandName, rate: &Rate) -> Result<Turn, Duration> {
        let now = (self.clock)();
        self.log().add(user, command, (rate, now))?;
        Ok(Turn { paces: Arc::clone(self), user, command: command.clone(), at: Some(now) })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn add(
        &mut self,
        user: Uid,
        command: &CommandName,
        (rate, now): (&Rate, Instant),
    ) -> Result<(), Duration> {
        if self.all >= (2 * self.swept + SLACK).min(REMEMBERED) {
            self.sweep(now);
        }
        let own = self.users.entry(user).or_default();
        let runs = own.entry(command.clone()).or_default();
        let before = runs.began.len();
        runs.per = rate.per;
        runs.forget(now);
        self.all -= before - runs.began.len();
        runs.wait(rate.runs, now)?;
        self.room(user, now)?;
        let runs = self.users.entry(user).or_default().entry(command.clone()).or_default();
        runs.began.push_back(now);
        self.all += 1;
        Ok(())
    }

    /// Whether one more run of this user can be remembered; or how long it takes until then.
    fn room(&self, user: Uid, now: Instant) -> Result<(), Duration> {
        let own = || self.users.get(&user).into_iter().flat_map(HashMap::values);
        if own().map(|runs| runs.began.len()).sum::<usize>() >= REMEMBERED_OF_USER {
            return Err(soonest(own(), now));
        }
        if self.all >= REMEMBERED {
            return Err(soonest(self.users.values().flat_map(HashMap::values), now));
        }
        Ok(())
    }

    /// Forgets what no longer counts, and whoever has nothing left that does.
    fn sweep(&mut self, now: Instant) {
        for own in self.users.values_mut() {
            for runs in own.values_mut() {
                runs.forget(now);
            }
            own.retain(|_, runs| !runs.began.is_empty());
        }
        self.users.retain(|_, own| !own.is_empty());
        self.all = self.users.values().flat_map(HashMap::values).map(|runs| runs.began.len()).sum();
        self.swept = self.all;
    }

    fn remove(&mut self, user: Uid, command: &CommandName, at: Instant) {
        let Some(runs) = self.users.get_mut(&user).and_then(|own| own.get_mut(command)) else { return };
        if let Some(place) = runs.began.iter().rposition(|began| *began == at) {
            runs.began.remove(place);
            self.all -= 1;
        }
    }
}

impl Runs {
    fn forget(&mut self, now: Instant) {
        while self.began.front().is_some_and(|first| now.duration_since(*first) >= self.per) {
            self.began.pop_front();
        }
    }

    /// Whether there may be one more of so many; or how long it takes until then.
    fn wait(&self, most: usize, now: Instant) -> Result<(), Duration> {
        let surplus = self.began.len().checked_sub(most);
        match surplus.and_then(|surplus| self.began.get(surplus)) {
            None => Ok(()),
            Some(in_the_way) => Err(self.per.saturating_sub(now.duration_since(*in_the_way))),
        }
    }
}

/// How long it takes until the first of all runs is forgotten.
fn soonest<'a>(all: impl Iterator<Item = &'a Runs>, now: Instant) -> Duration {
    let left = |runs: &Runs| Some(runs.per.saturating_sub(now.duration_since(*runs.began.front()?)));
    all.filter_map(left).min().unwrap_or_default()
}

impl Turn {
    /// The run has begun: it counts.
    pub fn spend(mut self) {
        self.at = None;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.paces.log().remove(self.user, &self.command, at);
        }
    }
}

#[cfg(test)]
mod tests;
