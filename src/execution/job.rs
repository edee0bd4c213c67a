//! A process from its start to its end, with all that it started. Runs nothing that is not on the record.

use super::cgroup::JobGroup;
use super::{Delegation, JobId, Outcome, Plan};
use crate::audit::Recorded;
use crate::sys::{self, Child, Launch};
use rustix::process::{
    Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_send_signal, waitid,
};
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use tokio::io::Interest;

/// How long a job may take to end after TERM, before KILL.
const GRACE: Duration = Duration::from_secs(5);

/// File mode creation mask of every job: nobody else writes what it makes.
const UMASK: u32 = 0o022;

/// A running job.
#[derive(Debug)]
pub struct Job {
    id: JobId,
    child: Child,
    started: Instant,
    timeout: Option<Duration>,
    group: Option<JobGroup>,
}

/// Starts what was planned. That it is about to start is on the record already.
///
/// `descriptors` is the soft and hard limit of open descriptors that the job gets.
///
/// # Errors
/// That of the first step that failed: nothing was started.
pub async fn launch(
    plan: Plan,
    stdio: [OwnedFd; 3],
    surroundings: &Surroundings,
    _on_record: Recorded,
) -> io::Result<Job> {
    let group = surroundings.delegation.as_ref().map(|own| own.job(&plan.job)).transpose()?;
    let launch = Launch {
        program: plan.program,
        argv: plan.argv,
        environment: plan.environment,
        stdio,
        credentials: (!is_already(&plan.credentials)).then_some(plan.credentials),
        directory: c"/".to_owned(),
        umask: UMASK,
        no_new_privileges: plan.no_new_privileges,
        descriptors: surroundings.descriptors,
        cgroup: group.as_ref().map(JobGroup::procs).transpose()?,
    };
    match tokio::task::spawn_blocking(move || sys::spawn(launch)).await.map_err(io::Error::other)? {
        Ok(child) => Ok(Job { id: plan.job, child, started: Instant::now(), timeout: plan.timeout, group }),
        Err(error) => {
            if let Some(group) = group {
                group.remove().await;
            }
            Err(error)
        }
    }
}

/// What the broker's own process lends to its jobs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The cgroup to make the jobs' own in.
    pub delegation: Option<Delegation>,
    /// Soft and hard limit of open descriptors.
    pub descriptors: (u64, u64),
}

/// A process without privilege can take no ids, and needs none to be who it is.
fn is_already(credentials: &sys::Credentials) -> bool {
    let me = rustix::process::geteuid();
    !me.is_root() && me.as_raw() == credentials.uid
}

impl Job {
    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &JobId {
        &self.id
    }

    /// Waits for the end; brings it about at the time limit, or when `cancelled` resolves. When this returns, no process
    /// of the job is left, as far as the kernel lets us see them.
    ///
    /// # Errors
    /// Those of waiting; the end is then unknown, and the job has been killed.
    pub async fn finish(self, cancelled: impl Future<Output = ()>) -> io::Result<(Outcome, Duration)> {
        let ended = sys::watch(self.child.pidfd.try_clone()?, Interest::READABLE)?;
        let forced = tokio::select! {
            ready = ended.readable() => { let _ready = ready?; None }
            () = limit(self.timeout) => Some(Outcome::TimedOut),
            () = cancelled => Some(Outcome::Cancelled),
        };
        if forced.is_some() {
            self.terminate();
            if let Ok(ready) = tokio::time::timeout(GRACE, ended.readable()).await {
                let _ready = ready?;
            }
        }
        self.kill();
        let _ready = ended.readable().await?;
        let status = reap(&self.child)?;
        let took = self.started.elapsed();
        if let Some(group) = self.group {
            group.remove().await;
        }
        Ok((forced.unwrap_or(status), took))
    }

    fn terminate(&self) {
        match &self.group {
            Some(group) => group.signal(Signal::TERM),
            None => self.signal_process_group(Signal::TERM),
        }
    }

    /// The process group first: its leader is not reaped yet, so its id can't have become another's.
    fn kill(&self) {
        self.signal_process_group(Signal::KILL);
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    fn signal_process_group(&self, signal: Signal) {
        let leader = pidfd_send_signal(&self.child.pidfd, signal);
        let members = kill_process_group(self.child.pid, signal);
        tracing::trace!("signal {signal:?} to job {}: leader {leader:?}, group {members:?}", self.id);
    }
}

async fn limit(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

fn reap(child: &Child) -> io::Result<Outcome> {
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)?;
    Ok(status.as_ref().map_or(Outcome::Signalled(0), outcome))
}

fn outcome(status: &WaitIdStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, number) => Outcome::Signalled(number.unwrap_or(0)),
    }
}
