//! The verdict and what comes with it. A grant can be made by the policy alone, and nothing runs without one.

use super::command::RunAs;
use super::demand::{Demand, Need};
use super::origin::Origin;
use super::terms::{OnDisconnect, Terms};
use crate::request::{ArgumentName, CommandName, Value};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an input is called in replies and on the record.
const INPUT: &str = "input";

/// Whether a request may run.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may: this is everything that running it takes.
    Permit(Grant),
    /// It may not.
    Deny(Denial),
}

/// Whether a peer may connect at all.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, by this rule.
    Admitted {
        /// Where `[allow]` names the peer's user or group.
        rule: Origin,
    },
    /// It may not.
    Refused(Denial),
}

/// A run that the policy permits, in every detail. No other module can make or change one:
///
/// ```compile_fail,E0616
/// # use udsadmin::policy::Grant;
/// fn as_somebody_else(permitted: &mut Grant, theirs: &Grant) {
///     permitted.run_as = theirs.run_as().clone();
/// }
/// ```
/// ```compile_fail,E0451
/// # use udsadmin::policy::Grant;
/// fn made(permitted: Grant) -> Grant {
///     Grant { ..permitted }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) command: CommandName,
    pub(super) program: PathBuf,
    pub(super) argv: Vec<Vec<u8>>,
    pub(super) variables: Vec<(String, Vec<u8>)>,
    pub(super) run_as: RunAs,
    pub(super) terms: Arc<Terms>,
    pub(super) rule: Origin,
    pub(super) arguments: Vec<(ArgumentName, Value)>,
    pub(super) demands: Vec<Demand>,
}

impl Grant {
    /// The command's name.
    #[must_use]
    pub const fn command(&self) -> &CommandName {
        &self.command
    }

    /// The absolute path of the program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The whole argument vector; its first element is the program's path. No element holds NUL.
    #[must_use]
    pub fn argv(&self) -> &[Vec<u8>] {
        &self.argv
    }

    /// What the environment has beside what every command's has, by name; these count more. No value holds NUL.
    #[must_use]
    pub fn variables(&self) -> &[(String, Vec<u8>)] {
        &self.variables
    }

    /// As whom the program runs.
    #[must_use]
    pub const fn run_as(&self) -> &RunAs {
        &self.run_as
    }

    /// On what terms it runs.
    #[must_use]
    pub const fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// The rule that permits it.
    #[must_use]
    pub const fn rule(&self) -> &Origin {
        &self.rule
    }

    /// The arguments in the order that the command declares, defaults filled in, one entry for each value. Of a secret it
    /// says only that it was given.
    #[must_use]
    pub fn arguments(&self) -> &[(ArgumentName, Value)] {
        &self.arguments
    }

    /// What must be proven of the world outside just before it runs, in the order of the arguments. What the program is
    /// handed is numbered in this order, too, from descriptor 3 on.
    #[must_use]
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// Whether its standard input is a client's to give.
    #[must_use]
    pub fn takes_input(&self) -> bool {
        self.terms.input.limit().is_some()
    }

    /// Whether an input of so many octets may come with it, or none at all.
    ///
    /// # Errors
    /// The refusal.
    pub fn admits_input(&self, octets: Option<usize>) -> Result<(), Denial> {
        match (octets, self.terms.input.limit()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(self.unwanted_input()),
            (Some(octets), Some(limit)) if u64::try_from(octets).is_ok_and(|it| it <= limit.0) => Ok(()),
            (Some(_), Some(limit)) => Err(self.bad_input(&format!("must be at most {limit} long"))),
        }
    }

    /// Whether nobody need wait for it, where that is asked for.
    ///
    /// # Errors
    /// The refusal.
    pub fn admits_detachment(&self, is_asked_for: bool) -> Result<(), Denial> {
        if is_asked_for && self.terms.delivery.on_disconnect == OnDisconnect::Term {
            let text = "is not possible: this command ends when its client is gone";
            return Err(Denial::bad_argument("detach", text, self.rule.clone()));
        }
        Ok(())
    }

    /// The refusal of this grant for a demand that is not met. What is told is what the policy says; `why` is for the
    /// record.
    pub fn unmet(&self, demand: &Demand, why: &str) -> Denial {
        let denial = Denial::bad_argument(demand.argument.as_str(), &demand.must, demand.declared.clone());
        denial.recorded_as(demand.argument.as_str(), &format!("{}: {why}", demand.must))
    }

