//! One cgroup for each job, below the broker's own, so that whatever a job starts can be found, limited and ended. Touches no
//! cgroup that systemd did not delegate.

use super::JobId;
use super::bounds::{self, Lacking};
use crate::policy::Ceilings;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// The mark that systemd puts on a cgroup with `Delegate=yes` (systemd's
/// `CGROUP_DELEGATION.md`; the second since 251).
const MARKS: [&str; 2] = ["trusted.delegate", "user.delegate"];

/// The broker's own place below the delegated cgroup: processes stand in leaves alone where controllers are handed on
/// (cgroups(7), "no internal processes").
const LEAF: &str = "broker";

/// What jobs are limited by.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// How long the kernel may take to empty a killed cgroup before the end of its job is told all the same.
const EMPTYING: Duration = Duration::from_secs(5);

/// The longest pause between two looks at whether a cgroup is empty.
const PAUSE_MAX: Duration = Duration::from_millis(256);

/// Processes that are sent a signal at once: each takes a descriptor of the broker's meanwhile.
const AT_ONCE: usize = 256;

/// The cgroup that was delegated to this process.
#[derive(Clone, Debug)]
pub struct Delegation {
    path: PathBuf,
}

impl Delegation {
    /// The cgroup of this process, where systemd delegated it; `None` elsewhere: jobs are process groups then. This process
    /// moves to a leaf of its own below it, so that the limits of jobs can be set.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        let own = mount_point()?.join(own_path()?);
        let above = own.parent().filter(|above| own.ends_with(LEAF) && is_delegated(above));
        if let Some(path) = above {
            return Some(Self::settled(path.to_owned()));
        }
        if !is_delegated(&own) {
            return None;
        }
        if let Err(error) = enter(&own.join(LEAF)) {
            tracing::warn!("{}: no leaf for the broker itself: {error}", own.display());
        }
        Some(Self::settled(own))
    }

    /// With all controllers handed on to jobs that are offered.
    fn settled(path: PathBuf) -> Self {
        let offered = fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
        for name in offered.split_ascii_whitespace().filter(|name| CONTROLLERS.contains(name)) {
            if let Err(error) = fs::write(path.join("cgroup.subtree_control"), format!("+{name}")) {
                tracing::warn!("{}: {name} can't be handed on to jobs: {error}", path.display());
            }
        }
        Self { path }
    }

    /// Makes the cgroup of one job, and sets its limits; gives those that can't be set, too.
    ///
    /// # Errors
    /// Those of `mkdir(2)`.
    pub(super) fn job(&self, id: &JobId, ceilings: &Ceilings) -> io::Result<(JobGroup, Vec<Lacking>)> {
        let path = self.path.join(format!("job-{id}"));
        fs::create_dir(&path)?;
        let lacking = bounds::set(&path, ceilings);
        Ok((JobGroup { path: Some(path) }, lacking))
    }

    /// Which of the limits can't be set here.
    pub(super) fn lacking(&self, ceilings: &Ceilings) -> Vec<Lacking> {
        let handed_on = fs::read_to_string(self.path.join("cgroup.subtree_control")).unwrap_or_default();
        bounds::lacking_without(&handed_on, ceilings)
    }
}

