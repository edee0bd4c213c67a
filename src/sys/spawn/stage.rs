//! The new process's descriptors: the three streams, what the program is handed, and none of ours beside.

use super::Launch;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The first number after the three streams.
const FIRST: i32 = 3;

/// What the new process needs of descriptors, all numbered so high that none is in another's way.
pub(super) struct Stage {
    stdio: [OwnedFd; 3],
    handed: Vec<OwnedFd>,
    pub(super) line: OwnedFd,
}

impl Stage {
    pub(super) fn set(launch: &Launch, line: &OwnedFd) -> io::Result<Self> {
        // Above every number that the program's own descriptors will have, so that none is overwritten before its turn.
        let above = i32::try_from(launch.handed.len()).unwrap_or(i32::MAX).saturating_add(FIRST);
        let aside = |descriptor: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, above);
        let [stdin, stdout, stderr] = &launch.stdio;
        Ok(Self {
            stdio: [aside(stdin)?, aside(stdout)?, aside(stderr)?],
            handed: launch.handed.iter().map(aside).collect::<Result<_, _>>()?,
            line: aside(line)?,
        })
    }

    /// In the new process: gives each descriptor its number, and closes all others but the line.
    pub(super) fn enter(&self) -> io::Result<()> {
        let [stdin, stdout, stderr] = &self.stdio;
        rustix::stdio::dup2_stdin(stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        close_all_but(&self.line, hand_over(&self.handed)?)
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

/// Closes every descriptor from this number on but this one, which closes itself when the program begins.
fn close_all_but(kept: &OwnedFd, first: u32) -> io::Result<()> {
    let kept = kept.as_raw_fd().unsigned_abs();
    for (first, last) in [(first, kept - 1), (kept + 1, u32::MAX)] {
        // SAFETY: closes descriptors whose owners live in the process that this one is a copy of, and are not used here.
        let status = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
