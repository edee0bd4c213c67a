//! Drives any line server over a Unix socket, and takes this project's figures beside fixed yardsticks. Judges none of them.

mod client;
mod decode;
mod figure;
mod memory;
mod options;
mod output;
mod part;
mod policies;
mod reloads;
mod report;
mod runs;
mod servers;
mod set;
mod spread;
mod stand;

use options::Options;
use report::Report;
use stand::{Folder, Stand};
use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a round under way may take to end after a signal.
const ENDING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let ended = if words.next_if(|word| word == part::VERB).is_some() {
        part::play(words)
    } else {
        take_figures(words)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell.
            drop(writeln!(io::stderr(), "load: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn take_figures(words: impl Iterator<Item = String>) -> io::Result<()> {
    let known = |figure: &str| set::names().any(|name| name == figure);
    match Options::read(words, known).map_err(io::Error::other)? {
        Some(options) => end_with(move |folder, stop| measure(&options, folder, stop)),
        None => io::stdout().write_all(options::help(set::names()).as_bytes()),
    }
}

/// Measures in a thread of its own, so that a signal can end it between two rounds; then the programs end, and the folder
/// goes. A program that outlives this process all the same is told to end by the kernel.
fn end_with(
    measure: impl FnOnce(&Path, &CancellationToken) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let folder = Folder::make()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, mut result) = tokio::sync::oneshot::channel();
    let _context = runtime.enter();
    let interrupted = interrupted()?;
    let (path, stop) = (folder.path().to_owned(), CancellationToken::new());
    let stopped = stop.clone();
    std::thread::spawn(move || drop(done.send(measure(&path, &stopped))));
    runtime.block_on(async {
        tokio::select! {
            result = &mut result => return result.map_err(io::Error::other)?,
            () = interrupted => stop.cancel(),
        }
        tokio::time::timeout(ENDING, result).await?.map_err(io::Error::other)?
    })
}

fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

fn measure(options: &Options, folder: &Path, stop: &CancellationToken) -> io::Result<()> {
    let stand = Stand::new(folder, &options.audit);
    let mut report = Report::new(options.json);
    report.machine()?;
    set::take(options, &stand, &mut |mut figure| {
        let taken = figure.take(options.span, stop)?;
        report.figure(&figure, &taken)
    })
}
