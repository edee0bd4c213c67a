//! What is known of a run that is a unit of systemd, for the broker after this one. Holds no secret.

use super::jobs::{Facts, Over, exit};
use super::run::Entry;
use crate::audit::{Event, Kind};
use crate::execution::{Ended, JobId, Outcome};
use crate::policy::{Delivery, Grant, Keep, OnDisconnect, Size};
use crate::request::Token;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, SystemTime};

/// Octets of a list of groups at most: a fact is one small file.
const GROUPS: usize = 16 * 1024;

/// What is known of a run, from before its start until after the record of its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fact {
    pub(super) id: JobId,
    pub(super) uid: u32,
    gid: u32,
    pub(super) user: String,
    /// All groups of the peer by name, as the record has them; `None` of very many.
    groups: Option<String>,
    loginuid: Option<u32>,
    pub(super) command: String,
    pub(super) request: String,
    token: Option<Token>,
    is_detached: bool,
    rule: String,
    pub(super) began: SystemTime,
    pub(super) timeout: Option<Duration>,
    /// From TERM to KILL.
    pub(super) kill_after: Duration,
    /// How long it is told of after its end, and octets of each stream.
    keep: (Duration, u64),
    /// Octets that it may write, if there is a limit.
    output_limit: Option<u64>,
    pub(super) ends_with_its_client: bool,
    /// Whether its process is known to have become its program.
    has_begun: bool,
}

/// What is to be known of a run that is about to start.
pub(super) fn fact(entry: &Entry<'_>, grant: &Grant, facts: &Facts) -> Fact {
    let (delivery, known) = (&grant.terms().delivery, &entry.peer.circumstances);
    Fact {
        id: facts.id.clone(),
        uid: entry.peer.uid.raw(),
        gid: entry.peer.gid,
        user: facts.user.clone(),
        groups: Some(known.group_names.join(",")).filter(|groups| groups.len() <= GROUPS),
        loginuid: known.loginuid,
        command: facts.command.to_string(),
        request: facts.request.clone(),
        token: entry.wanted.token.clone(),
        is_detached: entry.wanted.detach,
        rule: grant.rule().to_string(),
        began: facts.began,
        timeout: grant.terms().timeout,
        kill_after: grant.terms().ceilings.kill_after,
        keep: (facts.keep.time, facts.keep.output.0),
        output_limit: delivery.output_limit.map(|size| size.0),
        ends_with_its_client: delivery.on_disconnect == OnDisconnect::Term && !entry.wanted.detach,
        has_begun: false,
    }
}

impl Fact {
    /// The same of a run that has begun.
    pub(super) fn begun(self) -> Self {
        Self { has_begun: true, ..self }
    }

    /// The end of its unit, where it is its program's, too. A process that never became the program never exits with status 0.
    ///
    /// # Errors
    /// The broker that started the unit ended before it knew; the end of the run is then unknown.
    pub(super) fn end_of_its_program(&self, ended: Ended) -> io::Result<Ended> {
        if self.has_begun || ended.outcome == Outcome::Exited(0) {
            return Ok(ended);
        }
        let why = format!("its unit came to {}, and nobody knows whether it had begun", ended.outcome);
        Err(io::Error::other(why))
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            output_limit: self.output_limit.map(Size),
            stall_timeout: None,
            on_disconnect: if self.ends_with_its_client { OnDisconnect::Term } else { OnDisconnect::Finish },
            keep: self.keep(),
        }
    }

    pub(super) const fn keep(&self) -> Keep {
        Keep { time: self.keep.0, output: Size(self.keep.1) }
    }
}

/// The record of the end of a run that an earlier broker started.
pub(super) fn finished(fact: &Fact, over: Over) -> Event {
    let exit = exit(over.outcome);
    let Fact { id, uid, gid, user, command, request, rule, .. } = fact;
    Event::new(Kind::Finished, format!("{user} (uid {uid}): {request}: ended under another broker: {exit}"))
        .field("UDSADMIN_UID", uid)
        .field("UDSADMIN_USER", user)
        .field("UDSADMIN_GID", gid)
        .optional("UDSADMIN_GROUPS", fact.groups.as_ref())
        .field("UDSADMIN_LOGINUID", fact.loginuid.map_or_else(|| "unset".to_owned(), |uid| uid.to_string()))
        .field("UDSADMIN_COMMAND", command)
        .field("UDSADMIN_REQUEST", request)
        .decision("permit", rule)
        .field("UDSADMIN_JOB", id)
        .optional("UDSADMIN_TOKEN", fact.token.as_ref())
        .optional("UDSADMIN_DETACHED", fact.is_detached.then_some("yes"))
        .field("UDSADMIN_EXIT", &exit)
        .field("UDSADMIN_MS", over.ms)
        .optional("UDSADMIN_OUTPUT", over.cut.then_some("cut"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(has_begun: bool) -> Fact {
        Fact {
            id: JobId::draw().unwrap(),
            uid: 1000,
            gid: 1000,
            user: "alice".to_owned(),
            groups: None,
            loginuid: None,
            command: "backup".to_owned(),
            request: "backup daily".to_owned(),
            token: None,
            is_detached: false,
            rule: "policy.toml:3".to_owned(),
            began: SystemTime::UNIX_EPOCH,
            timeout: None,
            kill_after: Duration::ZERO,
            keep: (Duration::ZERO, 0),
            output_limit: None,
            ends_with_its_client: false,
            has_begun,
        }
    }

    #[test]
    fn the_end_of_a_unit_is_its_programs_where_that_is_known_to_have_begun() {
        let ended = |outcome| Ended { outcome, took: Duration::ZERO, cut: false, out_of_memory: false };
        for outcome in [Outcome::Exited(226), Outcome::Signalled(9), Outcome::Cancelled] {
            assert!(fact(true).end_of_its_program(ended(outcome)).is_ok(), "{outcome}");
            assert!(fact(false).end_of_its_program(ended(outcome)).is_err(), "{outcome}");
        }
        assert!(fact(false).end_of_its_program(ended(Outcome::Exited(0))).is_ok());
    }
}
