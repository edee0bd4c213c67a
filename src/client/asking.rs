//! One built-in, asked for through the socket: its rows and its final line, and what is written to its streams. Retries nothing.

use super::exit;
use super::run::{Failure, connect};
use crate::protocol::reply::{Final, Kind, Part, parse_reply_line};
use crate::request::Builtin;
use crate::server::options::DOOR;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Fields of rows that are numbers.
const NUMBERS: [&str; 3] = ["gid", "ms", "uid"];

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

impl Answer {
    /// The answer where it is one, and else a failure, of which a program is told on `out`, too.
    pub(super) fn checked(self, of: Builtin, json: bool, out: &mut dyn Write) -> Result<Self, Failure> {
        let status = exit::status(&self.last);
        if status == 0 {
            return Ok(self);
        }
        if json {
            write(&pretty(&self.refusal()), out)?;
        }
        Err((status, words(&self.last, of)))
    }

    fn refusal(&self) -> Value {
        let text = String::from_utf8_lossy(&self.last.text);
        json!({ "code": self.last.code, "name": self.last.name, "text": text })
    }
}

/// A final line as a sentence. Who may have a built-in, a section of the policy says.
pub(super) fn words(last: &Final, of: Builtin) -> String {
    let is_not_granted = last.code == 403 && last.text.starts_with(exit::NO_SUCH);
    if !is_not_granted {
        return exit::words(last);
    }
    format!("denied: no [[builtins.{}.allow]] of the policy is for you", of.verb())
}

/// Asks for a built-in without arguments, through the socket.
pub(super) fn ask_for(of: Builtin, common: &Common, out: &mut dyn Write) -> Result<Answer, Failure> {
    ask(connect(&common.socket)?, &format!("{}\n", of.verb()))?.checked(of, common.json, out)
}

/// The answer for a program.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Writes an answer, to its end; what comes of it is a success.
pub(super) fn write(text: &str, to: &mut dyn Write) -> Result<u8, Failure> {
    let written = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    written.map(|()| 0).map_err(|error| exit::not_written("the answer", &error))
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
    let text = String::from_utf8_lossy(&octets).into_owned();
    let value = if NUMBERS.contains(&&*name) { number(text) } else { text.into() };
    (name, value)
}

/// The number that the text is, or else the text.
pub(super) fn number(text: String) -> Value {
    text.parse::<u64>().map_or(Value::String(text), Value::from)
}
