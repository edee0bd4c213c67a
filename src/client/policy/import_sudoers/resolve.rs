//! Sorts what was read, and puts lists in the place of aliases. Refuses aliases that loop, or that unfold without measure.

use super::syntax::{Alias, At, Cmnd, Entry, Host, Member, Named, Setting, Spec, User, What};
use crate::policy::Diagnostic;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// Aliases within aliases at most.
const DEPTH_MAX: usize = 128;

/// Members that come out of aliases at most, in all.
const MEMBERS_MAX: usize = 20_000;

/// A list by its name, and where it is defined.
type Lists<T> = BTreeMap<String, (At, Vec<Member<T>>)>;

/// A sudoers text whose parts are found by name.
#[derive(Default)]
pub(super) struct Sudoers {
    users: Lists<User>,
    runas: Lists<User>,
    hosts: Lists<Host>,
    commands: Lists<Cmnd>,
    pub(super) settings: Vec<Setting>,
    pub(super) specs: Vec<Spec>,
    used: RefCell<BTreeSet<(&'static str, String)>>,
    unfolded: Cell<usize>,
}

impl Sudoers {
    /// All of the entries; or those before an alias that has two definitions, and what is wrong.
    pub(super) fn new(entries: Vec<Entry>) -> (Self, Vec<Diagnostic>) {
        let mut sudoers = Self::default();
        for entry in entries {
            match entry {
                Entry::Aliases(aliases) => {
                    if let Err(twice) = aliases.into_iter().try_for_each(|alias| sudoers.define(alias)) {
                        return (sudoers, twice);
                    }
                }
                Entry::Defaults(settings) => sudoers.settings.extend(settings),
                Entry::Spec(spec) => sudoers.specs.push(spec),
                Entry::Include { .. } => {}
            }
        }
        (sudoers, Vec::new())
    }

    fn define(&mut self, Alias { at, name, list }: Alias) -> Result<(), Vec<Diagnostic>> {
        match list {
            Named::Users(list) => insert(&mut self.users, name, at, list),
            Named::Runas(list) => insert(&mut self.runas, name, at, list),
            Named::Hosts(list) => insert(&mut self.hosts, name, at, list),
            Named::Commands(list) => insert(&mut self.commands, name, at, list),
        }
    }

    pub(super) fn users_of(&self, list: &[Member<User>]) -> Result<Vec<Member<User>>, String> {
        let name = |user: &User| if let User::Name(name) = user { Some(name.clone()) } else { None };
        self.unfold(list, &Unfolding { kind: "User_Alias", lists: &self.users, name: &name })
    }

    pub(super) fn runas_of(&self, list: &[Member<User>]) -> Result<Vec<Member<User>>, String> {
        let name = |user: &User| if let User::Name(name) = user { Some(name.clone()) } else { None };
        self.unfold(list, &Unfolding { kind: "Runas_Alias", lists: &self.runas, name: &name })
    }

    pub(super) fn hosts_of(&self, list: &[Member<Host>]) -> Result<Vec<Member<Host>>, String> {
        let name = |host: &Host| if let Host::Name(name) = host { Some(name.clone()) } else { None };
        self.unfold(list, &Unfolding { kind: "Host_Alias", lists: &self.hosts, name: &name })
    }

    /// What is left of an alias then has no definition.
    pub(super) fn commands_of(&self, list: &[Member<Cmnd>]) -> Result<Vec<Member<Cmnd>>, String> {
        let name = |cmnd: &Cmnd| if let What::Alias(name) = &cmnd.what { Some(name.clone()) } else { None };
        self.unfold(list, &Unfolding { kind: "Cmnd_Alias", lists: &self.commands, name: &name })
    }

    /// The aliases that nothing used so far, each with its kind.
    pub(super) fn unused(&self) -> Vec<(&At, &'static str, &str)> {
        let used = self.used.borrow();
        let mut unused = Vec::new();
        let mut add = |kind: &'static str, name, at| {
            if !used.contains(&(kind, String::clone(name))) {
                unused.push((at, kind, name.as_str()));
            }
        };
        self.users.iter().for_each(|(name, (at, _))| add("User_Alias", name, at));
        self.runas.iter().for_each(|(name, (at, _))| add("Runas_Alias", name, at));
        self.hosts.iter().for_each(|(name, (at, _))| add("Host_Alias", name, at));
        self.commands.iter().for_each(|(name, (at, _))| add("Cmnd_Alias", name, at));
        unused
    }

    fn unfold<T: Clone>(&self, list: &[Member<T>], how: &Unfolding<'_, T>) -> Result<Vec<Member<T>>, String> {
        let mut flat = Vec::new();
        for member in list {
            self.unfold_one(member, how, &mut Vec::new(), &mut flat)?;
        }
        Ok(flat)
    }

    /// Counts a member that comes out of aliases.
    fn count(&self, within: &[String]) -> Result<(), String> {
        self.unfolded.set(self.unfolded.get() + usize::from(!within.is_empty()));
        if self.unfolded.get() > MEMBERS_MAX {
            return Err(format!("its aliases unfold to more than {MEMBERS_MAX} members"));
        }
        Ok(())
    }

    fn unfold_one<T: Clone>(
        &self,
        member: &Member<T>,
        how: &Unfolding<'_, T>,
        within: &mut Vec<String>,
        flat: &mut Vec<Member<T>>,
    ) -> Result<(), String> {
        self.count(within)?;
        let named = (how.name)(&member.what).and_then(|name| Some((how.lists.get(&name)?, name)));
        let Some(((_, list), name)) = named else {
            flat.push(member.clone());
            return Ok(());
        };
        if within.contains(&name) || within.len() >= DEPTH_MAX {
            return Err(format!("{} {name} is within itself, or nested without end", how.kind));
        }
        self.used.borrow_mut().insert((how.kind, name.clone()));
        within.push(name);
        for inner in list {
            let inner = Member { negated: inner.negated != member.negated, what: inner.what.clone() };
            self.unfold_one(&inner, how, within, flat)?;
        }
        within.pop();
        Ok(())
    }
}

/// A kind of alias: its lists, and what in a list may be the name of one.
struct Unfolding<'s, T> {
    kind: &'static str,
    lists: &'s Lists<T>,
    name: &'s dyn Fn(&T) -> Option<String>,
}

fn insert<T>(
    lists: &mut Lists<T>,
    name: String,
    at: At,
    list: Vec<Member<T>>,
) -> Result<(), Vec<Diagnostic>> {
    if let Some((first, _)) = lists.get(&name) {
        return Err(vec![at.error(&format!("alias {name} is already defined at {first}"))]);
    }
    lists.insert(name, (at, list));
    Ok(())
}
