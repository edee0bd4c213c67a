//! What crosses the seam, one value a packet. Carries no identity: that is asked of the kernel.

use super::force::{Refused, Standing, Version};
use crate::execution::{JobId, Outcome};
use crate::policy::Refusal;
use crate::request::{Request, Wanted, Wish};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// Octets of one packet at most. A request of a full line is a third of it.
pub(super) const PACKET_MAX: usize = 32 * 1024;

/// From the server to the broker.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Opens the session of the client whose connected socket comes along. The first order, and only the first.
    Open,
    /// Runs a request. Its input comes along, if it has one: a file in memory, sealed.
    Run {
        /// The server's number for this run, in the reports on it.
        run: u32,
        /// The policy that the server judged it by.
        version: Version,
        /// What the client asks for.
        request: Request,
        /// How the client wants it.
        wanted: Wanted,
    },
    /// Ends a run.
    Cancel {
        /// Its number.
        run: u32,
    },
    /// Ends a run that has written more than it may.
    Cap {
        /// Its number.
        run: u32,
    },
    /// Takes up a run again that an earlier broker has started, whose output the server still reads.
    Rejoin {
        /// The server's number for it, in the reports on it.
        run: u32,
        /// The run's id.
        job: JobId,
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
    /// The run is on the record, and is started now. Without this report, nothing was started. What there is to read of it
    /// comes along: standard output, standard error, and the tail, which the server keeps from now on. Nothing
    /// does where nobody waits for it.
    Starts {
        /// The run's number.
        run: u32,
        /// The run's id.
        job: JobId,
        /// How its output is to be passed on.
        passing: Passing,
    },
    /// The run was started, and nobody waits for it.
    Accepted {
        /// The run's number.
        run: u32,
        /// The run's id.
        job: JobId,
    },
    /// The client asked for this run before, by its token. Its tail comes along, where there is one; its end will be told.
    Repeats {
        /// The order's number.
        run: u32,
        /// The first run's id.
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
        /// Whether processes that it left behind were still writing.
        cut: bool,
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

/// How a run's output is to be passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// Octets of both streams together after which it is to be [capped](Order::Cap).
    pub output_limit: Option<u64>,
    /// How long its client may read nothing.
    pub stall_timeout: Option<Duration>,
    /// Whether it outlives the broker, and can be [taken up again](Order::Rejoin).
    pub outlives: bool,
}

/// Facts by name, in order.
pub type Row = Vec<(String, String)>;

/// What came of a wish.
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
    /// The run was found. Its tail comes along; where it is followed, its end will be told.
    Job,
    /// The run was told to end.
    Cancelled,
    /// All there is was told in rows.
    Listed,
    /// There is no such run, or none that is the peer's to know of.
    NoSuchJob,
    /// The run is over already.
    JobIsOver,
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
    /// A limit of the policy can't be set here.
    NotBounded {
        /// Which one, and why.
        text: String,
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
    /// The token is that of another request.
    TokenTaken,
    /// The peer's user has as many tokens as there may be.
    TooManyTokens,
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

    #[test]
    fn the_largest_request_fits_one_packet() {
        let argument = || Argument::Positional(Value::try_from("a").unwrap());
        let request =
            Request { command: "a".parse().unwrap(), arguments: (0..4096).map(|_| argument()).collect() };
        let version = Version::of(&[], SystemTime::UNIX_EPOCH + Duration::new(u64::MAX >> 1, 999_999_999));
        let order = Order::Run { run: u32::MAX, version, request, wanted: Wanted::default() };
        let octets = postcard::to_stdvec(&order).unwrap();
        assert!(octets.len() <= PACKET_MAX, "{}", octets.len());
        assert_eq!(postcard::from_bytes::<Order>(&octets).unwrap(), order);
    }
}
