//! One event: its kind, a sentence for people, and fields for programs. Formats nothing for any particular trail.

use crate::identity::Peer;
use crate::policy::{Denial, Shown};
use crate::protocol;
use crate::request::{ArgumentName, Builtin, Value};
use std::fmt::Display;

/// Longest name of a field that journald takes, in octets (systemd's journal-file; longer ones are dropped there).
const FIELD_NAME_MAX: usize = 64;

/// Values of arguments that have fields of their own, of all arguments together: an event stays far below what journald takes.
const VALUES_TOLD: usize = 256;

/// What kind of thing happened. Each has one message id, for ever (`docs/audit.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A peer was admitted.
    Connected,
    /// A peer was turned away at the door.
    Refused,
    /// A request was refused.
    Denied,
    /// A command is about to run. Written before it does.
    Started,
    /// A command has ended, or could not be started after all.
    Finished,
    /// A run was told to end, by whom it says.
    JobCancelled,
    /// The output of a run of another user was read.
    JobRead,
    /// What came was no request. Some of it ends the connection.
    ProtocolError,
    /// Octets came from another user than the one who connected.
    SenderMismatch,
    /// A policy is in force.
    PolicyLoaded,
    /// A policy was read again, and refused: the old one stays.
    PolicyRefused,
}

impl Kind {
    /// The value of `UDSADMIN_EVENT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::JobCancelled => "job-cancelled",
            Self::JobRead => "job-read",
            Self::ProtocolError => "protocol-error",
            Self::SenderMismatch => "sender-mismatch",
            Self::PolicyLoaded => "policy-loaded",
            Self::PolicyRefused => "policy-refused",
        }
    }

    /// The value of `MESSAGE_ID` (sd-id128(3)), drawn once at random.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::Connected => "e015f98f5ed84aa0a7e4f006a18281bf",
            Self::Refused => "1d84fdf8e3aa4e3f9db47588cbb29acf",
            Self::Denied => "7d5406ff88ae4aafbde069a84f3325b1",
            Self::Started => "b6ef443242024a088ccb1b71515146f7",
            Self::Finished => "f4b7a5636485483f9940992f8124aed6",
            Self::JobCancelled => "f0c5ce33e26e405cad050475859f9733",
            Self::JobRead => "11e84d333d4445e9b52d068ccd71dc4f",
            Self::ProtocolError => "993d125a4efd4812b5ba296f4789dcc0",
            Self::SenderMismatch => "59c10322e3714de892f28c3680aad08b",
            Self::PolicyLoaded => "aebd644a9e084c2ab43ca38e0d6e566c",
            Self::PolicyRefused => "3e62ea6c326d4d4885abe4bd2b0a2cd2",
        }
    }

    /// The value of `PRIORITY` (syslog(3)).
    #[must_use]
    pub const fn priority(self) -> &'static str {
        match self {
            Self::SenderMismatch | Self::PolicyRefused => "3",
            Self::Refused | Self::Denied | Self::ProtocolError => "4",
            Self::Started | Self::Finished | Self::JobCancelled | Self::JobRead | Self::PolicyLoaded => "5",
            Self::Connected => "6",
        }
    }
}

/// An event, built up from what is known of it.
#[derive(Clone, Debug)]
pub struct Event {
    kind: Kind,
    message: String,
    fields: Vec<(String, Vec<u8>)>,
}

