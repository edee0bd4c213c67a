//! The wall clock, by its one door.

use std::time::SystemTime;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one door")]
pub fn now() -> SystemTime {
    SystemTime::now()
}
