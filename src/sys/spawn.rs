//! Starts one program with exactly what it was given. Chooses nothing: no shell, no path search, no inherited descriptor.

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

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
    /// Descriptors 0, 1 and 2. Every other one is closed.
    pub stdio: [OwnedFd; 3],
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

/// Starts the program. Blocks until `execve(2)` has happened or failed.
///
/// # Errors
/// The error of the first step that failed, that of `execve(2)` included: the program then never ran.
pub fn spawn(launch: Launch) -> io::Result<Child> {
    let Launch { program, argv, environment, stdio: [stdin, stdout, stderr], .. } = &launch;
    #[expect(clippy::disallowed_methods, reason = "the one door through which programs start")]
    let mut command = Command::new(program);
    let mut argv = argv.iter().map(|argument| OsStr::from_bytes(argument));
    command.arg0(argv.next().unwrap_or_default()).args(argv).env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(stdin.try_clone()?).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    // SAFETY: `enter` runs between fork and execve in a copy of a process that may have threads. It makes system calls
    // alone: it allocates nothing, takes no lock, and reads only memory that was filled before the fork.
    unsafe { command.pre_exec(move || enter(&launch)) };
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    // The child is not reaped yet, so the id is still its own.
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    Ok(Child { pid, pidfd })
}

/// The child's own steps, in the one order that works: cgroup and limits with the old ids, groups before the group
/// before the user, the working directory with the new ids.
fn enter(launch: &Launch) -> io::Result<()> {
    if let Some(mut procs) = launch.cgroup.as_ref() {
        procs.write_all(b"0")?;
    }
    reset_signals();
    unistd::setsid()?;
    setrlimit(Resource::RLIMIT_NOFILE, launch.descriptors.0, launch.descriptors.1)?;
    if let Some(credentials) = &launch.credentials {
        take(credentials)?;
    }
    if launch.no_new_privileges {
        nix::sys::prctl::set_no_new_privs()?;
    }
    umask(Mode::from_bits_truncate(launch.umask));
    unistd::chdir(launch.directory.as_c_str())?;
    close_on_exec_from_3()
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

/// Every signal back to its default, the two that the C library keeps to itself included: whoever started this process
/// may have ignored those too. KILL and STOP refuse, and that is right.
fn reset_signals() {
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
}

fn close_on_exec_from_3() -> io::Result<()> {
    // SAFETY: marks descriptors; closes none, so no owner is cheated before execve.
    let status = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    use std::io::Read;
    use std::os::fd::AsFd;

    fn run(argv: &[&str], environment: &[(&str, &str)]) -> (String, Option<i32>) {
        let (mut reader, writer) = io::pipe().unwrap();
        let child = spawn(Launch {
            program: argv[0].into(),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            stdio: [
                File::open("/dev/null").unwrap().into(),
                writer.try_clone().unwrap().into(),
                writer.into(),
            ],
            credentials: None,
            directory: c"/".to_owned(),
            umask: 0o027,
            no_new_privileges: true,
            descriptors: (64, 64),
            cgroup: None,
        })
        .unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
        (text, status.exit_status())
    }

    #[test]
    fn a_program_gets_the_environment_that_it_was_given_and_no_more() {
        assert_eq!(run(&["/usr/bin/env"], &[("A", "b c")]), ("A=b c\n".to_owned(), Some(0)));
    }

    #[test]
    fn a_program_gets_its_mask_directory_and_limit_and_no_descriptor_of_ours() {
        let _held = File::open("/dev/null").unwrap();
        let (text, _) = run(&["/bin/sh", "-c", "umask; pwd; ulimit -n; echo /proc/self/fd/*"], &[]);
        // The shell's own listing of the directory is the fourth.
        assert_eq!(text, "0027\n/\n64\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_a_child() {
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        let error = spawn(Launch {
            program: "/nonexistent/program".into(),
            argv: vec![b"program".to_vec()],
            environment: Vec::new(),
            stdio: [null(), null(), null()],
            credentials: None,
            directory: c"/".to_owned(),
            umask: 0,
            no_new_privileges: true,
            descriptors: (64, 64),
            cgroup: None,
        })
        .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn signals_that_the_server_ignores_are_not_ignored_by_the_program() {
        let (text, _) = run(&["/bin/sh", "-c", "grep -E '^Sig(Ign|Blk)' /proc/self/status"], &[]);
        assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    }
}
