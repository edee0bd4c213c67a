//! One order to the broker, until it is begun, or will not be. Judges a request anew under each policy that comes meanwhile.

use super::Context;
use super::ending::View;
use super::judge::{Judge, NO_SUCH, not_run};
use super::pipes::Outlet;
use crate::broker::{Answer, Connection, NotRun, OpenError, Packet, Passing, Refused, Report, Row};
use crate::execution::{JobId, Tail};
use crate::files;
use crate::protocol::reply::Final;
use crate::request::{Request, Wanted, Wish};
use humantime::format_rfc3339_seconds;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::SystemTime;

/// The name of an input's file in memory.
const INPUT: &str = "udsadmin-input";

/// What is to be ordered.
#[derive(Debug)]
pub(super) enum Errand {
    /// A run.
    Run(Box<Run>),
    /// Something that the broker itself does.
    Wish(Wish),
}

/// A run that is wanted.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) request: Request,
    pub(super) wanted: Wanted,
    /// Its standard input, if it has one.
    pub(super) input: Option<Vec<u8>>,
}

/// How an order begins.
#[derive(Debug)]
pub(super) enum Begun {
    /// The run is on the record, and starts.
    Starts { connection: Arc<Connection>, job: JobId, passing: Passing, outlet: Outlet },
    /// The run was started, and goes on by itself.
    Accepted(Arc<Connection>, JobId),
    /// There is a run to be watched.
    Watched(Watch),
    /// Nothing was started.
    NotRun(Arc<Connection>, NotRun),
    /// This is the whole answer.
    Told(Arc<Connection>, Vec<Row>, Final),
}

/// A run that is under way or over, with what is kept of its output.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) connection: Arc<Connection>,
    /// Its id, where it is to be told at the end.
    pub(super) job: Option<JobId>,
    pub(super) tail: Option<Arc<Tail>>,
    /// What is told first.
    pub(super) rows: Vec<Row>,
    pub(super) view: View,
}

/// Why it does not.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nothing was started, and there is no link to the broker.
    NotRun(NotRun),
    /// The broker was told, and has not said what came of it: of a run that was about to start, where it has this id.
    Unknown(Option<JobId>),
}

impl From<NotRun> for Stopped {
    fn from(why: NotRun) -> Self {
        Self::NotRun(why)
    }
}

/// The way back to a run after the broker that saw to it has ended.
#[derive(Clone)]
pub(super) struct WayBack {
    context: Arc<Context>,
    client: Arc<OwnedFd>,
    number: u32,
}

impl WayBack {
    /// Takes the run up again with the next broker, which systemd starts for it; `None` where there is none.
    pub(super) async fn go(self, job: JobId) -> Option<Arc<Connection>> {
        let connection = Connection::open(&self.context.broker, (*self.client).as_fd()).await;
        let connection = connection.map_err(|error| tracing::warn!("job {job} is lost: {error}")).ok()?;
        connection.rejoin(self.number, &job).await.ok()?;
        Some(Arc::new(connection))
    }
}

/// Everything that an order takes.
pub(super) struct Ordering {
    context: Arc<Context>,
    judge: Arc<Judge>,
    client: OwnedFd,
    link: Option<Arc<Connection>>,
    number: u32,
}

/// What is sent to the broker.
enum Letter<'a> {
    Run(&'a Judge, &'a Run, Option<BorrowedFd<'a>>),
    Wish(Wish),
}

impl Ordering {
    /// An order that the judge has let pass, of the session with this client's socket and this link to the broker, if there
    /// is one. `number` is its own in the session.
    pub(super) fn new(
        context: &Arc<Context>,
        judge: Arc<Judge>,
        (client, link): (OwnedFd, Option<Arc<Connection>>),
        number: u32,
    ) -> Self {
        Self { context: Arc::clone(context), judge, client, link, number }
    }

