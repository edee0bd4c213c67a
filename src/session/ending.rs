//! How a run ends for its client: in one final line. Says that nothing was started only where that is so.

use super::judge::not_run;
use crate::broker::NotRun;
use crate::execution::{JobId, Outcome, signal_name};
use crate::protocol::reply::Final;

/// What became of it.
#[derive(Clone, Debug)]
pub(super) enum End {
    NotRun(NotRun),
    Ended(Outcome, u64),
    Told(Final),
    Unknown,
}

/// What its client sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The run itself, to its end: now, or again.
    Run,
    /// What another session's run writes, to its end.
    Follow,
    /// What is kept of it at this moment.
    Look,
}

impl End {
    /// The final line of a run with this id, this long after it was asked for.
    pub(super) fn last_line(&self, job: Option<&JobId>, ms: u128) -> Final {
        match self {
            Self::NotRun(why) => not_run(why).field("ms", ms.to_string()),
            Self::Ended(outcome, ms) => with_job(ended(*outcome).field("ms", ms.to_string()), job),
            Self::Told(last) if last.code == Final::accepted().code => {
                with_job(last.clone().field("ms", ms.to_string()), job)
            }
            Self::Told(last) => last.clone(),
            Self::Unknown => Final::unknown_outcome(job.map_or("unknown", JobId::as_str))
                .field("ms", ms.to_string())
                .text("it may have run, and nobody saw its end; look at the journal before you repeat it"),
        }
    }
}

fn with_job(last: Final, job: Option<&JobId>) -> Final {
    match job {
        Some(job) => last.field("job", job.as_str()),
        None => last,
    }
}

fn ended(outcome: Outcome) -> Final {
    match outcome {
        Outcome::Exited(code) => Final::exit(code),
        Outcome::Signalled(number) => Final::signal(signal_name(number)),
        Outcome::TimedOut => Final::timeout(),
        Outcome::Cancelled => Final::cancelled(),
        Outcome::Capped => Final::capped(),
    }
}
