//! Processes and threads for the tests: daemons with their standard error, and a thread that is somebody else.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long anything may take before a test gives up. No test waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A user whom no system knows.
pub(crate) const STRANGER: u32 = 61_234;

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that ends with this test, to be completed.
pub(crate) fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the tests' one door")]
    Command::new(program)
}

/// Does something as a stranger and no more than that: needs root.
pub(crate) fn as_stranger<T: Send>(deed: impl FnOnce() -> T + Send) -> T {
    as_user(STRANGER, deed)
}

/// Does something as this user and its group alone, and no more than that: needs root.
pub(crate) fn as_user<T: Send>(id: u32, deed: impl FnOnce() -> T + Send) -> T {
    let become_user = || {
        let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        deed()
    };
    std::thread::scope(|scope| scope.spawn(become_user).join().unwrap())
}

#[derive(Debug, Default)]
struct Written {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A program under way, and what it writes to standard error.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    written: Arc<Written>,
    reader: Option<JoinHandle<()>>,
    is_over: bool,
}

impl Daemon {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let written = Arc::new(Written::default());
        let keep = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                keep.lines.lock().unwrap().push(line);
                keep.more.notify_all();
            }
        });
        Self { child, written, reader: Some(reader), is_over: false }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything written so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.written.lines.lock().unwrap().clone()
    }

    /// Everything that was written, by a program that has ended.
    pub(crate) fn all_lines(&mut self) -> Vec<String> {
        self.reader.take().unwrap().join().unwrap();
        self.lines()
    }

    /// Waits for a line with all of these in it, and gives it.
    pub(crate) fn line_with(&self, parts: &[&str]) -> String {
        let is_it = |line: &&String| parts.iter().all(|part| line.contains(part));
        let lines = self.written.lines.lock().unwrap();
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| is_it(&line));
        let (lines, result) = self.written.more.wait_timeout_while(lines, PATIENCE, missing).unwrap();
        assert!(!result.timed_out(), "no line with {parts:?} in {lines:#?}");
        lines.iter().find(is_it).unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its end, by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.is_over = true;
        if !ends(self.pid()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            panic!("a program did not end: {:#?}", self.lines());
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.signal(Signal::TERM);
        if std::thread::panicking() {
            eprintln!("{:#?}", self.lines());
            if !ends(self.pid()) {
                self.child.kill().unwrap();
            }
            self.child.wait().unwrap();
        } else {
            assert!(self.wait().success(), "{:#?}", self.lines());
        }
    }
}

/// Waits for the end of a process; false where patience ended first. It may be another's child.
pub(crate) fn ends(pid: Pid) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::try_from(PATIENCE).unwrap())).unwrap() == 1
}
