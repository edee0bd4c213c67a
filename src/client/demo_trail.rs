//! What the demonstration's programs write to standard error: held back until it is time, then passed on as it comes.
//! Loses nothing and changes nothing.

use std::io::{self, PipeReader};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// The pipe's reading side. Dropped, it passes on what is left, to the end of the last program that writes.
#[derive(Debug)]
pub(super) struct Trail {
    hold: Option<Sender<()>>,
    copy: Option<JoinHandle<()>>,
}

impl Trail {
    /// Holds everything back. The pipe has room for what a short session puts on record.
    pub(super) fn hold(mut written: PipeReader) -> Self {
        let (hold, release) = channel();
        let copy = std::thread::spawn(move || {
            // Nothing is ever sent: what is awaited is that nobody can send any more.
            if release.recv().is_err() {
                // Without a standard error there is nobody to tell, and the programs hear of it by the closed pipe.
                drop(io::copy(&mut written, &mut io::stderr()));
            }
        });
        Self { hold: Some(hold), copy: Some(copy) }
    }

    /// Passes on what was held back, and all that comes.
    pub(super) fn follow(&mut self) {
        self.hold = None;
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.follow();
        // A thread that panicked has nothing more to pass on.
        drop(self.copy.take().map(JoinHandle::join));
    }
}
