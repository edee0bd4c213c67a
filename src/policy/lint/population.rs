//! Who of the user database may do what, for lint. Counts; asks the policy for every verdict.

use super::super::Policy;
use super::super::principal::Principals;
use crate::identity::{Gid, Peer, Uid};
use std::collections::BTreeMap;

/// The users whom a database lists, and what the policy says to each.
pub(super) struct Population<'a> {
    peers: BTreeMap<Uid, &'a Peer>,
    admitted: Vec<&'a Peer>,
}

impl<'a> Population<'a> {
    pub(super) fn new(policy: &Policy, peers: &'a [Peer]) -> Self {
        let admitted = peers.iter().filter(|peer| policy.is_admitted(peer)).collect();
        Self { peers: peers.iter().map(|peer| (peer.uid, peer)).collect(), admitted }
    }

    /// The user, if the database lists it.
    pub(super) fn user(&self, uid: Uid) -> Option<&'a Peer> {
        self.peers.get(&uid).copied()
    }

    /// Those who may connect.
    pub(super) fn admitted(&self) -> &[&'a Peer] {
        &self.admitted
    }

    /// Those of the group.
    pub(super) fn members(&self, gid: Gid) -> impl Iterator<Item = &'a Peer> {
        self.peers.values().copied().filter(move |peer| peer.groups.contains(&gid))
    }
}

/// How a list of users and groups lies to another.
impl Principals {
    /// Whether it names nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Whether it names everyone whom the other one names.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let Self { users, groups } = other;
        users.iter().all(|user| self.names_user(user.id))
            && groups.iter().all(|group| self.names_group(group.id))
    }

    pub(super) fn names_user(&self, uid: Uid) -> bool {
        self.users.iter().any(|user| user.id == uid)
    }

    pub(super) fn names_group(&self, gid: Gid) -> bool {
        self.groups.iter().any(|group| group.id == gid)
    }
}
