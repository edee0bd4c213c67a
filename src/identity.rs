//! Who is asking, as typed values. Never parsed from text, never compared by name, never by process id.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The id that user namespaces and id-mapped mounts show for "no such id here"
/// (`/proc/sys/kernel/overflowuid`, default 65534; `user_namespaces(7)`).
const OVERFLOW: u32 = 65_534;

/// The id that `setresuid(2)` and `chown(2)` read as "leave unchanged", `(uid_t) -1`.
const UNCHANGED: u32 = u32::MAX;

/// An id that names nobody: -1 means "no change" to `setresuid(2)`, 65534 is every unmapped user at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableId(pub u32);

impl fmt::Display for UnusableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id) = self;
        match *id {
            OVERFLOW => write!(
                f,
                "id {id} names nobody: the kernel shows it for every id that isn't mapped; use another"
            ),
            _ => write!(f, "id {id} names nobody"),
        }
    }
}

impl std::error::Error for UnusableId {}

/// A user id that can stand for one user: never -1, never 65534.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(u32);

impl Uid {
    /// The superuser.
    pub const ROOT: Self = Self(0);

    /// Checks a raw id.
    ///
    /// # Errors
    /// [`UnusableId`] for -1 and 65534.
    pub const fn new(raw: u32) -> Result<Self, UnusableId> {
        match raw {
            OVERFLOW | UNCHANGED => Err(UnusableId(raw)),
            usable => Ok(Self(usable)),
        }
    }

    /// The number that the kernel knows.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A group id that can stand for one group: never -1, never 65534.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid(u32);

impl Gid {
    /// Checks a raw id.
    ///
    /// # Errors
    /// [`UnusableId`] for -1 and 65534.
    pub const fn new(raw: u32) -> Result<Self, UnusableId> {
        match raw {
            OVERFLOW | UNCHANGED => Err(UnusableId(raw)),
            usable => Ok(Self(usable)),
        }
    }

    /// The number that the kernel knows.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of groups. Group 65534 is never in it: it stands for whatever is not mapped.
pub type Groups = BTreeSet<Gid>;

/// The groups that the user database gives the peer's user, asked for only where a deny needs them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum DatabaseGroups {
    /// No rule of the policy needs them.
    #[default]
    NotAsked,
    /// What the database says, the primary group included.
    Known(Groups),
    /// The database failed or does not know the user: a deny by group then applies.
    Unavailable,
}

/// Which user namespace the peer lives in, as seen by the process that holds the privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Namespace {
    /// Nobody with the right to look has looked yet.
    #[default]
    NotLooked,
    /// The same as the looking process.
    Own,
    /// Another one: its uid 0 is not ours.
    Foreign,
}

/// What else is known of the peer: for the record, and never for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// The user's name, where the user database has one.
    pub user: Option<String>,
    /// The names of [`Peer::groups`], in their order; the number of a group without a name. Where there
    /// are very many, the last one says how many more.
    pub group_names: Vec<String>,
    /// The login's user id (`/proc/PID/loginuid`; `None` where unset or unreadable).
    pub loginuid: Option<u32>,
    /// The executable (`/proc/PID/exe`).
    pub executable: Option<PathBuf>,
    /// The systemd unit, from the cgroup path (`/proc/PID/cgroup`).
    pub unit: Option<String>,
    /// The security label (`SO_PEERSEC`), where the kernel has a security module that gives one.
    pub label: Option<String>,
}

/// The process that connected a socket, as the kernel names it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Effective user at connect(2) (`SO_PEERCRED`, unix(7)).
    pub uid: Uid,
    /// Effective group at connect(2). Group 65534 stays visible here, but is no member of [`Self::groups`].
    pub gid: u32,
    /// Supplementary groups (`SO_PEERGROUPS`) and the effective group.
    pub groups: Groups,
    /// What the user database says of its groups.
    pub database_groups: DatabaseGroups,
    /// Process id, for the record: a rule never matches on it.
    pub pid: i32,
    /// The process itself (`SO_PEERPIDFD`), where the kernel is 6.5 or newer.
    pub pidfd: Option<Arc<OwnedFd>>,
    /// The namespace verdict.
    pub namespace: Namespace,
    /// For the record.
    pub circumstances: Circumstances,
}

impl Peer {
    /// The user's name, or its number where there is none: for people to read.
    #[must_use]
    pub fn user(&self) -> String {
        self.circumstances.user.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// A peer of these credentials in our own user namespace, with nothing else known: for tests and for `why --as`.
    #[must_use]
    pub fn of(uid: Uid, gid: Gid, supplementary: impl IntoIterator<Item = Gid>) -> Self {
        Self {
            uid,
            gid: gid.raw(),
            groups: supplementary.into_iter().chain([gid]).collect(),
            database_groups: DatabaseGroups::NotAsked,
            pid: 0,
            pidfd: None,
            namespace: Namespace::Own,
            circumstances: Circumstances::default(),
        }
    }
}

impl fmt::Display for Peer {
    /// For people: `alice (uid 1000)`, with nothing in it that a terminal obeys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (uid {})", self.user().escape_debug(), self.uid)
    }
}

/// What the user database says of a user (passwd(5), group(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The id.
    pub uid: Uid,
    /// The primary group.
    pub gid: Gid,
    /// Its supplementary groups: all that the user database gives it, the primary one included, or those of the policy.
    pub groups: Groups,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell: it goes into the environment of what runs as this user, and is never started.
    pub shell: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_name_nobody_are_refused() {
        for raw in [OVERFLOW, UNCHANGED] {
            assert_eq!(Uid::new(raw), Err(UnusableId(raw)));
            assert_eq!(Gid::new(raw), Err(UnusableId(raw)));
        }
        assert_eq!(Uid::new(0), Ok(Uid::ROOT));
    }

    #[test]
    fn the_effective_group_is_a_group() {
        let gid = |raw| Gid::new(raw).unwrap();
        let peer = Peer::of(Uid::ROOT, gid(7), [gid(9)]);
        assert_eq!(peer.groups, Groups::from([gid(7), gid(9)]));
    }
}
