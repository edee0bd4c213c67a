//! Whom a difference is about: users and groups, several of which may have to come together. Matches no peer itself.

use super::super::condition::{Condition, GroupsFrom, Principals};
use super::super::key::Key;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Principals that are told at most; of the others the number is.
const SHOWN: usize = 8;

/// Principals with what the policy calls them.
pub(super) type Crowd = BTreeMap<Key, Arc<str>>;

/// Which peers are looked at: those of our own user namespace, or those of others, for whom few rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum World {
    Own,
    Foreign,
}

/// Those of this world for whom the condition holds.
pub(super) fn crowd(condition: &Condition, world: World) -> Crowd {
    if world == World::Foreign && !condition.foreign_namespace {
        return Crowd::new();
    }
    named(&condition.who, &[condition.groups_from])
}

/// The same without their names, quickly.
pub(super) fn keys(condition: &Condition, world: World) -> impl Iterator<Item = Key> {
    let here = world == World::Own || condition.foreign_namespace;
    let lists = condition.who.lists().filter(move |_| here);
    lists.flat_map(|(list, _)| Key::of_list(list, condition.groups_from))
}

/// Those whom a deny is for: a group by whosever word.
pub(super) fn denied(who: &Principals) -> Crowd {
    named(who, &[GroupsFrom::Kernel, GroupsFrom::Database])
}

fn named(who: &Principals, words: &[GroupsFrom]) -> Crowd {
    let mut all = Crowd::new();
    for (list, _) in who.lists() {
        all.extend(list.users.iter().map(|user| (Key::User(user.id), Arc::from(&*user.name))));
        for group in &list.groups {
            all.extend(words.iter().map(|from| (Key::group(group.id, *from), Arc::from(&*group.name))));
        }
    }
    all
}

/// A user or a group, as the policy names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    key: Key,
    name: Arc<str>,
}

impl Principal {
    /// `user` or `group`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.key {
            Key::User(_) => "user",
            Key::Group(_) | Key::Listed(_) => "group",
        }
    }

    /// Whether it is a group by the word of the user database, not of the kernel.
    #[must_use]
    pub const fn is_by_database(&self) -> bool {
        matches!(self.key, Key::Listed(_))
    }

    /// The name, or the number where the policy gives a number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_by_database() { " of the user database" } else { "" };
        write!(f, "{} {}{word}", self.kind(), self.name)
    }
}

/// Being one of these is enough.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clause(Arc<Vec<Principal>>);

impl Clause {
    /// One of the crowd.
    pub(super) fn of<'a>(crowd: impl IntoIterator<Item = (&'a Key, &'a Arc<str>)>) -> Self {
        let members = crowd.into_iter().map(|(key, name)| Principal { key: *key, name: Arc::clone(name) });
        Self(Arc::new(members.collect()))
    }

    /// One of those whom a deny was for: a group is told once, by whosever word.
    pub(super) fn of_denied(crowd: &Crowd, wanted: impl Fn(&Key) -> bool) -> Self {
        let wanted = |key: &Key| wanted(key) && !(key.by_kernel() != *key && wanted(&key.by_kernel()));
        Self::of(crowd.iter().filter(|(key, _)| wanted(key)))
    }

    /// The clause without those.
    pub(super) fn without(&self, those: impl Fn(&Key) -> bool) -> Self {
        if self.0.iter().any(|one| those(&one.key)) {
            Self(Arc::new(self.0.iter().filter(|one| !those(&one.key)).cloned().collect()))
        } else {
            self.clone()
        }
    }

    /// A clause for each of its principals.
    pub(super) fn each(&self) -> Vec<Self> {
        self.0.iter().map(|one| Self(Arc::new(vec![one.clone()]))).collect()
    }

    /// Its principals, the users first.
    pub(super) fn principals(&self) -> &[Principal] {
        &self.0
    }

    /// Whether a peer can be one of these beside being that user.
    fn leaves_room_for(&self, user: Key) -> bool {
        self.0.iter().any(|one| one.key == user || !matches!(one.key, Key::User(_)))
    }

    fn includes(&self, other: &Self) -> bool {
        other.0.len() <= self.0.len()
            && other.0.iter().all(|one| self.0.iter().any(|mine| mine.key == one.key))
    }

    fn text(&self, said: impl Fn(&Principal) -> String) -> String {
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(said).collect();
        let more = self.0.len() - shown.len();
        let rest = if more == 0 { String::new() } else { format!(" or {more} more") };
        shown.join(" or ") + &rest
    }
}

/// A peer of whom each clause holds. No one is two users: principals that could only be that are left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    clauses: Vec<Clause>,
    world: World,
}

impl Who {
    /// The peer of these clauses, unless there can be none.
    pub(super) fn of(clauses: &[Clause], world: World) -> Option<Self> {
        let clauses: Vec<Clause> = clauses.iter().map(|clause| possible(clause, clauses)).collect();
        clauses.iter().all(|clause| !clause.0.is_empty()).then_some(Self { clauses, world })
    }

    /// Whether it lives in another user namespace.
    pub(super) fn is_foreign(&self) -> bool {
        self.world == World::Foreign
    }

    /// Whether every peer that the other is about is such a peer, as far as the clauses show it.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.clauses.iter().all(|wide| other.clauses.iter().any(|narrow| wide.includes(narrow)))
    }

    /// The clauses.
    pub(super) fn clauses(&self) -> impl Iterator<Item = &[Principal]> {
        self.clauses.iter().map(Clause::principals)
    }
}

/// The clause without users who can't be what the others ask for.
fn possible(clause: &Clause, all: &[Clause]) -> Clause {
    let is_possible = |one: &Principal| match one.key {
        Key::User(_) => all.iter().all(|other| other.leaves_room_for(one.key)),
        Key::Group(_) | Key::Listed(_) => true,
    };
    if clause.0.iter().all(is_possible) {
        return clause.clone();
    }
    Clause(Arc::new(clause.0.iter().filter(|one| is_possible(one)).cloned().collect()))
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_group = |one: &Principal| match one.key {
            Key::User(_) => one.to_string(),
            Key::Group(_) | Key::Listed(_) => format!("in {one}"),
        };
        let mut clauses = self.clauses.iter();
        f.write_str(&clauses.next().map_or_else(String::new, |first| first.text(ToString::to_string)))?;
        for (index, clause) in clauses.enumerate() {
            let joint = if index == 0 { ", if also " } else { ", and " };
            write!(f, "{joint}{}", clause.text(in_group))?;
        }
        f.write_str(if self.is_foreign() { ", in another user namespace" } else { "" })
    }
}
