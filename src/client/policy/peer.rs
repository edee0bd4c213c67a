//! Whom a question is about: the caller, a user of the database, or anyone with any groups. Believed, as nothing runs.

use super::super::exit::USAGE;
use super::super::run::Failure;
use crate::accounts;
use crate::identity::{DatabaseGroups, Gid, Groups, Peer, Uid};
use crate::policy::{LookupFailed, Names};
use crate::sys;
use std::str::FromStr;

/// `USER[:GROUP,...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    user: String,
    groups: Option<Vec<String>>,
}

impl FromStr for Principal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, groups) = match text.split_once(':') {
            None => (text, None),
            Some((user, groups)) => (user, Some(groups.split(',').map(str::to_owned).collect())),
        };
        let empty = |groups: &Vec<String>| groups.iter().any(String::is_empty);
        if user.is_empty() || groups.as_ref().is_some_and(empty) {
            return Err("a user, or a user and groups: alice, or alice:webops,audio");
        }
        Ok(Self { user: user.to_owned(), groups })
    }
}

impl Principal {
    /// The peer that this would be, by the names that the policy goes by.
    pub(super) fn peer(&self, known_names: &dyn Names) -> Result<Peer, Failure> {
        let uid = id(&self.user, "user", Uid::new, |name| known_names.uid_of(name))?;
        let known = accounts::peer_after_login(uid);
        let Some(names) = &self.groups else {
            let unknown =
                || (USAGE, format!("no such user: {}; say with which groups: {0}:GROUP", self.user));
            return known.ok_or_else(unknown);
        };
        let given: Result<Vec<Gid>, Failure> =
            names.iter().map(|name| id(name, "group", Gid::new, |name| known_names.gid_of(name))).collect();
        let mut peer = with_groups(uid, &given?, known)?;
        peer.circumstances.user = peer.circumstances.user.or_else(|| Some(self.user.clone()));
        Ok(peer)
    }
}

/// Someone with these groups and no other from the kernel. A deny counts those of the database, too.
fn with_groups(uid: Uid, given: &[Gid], known: Option<Peer>) -> Result<Peer, Failure> {
    let first = given.first().ok_or_else(|| (USAGE, "a group is missing".to_owned()))?;
    let mut peer = Peer::of(uid, *first, given.iter().copied());
    let from_database = known.map_or_else(Groups::new, |known| known.groups);
    peer.database_groups = DatabaseGroups::Known(from_database);
    accounts::name(&mut peer);
    Ok(peer)
}

/// The caller, with the groups of this process.
pub(super) fn caller() -> Result<Peer, Failure> {
    let unusable = |error: &dyn std::fmt::Display| (USAGE, format!("you are nobody in particular: {error}"));
    let uid = Uid::new(rustix::process::geteuid().as_raw()).map_err(|error| unusable(&error))?;
    let gid = Gid::new(rustix::process::getegid().as_raw()).map_err(|error| unusable(&error))?;
    let groups = rustix::process::getgroups().map_err(|error| unusable(&error))?;
    let mut peer = Peer::of(uid, gid, groups.into_iter().filter_map(|group| Gid::new(group.as_raw()).ok()));
    peer.database_groups = accounts::groups_of(uid);
    accounts::name(&mut peer);
    Ok(peer)
}

/// Everyone whom the user database lists, as after a login.
pub(super) fn everyone() -> impl Iterator<Item = Peer> {
    let ids = sys::listed_users().into_iter();
    ids.filter_map(|uid| accounts::peer_after_login(Uid::new(uid).ok()?))
}

/// The id of a number, or of a name.
fn id<Id, Unusable: std::fmt::Display>(
    text: &str,
    word: &str,
    checked: fn(u32) -> Result<Id, Unusable>,
    look_up: impl FnOnce(&str) -> Result<Option<Id>, LookupFailed>,
) -> Result<Id, Failure> {
    if let Ok(number) = text.parse() {
        return checked(number).map_err(|unusable| (USAGE, format!("{word} {unusable}")));
    }
    match look_up(text) {
        Ok(Some(id)) => Ok(id),
        Ok(None) => Err((USAGE, format!("no such {word}: {text}"))),
        Err(failed) => Err((USAGE, format!("{word} {text} can't be looked up: {failed}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Database;

    #[test]
    fn a_principal_is_a_user_or_a_user_with_groups() {
        let read = |text: &str| text.parse::<Principal>().map(|read| (read.user, read.groups));
        assert_eq!(read("alice"), Ok(("alice".to_owned(), None)));
        assert_eq!(read("7:a,8"), Ok(("7".to_owned(), Some(vec!["a".to_owned(), "8".to_owned()]))));
        for wrong in ["", ":a", "alice:", "alice:a,", "alice:,a"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whoever_the_database_does_not_know_needs_groups() {
        let peer = |text: &str| text.parse::<Principal>().unwrap().peer(&Database);
        assert!(peer("4294967290").unwrap_err().1.contains("4294967290:GROUP"));
        let stranger = peer("4294967290:4294967280").unwrap();
        assert_eq!(stranger.database_groups, DatabaseGroups::Known(Groups::new()));
        assert!(peer("4294967295:1").is_err(), "an id that stands for nobody");
        assert_eq!(peer("root").unwrap().uid, Uid::ROOT);
    }
}
