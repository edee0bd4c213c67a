//! Follows programs from system call to system call by ptrace(2), with all that they start. Changes nothing that they do, but
//! that they stop.

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;

/// One of those who have a part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    Client,
    Server,
    Broker,
    /// Whatever the broker starts: what waits to become the command, the command, and what that starts.
    Job,
}

/// What a tracer sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A thread stands before a system call, or behind one, until it is told to go on.
    Step(Role, Pid),
    /// A process of a job has become a program, and stands before its first instruction.
    Became(Pid),
    /// A process has ended, with all its threads.
    Ended(Role, Pid),
}

/// A thread.
#[derive(Clone, Copy, Debug)]
struct Thread {
    role: Role,
    process: Pid,
}

/// Belongs to the thread that made it, as ptrace(2) wants it: with that one's end, all that it follows is killed.
#[derive(Debug)]
pub(crate) struct Tracer {
    threads: HashMap<Pid, Thread>,
    /// Those who are stopped at each system call.
    clock: Role,
}

impl Tracer {
    pub(crate) fn new(clock: Role) -> Self {
        Self { threads: HashMap::new(), clock }
    }

    /// Knows of a child of this thread's without stopping it: its end is an event.
    pub(crate) fn know(&mut self, process: Pid, role: Role) {
        self.threads.insert(process, Thread { role, process });
    }

    /// Follows a child of this thread's from the moment when it stops itself, and lets it go on.
    pub(crate) fn follow(&mut self, process: Pid, role: Role) {
        self.know(process, role);
        let stopped = waitpid(process, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(stopped, WaitStatus::Stopped(process, Signal::SIGSTOP));
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(process, options).unwrap();
        kill(process, Signal::SIGCONT).unwrap();
    }

    /// The process in this role, where there is one.
    pub(crate) fn process(&self, role: Role) -> Option<Pid> {
        self.threads.values().find(|thread| thread.role == role).map(|thread| thread.process)
    }

    /// The next event. A thread that it names stands still until [`go_on`](Self::go_on).
    pub(crate) fn next(&mut self) -> Event {
        loop {
            let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            match waitpid(None::<Pid>, Some(ours)).unwrap() {
                WaitStatus::PtraceSyscall(thread) => return Event::Step(self.thread(thread).role, thread),
                WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_EXEC)
                    if self.thread(thread).role == Role::Job =>
                {
                    return Event::Became(thread);
                }
                WaitStatus::PtraceEvent(thread, _, what) => {
                    self.thread(thread);
                    self.meet(thread, what);
                    self.go_on(thread);
                }
                WaitStatus::Stopped(thread, signal) => {
                    self.thread(thread);
                    self.resume(thread, Some(signal));
                }
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    let known = self.thread(thread);
                    self.threads.remove(&thread);
                    if known.process == thread {
                        return Event::Ended(known.role, thread);
                    }
                }
                other @ (WaitStatus::Continued(_) | WaitStatus::StillAlive) => panic!("{other:?}"),
            }
        }
    }

    /// Lets a thread go on.
    pub(crate) fn go_on(&mut self, thread: Pid) {
        self.resume(thread, None);
    }

    fn resume(&mut self, thread: Pid, signal: Option<Signal>) {
        let resumed = match self.threads.get(&thread) {
            Some(known) if known.role == self.clock => ptrace::syscall(thread, signal),
            Some(_) => ptrace::cont(thread, signal),
            None => return,
        };
        // Whoever was killed stands still no longer.
        assert!(matches!(resumed, Ok(()) | Err(Errno::ESRCH)), "{resumed:?}");
    }

    /// What a thread has started is known before it runs, so that nothing ever runs unseen.
    fn meet(&mut self, thread: Pid, what: i32) {
        let starts = [libc::PTRACE_EVENT_CLONE, libc::PTRACE_EVENT_FORK, libc::PTRACE_EVENT_VFORK];
        if starts.contains(&what)
            && let Ok(started) = ptrace::getevent(thread)
        {
            self.thread(Pid::from_raw(started.try_into().unwrap()));
        }
    }

    fn thread(&mut self, thread: Pid) -> Thread {
        let processes: Vec<Thread> = self.threads.values().copied().collect();
        *self.threads.entry(thread).or_insert_with(|| {
            let process = process_of(thread);
            let mates = processes.iter().find(|known| known.process == process);
            Thread { role: mates.map_or(Role::Job, |known| known.role), process }
        })
    }

    /// Ends everything, and waits for that.
    pub(crate) fn end(&mut self) {
        for process in self.threads.values().map(|thread| thread.process) {
            let killed = kill(process, Signal::SIGKILL);
            assert!(matches!(killed, Ok(()) | Err(Errno::ESRCH)), "{killed:?}");
        }
        while !self.threads.is_empty() {
            self.next();
        }
    }
}

/// The process that a thread is of.
fn process_of(thread: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    line.map_or(thread, |id| Pid::from_raw(id.trim().parse().unwrap()))
}
