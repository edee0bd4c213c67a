//! Whom the lists of a policy name, and who of the user database that is. Counts; asks the policy for every verdict.

use super::super::Policy;
use super::super::condition::{Condition, Principals};
use super::super::origin::Place;
use super::super::principal::{Member, Members};
use super::super::role::RoleUse;
use crate::identity::{Gid, Peer, Uid};
use std::collections::BTreeMap;

/// The users whom a database lists.
pub(super) struct Population<'a> {
    peers: BTreeMap<Uid, &'a Peer>,
    able: Vec<&'a Peer>,
}

impl<'a> Population<'a> {
    pub(super) fn new(policy: &Policy, peers: &'a [Peer]) -> Self {
        let granted =
            |peer: &Peer| policy.builtins.iter().any(|(_, condition)| condition.matching(peer).is_some());
        let is_able = |peer: &Peer| {
            policy.is_admitted(peer) && granted(peer) || policy.visible_commands(peer).next().is_some()
        };
        let able = peers.iter().filter(|peer| is_able(peer)).collect();
        Self { peers: peers.iter().map(|peer| (peer.uid, peer)).collect(), able }
    }

    /// The user, if the database lists it.
    pub(super) fn user(&self, uid: Uid) -> Option<&'a Peer> {
        self.peers.get(&uid).copied()
    }

    /// Those who may connect and do something then.
    pub(super) fn able(&self) -> &[&'a Peer] {
        &self.able
    }

    /// Those of the group.
    pub(super) fn members(&self, gid: Gid) -> impl Iterator<Item = &'a Peer> {
        self.peers.values().copied().filter(move |peer| peer.groups.contains(&gid))
    }
}

/// What a list names in one word.
#[derive(Clone, Copy)]
pub(super) enum Named<'a> {
    User(&'a Member<Uid>),
    Group(&'a Member<Gid>),
    Role(&'a RoleUse),
}

impl<'a> Named<'a> {
    /// Where the list names it.
    pub(super) fn place(self) -> &'a Place {
        match self {
            Self::User(user) => &user.place,
            Self::Group(group) => &group.place,
            Self::Role(used) => &used.place,
        }
    }

    /// What it is, for people.
    pub(super) fn shown(self) -> String {
        match self {
            Self::User(user) => format!("user {:?}", user.name),
            Self::Group(group) => format!("group {:?}", group.name),
            Self::Role(used) => format!("role {:?}", used.role.name),
        }
    }

    /// The users and groups that it stands for.
    pub(super) fn each(self) -> Vec<Self> {
        match self {
            Self::User(_) | Self::Group(_) => vec![self],
            Self::Role(used) => members(&used.role.members).collect(),
        }
    }
}

fn members(list: &Members) -> impl Iterator<Item = Named<'_>> {
    let Members { users, groups, .. } = list;
    users.iter().map(Named::User).chain(groups.iter().map(Named::Group))
}

/// How a list of users, groups and roles lies to another.
impl Principals {
    /// What the list itself names.
    pub(super) fn names(&self) -> Vec<Named<'_>> {
        let Self { own, roles } = self;
        members(own).chain(roles.iter().map(Named::Role)).collect()
    }

    /// The users and groups for which it stands.
    pub(super) fn all(&self) -> Vec<Named<'_>> {
        self.names().into_iter().flat_map(Named::each).collect()
    }

    /// Whether the user or group, or everyone of the role, is among them.
    pub(super) fn has(&self, named: Named<'_>) -> bool {
        named.each().iter().all(|one| match one {
            Named::User(user) => self.has_user(user.id),
            Named::Group(group) => self.has_group(group.id),
            Named::Role(_) => false,
        })
    }

    pub(super) fn has_user(&self, uid: Uid) -> bool {
        self.lists().any(|(list, _)| list.users.iter().any(|user| user.id == uid))
    }

    pub(super) fn has_group(&self, gid: Gid) -> bool {
        self.lists().any(|(list, _)| list.groups.iter().any(|group| group.id == gid))
    }
}

impl Condition {
    /// Whether it is for every peer, at every time, for which the other one is.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // Without `..`: what a condition learns later has to be compared here, too.
        let Self { who, groups_from, foreign_namespace, during } = self;
        let everyone = other.who.names().into_iter().all(|named| who.has(named));
        let groups = *groups_from == other.groups_from
            || other.who.all().iter().all(|one| matches!(one, Named::User(_)));
        everyone
            && groups
            && (*foreign_namespace || !other.foreign_namespace)
            && during.includes(&other.during)
    }
}
