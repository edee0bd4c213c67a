//! Reads the types whose values mean something outside of the policy: paths, users, groups and secrets; and how often a
//! value may be given. Looks at none of what they mean.

use super::super::demand::HANDED_MAX;
use super::super::kind::{Kind, Pass, Paths, Repeat, Target, Users, VALUE_MAX, is_canonical};
use super::super::language;
use super::super::principal::Purpose;
use super::super::reader::{Item, Reader, Word};
use toml::de::DeTable;

/// Values of one argument at most, where the policy says nothing of it.
const REPEAT_DEFAULT: usize = 64;

/// Values of one argument at most.
pub(in crate::policy) const REPEAT_MAX: usize = 1024;

/// How many values, where there may be several.
pub(super) struct Repetition(pub(super) Option<Repeat>);

impl Reader<'_> {
    pub(super) fn path(&mut self, item: &Item<'_>) -> Option<Kind> {
        let table = self.table(item)?;
        self.known_keys(table, &language::PATH);
        let roots = self.roots(table, item);
        let target = self.target(table);
        let pass = table.get("pass").map_or(Some("path"), |pass| self.choice(pass, "pass", &["path", "fd"]));
        Some(Kind::Path(Paths { roots: roots?, target: target?, handed: pass? == "fd" }))
    }

    fn roots(&mut self, table: &DeTable<'_>, item: &Item<'_>) -> Option<Vec<String>> {
        let Some(under) = table.get("under") else {
            self.error(&item.span(), "path needs under: the directories that it may be in");
            return None;
        };
        let words = self.words(under);
        if words.is_empty() {
            self.error(&under.span(), "under needs at least one directory");
            return None;
        }
        self.each_once(&words);
        words.iter().map(|word| self.root(word)).collect()
    }

    fn root(&mut self, word: &Word) -> Option<String> {
        if !is_canonical(&word.text) {
            let message = "a directory of under is absolute, not \"/\" itself, and has no \".\", \"..\", \"//\" or last \"/\"";
            self.error(&word.span, message);
            return None;
        }
        Some(word.text.clone())
    }

    fn target(&mut self, table: &DeTable<'_>) -> Option<Target> {
        let exists = table.get("exists").map_or(Some(true), |exists| self.truth(exists))?;
        match (exists, table.get("kind")) {
            (true, None) => Some(Target::File),
            (false, None) => Some(Target::Nothing),
            (false, Some(kind)) => {
                self.error(&kind.span(), "what does not exist has no kind");
                None
            }
            (true, Some(kind)) => match self.choice(kind, "kind", &["file", "directory", "any"])? {
                "file" => Some(Target::File),
                "directory" => Some(Target::Directory),
                _ => Some(Target::Either),
            },
        }
    }

    /// One of a few words.
    fn choice(&mut self, item: &Item<'_>, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let word = self.word(item)?;
        let found = words.iter().find(|known| **known == word.text).copied();
        if found.is_none() {
            let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            self.error(&word.span, &format!("{key} is {}, not {:?}", quoted.join(" or "), word.text));
        }
        found
    }

    pub(super) fn users(&mut self, item: &Item<'_>) -> Option<Kind> {
        let Some(table) = item.get_ref().as_table() else {
            let any = item.get_ref().as_bool() == Some(true);
            if !any {
                self.error(
                    &item.span(),
                    "user is true, or says which: { min-uid = 1000, groups = [\"webops\"] }",
                );
            }
            return any.then(|| Kind::User(Users::default()));
        };
        self.known_keys(table, &language::USER);
        let min_uid = table.get("min-uid").map_or(Some(0), |min| self.least_id(min))?;
        if let Some(none) = table
            .get("groups")
            .filter(|groups| groups.get_ref().as_array().is_some_and(|list| list.is_empty()))
        {
            self.error(&none.span(), "groups needs at least one group");
        }
        let groups = table.get("groups").map(|_| self.members(table, Purpose::Deny).groups);
        Some(Kind::User(Users { min_uid, groups }))
    }

    fn least_id(&mut self, item: &Item<'_>) -> Option<u32> {
        let least = u32::try_from(self.integer(item)?).ok();
        if least.is_none() {
            self.error(&item.span(), "min-uid is from 0 to 4294967295");
        }
        least
    }

    pub(super) fn secret(&mut self, item: &Item<'_>) -> Option<Kind> {
        let table = self.table(item)?;
        self.known_keys(table, &language::SECRET);
        let longest = self.max_length(table, item, "secret");
        let pass =
            table.get("pass").map_or(Some("memfd"), |pass| self.choice(pass, "pass", &["memfd", "stdin"]));
        let pass = if pass? == "stdin" { Pass::Input } else { Pass::Memory };
        Some(Kind::Secret(longest?, pass))
    }

    /// The greatest number of characters, which must be said.
    pub(super) fn max_length(&mut self, table: &DeTable<'_>, item: &Item<'_>, of: &str) -> Option<usize> {
        let Some(longest) = table.get("max-length") else {
            self.error(&item.span(), &format!("{of} needs max-length, in characters"));
            return None;
        };
        self.count(longest, "max-length", VALUE_MAX)
    }

    fn count(&mut self, item: &Item<'_>, key: &str, most: usize) -> Option<usize> {
        let count = usize::try_from(self.integer(item)?).ok().filter(|count| (1..=most).contains(count));
        if count.is_none() {
            self.error(&item.span(), &format!("{key} is from 1 to {most}"));
        }
        count
    }

    /// Reads `repeat`, of an argument of this type. `None` where it has an error.
    pub(super) fn repeat(&mut self, item: &Item<'_>, kind: &Kind) -> Option<Repetition> {
        let most = if matches!(kind, Kind::Path(paths) if paths.handed) { HANDED_MAX } else { REPEAT_MAX };
        if kind.is_secret() {
            self.error(&item.span(), "a secret has one value");
            return None;
        }
        if let Some(is_repeated) = item.get_ref().as_bool() {
            return Some(Repetition(is_repeated.then_some(Repeat { min: 1, max: REPEAT_DEFAULT.min(most) })));
        }
        let table = self.table(item)?;
        self.known_keys(table, &language::REPEAT);
        let min = table.get("min").map_or(Some(1), |min| self.count(min, "min", most));
        let max = table.get("max").map_or(Some(REPEAT_DEFAULT.min(most)), |max| self.count(max, "max", most));
        let (min, max) = (min?, max?);
        if min > max {
            self.error(&item.span(), &format!("nothing is repeated from {min} to {max} times"));
            return None;
        }
        Some(Repetition(Some(Repeat { min, max })))
    }
}
