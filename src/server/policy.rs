//! The policy at start-up: read, checked and in force, or refused whole with its place. Repairs nothing.

use super::start::Failure;
use crate::accounts::Database;
use crate::broker::{Fresh, Unfit};
use crate::execution::{NO_SYSTEMD, Surroundings, listed};
use crate::files::{self, Trust};
use crate::policy::{
    Case, Decision, Diagnostic, Enforcement, Loaded, Names, Policy, Severity, Source, Terms, decide,
};
use crate::protocol;
use std::path::Path;
use std::time::SystemTime;

/// Reads the installed policy with its drop-ins, and checks it.
///
/// # Errors
/// [`Failure`]: nothing of it is in force.
pub fn load(path: &Path, trust: Trust) -> Result<Fresh, Failure> {
    let refused = |unfit: Unfit| Failure::config(format!("the policy is refused: {}", unfit.first()));
    let sources = read(path, trust).map_err(refused)?;
    let loaded = check_here(&sources, trust).map_err(refused)?;
    Ok(Fresh { loaded, sources })
}

/// Reads the files of the installed policy with its drop-ins.
///
/// # Errors
/// [`Unfit`]: nothing of it may come into force.
pub fn read(path: &Path, trust: Trust) -> Result<Vec<Source>, Unfit> {
    files::read_policy(path, trust).map_err(Unfit::File)
}

/// Checks a policy like [`check`], with the users and groups of this machine.
///
/// # Errors
/// [`Unfit`]: nothing of it may come into force.
pub fn check_here(sources: &[Source], trust: Trust) -> Result<Loaded, Unfit> {
    check(sources, &Database, trust).map_err(Unfit::Text)
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
    warnings.extend(tests.iter().filter_map(|case| pointless(&policy, case)));
    warnings.extend(policy.program_faults(|program| program_fault(program, trust)));
    let is_usable = warnings.iter().all(|found| found.severity() == Severity::Warning);
    if is_usable { Ok(Loaded { policy, warnings, tests }) } else { Err(warnings) }
}

/// Adds a warning for each command that systemd can't run here, or whose limits can't be set.
pub fn look_for_limits(loaded: &mut Loaded, surroundings: &Surroundings) {
    let fault = |terms: &Terms| {
        if !Surroundings::may_have_runner(terms) {
            return Some(format!("{NO_SYSTEMD}; this command can't be run"));
        }
        let lacking = surroundings.lacking(terms);
        let then = match terms.ceilings.enforcement {
            Enforcement::Required => "this command can't be run",
            Enforcement::BestEffort => "it runs without",
        };
        (!lacking.is_empty()).then(|| format!("{}; {then}", listed(&lacking)))
    };
    loaded.warnings.extend(loaded.policy.ceiling_faults(fault));
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

/// That a test asks for nothing there is, if so.
fn pointless(policy: &Policy, case: &Case) -> Option<Diagnostic> {
    let request = protocol::read_request(&case.request).ok()?;
    Some(case.asks_nothing(&policy.no_such_command(&request.command)?))
}

/// A program that is not there harms nobody: its package may yet come, and the policy's other commands work.
fn program_fault(program: &Path, trust: Trust) -> Option<(Severity, String)> {
    let error = files::check_program(program, trust).err()?;
    Some(if error.is_missing() {
        let is_line = program.as_os_str().as_encoded_bytes().contains(&b' ');
        let hint = if is_line { "; each argument is an element of exec of its own" } else { "" };
        (Severity::Warning, format!("{error}; this command can't be run{hint}"))
    } else {
        (Severity::Error, error.to_string())
    })
}
