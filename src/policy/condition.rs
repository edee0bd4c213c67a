//! When a rule is for a peer: by user, group and role, by namespace, by time. One form for every rule that allows.

use super::language::Section;
use super::origin::Origin;
use super::principal::{Member, Members, Purpose};
use super::reader::{Item, Reader};
use super::role::RoleUse;
use super::time::{During, listed};
use crate::identity::{DatabaseGroups, Groups, Namespace, Peer};
use std::ops::Range;
use toml::de::DeTable;

/// Whom a rule names; being one of them is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Principals {
    pub(super) own: Members,
    pub(super) roles: Vec<RoleUse>,
}

/// The user or the group by which a rule names a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matched<'a> {
    kind: &'static str,
    pub(super) name: &'a str,
    role: Option<&'a str>,
    source: &'static str,
    /// Where the rule names it, or its role.
    pub(super) origin: &'a Origin,
}

impl<'a> Matched<'a> {
    fn new<Id>(kind: &'static str, member: &'a Member<Id>, used: Option<&'a RoleUse>) -> Self {
        Self {
            kind,
            name: &member.name,
            role: used.map(|used| used.role.name.as_str()),
            source: "kernel",
            origin: used.map_or(&member.origin, |used| &used.origin),
        }
    }

    /// The same, known from another source than the kernel.
    pub(super) fn by(self, source: &'static str) -> Self {
        Self { source, ..self }
    }

    /// The principal, its role and the source, for a row of `why`.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let role = self.role.map(|role| ("role", role.to_owned()));
        let source = ("source", self.source.to_owned());
        [(self.kind, self.name.to_owned())].into_iter().chain(role).chain([source])
    }
}

impl Principals {
    /// The lists of the rule itself, then those of its roles.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&Members, Option<&RoleUse>)> {
        let of_roles = self.roles.iter().map(|used| (&used.role.members, Some(used)));
        [(&self.own, None)].into_iter().chain(of_roles)
    }

    /// The peer itself.
    pub(super) fn user(&self, peer: &Peer) -> Option<Matched<'_>> {
        self.lists().find_map(|(list, used)| Some(Matched::new("user", list.user(peer.uid)?, used)))
    }

    /// The first group that is among these.
    pub(super) fn group_among(&self, groups: &Groups) -> Option<Matched<'_>> {
        self.lists().find_map(|(list, used)| Some(Matched::new("group", list.group_among(groups)?, used)))
    }

    /// The first group.
    pub(super) fn first_group(&self) -> Option<Matched<'_>> {
        self.lists().find_map(|(list, used)| Some(Matched::new("group", list.groups.first()?, used)))
    }

    /// Unites those of two rules.
    pub(super) fn extend(&mut self, other: Self) {
        self.own.extend(other.own);
        self.roles.extend(other.roles);
    }
}

/// Whose word counts for the groups of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroupsFrom {
    /// The kernel's: those of the process that connected.
    #[default]
    Kernel,
    /// The user database's: those that the next login would give.
    Database,
}

/// When a rule is for a peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub(super) who: Principals,
    pub(super) groups_from: GroupsFrom,
    pub(super) foreign_namespace: bool,
    /// Says nothing of whom the rule is for: outside of it the rule permits nothing.
    pub(super) during: During,
}

impl Condition {
    /// The user or the group by which it is for the peer.
    pub(super) fn matching(&self, peer: &Peer) -> Option<Matched<'_>> {
        let is_at_home = self.foreign_namespace || peer.namespace != Namespace::Foreign;
        self.naming(peer).filter(|_| is_at_home)
    }

    /// The same, whatever namespace the peer lives in.
    pub(super) fn naming(&self, peer: &Peer) -> Option<Matched<'_>> {
        self.who.user(peer).or_else(|| match (self.groups_from, &peer.database_groups) {
            (GroupsFrom::Kernel, _) => self.who.group_among(&peer.groups),
            (GroupsFrom::Database, DatabaseGroups::Known(groups)) => {
                self.who.group_among(groups).map(|matched| matched.by("database"))
            }
            (GroupsFrom::Database, DatabaseGroups::NotAsked | DatabaseGroups::Unavailable) => None,
        })
    }

    /// Whether it can tell nothing of some peers without the user database.
    pub(super) fn needs_database_groups(&self) -> bool {
        self.groups_from == GroupsFrom::Database && self.who.first_group().is_some()
    }
}

/// The times of conditions that all name some; nothing where one of them holds at any time, or where there is none.
pub(super) fn hours<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Option<String> {
    let times = conditions.map(|condition| Some(&condition.during).filter(|during| !during.is_always()));
    let times: Vec<&During> = times.collect::<Option<_>>()?;
    if times.is_empty() { None } else { Some(listed(times)) }
}

impl Reader<'_> {
    /// Reads the condition that a table holds.
    pub(super) fn condition(&mut self, table: &DeTable<'_>, section: &Section) -> Condition {
        self.known_keys(table, section);
        let groups_from = table.get("groups-from").and_then(|item| self.groups_from(item, table));
        let foreign_namespace = table.get("foreign-namespace").and_then(|item| self.truth(item));
        Condition {
            who: self.principals(table, Purpose::Allow),
            groups_from: groups_from.unwrap_or_default(),
            foreign_namespace: foreign_namespace.unwrap_or(false),
            during: table.get("during").map_or_else(During::default, |item| self.during(item)),
        }
    }

    /// Reads `users`, `groups` and `roles`.
    pub(super) fn principals(&mut self, table: &DeTable<'_>, purpose: Purpose) -> Principals {
        Principals { own: self.members(table, purpose), roles: self.role_uses(table) }
    }

    /// Notes an error where a rule has none of its three lists.
    pub(super) fn names_someone(&mut self, table: &DeTable<'_>, span: &Range<usize>) {
        if !["users", "groups", "roles"].iter().any(|key| table.contains_key(*key)) {
            self.error(span, "an allow rule needs users, groups or roles");
        }
    }

    fn groups_from(&mut self, item: &Item<'_>, table: &DeTable<'_>) -> Option<GroupsFrom> {
        let word = self.word(item)?;
        if !table.contains_key("groups") && !table.contains_key("roles") {
            self.error(&item.span(), "groups-from is about groups, and this names none");
        }
        match word.text.as_str() {
            "kernel" => Some(GroupsFrom::Kernel),
            "database" => Some(GroupsFrom::Database),
            _ => {
                self.error(&word.span, "groups-from is \"kernel\" or \"database\"");
                None
            }
        }
    }
}
