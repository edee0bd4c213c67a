//! What the new policy's offer under one name gives that the old one's doesn't, principal by principal.
//!
//! A peer runs something if it is one of those who may connect, one of those whom a rule names, and none of those who are
//! denied. So what it takes to gain something is one principal that does both; or two; or, where a deny has gone, whoever
//! it was for, together with those.

use super::super::key::Key;
use super::change::{Change, What};
use super::crowd::{Clause, Crowd, Who};
use super::gate::Gates;
use super::offer::Offer;
use super::scope::{Scope, joined};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Gains under one name that are held against each other at most, to tell none that another one includes.
const COMPARED_MAX: usize = 64;

/// What each principal may do by itself.
type Rights<'o, 'a> = BTreeMap<Key, (&'o Arc<str>, Vec<&'o Scope<'a>>)>;

/// Two offers under one name, with the gates before them.
pub(super) struct Comparison<'o, 'a> {
    pub(super) gates: &'o Gates,
    pub(super) what: What,
    pub(super) note: Option<String>,
    pub(super) old: &'o Offer<'a>,
    pub(super) new: &'o Offer<'a>,
}

impl Comparison<'_, '_> {
    /// Everything that is gained, in a lasting order.
    pub(super) fn gains(&self) -> Vec<Change> {
        let (old, new) = (self.old.by_principal(), self.new.by_principal());
        let finder = Finder { comparison: self, old, new };
        let mut found = finder.by_rules();
        found.extend(finder.by_denies());
        found.sort();
        found.dedup();
        found
    }
}

struct Finder<'o, 'a> {
    comparison: &'o Comparison<'o, 'a>,
    old: Rights<'o, 'a>,
    new: Rights<'o, 'a>,
}

impl<'o, 'a> Finder<'o, 'a> {
    /// What those gain whom neither policy denies.
    fn by_rules(&self) -> Vec<Change> {
        let gates = self.comparison.gates;
        let free = self.new.iter().filter(|(key, _)| gates.is_free(**key));
        let gains = free.map(|(key, (name, _))| {
            let clause = Clause::of([(key, *name)]);
            if !gates.new.contains_key(key) {
                return self.with_entry(*key, &clause);
            }
            let held = self.old_rights(gates.old.contains_key(key), &[*key]);
            self.told(&[clause], &self.beyond(*key, &held))
        });
        gains.flatten().collect()
    }

    /// What a principal gains that needs another one to connect.
    fn with_entry(&self, key: Key, clause: &Clause) -> Vec<Change> {
        let gates = self.comparison.gates;
        let entered = gates.old.contains_key(&key);
        let beyond_old = self.beyond(key, &self.old_rights(true, &[key]));
        let mut found = if entered || !self.old.contains_key(&key) {
            self.with_any(clause, &gates.entries, &beyond_old)
        } else {
            let with_newcomers = self.with_any(clause, &gates.newcomers, &self.beyond(key, &[]));
            [self.with_any(clause, &gates.residents, &beyond_old), with_newcomers].concat()
        };
        let named: BTreeSet<&Key> = self.old.keys().chain(self.new.keys()).collect();
        for (entry, name) in named.into_iter().filter_map(|entry| gates.entry(*entry)) {
            let mut held = self.old_rights(entered || gates.old.contains_key(entry), &[key, *entry]);
            held.extend(self.new.get(entry).into_iter().flat_map(|(_, scopes)| scopes));
            let clauses = [clause.clone(), Clause::of([(entry, name)])];
            found.extend(self.told(&clauses, &self.beyond(key, &held)));
        }
        found
    }

    /// What the principals of the clause gain together with one of these whom no rule names: being one of them gives nothing
    /// but the way in.
    fn with_any(&self, clause: &Clause, entries: &Clause, gained: &[Scope<'a>]) -> Vec<Change> {
        if gained.is_empty() {
            return Vec::new();
        }
        let is_named = |key: &Key| self.old.contains_key(key) || self.new.contains_key(key);
        self.told(&[clause.clone(), entries.without(is_named)], gained)
    }

    /// What those gain whom the old policy denies, by no longer being denied: whatever the new one permits.
    fn by_denies(&self) -> Vec<Change> {
        let Comparison { gates, new, .. } = &self.comparison;
        if gates.freed.is_empty() {
            return Vec::new();
        }
        let all = new.rules.iter().flat_map(|right| {
            let ways = freed(gates, &right.crowd).into_iter();
            ways.filter_map(move |who| Some((Who::of(&who, gates.world)?, &right.scope)))
        });
        let kept = all.fold(Vec::new(), keep);
        kept.iter().map(|(who, scope)| self.change(who, scope)).collect()
    }

    /// What the principal may do under the new policy, and none of these scopes holds.
    fn beyond(&self, key: Key, held: &[&Scope<'a>]) -> Vec<Scope<'a>> {
        let scopes = self.new.get(&key).map_or(&[][..], |(_, scopes)| scopes);
        let mut gained = Vec::new();
        for (index, scope) in scopes.iter().enumerate() {
            let told = scopes.iter().take(index);
            gained.extend(scope.without(held.iter().chain(told).copied()));
        }
        joined(gained)
    }

    /// What these may do together under the old policy, if they may connect.
    fn old_rights(&self, enter: bool, keys: &[Key]) -> Vec<&'o Scope<'a>> {
        let rights = keys.iter().filter(|_| enter).filter_map(|key| self.old.get(key));
        rights.flat_map(|(_, scopes)| scopes.iter().copied()).collect()
    }

    fn told(&self, who: &[Clause], scopes: &[Scope<'a>]) -> Vec<Change> {
        let who = if scopes.is_empty() { None } else { Who::of(who, self.comparison.gates.world) };
        let change = |who| scopes.iter().map(move |scope| self.change(&who, scope)).collect();
        who.map_or_else(Vec::new, change)
    }

    fn change(&self, who: &Who, scope: &Scope<'a>) -> Change {
        let Comparison { what, note, new, .. } = &self.comparison;
        let values = scope.told(new.command);
        Change { what: what.clone(), peer: who.clone(), values, times: scope.times(), note: note.clone() }
    }
}

/// Who gains what this crowd may do, by no longer being denied. Each is a list of clauses that have to hold together.
fn freed(gates: &Gates, crowd: &Crowd) -> Vec<Vec<Clause>> {
    let is_named = |key: &Key| crowd.contains_key(key) || crowd.contains_key(&key.by_kernel());
    let pick = |wanted: &dyn Fn(&Key) -> bool| Clause::of(crowd.iter().filter(|(key, _)| wanted(key)));
    let enters = |key: &Key| gates.new.contains_key(key);
    let is_freed = |key: &Key| gates.freed.contains_key(key);
    let inside = pick(&|key| gates.is_free(*key) && enters(key));
    let outside = pick(&|key| gates.is_free(*key) && !enters(key));
    let by_themselves = pick(&|key| is_freed(key) && enters(key)).each().into_iter().map(|one| vec![one]);
    let with_entry = pick(&|key| is_freed(key) && !enters(key)).each().into_iter();
    let others = [
        vec![gates.freed_all.without(is_named), inside],
        vec![gates.freed_inside.without(is_named), outside.clone()],
        vec![gates.freed_outside.without(is_named), outside, gates.entries.clone()],
    ];
    by_themselves.chain(with_entry.map(|one| vec![one, gates.everyone.clone()])).chain(others).collect()
}

/// Adds what is gained to the others, unless they say so already; and leaves out of them what it says, too.
fn keep<'s, 'a>(mut kept: Vec<(Who, &'s Scope<'a>)>, new: (Who, &'s Scope<'a>)) -> Vec<(Who, &'s Scope<'a>)> {
    let says = |one: &(Who, &Scope<'a>), other: &(Who, &Scope<'a>)| {
        one.0.includes(&other.0) && other.1.is_within(one.1)
    };
    if kept.len() > COMPARED_MAX {
        kept.push(new);
    } else if !kept.iter().any(|one| says(one, &new)) {
        kept.retain(|one| !says(&new, one));
        kept.push(new);
    }
    kept
}
