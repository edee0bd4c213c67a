//! Whom a difference is about: users and groups, several of which may have to come together. Matches no peer itself.

use super::super::principal::Principals;
use crate::identity::{Gid, Uid};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Principals that are told at most; of the others the number is.
const SHOWN: usize = 8;

/// What makes two principals the same, whatever they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    User(Uid),
    Group(Gid),
}

/// Principals with what the policy calls them.
pub(super) type Crowd = BTreeMap<Key, Arc<str>>;

/// The users and groups of a rule.
pub(super) fn crowd(principals: &Principals) -> Crowd {
    let users = principals.users().map(|(uid, name)| (Key::User(uid), Arc::from(name)));
    let groups = principals.groups().map(|(gid, name)| (Key::Group(gid), Arc::from(name)));
    users.chain(groups).collect()
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
            Key::Group(_) => "group",
        }
    }

    /// The name, or the number where the policy gives a number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name)
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
        self.0.iter().any(|one| one.key == user || matches!(one.key, Key::Group(_)))
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
pub(super) struct Who(Vec<Clause>);

impl Who {
    /// The peer of these clauses, unless there can be none.
    pub(super) fn of(clauses: Vec<Clause>) -> Option<Self> {
        let possible: Vec<Clause> = clauses.iter().map(|clause| possible(clause, &clauses)).collect();
        possible.iter().all(|clause| !clause.0.is_empty()).then_some(Self(possible))
    }

    /// The clauses.
    pub(super) fn clauses(&self) -> impl Iterator<Item = &[Principal]> {
        self.0.iter().map(Clause::principals)
    }
}

/// The clause without users who can't be what the others ask for.
fn possible(clause: &Clause, all: &[Clause]) -> Clause {
    let is_possible = |one: &Principal| match one.key {
        Key::User(_) => all.iter().all(|other| other.leaves_room_for(one.key)),
        Key::Group(_) => true,
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
            Key::Group(_) => format!("in {one}"),
        };
        let mut clauses = self.0.iter();
        f.write_str(&clauses.next().map_or_else(String::new, |first| first.text(ToString::to_string)))?;
        for (index, clause) in clauses.enumerate() {
            let joint = if index == 0 { ", if also " } else { " and " };
            write!(f, "{joint}{}", clause.text(in_group))?;
        }
        Ok(())
    }
}
