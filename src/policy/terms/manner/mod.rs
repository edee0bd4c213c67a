//! In what manner a command runs: capabilities, directory, environment, limits, and what it sees of the machine. Enforces none.

mod capability;
mod environment;
mod limit;
mod obeyed;
#[cfg(test)]
mod tests;

pub use capability::CapabilitySet;
pub(in crate::policy) use capability::NAMES as CAPABILITY_NAMES;
pub use environment::Environment;
pub(in crate::policy) use environment::in_environment;
pub use limit::{Bounds, Resource};
pub(in crate::policy) use obeyed::is_loaders;

use super::super::command::RunAs;
use super::super::definition::is_plain;
use super::super::kind::{ArgumentSpec, Kind, Target};
use super::super::language;
use super::super::nearest::did_you_mean;
use super::super::reader::{Item, Reader, Word};
use crate::identity::Uid;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Nobody else writes what a command makes that says nothing of it.
const UMASK_DEFAULT: u32 = 0o022;

/// The bits of a mask (umask(2)).
const UMASK_MAX: u32 = 0o777;

/// The directories that a private /tmp is.
const TMP: [&str; 2] = ["/tmp", "/var/tmp"];

/// Directories of `except` at most: each takes two descriptors while a run is started.
pub const EXCEPT_MAX: usize = 32;

/// How `io` is written.
pub(in crate::policy) const IO_FORM: &str = "^(idle|best-effort(:[0-7])?|realtime:[0-7])$";

/// The words of `io`, but for their levels.
const IO_CLASSES: [&str; 3] = ["idle", "best-effort", "realtime"];

/// In what manner one command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// What another user than root begins with.
    pub ambient: CapabilitySet,
    /// What no program can give it more than, where the policy says so.
    pub bounding: Option<CapabilitySet>,
    /// Whether setuid programs are without effect for it, where the policy says so.
    pub no_new_privileges: Option<bool>,
    /// File mode creation mask.
    pub umask: u32,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// What its environment has beside what every command's has.
    pub environment: Environment,
    /// Its limits, one for a resource at most.
    pub limits: Vec<(Resource, Bounds)>,
    /// The niceness, from -20 to 19, where the policy says so.
    pub nice: Option<i32>,
    /// The priority of input and output, where the policy says so.
    pub io: Option<IoPriority>,
    /// What it sees less of than other processes.
    pub walls: Walls,
}

/// What a command sees less of than other processes of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walls {
    /// Whether it has a /tmp and a /var/tmp of its own.
    pub private_tmp: bool,
    /// The directories that it may write to, where it may not write anywhere else.
    pub read_only: Option<Vec<PathBuf>>,
    /// Whether it has the machine's network.
    pub network: bool,
}

impl Walls {
    /// Whether there is any.
    #[must_use]
    pub const fn stand(&self) -> bool {
        self.private_tmp || self.read_only.is_some() || !self.network
    }
}

/// A priority of input and output (`ioprio_set(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoPriority {
    /// When nobody else wants any.
    Idle,
    /// From 0, the first, to 7.
    BestEffort(u8),
    /// Before everyone else; from 0, the first, to 7.
    Realtime(u8),
}

