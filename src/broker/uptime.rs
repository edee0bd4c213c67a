//! A clock that nobody sets, and that goes on while the machine sleeps. Tells no time of day.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::time::Duration;

/// What the kernel calls this boot (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The time since the machine was booted.
#[derive(Debug)]
pub struct Uptime {
    boot: String,
    clock: fn() -> Duration,
}

/// A point in time. Of two boots, none is earlier or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    boot: String,
    uptime: Duration,
}

impl Uptime {
    /// That of this machine (`CLOCK_BOOTTIME`, `clock_gettime(2)`).
    ///
    /// # Errors
    /// Those of reading the name of the boot.
    pub fn of_this_machine() -> io::Result<Self> {
        let clock = || Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        Ok(Self { boot: fs::read_to_string(BOOT_ID)?.trim().to_owned(), clock })
    }

    /// One of a test's own: of the boot of this name, told by this clock.
    #[must_use]
    pub fn of(boot: &str, clock: fn() -> Duration) -> Self {
        Self { boot: boot.to_owned(), clock }
    }

    pub(super) fn now(&self) -> Point {
        Point { boot: self.boot.clone(), uptime: (self.clock)() }
    }

    /// How long ago this was, as far as is known: since this boot, where it was before it.
    pub(super) fn since(&self, point: &Point) -> Duration {
        let now = (self.clock)();
        if point.boot == self.boot { now.saturating_sub(point.uptime) } else { now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_this_boot_is_as_old_as_this_boot() {
        let first = Uptime::of("first", || Duration::from_secs(5000));
        let second = Uptime::of("second", || Duration::from_secs(7));
        assert_eq!(second.since(&first.now()), Duration::from_secs(7));
        assert_eq!(first.since(&first.now()), Duration::ZERO);
    }

    #[test]
    fn this_machine_has_been_up_for_a_while_and_its_boot_has_a_name() {
        let uptime = Uptime::of_this_machine().unwrap();
        let point = uptime.now();
        assert!(point.uptime > Duration::ZERO && !point.boot.is_empty());
    }
}
