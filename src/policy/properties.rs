//! What holds of every policy text, for generated tests and for fuzzing. Reports; asserts nothing itself.

use super::lint::{Finding, Surroundings, lint};
use super::{Decision, Diagnostic, Loaded, LookupFailed, Names, Policy, Source, decide, why};
use crate::identity::{Gid, Peer, Uid};
use crate::request::{CommandName, Request};
use std::time::SystemTime;

/// A user database in which every name has an id, found by its length.
struct EveryName;

impl Names for EveryName {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(u32::try_from(user.len()).ok().and_then(|raw| Uid::new(raw).ok()))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(u32::try_from(group.len()).ok().and_then(|raw| Gid::new(raw).ok()))
    }
}

/// Any text is a policy, of which `decide` and `why` say the same, or is refused with at least one error,
/// each with a place.
///
/// # Errors
/// What doesn't hold, in words.
pub fn any_text_is_a_policy_or_is_refused_with_a_place(text: &str) -> Result<(), String> {
    let source = Source { name: "fuzz.toml".to_owned(), text: text.to_owned() };
    match Policy::parse(&[source], &EveryName) {
        Ok(loaded) => {
            loaded.warnings.iter().try_for_each(has_a_place)?;
            is_linted(&loaded)?;
            loaded.policy.commands().try_for_each(|command| is_explained(&loaded.policy, command.name()))
        }
        Err(findings) if findings.is_empty() => Err("refused without an error".to_owned()),
        Err(findings) => findings.iter().try_for_each(has_a_place),
    }
}

fn has_a_place(finding: &Diagnostic) -> Result<(), String> {
    let one_line = !finding.to_string().contains(char::is_control);
    let placed = finding.line() > 0 && finding.column() > 0 && finding.file() == "fuzz.toml";
    let picture = finding.picture();
    let drawn = picture.contains('|') && !picture.contains(|c: char| c.is_control() && c != '\n');
    if one_line && placed && drawn { Ok(()) } else { Err(format!("badly told: {finding:?}")) }
}

/// Findings are told in order, each on one line, with its place; and nothing is accepted without a reason.
fn is_linted(loaded: &Loaded) -> Result<(), String> {
    let gid = Gid::new(4).map_err(|error| error.to_string())?;
    let population = [Peer::of(Uid::ROOT, gid, [])];
    let unread = ["fuzz.toml".to_owned()];
    let around = Surroundings {
        population: &population,
        now: SystemTime::UNIX_EPOCH,
        program: &|_| Vec::new(),
        others: &|_| None,
        unread: &unread,
    };
    let found = lint(loaded, &around);
    if !found.is_sorted_by_key(Finding::level) {
        return Err(format!("not in order: {found:?}"));
    }
    let badly_told = |one: &&Finding| {
        let one_line = !one.message().is_empty() && !one.message().contains(char::is_control);
        !one_line || !one.at().starts_with("fuzz.toml:") || one.accepted().is_some_and(str::is_empty)
    };
    found.iter().find(badly_told).map_or(Ok(()), |one| Err(format!("badly told: {one:?}")))
}

fn is_explained(policy: &Policy, name: &CommandName) -> Result<(), String> {
    let gid = Gid::new(4).map_err(|error| error.to_string())?;
    let peer = Peer::of(Uid::ROOT, gid, []);
    let request = Request { command: name.clone(), arguments: Vec::new() };
    let permitted = matches!(decide(policy, &peer, &request, SystemTime::UNIX_EPOCH), Decision::Permit(_));
    let explained = why(policy, &peer, &request, SystemTime::UNIX_EPOCH).permitted;
    if permitted == explained { Ok(()) } else { Err(format!("why differs from decide for {name}")) }
}
