//! The yardstick of a run: the same program started by this process itself, with nobody to ask and nothing on record.

use crate::figure::{Round, Subject};
use crate::servers::TRUE;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

/// Starts the program and reads its output to the end, over and over.
pub(crate) fn direct() -> Subject<'static> {
    Subject::new("fork and exec", drive)
}

fn drive(span: Duration) -> io::Result<Round> {
    let begin = Instant::now();
    let mut values = Vec::new();
    while begin.elapsed() < span {
        let before = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "what udsadmin's own way of starting is held against")]
        let output = Command::new(TRUE).output()?;
        values.push(before.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(io::Error::other(format!("{TRUE}: {}", output.status)));
        }
    }
    Ok(Round { done: values.len(), values, clients: 1, took: begin.elapsed() })
}
