//! A lease on a file (fcntl(2)), as a server that means to hold the broker up would take it. Only tests take one.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Takes a lease for writing: whoever opens the file waits until it is given up, or the kernel's time for that is over. This
/// process is told nothing of it.
///
/// # Errors
/// Those of `F_SETLEASE` and `F_SETOWN`.
pub fn take_lease(file: impl AsFd) -> io::Result<()> {
    let number = file.as_fd().as_raw_fd();
    for (command, argument) in [(libc::F_SETLEASE, libc::F_WRLCK), (libc::F_SETOWN, 0)] {
        // SAFETY: both commands take a number, and touch no memory of ours.
        if unsafe { libc::fcntl(number, command, argument) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
