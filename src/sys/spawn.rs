//! Starts one program with exactly what it was given. Chooses nothing: no shell, no path search, no inherited descriptor.

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::{CString, OsString, c_char};
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

/// Starts the program. Blocks until `execve(2)` has happened or failed.
///
/// # Errors
/// The error of the first step that failed, that of `execve(2)` included: the program then never ran.
pub fn spawn(launch: Launch) -> io::Result<Child> {
    let image = Image::of(&launch)?;
    #[expect(clippy::disallowed_methods, reason = "the one door through which programs start")]
    let mut command = Command::new(&launch.program);
    let [stdin, stdout, stderr] = &launch.stdio;
    command.stdin(stdin.try_clone()?).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    // SAFETY: `enter` runs between fork and execve in a copy of a process that may have threads. It makes system calls
    // alone: it allocates nothing, takes no lock, and reads only memory that was filled before the fork.
    unsafe { command.pre_exec(move || enter(&launch).and_then(|()| Err(image.execute()))) };
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
    close_on_exec_from_3()
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

    /// A start of this program, with nothing to read and nobody to write to.
    fn launch(argv: &[&str]) -> Launch {
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        Launch {
            program: argv[0].into(),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            environment: Vec::new(),
            stdio: [null(), null(), null()],
            credentials: None,
            directory: c"/".to_owned(),
            umask: 0o027,
            no_new_privileges: true,
            descriptors: (64, 64),
            cgroup: None,
        }
    }

    fn run(argv: &[&str], environment: &[(&str, &str)]) -> (String, Option<i32>) {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut launch = launch(argv);
        launch.environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        launch.stdio[1] = writer.try_clone().unwrap().into();
        launch.stdio[2] = writer.into();
        let child = spawn(launch).unwrap();
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

    /// A key that only its possessors see: whoever has the session keyring. `None` where the machine keeps no keys.
    fn key_of_this_session(name: &str) -> Option<i32> {
        /// `KEY_SPEC_SESSION_KEYRING`, `KEYCTL_SETPERM` and `KEY_POS_ALL` (linux/keyctl.h, linux/key.h).
        const SESSION: i32 = -3;
        const SETPERM: libc::c_long = 5;
        const POSSESSOR: u32 = 0x3f00_0000;
        let name = CString::new(name).unwrap();
        // SAFETY: the kernel reads the type, the name and one octet of payload during the call.
        let key = unsafe {
            libc::syscall(libc::SYS_add_key, c"user".as_ptr(), name.as_ptr(), b"x".as_ptr(), 1_usize, SESSION)
        };
        let key = i32::try_from(key).unwrap();
        // SAFETY: two numbers, no memory.
        (key >= 0 && unsafe { libc::syscall(libc::SYS_keyctl, SETPERM, key, POSSESSOR) } == 0).then_some(key)
    }

    #[test]
    fn a_program_has_a_session_keyring_of_its_own() {
        let name = format!("udsadmin-test-{}", std::process::id());
        if key_of_this_session(&name).is_none() {
            return;
        }
        assert!(std::fs::read_to_string("/proc/keys").unwrap().contains(&name));
        assert!(!run(&["/bin/cat", "/proc/keys"], &[]).0.contains(&name));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_a_child() {
        let error = spawn(launch(&["/nonexistent/program"])).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_file_that_is_no_program_is_not_given_to_a_shell() {
        let script = std::env::temp_dir().join(format!("udsadmin-script-{}", std::process::id()));
        // Written by a child, so that no fork of another test holds the file open for writing.
        let write = format!("echo 'echo a shell' > {0}; chmod 755 {0}", script.display());
        assert_eq!(run(&["/bin/sh", "-c", &write], &[]), (String::new(), Some(0)));
        let error = spawn(launch(&[script.to_str().unwrap()]));
        std::fs::remove_file(&script).unwrap();
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::ENOEXEC));
    }

    #[test]
    fn a_word_with_a_nul_starts_nothing() {
        assert!(spawn(launch(&["/bin/true", "a\0b"])).is_err());
    }

    #[test]
    fn signals_that_the_server_ignores_are_not_ignored_by_the_program() {
        let (text, _) = run(&["/bin/sh", "-c", "grep -E '^Sig(Ign|Blk)' /proc/self/status"], &[]);
        assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    }
}
