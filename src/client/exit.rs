//! Exit statuses of the client, one for each kind of end. Those of sysexits.h where that has one.

use super::run::{Failure, told};
use crate::execution::signal_name;
use crate::protocol::reply::Final;
use std::io;
use std::process::ExitCode;

/// Ran and failed, with a code that no process of ours can end with.
const FAILED: u8 = 1;
/// `EX_USAGE`: the request is wrong.
pub(super) const USAGE: u8 = 64;
/// `EX_DATAERR`: what was read is no such text.
pub(super) const DATA: u8 = 65;
/// `EX_NOINPUT`: it can't be read.
pub(super) const NO_INPUT: u8 = 66;
/// `EX_UNAVAILABLE`: the service can't be reached.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`: the service failed, and nothing was started; or this program did.
pub(super) const SOFTWARE: u8 = 70;
/// `EX_IOERR`: what happened is unknown.
pub(super) const IO: u8 = 74;
/// `EX_TEMPFAIL`: nothing was started; try again later.
pub(super) const TRY_AGAIN: u8 = 75;
/// `EX_NOPERM`: denied.
const DENIED: u8 = 77;
/// Ended by its time limit, as timeout(1) says it.
pub(super) const TIMED_OUT: u8 = 124;
/// Ended by somebody.
pub(super) const CANCELLED: u8 = 125;
/// Found, and not to be started, as a shell says it.
const NOT_STARTED: u8 = 126;
/// A shell adds the signal's number to it.
const SIGNALLED: u8 = 128;

/// The reader of our output is gone: what a shell says of a program that SIGPIPE ended, as it does most.
const READER_GONE: u8 = SIGNALLED + 13;

/// Signals of the kernel (`_NSIG`, asm/signal.h).
const SIGNALS: u8 = 64;

/// How the refusal of what is not for the peer begins.
pub(super) const NO_SUCH: &[u8] = b"no such command";

/// The exit status of a final line.
pub(super) fn status(last: &Final) -> u8 {
    match last.code {
        200 | 202 => 0,
        210 => field(last, "code").and_then(|code| code.parse().ok()).unwrap_or(FAILED),
        211 => signalled(field(last, "name").unwrap_or_default()),
        212 => TIMED_OUT,
        213 | 214 => CANCELLED,
        400 | 413 | 422 | 426 => USAGE,
        403 => DENIED,
        409 | 429 | 503 => TRY_AGAIN,
        502 => NOT_STARTED,
        500 | 501 | 504..=598 => SOFTWARE,
        _ => IO,
    }
}

/// A final line as a sentence. No octet of it that a terminal obeys is left.
pub(super) fn words(last: &Final) -> String {
    let known = |name: &str| field(last, name).map_or_else(|| "unknown".to_owned(), shown);
    let fact = match last.code {
        211 => format!("ended by signal {}", known("name")),
        212 => format!("ended by its time limit after {} ms", known("ms")),
        213 => "cancelled before its end".to_owned(),
        214 => "ended by its output limit".to_owned(),
        400 => format!("the request is wrong at column {}", known("column")),
        // It is asked at a wrong time, and no value of it is wrong.
        422 if known("name") == "verb" => "refused".to_owned(),
        422 => format!("argument {}", known("name")),
        599 => "it was started, and how it ended is unknown".to_owned(),
        _ => shown(&last.name),
    };
    let job = field(last, "job").map(shown).unwrap_or_default();
    let text = String::from_utf8_lossy(&last.text);
    let text = if text.is_empty() { String::new() } else { format!(": {}", shown(&text)) };
    match last.code {
        _ if job.is_empty() => fact + &text,
        // What never began is no job that could be asked for.
        502 => format!("{fact}{text}; its record: journalctl UDSADMIN_JOB={job}"),
        _ => format!("{fact} (job {job}){text}"),
    }
}

/// Whether it says that there is no such command for the peer: neither of the whole connection, which takes no time to tell, nor
/// of one that is for other times.
pub(super) fn is_about_the_command(last: &Final) -> bool {
    last.code == 403 && field(last, "ms").is_some() && last.text.starts_with(NO_SUCH)
}

