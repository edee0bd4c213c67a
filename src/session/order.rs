//! One order to the broker, until it is begun, or will not be. Judges a request anew under each policy that comes meanwhile.

use super::Context;
use super::judge::{Judge, NO_SUCH, not_run};
use super::pipes::JobEnds;
use crate::broker::{Answer, Connection, NotRun, OpenError, Refused, Report, Row};
use crate::execution::JobId;
use crate::protocol::reply::Final;
use crate::request::{Request, Wish};
use humantime::format_rfc3339_seconds;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::SystemTime;

/// What is to be ordered.
#[derive(Debug)]
pub(super) enum Errand {
    /// A run, perhaps with an input.
    Run(Request, Option<Vec<u8>>),
    /// Something that the broker itself does.
    Wish(Wish),
}

/// How an order begins.
#[derive(Debug)]
pub(super) enum Begun {
    /// The run is on the record, and starts.
    Starts(Arc<Connection>, JobId),
    /// Nothing was started.
    NotRun(Arc<Connection>, NotRun),
    /// This is the whole answer.
    Told(Arc<Connection>, Vec<Row>, Final),
}

/// Why it does not.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nothing was started, and there is no link to the broker.
    NotRun(NotRun),
    /// The broker was told, and has not answered.
    Unknown,
}

impl From<NotRun> for Stopped {
    fn from(why: NotRun) -> Self {
        Self::NotRun(why)
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
    Run(&'a Judge, &'a Request, &'a [BorrowedFd<'a>]),
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

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Has the broker run the request, under the policy by which it was judged.
    pub(super) async fn run(mut self, request: Request, ends: JobEnds) -> Result<Begun, Stopped> {
        let pipes: Vec<_> = ends.iter().map(AsFd::as_fd).collect();
        loop {
            let connection = self.send(&Letter::Run(&self.judge, &request, &pipes)).await?;
            match self.first_report(&connection).await? {
                Ok(job) => return Ok(Begun::Starts(connection, job)),
                Err(NotRun::OtherPolicy) => match self.judged_again(&request).await {
                    Ok(judge) => (self.judge, self.link) = (Arc::new(judge), Some(connection)),
                    Err(why) => return Ok(Begun::NotRun(connection, why)),
                },
                Err(why) => return Ok(Begun::NotRun(connection, why)),
            }
        }
    }

    /// The broker has another policy than the one that the request was judged by. An input is its own to judge.
    async fn judged_again(&self, request: &Request) -> Result<Judge, NotRun> {
        let followed = &self.context.followed;
        if !followed.differs_from(&self.judge.now.version).await {
            return Err(NotRun::OtherPolicy);
        }
        let judge = self.judge.renewed(followed).await.ok_or(NotRun::OtherPolicy)?;
        match judge.refusal(request, None, &self.context).await {
            Some(why) => Err(why),
            None => Ok(judge),
        }
    }

    /// Has the broker fulfil a wish.
    pub(super) async fn wish(self, wish: Wish) -> Result<Begun, Stopped> {
        let connection = self.send(&Letter::Wish(wish)).await?;
        let mut rows = Vec::new();
        loop {
            match connection.next().await {
                Ok(Some(Report::Row { run, fields })) if run == self.number => rows.push(fields),
                Ok(Some(Report::Answered { run, answer })) if run == self.number => {
                    let last = self.answered(answer).await;
                    return Ok(Begun::Told(connection, rows, last));
                }
                Ok(Some(_)) => tracing::warn!("the broker reports on another order"),
                Ok(None) | Err(_) => return Err(Stopped::Unknown),
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
            Letter::Run(judge, request, pipes) => {
                connection.run((self.number, judge.now.version), request, pipes).await
            }
            Letter::Wish(wish) => connection.fulfil(self.number, *wish).await,
        }
    }

    /// That the run starts, or why not. A broker that ends without a word has started nothing.
    async fn first_report(&self, connection: &Connection) -> Result<Result<JobId, NotRun>, Stopped> {
        loop {
            match connection.next().await {
                Ok(Some(Report::Starts { run, job })) if run == self.number => return Ok(Ok(job)),
                Ok(Some(Report::NotRun { run, why })) if run == self.number => return Ok(Err(why)),
                Ok(Some(_)) => tracing::warn!("the broker reports on another order"),
                Ok(None) => return Err(NotRun::Unavailable.into()),
                Err(_) => return Err(Stopped::Unknown),
            }
        }
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
        Answer::Confirmed => Final::ok(),
        Answer::NothingToConfirm => Final::bad_argument("verb").text("no policy waits to be confirmed"),
        Answer::Busy => {
            Final::busy().text("another policy is being read, or waits for confirm; try again later")
        }
        Answer::NotDone(NotRun::Denied) => Final::denied().text(NO_SUCH),
        Answer::NotDone(NotRun::AuditUnavailable) => {
            Final::audit_unavailable().text("no policy comes into force without its audit record")
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
