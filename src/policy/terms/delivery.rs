//! What becomes of a command's output, and of the command where nobody takes it: as the policy says. Passes nothing on.

use super::super::language;
use super::super::reader::{Item, Reader};
use super::super::size::Size;
use std::time::Duration;
use toml::de::DeTable;

/// How long the result of a run is kept where nothing else is said: as long as its `id=` is known.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// How long the result of a run may be kept.
const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of the end of each stream is kept where nothing else is said.
const KEPT_OUTPUT: Size = Size(64 << 10);

/// How much of the end of each stream may be kept.
const KEPT_OUTPUT_MAX: Size = Size(1 << 20);

/// The shortest time that a client is given to read.
const STALL_MIN: Duration = Duration::from_secs(1);

/// What becomes of a run whose client is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It goes on to its own end.
    #[default]
    Finish,
    /// It is told to end.
    Term,
}

impl OnDisconnect {
    /// As the policy writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Term => "term",
        }
    }
}

/// The words for [`OnDisconnect`].
pub(in crate::policy) const WAYS: [&str; 2] = [OnDisconnect::Finish.word(), OnDisconnect::Term.word()];

/// How much is kept of a run that is over, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// From its end on.
    pub time: Duration,
    /// Of the end of each of its two streams.
    pub output: Size,
}

/// What becomes of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What both streams may come to, in octets; `None` is without limit.
    pub output_limit: Option<Size>,
    /// How long a client may read nothing while there is something to read; `None` is for ever.
    pub stall_timeout: Option<Duration>,
    /// What becomes of a run whose client is gone.
    pub on_disconnect: OnDisconnect,
    /// What is kept of it.
    pub keep: Keep,
}

impl Reader<'_> {
    /// Reads what the table of a command says of its output.
    pub(super) fn delivery(&mut self, table: &DeTable<'_>) -> Option<Delivery> {
        let output_limit = self.term(table, "output-limit", Self::output_limit);
        let stall_timeout = self.term(table, "stall-timeout", Self::stall_timeout);
        let on_disconnect = self.term(table, "on-disconnect", Self::on_disconnect);
        let keep = self.term(table, "keep", Self::keep);
        Some(Delivery {
            output_limit: output_limit?.flatten(),
            stall_timeout: stall_timeout?.flatten(),
            on_disconnect: on_disconnect?.unwrap_or_default(),
            keep: keep?.unwrap_or(Keep { time: KEPT, output: KEPT_OUTPUT }),
        })
    }

    #[expect(clippy::option_option, reason = "no limit and no size are two things")]
    fn output_limit(&mut self, item: &Item<'_>) -> Option<Option<Size>> {
        let limit = self.size_or_infinity(item)?;
        if limit == Some(Size(0)) {
            self.error(&item.span(), "an output limit is above zero; \"infinity\" is none");
            return None;
        }
        Some(limit)
    }

    #[expect(clippy::option_option, reason = "no limit and no time are two things")]
    fn stall_timeout(&mut self, item: &Item<'_>) -> Option<Option<Duration>> {
        let limit = self.limit(item, "a stall-timeout")?.0;
        if limit.is_some_and(|limit| limit < STALL_MIN) {
            self.error(&item.span(), "a stall-timeout is at least 1s; \"infinity\" is none");
            return None;
        }
        Some(limit)
    }

    fn on_disconnect(&mut self, item: &Item<'_>) -> Option<OnDisconnect> {
        let word = self.word(item)?;
        let ways = [OnDisconnect::Finish, OnDisconnect::Term];
        let way = ways.into_iter().find(|way| way.word() == word.text);
        if way.is_none() {
            self.error(&word.span, &format!("{:?} must be \"finish\" or \"term\"", word.text));
        }
        way
    }

    fn keep(&mut self, item: &Item<'_>) -> Option<Keep> {
        let table = self.table(item)?;
        self.known_keys(table, &language::KEEP);
        let time = self.term(table, "time", Self::kept_time);
        let output = self.term(table, "output", Self::kept_output);
        Some(Keep { time: time?.unwrap_or(KEPT), output: output?.unwrap_or(KEPT_OUTPUT) })
    }

    fn kept_time(&mut self, item: &Item<'_>) -> Option<Duration> {
        let word = self.word(item)?;
        let time = humantime::parse_duration(&word.text).ok().filter(|time| *time <= KEPT_MAX);
        if time.is_none() {
            self.error(&word.span, &format!("{:?} must be a time up to a day: \"10min\", \"1h\"", word.text));
        }
        time
    }

    fn kept_output(&mut self, item: &Item<'_>) -> Option<Size> {
        let size = self.size(item)?;
        if size > KEPT_OUTPUT_MAX {
            self.error(&item.span(), &format!("at most {KEPT_OUTPUT_MAX} of output are kept"));
            return None;
        }
        Some(size)
    }
}