    /// The way back to the run that is ordered.
    pub(super) fn way_back(&self) -> io::Result<WayBack> {
        let (context, client) = (Arc::clone(&self.context), Arc::new(self.client.try_clone()?));
        Ok(WayBack { context, client, number: self.number })
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Has the broker run the request, under the policy by which it was judged.
    pub(super) async fn run(mut self, run: Box<Run>) -> Result<Begun, Stopped> {
        let input = run.input.as_ref().map(|octets| files::sealed(INPUT, octets)).transpose();
        let input = input.map_err(|error| no_input(&error))?;
        loop {
            let letter = Letter::Run(&self.judge, &run, input.as_ref().map(AsFd::as_fd));
            let connection = self.send(&letter).await?;
            match self.first_report(&connection).await? {
                Begun::NotRun(connection, NotRun::OtherPolicy) => match self.judged_again(&run).await {
                    Ok(judge) => (self.judge, self.link) = (Arc::new(judge), Some(connection)),
                    Err(why) => return Ok(Begun::NotRun(connection, why)),
                },
                begun @ (Begun::Starts { .. }
                | Begun::Accepted(..)
                | Begun::Watched(_)
                | Begun::NotRun(..)
                | Begun::Told(..)) => return Ok(begun),
            }
        }
    }

    /// The broker has another policy than the one that the request was judged by.
    async fn judged_again(&self, run: &Run) -> Result<Judge, NotRun> {
        let followed = &self.context.followed;
        if !followed.differs_from(&self.judge.now.version).await {
            return Err(NotRun::OtherPolicy);
        }
        let judge = self.judge.renewed(followed).await.ok_or(NotRun::OtherPolicy)?;
        match judge.refusal(&run.request, run.input.as_ref().map(Vec::len), &self.context).await {
            Some(why) => Err(why),
            None => Ok(judge),
        }
    }

    /// Has the broker fulfil a wish.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is reported is no answer to this order"
    )]
    pub(super) async fn wish(self, wish: Wish) -> Result<Begun, Stopped> {
        let follow = matches!(wish, Wish::Job { follow: true, .. });
        let only_asks = matches!(wish, Wish::Job { .. } | Wish::Jobs { .. });
        let connection = self.send(&Letter::Wish(wish)).await?;
        let mut rows = Vec::new();
        loop {
            let Ok(Some(packet)) = connection.next().await else {
                return Err(if only_asks { NotRun::Unavailable.into() } else { Stopped::Unknown(None) });
            };
            match packet.value {
                Report::Row { run, fields } if run == self.number => rows.push(fields),
                Report::Answered { run, answer: Answer::Job } if run == self.number => {
                    let view = if follow { View::Follow } else { View::Look };
                    let tail = tail(packet.descriptors);
                    return Ok(Begun::Watched(Watch { connection, job: None, tail, rows, view }));
                }
                Report::Answered { run, answer } if run == self.number => {
                    let last = self.answered(answer).await;
                    return Ok(Begun::Told(connection, rows, last));
                }
                _ => tracing::warn!("the broker reports on another order"),
            }
        }
    }

    /// Sends an order; to a new session with the broker where there is none, or where the broker has ended the old one.
    async fn send(&self, letter: &Letter<'_>) -> Result<Arc<Connection>, NotRun> {
        if let Some(connection) = &self.link
            && self.send_by(connection, letter).await.is_ok()
        {
            return Ok(Arc::clone(connection));
        }
        let opened = Connection::open(&self.context.broker, self.client.as_fd()).await;
        let connection = opened.map_err(|error| not_open(&error))?;
        self.send_by(&connection, letter).await.map_err(|error| not_open(&error.into()))?;
        Ok(Arc::new(connection))
    }

    async fn send_by(&self, connection: &Connection, letter: &Letter<'_>) -> io::Result<()> {
        match letter {
            Letter::Run(judge, run, input) => {
                let what = (&run.request, &run.wanted);
                connection.run((self.number, judge.now.version), what, *input).await
            }
            Letter::Wish(wish) => connection.fulfil(self.number, wish.clone()).await,
        }
    }

    /// That the run starts, or why not. A broker that ends without a word has started nothing; one that has announced a start
    /// for which nobody waits may have.
    async fn first_report(&self, connection: &Arc<Connection>) -> Result<Begun, Stopped> {
        let mut announced = None;
        loop {
            let packet = match (connection.next().await, &announced) {
                (Ok(Some(packet)), _) => packet,
                (Ok(None), None) => return Err(NotRun::Unavailable.into()),
                (Ok(None) | Err(_), _) => return Err(Stopped::Unknown(announced)),
            };
            if let (Report::Starts { run, job, .. }, true) = (&packet.value, packet.descriptors.is_empty())
                && *run == self.number
            {
                announced = Some(job.clone());
                continue;
            }
            if let Some(begun) = self.beginning(connection, packet) {
                return begun;
            }
        }
    }

    /// How the run begins, by a report on it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is reported is no answer to this order"
    )]
    fn beginning(
        &self,
        connection: &Arc<Connection>,
        Packet { value, descriptors }: Packet<Report>,
    ) -> Option<Result<Begun, Stopped>> {
        let connection = Arc::clone(connection);
        let begun = match value {
            Report::Starts { run, job, passing } if run == self.number => match Outlet::of(descriptors) {
                Some(outlet) => Begun::Starts { connection, job, passing, outlet },
                None => return Some(Err(Stopped::Unknown(Some(job)))),
            },
            Report::Accepted { run, job } if run == self.number => Begun::Accepted(connection, job),
            Report::Repeats { run, job } if run == self.number => Begun::Watched(Watch {
                connection,
                job: Some(job),
                tail: tail(descriptors),
                rows: Vec::new(),
                view: View::Run,
            }),
            Report::NotRun { run, why } if run == self.number => Begun::NotRun(connection, why),
            _ => {
                tracing::warn!("the broker reports on another order");
                return None;
            }
        };
        Some(Ok(begun))
    }

    /// What the client is told. Whoever reloads finds what came of it with the next request.
    async fn answered(&self, answer: Answer) -> Final {
        if !self.context.followed.knows_of(&answer).await {
            tracing::warn!("what the broker has in force has not come here yet");
        }
        told(answer)
    }
}

