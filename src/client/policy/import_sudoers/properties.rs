//! What holds of every sudoers text, for generated tests and for fuzzing. Reports; asserts nothing itself.

use super::gather::Failed;
use super::report::{Row, Status, people};
use super::syntax::Entry;
use super::{Choice, End, Imported, Surroundings, import};
use crate::identity::{Gid, Uid};
use crate::policy::{LookupFailed, Names, Source};
use std::path::Path;
use std::rc::Rc;

/// A machine on which everyone exists, and every program but those below /tmp, which others may change. It has these files
/// in its one directory.
#[derive(Debug, Default)]
pub(super) struct Anywhere {
    pub(super) files: Vec<(String, String)>,
}

impl Names for Anywhere {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(u32::try_from(user.len()).ok().and_then(|raw| Uid::new(raw).ok()))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(u32::try_from(group.len()).ok().and_then(|raw| Gid::new(raw).ok()))
    }
}

impl Surroundings for Anywhere {
    fn host(&self) -> &'static str {
        "web1.example.com"
    }

    fn fault(&self, program: &Path) -> Option<(bool, String)> {
        program.starts_with("/tmp").then(|| (false, "/tmp: writable by others".to_owned()))
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let found = self.files.iter().find(|(name, _)| Path::new("dir").join(name) == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| "does not exist".to_owned())
    }

    fn names_in(&self, directory: &Path) -> Result<Option<Vec<String>>, String> {
        let names = self.files.iter().map(|(name, _)| name.clone()).collect();
        Ok((directory == Path::new("dir")).then_some(names))
    }
}

/// Any text is no sudoers text, at a place, or makes a policy that loads, and a report with a row for each command and setting.
///
/// # Errors
/// What doesn't hold, in words.
pub fn any_sudoers_text_is_imported_whole_or_refused(text: &str) -> Result<(), String> {
    let source = Source { name: "sudoers".to_owned(), text: text.to_owned() };
    [false, true].into_iter().try_for_each(|wide| is_whole_or_refused(&source, wide))
}

fn is_whole_or_refused(source: &Source, wide: bool) -> Result<(), String> {
    match import(source.clone(), &Anywhere::default(), Choice { follow: false, wide }) {
        Ok(imported) => is_accounted_for(source, &imported),
        Err(End::Fault(found)) => Err(format!("what was made is no policy: {found:?}")),
        Err(End::Input(Failed::Unreadable(why), _)) => Err(format!("nothing else is read: {why}")),
        Err(End::Input(Failed::Wrong(found), rows)) => {
            is_plain(&people(&rows))?;
            let drawn = |it: &crate::policy::Diagnostic| it.line() > 0 && it.picture().contains('|');
            let told = !found.is_empty() && found.iter().all(drawn);
            if told { Ok(()) } else { Err(format!("badly told: {found:?}")) }?;
            found.iter().try_for_each(|it| is_plain(&format!("{it}\n{}", it.picture())))
        }
    }
}

/// Counts by its own way what the text has, and what the report tells.
fn is_accounted_for(source: &Source, imported: &Imported) -> Result<(), String> {
    let (entries, _) = super::parse::parse(&Rc::new(source.clone()));
    for (at, what) in entries.iter().flat_map(pieces) {
        let by = format!("(by {})", what.trim_start_matches('!'));
        let is_it = |row: &&Row| row.at() == at && (row.what == what || row.what.ends_with(&by));
        if imported.rows.iter().filter(|row| row.status != Status::Unsafe).find(is_it).is_none() {
            return Err(format!("{at}: {what} is nowhere in the report"));
        }
    }
    is_plain(&people(&imported.rows))?;
    is_plain(&imported.policy)?;
    let carried = |row: &&Row| matches!(row.status, Status::Carried | Status::Narrower | Status::Wider);
    let rows = imported.rows.iter().filter(carried).filter(|row| !row.what.starts_with("Defaults")).count();
    let comments = imported.policy.lines().filter(|line| line.starts_with("# sudoers:")).count();
    if rows <= comments {
        Ok(())
    } else {
        Err(format!("{rows} are carried, and the policy names {comments}"))
    }
}

/// Refuses what a terminal would obey.
fn is_plain(text: &str) -> Result<(), String> {
    let found = text.lines().find(|line| line.contains(char::is_control));
    found.map_or(Ok(()), |line| Err(format!("a control character comes out: {line:?}")))
}

/// The places and texts of everything in an entry that has to be in a report.
fn pieces(entry: &Entry) -> Vec<(String, String)> {
    match entry {
        Entry::Defaults(settings) => settings.iter().map(|it| (it.at.to_string(), it.text.clone())).collect(),
        Entry::Spec(spec) => {
            let permissions = spec.shares.iter().flat_map(|share| &share.permissions);
            let text = |negated: bool, text: &str| if negated { format!("!{text}") } else { text.to_owned() };
            permissions.map(|it| (it.at.to_string(), text(it.cmnd.negated, &it.cmnd.what.text))).collect()
        }
        Entry::Include { at, path, directory } => {
            vec![(at.to_string(), format!("@include{} {path}", if *directory { "dir" } else { "" }))]
        }
        // Those in use are in the report by their members.
        Entry::Aliases(_) => Vec::new(),
    }
}
