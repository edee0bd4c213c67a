//! What a policy puts into a command's environment. Lets no value of a peer's into a variable that a program obeys.

use super::super::super::kind::ArgumentSpec;
use super::super::super::language;
use super::super::super::reader::{Item, Reader, Word};
use super::{inner, obeyed};
use crate::request::ArgumentName;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeString, DeTable};

/// Variables of systemd's and of this program's own: nobody sets them.
const TAKEN: [&str; 4] = ["LISTEN_*", "NOTIFY_SOCKET", "WATCHDOG_*", "UDSADMIN_*"];

/// What an environment has beside what every command's has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Values by the variables' names. They count more than what every command's environment has.
    pub set: BTreeMap<String, String>,
    /// Arguments by the variables' names. Of one that is not given, the variable is not there.
    pub from_arg: BTreeMap<String, ArgumentName>,
}

/// The arguments whose values are in variables.
pub(in crate::policy) fn in_environment<'t>(table: &'t DeTable<'_>) -> BTreeSet<&'t str> {
    let held = inner(table, "environment", "from-arg").and_then(|item| item.get_ref().as_table());
    held.into_iter().flat_map(|held| held.values()).filter_map(|item| item.get_ref().as_str()).collect()
}

/// Whether a name is as environ(7) and shells have them.
fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

impl Reader<'_> {
    pub(super) fn environment(&mut self, item: &Item<'_>) -> Option<Environment> {
        let table = self.table(item)?;
        self.known_keys(table, &language::ENVIRONMENT);
        let set = self.variables(table, "set", |_, word| Some(word.text.clone()));
        let from_arg = self.variables(table, "from-arg", Self::source);
        let (set, from_arg) = (set?, from_arg?);
        let Some(twice) = set.keys().find(|name| from_arg.contains_key(*name)) else {
            return Some(Environment { set, from_arg });
        };
        self.error(&item.span(), &format!("{twice} is either set or from an argument"));
        None
    }

    fn variables<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        read: fn(&mut Self, &Word) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let Some(item) = table.get(key) else { return Some(BTreeMap::new()) };
        let held = self.table(item)?;
        let read: Vec<_> = held
            .iter()
            .filter_map(|(name, item)| {
                let (named, word) = (self.variable(name), self.word(item));
                named.then_some(())?;
                Some((name.get_ref().to_string(), read(self, &word?)?))
            })
            .collect();
        (read.len() == held.len()).then(|| read.into_iter().collect())
    }

    fn variable(&mut self, key: &Spanned<DeString<'_>>) -> bool {
        let name: &str = key.get_ref();
        let message = if !is_name(name) {
            format!("{name:?} is no name of a variable: letters, digits and '_', and no digit first")
        } else if obeyed::among(&TAKEN, name) {
            format!(
                "{name} is not the policy's to set: LISTEN_*, NOTIFY_SOCKET, WATCHDOG_* and UDSADMIN_* are taken"
            )
        } else {
            return true;
        };
        self.error(&key.span(), &message);
        false
    }

    fn source(&mut self, word: &Word) -> Option<ArgumentName> {
        let name = word.text.parse();
        name.map_err(|error| self.error(&word.span, &format!("{:?} is no name: {error}", word.text))).ok()
    }

    /// Notes where a variable is one that programs obey, or its argument is none whose value goes there.
    pub(super) fn variables_fit(&mut self, table: &DeTable<'_>, arguments: &[ArgumentSpec]) {
        let Some(held) = inner(table, "environment", "from-arg").and_then(|item| item.get_ref().as_table())
        else {
            return;
        };
        for (name, item) in held {
            if obeyed::is_obeyed(name.get_ref()) {
                let message = format!(
                    "{} is one that a loader, a shell or a program obeys: no value of a peer's goes there",
                    name.get_ref()
                );
                self.error(&name.span(), &message);
            }
            let Some(argument) = item.get_ref().as_str() else { continue };
            if let Some(spec) = self.declared(argument, &item.span(), arguments) {
                self.goes_there(item, spec);
            }
        }
    }

    fn goes_there(&mut self, item: &Item<'_>, spec: &ArgumentSpec) {
        let name = spec.name.as_str();
        let message = if spec.is_secret() {
            format!("argument {name:?} is a secret, and an environment is none: it is shown in /proc")
        } else if spec.repeat.is_some() {
            format!("argument {name:?} repeats, and a variable has one value")
        } else {
            return;
        };
        self.error(&item.span(), &message);
    }
}
