//! Limits of resources, as setrlimit(2) has them. Cuts none to what may be had.

use super::super::super::language;
use super::super::super::reader::{Item, Reader, Word};
use super::super::super::size::size_of;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use toml::de::DeTable;

/// A resource that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Resource {
    /// Address space, in octets.
    As,
    /// A core file, in octets.
    Core,
    /// Time of the processor, in seconds.
    Cpu,
    /// The data segment, in octets.
    Data,
    /// A file that is written, in octets.
    Fsize,
    /// Memory that is locked, in octets.
    Memlock,
    /// POSIX message queues of the user, in octets.
    Msgqueue,
    /// Descriptors: one more than the highest number.
    Nofile,
    /// Processes of the user, those of others than this command among them.
    Nproc,
    /// The real-time priority.
    Rtprio,
    /// Signals that wait, of the user.
    Sigpending,
    /// The stack, in octets.
    Stack,
}

/// What a limit is a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Octets,
    Seconds,
    Things,
}

impl Resource {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::As,
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::Fsize,
        Self::Memlock,
        Self::Msgqueue,
        Self::Nofile,
        Self::Nproc,
        Self::Rtprio,
        Self::Sigpending,
        Self::Stack,
    ];

    /// Its name in a policy: that of `RLIMIT_*` in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::Fsize => "fsize",
            Self::Memlock => "memlock",
            Self::Msgqueue => "msgqueue",
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Rtprio => "rtprio",
            Self::Sigpending => "sigpending",
            Self::Stack => "stack",
        }
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Cpu => Unit::Seconds,
            Self::Nofile | Self::Nproc | Self::Rtprio | Self::Sigpending => Unit::Things,
            Self::As
            | Self::Core
            | Self::Data
            | Self::Fsize
            | Self::Memlock
            | Self::Msgqueue
            | Self::Stack => Unit::Octets,
        }
    }
}

/// A limit, as setrlimit(2) takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What counts, which the program may raise as far as `hard`.
    pub soft: u64,
    /// The most that it may have.
    pub hard: u64,
}

/// `RLIM_INFINITY` (sys/resource.h).
const INFINITY: u64 = u64::MAX;

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |number: u64| if number == INFINITY { "infinity".to_owned() } else { number.to_string() };
        if self.soft == self.hard {
            return f.write_str(&number(self.soft));
        }
        write!(f, "{}:{}", number(self.soft), number(self.hard))
    }
}

impl Reader<'_> {
    pub(super) fn limits(&mut self, item: &Item<'_>) -> Option<Vec<(Resource, Bounds)>> {
        let table = self.table(item)?;
        self.known_keys(table, &language::LIMITS);
        let given: Vec<_> = Resource::ALL
            .into_iter()
            .filter_map(|resource| Some((resource, table.get(resource.name())?)))
            .collect();
        let read: Vec<_> = given
            .iter()
            .filter_map(|(resource, item)| Some((*resource, self.bounds_of(item, *resource)?)))
            .collect();
        (read.len() == given.len()).then_some(read)
    }

    fn bounds_of(&mut self, item: &Item<'_>, resource: Resource) -> Option<Bounds> {
        let Some(table) = item.get_ref().as_table() else {
            let both = self.most(item, resource)?;
            return Some(Bounds { soft: both, hard: both });
        };
        self.known_keys(table, &language::BOUNDS);
        let (soft, hard) = (self.end(table, "soft", item, resource), self.end(table, "hard", item, resource));
        let bounds = Bounds { soft: soft?, hard: hard? };
        if bounds.soft > bounds.hard {
            self.error(&item.span(), "soft is at most hard");
            return None;
        }
        Some(bounds)
    }

    fn end(&mut self, table: &DeTable<'_>, key: &str, whole: &Item<'_>, resource: Resource) -> Option<u64> {
        let Some(item) = table.get(key) else {
            self.error(&whole.span(), "a limit is one value, or has both soft and hard");
            return None;
        };
        self.most(item, resource)
    }

    fn most(&mut self, item: &Item<'_>, resource: Resource) -> Option<u64> {
        if item.get_ref().is_integer() && resource.unit() != Unit::Seconds {
            let value = self.integer(item)?;
            let message = format!("a limit is 0 or more, and not {value}; \"infinity\" is none");
            return u64::try_from(value).map_err(|_| self.error(&item.span(), &message)).ok();
        }
        if item.get_ref().is_integer() {
            self.error(&item.span(), "a limit of time has a unit: \"60s\", \"5min\"");
            return None;
        }
        let word = self.word(item)?;
        let most =
            if word.text == "infinity" { Some(INFINITY) } else { in_units(&word.text, resource.unit()) };
        most.or_else(|| self.no_limit(&word, resource))
    }

    fn no_limit(&mut self, word: &Word, resource: Resource) -> Option<u64> {
        let like = match resource.unit() {
            Unit::Octets => "\"512MiB\", a plain number of octets",
            Unit::Seconds => "\"60s\" or \"5min\", whole seconds",
            Unit::Things => "a plain number, without quotes",
        };
        let (text, name) = (&word.text, resource.name());
        self.error(&word.span, &format!("{text:?} is no limit {name}; write {like}, or \"infinity\""));
        None
    }
}

fn in_units(text: &str, unit: Unit) -> Option<u64> {
    match unit {
        Unit::Octets => size_of(text).map(|size| size.0),
        Unit::Seconds => seconds(text),
        Unit::Things => None,
    }
}

fn seconds(text: &str) -> Option<u64> {
    let length = humantime::parse_duration(text).ok()?;
    (length >= Duration::from_secs(1) && length.subsec_nanos() == 0).then_some(length.as_secs())
}
