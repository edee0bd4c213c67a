//! A trail for people to watch: one line each on standard error, which no value can break.

use super::Event;
use std::io::{self, Write};

/// Prints events.
#[derive(Debug, Default)]
pub struct Terminal;

impl Terminal {
    #[expect(clippy::unused_self, reason = "a trail like the others")]
    pub(super) fn print(&self, event: &Event) -> io::Result<()> {
        let mut line = format!("audit: {}: {}", event.kind().name(), event.message());
        for (name, value) in event.fields() {
            let name = name.strip_prefix("UDSADMIN_").unwrap_or(name);
            line.extend([" ", name, "=", &value.escape_ascii().to_string()]);
        }
        line.push('\n');
        io::stderr().lock().write_all(line.as_bytes())
    }
}
