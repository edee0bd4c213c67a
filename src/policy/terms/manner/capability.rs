//! Capabilities by their names. Knows none by a number, and takes none that it does not know.

use super::super::super::language;
use super::super::super::nearest::did_you_mean;
use super::super::super::reader::{Item, Reader, Word};
use std::fmt;

/// Their names, each at its number (linux/capability.h), without `CAP_`.
pub(in crate::policy) const NAMES: [&str; 41] = [
    "chown",
    "dac-override",
    "dac-read-search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux-immutable",
    "net-bind-service",
    "net-broadcast",
    "net-admin",
    "net-raw",
    "ipc-lock",
    "ipc-owner",
    "sys-module",
    "sys-rawio",
    "sys-chroot",
    "sys-ptrace",
    "sys-pacct",
    "sys-admin",
    "sys-boot",
    "sys-nice",
    "sys-resource",
    "sys-time",
    "sys-tty-config",
    "mknod",
    "lease",
    "audit-write",
    "audit-control",
    "setfcap",
    "mac-override",
    "mac-admin",
    "syslog",
    "wake-alarm",
    "block-suspend",
    "audit-read",
    "perfmon",
    "bpf",
    "checkpoint-restore",
];

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// A bit for each, by its number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether each of the others is in it.
    #[must_use]
    pub const fn holds(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Whether none is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().zip(0..).filter(move |(_, number)| self.0 >> number & 1 == 1).map(|(name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        let number = NAMES.iter().position(|known| *known == name)?;
        Some(Self(1 << number))
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names().collect();
        f.write_str(&if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    }
}

/// `ambient` and `bounding`.
type Sets = (CapabilitySet, Option<CapabilitySet>);

impl Reader<'_> {
    pub(super) fn capabilities(&mut self, item: &Item<'_>) -> Option<Sets> {
        let table = self.table(item)?;
        self.known_keys(table, &language::CAPABILITIES);
        let ambient = self.term(table, "ambient", Self::capability_set);
        let bounding = self.term(table, "bounding", Self::capability_set);
        let (ambient, bounding) = (ambient?.unwrap_or_default(), bounding?);
        if bounding.is_some_and(|bounding| !bounding.holds(ambient)) {
            self.error(&item.span(), "what is ambient must be in bounding, too");
            return None;
        }
        Some((ambient, bounding))
    }

    fn capability_set(&mut self, item: &Item<'_>) -> Option<CapabilitySet> {
        let (count, words) = (self.list(item).len(), self.words(item));
        let sets: Vec<_> = words.iter().filter_map(|word| self.capability(word)).collect();
        let all = sets.iter().fold(0, |all, one| all | one.0);
        (sets.len() == count && item.get_ref().is_array()).then_some(CapabilitySet(all))
    }

    /// One, by its name here, or as capabilities(7) writes it.
    fn capability(&mut self, word: &Word) -> Option<CapabilitySet> {
        let manual = word.text.strip_prefix("CAP_").map(|rest| rest.to_ascii_lowercase().replace('_', "-"));
        let name = manual.as_deref().unwrap_or(&word.text);
        CapabilitySet::named(name).or_else(|| {
            let close = did_you_mean(&name.to_ascii_lowercase().replace('_', "-"), NAMES);
            self.error(&word.span, &format!("no such capability: {:?}{close}", word.text));
            None
        })
    }
}
