//! Descriptors on the event loop. Only owned ones: their number can't become another file's while it is watched.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor that does not block, for what `interest` names.
///
/// # Errors
/// Those of `epoll_ctl(2)`.
pub fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps one number, open, for as long as it lives; the AsyncFd owns it and deregisters it first.
    unsafe { AsyncFd::register_with_interest(descriptor, interest) }.map_err(Into::into)
}
