//! Starts one program with exactly what it was given. Chooses nothing: no shell, no path search, no inherited descriptor.

mod confine;
mod credentials;
mod heritage;
mod image;
mod stage;
mod step;

pub use confine::Confinement;
pub use credentials::{Capabilities, Credentials};
pub use step::{NotStarted, Step, TOLD, errno};

use crate::policy::Resource;
use confine::Walls;
use image::Image;
use nix::sys::stat::{Mode, umask};
use nix::unistd;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
};
use serde::{Deserialize, Serialize};
use stage::Stage;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use step::At;

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
    /// As whom, where, and within which bounds.
    pub manner: Manner,
    /// The `cgroup.procs` file to move into.
    pub cgroup: Option<File>,
}

/// In what manner a program runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// The ids to take; `None` keeps the ones of this process.
    pub credentials: Option<Credentials>,
    /// The capabilities to keep.
    pub capabilities: Capabilities,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privileges: bool,
    /// The working directory, entered with the new ids.
    pub directory: PathBuf,
    /// File mode creation mask.
    pub umask: u32,
    /// Limits of resources, in this order.
    pub limits: Vec<Limit>,
    /// The niceness; `None` is 0, as far as that may be had.
    pub nice: Option<i32>,
    /// The priority of input and output, as `ioprio_set(2)` takes it; `None` is what everyone has.
    pub io: Option<u16>,
    /// What it sees less of than other processes.
    pub confinement: Confinement,
}

impl Default for Manner {
    /// With the ids of this process, at the root, for nobody else to write to, and without new privileges.
    fn default() -> Self {
        Self {
            credentials: None,
            capabilities: Capabilities { ambient: None, bounding: None },
            no_new_privileges: true,
            directory: PathBuf::from("/"),
            umask: 0o022,
            limits: Vec::new(),
            nice: None,
            io: None,
            confinement: Confinement::default(),
        }
    }
}

/// A limit of one resource (`setrlimit(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// What counts, which the program may raise as far as `hard`.
    pub soft: u64,
    /// The most that it may have. 2⁶⁴ - 1 is without limit.
    pub hard: u64,
}

/// A started process, leader of a session of its own.
#[derive(Debug)]
pub struct Child {
    /// Its id, and that of its process group.
    pub pid: Pid,
    /// The process itself: readable when it has ended.
    pub pidfd: OwnedFd,
}

/// All that the new process needs, laid out before the fork.
struct Layout {
    image: Image,
    stage: Stage,
    walls: Walls,
    directory: CString,
}

