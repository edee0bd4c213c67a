//! Who may connect under the one policy and under the other. Knows no commands.

use super::super::Policy;
use super::super::command::Command;
use super::super::key::Key;
use super::crowd::{Clause, Crowd, World, crowd, denied, keys};
use std::sync::Arc;

/// Whom each of two policies lets in, and whom it denies.
pub(super) struct Gates {
    /// The peers that are looked at.
    pub(super) world: World,
    /// Who may connect under the new policy.
    pub(super) new: Crowd,
    /// Who may connect under the old one.
    pub(super) old: Crowd,
    /// Whom the old policy denies, and the new one doesn't.
    pub(super) freed: Crowd,
    /// The same, to be told.
    pub(super) freed_all: Clause,
    /// Those of `freed` who may connect by what they are.
    pub(super) freed_inside: Clause,
    /// Those of `freed` who need something else to connect.
    pub(super) freed_outside: Clause,
    /// Whom either denies.
    denied: Crowd,
    /// Those of `new` whom neither denies and `old` doesn't have.
    pub(super) newcomers: Clause,
    /// Whether there are any.
    has_newcomers: bool,
    /// Those of `new` whom neither denies and `old` has, too.
    pub(super) residents: Clause,
    /// Those of `new` who were not denied.
    pub(super) entries: Clause,
    /// All of `new`.
    pub(super) everyone: Clause,
}

impl Gates {
    pub(super) fn of(old: &Policy, new: &Policy, world: World) -> Self {
        let admitted = |policy: &Policy| policy.allow.iter().flat_map(|gate| crowd(gate, world)).collect();
        let (old_denied, new_denied) = (denied(&old.deny), denied(&new.deny));
        let (old, new) = (without(admitted(old), &old_denied), without(admitted(new), &new_denied));
        let freed = without(old_denied.clone(), &new_denied);
        let entering = || new.iter().filter(|(key, _)| !old_denied.contains_key(key));
        Self {
            world,
            newcomers: Clause::of(entering().filter(|(key, _)| !old.contains_key(key))),
            has_newcomers: entering().any(|(key, _)| !old.contains_key(key)),
            residents: Clause::of(entering().filter(|(key, _)| old.contains_key(key))),
            entries: Clause::of(entering()),
            everyone: Clause::of(&new),
            freed_all: Clause::of_denied(&freed, |_| true),
            freed_inside: Clause::of_denied(&freed, |key| new.contains_key(key)),
            freed_outside: Clause::of_denied(&freed, |key| key.by_kernel() == *key && !new.contains_key(key)),
            freed,
            denied: old_denied.into_iter().chain(new_denied).collect(),
            old,
            new,
        }
    }

    /// Whether nobody gains anything by a command that is the same under both policies.
    pub(super) fn open_nothing_to(&self, command: &Command) -> bool {
        let comes_in = |key: &Key| self.new.contains_key(key) && !self.old.contains_key(key);
        let finds_way = |key: &Key| !self.new.contains_key(key) && self.has_newcomers;
        let mut named = command.rules.iter().flat_map(|rule| keys(&rule.condition, self.world));
        self.freed.is_empty() && (!self.has_newcomers || !named.any(|key| comes_in(&key) || finds_way(&key)))
    }

    /// The principal as the new policy lets it in, if neither denies it.
    pub(super) fn entry(&self, key: Key) -> Option<(&Key, &Arc<str>)> {
        self.new.get_key_value(&key).filter(|_| self.is_free(key))
    }

    /// Whether neither policy denies it.
    pub(super) fn is_free(&self, key: Key) -> bool {
        !self.denied.contains_key(&key)
    }
}

/// The crowd without those.
fn without(mut crowd: Crowd, those: &Crowd) -> Crowd {
    crowd.retain(|key, _| !those.contains_key(key));
    crowd
}
