//! From a service to a running unit, or to why it is none. Leaves no unit behind that did not start.

use super::cause::cause;
use super::running::{RunningUnit, State};
use super::service::{STARTING, Service};
use super::systemd::{Assigned, Failed, SERVICE, Systemd, UNIT};
use super::watched::Watch;
use super::{JobId, NotStarted, unit_name};
use std::time::Duration;
use tokio::time::timeout;

/// How long systemd may leave a unit waiting for its turn, besides the time that the start itself may take.
const QUEUED: Duration = Duration::from_secs(30);

/// `done` of `JobRemoved` (org.freedesktop.systemd1(5)): the process has become its program.
const DONE: &str = "done";

impl Systemd {
    /// Starts a unit, and waits until its process is the program or has failed to be.
    ///
    /// # Errors
    /// [`NotStarted`]; there is then no unit, unless even that can't be learnt.
    pub async fn start(&self, service: Service) -> Result<RunningUnit, NotStarted> {
        let given = self.environment_names().await.map_err(|failed| unreachable(&failed))?;
        let told = service.told(&given)?;
        let watch = self.watched.watch(&service.job);
        self.order(&service, told).await?;
        let (job, limit, grace) = (service.job.clone(), service.timeout, service.grace);
        drop(service);
        let unit = RunningUnit::new(self, job, watch, (limit, grace));
        match timeout(STARTING + QUEUED, unit.begun()).await {
            Ok(result) if result == DONE => Ok(unit.known().await),
            Ok(result) => unit.not_begun(&result).await,
            Err(_) => unit.not_begun("timeout").await,
        }
    }

    /// Has systemd make the unit and queue its start.
    async fn order(&self, service: &Service, told: Vec<Assigned<'_>>) -> Result<(), NotStarted> {
        let beside: Vec<(&str, Vec<Assigned<'_>>)> = Vec::new();
        let ordered = self.call("StartTransientUnit", &(service.unit(), "fail", told, beside)).await;
        match ordered {
            Ok(_) => Ok(()),
            Err(Failed::Refused(name, words)) => {
                Err(NotStarted::failed(libc::EINVAL, format!("systemd refuses the unit: {name}: {words}")))
            }
            Err(Failed::Broken(error)) => match self.has(&service.job).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(NotStarted::failed(libc::ENOTCONN, format!("systemd was not told: {error}"))),
                Err(_) => Err(NotStarted::Unknown(format!("systemd does not answer: {error}"))),
            },
        }
    }

    /// Whether the job has a unit.
    pub(super) async fn has(&self, job: &JobId) -> Result<bool, Failed> {
        match self.ask::<zbus::OwnedObjectPath>("GetUnit", &(unit_name(job),)).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is("NoSuchUnit") => Ok(false),
            Err(failed) => Err(failed),
        }
    }

    /// Finds the unit of a job that an earlier broker started, running or ended; `None` where there is none.
    ///
    /// # Errors
    /// The line to systemd broke.
    pub async fn adopt(
        &self,
        job: &JobId,
        limit: Option<Duration>,
        grace: Duration,
    ) -> std::io::Result<Option<RunningUnit>> {
        let watch: Watch = self.watched.watch(job);
        if !self.has(job).await? {
            return Ok(None);
        }
        Ok(Some(RunningUnit::new(self, job.clone(), watch, (limit, grace)).known().await))
    }
}

fn unreachable(failed: &Failed) -> NotStarted {
    match failed {
        Failed::Refused(name, words) => NotStarted::failed(libc::EIO, format!("systemd: {name}: {words}")),
        Failed::Broken(error) => NotStarted::failed(libc::ENOTCONN, error),
    }
}

impl RunningUnit {
    /// How the start came out, in systemd's words.
    async fn begun(&self) -> String {
        loop {
            if let Some(result) = self.watch.start() {
                return result;
            }
            // Told by a signal; only where the line broke it has to be asked for.
            if self.systemd.get::<String>(&self.job, UNIT, "ActiveState").await.is_ok_and(|state| state == "active") {
                return DONE.to_owned();
            }
            self.watch.came().await;
        }
    }

    /// Why the process did not become its program; or the unit after all, where it can't be said that it did not.
    async fn not_begun(self, result: &str) -> Result<Self, NotStarted> {
        let unit = unit_name(&self.job);
        let has_pid = self.systemd.get::<u64>(&self.job, SERVICE, "ExecMainStartTimestampMonotonic").await;
        let state = self.state().await;
        let why = match (&state, has_pid) {
            (Ok(State::Ended(ended)), _) if ended.exited().is_some() => ended.exited().and_then(|status| cause(status, &unit)),
            (_, Ok(0)) => {
                Some(NotStarted::failed(libc::EAGAIN, format!("systemd could not start {unit}: {result}")))
            }
            (_, _) => None,
        };
        match why {
            Some(why) => {
                self.remove().await;
                Err(why)
            }
            None => Ok(self.known().await),
        }
    }
}