    /// The refusal of an input that this grant has no use for.
    fn unwanted_input(&self) -> Denial {
        if self.demands.iter().any(|demand| matches!(demand.need(), Need::Input(_))) {
            return self.bad_input("is not taken: the standard input of this command is a secret");
        }
        self.bad_input("is not taken: this command takes no input; send it without")
            .recorded_as(INPUT, "is not taken: stdin = \"bytes\" of the command would let it")
    }

    fn bad_input(&self, text: &str) -> Denial {
        Denial::bad_argument(INPUT, text, self.rule.clone())
    }
}

/// A refusal: what the peer is told, and what the record says.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    refusal: Box<Refusal>,
    rule: Origin,
    reason: Reason,
}

impl Denial {
    /// A refusal that tells the peer nothing more.
    pub(super) fn denied(reason: Reason, rule: Origin) -> Self {
        Self { refusal: Box::new(Refusal::Denied), rule, reason }
    }

    /// A refusal of an argument, told to a peer that may run the command.
    pub(super) fn bad_argument(name: &str, text: &str, rule: Origin) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        let reason = Reason::BadArgument { name: name.clone(), text: text.clone() };
        Self { refusal: Box::new(Refusal::BadArgument { name, text }), rule, reason }
    }

    /// The same of one of several values of an argument, which by its name alone would not be found.
    pub(super) fn of_value(mut self, index: usize, all: usize) -> Self {
        if let (Refusal::BadArgument { text, .. }, Reason::BadArgument { text: recorded, .. }, 2..) =
            (&mut *self.refusal, &mut self.reason, all)
        {
            let which = format!(" (value {} of {all})", index + 1);
            text.push_str(&which);
            recorded.push_str(&which);
        }
        self
    }

    /// The same, which the record puts into other words than the peer is told.
    fn recorded_as(self, name: &str, text: &str) -> Self {
        Self { reason: Reason::BadArgument { name: name.to_owned(), text: text.to_owned() }, ..self }
    }

    /// A refusal for the time of day alone, told to a peer that may run the command at other times.
    pub(super) fn not_now(during: &str, rule: Origin) -> Self {
        let refusal = Box::new(Refusal::NotNow(format!("only during {during}")));
        Self { refusal, rule, reason: Reason::NotNow(during.to_owned()) }
    }

    /// What the peer is told.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The rule, or the declaration of the argument, that refused.
    #[must_use]
    pub const fn rule(&self) -> &Origin {
        &self.rule
    }

    /// Why, for the record.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// What a refused peer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No: there is no such command, or it isn't for this peer. Both are the same to it.
    Denied,
    /// The peer may do this at other times; in these words.
    NotNow(String),
    /// The peer may run the command, but not like this.
    BadArgument {
        /// The argument, as far as it has a name: a surplus positional one has its number, from 1.
        name: String,
        /// What is allowed. Never the value that was given.
        text: String,
    },
}

/// Why a peer was refused: for the record, and not for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A deny names the user.
    DeniedUser(String),
    /// A deny names one of the groups.
    DeniedGroup(String),
    /// A deny names a group, and the user database doesn't say who is in it.
    GroupsUnknown,
    /// `[allow]` names neither the user nor a group of the peer.
    NotAdmitted,
    /// The peer is in another user namespace.
    ForeignNamespace,
    /// There is no such command.
    NoSuchCommand,
    /// No rule of the command names the user or a group of the peer.
    NotForThisPeer,
    /// No rule of the built-in names the user or a group of the peer.
    NotGranted,
    /// The rules that would permit it do so at these times alone.
    NotNow(String),
    /// An argument is not as it must be.
    BadArgument {
        /// Which.
        name: String,
        /// What is allowed.
        text: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeniedUser(name) => write!(f, "user {name} is denied"),
            Self::DeniedGroup(name) => write!(f, "group {name} is denied"),
            Self::GroupsUnknown => {
                f.write_str("the groups of the user database are unknown, and some are denied")
            }
            Self::NotAdmitted => f.write_str("no rule lets this peer connect"),
            Self::ForeignNamespace => f.write_str("the peer is in another user namespace"),
            Self::NoSuchCommand => f.write_str("no such command"),
            Self::NotForThisPeer => f.write_str("no rule of the command is for this peer"),
            Self::NotGranted => f.write_str("the policy does not grant this built-in"),
            Self::NotNow(during) => write!(f, "it is permitted only during {during}"),
            Self::BadArgument { name, text } => write!(f, "argument {name} {text}"),
        }
    }
}
