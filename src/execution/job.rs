//! A process from its start to its end, with all that it started. Runs nothing that is not on the record.

use super::cgroup::JobGroup;
use super::{JobId, Outcome, Plan, Room};
use crate::audit::Recorded;
use crate::policy::Resource;
use crate::sys::{self, Child, Launch, Limit, Manner, Sealed};
use rustix::process::{
    Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_send_signal, waitid,
};
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::spawn_blocking;

/// How long what a job leaves behind may go on writing to its output.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How long a killed process may take to be gone: one that waits for a dead disk may take for ever.
const VANISHING: Duration = Duration::from_secs(15);

/// How long a process may take to become its program, between taking the user's ids and `execve(2)`.
const STARTING: Duration = Duration::from_secs(20);

/// A running job.
#[derive(Debug)]
pub struct Job {
    id: JobId,
    child: Child,
    /// The process: readable when it has ended.
    ended: AsyncFd<OwnedFd>,
    started: Instant,
    timeout: Option<Duration>,
    kill_after: Duration,
    group: Option<JobGroup>,
    /// Overwritten when it has ended.
    _secrets: Vec<Sealed>,
}

/// Starts what was planned. That it is about to start is on the record already.
///
/// # Errors
/// That of the first step that failed: nothing was started.
pub(super) async fn launch(
    mut plan: Plan,
    stdio: [OwnedFd; 3],
    room: Room,
    _on_record: Recorded,
) -> io::Result<Job> {
    let Room { group, descriptors, .. } = room;
    let (id, timeout, kill_after) = (plan.job.clone(), plan.timeout, plan.kill_after);
    let secrets = std::mem::take(&mut plan.secrets);
    let started = match group.as_ref().map(JobGroup::procs).transpose() {
        Ok(cgroup) => start(prepared(plan, stdio, descriptors, cgroup), timeout).await,
        Err(error) => Err(error),
    };
    match started {
        Ok((child, ended)) => Ok(Job {
            id,
            child,
            ended,
            started: Instant::now(),
            timeout,
            kill_after,
            group,
            _secrets: secrets,
        }),
        Err(error) => {
            if let Some(group) = group {
                group.remove().await;
            }
            Err(error)
        }
    }
}

fn prepared(plan: Plan, stdio: [OwnedFd; 3], descriptors: (u64, u64), cgroup: Option<File>) -> Launch {
    let [given, stdout, stderr] = stdio;
    let manner = manner(plan.manner, plan.names_more_than_the_user, descriptors);
    Launch {
        program: plan.program,
        argv: plan.argv,
        environment: plan.environment,
        stdio: [plan.input.unwrap_or(given), stdout, stderr],
        handed: plan.handed,
        manner,
        cgroup,
    }
}

/// The manner, with what this process lends: the limit of descriptors, where the policy has none, and its ids, where it is
/// the user already and nothing more is asked for. It could not take them, nor shrink what bounds it.
pub(super) fn manner(mut manner: Manner, names_more: bool, (soft, hard): (u64, u64)) -> Manner {
    if !manner.limits.iter().any(|limit| limit.resource == Resource::Nofile) {
        manner.limits.push(Limit { resource: Resource::Nofile, soft, hard });
    }
    if !names_more && manner.credentials.as_ref().is_some_and(is_already) {
        manner.credentials = None;
        manner.capabilities.bounding = None;
    }
    manner
}

/// Starts a process, and waits until it is the program or has ended without. One that is neither in time was stopped by the user
/// whose ids it took; it is ended.
async fn start(launch: Launch, timeout: Option<Duration>) -> io::Result<(Child, AsyncFd<OwnedFd>)> {
    let held = spawn_blocking(move || sys::hold(&launch)).await.map_err(io::Error::other)??;
    let ended = sys::watch(held.pidfd()?.try_clone_to_owned()?, Interest::READABLE)?;
    let line = sys::watch(held.line().try_clone_to_owned()?, Interest::READABLE)?;
    let child = held.release()?;
    let verdict = line.async_io(Interest::READABLE, |line| sys::verdict(line.as_fd(), child.pid));
    let started =
        match tokio::time::timeout(timeout.map_or(STARTING, |limit| limit.min(STARTING)), verdict).await {
            Ok(verdict) => verdict,
            Err(_) => end_unstarted(&child, &ended).await,
        };
    match started {
        Ok(()) => Ok((child, ended)),
        Err(error) => {
            child.end();
            Err(error)
        }
    }
}

/// Ends a process that is not its program in time.
///
/// # Errors
/// It never became its program (`ETIMEDOUT`). Otherwise it did so at the last moment, and has run.
async fn end_unstarted(child: &Child, ended: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let killed = pidfd_send_signal(&child.pidfd, Signal::KILL);
    tracing::warn!("{:?} was stopped before it was its program; killed: {killed:?}", child.pid);
    drop(ended.readable().await?);
    if sys::is_mere_fork(child.pid) { Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)) } else { Ok(()) }
}

