//! What the record says of policies that come into force, or do not. Decides nothing.

use super::changes::{Changes, cut, fields};
use super::force::{InForce, Version};
use super::reload::{By, Unfit};
use crate::audit::{Event, Kind};
use crate::policy::Diagnostic;
use std::fmt::{self, Display};
use std::path::Path;

/// The event of a policy in force, with every warning of which there is a text.
#[must_use]
pub fn in_force(path: &Path, now: &InForce, what: impl Display, warnings: &[Diagnostic]) -> Event {
    let commands = now.policy.commands().count();
    let facts = format!("commands: {commands}, warnings: {}", now.warnings);
    let event = Event::new(Kind::PolicyLoaded, format!("policy {} in force ({facts}){what}", path.display()))
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_DIGEST", now.version.digest())
        .field("UDSADMIN_COMMANDS", commands)
        .field("UDSADMIN_WARNINGS", now.warnings);
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    fields(event, "UDSADMIN_WARNING", &warnings)
}

/// A policy that was read again and comes into force.
pub(super) fn reloaded(
    path: &Path,
    (now, warnings): (&InForce, &[Diagnostic]),
    changes: &Changes,
    (by, superseded): (&By<'_>, Option<&Version>),
) -> Event {
    let superseded =
        superseded.map(|trial| format!("; {trial}, on trial, is superseded")).unwrap_or_default();
    let what = format!(", {by}; {}{superseded}", changes.count());
    by.noted(changes.told_in(in_force(path, now, what, warnings)))
}

/// A policy that was read again and is refused.
pub(super) fn refused(path: &Path, unfit: &Unfit, stays: &Version, by: &By<'_>) -> Event {
    let facts = format!("policy {} refused, {by}: {}", path.display(), cut(&unfit.first()));
    let event = Event::new(Kind::PolicyRefused, format!("{facts}; {stays} stays in force"))
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_DIGEST", stays.digest());
    let errors: Vec<String> = unfit.places().into_iter().map(|(at, what)| format!("{at}: {what}")).collect();
    by.noted(fields(event, "UDSADMIN_ERROR", &errors))
}

/// A policy on trial that nobody confirmed.
pub(super) fn undone(path: &Path, back: &InForce, changes: &Changes) -> Event {
    let what = format!(": not confirmed; {} is in force again; {}", back.version, changes.count());
    changes.told_in(in_force(path, back, what, &[]))
}

/// A policy on trial that stays.
pub(super) fn confirmed(path: &Path, now: &InForce, by: &By<'_>) -> Event {
    by.noted(in_force(path, now, format!(": {} is confirmed, {by}", now.version), &[]))
}

impl By<'_> {
    fn noted(&self, event: Event) -> Event {
        match self {
            Self::Signal => event,
            Self::Peer { peer, wish } => event
                .peer(peer)
                .field("UDSADMIN_COMMAND", wish.builtin().verb())
                .field("UDSADMIN_REQUEST", wish)
                .field("UDSADMIN_DECISION", "permit"),
        }
    }
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal => f.write_str("by SIGHUP"),
            Self::Peer { peer, wish } => write!(f, "by {peer}: {wish}"),
        }
    }
}
