//! The pipes of a job's output: made here, read by whoever holds their other ends. Has no octet of them in its hands.

use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;

/// The ends that are read, of standard output and standard error. Reading them does not block.
#[derive(Debug)]
pub struct Streams {
    /// Of standard output.
    pub stdout: OwnedFd,
    /// Of standard error.
    pub stderr: OwnedFd,
}

/// The ends that the job writes, in the same order. Writing them blocks, as programs expect.
pub type JobEnds = [OwnedFd; 2];

impl Streams {
    /// Two new pipes. Whoever the job runs as owns them, so that it can open its own `/dev/stdout`; without the privilege to
    /// give them away, they stay ours.
    ///
    /// # Errors
    /// Those of `pipe(2)`.
    pub fn make(owner: u32) -> io::Result<(Self, JobEnds)> {
        let ((stdout, stdout_end), (stderr, stderr_end)) = (pipe(owner)?, pipe(owner)?);
        Ok((Self { stdout, stderr }, [stdout_end, stderr_end]))
    }

    /// Waits until nobody can write to either any more. What was written may still be there to read.
    pub async fn hung_up(&self) {
        for end in [&self.stdout, &self.stderr] {
            if let Err(error) = hung_up(end).await {
                tracing::warn!("whether a pipe is still written to can't be told: {error}");
            }
        }
    }
}

fn pipe(owner: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = io::pipe()?;
    let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
    rustix::io::ioctl_fionbio(&ours, true)?;
    let owner = nix::unistd::Uid::from_raw(owner);
    if rustix::process::geteuid().is_root() && !owner.is_root() {
        nix::unistd::fchown(&theirs, Some(owner), None)?;
    }
    Ok((ours, theirs))
}

async fn hung_up(end: &OwnedFd) -> io::Result<()> {
    // A number of its own: the event loop takes each only once.
    let watched = sys::watch(end.try_clone()?, Interest::READABLE)?;
    while !is_hung_up(watched.as_fd())? {
        watched.readable().await?.clear_ready();
    }
    Ok(())
}

fn is_hung_up(end: BorrowedFd<'_>) -> io::Result<bool> {
    let mut polled = [PollFd::new(&end, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default()))?;
    Ok(polled.iter().any(|state| state.revents().contains(PollFlags::HUP)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    #[tokio::test]
    async fn a_pipe_hangs_up_with_its_last_writer_whatever_is_unread() {
        let (streams, [stdout, stderr]) = Streams::make(0).unwrap();
        let mut grandchild = File::from(stdout.try_clone().unwrap());
        drop((stdout, stderr));
        grandchild.write_all(b"unread").unwrap();
        assert!(!is_hung_up(streams.stdout.as_fd()).unwrap());
        let waiting = streams.hung_up();
        drop(grandchild);
        waiting.await;
        assert!(is_hung_up(streams.stderr.as_fd()).unwrap());
    }
}
