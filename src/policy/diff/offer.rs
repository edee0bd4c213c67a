//! What one policy offers under one name, and to whom. Knows nothing of who may connect.

use super::super::command::Command;
use super::super::condition::Condition;
use super::super::key::Key;
use super::crowd::{Crowd, World, crowd};
use super::scope::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A rule: for whom, what, and the same window by window.
pub(super) struct Right<'a> {
    pub(super) crowd: Crowd,
    pub(super) scope: Scope<'a>,
    parts: Vec<Scope<'a>>,
}

impl<'a> Right<'a> {
    fn new(crowd: Crowd, scope: Scope<'a>) -> Self {
        Self { crowd, parts: scope.by_window(), scope }
    }
}

/// The rules of a command, or of something like it.
#[derive(Default)]
pub(super) struct Offer<'a> {
    pub(super) command: Option<&'a Command>,
    pub(super) rules: Vec<Right<'a>>,
}

impl<'a> Offer<'a> {
    /// Of something that is theirs at all times.
    pub(super) fn plain(crowd: Crowd) -> Self {
        Self { command: None, rules: vec![Right::new(crowd, Scope::whole())] }
    }

    /// Of a built-in.
    pub(super) fn builtin(grants: impl IntoIterator<Item = &'a Condition>, world: World) -> Self {
        let rules =
            grants.into_iter().map(|grant| Right::new(crowd(grant, world), Scope::during(&grant.during)));
        Self { command: None, rules: rules.collect() }
    }

    /// Of a command.
    pub(super) fn command(command: &'a Command, world: World) -> Self {
        let rules = command
            .rules
            .iter()
            .map(|rule| Right::new(crowd(&rule.condition, world), Scope::of(command, rule)));
        Self { command: Some(command), rules: rules.collect() }
    }

    /// What each principal may do by itself.
    pub(super) fn by_principal(&self) -> BTreeMap<Key, (&Arc<str>, Vec<&Scope<'a>>)> {
        let mut all: BTreeMap<Key, (&Arc<str>, Vec<&Scope<'a>>)> = BTreeMap::new();
        for right in &self.rules {
            for (key, name) in &right.crowd {
                all.entry(*key).or_insert_with(|| (name, Vec::new())).1.extend(&right.parts);
            }
        }
        all
    }
}
