//! How both daemons begin and end: options, sockets, logs, policy, signals. Knows neither program's work.

use super::activation::{self, Expected};
use super::options::{Options, Parsed, Program};
use super::{log, notify};
use crate::audit::{Journal, Terminal, Trail};
use crate::files::Trust;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// `EX_CONFIG` of sysexits.h: what the program was given to work with is wrong.
pub const EX_CONFIG: u8 = 78;

/// `EX_USAGE` of sysexits.h: the command line is wrong.
pub const EX_USAGE: u8 = 64;

/// What a daemon has when it begins.
#[derive(Debug)]
pub struct Beginning {
    /// Its options.
    pub options: Options,
    /// Its listening sockets.
    pub sockets: Vec<OwnedFd>,
    /// The soft and hard limit of open descriptors that it was started with.
    pub descriptors: (u64, u64),
}

impl Beginning {
    /// Whose policy and programs are believed.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        if self.options.demo { Trust::CallingUser } else { Trust::RootOnly }
    }

    /// Where the record goes.
    #[must_use]
    pub fn trail(&self, program: &Program) -> Trail {
        if self.options.demo { Trail::Terminal(Terminal) } else { Trail::Journal(Journal::new(program.name)) }
    }
}

/// Begins a daemon, and runs `serve` on one event loop to its end. This is the whole of its `main`.
#[must_use]
pub fn main<F: Future<Output = ExitCode>>(
    program: &Program,
    words: impl Iterator<Item = OsString>,
    expected: Expected,
    serve: impl FnOnce(Beginning) -> F,
) -> ExitCode {
    let options = match program.parse(words) {
        Ok(Parsed::Serve(options)) => options,
        Ok(Parsed::Print(text)) => return print(&mut io::stdout(), &text, 0),
        Err(why) => return print(&mut io::stderr(), &format!("{why}\n"), EX_USAGE),
    };
    let sockets = match activation::take(expected) {
        Ok(sockets) => sockets,
        Err(unfit) => return print(&mut io::stderr(), &format!("{}: {unfit}\n", program.name), EX_CONFIG),
    };
    match begin(program, options, sockets, serve) {
        Ok(code) => code,
        Err(error) => print(&mut io::stderr(), &format!("{}: {error}\n", program.name), EX_CONFIG),
    }
}

fn begin<F: Future<Output = ExitCode>>(
    program: &Program,
    options: Options,
    sockets: Vec<OwnedFd>,
    serve: impl FnOnce(Beginning) -> F,
) -> io::Result<ExitCode> {
    log::start(goes_to_the_journal(), program.name);
    let descriptors = raise_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(serve(Beginning { options, sockets, descriptors })))
}

fn print(to: &mut dyn Write, text: &str, code: u8) -> ExitCode {
    // Whoever closed the stream does not want the text.
    drop(to.write_all(text.as_bytes()));
    ExitCode::from(code)
}

#[expect(clippy::disallowed_methods, reason = "the environment is asked at the start alone")]
fn goes_to_the_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").as_ref().is_some_and(|value| *value != OsString::new())
}

/// Lifts the soft limit of open descriptors to the hard one; gives what it was.
fn raise_descriptors() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok((soft, hard))
}

/// Resolves when the daemon is to end (SIGTERM, SIGINT). A SIGHUP changes nothing, and says so.
///
/// # Errors
/// Those of `sigaction(2)`.
pub fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => tracing::warn!("SIGHUP reads no policy in this version; restart the service"),
            }
        }
        notify::stopping();
    })
}
