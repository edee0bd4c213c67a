//! The policy at start-up: read, checked and in force, or refused whole with its place. Repairs nothing.

use crate::accounts::Database;
use crate::audit::{Event, Kind};
use crate::files::{self, Trust};
use crate::policy::{Diagnostic, Loaded, Policy};
use std::path::Path;

/// A policy that is not in force, and why: one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Vec<String>);

impl Refused {
    /// The event that says so.
    #[must_use]
    pub fn event(&self) -> Event {
        let first = self.0.first().map_or("no reason", String::as_str);
        let more = match self.0.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more; udsadmin check shows all)", count - 1),
        };
        Event::new(Kind::PolicyRefused, format!("the policy is refused: {first}{more}"))
            .field("UDSADMIN_REASON", self.0.join("\n"))
    }
}

/// Reads the installed policy with its drop-ins, and checks it with the programs that it names.
///
/// # Errors
/// [`Refused`]: nothing of it is in force.
pub fn load(path: &Path, trust: Trust) -> Result<Loaded, Refused> {
    let sources = files::read_policy(path, trust).map_err(|error| Refused(vec![error.to_string()]))?;
    let loaded = Policy::parse(&sources, &Database).map_err(|errors| refused(&errors))?;
    let fault = |program: &Path| files::check_program(program, trust).err().map(|error| error.to_string());
    match loaded.policy.program_errors(fault).as_slice() {
        [] => Ok(loaded),
        errors => Err(refused(errors)),
    }
}

fn refused(errors: &[Diagnostic]) -> Refused {
    Refused(errors.iter().map(ToString::to_string).collect())
}

/// The event of a policy in force.
#[must_use]
pub fn in_force(path: &Path, loaded: &Loaded) -> Event {
    let commands = loaded.policy.commands().count();
    let warnings = loaded.warnings.len();
    let text = format!("policy {} in force: {commands} commands, {warnings} warnings", path.display());
    Event::new(Kind::PolicyLoaded, text)
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_COMMANDS", commands)
        .field("UDSADMIN_WARNINGS", warnings)
}
