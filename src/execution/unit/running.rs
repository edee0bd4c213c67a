//! A unit from its start to its end, and until nothing is left of it. Believes systemd, and nobody else.

use super::systemd::{Failed, SERVICE, Systemd, UNIT};
use super::watched::Watch;
use super::{JobId, unit_name};
use crate::execution::job::LINGER;
use crate::execution::{Ended, Outcome};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zbus::OwnedObjectPath;

/// How long a killed unit may take to be gone.
pub(super) const VANISHING: Duration = Duration::from_secs(15);

/// How often a unit is looked at without any news of it, which a line that broke may have kept back.
const LOOKING: Duration = Duration::from_secs(30);

/// `CLD_EXITED` of waitid(2), in `ExecMainCode`.
const EXITED: i32 = 1;

/// What went wrong first, in `Result`: a time limit, or want of memory (systemd.exec(5), `$SERVICE_RESULT`).
const LATE: &str = "timeout";
const OUT_OF_MEMORY: &str = "oom-kill";

/// A unit under way, or ended. It stays as it is, to be adopted, until it is removed.
#[derive(Debug)]
pub struct RunningUnit {
    pub(super) systemd: Systemd,
    pub(super) job: JobId,
    pub(super) watch: Watch,
    limit: Option<Duration>,
    grace: Duration,
    invocation: Option<String>,
    ends: CancellationToken,
}

/// How a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its process runs, or is about to.
    UnderWay,
    /// Its process has ended.
    Ended(Exit),
    /// It is not there, or nobody knows of a process.
    Gone,
}

/// What ended a unit.
enum Last {
    /// Its process ended, in this way if systemd still knew.
    Own(Option<Exit>),
    /// It was told to, and its end is to be called so.
    Forced(Outcome),
}

/// How a unit's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    code: i32,
    status: i32,
    is_late: bool,
    ran_out_of_memory: bool,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome().fmt(f)
    }
}

impl Exit {
    /// What the properties `Result`, `ExecMainCode` and `ExecMainStatus` say.
    pub(super) fn of(result: &str, (code, status): (i32, i32)) -> Self {
        Self { code, status, is_late: result == LATE, ran_out_of_memory: result == OUT_OF_MEMORY }
    }

    /// Whether some of the unit was ended for want of memory.
    pub(super) const fn ran_out_of_memory(self) -> bool {
        self.ran_out_of_memory
    }

    /// Its status, where it exited.
    pub(super) fn exited(self) -> Option<i32> {
        (self.code == EXITED).then_some(self.status)
    }

    pub(super) fn outcome(self) -> Outcome {
        self.exited().map_or(Outcome::Signalled(self.status), Outcome::Exited)
    }
}

impl RunningUnit {
    pub(super) fn new(
        systemd: &Systemd,
        job: JobId,
        watch: Watch,
        (limit, grace): (Option<Duration>, Duration),
    ) -> Self {
        Self {
            systemd: systemd.clone(),
            job,
            watch,
            limit,
            grace,
            invocation: None,
            ends: CancellationToken::new(),
        }
    }

    /// The same, with what the record says of it.
    pub(super) async fn known(mut self) -> Self {
        self.invocation = self.present_invocation().await;
        self
    }

    async fn present_invocation(&self) -> Option<String> {
        let id = self.systemd.get::<Vec<u8>>(&self.job, UNIT, "InvocationID").await;
        let digits = |octet: &u8| [octet >> 4, octet & 15].map(|digit| char::from_digit(digit.into(), 16));
        let hexadecimal = |id: Vec<u8>| id.iter().flat_map(digits).flatten().collect::<String>();
        id.ok().map(hexadecimal).filter(|id| !id.is_empty())
    }

