//! One client's session, from the gate to the goodbye. Trusts no word of the client's about who it is.

mod answers;
mod conversation;
mod ending;
mod faults;
mod judge;
mod listing;
mod order;
mod outbox;
mod pipes;
mod running;
mod unread;

use crate::audit::{Event, Kind, Trail};
use crate::broker::Followed;
use crate::identity::Peer;
use crate::policy::Admission;
use crate::protocol::reply::{self, Final};
use crate::transport::{self, NoPeer, Read, Stream};
use conversation::Conversation;
use judge::Judge;
use rustix::net::SendFlags;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a client that was told to go may take to read that, before the connection ends under it.
const PARTING: Duration = Duration::from_secs(1);

/// A row of `status`: what, and how much of it.
pub type StatusRow = (&'static str, String);

/// What every session works with.
pub struct Context {
    /// The policy in force.
    pub followed: Arc<Followed>,
    /// The record.
    pub trail: Arc<Trail>,
    /// Where the broker listens.
    pub broker: PathBuf,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
    /// How the server is.
    pub status: Box<dyn Fn() -> Vec<StatusRow> + Send + Sync>,
    /// Cancelled when the server is ending.
    pub draining: CancellationToken,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("broker", &self.broker).finish_non_exhaustive()
    }
}

/// Serves one accepted connection of this peer to its end. `settle` finds it a place, once it is known whether it is
/// admitted; without one it is turned away.
pub async fn serve(
    context: &Arc<Context>,
    socket: UnixStream,
    peer: Peer,
    settle: impl FnOnce(&Peer, bool) -> bool,
) {
    let now = context.followed.now();
    let peer = match transport::complete(peer, now.policy.asks_database()).await {
        Ok(peer) => peer,
        Err(why) => return refuse(context, &socket, &why).await,
    };
    let admission = now.policy.admits(&peer);
    if !settle(&peer, matches!(admission, Admission::Admitted { .. })) {
        return say_and_part(&socket, &crowded());
    }
    match Stream::new(socket, peer.uid) {
        Ok(stream) => welcome(context, Judge::new(now, peer), &stream, admission).await,
        Err(error) => tracing::warn!("a connection ended before its session: {error}"),
    }
}

/// What a connection is told that there is no place for.
#[must_use]
pub fn crowded() -> Final {
    Final::busy().text("too many connections; close one and try again")
}

async fn welcome(context: &Arc<Context>, judge: Judge, stream: &Stream, admission: Admission) {
    let peer = &judge.peer;
    match admission {
        Admission::Refused(denial) => {
            context.trail.note(&Event::refused(peer, &denial)).await;
            turn_away(stream, &may_not_connect(peer)).await;
        }
        Admission::Admitted { rule } => {
            let event = Event::new(Kind::Connected, format!("{peer} connected"));
            context.trail.note(&event.peer(peer).decision("permit", rule)).await;
            Conversation::new(context, judge, stream).hold().await;
        }
    }
}

fn may_not_connect(peer: &Peer) -> Final {
    Final::denied().text(format!("{peer} may not connect; ask this machine's administrator"))
}

/// Refuses a connection without a peer that a policy could judge.
pub async fn refuse(context: &Context, socket: &UnixStream, why: &NoPeer) {
    context.trail.note(&refused(&why.to_string()).optional("UDSADMIN_UID", why.uid())).await;
    say_and_part(socket, &Final::denied().text(why.to_string()));
}

fn say_and_part(socket: &UnixStream, last: &Final) {
    let mut line = Vec::new();
    reply::final_line(None, last, &mut line);
    // The peer may be gone; there is no session to end.
    drop(socket.try_write(&line));
}

/// Turns a connection away unserved, with one line: for a server that has no place for it, or can't serve at all.
pub fn turn_away_unserved(socket: &std::os::unix::net::UnixStream, last: &Final) {
    let mut line = Vec::new();
    reply::final_line(None, last, &mut line);
    if let Err(error) = rustix::net::send(socket, &line, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        tracing::debug!("whoever does not take one line at once does without it: {error}");
    }
}

fn refused(why: &str) -> Event {
    Event::new(Kind::Refused, format!("a connection was refused: {why}")).field("UDSADMIN_REASON", why)
}

/// Says one line and ends the connection.
async fn turn_away(stream: &Stream, last: &Final) {
    let mut line = Vec::new();
    reply::final_line(None, last, &mut line);
    if let Ok(Ok(_)) = timeout(PARTING, stream.write(&line)).await {
        part(stream).await;
    }
}

/// Ends the connection so that the client reads all that was said to it: closing with unread octets would cost it the
/// rest (unix(7) gives it `ECONNRESET`).
async fn part(stream: &Stream) {
    let read_to_the_end = async {
        stream.finish()?;
        loop {
            stream.readable().await?;
            match stream.try_read(&mut [0; 4096]) {
                Ok(Read::Octets(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return io::Result::Ok(()),
            }
        }
    };
    if let Ok(Err(error)) = timeout(PARTING, read_to_the_end).await {
        tracing::debug!("the client went first: {error}");
    }
    if let Err(error) = stream.end() {
        tracing::debug!("the connection had ended: {error}");
    }
}