/// Moves this process into a cgroup, which is made if it is not there.
fn enter(leaf: &Path) -> io::Result<()> {
    match fs::create_dir(leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => fs::write(leaf.join("cgroup.procs"), "0"),
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

/// The controllers that the machine has for the units of systemd.
pub(super) fn offered() -> String {
    let file = mount_point().map(|root| root.join("cgroup.controllers"));
    file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default()
}

/// The path of this process's cgroup below the mount point (cgroups(7): the line of hierarchy 0).
fn own_path() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// The cgroup of one job. Dropped while nothing runs in it, it is removed.
#[derive(Debug)]
pub(super) struct JobGroup {
    /// `None` once it is somebody else's to remove.
    path: Option<PathBuf>,
}

impl JobGroup {
    /// The file that a process enters the cgroup by.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub(super) fn procs(&self) -> io::Result<File> {
        File::options().write(true).open(self.path().join("cgroup.procs"))
    }

    fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Tells every process of the job to end. A process that has gone, or that comes meanwhile, is passed over.
    pub(super) async fn terminate(&self) {
        let path = self.path().to_owned();
        if let Err(error) = spawn_blocking(move || signal(&path, Signal::TERM)).await {
            tracing::error!("{}: nothing was told to end: {error}", self.path().display());
        }
    }

    /// Ends every process of the job at once.
    pub(super) fn kill(&self) {
        kill(self.path());
    }

    /// Whether the kernel ended a process of the job for want of memory (cgroup-v2.rst, `memory.events`).
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path().join("memory.events")).unwrap_or_default();
        let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        killed.is_some_and(|count| count != "0")
    }

    /// Removes the cgroup as soon as it is empty. What the kernel can't end yet holds nobody up for long; its cgroup is removed
    /// later.
    pub(super) async fn remove(mut self) {
        let Some(path) = self.path.take() else { return };
        if tokio::time::timeout(EMPTYING, remove(path.clone())).await.is_err() {
            tracing::warn!("{}: its processes are killed, and not gone yet", path.display());
            drop(tokio::spawn(remove(path)));
        }
    }
}

impl Drop for JobGroup {
    fn drop(&mut self) {
        let Some(path) = &self.path else { return };
        if let Err(error) = fs::remove_dir(path) {
            tracing::warn!("{}: {error}", path.display());
        }
    }
}

/// `cgroup.kill` ends those below as well, and those that are just being forked (Linux 5.14); without it, one by one.
fn kill(path: &Path) {
    if write_to_existing(&path.join("cgroup.kill"), "1").is_err() {
        signal(path, Signal::KILL);
    }
}

fn write_to_existing(file: &Path, text: &str) -> io::Result<()> {
    io::Write::write_all(&mut File::options().write(true).open(file)?, text.as_bytes())
}

/// Sends a signal to every process in a cgroup and below it. Blocks as long as there are processes to tell.
fn signal(path: &Path, signal: Signal) {
    for cgroup in with_those_below(path) {
        let members: Vec<_> = members(&cgroup).into_iter().collect();
        members.chunks(AT_ONCE).for_each(|some| signal_some(&cgroup, some, signal));
    }
}

fn signal_some(cgroup: &Path, some: &[Pid], signal: Signal) {
    let opened: Vec<_> =
        some.iter().filter_map(|pid| Some((pid, pidfd_open(*pid, PidfdFlags::empty()).ok()?))).collect();
    // Listed again after it was opened: the descriptor is the member's, and not of a later process with its id.
    let still = members(cgroup);
    for (_, process) in opened.iter().filter(|(pid, _)| still.contains(pid)) {
        if let Err(error) = pidfd_send_signal(process, signal) {
            tracing::debug!("a process of {} ended before its signal: {error}", cgroup.display());
        }
    }
}

fn members(cgroup: &Path) -> HashSet<Pid> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

/// A cgroup, and those that a job of root has made below it; the deepest last.
fn with_those_below(path: &Path) -> Vec<PathBuf> {
    let (mut found, mut next) = (Vec::new(), vec![path.to_owned()]);
    while let Some(cgroup) = next.pop() {
        let entries = fs::read_dir(&cgroup).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        next.extend(folders.map(|entry| entry.path()));
        found.push(cgroup);
    }
    found
}

/// Ends whatever is in a cgroup, and removes it with those below it.
async fn remove(path: PathBuf) {
    let mut pause = Duration::from_millis(1);
    while let Err(error) = with_those_below(&path).iter().rev().try_for_each(fs::remove_dir) {
        if error.kind() == io::ErrorKind::NotFound && !path.exists() {
            return;
        }
        kill(&path);
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

#[cfg(test)]
mod tests;
