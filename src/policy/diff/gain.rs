//! What the new policy's offer under one name gives that the old one's doesn't, principal by principal.
//!
//! A peer runs something if it is one of those who may connect, one of those whom a rule names, and none of those who are
//! denied. So what it takes to gain something is one principal that does both; or two; or, where a deny has gone, whoever
//! it was for, together with those.

use super::change::{Change, What};
use super::crowd::{Clause, Crowd, Key, Who};
use super::gate::Gates;
use super::offer::Offer;
use super::scope::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;

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

impl<'o, 'a> Comparison<'o, 'a> {
    /// Everything that is gained, in a lasting order.
    pub(super) fn gains(self) -> Vec<Change> {
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
    comparison: Comparison<'o, 'a>,
    old: Rights<'o, 'a>,
    new: Rights<'o, 'a>,
}

impl<'o, 'a> Finder<'o, 'a> {
    /// What those gain whom neither policy denies.
    fn by_rules(&self) -> Vec<Change> {
        let gates = self.comparison.gates;
        let free = self.new.iter().filter(|(key, _)| gates.is_free(key));
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
        let with = |entries: &Clause, gained: &[Scope<'a>]| {
            self.told(&[clause.clone(), self.strangers(entries)], gained)
        };
        let entered = gates.old.contains_key(&key);
        let beyond_old = self.beyond(key, &self.old_rights(true, &[key]));
        let mut found = if entered || !self.old.contains_key(&key) {
            with(&gates.entries, &beyond_old)
        } else {
            [with(&gates.residents, &beyond_old), with(&gates.newcomers, &self.beyond(key, &[]))].concat()
        };
        for (entry, name) in
            gates.new.iter().filter(|(entry, _)| self.is_named(entry) && gates.is_free(entry))
        {
            let mut held = self.old_rights(entered || gates.old.contains_key(entry), &[key, *entry]);
            held.extend(self.new.get(entry).into_iter().flat_map(|(_, scopes)| scopes));
            found.extend(self.told(&[clause.clone(), Clause::of([(entry, name)])], &self.beyond(key, &held)));
        }
        found
    }

    /// What those gain whom the old policy denies, by no longer being denied: whatever the new one permits.
    fn by_denies(&self) -> Vec<Change> {
        let Comparison { gates, new, .. } = &self.comparison;
        if gates.freed.is_empty() {
            return Vec::new();
        }
        let gains = new.rules.iter().flat_map(|(crowd, scope)| {
            freed(gates, crowd).into_iter().flat_map(|who| self.told(&who, std::slice::from_ref(scope)))
        });
        gains.collect()
    }

    /// What the principal may do under the new policy, and none of these scopes holds.
    fn beyond(&self, key: Key, held: &[&Scope<'a>]) -> Vec<Scope<'a>> {
        let scopes = self.new.get(&key).map_or(&[][..], |(_, scopes)| scopes);
        let mut gained = Vec::new();
        for (index, scope) in scopes.iter().enumerate() {
            let told = scopes.iter().take(index);
            gained.extend(scope.without(held.iter().chain(told).copied()));
        }
        gained
    }

    /// What these may do together under the old policy, if they may connect.
    fn old_rights(&self, enter: bool, keys: &[Key]) -> Vec<&'o Scope<'a>> {
        let rights = keys.iter().filter(|_| enter).filter_map(|key| self.old.get(key));
        rights.flat_map(|(_, scopes)| scopes.iter().copied()).collect()
    }

    fn is_named(&self, key: &Key) -> bool {
        self.old.contains_key(key) || self.new.contains_key(key)
    }

    /// Those of the clause whom no rule names: being one of them gives nothing but the way in.
    fn strangers(&self, entries: &Clause) -> Clause {
        entries.without(|key| self.is_named(key))
    }

    fn told(&self, who: &[Clause], scopes: &[Scope<'a>]) -> Vec<Change> {
        if scopes.is_empty() {
            return Vec::new();
        }
        let Some(peer) = Who::of(who.to_vec()) else { return Vec::new() };
        let Comparison { what, note, new, .. } = &self.comparison;
        let change = |scope: &Scope<'a>| {
            let values = scope.told(new.command);
            Change { what: what.clone(), peer: peer.clone(), values, note: note.clone() }
        };
        scopes.iter().map(change).collect()
    }
}

/// Who gains what this crowd may do, by no longer being denied. Each is a list of clauses that have to hold together.
fn freed(gates: &Gates, crowd: &Crowd) -> Vec<Vec<Clause>> {
    let pick =
        |from: &Crowd, wanted: &dyn Fn(&Key) -> bool| Clause::of(from.iter().filter(|(key, _)| wanted(key)));
    let enters = |key: &Key| gates.new.contains_key(key);
    let is_freed = |key: &Key| gates.freed.contains_key(key);
    let themselves_inside = pick(crowd, &|key| is_freed(key) && enters(key));
    let themselves_outside = pick(crowd, &|key| is_freed(key) && !enters(key));
    let inside = pick(crowd, &|key| gates.is_free(key) && enters(key));
    let outside = pick(crowd, &|key| gates.is_free(key) && !enters(key));
    let others = pick(&gates.freed, &|key| !crowd.contains_key(key));
    let others_inside = pick(&gates.freed, &|key| !crowd.contains_key(key) && enters(key));
    let others_outside = pick(&gates.freed, &|key| !crowd.contains_key(key) && !enters(key));
    let mut all: Vec<Vec<Clause>> = themselves_inside.each().map(|one| vec![one]).collect();
    all.extend(themselves_outside.each().map(|one| vec![one, gates.everyone.clone()]));
    all.extend([
        vec![others, inside],
        vec![others_inside, outside.clone()],
        vec![others_outside, outside, gates.entries.clone()],
    ]);
    all
}
