//! A user database of the tests' own, with the look-alikes that a real one may hold. Knows nobody of the machine.

use udsadmin::identity::{Gid, Peer, Uid};
use udsadmin::policy::{LookupFailed, Names};

/// Users. Some are called like somebody's number, like a group, or nearly like somebody else.
const USERS: [(&str, u32); 13] = [
    ("root", 0),
    ("nightly", 990),
    ("postgres", 991),
    ("alice", 1001),
    ("bob", 1002),
    ("carol", 1003),
    ("dave", 1004),
    ("erin", 1005),
    ("mallory", 1006),
    ("Alice", 1011),
    ("\u{430}lice", 1012), // begins with a Cyrillic letter
    ("1001", 1013),
    ("wheel", 1014),
];

const GROUPS: [(&str, u32); 10] = [
    ("root", 0),
    ("wheel", 10),
    ("webops", 2001),
    ("backup-operators", 2002),
    ("dba", 2003),
    ("developers", 2004),
    ("contractors", 2005),
    ("Webops", 2011),
    ("alice", 2012),
    ("2001", 2013),
];

/// The users and groups of the tests.
#[derive(Debug)]
pub(crate) struct People;

fn id_of(table: &[(&str, u32)], name: &str) -> Option<u32> {
    table.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

impl Names for People {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(id_of(&USERS, user).map(|raw| Uid::new(raw).unwrap()))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(id_of(&GROUPS, group).map(|raw| Gid::new(raw).unwrap()))
    }
}

/// The group of that name, or of that number where it begins with `+`.
pub(crate) fn group(name: &str) -> Gid {
    let numbered = name.strip_prefix('+').map(|number| number.parse().unwrap());
    let raw = numbered.or_else(|| id_of(&GROUPS, name));
    Gid::new(raw.unwrap_or_else(|| panic!("there is no group {name:?}"))).unwrap()
}

/// The user of that name, or of that number where it begins with `+`; in a group of its own and in these.
pub(crate) fn person(name: &str, groups: &[&str]) -> Peer {
    let numbered = name.strip_prefix('+').map(|number| number.parse().unwrap());
    let raw = numbered.or_else(|| id_of(&USERS, name)).unwrap_or_else(|| panic!("there is no user {name:?}"));
    Peer::of(Uid::new(raw).unwrap(), Gid::new(raw).unwrap(), groups.iter().map(|name| group(name)))
}

/// Everyone, in no groups but their own.
pub(crate) fn everyone() -> impl Iterator<Item = Peer> {
    USERS.into_iter().map(|(name, _)| person(name, &[]))
}
