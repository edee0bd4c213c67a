//! Descriptors that systemd holds for the next broker (`FDSTORE=1` of `sd_notify(3)`): what there is to read of runs that outlive
//! this one. Reads none of them.

use crate::execution::{JobId, Streams, Tail};
use sd_notify::NotifyState;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// What the names of these descriptors begin with.
pub const PREFIX: &str = "job-";

/// The descriptors of one run, by the ends of their names.
const PARTS: [&str; 3] = ["stdout", "stderr", "tail"];

/// systemd is not to let go of a pipe whose writers have gone: it may still hold something.
const KEEP: &str = "FDPOLL=0";

/// What an earlier broker has left there.
#[derive(Debug, Default)]
pub struct Store {
    left: Mutex<HashMap<String, OwnedFd>>,
}

impl Store {
    /// What systemd passed of it, by name.
    #[must_use]
    pub fn of(passed: impl IntoIterator<Item = (String, OwnedFd)>) -> Self {
        Self { left: Mutex::new(passed.into_iter().collect()) }
    }

    /// Has systemd hold what there is to read of a run.
    ///
    /// # Errors
    /// Those of telling systemd so.
    pub(super) fn put(id: &JobId, streams: &Streams, tail: &Tail) -> io::Result<()> {
        let all: [BorrowedFd<'_>; 3] = [streams.stdout.as_fd(), streams.stderr.as_fd(), tail.as_fd()];
        for (part, descriptor) in PARTS.iter().zip(all) {
            let name = name(id, part);
            let states = [NotifyState::FdStore, NotifyState::FdName(&name), NotifyState::Custom(KEEP)];
            sd_notify::notify_with_fds(&states, &[descriptor])?;
        }
        Ok(())
    }

    /// What an earlier broker has left of a run.
    pub(super) fn take(&self, id: &JobId) -> Option<(Streams, Tail)> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let [stdout, stderr, tail] = PARTS.map(|part| left.remove(&name(id, part)));
        Some((Streams { stdout: stdout?, stderr: stderr? }, Tail::from_descriptor(tail?).ok()?))
    }

    /// Has systemd let go of a run's descriptors.
    pub(super) fn forget(id: &JobId) {
        for part in PARTS {
            let_go(&name(id, part));
        }
    }

    /// Has systemd let go of what nobody has taken.
    pub(super) fn forget_the_rest(&self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for name in left.into_keys() {
            let_go(&name);
        }
    }
}

fn name(id: &JobId, part: &str) -> String {
    format!("{PREFIX}{id}-{part}")
}

fn let_go(name: &str) {
    if let Err(error) = sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]) {
        tracing::warn!("systemd still holds {name}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_of_a_run_is_taken_once_and_only_whole() {
        let id = JobId::draw().unwrap();
        let (streams, _ends) = Streams::make(0).unwrap();
        let tail = Tail::new(0).unwrap();
        let whole = [streams.stdout.as_fd(), streams.stderr.as_fd(), tail.as_fd()];
        let passed =
            PARTS.iter().zip(whole).map(|(part, fd)| (name(&id, part), fd.try_clone_to_owned().unwrap()));
        let store = Store::of(passed);
        assert!(store.take(&JobId::draw().unwrap()).is_none());
        assert!(store.take(&id).is_some());
        assert!(store.take(&id).is_none());
        let torn = Store::of([(name(&id, "tail"), tail.as_fd().try_clone_to_owned().unwrap())]);
        assert!(torn.take(&id).is_none());
    }
}
