//! A job, whoever runs it: the broker itself, or systemd. Knows the difference, so that nobody else has to.

use super::unit::{NotStarted, RunningUnit, Service, Systemd};
use super::{Ended, Job, Outcome, Plan, Room, Surroundings, job};
use crate::audit::Recorded;
use crate::policy::{Property, Runner};
use crate::sys::Sealed;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use tokio_util::sync::CancellationToken;

/// A job under way.
#[derive(Debug)]
pub enum Running {
    /// A child of the broker.
    Process(Job),
    /// A unit of systemd, and what is to be overwritten when it has ended.
    Unit(Box<RunningUnit>, Vec<Sealed>),
    /// Whether it runs can't be learnt, and why.
    Unknown(String),
}

/// Starts what was planned. That it is about to start is on the record already.
///
/// # Errors
/// That of the first step that failed: nothing was started.
pub async fn launch(
    mut plan: Plan,
    stdio: [OwnedFd; 3],
    (room, surroundings): (Room, &Surroundings),
    on_record: Recorded,
) -> io::Result<Running> {
    match plan.runner.clone() {
        Runner::Direct => job::launch(plan, stdio, room, on_record).await.map(Running::Process),
        Runner::Unit(mut properties) => {
            properties.extend(room.properties);
            let secrets = std::mem::take(&mut plan.secrets);
            let service = service(plan, stdio, (surroundings.descriptors, properties));
            in_unit((service, secrets), &surroundings.systemd, on_record).await
        }
    }
}

/// What systemd is to run. `lent` is what the direct runner would have lent, too, and the properties of the unit.
fn service(plan: Plan, stdio: [OwnedFd; 3], lent: ((u64, u64), Vec<Property>)) -> Service {
    let [given, stdout, stderr] = stdio;
    let (descriptors, properties) = lent;
    Service {
        job: plan.job,
        program: plan.program,
        argv: plan.argv,
        environment: plan.environment,
        manner: job::manner(plan.manner, plan.names_more_than_the_user, descriptors),
        timeout: plan.timeout,
        grace: plan.kill_after,
        stdio: [plan.input.unwrap_or(given), stdout, stderr],
        handed: plan.handed,
        properties,
    }
}

async fn in_unit(
    (service, secrets): (Service, Vec<Sealed>),
    systemd: &Systemd,
    _on_record: Recorded,
) -> io::Result<Running> {
    match systemd.start(service).await {
        Ok(unit) => Ok(Running::Unit(Box::new(unit), secrets)),
        Err(NotStarted::Unknown(why)) => Ok(Running::Unknown(why)),
        Err(failed) => Err(io::Error::other(failed)),
    }
}

/// The number of the error for which systemd started nothing (errno(3)), where it was systemd.
#[must_use]
pub fn unit_errno(error: &io::Error) -> Option<i32> {
    match error.get_ref()?.downcast_ref()? {
        NotStarted::Failed { errno, .. } | NotStarted::NoSystemd { errno, .. } => Some(*errno),
        NotStarted::Unknown(_) => None,
    }
}

impl Running {
    /// The unit's invocation, where there is a unit (`_SYSTEMD_INVOCATION_ID` of systemd.journal-fields(7)).
    #[must_use]
    pub fn invocation(&self) -> Option<&str> {
        match self {
            Self::Unit(unit, _) => unit.invocation(),
            Self::Process(_) | Self::Unknown(_) => None,
        }
    }

    /// What is to be overwritten when a unit has ended, for whoever may leave it to the next broker before.
    #[must_use]
    pub fn secrets(&mut self) -> Vec<Sealed> {
        match self {
            Self::Unit(_, secrets) => std::mem::take(secrets),
            Self::Process(_) | Self::Unknown(_) => Vec::new(),
        }
    }

    /// Cancelled once the end of a unit has begun: who leaves it from then on can't be told how it ended.
    #[must_use]
    pub fn ends(&self) -> CancellationToken {
        match self {
            Self::Unit(unit, _) => unit.ends(),
            Self::Process(_) | Self::Unknown(_) => CancellationToken::new(),
        }
    }

    /// As [`Job::finish`].
    ///
    /// # Errors
    /// The end is unknown.
    pub async fn finish(
        self,
        stopped: impl Future<Output = Outcome>,
        silent: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        match self {
            Self::Process(job) => job.finish(stopped, silent).await,
            Self::Unit(unit, secrets) => {
                let ended = unit.finish(stopped, silent).await;
                drop(secrets);
                ended
            }
            Self::Unknown(why) => Err(io::Error::other(why)),
        }
    }
}
