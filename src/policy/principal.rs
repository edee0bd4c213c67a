//! Users and groups as a policy lists them. Turns each name into its id once, and matches on ids alone.

use super::command::NamedGroup;
use super::origin::{Origin, Place};
use super::reader::{Item, Reader};
use crate::identity::{Gid, Groups, Uid, UnusableId};
use jiff::tz::{TimeZone, TimeZoneDatabase};
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

/// The names of users, groups and time zones, as something outside of the policy knows them.
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

    /// The time zone of an IANA name, or `None` where there is no such zone. If nothing else is said, the one that was
    /// built in.
    ///
    /// # Errors
    /// [`LookupFailed`] where the answer could not be had.
    fn zone_of(&self, zone: &str) -> Result<Option<TimeZone>, LookupFailed> {
        Ok(TimeZoneDatabase::bundled().get(zone).ok())
    }

    /// The time zone of the machine. If nothing else is said, UTC.
    ///
    /// # Errors
    /// [`LookupFailed`] where the answer could not be had.
    fn zone_here(&self) -> Result<TimeZone, LookupFailed> {
        Ok(TimeZone::UTC)
    }
}

/// What a name that nobody has means to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It matches nobody, which is worth a warning.
    Allow,
    /// It would let someone through whom the author meant to stop: an error.
    Deny,
}

/// One user or group of a list.
#[derive(Clone, Debug)]
pub(super) struct Member<Id> {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) place: Place,
}

/// Users and groups; being one of them is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) users: Vec<Member<Uid>>,
    pub(super) groups: Vec<Member<Gid>>,
    /// Where each id stands first in its list, by id, of a list that is long.
    places: (Places<Uid>, Places<Gid>),
}

/// A list of so many is as quickly gone through as looked up in.
const SHORT: usize = 8;

/// Places in a list, sorted by id.
type Places<Id> = Vec<(Id, usize)>;

fn places<Id: Copy + Ord>(list: &[Member<Id>]) -> Places<Id> {
    if list.len() <= SHORT {
        return Places::new();
    }
    let mut places: Places<Id> = list.iter().enumerate().map(|(place, member)| (member.id, place)).collect();
    places.sort_unstable();
    places.dedup_by_key(|(id, _)| *id);
    places
}

fn place_of<Id: Copy + Ord>(places: &Places<Id>, id: Id) -> Option<usize> {
    let found = places.binary_search_by_key(&id, |(known, _)| *known).ok()?;
    places.get(found).map(|(_, place)| *place)
}

impl Members {
    /// These, each list in its order.
    fn new(users: Vec<Member<Uid>>, groups: Vec<Member<Gid>>) -> Self {
        let places = (places(&users), places(&groups));
        Self { users, groups, places }
    }

    /// The user of that id.
    pub(super) fn user(&self, uid: Uid) -> Option<&Member<Uid>> {
        if self.users.len() <= SHORT {
            return self.users.iter().find(|member| member.id == uid);
        }
        self.users.get(place_of(&self.places.0, uid)?)
    }

    /// The first group that is among these. Whichever list is shorter is gone through.
    pub(super) fn group_among(&self, groups: &Groups) -> Option<&Member<Gid>> {
        if self.groups.len() <= SHORT.max(groups.len()) {
            return self.groups.iter().find(|member| groups.contains(&member.id));
        }
        let first = groups.iter().filter_map(|gid| place_of(&self.places.1, *gid)).min()?;
        self.groups.get(first)
    }