fn told(answer: Answer) -> Final {
    match answer {
        Answer::Reloaded { commands, warnings, until, .. } => {
            let counts = [commands, warnings].map(|count| count.to_string());
            let [commands, warnings] = counts;
            on_trial(Final::ok().field("commands", commands).field("warnings", warnings), until)
        }
        Answer::Refused(Refused { why, .. }) => Final::bad_argument("policy").text(why),
        Answer::NothingToConfirm => Final::bad_argument("verb").text("no policy waits to be confirmed"),
        Answer::Busy => {
            Final::busy().text("another policy is being read, or waits for confirm; try again later")
        }
        Answer::Confirmed | Answer::Job | Answer::Cancelled | Answer::Listed => Final::ok(),
        Answer::NoSuchJob => Final::bad_argument("job").text("no such job of yours; jobs lists them"),
        Answer::JobIsOver => Final::bad_argument("job").text("is over already; job ID tells how it ended"),
        Answer::NotDone(NotRun::Denied) => Final::denied().text(NO_SUCH),
        Answer::NotDone(NotRun::AuditUnavailable) => {
            Final::audit_unavailable().text("this is not done without its audit record")
        }
        Answer::NotDone(why) => not_run(&why),
    }
}

fn on_trial(last: Final, until: Option<SystemTime>) -> Final {
    match until {
        None => last,
        Some(until) => last
            .field("until", format_rfc3339_seconds(until).to_string())
            .text("unless confirmed by then, the policy before comes back"),
    }
}

fn not_open(error: &OpenError) -> NotRun {
    tracing::warn!("{error}");
    match error {
        OpenError::Refused => NotRun::Denied,
        OpenError::Unavailable(_) => NotRun::Unavailable,
    }
}

/// The tail that came along.
fn tail(mut descriptors: Vec<OwnedFd>) -> Option<Arc<Tail>> {
    Tail::from_descriptor(descriptors.pop()?).ok().map(Arc::new)
}

fn no_input(error: &io::Error) -> NotRun {
    tracing::error!("an input can't be laid out: {error}");
    NotRun::Internal
}
