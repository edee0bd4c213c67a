//! A trail that tests can read, and break.

use super::Event;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Keeps every event, until it is broken.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    broken: bool,
}

impl Memory {
    pub(super) fn keep(&self, event: &Event) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.broken {
            return Err(io::Error::other("broken by a test"));
        }
        state.events.push(event.clone());
        Ok(())
    }

    /// From now on no event is taken.
    pub fn break_now(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
    }

    /// The names of the events so far, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.events().iter().map(|event| event.kind().name()).collect()
    }

    /// The events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).events.clone()
    }
}