impl Layout {
    fn of(launch: &Launch, line: &OwnedFd) -> io::Result<Self> {
        Ok(Self {
            image: Image::of(launch)?,
            stage: Stage::set(launch, line)?,
            walls: Walls::of(&launch.manner.confinement)?,
            directory: CString::new(launch.manner.directory.as_os_str().as_bytes())?,
        })
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
/// A [`NotStarted`], of the first step that failed, `execve(2)` included, or that it ended before that (`EPIPE`): the program then
/// never ran.
pub fn verdict(line: BorrowedFd<'_>, process: Pid) -> io::Result<()> {
    let mut told = [0; TOLD];
    match rustix::io::read(line, &mut told)? {
        0 if is_mere_fork(process) => Err(NotStarted { step: Step::Start, errno: libc::EPIPE }.into()),
        0 => Ok(()),
        _ => Err(NotStarted::heard(told).into()),
    }
}

/// Whether a process, alive or not waited for yet, is a fork that has become no program since: the kernel's own note of it
/// (`PF_FORKNOEXEC`, linux/sched.h), among the flags in `/proc/PID/stat`. One of which that can't be learnt counts as a program.
#[must_use]
pub fn is_mere_fork(process: Pid) -> bool {
    const FORK_NO_EXEC: u64 = 0x40;
    let stat = std::fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // After the name, which may hold anything: state, parent, group, session, terminal, its group, flags.
    let flags = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(6));
    flags.and_then(|flags| flags.parse().ok()).is_some_and(|flags: u64| flags & FORK_NO_EXEC != 0)
}

/// Starts a process that waits to become the program: so that whatever could go wrong on our side goes wrong before it runs.
///
/// # Errors
/// Those of `fork(2)` and of descriptors: there is no process.
pub fn hold(launch: &Launch) -> io::Result<Held> {
    let (line, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let layout = Layout::of(launch, &theirs)?;
    rustix::io::ioctl_fionbio(&line, true)?;
    // SAFETY: the child is a copy of a process that may have threads. `become_program` makes system calls alone: it
    // allocates nothing, takes no lock, reads only memory that was filled before the fork, and never returns.
    let forked = unsafe { libc::fork() };
    if forked < 0 {
        return Err(io::Error::last_os_error());
    }
    let Some(pid) = Pid::from_raw(forked) else { become_program(launch, &layout) };
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
fn become_program(launch: &Launch, layout: &Layout) -> ! {
    let waited = layout.stage.forget_the_rest().and_then(|()| released(&layout.stage.line));
    execute(layout, waited.at(Step::Start).and_then(|()| enter(launch, layout)))
}

/// What a process says last of all before its program begins, where nobody but it knows when that is. What [`NotStarted`] says
/// follows, where it does not.
pub const READY: u8 = b'r';

/// Has this very process become the program: for one that somebody else started for that, with a session, a cgroup and keys
/// of its own. What it says on the line is [`READY`], or why not. Nothing of this process is left, either way.
pub fn become_here(launch: &Launch, line: &OwnedFd) -> ! {
    match Layout::of(launch, line) {
        Ok(layout) => execute(&layout, enter_here(launch, &layout)),
        Err(error) => {
            let told =
                Err::<(), _>(error).at(Step::Start).map_err(|why| rustix::io::write(line, &why.told()));
            tracing::debug!("not laid out: {told:?}");
            std::process::exit(STOPPED)
        }
    }
}

/// Status of a process that has said why it is not its program.
const STOPPED: i32 = 127;

/// Becomes the program, where all before it went well; else tells why not.
fn execute(layout: &Layout, entered: Result<(), NotStarted>) -> ! {
    let why = match entered {
        Ok(()) => NotStarted {
            step: Step::Program,
            errno: layout.image.execute().raw_os_error().unwrap_or(libc::EIO),
        },
        Err(why) => why,
    };
    let told = rustix::io::write(&layout.stage.line, &why.told());
    // SAFETY: ends this process, and runs nothing of the one that it may be a copy of.
    unsafe { libc::_exit(if told.is_ok() { STOPPED } else { 126 }) }
}

/// Waits for the word to go on. The end of the line is none: it comes with the end of whoever holds this process.
fn released(line: &OwnedFd) -> io::Result<()> {
    match rustix::io::read(line, &mut [0; 1])? {
        0 => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        _ => Ok(()),
    }
}

/// The child's own steps, in the one order that works. First all that is ours goes: from the moment that it has the user's
/// ids, that user may stop it, and a stopped process keeps what it holds. Cgroup, namespaces, priorities and limits with the
/// old ids, limits last of these, for the others take descriptors; the working directory with the new ids.
fn enter(launch: &Launch, layout: &Layout) -> Result<(), NotStarted> {
    let manner = &launch.manner;
    if let Some(mut procs) = launch.cgroup.as_ref() {
        procs.write_all(b"0").at(Step::Cgroup)?;
    }
    layout.stage.enter().at(Step::Descriptors)?;
    heritage::reset_signals().at(Step::Signals)?;
    unistd::setsid().at(Step::Session)?;
    heritage::leave_session_keyring().at(Step::Keyring)?;
    heritage::reset_oom_score().at(Step::OomScore)?;
    settle(manner, layout)
}

/// The steps of a process that has nothing of ours but its descriptors and its signals.
fn enter_here(launch: &Launch, layout: &Layout) -> Result<(), NotStarted> {
    layout.stage.enter().at(Step::Descriptors)?;
    heritage::reset_signals().at(Step::Signals)?;
    settle(&launch.manner, layout)?;
    rustix::io::write(&layout.stage.line, &[READY]).at(Step::Start).map(drop)
}

/// The steps that make the manner.
fn settle(manner: &Manner, layout: &Layout) -> Result<(), NotStarted> {
    heritage::prioritise(manner)?;
    layout.walls.enter()?;
    heritage::limit(&manner.limits)?;
    credentials::take(manner)?;
    umask(Mode::from_bits_truncate(manner.umask));
    unistd::chdir(layout.directory.as_c_str()).at(Step::Directory)?;
    if manner.no_new_privileges {
        credentials::forgo_new_privileges().at(Step::NoNewPrivileges)?;
    }
    Ok(())
}

/// The outcome of a system call: its error where it tells of one.
fn called(status: libc::c_long) -> io::Result<libc::c_long> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}

#[cfg(test)]
mod tests;
