//! The conversation itself: requests in, replies out, one run at a time, each in its turn. Executes nothing unfinished.

use super::judge::Judge;
use super::listing::Listing;
use super::outbox::Outbox;
use super::running::{Running, Step};
use super::unread::Unread;
use super::{Context, part};
use crate::broker::Connection;
use crate::protocol::Tag;
use crate::protocol::decoder::{Ask, Decoder, INPUT_MAX, Incoming, Item};
use crate::protocol::reply::{self, Final};
use crate::transport::{Read, Stream};
use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Requests that may wait before no more is read (udsadmin-protocol(7)).
const WAITING_MAX: usize = 32;

/// Answers after which other sessions have their turn, where none of them took long.
const TURN: usize = 32;

/// Octets read at once.
const BLOCK: usize = 16 * 1024;

/// The longest silence after a half-close while a command runs: `socat` gives up after 0.5 s (its option -t).
const HEARTBEAT: Duration = Duration::from_millis(400);

/// How long after a half-close the first sign of life comes: the client's clock has run since it wrote, and the daemon
/// may have been started only since then.
const FIRST_BEAT: Duration = Duration::from_millis(100);

/// How long `quit` waits for what was asked before it.
const QUITTING: Duration = Duration::from_secs(1);

/// How long what runs may go on after the server was told to end: as long as the broker lets it (`server::broker`).
const DRAINING: Duration = Duration::from_secs(30);

/// What the client's side of the connection is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It may still write.
    Talking,
    /// It has shut its writing side, and waits for the answers.
    HalfClosed,
    /// Nothing more is read from it: the connection ends when what is to be said is said.
    Leaving,
    /// It is gone.
    Gone,
}

/// Why the conversation goes on.
enum Wake {
    Readable(io::Result<()>),
    Written(io::Result<usize>),
    Run(Step),
    Heartbeat,
    QuittingIsOver,
    Stalled,
    Draining,
}

