//! How both daemons begin and end: options, sockets, logs, policy, signals. Knows neither program's work.

use super::activation::{self, Expected, Taken};
use super::make_way::Way;
use super::options::{Options, Parsed, Program};
use super::{log, notify, policy};
use crate::audit::{Journal, Terminal, Trail};
use crate::files::Trust;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsString;
use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

/// `EX_CONFIG` of sysexits.h: what the program was given to work with is wrong.
pub const EX_CONFIG: u8 = 78;

/// `EX_USAGE` of sysexits.h: the command line is wrong.
pub const EX_USAGE: u8 = 64;

/// `EX_TEMPFAIL` of sysexits.h: the daemon makes way for the next one, which systemd starts (`RestartForceExitStatus=`).
pub const EX_TEMPFAIL: u8 = 75;

/// `SD_ERR` of sd-daemon(3): a line on standard error that the journal is to take for an error.
const LOG_ERR: &str = "<3>";

/// The first thread for calls that block stays for good: a job that takes up all the processes of the machine or of the unit
/// (`TasksMax=`) can't keep the daemon from having one, and with one, whatever needs a thread waits for it.
const FOREVER: Duration = Duration::from_secs(1 << 32);

/// What a daemon has when it begins.
#[derive(Debug)]
pub struct Beginning {
    /// Its options.
    pub options: Options,
    /// Its listening sockets.
    pub sockets: Vec<OwnedFd>,
    /// What an earlier process of this program has left with systemd, by name.
    pub left: Vec<(String, OwnedFd)>,
    /// The soft and hard limit of open descriptors that it was started with.
    pub descriptors: (u64, u64),
    /// The word to make way.
    pub way: Way,
}

impl Beginning {
    /// Whose policy and programs are believed.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.options.trust()
    }

    /// Where the record goes.
    #[must_use]
    pub fn trail(&self, program: &Program) -> Trail {
        if self.options.demo { Trail::Terminal(Terminal) } else { Trail::Journal(Journal::new(program.name)) }
    }
}

/// Why a daemon ends before anybody told it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    status: u8,
    why: String,
}

impl Failure {
    /// What it was given to work with is wrong.
    #[must_use]
    pub fn config(why: impl Display) -> Self {
        Self { status: EX_CONFIG, why: why.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { status: 1, why: error.to_string() }
    }
}

/// How a daemon ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to.
    Stopped,
    /// It made way for the next one.
    MadeWay,
}

/// Begins a daemon, and runs `serve` on one event loop to its end. This is the whole of its `main`.
#[must_use]
pub fn main<F: Future<Output = Result<Ending, Failure>>>(
    program: &Program,
    words: impl Iterator<Item = OsString>,
    expected: Expected,
    serve: impl FnOnce(Beginning) -> F,
) -> ExitCode {
    let ended = match program.parse(words) {
        Ok(Parsed::Serve(options)) => begin(program, options, expected, serve),
        Ok(Parsed::Check(options)) => policy::load(&options.policy, options.trust()).map(|_| Ending::Stopped),
        Ok(Parsed::Print(text)) => {
            print(&mut io::stdout(), &text);
            Ok(Ending::Stopped)
        }
        Err(why) => Err(Failure { status: EX_USAGE, why }),
    };
    match ended {
        Ok(Ending::Stopped) => ExitCode::SUCCESS,
        Ok(Ending::MadeWay) => ExitCode::from(EX_TEMPFAIL),
        Err(failure) => {
            complain(program, &failure.why);
            ExitCode::from(failure.status)
        }
    }
}

fn begin<F: Future<Output = Result<Ending, Failure>>>(
    program: &Program,
    options: Options,
    expected: Expected,
    serve: impl FnOnce(Beginning) -> F,
) -> Result<Ending, Failure> {
    // Requests hold secrets: no process of the same user reads our memory, and no core dump has it (PR_SET_DUMPABLE(2const)).
    nix::sys::prctl::set_dumpable(false).map_err(io::Error::from)?;
    let Taken { sockets, left } = activation::take(expected).map_err(Failure::config)?;
    let _log = log::start(goes_to_the_journal(), program.name);
    let descriptors = raise_descriptors()?;
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(FOREVER).build()?;
    runtime.block_on(async {
        let way = Way::new(options.policy.clone(), options.trust())?;
        let first = spawn_blocking(|| ());
        first.await.map_err(io::Error::other)?;
        serve(Beginning { options, sockets, left, descriptors, way }).await
    })
}

/// A program's last words. On standard error, whose lines the journal counts as the unit's even after the program's end;
/// a datagram that is read then is nobody's, and `journalctl --unit` does not show it.
fn complain(program: &Program, why: &str) {
    let why = notify::one_line(why);
    if goes_to_the_journal() {
        print(&mut io::stderr(), &format!("{LOG_ERR}{why}\n"));
    } else {
        print(&mut io::stderr(), &format!("{}: {why}\n", program.name));
    }
}

fn print(to: &mut dyn Write, text: &str) {
    // Whoever closed the stream does not want the text.
    drop(to.write_all(text.as_bytes()));
}

#[expect(clippy::disallowed_methods, reason = "the environment is asked at the start alone")]
fn goes_to_the_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").as_ref().is_some_and(|value| !value.is_empty())
}

/// Lifts the soft limit of open descriptors to the hard one; gives what it was.
fn raise_descriptors() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok((soft, hard))
}

/// Resolves when the daemon is to end (SIGTERM, SIGINT).
///
/// # Errors
/// Those of `sigaction(2)`.
pub fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        notify::stopping();
    })
}

/// The SIGHUPs: `systemctl reload`. One that comes while another is being dealt with is dealt with after it, once.
///
/// # Errors
/// Those of `sigaction(2)`.
pub fn hang_ups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
