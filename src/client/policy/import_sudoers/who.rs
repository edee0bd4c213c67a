//! For whom a user specification is, and on which machines. Takes nobody in whom sudo might not mean.

use super::Surroundings;
use super::resolve::Sudoers;
use super::syntax::{Host, Member, User};
use crate::identity::{Gid, Uid};
use std::collections::BTreeSet;

/// A user or a group, as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Name(String),
    Number(u32),
}

/// The users and groups of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Principals {
    pub(super) users: BTreeSet<Id>,
    pub(super) groups: BTreeSet<Id>,
}

/// Whom a specification is for.
#[derive(Debug)]
pub(super) struct Who {
    /// As a policy names them, or why it can't.
    pub(super) principals: Result<Principals, String>,
    /// What is to be told of members that are left out, or that are not there.
    pub(super) notes: Vec<String>,
    /// Their names, where these alone say who they are.
    names: Option<BTreeSet<String>>,
}

impl Who {
    pub(super) fn new(list: &[Member<User>], sudoers: &Sudoers, world: &dyn Surroundings) -> Self {
        let members = match sudoers.users_of(list) {
            Ok(members) => members,
            Err(why) => return Self { principals: Err(why), notes: Vec::new(), names: None },
        };
        let names = names_alone(&members);
        let mut who = Self { principals: Ok(Principals::default()), notes: Vec::new(), names };
        let positive = match &who.names {
            Some(names) => Ok(names.iter().cloned().map(User::Name).collect()),
            None => positive(members),
        };
        who.principals = positive.and_then(|users| who.admitted(&users, world));
        who
    }

    fn admitted(&mut self, users: &[User], world: &dyn Surroundings) -> Result<Principals, String> {
        let mut admitted = Principals::default();
        for user in users {
            match named(user, world) {
                Ok((is_group, id, note)) => {
                    let list = if is_group { &mut admitted.groups } else { &mut admitted.users };
                    list.insert(id);
                    self.notes.extend(note);
                }
                Err(why) => self.notes.push(why),
            }
        }
        let nobody = admitted.users.is_empty() && admitted.groups.is_empty();
        if users.is_empty() {
            Err("it is for nobody: its list of users takes out by '!' all whom it names".to_owned())
        } else if nobody {
            Err(format!("it is for nobody whom a policy can name: {}", self.notes.join("; ")))
        } else {
            Ok(admitted)
        }
    }

    /// Whether somebody may be among both.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        match (&self.names, &other.names) {
            (Some(ours), Some(theirs)) => !ours.is_disjoint(theirs),
            _ => true,
        }
    }

    /// Whether it is root, and no one else.
    pub(super) fn is_root(&self) -> bool {
        self.names.as_ref().is_some_and(|names| names.iter().eq(["root"]))
    }
}

/// The names that are left of a list of plain names, of which later ones count more.
fn names_alone(members: &[Member<User>]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for Member { negated, what } in members {
        let User::Name(name) = what else { return None };
        if *negated {
            names.remove(name);
        } else {
            names.insert(name.clone());
        }
    }
    Some(names)
}

fn positive(members: Vec<Member<User>>) -> Result<Vec<User>, String> {
    if members.iter().any(|member| member.negated) {
        return Err("its list of users takes some out again by '!', which an allow rule can't say; \
                    name those who stay"
            .to_owned());
    }
    if members.iter().any(|member| member.what == User::All) {
        return Err("it is for every user there is; name a group of those who need it".to_owned());
    }
    Ok(members.into_iter().map(|member| member.what).collect())
}

/// A user or group as a policy names it, whether it is a group, and what is to be told of it.
fn named(user: &User, world: &dyn Surroundings) -> Result<(bool, Id, Option<String>), String> {
    let (is_group, id) = match user {
        User::Name(name) => (false, Id::Name(name.clone())),
        User::Group(name) => (true, Id::Name(name.clone())),
        User::Uid(uid) => (false, Id::Number(*uid)),
        User::Gid(gid) => (true, Id::Number(*gid)),
        User::Foreign(written) => return Err(format!("{written} is a group that only sudo can look up")),
        User::All => return Err("ALL is no user".to_owned()),
    };
    let found = match &id {
        Id::Name(name) => found(name, is_group, world)?,
        Id::Number(raw) if is_group => Gid::new(*raw).is_ok(),
        Id::Number(raw) => Uid::new(*raw).is_ok(),
    };
    let (kind, written) = (if is_group { "group" } else { "user" }, shown(&id));
    match (&id, found) {
        (Id::Number(_), false) => Err(format!("{kind} {written} stands for nobody in particular")),
        (_, false) => Ok((is_group, id, Some(format!("no such {kind} here: {written}")))),
        (_, true) => Ok((is_group, id, None)),
    }
}

fn shown(id: &Id) -> String {
    match id {
        Id::Name(name) => name.clone(),
        Id::Number(raw) => raw.to_string(),
    }
}

/// Whether the user database knows the name.
fn found(name: &str, is_group: bool, world: &dyn Surroundings) -> Result<bool, String> {
    if is_nobody(name) {
        return Err(format!("{name} stands for nobody in particular"));
    }
    if has_control(name) {
        return Err(format!("{} has a control character in its name", name.escape_debug()));
    }
    let found = if is_group {
        world.gid_of(name).map(|gid| gid.is_some())
    } else {
        world.uid_of(name).map(|uid| uid.is_some())
    };
    found.map_err(|failed| format!("{name} can't be looked up: {failed}"))
}

/// Whether a policy refuses the name, as whoever is not mapped has it.
pub(super) fn is_nobody(name: &str) -> bool {
    matches!(name, "nobody" | "nogroup")
}

/// Whether it has what no user database and no line of a policy should hold.
pub(super) fn has_control(name: &str) -> bool {
    name.contains(char::is_control)
}

/// Whether a list of machines has this one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    Elsewhere,
    /// Why it can't be told.
    Unsure(String),
}

impl Place {
    pub(super) fn new(list: &[Member<Host>], sudoers: &Sudoers, host: &str) -> Self {
        let members = match sudoers.hosts_of(list) {
            Ok(members) => members,
            Err(why) => return Self::Unsure(why),
        };
        if members.iter().any(|member| member.negated) {
            return Self::Unsure("its list of hosts takes some out again by '!'".to_owned());
        }
        if members.iter().any(|member| is_here(&member.what, host)) {
            return Self::Here;
        }
        let unsure = members.iter().find_map(|member| match &member.what {
            Host::Unsure(written) => Some(format!("whether {written} is this host can't be told")),
            Host::All | Host::Name(_) => None,
        });
        unsure.map_or(Self::Elsewhere, Self::Unsure)
    }
}

/// Whether it is this host: a name with a dot by its full name, another by its short one.
fn is_here(named: &Host, host: &str) -> bool {
    let short = host.split('.').next().unwrap_or_default();
    match named {
        Host::All => true,
        Host::Name(name) if name.contains('.') => name.eq_ignore_ascii_case(host),
        Host::Name(name) => name.eq_ignore_ascii_case(short),
        Host::Unsure(_) => false,
    }
}
