//! Starts one program with exactly what it was given. Chooses nothing: no shell, no path search, no inherited descriptor.

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::sys::stat::{Mode, umask};
use nix::unistd;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
};
use std::ffi::{CString, OsString, c_char};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Signals of the kernel (`_NSIG`, asm/signal.h).
const SIGNALS: i32 = 64;

/// The ids that the program gets, all three of each kind (`setresuid(2)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Everything that a program starts with.
#[derive(Debug)]
pub struct Launch {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments, the program's own name first.
    pub argv: Vec<Vec<u8>>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Descriptors 0, 1 and 2.
    pub stdio: [OwnedFd; 3],
    /// Descriptors from 3 on, in this order. Every other one is closed.
    pub handed: Vec<OwnedFd>,
    /// The ids to take; `None` keeps the ones of this process.
    pub credentials: Option<Credentials>,
    /// The working directory, entered with the new ids.
    pub directory: CString,
    /// File mode creation mask.
    pub umask: u32,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privileges: bool,
    /// Soft and hard limit of open descriptors.
    pub descriptors: (u64, u64),
    /// The `cgroup.procs` file to move into.
    pub cgroup: Option<File>,
}

/// A started process, leader of a session of its own.
#[derive(Debug)]
pub struct Child {
    /// Its id, and that of its process group.
    pub pid: Pid,
    /// The process itself: readable when it has ended.
    pub pidfd: OwnedFd,
}

/// What `execve(2)` takes, laid out before the fork.
struct Image {
    program: CString,
    argv: Words,
    environment: Words,
}

/// Words, and the list of their addresses that ends with a null.
struct Words {
    addresses: Vec<*const c_char>,
    _words: Vec<CString>,
}

// SAFETY: the addresses are of heap memory that `_words` owns and nobody changes; a `Words` may be dropped and read anywhere.
unsafe impl Send for Words {}
// SAFETY: as above; there is no way to change it.
unsafe impl Sync for Words {}

impl Words {
    fn new(words: impl Iterator<Item = Vec<u8>>) -> io::Result<Self> {
        let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let addresses = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { addresses, _words: words })
    }
}

impl Image {
    fn of(launch: &Launch) -> io::Result<Self> {
        let assignment =
            |(name, value): &(OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
        Ok(Self {
            program: CString::new(launch.program.as_os_str().as_bytes())?,
            argv: Words::new(launch.argv.iter().cloned())?,
            environment: Words::new(launch.environment.iter().map(assignment))?,
        })
    }

    /// Becomes the program: the kernel's own call, since `execvp(3)` hands to a shell what is no program. Returns only why not.
    fn execute(&self) -> io::Error {
        let (argv, environment) = (self.argv.addresses.as_ptr(), self.environment.addresses.as_ptr());
        // SAFETY: all three are NUL-terminated text and null-terminated lists of it, alive in `self`.
        unsafe { libc::execve(self.program.as_ptr(), argv, environment) };
        io::Error::last_os_error()
    }
}

/// A process that waits to become the program. Dropped, it is ended, and the program never ran.
#[derive(Debug)]
pub struct Held {
    child: Option<Child>,
    line: OwnedFd,
}

impl Held {
    /// The process: readable when it has ended.
    ///
    /// # Errors
    /// There is none: it was released.
    pub fn pidfd(&self) -> io::Result<BorrowedFd<'_>> {
        let child = self.child.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(child.pidfd.as_fd())
    }

    /// Where [`verdict`] is to be asked as soon as it is readable.
    #[must_use]
    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Lets it become the program.
    ///
    /// # Errors
    /// It ended while it waited (`EPIPE`): the program never ran.
    pub fn release(mut self) -> io::Result<Child> {
        rustix::net::send(&self.line, &[0], SendFlags::NOSIGNAL)?;
        self.child.take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            child.end();
        }
    }
}

impl Child {
    /// Ends a process that is not to become its program, and waits for that: a process that was killed ends at once, even one
    /// that its user has stopped.
    pub fn end(&self) {
        let killed = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let reaped = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
        tracing::debug!("{:?} never became its program: {killed:?}, {reaped:?}", self.pid);
    }
}

/// Whether `execve(2)` has happened. To be asked when the line of the held process is readable, and before that is waited for.
///
/// # Errors
/// The error of the first step that failed, that of `execve(2)` included, or that it ended before (`EPIPE`): the program then
/// never ran.
pub fn verdict(line: BorrowedFd<'_>, process: Pid) -> io::Result<()> {
    let mut errno = [0; size_of::<i32>()];
    match rustix::io::read(line, &mut errno)? {
        0 if is_mere_fork(process) => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
    }
}

/// Whether a process, alive or not waited for yet, is a fork that has become no program since: the kernel's own note of it
/// (`PF_FORKNOEXEC`, linux/sched.h), among the flags in proc_pid_stat(5). One of which that can't be learnt counts as a program.
#[must_use]
pub fn is_mere_fork(process: Pid) -> bool {
    const FORK_NO_EXEC: u64 = 0x40;
    let stat = std::fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // After the name, which may hold anything: state, parent, group, session, terminal, its group, flags.
    let flags = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(6));
    flags.and_then(|flags| flags.parse().ok()).is_some_and(|flags: u64| flags & FORK_NO_EXEC != 0)
}

/// What the new process needs of descriptors, all numbered so high that none is in another's way.
struct Stage {
    stdio: [OwnedFd; 3],
    handed: Vec<OwnedFd>,
    line: OwnedFd,
    /// All of these, and the way into the cgroup: in order of their numbers.
    needed: Vec<u32>,
}

/// The first number after the three streams.
const FIRST: i32 = 3;