    /// Unites two lists.
    pub(super) fn extend(&mut self, mut other: Self) {
        let (mut users, mut groups) = (std::mem::take(&mut self.users), std::mem::take(&mut self.groups));
        users.append(&mut other.users);
        groups.append(&mut other.groups);
        *self = Self::new(users, groups);
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
    pub(super) fn members(&mut self, table: &DeTable<'_>, purpose: Purpose) -> Members {
        let names = self.names;
        let users =
            Kind { word: "user", checked: Uid::new, look_up: &|name: &str| names.uid_of(name), purpose };
        let groups =
            Kind { word: "group", checked: Gid::new, look_up: &|name: &str| names.gid_of(name), purpose };
        let users = self.each_member(table.get("users"), &users);
        Members::new(users, self.each_member(table.get("groups"), &groups))
    }

    fn each_member<Id>(&mut self, field: Option<&Item<'_>>, kind: &Kind<'_, Id>) -> Vec<Member<Id>> {
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
        Some(Member { id, name, origin: self.origin(&item.span()), place: self.place(&item.span()) })
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
            _ if NOBODY.contains(&name) => {
                format!("{word} {name:?} stands for whoever is not mapped; choose another")
            }
            Ok(Some(id)) => return Some(id),
            Ok(None) if kind.purpose == Purpose::Allow => {
                self.warning(span, &format!("no such {word}: {name:?}; this matches nobody{}", hint(name)));
                return None;
            }
            Ok(None) => format!("no such {word}: {name:?}{}", hint(name)),
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
        if item.get_ref().is_integer() {
            self.error(&item.span(), "a program runs as a user with a name; write the name, in quotes");
            return None;
        }
        let name = self.word(item)?;
        let uid = self.named(&name.span, &name.text, &kind)?;
        Some((name.text, uid))
    }

    /// Reads a single group, which must exist where it has a name.
    pub(super) fn group(&mut self, item: &Item<'_>) -> Option<NamedGroup> {
        let names = self.names;
        let look_up = |name: &str| names.gid_of(name);
        let kind = Kind { word: "group", checked: Gid::new, look_up: &look_up, purpose: Purpose::Deny };
        let Member { id, name, .. } = self.member(item, &kind)?;
        Some(NamedGroup { name, gid: id, is_number: item.get_ref().is_integer() })
    }
}

/// A hint where a name that nobody has was meant as something else.
fn hint(name: &str) -> &'static str {
    match name {
        "*" | "ALL" | "all" | "everyone" => "; no word means everyone",
        _ if name.starts_with(['%', '@']) => "; a group stands under groups, by its plain name",
        _ if name.parse::<u32>().is_ok() => "; a number is written without quotes",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::{Document, Source};
    use super::*;
    use std::sync::Arc;

    fn member<Id>(id: Id, name: usize) -> Member<Id> {
        let source = Source { name: "p.toml".to_owned(), text: String::new() };
        let place = Place::new(&Arc::new(Document::new(&source, 0)), &(0..0));
        Member { id, name: name.to_string(), origin: place.origin(), place }
    }

    /// Of the ids from 0 up, the largest first, all of them twice.
    fn listed(length: u32) -> Members {
        let raw = |place: u32| (length - 1 - place) / 2;
        let users = (0..length).zip(0..).map(|(at, name)| member(Uid::new(raw(at)).unwrap(), name));
        let groups = (0..length).zip(0..).map(|(at, name)| member(Gid::new(raw(at)).unwrap(), name));
        Members::new(users.collect(), groups.collect())
    }

    #[test]
    fn the_first_of_a_list_is_found_however_long_the_list_is() {
        for length in [2, 8, 10, 400] {
            let last = length / 2 - 1;
            for members in [listed(length), {
                let mut united = listed(length);
                united.extend(listed(length));
                united
            }] {
                let found = |groups: &[u32]| {
                    let groups = groups.iter().map(|raw| Gid::new(*raw).unwrap()).collect();
                    members.group_among(&groups).map(|member| member.name.clone())
                };
                let user = members.user(Uid::new(0).unwrap()).map(|member| member.name.clone());
                assert_eq!(user, Some((length - 2).to_string()));
                assert!(members.user(Uid::new(last + 1).unwrap()).is_none());
                assert_eq!(found(&[0, last, 9999]), Some("0".to_owned()), "{length}");
                assert_eq!(found(&[0]), Some((length - 2).to_string()));
                assert_eq!(found(&[last + 1, 9999]), None);
            }
        }
    }
}
