//! What one policy offers under one name, and to whom. Knows nothing of who may connect.

use super::super::command::Command;
use super::super::principal::Principals;
use super::crowd::{Crowd, Key, crowd};
use super::scope::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules of a command, or of something like it.
#[derive(Default)]
pub(super) struct Offer<'a> {
    pub(super) command: Option<&'a Command>,
    pub(super) rules: Vec<(Crowd, Scope<'a>)>,
}

impl<'a> Offer<'a> {
    /// Of something without arguments.
    pub(super) fn plain(crowds: impl IntoIterator<Item = Crowd>) -> Self {
        Self { command: None, rules: crowds.into_iter().map(|crowd| (crowd, Scope::whole())).collect() }
    }

    /// Of a built-in.
    pub(super) fn builtin<'p>(grants: impl IntoIterator<Item = &'p Principals>) -> Self {
        Self::plain(grants.into_iter().map(crowd))
    }

    /// Of a command.
    pub(super) fn command(command: &'a Command) -> Self {
        let rules = command.rules.iter().map(|rule| (crowd(&rule.who), Scope::of(command, rule)));
        Self { command: Some(command), rules: rules.collect() }
    }

    /// What each principal may do by itself.
    pub(super) fn by_principal(&self) -> BTreeMap<Key, (&Arc<str>, Vec<&Scope<'a>>)> {
        let mut all: BTreeMap<Key, (&Arc<str>, Vec<&Scope<'a>>)> = BTreeMap::new();
        for (crowd, scope) in &self.rules {
            for (key, name) in crowd {
                all.entry(*key).or_insert_with(|| (name, Vec::new())).1.push(scope);
            }
        }
        all
    }
}
