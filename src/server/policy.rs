//! The policy at start-up: read, checked and in force, or refused whole with its place. Repairs nothing.

use super::start::Failure;
use crate::accounts::Database;
use crate::audit::{Event, Kind};
use crate::files::{self, Trust};
use crate::policy::{Case, Decision, Diagnostic, Loaded, Names, Policy, Severity, Source, decide};
use crate::protocol;
use std::path::Path;
use std::time::SystemTime;

/// Reads the installed policy with its drop-ins, and checks it.
///
/// # Errors
/// [`Failure`]: nothing of it is in force.
pub fn load(path: &Path, trust: Trust) -> Result<Loaded, Failure> {
    let refused = |why: String| Failure::config(format!("the policy is refused: {why}"));
    let sources = files::read_policy(path, trust).map_err(|error| refused(error.to_string()))?;
    check(&sources, &Database, trust).map_err(|found| refused(first_of(&found)))
}

/// Checks a policy with the users and groups, and with the programs, that it names; and that it passes its own tests.
///
/// # Errors
/// What is wrong with it, warnings among it.
pub fn check(sources: &[Source], names: &dyn Names, trust: Trust) -> Result<Loaded, Vec<Diagnostic>> {
    let loaded = check_untested(sources, names, trust)?;
    let failures: Vec<_> = loaded.tests.iter().filter_map(|case| failure(&loaded.policy, case)).collect();
    if failures.is_empty() { Ok(loaded) } else { Err([loaded.warnings, failures].concat()) }
}

/// Checks a policy like [`check`], its own tests aside.
///
/// # Errors
/// What is wrong with it, warnings among it.
pub fn check_untested(
    sources: &[Source],
    names: &dyn Names,
    trust: Trust,
) -> Result<Loaded, Vec<Diagnostic>> {
    let Loaded { policy, mut warnings, tests } = Policy::parse(sources, names)?;
    warnings.extend(policy.program_faults(|program| program_fault(program, trust)));
    let is_usable = warnings.iter().all(|found| found.severity() == Severity::Warning);
    if is_usable { Ok(Loaded { policy, warnings, tests }) } else { Err(warnings) }
}

/// Why a test of the policy's author fails, if it does.
#[must_use]
pub fn failure(policy: &Policy, case: &Case) -> Option<Diagnostic> {
    let request = match protocol::read_request(&case.request) {
        Ok(request) => request,
        Err(why) => return Some(case.failed(&format!("{:?} is no request: {why}", case.request))),
    };
    if case.at.is_none() && policy.goes_by_time(&case.peer, &request.command) {
        return Some(case.needs_time());
    }
    match decide(policy, &case.peer, &request, case.at.unwrap_or(SystemTime::UNIX_EPOCH)) {
        Decision::Permit(grant) if !case.expects_permit => {
            Some(case.failed(&format!("{:?} is permitted, by {}", case.request, grant.rule())))
        }
        Decision::Deny(denial) if case.expects_permit => {
            Some(case.failed(&format!("{:?} is denied: {}", case.request, denial.reason())))
        }
        Decision::Permit(_) | Decision::Deny(_) => None,
    }
}

/// A program that is not there harms nobody: its package may yet come, and the policy's other commands work.
fn program_fault(program: &Path, trust: Trust) -> Option<(Severity, String)> {
    let error = files::check_program(program, trust).err()?;
    Some(if error.is_missing() {
        (Severity::Warning, format!("{error}; this command can't be run"))
    } else {
        (Severity::Error, error.to_string())
    })
}

/// One line, for what is one line in the journal.
fn first_of(found: &[Diagnostic]) -> String {
    let mut errors = found.iter().filter(|one| one.severity() == Severity::Error);
    let first = errors.next().map_or_else(String::new, ToString::to_string);
    match errors.count() {
        0 => first,
        more => format!("{first} (and {more} more; udsadmin check shows all)"),
    }
}

/// The event of a policy in force.
#[must_use]
pub fn in_force(path: &Path, loaded: &Loaded) -> Event {
    let commands = loaded.policy.commands().count();
    let warnings = loaded.warnings.len();
    let text = format!("policy {} in force (commands: {commands}, warnings: {warnings})", path.display());
    Event::new(Kind::PolicyLoaded, text)
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_COMMANDS", commands)
        .field("UDSADMIN_WARNINGS", warnings)
}
