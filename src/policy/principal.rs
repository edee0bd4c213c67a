//! Whom a rule names. Matches on ids that the kernel or the user database gave, and never on names.

use super::origin::Origin;
use super::reader::{Item, Reader};
use crate::identity::{Gid, Groups, Peer, Uid, UnusableId};
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Names of the user and the group to whom unmapped ids are shown as belonging: whoever has them is nobody in
/// particular.
const NOBODY: [&str; 2] = ["nobody", "nogroup"];

/// The user database gave no answer, which is not the answer "no such name".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupFailed(pub String);

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LookupFailed {}

/// The names of users and groups, as something outside of the policy knows them.
pub trait Names {
    /// The id of a user, or `None` where there is no such user.
    ///
    /// # Errors
    /// [`LookupFailed`] where the answer could not be had.
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed>;

    /// The id of a group, or `None` where there is no such group.
    ///
    /// # Errors
    /// [`LookupFailed`] where the answer could not be had.
    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed>;
}

/// What a name that nobody has means to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It matches nobody, which is worth a warning.
    Allow,
    /// It would let someone through whom the author meant to stop: an error.
    Deny,
}

/// One user or group of a rule.
#[derive(Clone, Debug)]
pub(super) struct Member<Id> {
    id: Id,
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// The users and the groups of a rule; being one of them is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Principals {
    users: Vec<Member<Uid>>,
    groups: Vec<Member<Gid>>,
}

/// The first user or group of a rule that a peer is or is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matched<'a> {
    User(&'a Member<Uid>),
    Group(&'a Member<Gid>),
}

impl Matched<'_> {
    /// The kind of principal and its name, for a row of `why`.
    pub(super) fn field(&self) -> (&'static str, String) {
        match self {
            Self::User(member) => ("user", member.name.clone()),
            Self::Group(member) => ("group", member.name.clone()),
        }
    }

    /// Where the rule names it.
    pub(super) fn origin(&self) -> &Origin {
        match self {
            Self::User(member) => &member.origin,
            Self::Group(member) => &member.origin,
        }
    }
}

impl Principals {
    /// The peer itself, or else a group that the kernel gives it.
    pub(super) fn matching(&self, peer: &Peer) -> Option<Matched<'_>> {
        let by_group = || self.group_among(&peer.groups).map(Matched::Group);
        self.user(peer).map(Matched::User).or_else(by_group)
    }

    /// The peer itself.
    pub(super) fn user(&self, peer: &Peer) -> Option<&Member<Uid>> {
        self.users.iter().find(|member| member.id == peer.uid)
    }

    /// The first group that is among these.
    pub(super) fn group_among(&self, groups: &Groups) -> Option<&Member<Gid>> {
        self.groups.iter().find(|member| groups.contains(&member.id))
    }

    /// The first group of the rule.
    pub(super) fn first_group(&self) -> Option<&Member<Gid>> {
        self.groups.first()
    }

    /// The users, each with its name.
    pub(super) fn users(&self) -> impl Iterator<Item = (Uid, &str)> {
        self.users.iter().map(|member| (member.id, &*member.name))
    }

    /// The groups, each with its name.
    pub(super) fn groups(&self) -> impl Iterator<Item = (Gid, &str)> {
        self.groups.iter().map(|member| (member.id, &*member.name))
    }

    /// Unites two rules' principals.
    pub(super) fn extend(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
    }
}

/// What users and groups have in common, so that one piece of code reads both.
struct Kind<'a, Id> {
    word: &'static str,
    checked: fn(u32) -> Result<Id, UnusableId>,
    look_up: &'a dyn Fn(&str) -> Result<Option<Id>, LookupFailed>,
    purpose: Purpose,
}

impl Reader<'_> {
    /// Reads `users` and `groups`.
    pub(super) fn principals(&mut self, table: &DeTable<'_>, purpose: Purpose) -> Principals {
        let names = self.names;
        let users =
            Kind { word: "user", checked: Uid::new, look_up: &|name: &str| names.uid_of(name), purpose };
        let groups =
            Kind { word: "group", checked: Gid::new, look_up: &|name: &str| names.gid_of(name), purpose };
        Principals {
            users: self.members(table.get("users"), &users),
            groups: self.members(table.get("groups"), &groups),
        }
    }

    fn members<Id>(&mut self, field: Option<&Item<'_>>, kind: &Kind<'_, Id>) -> Vec<Member<Id>> {
        let items = field.map_or(&[][..], |item| self.list(item));
        items.iter().filter_map(|item| self.member(item, kind)).collect()
    }

    fn member<Id>(&mut self, item: &Item<'_>, kind: &Kind<'_, Id>) -> Option<Member<Id>> {
        let (id, name) = if let DeValue::Integer(_) = item.get_ref() {
            let raw = self.integer(item)?;
            (self.numbered(&item.span(), raw, kind.checked)?, raw.to_string())
        } else {
            let name = self.word(item)?;
            (self.named(&name.span, &name.text, kind)?, name.text)
        };
        Some(Member { id, name, origin: self.origin(&item.span()) })
    }

    fn numbered<Id>(
        &mut self,
        span: &Range<usize>,
        raw: i64,
        checked: fn(u32) -> Result<Id, UnusableId>,
    ) -> Option<Id> {
        let id = u32::try_from(raw).map_err(|_| format!("{raw} is no id: ids are from 0 to 4294967294"));
        match id.and_then(|raw| checked(raw).map_err(|unusable| unusable.to_string())) {
            Ok(id) => Some(id),
            Err(message) => {
                self.error(span, &message);
                None
            }
        }
    }

    fn named<Id>(&mut self, span: &Range<usize>, name: &str, kind: &Kind<'_, Id>) -> Option<Id> {
        let word = kind.word;
        let message = match (kind.look_up)(name) {
            _ if NOBODY.contains(&name) => format!("{word} {name:?} stands for whoever is not mapped"),
            Ok(Some(id)) => return Some(id),
            Ok(None) if kind.purpose == Purpose::Allow => {
                self.warning(
                    span,
                    &format!("no such {word}: {name:?}; this matches nobody{}", unquoted(name)),
                );
                return None;
            }
            Ok(None) => format!("no such {word}: {name:?}{}", unquoted(name)),
            Err(failed) => format!("{word} {name:?} can't be looked up: {failed}"),
        };
        self.error(span, &message);
        None
    }

    /// Reads a single user who must exist.
    pub(super) fn user(&mut self, item: &Item<'_>) -> Option<(String, Uid)> {
        let names = self.names;
        let look_up = |name: &str| names.uid_of(name);
        let kind = Kind { word: "user", checked: Uid::new, look_up: &look_up, purpose: Purpose::Deny };
        let name = self.word(item)?;
        let uid = self.named(&name.span, &name.text, &kind)?;
        Some((name.text, uid))
    }
}

/// A hint where a number was written as a string.
fn unquoted(name: &str) -> &'static str {
    if name.parse::<u32>().is_ok() { "; a number is written without quotes" } else { "" }
}
