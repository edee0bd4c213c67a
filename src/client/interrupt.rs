//! Ctrl-C while a command is waited for: tells what becomes of the command, and then obeys. Ends no command.

use nix::sys::signal::{SigSet, Signal};
use rustix::process::{getpid, kill_process};
use std::fs;
use std::io::{self, Write};
use std::thread;

/// What is told.
const GOES_ON: &str = "udsadmin: the command goes on, unless its on-disconnect in the policy says term; `udsadmin jobs` lists it";

/// The signals of the process that nobody hears (`proc_pid_status(5)`).
const IGNORED: &str = "SigIgn:";

/// The bit of SIGINT, which is number 2 (signal(7)), in a mask of signals.
const INTERRUPT: u64 = 1 << 1;

/// From now on an interrupt tells what becomes of the command, before it ends this process like any other. Where interrupts are
/// ignored, as in the background of a script, they still are.
pub(super) fn tell_of_the_command() {
    let interrupt = SigSet::from(Signal::SIGINT);
    if is_ignored() || interrupt.thread_block().is_err() {
        return;
    }
    let told = thread::Builder::new().spawn(move || tell_and_end(interrupt)).map(drop);
    // Without the thread, as if nobody had listened.
    if let Err(error) = told.or_else(|_| Ok(interrupt.thread_unblock()?)) {
        note(&error);
    }
}

/// Waits for an interrupt, which is blocked in every thread; then this one takes it.
fn tell_and_end(interrupt: SigSet) {
    if interrupt.wait().is_ok() {
        // Without a standard error there is nobody to tell.
        drop(writeln!(io::stderr(), "{GOES_ON}"));
    }
    let unblocked = interrupt.thread_unblock().map_err(io::Error::from);
    let ended = unblocked.and_then(|()| Ok(kill_process(getpid(), rustix::process::Signal::INT)?));
    if let Err(error) = ended {
        note(&error);
    }
}

fn note(error: &io::Error) {
    tracing::debug!("interrupts end nothing: {error}");
}

fn is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(IGNORED));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & INTERRUPT != 0)
}
