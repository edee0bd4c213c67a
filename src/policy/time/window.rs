//! Times at which a rule permits: those that a clock on the wall shows, in one zone each. Looks at no clock itself.
//!
//! Where a zone skips an hour, no clock shows it, and no rule permits during it; an hour that comes twice counts twice.

mod spelling;

use super::super::reader::{Item, Reader};
use super::moment::{self, zone_of};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use spelling::Spelling;
use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

/// Windows of time, of which one is enough. None at all is always.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct During(Vec<Window>);

/// Times that are told together: each once, parted by semicolons.
pub(in crate::policy) fn listed<Time: ToString>(times: impl IntoIterator<Item = Time>) -> String {
    let mut seen = BTreeSet::new();
    let mut told: Vec<String> = times.into_iter().map(|time| time.to_string()).collect();
    told.retain(|time| seen.insert(time.clone()));
    told.join("; ")
}

/// Days, a span of their hours, and the zone whose days they are.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Window {
    spelling: Spelling,
    zone: TimeZone,
    /// As the policy has it, with single blanks.
    written: String,
}

impl During {
    /// Whether it holds at all times.
    pub(in crate::policy) const fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it holds at this one.
    pub(in crate::policy) fn holds(&self, now: SystemTime) -> bool {
        self.is_always() || self.0.iter().any(|window| window.holds(now))
    }

    /// Whether it holds neither at this time nor ever after it.
    pub(in crate::policy) fn is_over(&self, now: SystemTime) -> bool {
        !self.is_always() && self.0.iter().all(|window| window.is_over(now))
    }

    /// Whether it is known to hold whenever the other does.
    pub(in crate::policy) fn includes(&self, other: &Self) -> bool {
        let one_includes = |inner: &Window| self.0.iter().any(|outer| outer.includes(inner));
        self.is_always() || !other.is_always() && other.0.iter().all(one_includes)
    }

    /// Each of its windows; none is always.
    pub(in crate::policy) fn windows(&self) -> &[Window] {
        &self.0
    }

    /// What the clock of the window that holds shows; where none does, what those of all its windows show.
    pub(in crate::policy) fn clock(&self, now: SystemTime) -> String {
        let holding = self.0.iter().find(|window| window.holds(now));
        let told = holding.map_or(&*self.0, std::slice::from_ref);
        listed(told.iter().map(|window| window.clock(now)))
    }
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(&self.0))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Window {
    /// Whether it is known to hold whenever the other does.
    pub(in crate::policy) fn includes(&self, other: &Self) -> bool {
        self.zone == other.zone && self.spelling.includes(&other.spelling)
    }

    fn clock(&self, now: SystemTime) -> String {
        moment::shown(now, &self.zone, self.spelling.zone.as_deref())
    }

    fn is_over(&self, now: SystemTime) -> bool {
        let shown = Timestamp::try_from(now).map(|now| self.zone.to_datetime(now));
        !self.holds(now) && shown.is_ok_and(|shown| self.spelling.is_over(shown))
    }

    fn holds(&self, now: SystemTime) -> bool {
        let shown = Timestamp::try_from(now).map(|now| self.zone.to_datetime(now));
        shown.is_ok_and(|shown| self.spelling.holds(shown))
    }
}

impl Spelling {
    /// A span past midnight is one of the day on which it begins.
    fn holds(&self, shown: DateTime) -> bool {
        let (today, second) = (shown.date(), spelling::second_of(shown.time()));
        let begins = second >= self.from && self.has_day(today);
        if self.from < self.to {
            return begins && second < self.to;
        }
        begins || second < self.to && today.yesterday().is_ok_and(|day| self.has_day(day))
    }
}

impl Spelling {
    /// Whether no span begins at this time of its days or later.
    fn is_over(&self, shown: DateTime) -> bool {
        let (today, second) = (shown.date(), spelling::second_of(shown.time()));
        let later = today.tomorrow().is_ok_and(|day| self.comes_from(day));
        !(later || self.has_day(today) && second < self.from)
    }
}

impl Reader<'_> {
    /// Reads `during`: one window, or a list of them.
    pub(in crate::policy) fn during(&mut self, item: &Item<'_>) -> During {
        let Some(list) = item.get_ref().as_array() else {
            return During(self.window(item).into_iter().collect());
        };
        if list.is_empty() {
            self.error(&item.span(), "during needs at least one time");
        }
        During(list.iter().filter_map(|window| self.window(window)).collect())
    }

    fn window(&mut self, item: &Item<'_>) -> Option<Window> {
        let word = self.word(item)?;
        let read = Spelling::read(&word.text).and_then(|spelling| {
            let zone = zone_of(spelling.zone.as_deref(), self.names)?;
            let written = word.text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            Ok(Window { spelling, zone, written })
        });
        read.map_err(|message| self.error(&word.span, &message)).ok()
    }
}

#[cfg(test)]
mod tests;
