//! Reads a sudoers file with what it includes. Follows no include without end, and leaves none out in silence.

use super::Surroundings;
use super::parse::parse;
use super::report::{Order, Row, Status};
use super::syntax::{At, Entry};
use crate::policy::{Diagnostic, Source};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Files within files at most, as sudo has it (`MAX_SUDOERS_DEPTH`).
const DEPTH_MAX: usize = 128;

/// Files that are read at most.
const FILES_MAX: usize = 4096;

/// Why there is nothing to import, or not all.
#[derive(Debug)]
pub(super) enum Failed {
    /// A file can't be read.
    Unreadable(String),
    /// The text is no sudoers text.
    Wrong(Vec<Diagnostic>),
}

/// Everything that was read, in the order in which sudo reads it.
pub(super) struct Gathered<'w> {
    world: &'w dyn Surroundings,
    follow: bool,
    files: usize,
    pub(super) entries: Vec<Entry>,
    pub(super) rows: Vec<Row>,
    pub(super) order: Order,
    /// Why it ends before its end.
    pub(super) failed: Option<Failed>,
}

/// Reads a file and what it includes; with `follow` unset, itself alone.
pub(super) fn gather(first: Source, world: &dyn Surroundings, follow: bool) -> Gathered<'_> {
    let (entries, rows, order) = (Vec::new(), Vec::new(), Order::default());
    let mut gathered = Gathered { world, follow, files: 0, entries, rows, order, failed: None };
    gathered.failed = gathered.file(first, 0).err();
    gathered
}

impl Gathered<'_> {
    fn file(&mut self, source: Source, depth: usize) -> Result<(), Failed> {
        let source = Rc::new(source);
        let (entries, wrong) = parse(&source);
        self.order.goes_on(&source, 1);
        for entry in entries {
            match &entry {
                Entry::Include { at, path, directory } => {
                    self.include(at, path, (*directory, depth + 1))?;
                    self.order.goes_on(&source, at.line + 1);
                }
                Entry::Aliases(_) | Entry::Defaults(_) | Entry::Spec(_) => self.entries.push(entry),
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failed::Wrong(wrong)) }
    }

    fn include(&mut self, at: &At, path: &str, (directory, depth): (bool, usize)) -> Result<(), Failed> {
        let what = format!("{} {path}", if directory { "@includedir" } else { "@include" });
        if !self.follow {
            let message = "not read, by your leave; what it takes away again is not known here";
            self.rows.push(Row::new(at, &what, Status::NotCarried, message));
            return Ok(());
        }
        if depth > DEPTH_MAX {
            return Err(Failed::Wrong(vec![at.error("files include files without end")]));
        }
        let path = self.resolved(at, path);
        let files = if directory { self.listed(at, &what, &path)? } else { vec![path] };
        for file in files {
            self.one(at, &file, depth)?;
        }
        Ok(())
    }

    fn one(&mut self, at: &At, path: &Path, depth: usize) -> Result<(), Failed> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(Failed::Wrong(vec![at.error("this makes more than 4096 files")]));
        }
        let name = path.display().to_string();
        let unreadable = |why| Failed::Unreadable(format!("{name}: {why}, which {at} includes"));
        let text = self.world.text(path).map_err(unreadable)?;
        self.file(Source { name, text }, depth)
    }

    /// The path, relative to the file that names it; `%h` in it is this machine's short name.
    fn resolved(&self, at: &At, path: &str) -> PathBuf {
        let short = self.world.host().split('.').next().unwrap_or_default();
        let beside = Path::new(&at.source.name).parent().unwrap_or(Path::new(""));
        beside.join(path.replace("%h", short))
    }

    /// The files of a directory, in the order of their names. sudo leaves out names with a dot, and those that end with `~`.
    fn listed(&mut self, at: &At, what: &str, path: &Path) -> Result<Vec<PathBuf>, Failed> {
        let unreadable = |why| Failed::Unreadable(format!("{}: {why}, which {at} includes", path.display()));
        let Some(mut names) = self.world.names_in(path).map_err(unreadable)? else {
            self.rows.push(Row::new(at, what, Status::Noted, "there is no such directory"));
            return Ok(Vec::new());
        };
        names.sort();
        let (left_out, read): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.contains('.') || name.ends_with('~'));
        for name in left_out {
            let message =
                format!("{name} is left out, as sudo leaves it out: a '.' in it, or a '~' at its end");
            self.rows.push(Row::new(at, what, Status::Noted, &message));
        }
        Ok(read.iter().map(|name| path.join(name)).collect())
    }
}