impl Event {
    /// An event of this kind. The message is one sentence; what of it a peer had a hand in must be escaped already.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fields: Vec::new() }
    }

    /// Who it is about.
    #[must_use]
    pub fn peer(self, peer: &Peer) -> Self {
        let known = &peer.circumstances;
        self.field("OBJECT_PID", peer.pid)
            .field("UDSADMIN_UID", peer.uid)
            .field("UDSADMIN_USER", peer.user())
            .field("UDSADMIN_GID", peer.gid)
            .field("UDSADMIN_GROUPS", known.group_names.join(","))
            .field(
                "UDSADMIN_LOGINUID",
                known.loginuid.map_or_else(|| "unset".to_owned(), |uid| uid.to_string()),
            )
            .optional("UDSADMIN_EXE", known.executable.as_ref().map(|path| path.display()))
            .optional("UDSADMIN_UNIT", known.unit.as_ref())
            .optional("UDSADMIN_LABEL", known.label.as_ref())
    }

    /// An event about a request, with what of it may be known: the command, the request in its canonical spelling, and
    /// the arguments by name.
    #[must_use]
    pub fn about(kind: Kind, peer: &Peer, shown: &Shown, what: &str) -> Self {
        let spelling = protocol::spell(shown.request());
        Self::new(kind, format!("{peer}: {spelling}: {what}"))
            .peer(peer)
            .field("UDSADMIN_COMMAND", &shown.request().command)
            .field("UDSADMIN_REQUEST", spelling)
            .arguments(shown.arguments())
    }

    /// A peer whom the policy does not let connect.
    #[must_use]
    pub fn refused(peer: &Peer, denial: &Denial) -> Self {
        Self::new(Kind::Refused, format!("{peer} was refused: {}", denial.reason()))
            .peer(peer)
            .decision("deny", denial.rule())
            .field("UDSADMIN_REASON", denial.reason())
    }

    /// A request that is refused, before what it names outside of the policy was found or because it was not.
    #[must_use]
    pub fn denied(peer: &Peer, shown: &Shown, denial: &Denial) -> Self {
        Self::about(Kind::Denied, peer, &shown.before_proof(), &format!("denied: {}", denial.reason()))
            .decision("deny", denial.rule())
            .field("UDSADMIN_REASON", denial.reason())
    }

    /// A built-in that is refused, in its canonical spelling. By which rule, if by one, is left to say.
    #[must_use]
    pub fn denied_builtin(
        peer: &Peer,
        builtin: Builtin,
        spelling: &dyn Display,
        reason: &dyn Display,
    ) -> Self {
        Self::new(Kind::Denied, format!("{peer}: {spelling}: denied: {reason}"))
            .peer(peer)
            .field("UDSADMIN_COMMAND", builtin.verb())
            .field("UDSADMIN_REQUEST", spelling)
            .field("UDSADMIN_REASON", reason)
    }

    /// The arguments by name, one field for each value, as many as are told; of the others the number is.
    #[must_use]
    pub fn arguments(mut self, arguments: &[(ArgumentName, Value)]) -> Self {
        for (name, value) in arguments.iter().take(VALUES_TOLD) {
            self.fields.push((argument_field(name), value.as_bytes().to_vec()));
        }
        let more = arguments.len().saturating_sub(VALUES_TOLD);
        self.optional("UDSADMIN_VALUES_MORE", (more > 0).then_some(more))
    }

    /// What was decided, and the place of the rule that says so.
    #[must_use]
    pub fn decision(self, decision: &str, rule: impl Display) -> Self {
        self.field("UDSADMIN_DECISION", decision).field("UDSADMIN_RULE", rule)
    }

    /// One more field. The name is upper case, digits and underscores.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Display) -> Self {
        self.fields.push((name.to_owned(), value.to_string().into_bytes()));
        self
    }

    /// One more field, where there is a value for it.
    #[must_use]
    pub fn optional(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// What kind of event it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields, in the order given.
    #[must_use]
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.fields
    }
}

/// `UDSADMIN_ARG_UNIT` for `unit`: upper case, with underscores for what a field's name can't hold.
fn argument_field(name: &ArgumentName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let field: String = "UDSADMIN_ARG_".chars().chain(name.as_str().chars().map(plain)).collect();
    debug_assert!(field.len() <= FIELD_NAME_MAX, "a name is at most 32 octets");
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const KINDS: [Kind; 11] = [
        Kind::Connected,
        Kind::Refused,
        Kind::Denied,
        Kind::Started,
        Kind::Finished,
        Kind::JobCancelled,
        Kind::JobRead,
        Kind::ProtocolError,
        Kind::SenderMismatch,
        Kind::PolicyLoaded,
        Kind::PolicyRefused,
    ];

    #[test]
    fn every_kind_has_an_id_of_its_own_and_stands_in_the_documentation() {
        let text = include_str!("../../docs/audit.md");
        let ids: BTreeSet<_> = KINDS.iter().map(|kind| kind.message_id()).collect();
        assert_eq!(ids.len(), KINDS.len());
        for kind in KINDS {
            let row = format!("| `{}` | `{}` |", kind.name(), kind.message_id());
            assert!(text.contains(&row), "docs/audit.md lacks {row}");
        }
    }

    #[test]
    fn the_journals_catalogue_explains_every_kind_and_nothing_else() {
        let catalogue = include_str!("../../systemd/udsadmin.catalog");
        let explained: BTreeSet<_> = catalogue.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        assert_eq!(explained, KINDS.iter().map(|kind| kind.message_id()).collect());
    }

    #[test]
    fn the_journals_catalogue_tells_only_what_is_on_the_record() {
        let catalogue = include_str!("../../systemd/udsadmin.catalog");
        let documented = include_str!("../../docs/audit.md");
        let fields: Vec<_> = catalogue.split('@').skip(1).step_by(2).collect();
        assert!(fields.len() > 20);
        for field in fields {
            assert!(documented.contains(&format!("`{field}`")), "docs/audit.md lacks {field}");
        }
    }

    #[test]
    fn an_argument_is_a_field_that_journald_takes() {
        assert_eq!(argument_field(&"db.name-2".parse().unwrap()), "UDSADMIN_ARG_DB_NAME_2");
    }
}
