//! Days of the week, by the names that systemd.time(7) has for them.

use jiff::civil::Date;
use std::fmt;

/// The names, and Monday is the first day.
const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Letters of the short name.
const SHORT: usize = 3;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weekday(u8);

impl Weekday {
    /// Reads a name, short or long, in letters of any case.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_it = |name: &&str| {
            let short = name.get(..SHORT).unwrap_or_default();
            text.eq_ignore_ascii_case(name) || text.eq_ignore_ascii_case(short)
        };
        (0..).zip(NAMES).find(|(_, name)| is_it(name)).map(|(number, _)| Self(number))
    }

    /// Every day.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..).zip(NAMES).map(|(number, _)| Self(number))
    }

    /// The day of a date.
    pub(super) fn of(date: Date) -> Self {
        Self(date.weekday().to_monday_zero_offset().unsigned_abs())
    }

    /// The days from one over Sunday to another, in two ranges.
    pub(super) fn round(first: Self, last: Self) -> String {
        let to_sunday = if first == Self(6) { "Sun".to_owned() } else { format!("{first}..Sun") };
        let from_monday = if last == Self(0) { "Mon".to_owned() } else { format!("Mon..{last}") };
        format!("{to_sunday},{from_monday}")
    }

    /// The short names.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter_map(|name| name.get(..SHORT))
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::names().nth(self.0.into()).unwrap_or_default())
    }
}
