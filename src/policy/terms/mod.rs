//! On what terms a command runs: everything that its table sets beside what runs and for whom. Enforces none of it.

mod bounds;
mod delivery;
mod input;
pub(super) mod manner;
mod property;
mod runner;

pub use bounds::{Ceilings, Enforcement, Percent};
pub(super) use bounds::{ENFORCEMENTS, SHARE, TASKS_LIMIT};
pub(super) use delivery::WAYS;
pub use delivery::{Delivery, Keep, OnDisconnect};
pub use input::{INPUT_MAX, Input};
pub(super) use property::SECTION as UNIT_OF_COMMAND;
pub use property::{Property, Setting};
pub use runner::Runner;

use manner::Manner;

use super::rate::{MaxRunning, Rate};
use super::reader::{Item, Reader};
use std::time::Duration;
use toml::de::DeTable;

/// How long a command may take that says nothing of it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10 * 60);

/// The longest timeout that is a limit.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The terms of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long it may take; `None` is no limit.
    pub timeout: Option<Duration>,
    /// How often one user may run it; `None` is as often as it likes.
    pub rate: Option<Rate>,
    /// How many runs of it may be under way at once; `None` is as many as there is room for.
    pub max_running: Option<MaxRunning>,
    /// What starts it.
    pub runner: Runner,
    /// What a client may give as its standard input.
    pub input: Input,
    /// What becomes of its output.
    pub delivery: Delivery,
    /// How much of the machine it may take.
    pub ceilings: Ceilings,
    /// As what, where, with what, and within which bounds.
    pub manner: Manner,
}

/// A span of time; `None` is no limit.
struct Limit(Option<Duration>);

impl Reader<'_> {
    /// Reads the terms in the table of a command; `None` where one has an error.
    pub(super) fn terms(&mut self, table: &DeTable<'_>) -> Option<Terms> {
        let timeout = self.term(table, "timeout", Self::timeout);
        let rate = self.term(table, "rate", Self::rate);
        let max_running = self.term(table, "max-running", Self::max_running);
        let runner = self.runner(table);
        let input = self.input(table);
        let delivery = self.delivery(table);
        let ceilings = self.ceilings(table);
        let manner = self.manner(table);
        Some(Terms {
            timeout: timeout?.map_or(Some(TIMEOUT_DEFAULT), |limit| limit.0),
            rate: rate?,
            max_running: max_running?,
            runner: runner?,
            input: input?,
            delivery: delivery?,
            ceilings: ceilings?,
            manner: manner?,
        })
    }

    /// Reads one key of the table: `Some(None)` where it is not there, `None` where it has an error.
    #[expect(clippy::option_option, reason = "not there and not right are two things")]
    pub(super) fn term<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        read: fn(&mut Self, &Item<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        table.get(key).map_or(Some(None), |item| read(self, item).map(Some))
    }

    fn timeout(&mut self, item: &Item<'_>) -> Option<Limit> {
        let limit = self.limit(item, "a timeout")?;
        if limit.0 == Some(Duration::ZERO) {
            self.error(&item.span(), "a timeout is longer than zero; \"infinity\" is none");
            return None;
        }
        Some(limit)
    }

    /// Reads a span of time up to the longest, or `"infinity"`. `what` has its article.
    fn limit(&mut self, item: &Item<'_>, what: &str) -> Option<Limit> {
        if let Some(number) = item.get_ref().as_integer() {
            let message = format!("{what} has a unit: \"{0}s\", or \"{0}min\"", number.as_str());
            self.error(&item.span(), &message);
            return None;
        }
        let word = self.word(item)?;
        if word.text == "infinity" {
            return Some(Limit(None));
        }
        let message = match humantime::parse_duration(&word.text) {
            Ok(limit) if limit <= TIMEOUT_MAX => return Some(Limit(Some(limit))),
            Ok(_) => format!("{what} is at most 366 days; \"infinity\" is none"),
            Err(_) => {
                let noun = what.split_once(' ').map_or(what, |(_, noun)| noun);
                format!("{:?} is no {noun}; write \"30s\" or \"10min\"", word.text)
            }
        };
        self.error(&word.span, &message);
        None
    }
}
