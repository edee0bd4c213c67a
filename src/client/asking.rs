//! One built-in, asked for through the socket: its rows and its final line, and what is written to its streams. Retries nothing.

use super::exit;
use super::run::Failure;
use crate::protocol::reply::{Final, Kind, Part, parse_reply_line};
use crate::server::options::DOOR;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// What every command that asks takes.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Common {
    /// Answer in JSON, for a program
    #[arg(long)]
    pub(super) json: bool,

    /// Where the service listens
    #[arg(long, value_name = "PATH", default_value = DOOR)]
    pub(super) socket: PathBuf,
}

/// Everything that was said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) rows: Vec<Map<String, Value>>,
    pub(super) last: Final,
}

/// Asks, and gives what was said; of streams nothing.
pub(super) fn ask(stream: UnixStream, line: &str) -> Result<Answer, Failure> {
    ask_and_watch(stream, line, &mut |_, _, _| Ok(()))
}

/// Takes a piece of a stream: which stream, the octets, and whether no line end followed.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Kind, Vec<u8>, bool) -> Result<(), Failure>;

/// Asks, gives what was said, and has every piece of a stream watched as it comes.
pub(super) fn ask_and_watch(mut stream: UnixStream, line: &str, watch: Watch<'_>) -> Result<Answer, Failure> {
    let lost =
        |error: std::io::Error| (exit::IO, format!("the connection broke: {error}; it may have happened"));
    // A server that refuses at once closes before it has read all: its answer is what counts.
    drop(stream.write_all(line.as_bytes()));
    let mut rows = Vec::new();
    for line in BufReader::new(stream).split(b'\n') {
        let reply = parse_reply_line(&line.map_err(lost)?)
            .map_err(|error| (exit::IO, format!("what answers is no udsadmin: {error}")))?;
        match reply.part {
            Part::Row(fields) => rows.push(fields.into_iter().map(field).collect()),
            Part::Final(end) => return Ok(Answer { rows, last: end }),
            Part::Stream { kind, partial, octets } => watch(kind, octets, partial)?,
            Part::Info(text) => note(&text),
        }
    }
    Err((exit::IO, "the connection ended without an answer; it may have happened".to_owned()))
}

/// What else there is to know: beside the answer, as it is no part of it.
fn note(text: &[u8]) {
    let text = exit::shown(&String::from_utf8_lossy(text));
    // Without a standard error there is nobody to tell.
    drop(writeln!(std::io::stderr(), "udsadmin: {text}"));
}

fn field((name, octets): (String, Vec<u8>)) -> (String, Value) {
    (name, String::from_utf8_lossy(&octets).into_owned().into())
}
