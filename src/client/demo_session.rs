//! The demonstration's short session: what is said, and what comes back. Sends nothing that could change the machine.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What is shown of a policy.
#[derive(Debug)]
pub(super) struct Script {
    /// A remark, and the request that it is about.
    pub(super) session: &'static [(&'static str, &'static str)],
    /// Requests that people may try.
    pub(super) to_try: &'static [&'static str],
}

/// Of the demonstration's own policy.
pub(super) const OURS: Script =
    Script { session: &SESSION, to_try: &["help", "restart nginx.service", "count 3"] };

/// Of somebody else's, of which nothing is run unasked.
pub(super) const YOURS: Script = Script { session: HARMLESS, to_try: &["help", "whoami"] };

const HARMLESS: &[(&str, &str)] =
    &[("Who does the kernel say you are?", "whoami"), ("What may you run, by this policy?", "commands")];

const SESSION: [(&str, &str); 8] = [
    ("Who does the kernel say you are?", "whoami"),
    ("What may you run?", "commands"),
    ("An allowed request runs; its output and its end come back.", "restart nginx.service"),
    ("A value that the policy does not list is refused, by name.", "restart sshd.service"),
    ("Why? Every step of the decision.", "why restart sshd.service"),
    ("Nobody has to wait for a command.", "count 3 detach=yes"),
    ("What became of it is told later, also to another session.", "jobs"),
    ("What is not in the policy can't be told from what does not exist.", "reboot"),
];

/// Holds the session, and prints both sides of it. An end of the connection is never taken for one of `out`.
pub(super) fn show(socket: &Path, session: &[(&str, &str)], out: &mut dyn Write) -> io::Result<()> {
    let lost = |error: io::Error| io::Error::other(format!("{}: {error}", socket.display()));
    let stream = UnixStream::connect(socket).map_err(lost)?;
    let mut replies = BufReader::new(stream.try_clone()?).lines();
    for (remark, request) in session {
        writeln!(out, "\n# {remark}\n> {request}")?;
        writeln!(&stream, "{request}").map_err(lost)?;
        for line in replies.by_ref() {
            let line = line.map_err(lost)?;
            writeln!(out, "{line}")?;
            if line.starts_with(|first: char| first.is_ascii_digit()) {
                break;
            }
        }
    }
    out.flush()
}
