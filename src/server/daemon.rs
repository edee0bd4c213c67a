//! udsadmind: accepts clients and holds their sessions. Has no privilege, and asks for none.

use super::accept::accept_all;
use super::activation::Expected;
use super::make_way::{MAKES_WAY, Way};
use super::options::SERVER;
use super::rooms::Rooms;
use super::start::{self, Beginning, Ending, Failure, hang_ups, told_to_end};
use super::{clock, notify, policy};
use crate::accounts::Database;
use crate::broker::{self, Followed, Fresh, InForce, Version};
use crate::identity::Peer;
use crate::limits::Places;
use crate::policy::Loaded;
use crate::protocol::reply::Final;
use crate::session::{self, Context, StatusRow};
use crate::transport;
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::SocketType;
use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::Signal;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long sessions may take to end after the server was told to. `TimeoutStopSec=` of the unit leaves room for it.
const DRAINING: Duration = Duration::from_secs(40);

/// The sessions under way.
#[derive(Clone, Debug, Default)]
struct Sessions {
    all: TaskTracker,
    /// Held by those of clients who are let in, or may be.
    admitted: TaskTracker,
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    main_with(std::env::args_os().skip(1))
}

/// The whole program, with this command line.
#[must_use]
pub fn main_with(words: impl Iterator<Item = OsString>) -> ExitCode {
    start::main(&SERVER, words, Expected { name: "line", socket_type: SocketType::STREAM, left: None }, serve)
}

async fn serve(beginning: Beginning) -> Result<Ending, Failure> {
    let trail = Arc::new(beginning.trail(&SERVER));
    let path = &beginning.options.policy;
    let fresh = policy::load(path, beginning.trust()).inspect_err(|_| turn_all_away(&beginning.sockets))?;
    let first = first(fresh);
    trail.note(&broker::in_force(path, &first, "", &broker::Told::default())).await;
    let (rooms, followed) = (Rooms::new(), Arc::new(Followed::new(first, Arc::new(Database))));
    let context = Context {
        status: status(&followed, Arc::clone(&rooms.clients)),
        followed,
        trail,
        broker: beginning.options.broker,
        clock: clock::now,
        draining: CancellationToken::new(),
    };
    Ok(serve_all(Arc::new(context), rooms, (beginning.sockets, beginning.way)).await?)
}

/// The policy until the broker is followed: what needs no broker works without one.
fn first(fresh: Fresh) -> InForce {
    let version = Version::of(&fresh.sources, clock::now());
    let Loaded { policy, warnings, .. } = fresh.loaded;
    InForce { policy, version, warnings: warnings.len() }
}

fn status(followed: &Arc<Followed>, places: Arc<Places>) -> Box<dyn Fn() -> Vec<StatusRow> + Send + Sync> {
    let (followed, began) = (Arc::clone(followed), Instant::now());
    Box::new(move || {
        let mut rows = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("pid", std::process::id().to_string()),
            ("uptime", format!("{}s", began.elapsed().as_secs())),
            ("connections", places.count().to_string()),
        ];
        rows.extend(followed.state().rows());
        rows
    })
}

async fn serve_all(
    context: Arc<Context>,
    rooms: Rooms,
    (sockets, mut way): (Vec<OwnedFd>, Way),
) -> io::Result<Ending> {
    let sessions = Sessions::default();
    let (ending, hang_ups) = (told_to_end()?, hang_ups()?);
    for socket in sockets {
        let listener = listener(socket)?;
        let (context, rooms, sessions) = (Arc::clone(&context), rooms.clone(), sessions.clone());
        tokio::spawn(async move {
            let accept = || async { Ok(listener.accept().await?.0) };
            accept_all(accept, &context.draining, |socket| admit(&context, &rooms, &sessions, socket)).await;
        });
    }
    tokio::spawn(follow(Arc::clone(&context), hang_ups));
    let stays = Cell::new(true);
    let tell = tell_systemd(rooms.clients, &context.followed, &stays);
    let idle = async {
        way.told().await;
        stays.set(false);
        way.is_clear(&sessions.admitted, || context.followed.now().version).await;
    };
    tokio::select! {
        () = ending => {},
        // Whoever connects from now on is the next server's.
        () = idle => {},
        () = notify::keep_watchdog_quiet() => {},
        () = tell => {},
    }
    context.draining.cancel();
    sessions.all.close();
    tokio::select! { () = drain(&sessions.all) => {}, () = notify::keep_watchdog_quiet() => {} }
    Ok(Ending::Stopped)
}

