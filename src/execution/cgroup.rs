//! One cgroup for each job, below the broker's own, so that whatever a job starts can be found and ended. Touches no
//! cgroup that systemd did not delegate.

use super::JobId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The mark that systemd puts on a cgroup with `Delegate=yes` (systemd's
/// `CGROUP_DELEGATION.md`; the second since 251).
const MARKS: [&str; 2] = ["trusted.delegate", "user.delegate"];

/// How long the kernel may take to empty a killed cgroup.
const EMPTYING: Duration = Duration::from_secs(5);

/// This process's own cgroup, delegated to it.
#[derive(Clone, Debug)]
pub struct Delegation {
    path: PathBuf,
}

impl Delegation {
    /// The cgroup of this process, where systemd delegated it; `None` elsewhere: jobs are process groups then.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        let path = mount_point()?.join(own_path()?);
        is_delegated(&path).then_some(Self { path })
    }

    /// Makes the cgroup of one job.
    ///
    /// # Errors
    /// Those of `mkdir(2)`.
    pub fn job(&self, id: &JobId) -> io::Result<JobGroup> {
        let path = self.path.join(format!("job-{id}"));
        fs::create_dir(&path)?;
        Ok(JobGroup { path })
    }
}

fn is_delegated(path: &Path) -> bool {
    MARKS.iter().any(|mark| {
        let mut value = [0_u8; 8];
        rustix::fs::getxattr(path, *mark, &mut value[..])
            .is_ok_and(|octets| value.get(..octets) == Some(b"1"))
    })
}

/// Where cgroup version 2 is mounted (proc(5), mountinfo: the fields after ` - ` are type, source, options).
fn mount_point() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// The path of this process's cgroup below the mount point (cgroups(7): the line of hierarchy 0).
fn own_path() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// The cgroup of one job. Dropped without [`JobGroup::remove`], it stays until the broker's unit ends.
#[derive(Debug)]
pub struct JobGroup {
    path: PathBuf,
}

impl JobGroup {
    /// The file that a process enters the cgroup by.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn procs(&self) -> io::Result<File> {
        File::options().write(true).open(self.path.join("cgroup.procs"))
    }

    /// Sends a signal to every process of the job. A process that has gone, or that comes meanwhile, is passed over.
    pub fn signal(&self, signal: Signal) {
        let opened: Vec<_> = self
            .members()
            .into_iter()
            .filter_map(|pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?)))
            .collect();
        // Listed again after it was opened: the descriptor is the member's, and not of a later process with its id.
        let still = self.members();
        for (_, process) in opened.iter().filter(|(pid, _)| still.contains(pid)) {
            if let Err(error) = pidfd_send_signal(process, signal) {
                tracing::debug!("a process of {} ended before its signal: {error}", self.path.display());
            }
        }
    }

    fn members(&self) -> HashSet<Pid> {
        let text = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    }

    /// Ends every process of the job at once (`cgroup.kill`, Linux 5.14).
    pub fn kill(&self) {
        if fs::write(self.path.join("cgroup.kill"), "1").is_err() {
            self.signal(Signal::KILL);
        }
    }

    /// Removes the cgroup as soon as it is empty.
    pub async fn remove(self) {
        let mut pause = Duration::from_millis(1);
        while let Err(error) = fs::remove_dir(&self.path) {
            if pause > EMPTYING {
                tracing::error!("{}: {error}", self.path.display());
                return;
            }
            self.kill();
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, Kind, Memory, Trail};
    use crate::execution::{Plan, Surroundings, launch};
    use crate::sys::Manner;

    #[tokio::test]
    async fn a_job_that_can_not_enter_its_cgroup_leaves_none_behind() {
        // A common directory in the place of a cgroup: nothing in it can be entered.
        let path = std::env::temp_dir().join(format!("udsadmin-cgroup-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let plan = Plan {
            job: JobId::draw().unwrap(),
            program: "/bin/true".into(),
            argv: vec![b"true".to_vec()],
            environment: Vec::new(),
            handed: Vec::new(),
            secrets: Vec::new(),
            input: None,
            manner: Manner::default(),
            names_more_than_the_user: false,
            timeout: None,
        };
        let null = || File::options().read(true).write(true).open("/dev/null").unwrap().into();
        let delegation = Some(Delegation { path: path.clone() });
        let surroundings = Surroundings { delegation, descriptors: (64, 64) };
        let trail = Trail::Memory(Memory::default());
        let recorded = trail.record(&Event::new(Kind::Started, "x")).await.unwrap();
        let launched = launch(plan, [null(), null(), null()], &surroundings, recorded).await;
        assert_eq!(launched.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        fs::remove_dir(&path).unwrap();
    }
}
