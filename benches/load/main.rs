//! Drives any line server over a Unix socket, and takes this project's figures beside fixed yardsticks. Judges none of them.

mod client;
mod decode;
mod figure;
mod memory;
mod options;
mod output;
mod part;
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
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

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
        Some(options) => end_with(move |folder| measure(&options, folder)),
        None => io::stdout().write_all(options::help(set::names()).as_bytes()),
    }
}

/// Measures in a thread of its own, so that a signal can end it: what it started ends with this process, and the folder
/// goes either way.
fn end_with(measure: impl FnOnce(&Path) -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let folder = Arc::new(Folder::make()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, result) = tokio::sync::oneshot::channel();
    let _context = runtime.enter();
    let interrupted = interrupted()?;
    let path = folder.path().to_owned();
    std::thread::spawn(move || drop(done.send(measure(&path))));
    runtime.block_on(async {
        tokio::select! {
            result = result => result.map_err(io::Error::other)?,
            () = interrupted => Err(io::ErrorKind::Interrupted.into()),
        }
    })
}

fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

fn measure(options: &Options, folder: &Path) -> io::Result<()> {
    let stand = Stand::new(folder, &options.audit);
    let mut report = Report::new(options.json);
    report.machine()?;
    set::take(options, &stand, &mut report)
}
