//! A policy on its way: read, checked, compared with the one that it would replace, or refused. Puts nothing in force, and blocks.

use super::changes::{Changes, Told, capped, cut};
use super::force::{InForce, Version};
use super::reload::Check;
use super::texts;
use super::wire::Row;
use crate::files::FileError;
use crate::policy::{Diagnostic, Loaded, Severity, Source};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

/// What is wrong with a policy that is refused.
#[derive(Debug)]
pub enum Unfit {
    /// One of its files is not as it must be.
    File(FileError),
    /// Its text is not as it must be; warnings may be among it.
    Text(Vec<Diagnostic>),
}

/// A policy's files, and what is known of them before they are looked into.
pub(super) struct Draft {
    sources: Vec<Source>,
    pub(super) texts: Arc<OwnedFd>,
    pub(super) version: Version,
}

impl Draft {
    /// Those files, read at this time.
    ///
    /// # Errors
    /// Those of sealing them in memory.
    pub(super) fn of(sources: Vec<Source>, since: SystemTime) -> io::Result<Self> {
        let (texts, version) = (Arc::new(texts::seal(&sources)?), Version::of(&sources, since));
        Ok(Self { sources, texts, version })
    }

    /// The policy that these files are, beside the one that it would replace.
    pub(super) fn checked(self, check: &Check, old: &InForce) -> Result<Candidate, Rejection> {
        let loaded = check(&self.sources).map_err(|unfit| Rejection::of(&unfit))?;
        let Loaded { policy, warnings, .. } = loaded;
        let changes = Changes::between(&old.policy, &policy);
        let now = Arc::new(InForce { policy, version: self.version, warnings: warnings.len() });
        Ok(Candidate { now, texts: self.texts, warnings: Told::of(&warnings), changes })
    }
}

/// A policy that could be swapped in, with everything that goes with it.
pub(super) struct Candidate {
    pub(super) now: Arc<InForce>,
    pub(super) texts: Arc<OwnedFd>,
    pub(super) warnings: Told,
    pub(super) changes: Changes,
}

/// What is told of a policy that is refused.
pub(super) struct Rejection {
    /// The first error.
    pub(super) why: String,
    pub(super) errors: Told,
    /// A row for each of the first errors.
    pub(super) rows: Vec<Row>,
}

impl Rejection {
    /// What is told of this.
    pub(super) fn of(unfit: &Unfit) -> Self {
        let errors: Vec<String> = unfit.places().iter().map(|(at, what)| format!("{at}: {what}")).collect();
        Self { why: cut(&unfit.first()), errors: Told::of(&errors), rows: unfit.rows() }
    }
}

impl Unfit {
    /// The first error on one line, and how many more there are.
    #[must_use]
    pub fn first(&self) -> String {
        match self {
            Self::File(error) => error.to_string(),
            Self::Text(found) => {
                let mut errors = found.iter().filter(|one| one.severity() == Severity::Error);
                let first = errors.next().map_or_else(String::new, ToString::to_string);
                match errors.count() {
                    0 => first,
                    more => format!("{first} (and {more} more; udsadmin check shows all)"),
                }
            }
        }
    }

    /// Every error: its place, and what it is.
    #[must_use]
    pub fn places(&self) -> Vec<(String, String)> {
        match self {
            Self::File(error) => {
                let place =
                    error.place().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
                vec![(format!("{}{place}", error.path().display()), error.fault().to_string())]
            }
            Self::Text(found) => {
                let errors = found.iter().filter(|one| one.severity() == Severity::Error);
                let place = |one: &Diagnostic| format!("{}:{}:{}", one.file(), one.line(), one.column());
                errors.map(|one| (place(one), one.message().to_owned())).collect()
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(at, what): (String, String)| {
            vec![("at".to_owned(), cut(&at)), ("message".to_owned(), cut(&what))]
        };
        capped(self.places().into_iter().map(row).collect())
    }
}
