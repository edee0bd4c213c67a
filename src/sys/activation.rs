//! The sockets that systemd passed (`sd_listen_fds(3)`). Takes them once, by name, and only those meant for this process.

use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// A descriptor that systemd passed, and its `FileDescriptorName=`.
#[derive(Debug)]
pub struct Passed {
    /// The name.
    pub name: String,
    /// The descriptor, close-on-exec.
    pub fd: OwnedFd,
}

/// Why no descriptor was taken.
#[derive(Debug)]
pub enum NotPassed {
    /// The environment does not say that sockets were passed to this very process.
    NotForUs(String),
    /// The environment says so, and is wrong.
    Malformed(io::Error),
}

impl fmt::Display for NotPassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForUs(why) => {
                write!(f, "{why}: this program takes its sockets from systemd; start its .socket unit")
            }
            Self::Malformed(error) => write!(f, "LISTEN_FDS or LISTEN_FDNAMES is malformed: {error}"),
        }
    }
}

impl std::error::Error for NotPassed {}

/// Takes every descriptor that was passed to this process, and removes the variables that told of them.
///
/// `environment` gives a variable of the process's environment.
///
/// # Errors
/// [`NotPassed`] where nothing was passed to this process (`LISTEN_PID` missing or another's), or the variables are malformed.
///
/// # Safety
/// The caller is the only thread of the process, and calls this at most once.
pub unsafe fn take_passed_sockets(
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Passed>, NotPassed> {
    let pid =
        environment("LISTEN_PID").ok_or_else(|| NotPassed::NotForUs("LISTEN_PID is not set".to_owned()))?;
    if pid != std::process::id().to_string() {
        return Err(NotPassed::NotForUs(format!("LISTEN_PID is {}, not this process", pid.escape_debug())));
    }
    // SAFETY: single-threaded, as this function demands of its caller.
    let named = unsafe { sd_notify::listen_fds_with_names_and_unset_env() }.map_err(NotPassed::Malformed)?;
    // SAFETY: systemd made these descriptors for this process (LISTEN_PID is ours), sd-notify has seen each open, and
    // the variables are gone, so nobody takes them a second time.
    Ok(named.map(|(fd, name)| Passed { name, fd: unsafe { OwnedFd::from_raw_fd(fd) } }).collect())
}
