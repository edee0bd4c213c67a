//! How often, and how many at once: the limits of a command that it sets itself. Counts nothing.

use super::origin::Origin;
use super::reader::{Item, Reader};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Runs that a rate may allow.
const RUNS: RangeInclusive<u32> = 1..=1000;

/// Runs of one command that may be let be under way at once; those of all commands are capped where they run.
const RUNNING: RangeInclusive<u32> = 1..=1000;

/// The spans of time of a rate, with their seconds.
const SPANS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 60 * 60), ("day", 24 * 60 * 60)];

/// How often one user may run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many runs, from 1 to 1000,
    pub runs: usize,
    /// within any span so long.
    pub per: Duration,
    /// The file and line that say so.
    pub origin: Origin,
    span: &'static str,
}

impl fmt::Display for Rate {
    /// As the policy writes it: `5/min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.runs, self.span)
    }
}

/// How many runs of a command may be under way at once, whoever asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxRunning {
    /// So many.
    pub runs: usize,
    /// The file and line that say so.
    pub origin: Origin,
}

impl Reader<'_> {
    /// Reads `5/min`.
    pub(super) fn rate(&mut self, item: &Item<'_>) -> Option<Rate> {
        let word = self.word(item)?;
        let origin = self.origin(&word.span);
        match rate_of(&word.text) {
            Ok((runs, (span, seconds))) => {
                Some(Rate { runs, per: Duration::from_secs(seconds), origin, span })
            }
            Err(message) => {
                self.error(&word.span, &message);
                None
            }
        }
    }

    /// Reads `max-running`.
    pub(super) fn max_running(&mut self, item: &Item<'_>) -> Option<MaxRunning> {
        let number = self.integer(item)?;
        let runs = u32::try_from(number).ok().filter(|runs| RUNNING.contains(runs));
        if runs.is_none() {
            self.error(
                &item.span(),
                &format!("max-running is from {} to {}", RUNNING.start(), RUNNING.end()),
            );
        }
        Some(MaxRunning { runs: usize::try_from(runs?).ok()?, origin: self.origin(&item.span()) })
    }
}

fn rate_of(text: &str) -> Result<(usize, (&'static str, u64)), String> {
    let unreadable = || format!("{text:?} is no rate; write \"5/min\", with s, min, h or day");
    let (runs, span) = text.split_once('/').ok_or_else(unreadable)?;
    let span = SPANS.into_iter().find(|(name, _)| *name == span).ok_or_else(unreadable)?;
    if runs.is_empty() || !runs.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(unreadable());
    }
    let runs =
        runs.parse().ok().filter(|runs| RUNS.contains(runs)).and_then(|runs: u32| usize::try_from(runs).ok());
    let runs = runs.ok_or_else(|| format!("a rate allows from {} to {} runs", RUNS.start(), RUNS.end()))?;
    Ok((runs, span))
}