/// A process without privilege can take no ids, and needs none to be who it is.
fn is_already(credentials: &sys::Credentials) -> bool {
    let me = rustix::process::geteuid();
    !me.is_root() && me.as_raw() == credentials.uid
}

/// The end of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// From its start to its end.
    pub took: Duration,
    /// Whether processes that it left behind were still writing, and were ended.
    pub cut: bool,
    /// Whether the kernel ended some of it for want of memory.
    pub out_of_memory: bool,
}

impl Job {
    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &JobId {
        &self.id
    }

    /// Waits for the end; brings it about at the time limit, or when `stopped` resolves, and then calls it so. What is left
    /// behind may go on writing for a moment, until `silent` resolves. When this returns, no process of the job is left, as
    /// far as the kernel lets us see them.
    ///
    /// # Errors
    /// Those of waiting, or the kernel can't end it yet; the end is then unknown, and the job has been killed.
    pub async fn finish(
        self,
        stopped: impl Future<Output = Outcome>,
        silent: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        let forced = self.last(stopped).await;
        let took = self.started.elapsed();
        let by_itself = matches!(forced, Ok(None));
        let cut = by_itself && tokio::time::timeout(LINGER, silent).await.is_err();
        self.kill();
        let Ok(ended) = tokio::time::timeout(VANISHING, self.ended()).await else {
            return Err(self.leave_to_the_kernel());
        };
        let status = ended.and_then(|()| reap(&self.child));
        let out_of_memory = self.group.as_ref().is_some_and(JobGroup::ran_out_of_memory);
        if let Some(group) = self.group {
            group.remove().await;
        }
        Ok(Ended { outcome: forced?.unwrap_or(status?), took, cut, out_of_memory })
    }

    async fn ended(&self) -> io::Result<()> {
        self.ended.readable().await.map(drop)
    }

    /// Has the process reaped when the kernel can end it, if it ever can.
    fn leave_to_the_kernel(self) -> io::Error {
        drop(tokio::spawn(async move {
            let reaped = self.ended().await.and_then(|()| reap(&self.child));
            tracing::info!("job {}: its process is gone at last: {reaped:?}", self.id);
            if let Some(group) = self.group {
                group.remove().await;
            }
        }));
        io::Error::new(io::ErrorKind::TimedOut, "its process is killed, and not gone yet")
    }

    /// Waits for the end of the process, or for what is to end it: then tells it so, and gives it a grace.
    async fn last(&self, stopped: impl Future<Output = Outcome>) -> io::Result<Option<Outcome>> {
        let forced = tokio::select! {
            ready = self.ended.readable() => return ready.map(|_| None),
            () = limit(self.timeout) => Outcome::TimedOut,
            outcome = stopped => outcome,
        };
        self.terminate().await;
        if let Ok(ready) = tokio::time::timeout(self.kill_after, self.ended.readable()).await {
            drop(ready?);
        }
        Ok(Some(forced))
    }

    async fn terminate(&self) {
        match &self.group {
            Some(group) => group.terminate().await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A pipe that takes no more: whoever writes to it waits. Its reader is to be kept.
    fn full_pipe() -> (io::PipeReader, File) {
        let (reader, writer) = io::pipe().unwrap();
        let mut writer = File::from(OwnedFd::from(writer));
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        for size in [4096, 1] {
            while writer.write(&vec![0; size]).is_ok() {}
        }
        rustix::io::ioctl_fionbio(&writer, false).unwrap();
        (reader, writer)
    }

    #[tokio::test]
    async fn a_process_that_the_kernel_can_not_end_holds_nobody_up() {
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        let launch = Launch {
            program: "/bin/sleep".into(),
            argv: vec![b"sleep".to_vec(), b"86416".to_vec()],
            environment: Vec::new(),
            stdio: [null(), null(), null()],
            handed: Vec::new(),
            manner: Manner::default(),
            cgroup: None,
        };
        let (child, _ended) = start(launch, None).await.unwrap();
        // A process that never ends, as far as anybody can see.
        let (never, _writer) = io::pipe().unwrap();
        let job = Job {
            id: JobId::draw().unwrap(),
            child,
            ended: sys::watch(never.into(), Interest::READABLE).unwrap(),
            started: Instant::now(),
            timeout: None,
            kill_after: Duration::ZERO,
            group: None,
            _secrets: Vec::new(),
        };
        tokio::time::pause();
        let ended = job.finish(std::future::ready(Outcome::Cancelled), std::future::ready(())).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_held_up_before_it_is_its_program_is_ended_and_was_not_started() {
        let (_reader, full) = full_pipe();
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        let launch = Launch {
            program: "/bin/true".into(),
            argv: vec![b"true".to_vec()],
            environment: Vec::new(),
            stdio: [null(), null(), null()],
            handed: Vec::new(),
            manner: Manner::default(),
            cgroup: Some(full),
        };
        let error = start(launch, None).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
    }
}
