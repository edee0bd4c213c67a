//! The new process's descriptors: the three streams, what the program is handed, and none of ours beside.

use super::Launch;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The first number after the three streams.
const FIRST: i32 = 3;

/// What the new process needs of descriptors, all numbered so high that none is in another's way.
pub(super) struct Stage {
    stdio: [OwnedFd; 3],
    handed: Vec<OwnedFd>,
    pub(super) line: OwnedFd,
    /// All of these, and the way into the cgroup: in order of their numbers.
    needed: Vec<u32>,
}

impl Stage {
    pub(super) fn set(launch: &Launch, line: &OwnedFd) -> io::Result<Self> {
        // Above every number that the program's own descriptors will have, so that none is overwritten before its turn.
        let above = i32::try_from(launch.handed.len()).unwrap_or(i32::MAX).saturating_add(FIRST);
        let aside = |descriptor: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, above);
        let [stdin, stdout, stderr] = &launch.stdio;
        let streams = [aside(stdin)?, aside(stdout)?, aside(stderr)?];
        let handed = launch.handed.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
        let line = aside(line)?;
        let ours = streams.iter().chain(&handed).chain([&line]).map(AsFd::as_fd);
        let needed = ours.chain(launch.cgroup.as_ref().map(AsFd::as_fd));
        let mut needed: Vec<u32> = needed.map(number).collect();
        needed.sort_unstable();
        Ok(Self { stdio: streams, handed, line, needed })
    }

    /// In the new process: closes whatever it has no need of. Its copy of our own end of the line is among that, and of the lines
    /// of others, and of sessions: none of them outlives us, though it waits.
    pub(super) fn forget_the_rest(&self) -> io::Result<()> {
        close_all_but(&self.needed, FIRST.unsigned_abs())
    }

    /// In the new process: gives each descriptor its number, and closes all others but the line.
    pub(super) fn enter(&self) -> io::Result<()> {
        let [stdin, stdout, stderr] = &self.stdio;
        rustix::stdio::dup2_stdin(stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        close_all_but(&[number(self.line.as_fd())], hand_over(&self.handed)?)
    }
}

/// Gives what the program is handed its numbers, from 3 on. Tells the first number after them.
fn hand_over(handed: &[OwnedFd]) -> io::Result<u32> {
    let mut number = FIRST;
    for descriptor in handed {
        // SAFETY: a system call on numbers; what has the new number is closed, and its owner is in the process that this
        // one is a copy of, and is not used here.
        if unsafe { libc::dup2(descriptor.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
        number += 1;
    }
    Ok(number.unsigned_abs())
}

/// Closes every descriptor from this number on but these, which are in order. The line closes itself when the program begins.
fn close_all_but(kept: &[u32], first: u32) -> io::Result<()> {
    let mut next = first;
    for kept in kept.iter().filter(|kept| **kept >= first) {
        close_range(next, kept.saturating_sub(1))?;
        next = kept.saturating_add(1);
    }
    close_range(next, u32::MAX)
}

/// Closes these descriptors, if there are any between them.
fn close_range(first: u32, last: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: closes descriptors whose owners live in the process that this one is a copy of, and are not used here.
    let status = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().unsigned_abs()
}
