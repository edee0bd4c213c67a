//! What the record says of policies that come into force, or do not. Decides nothing.

use super::changes::{Changes, Told, fields};
use super::draft::Rejection;
use super::force::{InForce, Version};
use super::reload::By;
use crate::audit::{Event, Kind};
use std::fmt::{self, Display};
use std::path::Path;

/// The event of a policy in force, with the warnings that are to be told.
#[must_use]
pub fn in_force(path: &Path, now: &InForce, what: impl Display, warnings: &Told) -> Event {
    let commands = now.policy.commands().len();
    let facts = format!("commands: {commands}, warnings: {}", now.warnings);
    let event = Event::new(Kind::PolicyLoaded, format!("policy {} in force ({facts}){what}", path.display()))
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_DIGEST", now.version.digest())
        .field("UDSADMIN_COMMANDS", commands)
        .field("UDSADMIN_WARNINGS", now.warnings);
    fields(event, "UDSADMIN_WARNING", warnings)
}

/// A policy that was read again and comes into force.
pub(super) fn reloaded(
    path: &Path,
    (now, warnings): (&InForce, &Told),
    changes: &Changes,
    (by, superseded): (&By<'_>, Option<&Version>),
) -> Event {
    let superseded =
        superseded.map(|trial| format!("; {trial}, on trial, is superseded")).unwrap_or_default();
    let what = format!(", {by}; {}{superseded}", changes.count());
    by.noted(changes.told_in(in_force(path, now, what, warnings)))
}

/// A policy that was read again and is refused.
pub(super) fn refused(path: &Path, rejection: &Rejection, stays: &Version, by: &By<'_>) -> Event {
    let facts = format!("policy {} refused, {by}: {}", path.display(), rejection.why);
    let event = Event::new(Kind::PolicyRefused, format!("{facts}; {stays} stays in force"))
        .field("UDSADMIN_POLICY", path.display())
        .field("UDSADMIN_DIGEST", stays.digest());
    by.noted(fields(event, "UDSADMIN_ERROR", &rejection.errors))
}

/// A policy on trial that nobody confirmed.
pub(super) fn undone(path: &Path, back: &InForce, changes: &Changes) -> Event {
    let what = format!(": not confirmed; {} is in force again; {}", back.version, changes.count());
    changes.told_in(in_force(path, back, what, &Told::default()))
}

/// A policy on trial that stays.
pub(super) fn confirmed(path: &Path, now: &InForce, by: &By<'_>) -> Event {
    by.noted(in_force(path, now, format!(": {} is confirmed, {by}", now.version), &Told::default()))
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
