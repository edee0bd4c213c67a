//! Exit statuses of the client, one for each kind of end. Those of sysexits.h where that has one.

use crate::execution::signal_name;
use crate::protocol::reply::Final;

/// Ran and failed, with a code that no process of ours can end with.
const FAILED: u8 = 1;
/// `EX_USAGE`: the request is wrong.
pub(super) const USAGE: u8 = 64;
/// `EX_UNAVAILABLE`: the service can't be reached.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`: the service failed, and nothing was started.
const SOFTWARE: u8 = 70;
/// `EX_IOERR`: what happened is unknown.
pub(super) const IO: u8 = 74;
/// `EX_TEMPFAIL`: nothing was started; try again later.
const TRY_AGAIN: u8 = 75;
/// `EX_NOPERM`: denied.
const DENIED: u8 = 77;
/// Ended by its time limit, as timeout(1) says it.
const TIMED_OUT: u8 = 124;
/// Ended by somebody.
const CANCELLED: u8 = 125;
/// Found, and not to be started, as a shell says it.
const NOT_STARTED: u8 = 126;
/// A shell adds the signal's number to it.
const SIGNALLED: u8 = 128;

/// Signals of the kernel (`_NSIG`, asm/signal.h).
const SIGNALS: u8 = 64;

/// The exit status of a final line.
pub(super) fn status(last: &Final) -> u8 {
    match last.code {
        200 => 0,
        210 => field(last, "code").and_then(|code| code.parse().ok()).unwrap_or(FAILED),
        211 => SIGNALLED.saturating_add(signal(last).unwrap_or(0)),
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

/// A final line in words, without its number.
pub(super) fn words(last: &Final) -> String {
    let mut text = last.name.to_string();
    for (name, value) in last.fields.iter().filter(|(name, _)| name != "ms") {
        text.extend([" ", name, "=", &value.escape_ascii().to_string()]);
    }
    if !last.text.is_empty() {
        text.extend([": ", &last.text.escape_ascii().to_string()]);
    }
    text
}

fn field<'a>(last: &'a Final, name: &str) -> Option<&'a str> {
    let (_, value) = last.fields.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

fn signal(last: &Final) -> Option<u8> {
    let name = field(last, "name")?;
    (1..=SIGNALS).find(|number| signal_name((*number).into()) == name)
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
}