/// Text for a terminal: what has no picture is escaped.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\'' | '"' | '\\' => safe.push(character),
            other => safe.extend(other.escape_debug()),
        }
    }
    safe
}

/// The exit status where an answer could not be written, which is told.
pub(super) fn unwritten(error: &io::Error) -> ExitCode {
    told(Err(not_written("the answer", error)))
}

/// That something could not be written, unless its reader has gone: that one does not want the rest, nor to hear of it.
pub(super) fn not_written(what: &str, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return (READER_GONE, String::new());
    }
    (IO, format!("{what} can't be written: {error}"))
}

fn field<'a>(last: &'a Final, name: &str) -> Option<&'a str> {
    let (_, value) = last.fields.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

/// The exit status where the signal of this name ended the command.
pub(super) fn signalled(name: &str) -> u8 {
    let number = (1..=SIGNALS).find(|number| signal_name((*number).into()) == name);
    SIGNALLED.saturating_add(number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_end_has_a_status_of_its_own() {
        let statuses = [
            (Final::exit(0), 0),
            (Final::exit(3), 3),
            (Final::exit(256), 1),
            (Final::signal("TERM"), 143),
            (Final::signal("40"), 168),
            (Final::timeout(), 124),
            (Final::cancelled(), 125),
            (Final::syntax(3), 64),
            (Final::denied(), 77),
            (Final::busy(), 75),
            (Final::rate(12), 75),
            (Final::bad_argument("unit"), 64),
            (Final::internal(), 70),
            (Final::exec_failed(2), 126),
            (Final::broker_unavailable(), 75),
            (Final::unknown_outcome("a"), 74),
        ];
        for (last, expected) in statuses {
            assert_eq!(status(&last), expected, "{}", last.name);
        }
    }

    #[test]
    fn every_end_but_a_plain_one_is_one_sentence() {
        for (last, expected) in [
            (Final::signal("TERM").field("ms", "5").field("job", "7f"), "ended by signal TERM (job 7f)"),
            (Final::timeout().field("ms", "30004"), "ended by its time limit after 30004 ms"),
            (Final::cancelled().field("ms", "5").field("job", "7f"), "cancelled before its end (job 7f)"),
            (Final::capped(), "ended by its output limit"),
            (Final::syntax(9).text("close it"), "the request is wrong at column 9: close it"),
            (Final::denied().field("ms", "0").text("no such"), "denied: no such"),
            (Final::rate(12).text("try again in 12 s"), "rate: try again in 12 s"),
            (Final::bad_argument("unit").text("must be a or b"), "argument unit: must be a or b"),
            (Final::bad_argument("verb").text("nothing waits"), "refused: nothing waits"),
            (
                Final::exec_failed(2).field("job", "7f").text("could not"),
                "exec-failed: could not; its record: journalctl UDSADMIN_JOB=7f",
            ),
            (Final::unknown_outcome("7f"), "it was started, and how it ended is unknown (job 7f)"),
        ] {
            assert_eq!(words(&last), expected);
        }
    }

    #[test]
    fn an_answer_that_can_not_be_written_is_told_unless_its_reader_has_gone() {
        let told = |kind: io::ErrorKind| not_written("the answer", &io::Error::from(kind));
        assert_eq!(told(io::ErrorKind::BrokenPipe), (141, String::new()));
        let full = (IO, "the answer can't be written: no storage space".to_owned());
        assert_eq!(told(io::ErrorKind::StorageFull), full);
    }

    #[test]
    fn text_comes_out_as_it_is_and_never_as_a_control() {
        let text = |octets: &[u8]| words(&Final { text: octets.to_vec(), ..Final::busy() });
        let sentence = r#"must not begin with '-', nor "match" \d+ für 世界"#;
        assert_eq!(text(sentence.as_bytes()), format!("busy: {sentence}"));
        let forged = "\u{1b}[31m\n\u{202e}\u{9b}\u{7f}";
        assert_eq!(text(forged.as_bytes()), r"busy: \u{1b}[31m\n\u{202e}\u{9b}\u{7f}");
        assert_eq!(text(b"caf\xe9"), "busy: caf\u{fffd}");
        let named = Final::signal(forged);
        assert!(words(&named).chars().all(|character| (' '..='~').contains(&character)));
    }
}
