//! The commands that rules are for, by whom they name: what a peer may see costs what it sees, and not what there is. Leaves the
//! last word to the rules themselves.

use super::command::Command;
use super::condition::{Condition, GroupsFrom};
use super::key::Key;
use super::role::Role;
use crate::identity::Peer;
use crate::request::CommandName;
use std::collections::BTreeMap;
use std::vec;

/// Places of commands in the order of their names, ascending.
type Places = Vec<usize>;

/// Every command with a rule, by the users, groups and roles of its rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    names: Vec<CommandName>,
    own: BTreeMap<Key, Places>,
    /// The roles that rules name, with the commands of these rules.
    roles: Vec<Places>,
    /// In which of the roles someone is. A role of many members then costs no more for being in many rules.
    memberships: BTreeMap<Key, Vec<usize>>,
}

/// What may be visible to a peer, as far as it has not been looked at.
#[derive(Clone, Debug, Default)]
pub struct Visible(vec::IntoIter<usize>);

impl Index {
    /// The index of these commands.
    pub(super) fn of(commands: &BTreeMap<CommandName, Command>) -> Self {
        let mut index = Self { names: commands.keys().cloned().collect(), ..Self::default() };
        let mut known = BTreeMap::new();
        for (place, command) in commands.values().enumerate() {
            for rule in &command.rules {
                index.note(place, &rule.condition, &mut known);
            }
        }
        index
    }

    /// Notes a rule of the command at this place. `known` are the roles that have been noted before.
    fn note<'c>(
        &mut self,
        place: usize,
        condition: &'c Condition,
        known: &mut BTreeMap<(&'c str, GroupsFrom), usize>,
    ) {
        let from = condition.groups_from;
        for key in Key::of_list(&condition.who.own, from) {
            add(self.own.entry(key).or_default(), place);
        }
        for used in &condition.who.roles {
            let role =
                *known.entry((&used.role.name, from)).or_insert_with(|| self.take_role(&used.role, from));
            self.roles.get_mut(role).into_iter().for_each(|places| add(places, place));
        }
    }

    fn take_role(&mut self, role: &Role, from: GroupsFrom) -> usize {
        let place = self.roles.len();
        self.roles.push(Places::new());
        for key in Key::of_list(&role.members, from) {
            add(self.memberships.entry(key).or_default(), place);
        }
        place
    }

    /// The commands with a rule that names the peer, wherever it lives.
    pub(super) fn named(&self, peer: &Peer) -> Visible {
        let mut places = Places::new();
        for key in Key::of_peer(peer) {
            let roles = self.memberships.get(&key).into_iter().flatten();
            let of_roles = roles.filter_map(|role| self.roles.get(*role));
            places.extend(self.own.get(&key).into_iter().chain(of_roles).flatten());
        }
        places.sort_unstable();
        places.dedup();
        Visible(places.into_iter())
    }

    /// The next of them.
    pub(super) fn next(&self, visible: &mut Visible) -> Option<&CommandName> {
        self.names.get(visible.0.next()?)
    }
}

/// Adds a place, of which none but the last can be the same.
fn add(places: &mut Places, place: usize) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}
