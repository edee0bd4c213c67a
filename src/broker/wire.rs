//! What crosses the seam, one value a packet. Carries no identity: that is asked of the kernel.

use super::force::{Refused, Standing, Version};
use crate::execution::{JobId, Outcome};
use crate::policy::Refusal;
use crate::request::{Request, Wish};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// Octets of one packet at most. A request of a full line is a third of it.
pub(super) const PACKET_MAX: usize = 32 * 1024;

/// From the server to the broker.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Opens the session of the client whose connected socket comes along. The first order, and only the first.
    Open,
    /// Runs a request. The ends of pipes come along: stdout, stderr, and stdin where there is input.
    Run {
        /// The server's number for this run, in the reports on it.
        run: u32,
        /// The policy that the server judged it by.
        version: Version,
        /// What the client asks for.
        request: Request,
    },
    /// Ends a run.
    Cancel {
        /// Its number.
        run: u32,
    },
    /// Asks for every policy that comes into force, the present one first. The first order, and the only one.
    Follow,
    /// Fulfils a wish of the client's.
    Fulfil {
        /// The server's number for this order, in the reports on it.
        run: u32,
        /// What the client wishes.
        wish: Wish,
    },
}

/// From the broker to the server.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The session is open.
    Opened,
    /// The session is refused, and the connection will be closed. The broker's record says why.
    Refused,
    /// The run is on the record, and is started now. Without this report, nothing was started.
    Starts {
        /// The run's number.
        run: u32,
        /// The run's id.
        job: JobId,
    },
    /// Nothing was started.
    NotRun {
        /// The run's number.
        run: u32,
        /// Why.
        why: NotRun,
    },
    /// The run has ended.
    Ended {
        /// The run's number.
        run: u32,
        /// The run's id.
        job: JobId,
        /// How it ended; `None` where that could not be learnt.
        outcome: Option<Outcome>,
        /// Milliseconds from its start to its end.
        ms: u64,
    },
    /// The policy in force, for who follows. Its files come along, in sealed memory.
    InForce(Standing),
    /// Part of the answer to another order than to run: facts by name.
    Row {
        /// The order's number.
        run: u32,
        /// The facts.
        fields: Row,
    },
    /// The end of that answer.
    Answered {
        /// The order's number.
        run: u32,
        /// The answer.
        answer: Answer,
    },
    /// A policy that is still being checked, for who follows: it can be read meanwhile, and is not in force. Its files come
    /// along.
    Coming(Version),
}

/// Facts by name, in order.
pub type Row = Vec<(String, String)>;

/// What came of an order to reload or to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The policy was read, and is in force.
    Reloaded {
        /// Which it is.
        version: Version,
        /// How many commands it has.
        commands: usize,
        /// How many warnings.
        warnings: usize,
        /// When the policy before comes back, unless this one is confirmed.
        until: Option<SystemTime>,
    },
    /// The policy is refused, and the old one stays.
    Refused(Refused),
    /// The policy on trial stays.
    Confirmed,
    /// No policy is on trial.
    NothingToConfirm,
    /// A policy is on trial, or another one is just being read.
    Busy,
    /// Nothing was done, for one of the reasons for which nothing is run.
    NotDone(NotRun),
}

/// Why nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotRun {
    /// Refused, or no such command.
    Denied,
    /// A value that the peer may not give.
    BadArgument {
        /// The argument's name.
        name: String,
        /// What would be right.
        text: String,
    },
    /// Too many runs at once.
    Busy,
    /// The program could not be started.
    ExecFailed {
        /// The error's number (errno(3)).
        errno: i32,
        /// The step before the program that failed, and how, where it was one of ours.
        step: Option<String>,
        /// The run's id on the record.
        job: JobId,
    },
    /// The record could not be taken.
    AuditUnavailable,
    /// The broker is ending.
    Draining,
    /// The broker can't be reached. The server's own word, for a broker that says nothing.
    Unavailable,
    /// A fault of the broker.
    Internal,
    /// The peer may do this at other times.
    NotNow {
        /// When, for people.
        text: String,
    },
    /// As many runs of this command as there may be are under way.
    CommandBusy {
        /// How many.
        most: usize,
    },
    /// The peer's user has run this command as often as it may.
    Rate {
        /// How often that is, for people.
        rate: String,
        /// Seconds until it may again, at least 1.
        retry_after: u64,
    },
    /// The server judged it by another policy than the one in force: it is to be judged again.
    OtherPolicy,
}

impl From<&Refusal> for NotRun {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Denied => Self::Denied,
            Refusal::NotNow(text) => Self::NotNow { text: text.clone() },
            Refusal::BadArgument { name, text } => {
                Self::BadArgument { name: name.clone(), text: text.clone() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Argument, Value};
    use std::time::Duration;

    #[test]
    fn the_largest_request_fits_one_packet() {
        let argument = || Argument::Positional(Value::try_from("a").unwrap());
        let request =
            Request { command: "a".parse().unwrap(), arguments: (0..4096).map(|_| argument()).collect() };
        let version = Version::of(&[], SystemTime::UNIX_EPOCH + Duration::new(u64::MAX >> 1, 999_999_999));
        let order = Order::Run { run: u32::MAX, version, request };
        let octets = postcard::to_stdvec(&order).unwrap();
        assert!(octets.len() <= PACKET_MAX, "{}", octets.len());
        assert_eq!(postcard::from_bytes::<Order>(&octets).unwrap(), order);
    }
}
