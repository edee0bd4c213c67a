//! What ends a run before its own end, and in whose name. Ends nothing itself.

use crate::execution::Outcome;
use tokio_util::sync::CancellationToken;

/// The word for one run to end. Its copies are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    cancelled: CancellationToken,
    capped: CancellationToken,
}

impl Stop {
    /// A run that also ends where all do.
    pub(super) fn below(all: &CancellationToken) -> Self {
        Self { cancelled: all.child_token(), capped: CancellationToken::new() }
    }

    /// Somebody wants its end.
    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Whether somebody wanted its end, or it is over.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// It has written too much.
    pub(super) fn cap(&self) {
        self.capped.cancel();
    }

    /// The same word, where another has been given it.
    pub(super) fn follow(&self, other: &Self) {
        if other.is_capped() { self.cap() } else { self.cancel() }
    }

    /// Waits for the word, and gives what its end is then to be called.
    pub(super) async fn heard(&self) -> Outcome {
        tokio::select! {
            biased;
            () = self.capped.cancelled() => Outcome::Capped,
            () = self.cancelled.cancelled() => Outcome::Cancelled,
        }
    }

    /// Whether the run has written too much.
    pub(super) fn is_capped(&self) -> bool {
        self.capped.is_cancelled()
    }
}
