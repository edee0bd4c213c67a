//! What a new process has from the one that it is a copy of, and is rid of: signals, keys, priorities. Allocates nothing.

use super::step::{At, NotStarted, Step};
use super::{Limit, Manner, called};
use crate::policy::Resource;
use nix::sys::signal::SigSet;
use std::ffi::{c_char, c_int};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Signals of the kernel (`_NSIG`, asm/signal.h).
const SIGNALS: i32 = 64;

/// A new session keyring, empty: who has the old one may read root's keys in it, whatever user it runs as (session-keyring(7)).
/// A kernel or a container without keys has none to keep (`ENOSYS`, `EPERM`).
pub(super) fn leave_session_keyring() -> io::Result<()> {
    /// `KEYCTL_JOIN_SESSION_KEYRING` (linux/keyctl.h).
    const JOIN: libc::c_long = 1;
    // SAFETY: no name is given, so the kernel reads and writes no memory of ours.
    let status = unsafe { libc::syscall(libc::SYS_keyctl, JOIN, std::ptr::null::<c_char>()) };
    unless(called(status), &[libc::ENOSYS, libc::EPERM])
}

/// No signal blocked, and every one back to its default, the two that the C library keeps to itself included: whoever
/// started this process may have ignored those too. KILL and STOP refuse, and that is right.
pub(super) fn reset_signals() -> io::Result<()> {
    /// Octets of the kernel's signal set (`_NSIG / 8`, asm/signal.h).
    const SET: usize = 8;
    let default = [0_u64; 8];
    for signal in 1..=SIGNALS {
        // SAFETY: the kernel reads a `struct sigaction` of its own layout, at most 32 octets with an 8-octet set: zeroes
        // mean SIG_DFL, no flags, no mask. It writes nothing back.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), SET)
        };
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

/// An OOM score of nothing. What the server's own is protected by is not for its jobs; one that may not be lowered stays, and
/// so does what a machine without proc(5) has.
pub(super) fn reset_oom_score() -> io::Result<()> {
    let path = c"/proc/self/oom_score_adj";
    // SAFETY: a NUL-terminated path; no memory is written.
    let opened = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if opened < 0 {
        return unless(called(opened.into()), &[libc::ENOENT, libc::EACCES]);
    }
    // SAFETY: just opened, and owned by nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(opened) };
    unless(rustix::io::write(&file, b"0").map_err(Into::into), &[libc::EACCES])
}

/// What the policy says, or what everyone has. What nobody asked for may fail: less of the processor confines no less.
pub(super) fn prioritise(manner: &Manner) -> Result<(), NotStarted> {
    match manner.nice {
        Some(nice) => set_nice(nice).at(Step::Nice)?,
        None => unless(set_nice(0), &[libc::EACCES, libc::EPERM]).at(Step::Nice)?,
    }
    match manner.io {
        Some(priority) => set_io(priority).at(Step::Io),
        None => unless(set_io(0), &[libc::ENOSYS]).at(Step::Io),
    }
}

fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: numbers, no memory.
    called(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }.into()).map(drop)
}

/// `ioprio_set(2)` of this process.
fn set_io(priority: u16) -> io::Result<()> {
    /// `IOPRIO_WHO_PROCESS` (linux/ioprio.h).
    const PROCESS: c_int = 1;
    // SAFETY: numbers, no memory.
    let status = unsafe { libc::syscall(libc::SYS_ioprio_set, PROCESS, 0, c_int::from(priority)) };
    called(status).map(drop)
}

/// Sets each limit. None is cut to what may be had.
pub(super) fn limit(limits: &[Limit]) -> Result<(), NotStarted> {
    for limit in limits {
        let bounds = libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard };
        // SAFETY: the kernel reads one `struct rlimit` during the call.
        let status = unsafe { libc::setrlimit(number(limit.resource), &raw const bounds) };
        called(status.into()).at(Step::Limit(limit.resource))?;
    }
    Ok(())
}

const fn number(resource: Resource) -> libc::__rlimit_resource_t {
    match resource {
        Resource::As => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::Fsize => libc::RLIMIT_FSIZE,
        Resource::Memlock => libc::RLIMIT_MEMLOCK,
        Resource::Msgqueue => libc::RLIMIT_MSGQUEUE,
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Rtprio => libc::RLIMIT_RTPRIO,
        Resource::Sigpending => libc::RLIMIT_SIGPENDING,
        Resource::Stack => libc::RLIMIT_STACK,
    }
}

/// The result, but for these errors.
fn unless<T>(result: io::Result<T>, harmless: &[i32]) -> io::Result<()> {
    match result {
        Err(error) if !error.raw_os_error().is_some_and(|errno| harmless.contains(&errno)) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
