//! The sockets that systemd passed (`sd_listen_fds(3)`). Takes them once, by name, and only those meant for this process.

use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// `SD_LISTEN_FDS_START` (`sd_listen_fds(3)`).
const FIRST: RawFd = 3;

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
/// [`NotPassed`] where nothing was passed to this process (`LISTEN_PID` missing or another's), the variables are malformed,
/// or this is not the time for it: a second call, or one beside other threads.
pub fn take_passed_sockets(environment: impl Fn(&str) -> Option<String>) -> Result<Vec<Passed>, NotPassed> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let pid =
        environment("LISTEN_PID").ok_or_else(|| NotPassed::NotForUs("LISTEN_PID is not set".to_owned()))?;
    if pid != std::process::id().to_string() {
        return Err(NotPassed::NotForUs(format!("LISTEN_PID is {}, not this process", pid.escape_debug())));
    }
    if TAKEN.swap(true, Ordering::SeqCst) || threads().map_err(NotPassed::Malformed)? != 1 {
        return Err(NotPassed::NotForUs("sockets are taken once, and before any thread".to_owned()));
    }
    let count = environment("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
    inherited(count).map_err(NotPassed::Malformed)?;
    // SAFETY: the kernel has just told that this thread is the only one, so nobody reads the environment meanwhile.
    let named = unsafe { sd_notify::listen_fds_with_names_and_unset_env() }.map_err(NotPassed::Malformed)?;
    if named.len() != count {
        return Err(NotPassed::Malformed(io::ErrorKind::InvalidInput.into()));
    }
    // SAFETY: each descriptor was open when this program began (`inherited`), so no code of ours owns it; and this line is
    // reached once, so nobody takes them a second time.
    Ok(named.map(|(fd, name)| Passed { name, fd: unsafe { OwnedFd::from_raw_fd(fd) } }).collect())
}

/// The threads of this process (proc(5)).
fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Whether so many descriptors from 3 on came with the process: those outlived execve(2), so they are not close-on-exec,
/// as every one is that this program opens.
fn inherited(count: usize) -> io::Result<()> {
    for raw in (FIRST..).take(count) {
        // SAFETY: F_GETFD takes any number, and touches no memory.
        let flags = unsafe { libc::fcntl(raw, libc::F_GETFD) };
        if flags < 0 {
            return Err(io::Error::last_os_error());
        }
        if flags & libc::FD_CLOEXEC != 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("descriptor {raw} was not passed"),
            ));
        }
    }
    Ok(())
}
