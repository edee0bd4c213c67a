//! What the measurements stand on: a folder that goes when they end, and processes that end before it. Ends no process
//! that it did not start.

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::part;

/// How long a program may take to be ready.
const STARTING: Duration = Duration::from_secs(20);

/// How long a program may take to end, in seconds, before it is killed.
const ENDING: i64 = 10;

/// A folder; removed when dropped, with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes a new one.
    ///
    /// # Errors
    /// Those of `mkdir(2)`.
    pub(crate) fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("udsadmin-load-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to tell.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Where programs are started.
#[derive(Debug)]
pub(crate) struct Stand {
    folder: PathBuf,
    audit: PathBuf,
    rooms: AtomicU32,
}

impl Stand {
    /// In this folder, with the standard error of what is started there.
    pub(crate) fn new(folder: &Path, audit: &Path) -> Self {
        Self { folder: folder.to_owned(), audit: audit.to_owned(), rooms: AtomicU32::new(0) }
    }

    /// A file of the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new folder in the folder.
    ///
    /// # Errors
    /// Those of `mkdir(2)`.
    pub(crate) fn room(&self) -> io::Result<PathBuf> {
        let room = self.file(&self.rooms.fetch_add(1, Ordering::Relaxed).to_string());
        fs::DirBuilder::new().mode(0o700).create(&room)?;
        Ok(room)
    }

    /// Starts a part of this program, and waits until it is ready.
    ///
    /// # Errors
    /// Those of starting it; that it was not ready in time.
    pub(crate) fn start(&self, launch: Launch<'_>) -> io::Result<(Program, Duration)> {
        let ready = UnixDatagram::bind(launch.notify)?;
        ready.set_read_timeout(Some(STARTING))?;
        let begin = Instant::now();
        let program = self.spawn(launch)?;
        await_ready(&ready)
            .map_err(|_| io::Error::other("a program did not start; see --audit /dev/stderr"))?;
        Ok((program, begin.elapsed()))
    }

    fn spawn(&self, launch: Launch<'_>) -> io::Result<Program> {
        #[expect(clippy::disallowed_methods, reason = "starts this same program, which plays another part")]
        let mut command = Command::new("/proc/self/exe");
        command.arg(part::VERB).args(launch.words);
        command.env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM").env("NOTIFY_SOCKET", launch.notify);
        command.stdout(Stdio::null()).stderr(self.audit()?);
        match launch.passed_as {
            None => drop(command.stdin(launch.listener)),
            Some(name) => {
                command.stdin(Stdio::null()).env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name);
                let mappings = vec![FdMapping { parent_fd: launch.listener, child_fd: 3 }];
                command.fd_mappings(mappings).map_err(io::Error::other)?;
            }
        }
        Ok(Program(command.spawn()?))
    }

    fn audit(&self) -> io::Result<File> {
        let file = File::options().append(true).create(true).open(&self.audit);
        file.map_err(|error| io::Error::other(format!("{}: {error}", self.audit.display())))
    }
}

fn await_ready(ready: &UnixDatagram) -> io::Result<()> {
    let mut message = [0; 512];
    loop {
        let octets = ready.recv(&mut message)?;
        if message.get(..octets).unwrap_or_default().starts_with(b"READY=1") {
            return Ok(());
        }
    }
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The part, and what it is told.
    pub(crate) words: Vec<String>,
    /// Where it says that it is ready: a file that is not there yet.
    pub(crate) notify: &'a Path,
    /// Its listening socket.
    pub(crate) listener: OwnedFd,
    /// The name that the socket is passed by, as by systemd; `None` passes it as standard input.
    pub(crate) passed_as: Option<&'static str>,
}

/// A program under way; told to end, and awaited, when dropped.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Program {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    fn end(&mut self) -> io::Result<()> {
        let pid = Pid::from_child(&self.0);
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        kill_process(pid, Signal::TERM)?;
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        if poll(&mut polled, Some(&Timespec { tv_sec: ENDING, tv_nsec: 0 }))? == 0 {
            self.0.kill()?;
        }
        self.0.wait().map(drop)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended by itself is what was wanted.
        drop(self.end());
    }
}