/// Follows the broker's policy to the end of the program, as what still runs may need it. A SIGHUP has it connect at once,
/// where it waits with that.
async fn follow(context: Arc<Context>, mut hang_ups: Signal) {
    let asked = async {
        while hang_ups.recv().await.is_some() {
            context.followed.hurry();
        }
    };
    tokio::join!(context.followed.follow(&context.broker, &context.trail), asked);
}

/// Waits for the sessions, but not for a client that never reads its answers.
async fn drain(sessions: &TaskTracker) {
    if tokio::time::timeout(DRAINING, sessions.wait()).await.is_err() {
        tracing::warn!("{} sessions are ended before their time", sessions.len());
    }
}

fn listener(socket: OwnedFd) -> io::Result<UnixListener> {
    let listener = StdListener::from(socket);
    listener.set_nonblocking(true)?;
    setsockopt(&listener, sockopt::PassCred, &true)?;
    UnixListener::from_std(listener)
}

/// Serves a connection, within its user's share of them. One without a peer has no share, and is not served.
fn admit(context: &Arc<Context>, rooms: &Rooms, sessions: &Sessions, socket: UnixStream) {
    let (context, rooms) = (Arc::clone(context), rooms.clone());
    let now = context.followed.now();
    match transport::peer_of(socket.as_fd()).map(|peer| (rooms.take(&now.policy, &peer), peer)) {
        Ok((Some(mut seat), peer)) => {
            let mut admitted = Some(sessions.admitted.token());
            sessions.all.spawn(async move {
                let settle = |peer: &Peer, is_admitted: bool| {
                    admitted.take_if(|_| !is_admitted);
                    rooms.settle(&mut seat, peer, is_admitted)
                };
                session::serve(&context, socket, peer, settle).await;
                drop((seat, admitted));
            });
        }
        Ok((None, _)) => turn_away(socket, &session::crowded()),
        Err(why) => drop(sessions.all.spawn(async move { session::refuse(&context, &socket, &why).await })),
    }
}

fn turn_away(socket: UnixStream, last: &Final) {
    if let Ok(socket) = socket.into_std() {
        session::turn_away_unserved(&socket, last);
    }
}

async fn tell_systemd(places: Arc<Places>, followed: &Followed, stays: &Cell<bool>) {
    let text = || {
        let standing =
            if stays.get() { followed.state().standing().to_string() } else { MAKES_WAY.to_owned() };
        format!("connections: {}; {standing}", places.count())
    };
    let mut told = text();
    notify::ready(&told);
    let mut ticks = interval(notify::STATUS_EVERY);
    loop {
        ticks.tick().await;
        let now = text();
        if now != told {
            notify::status(&now);
            told = now;
        }
    }
}

/// Answers whoever waits already: a program that can't serve must not leave its clients to wait, nor have systemd start it
/// for the same connection again and again.
fn turn_all_away(sockets: &[OwnedFd]) {
    let last = Final::internal().text("the service has no policy in force; ask this machine's administrator");
    for listener in sockets.iter().filter_map(|socket| socket.try_clone().map(StdListener::from).ok()) {
        if listener.set_nonblocking(true).is_ok() {
            while let Ok((socket, _)) = listener.accept() {
                session::turn_away_unserved(&socket, &last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_without_an_end_does_not_keep_the_server_from_ending() {
        let sessions = TaskTracker::new();
        sessions.spawn(std::future::pending::<()>());
        sessions.close();
        drain(&sessions).await;
        assert_eq!(sessions.len(), 1);
    }
}
