//! What happened, on the record. Splices no value into text unescaped, and never claims a record that was not taken.

mod event;
mod journal;
mod memory;
mod terminal;

pub use event::{Event, Kind};
pub use journal::Journal;
pub use memory::Memory;
pub use terminal::Terminal;

use std::fmt;
use std::io;

/// The record was not taken: nothing that needs it may happen.
#[derive(Debug)]
pub struct TrailBroken(pub io::Error);

impl fmt::Display for TrailBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the audit trail takes no record: {}", self.0)
    }
}

impl std::error::Error for TrailBroken {}

/// Proof that an event is on the record. Only a trail makes one:
///
/// ```compile_fail,E0423
/// # use udsadmin::audit::Recorded;
/// let forged = Recorded(());
/// ```
#[derive(Debug)]
#[must_use]
pub struct Recorded(());

/// Where events go.
#[derive(Debug)]
pub enum Trail {
    /// journald's native protocol.
    Journal(Journal),
    /// One line each on standard error.
    Terminal(Terminal),
    /// Kept, for tests.
    Memory(Memory),
}

impl Trail {
    /// Puts the event on the record.
    ///
    /// # Errors
    /// [`TrailBroken`] where it could not be, within a time limit.
    pub async fn record(&self, event: &Event) -> Result<Recorded, TrailBroken> {
        match self {
            Self::Journal(journal) => journal.send(event).await,
            Self::Terminal(terminal) => terminal.print(event),
            Self::Memory(memory) => memory.keep(event),
        }
        .map(Recorded)
        .map_err(TrailBroken)
    }

    /// Puts an event on the record that nothing waits for: one that could not be is an ordinary log line instead.
    pub async fn note(&self, event: &Event) {
        if let Err(broken) = self.record(event).await {
            tracing::error!("{broken}; lost: {}", event.message());
        }
    }
}