impl Reader<'_> {
    /// Reads the manner in the table of a command; `None` where a key of it has an error.
    pub(in crate::policy) fn manner(&mut self, table: &DeTable<'_>) -> Option<Manner> {
        let capabilities = self.term(table, "capabilities", Self::capabilities);
        let no_new_privileges = self.term(table, "no-new-privileges", Self::truth);
        let umask = self.term(table, "umask", Self::umask);
        let cwd = self.term(table, "cwd", Self::cwd);
        let environment = self.term(table, "environment", Self::environment);
        let limits = self.term(table, "limits", Self::limits);
        let nice = self.term(table, "nice", Self::nice);
        let io = self.term(table, "io", Self::io);
        let walls = self.walls(table);
        let (ambient, bounding) = capabilities?.unwrap_or_default();
        Some(Manner {
            ambient,
            bounding,
            no_new_privileges: no_new_privileges?,
            umask: umask?.unwrap_or(UMASK_DEFAULT),
            cwd: cwd?.unwrap_or_else(|| PathBuf::from("/")),
            environment: environment?.unwrap_or_default(),
            limits: limits?.unwrap_or_default(),
            nice: nice?,
            io: io?,
            walls: walls?,
        })
    }

    fn walls(&mut self, table: &DeTable<'_>) -> Option<Walls> {
        let private_tmp = self.term(table, "private-tmp", Self::truth);
        let read_only = self.term(table, "read-only", Self::read_only);
        let network = self.term(table, "network", Self::truth);
        let walls = Walls {
            private_tmp: private_tmp?.unwrap_or(false),
            read_only: read_only?.flatten(),
            network: network?.unwrap_or(true),
        };
        self.excepts_nothing_private(table, &walls).then_some(walls)
    }

    /// Notes what of the manner does not fit who runs, and with which arguments.
    pub(in crate::policy) fn fit(&mut self, table: &DeTable<'_>, run_as: &RunAs, arguments: &[ArgumentSpec]) {
        if let Some(item) = inner(table, "capabilities", "ambient").filter(|_| run_as.uid == Uid::ROOT) {
            let message = "root has what bounding leaves to it; ambient is for other users: write bounding";
            self.error(&item.span(), message);
        }
        if let Some(item) = inner(table, "limits", "nproc").filter(|_| run_as.uid == Uid::ROOT) {
            self.error(
                &item.span(),
                "nproc does not bind root (setrlimit(2)); write tasks-max beside limits",
            );
        }
        self.variables_fit(table, arguments);
        let sealed = ["private-tmp", "read-only"].into_iter().filter_map(|key| table.get(key));
        let sealed = sealed.filter(|item| item.get_ref().as_bool() != Some(false)).map(toml::Spanned::span);
        if let (Some(span), Some(spec)) =
            (sealed.min_by_key(|span| span.start), arguments.iter().find(|spec| hands_directory(spec)))
        {
            let name = spec.name.as_str();
            let message = format!(
                "argument {name:?} hands the program a directory of the machine itself, by which it leaves these walls; pass a file, or the path"
            );
            self.error(&span, &message);
        }
    }

    fn umask(&mut self, item: &Item<'_>) -> Option<u32> {
        if item.get_ref().is_integer() {
            self.error(&item.span(), "a umask is written in octal and in quotes: \"0027\"");
            return None;
        }
        let word = self.word(item)?;
        let is_octal =
            (3..=4).contains(&word.text.len()) && word.text.bytes().all(|octet| octet.is_ascii_digit());
        let mask = u32::from_str_radix(&word.text, 8).ok().filter(|mask| is_octal && *mask <= UMASK_MAX);
        mask.or_else(|| {
            self.error(
                &word.span,
                &format!("{:?} is no umask; write \"0022\" or \"0077\", in octal", word.text),
            );
            None
        })
    }

    fn cwd(&mut self, item: &Item<'_>) -> Option<PathBuf> {
        let word = self.word(item)?;
        if word.text == "/" { Some(PathBuf::from("/")) } else { self.directory(&word) }
    }

    /// An absolute path of a directory, in its one spelling.
    fn directory(&mut self, word: &Word) -> Option<PathBuf> {
        let path = Path::new(&word.text);
        if path.is_absolute() && is_plain(path) {
            return Some(path.to_owned());
        }
        let message = format!(
            "{:?} is no path of a directory: it is absolute, without \".\", \"..\", \"//\" or a last '/'",
            word.text
        );
        self.error(&word.span, &message);
        None
    }

    fn nice(&mut self, item: &Item<'_>) -> Option<i32> {
        let value = self.integer(item)?;
        let nice = i32::try_from(value).ok().filter(|nice| (-20..=19).contains(nice));
        nice.or_else(|| {
            self.error(&item.span(), &format!("nice is from -20, the first to run, to 19, and not {value}"));
            None
        })
    }

    fn io(&mut self, item: &Item<'_>) -> Option<IoPriority> {
        let word = self.word(item)?;
        let (class, level) =
            word.text.split_once(':').map_or((&*word.text, None), |(class, level)| (class, Some(level)));
        let digit = level
            .and_then(|level| level.parse().ok())
            .filter(|digit: &u8| *digit <= 7 && level.map(str::len) == Some(1));
        match (class, level.is_some(), digit) {
            ("idle", false, _) => Some(IoPriority::Idle),
            ("best-effort", false, _) => Some(IoPriority::BestEffort(4)),
            ("best-effort", true, Some(digit)) => Some(IoPriority::BestEffort(digit)),
            ("realtime", true, Some(digit)) => Some(IoPriority::Realtime(digit)),
            _ => {
                let close = did_you_mean(class, IO_CLASSES);
                let message = format!(
                    "{:?} is no io priority{close}; write \"idle\", \"best-effort\", or with a level from 0 to 7: \"best-effort:7\", \"realtime:0\"",
                    word.text
                );
                self.error(&word.span, &message);
                None
            }
        }
    }

    /// `true`, or a table of what stays writable. `false` is as good as nothing.
    #[expect(clippy::option_option, reason = "nothing read-only and not right are two things")]
    fn read_only(&mut self, item: &Item<'_>) -> Option<Option<Vec<PathBuf>>> {
        if let Some(truth) = item.get_ref().as_bool() {
            return Some(truth.then(Vec::new));
        }
        let table = self.table(item)?;
        self.known_keys(table, &language::READ_ONLY);
        let except = table.get("except").map_or(Some(Vec::new()), |except| self.except(except));
        except.map(Some)
    }

    fn except(&mut self, item: &Item<'_>) -> Option<Vec<PathBuf>> {
        let (count, words) = (self.list(item).len(), self.words(item));
        if count > EXCEPT_MAX {
            self.error(&item.span(), &format!("at most {EXCEPT_MAX} directories stay writable"));
            return None;
        }
        let paths: Vec<PathBuf> = words.iter().filter_map(|word| self.directory(word)).collect();
        (paths.len() == count && item.get_ref().is_array()).then_some(paths)
    }

    /// A directory below a private /tmp is not the one that was meant.
    fn excepts_nothing_private(&mut self, table: &DeTable<'_>, walls: &Walls) -> bool {
        let hidden = |path: &PathBuf| TMP.iter().any(|tmp| path.starts_with(tmp));
        let first = walls.read_only.iter().flatten().find(|path| hidden(path)).filter(|_| walls.private_tmp);
        if let (Some(path), Some(item)) = (first, table.get("read-only")) {
            let message = format!(
                "{} is below /tmp or /var/tmp, which private-tmp replaces by empty ones",
                path.display()
            );
            self.error(&item.span(), &message);
        }
        first.is_none()
    }
}

/// A key of a table within the table.
fn inner<'t, 'i>(table: &'t DeTable<'i>, outer: &str, key: &str) -> Option<&'t Item<'i>> {
    table.get(outer)?.get_ref().as_table()?.get(key)
}

/// Whether the program is handed a directory: from one, every other of its file system can be reached.
fn hands_directory(spec: &ArgumentSpec) -> bool {
    matches!(&spec.kind, Kind::Path(paths) if paths.handed && paths.target != Target::File)
}
