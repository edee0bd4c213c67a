//! Users and groups as rules tell them apart: by number, and a group by whose word. Knows no names.

use super::condition::GroupsFrom;
use super::principal::Members;
use crate::identity::{DatabaseGroups, Gid, Peer, Uid};

/// What makes two principals the same, whatever they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    User(Uid),
    /// A group by the kernel's word.
    Group(Gid),
    /// A group by the user database's word.
    Listed(Gid),
}

impl Key {
    /// A group by this word.
    pub(super) const fn group(gid: Gid, from: GroupsFrom) -> Self {
        match from {
            GroupsFrom::Kernel => Self::Group(gid),
            GroupsFrom::Database => Self::Listed(gid),
        }
    }

    /// The same group by the kernel's word; a user is itself.
    pub(super) const fn by_kernel(self) -> Self {
        match self {
            Self::User(_) | Self::Group(_) => self,
            Self::Listed(gid) => Self::Group(gid),
        }
    }

    /// Everyone of a list.
    pub(super) fn of_list(list: &Members, from: GroupsFrom) -> impl Iterator<Item = Self> {
        let users = list.users.iter().map(|user| Self::User(user.id));
        users.chain(list.groups.iter().map(move |group| Self::group(group.id, from)))
    }

    /// All that the peer is.
    pub(super) fn of_peer(peer: &Peer) -> impl Iterator<Item = Self> {
        let listed = match &peer.database_groups {
            DatabaseGroups::Known(groups) => Some(groups),
            DatabaseGroups::NotAsked | DatabaseGroups::Unavailable => None,
        };
        let groups = peer.groups.iter().map(|gid| Self::Group(*gid));
        let listed = listed.into_iter().flatten().map(|gid| Self::Listed(*gid));
        [Self::User(peer.uid)].into_iter().chain(groups).chain(listed)
    }
}