    /// Whether somebody has started the unit again. What was to become the program is used up, so nothing runs then.
    async fn is_another(&self) -> bool {
        let present = self.present_invocation().await;
        self.invocation.is_some() && present.is_some() && present != self.invocation
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &JobId {
        &self.job
    }

    /// The unit's invocation: 32 hexadecimal digits, as in `_SYSTEMD_INVOCATION_ID` of the journal.
    #[must_use]
    pub fn invocation(&self) -> Option<&str> {
        self.invocation.as_deref()
    }

    /// Cancelled once its end has begun: who leaves it from then on can't be told how it ended.
    #[must_use]
    pub fn ends(&self) -> CancellationToken {
        self.ends.clone()
    }

    /// Waits for the end; brings it about at the time limit, or when `stopped` resolves, and then calls it so. What is left behind
    /// may go on writing for a moment, until `silent` resolves. When this returns, no process of the job is left, as far as systemd
    /// says; its unit is, for whoever asks before the end is on the record.
    ///
    /// # Errors
    /// systemd does not answer; the end is then unknown.
    pub async fn finish(
        self,
        stopped: impl Future<Output = Outcome>,
        silent: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        let last = self.last(stopped).await?;
        self.ends.cancel();
        let took = self.took().await;
        let cut = matches!(last, Last::Own(_)) && timeout(LINGER, silent).await.is_err();
        let ended = self.kill().await?;
        let outcome = match last {
            Last::Forced(outcome) => outcome,
            Last::Own(exit) => self.own(exit, ended, took),
        };
        let out_of_memory = ended.is_some_and(Exit::ran_out_of_memory);
        Ok(Ended { outcome, took, cut, out_of_memory })
    }

    /// Ends all of it; `None` also where the kernel can't yet.
    async fn kill(&self) -> Result<Option<Exit>, Failed> {
        self.signal(Signal::KILL).await?;
        timeout(VANISHING, self.ended()).await.unwrap_or_else(|_| {
            tracing::warn!("{} is killed, and not gone yet", unit_name(&self.job));
            Ok(None)
        })
    }

    /// How it ended that was seen to end like this, and by now is like that. A unit that is gone, or that was killed for want of
    /// an end before its time, was stopped by somebody else.
    fn own(&self, exit: Option<Exit>, now: Option<Exit>, took: Duration) -> Outcome {
        match exit {
            Some(exit) if exit.is_late && self.limit.is_some_and(|limit| took >= limit) => Outcome::TimedOut,
            Some(exit) if !exit.is_late && (exit.exited().is_some() || now.is_some()) => exit.outcome(),
            Some(_) | None => Outcome::Cancelled,
        }
    }

    /// Waits for the end of the process, or for what is to end it: then tells it so, and gives it a grace.
    async fn last(&self, stopped: impl Future<Output = Outcome>) -> Result<Last, Failed> {
        let left = self.left().await;
        let forced = tokio::select! {
            ended = self.ended() => return ended.map(Last::Own),
            () = passed(left) => Outcome::TimedOut,
            outcome = stopped => outcome,
        };
        self.ends.cancel();
        self.signal(Signal::TERM).await?;
        if let Ok(ended) = timeout(self.grace, self.ended()).await {
            ended?;
        }
        Ok(Last::Forced(forced))
    }

    /// What is left of its time: it may have run under an earlier broker.
    async fn left(&self) -> Option<Duration> {
        Some(self.limit?.saturating_sub(self.took().await))
    }

    /// How long its process has run.
    async fn took(&self) -> Duration {
        let time = async |property| self.systemd.get::<u64>(&self.job, SERVICE, property).await.unwrap_or(0);
        let began = time("ExecMainStartTimestampMonotonic").await;
        let ended = match time("ExecMainExitTimestampMonotonic").await {
            0 => monotonic(),
            ended => ended,
        };
        if began == 0 { Duration::ZERO } else { Duration::from_micros(ended.saturating_sub(began)) }
    }

    /// Waits until its process has ended; `None` where systemd has forgotten how: somebody else stopped the unit.
    async fn ended(&self) -> Result<Option<Exit>, Failed> {
        loop {
            match self.state().await? {
                State::UnderWay => drop(timeout(LOOKING, self.watch.came()).await),
                State::Ended(ended) => return Ok(Some(ended)),
                State::Gone => return Ok(None),
            }
        }
    }

    pub(super) async fn state(&self) -> Result<State, Failed> {
        let (systemd, job) = (&self.systemd, &self.job);
        // In this order: what ended in between is seen to have.
        let active: String = systemd.get(job, UNIT, "ActiveState").await?;
        let ended: u64 = systemd.get(job, SERVICE, "ExecMainExitTimestampMonotonic").await?;
        if ended == 0 {
            let is_over = matches!(&*active, "inactive" | "failed");
            return Ok(if is_over { State::Gone } else { State::UnderWay });
        }
        if self.is_another().await {
            return Ok(State::Gone);
        }
        let result: String = systemd.get(job, SERVICE, "Result").await?;
        let code = systemd.get(job, SERVICE, "ExecMainCode").await?;
        let status = systemd.get(job, SERVICE, "ExecMainStatus").await?;
        let exit = Exit::of(&result, (code, status));
        let is_anothers = exit.exited().is_none() && !exit.is_late && self.has_orders().await?;
        Ok(if is_anothers { State::Gone } else { State::Ended(exit) })
    }

    /// Whether systemd has orders about the unit, to stop it or to start it again: they are not ours, who only send signals.
    async fn has_orders(&self) -> Result<bool, Failed> {
        let (order, _): (u32, OwnedObjectPath) = self.systemd.get(&self.job, UNIT, "Job").await?;
        Ok(order != 0)
    }

    /// Sends a signal to every process of the unit. That there is none is no failure.
    pub(super) async fn signal(&self, signal: Signal) -> Result<(), Failed> {
        let sent = self.systemd.ask::<()>("KillUnit", &(unit_name(&self.job), "all", signal.as_raw())).await;
        match sent {
            Err(Failed::Broken(error)) => Err(Failed::Broken(error)),
            Ok(()) | Err(Failed::Refused(..)) => Ok(()),
        }
    }
}

impl Systemd {
    /// Stops the unit of a job, and has systemd forget it: only then it lets go of the descriptors that the job was given. To be
    /// done when the end is on the record: until then, whoever comes after this process can ask for it.
    pub async fn remove(&self, job: &JobId) {
        let (unit, watch) = (unit_name(job), self.watched.watch(job));
        let removed = async {
            // There may be nothing to stop, or to forget; what counts is that it is gone.
            drop(self.call("StopUnit", &(&unit, "replace")).await);
            while self.has(job).await? {
                drop(self.call("ResetFailedUnit", &(&unit,)).await);
                if self.has(job).await? {
                    watch.came().await;
                }
            }
            Ok::<_, Failed>(())
        };
        match timeout(VANISHING, removed).await {
            Ok(Ok(())) => {}
            left => tracing::error!("{unit} is left: {left:?}"),
        }
    }
}

async fn passed(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

/// Now, in the microseconds of systemd's timestamps (`CLOCK_MONOTONIC`).
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000 + part(now.tv_nsec) / 1_000
}
