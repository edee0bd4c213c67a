//! Roles: users and groups under one name, for rules to share. A role holds no role.

use super::diagnostic::{Diagnostic, Severity};
use super::language;
use super::nearest::did_you_mean;
use super::origin::{Origin, Place};
use super::principal::{Members, Purpose};
use super::reader::{Item, Reader, Word};
use crate::request::CommandName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable};

/// Users and groups under one name.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) members: Members,
}

/// A role where a rule names it.
#[derive(Clone, Debug)]
pub(super) struct RoleUse {
    pub(super) role: Arc<Role>,
    pub(super) origin: Origin,
    pub(super) place: Place,
}

/// A role of some file, also where its definition has errors.
struct Defined {
    role: Arc<Role>,
    place: Place,
    is_used: bool,
}

/// The roles of all files.
#[derive(Default)]
pub(super) struct Roles {
    defined: BTreeMap<String, Defined>,
    /// Those that some deny names: a name in them that nobody has is an error.
    denied: BTreeSet<String>,
}

impl Roles {
    /// Notes which roles the denies of a file name.
    pub(super) fn note_denied(&mut self, file: &DeTable<'_>) {
        let deny = file.get("deny").and_then(|item| item.get_ref().as_table());
        let roles = deny.and_then(|table| table.get("roles")).and_then(|item| item.get_ref().as_array());
        let names = roles.into_iter().flat_map(|list| list.iter()).filter_map(|role| role.get_ref().as_str());
        self.denied.extend(names.map(str::to_owned));
    }

    /// The role, for a rule that names it.
    fn take(&mut self, name: &str) -> Option<Arc<Role>> {
        let defined = self.defined.get_mut(name)?;
        defined.is_used = true;
        Some(Arc::clone(&defined.role))
    }

    /// Warns of roles that no rule names.
    pub(super) fn unused(&self, findings: &mut Vec<Diagnostic>) {
        for (name, unused) in self.defined.iter().filter(|(_, defined)| !defined.is_used) {
            let message = format!("no rule uses role {name:?}");
            findings.push(Diagnostic::new(Severity::Warning, unused.place.clone(), &message));
        }
    }
}

impl Reader<'_> {
    /// Reads one role, which no file has defined before.
    pub(super) fn role(&mut self, key: &Spanned<DeString<'_>>, item: &Item<'_>) {
        let Some(table) = self.section(item) else { return };
        let name: &str = key.get_ref();
        if let Err(error) = name.parse::<CommandName>() {
            return self.error(&key.span(), &format!("{name:?} is no name: {error}"));
        }
        if let Some(first) = self.roles.defined.get(name) {
            let message = format!("role {name:?} is already defined at {}", first.place.origin());
            return self.error(&key.span(), &message);
        }
        let place = self.place(&key.span());
        let role = Arc::new(Role { name: name.to_owned(), members: self.role_members(name, table, item) });
        self.roles.defined.insert(name.to_owned(), Defined { role, place, is_used: false });
    }

    fn role_members(&mut self, name: &str, table: &DeTable<'_>, item: &Item<'_>) -> Members {
        self.known_keys(table, &language::ROLE);
        if !["users", "groups"].iter().any(|key| table.contains_key(*key)) {
            self.error(&item.span(), "a role needs users or groups");
        }
        let purpose = if self.roles.denied.contains(name) { Purpose::Deny } else { Purpose::Allow };
        self.members(table, purpose)
    }

    /// Reads the `roles` of a rule.
    pub(super) fn role_uses(&mut self, table: &DeTable<'_>) -> Vec<RoleUse> {
        let words = table.get("roles").map_or_else(Vec::new, |item| self.words(item));
        words.iter().filter_map(|word| self.role_use(word)).collect()
    }

    fn role_use(&mut self, word: &Word) -> Option<RoleUse> {
        if let Some(role) = self.roles.take(&word.text) {
            return Some(RoleUse { role, origin: self.origin(&word.span), place: self.place(&word.span) });
        }
        let close = did_you_mean(&word.text, self.roles.defined.keys().map(String::as_str));
        self.error(&word.span, &format!("no file defines role {:?}{close}", word.text));
        None
    }
}