/// One client's conversation.
pub(super) struct Conversation<'a> {
    pub(super) context: &'a Arc<Context>,
    /// The policy of the request in hand, and the peer as far as that policy needs it known.
    pub(super) judge: Arc<Judge>,
    pub(super) out: Outbox,
    pub(super) stream: &'a Stream,
    decoder: Decoder,
    unread: Unread,
    waiting: VecDeque<Item>,
    /// The answer to the request in hand, where that takes several goes.
    pub(super) listing: Option<Listing>,
    running: Option<Running>,
    link: Option<Arc<Connection>>,
    runs: u32,
    client: Client,
    pub(super) is_fresh: bool,
    /// The server's word to end was heard, and its time is running.
    is_ending: bool,
    quitting: Option<Instant>,
    beat_due: Instant,
    /// When the client last took something, or had nothing to take.
    took: Instant,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(context: &'a Arc<Context>, judge: Judge, stream: &'a Stream) -> Self {
        Self {
            context,
            judge: Arc::new(judge),
            out: Outbox::default(),
            stream,
            decoder: Decoder::new(),
            unread: Unread::default(),
            waiting: VecDeque::new(),
            listing: None,
            running: None,
            link: None,
            runs: 0,
            client: Client::Talking,
            is_fresh: true,
            is_ending: false,
            quitting: None,
            beat_due: Instant::now() + HEARTBEAT,
            took: Instant::now(),
        }
    }

    /// Holds it, to the end of the connection and of what runs for it.
    pub(super) async fn hold(mut self) {
        loop {
            self.answer_in_turn().await;
            self.decode_ahead();
            if self.client != Client::Gone && self.has_said_all() && !self.hears_a_last_word() {
                self.client = Client::Gone;
                part(self.stream).await;
            }
            if self.client == Client::Gone && !self.running.as_ref().is_some_and(Running::is_starting) {
                return self.running.into_iter().for_each(Running::abandon);
            }
            let wake = self.wake().await;
            self.act(wake).await;
        }
    }

    /// The next request in turn.
    fn next_in_turn(&mut self) -> Option<Item> {
        self.waiting.pop_front().or_else(|| self.decode_next())
    }

    /// While a command runs: reads ahead, as far as requests may wait, and not past what ends the connection. `cancel` and
    /// `quit` are acted on right here.
    fn decode_ahead(&mut self) {
        let ends = |last: &Item| last.is_desynchronised();
        while self.running.is_some()
            && self.quitting.is_none()
            && self.waits_for_little()
            && !self.waiting.back().is_some_and(ends)
        {
            let Some(item) = self.decode_next() else { return };
            self.act_at_once(&item);
            self.waiting.push_back(item);
        }
    }

    fn decode_next(&mut self) -> Option<Item> {
        let item = self.unread.decode(&mut self.decoder);
        if item.is_none() && self.client == Client::HalfClosed { self.decoder.finish() } else { item }
    }

    fn act_at_once(&mut self, item: &Item) {
        let Item::Request(Incoming { ask, .. }) = item else { return };
        if matches!(ask, Ask::Cancel) {
            self.running.iter_mut().for_each(Running::cancel);
        }
        if matches!(ask, Ask::Quit) {
            self.quitting = Some(Instant::now() + QUITTING);
        }
    }

    fn waits_for_little(&self) -> bool {
        let input = |item: &Item| match item {
            Item::Request(Incoming { input: Some(octets), .. }) => octets.len(),
            Item::Request(_) | Item::Malformed(_) | Item::TooLong { .. } | Item::Http => 0,
        };
        self.waiting.len() < WAITING_MAX && self.waiting.iter().map(input).sum::<usize>() < INPUT_MAX
    }

    /// Answers what waits, until something runs or nobody reads the answers. However much one client asks, others are
    /// answered meanwhile.
    async fn answer_in_turn(&mut self) {
        let mut answered = 0;
        while self.running.is_none() && !self.out.is_full() {
            if self.tell_on().await {
                continue;
            }
            let Some(item) = self.next_in_turn() else { return };
            let is_long = is_long(&item);
            match item {
                Item::Request(incoming) => self.answer_request(incoming).await,
                Item::Malformed(error) => self.answer_malformed(&error).await,
                Item::TooLong { desynchronised, tag } => {
                    self.answer_too_long(desynchronised, tag.as_ref()).await;
                }
                Item::Http => self.answer_http().await,
            }
            self.is_fresh = false;
            answered += 1;
            if is_long || answered % TURN == 0 {
                yield_now().await;
            }
        }
    }

    /// Tells the next of a long answer, and then lets others have their turn; false where there is none.
    async fn tell_on(&mut self) -> bool {
        let Some(mut listing) = self.listing.take() else { return false };
        if listing.tell(self.out.writer()) {
            let (tag, last) = listing.into_end();
            self.say(tag.as_ref(), &last);
        } else {
            self.listing = Some(listing);
            yield_now().await;
        }
        true
    }

    pub(super) fn say(&mut self, tag: Option<&Tag>, last: &Final) {
        self.out.say(tag, last);
        self.beat_due = Instant::now() + HEARTBEAT;
    }

    /// Reads nothing more; what is said is still sent.
    pub(super) fn leave(&mut self) {
        self.waiting.clear();
        self.listing = None;
        self.unread = Unread::default();
        self.client = Client::Leaving;
    }

    fn has_said_all(&self) -> bool {
        let expects_nothing = self.client != Client::Talking || self.context.draining.is_cancelled();
        let answers = self.running.is_some() || self.listing.is_some();
        let is_idle = self.waiting.is_empty() && self.unread.is_empty() && !answers;
        let abandons = self.client == Client::Leaving;
        expects_nothing && (is_idle || abandons) && self.out.is_empty()
    }

    /// Waits for whatever comes first. Dropping a future of these loses nothing.
    async fn wake(&mut self) -> Wake {
        let may_read = self.client == Client::Talking
            && self.quitting.is_none()
            && !self.context.draining.is_cancelled()
            && self.unread.is_empty()
            && self.waits_for_little();
        let may_write = !self.out.is_empty();
        let may_pass_on = !self.out.is_full();
        if !may_write {
            self.took = Instant::now();
        }
        let stalls = self.running.as_ref().and_then(Running::stall_timeout).map(|limit| self.took + limit);
        // A client that has not read what was said hears no silence.
        let beats = self.client == Client::HalfClosed && self.running.is_some() && self.out.is_empty();
        tokio::select! {
            written = self.stream.write(self.out.unsent()), if may_write => Wake::Written(written),
            ready = self.stream.readable(), if may_read => Wake::Readable(ready),
            step = next_step(&mut self.running, may_pass_on) => Wake::Run(step),
            () = sleep_until(self.beat_due), if beats => Wake::Heartbeat,
            () = at(stalls), if may_write => Wake::Stalled,
            () = at(self.quitting), if self.client != Client::Gone => Wake::QuittingIsOver,
            () = self.context.draining.cancelled(), if !self.is_ending => Wake::Draining,
        }
    }

    async fn act(&mut self, wake: Wake) {
        match wake {
            Wake::Readable(Ok(())) => self.read().await,
            Wake::Written(Ok(octets)) => {
                self.out.sent(octets);
                self.took = Instant::now();
            }
            Wake::Readable(Err(error)) | Wake::Written(Err(error)) => self.lose_client(&error),
            Wake::Run(step) => self.proceed(step),
            Wake::Heartbeat => self.beat(),
            Wake::QuittingIsOver => self.abandon(),
            Wake::Stalled => self.lose_client(&io::ErrorKind::TimedOut.into()),
            Wake::Draining => {
                self.is_ending = true;
                self.quitting = self.quitting.or(Some(Instant::now() + DRAINING));
            }
        }
    }

    /// Not a future: the room for reading is on the stack for this call alone.
    fn take(&mut self, read: impl Fn(&Stream, &mut [u8]) -> io::Result<Read>) -> io::Result<Read> {
        let mut block = [0; BLOCK];
        let read = read(self.stream, &mut block)?;
        if let Read::Octets(octets) = read {
            self.unread.fill(block.get_mut(..octets).unwrap_or_default());
        }
        Ok(read)
    }

    async fn read(&mut self) {
        match self.take(Stream::try_read) {
            Ok(Read::Octets(_)) => {}
            Ok(Read::End) => {
                self.client = Client::HalfClosed;
                self.beat_due = Instant::now() + FIRST_BEAT;
            }
            Ok(Read::OtherSender { uid, pid }) => self.end_for_another_sender(uid, pid).await,
            Ok(Read::Unexpected) => self.end_for_a_descriptor().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose_client(&error),
        }
    }

    fn lose_client(&mut self, error: &io::Error) {
        tracing::debug!("{} has gone: {error}", self.judge.peer.user());
        if let Err(error) = self.stream.end() {
            tracing::debug!("the connection had ended: {error}");
        }
        self.forget_client();
    }

    pub(super) fn forget_client(&mut self) {
        self.leave();
        self.client = Client::Gone;
        self.out = Outbox::default();
    }

    fn proceed(&mut self, step: Step) {
        let Some(running) = &mut self.running else { return };
        let listens = matches!(self.client, Client::Talking | Client::HalfClosed);
        let mut unheard = Vec::new();
        let out = if listens { self.out.writer() } else { &mut unheard };
        let before = out.len();
        let is_over = running.take(step, out);
        if out.len() > before {
            self.beat_due = Instant::now() + HEARTBEAT;
        }
        self.link = running.link(self.link.take());
        if is_over {
            let (tag, last) = (running.tag().cloned(), running.last_line());
            self.running = None;
            if listens {
                self.say(tag.as_ref(), &last);
            }
        }
    }

    fn beat(&mut self) {
        if let Some(running) = &self.running {
            let text = format!("running ms={}", running.ms());
            reply::info(running.tag(), &text, self.out.writer());
        }
        self.beat_due = Instant::now() + HEARTBEAT;
    }

    /// `quit` has waited long enough: every request still gets its final line, and what runs goes on by itself.
    fn abandon(&mut self) {
        self.quitting = None;
        if let Some(running) = &self.running {
            let (tag, last) = (running.tag().cloned(), running.last_line());
            self.say(tag.as_ref(), &last);
        }
        if let Some((tag, _)) = self.listing.take().map(Listing::into_end) {
            self.say(tag.as_ref(), &ending());
        }
        for item in std::mem::take(&mut self.waiting) {
            let (tag, last) = match item {
                Item::Request(Incoming { tag, ask: Ask::Quit, .. }) => (tag, Final::bye()),
                Item::Request(Incoming { tag, .. }) | Item::TooLong { tag, .. } => (tag, ending()),
                Item::Malformed(error) => (error.tag, Final::syntax(error.column).text(error.message)),
                Item::Http => continue,
            };
            self.say(tag.as_ref(), &last);
        }
        self.leave();
    }
}

/// Whether the answer goes through rules of the policy, of which there may be very many.
const fn is_long(item: &Item) -> bool {
    matches!(
        item,
        Item::Request(Incoming { ask: Ask::Help(_) | Ask::Commands | Ask::Why(_) | Ask::Run(..), .. })
    )
}

fn ending() -> Final {
    Final::draining().field("ms", "0").text("the session is ending; nothing was started")
}

async fn next_step(running: &mut Option<Running>, may_pass_on: bool) -> Step {
    match running {
        Some(running) => running.next(may_pass_on).await,
        None => pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

mod turn;

#[cfg(test)]
mod tests;