impl Stage {
    fn set(launch: &Launch, line: &OwnedFd) -> io::Result<Self> {
        // Above every number that the program's own descriptors will have, so that none is overwritten before its turn.
        let above = i32::try_from(launch.handed.len()).unwrap_or(i32::MAX).saturating_add(FIRST);
        let aside = |descriptor: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, above);
        let [stdin, stdout, stderr] = &launch.stdio;
        let stdio = [aside(stdin)?, aside(stdout)?, aside(stderr)?];
        let handed = launch.handed.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
        let line = aside(line)?;
        let ours = stdio.iter().chain(&handed).chain([&line]).map(AsFd::as_fd);
        let needed = ours.chain(launch.cgroup.as_ref().map(AsFd::as_fd));
        let mut needed: Vec<u32> = needed.map(number).collect();
        needed.sort_unstable();
        Ok(Self { stdio, handed, line, needed })
    }
}

/// Starts a process that waits to become the program: so that whatever could go wrong on our side goes wrong before it runs.
///
/// # Errors
/// Those of `fork(2)` and of descriptors: there is no process.
pub fn hold(launch: &Launch) -> io::Result<Held> {
    let image = Image::of(launch)?;
    let (line, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let stage = Stage::set(launch, &theirs)?;
    rustix::io::ioctl_fionbio(&line, true)?;
    // SAFETY: the child is a copy of a process that may have threads. `become_program` makes system calls alone: it
    // allocates nothing, takes no lock, reads only memory that was filled before the fork, and never returns.
    let forked = unsafe { libc::fork() };
    if forked < 0 {
        return Err(io::Error::last_os_error());
    }
    let Some(pid) = Pid::from_raw(forked) else { become_program(launch, &image, &stage) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Held { child: Some(Child { pid, pidfd }), line }),
        Err(error) => {
            // Not reaped yet, so the id is still its own.
            let killed = kill_process(pid, Signal::KILL);
            let reaped = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
            tracing::debug!("{pid:?} has no pidfd: {killed:?}, {reaped:?}");
            Err(error.into())
        }
    }
}

/// The new process's whole life until it is the program, or has told why it is not.
fn become_program(launch: &Launch, image: &Image, stage: &Stage) -> ! {
    let waited = close_all_but(&stage.needed, FIRST.unsigned_abs()).and_then(|()| released(&stage.line));
    let error = match waited.and_then(|()| enter(launch, stage)) {
        Ok(()) => image.execute(),
        Err(error) => error,
    };
    let errno = error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
    let told = rustix::io::write(&stage.line, &errno);
    // SAFETY: ends this process, and runs nothing of the one that it is a copy of.
    unsafe { libc::_exit(if told.is_ok() { 127 } else { 126 }) }
}

/// Waits for the word to go on. The end of the line is none: it comes with our own end, for whoever waits here has no copy of
/// the other end, nor of anything else of ours that others wait to see closed.
fn released(line: &OwnedFd) -> io::Result<()> {
    match rustix::io::read(line, &mut [0; 1])? {
        0 => Err(io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}

/// The child's own steps, in the one order that works. First all that is ours goes: from the moment that it has the user's
/// ids, that user may stop it, and a stopped process keeps what it holds. Cgroup and limits with the old ids, groups
/// before the group before the user, the working directory with the new ids.
fn enter(launch: &Launch, stage: &Stage) -> io::Result<()> {
    if let Some(mut procs) = launch.cgroup.as_ref() {
        procs.write_all(b"0")?;
    }
    let [stdin, stdout, stderr] = &stage.stdio;
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    let first_of_ours = hand_over(&stage.handed)?;
    close_all_but(&[number(stage.line.as_fd())], first_of_ours)?;
    reset_signals()?;
    unistd::setsid()?;
    leave_session_keyring()?;
    setrlimit(Resource::RLIMIT_NOFILE, launch.descriptors.0, launch.descriptors.1)?;
    if let Some(credentials) = &launch.credentials {
        take(credentials)?;
    }
    if launch.no_new_privileges {
        nix::sys::prctl::set_no_new_privs()?;
    }
    umask(Mode::from_bits_truncate(launch.umask));
    unistd::chdir(launch.directory.as_c_str())?;
    Ok(())
}

/// A new session keyring, empty: who has the old one may read root's keys in it, whatever user it runs as (session-keyring(7)).
/// A kernel or a container without keys has none to keep (`ENOSYS`, `EPERM`).
fn leave_session_keyring() -> io::Result<()> {
    /// `KEYCTL_JOIN_SESSION_KEYRING` (linux/keyctl.h).
    const JOIN: libc::c_long = 1;
    // SAFETY: no name is given, so the kernel reads and writes no memory of ours.
    let status = unsafe { libc::syscall(libc::SYS_keyctl, JOIN, std::ptr::null::<c_char>()) };
    let error = io::Error::last_os_error();
    let has_no_keys = matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM));
    if status >= 0 || has_no_keys { Ok(()) } else { Err(error) }
}

fn take(credentials: &Credentials) -> io::Result<()> {
    // SAFETY: a list of gid_t (u32) of that length, read by the kernel during the call.
    let status = unsafe { libc::setgroups(credentials.groups.len(), credentials.groups.as_ptr()) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    let gid = unistd::Gid::from_raw(credentials.gid);
    let uid = unistd::Uid::from_raw(credentials.uid);
    unistd::setresgid(gid, gid, gid)?;
    unistd::setresuid(uid, uid, uid)?;
    Ok(())
}

/// No signal blocked, and every one back to its default, the two that the C library keeps to itself included: whoever
/// started this process may have ignored those too. KILL and STOP refuse, and that is right.
fn reset_signals() -> io::Result<()> {
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

#[cfg(test)]
mod tests;
