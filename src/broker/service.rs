//! The broker's service: one connection of the server is one client's session. Asks the kernel who the client is, and
//! decides for itself; what the server says counts for nothing in that.

use super::door::{Doors, Foreign, still_open};
use super::drain::keep_the_rest;
use super::finish::ended;
use super::force::Version;
use super::jobs::{Jobs, Known, Over};
use super::quota::Quotas;
use super::run::report;
use super::stop::Stop;
use super::store::Store;
use super::tokens::Tokens;
use super::units::Units;
use super::wire::{Answer, NotRun, Order, Report};
use super::{Packet, Packets, Policies};
use crate::audit::{Event, Kind, Trail};
use crate::execution::{JobId, Streams, Surroundings};
use crate::files::Trust;
use crate::identity::{Namespace, Peer, Uid};
use crate::limits::Places;
use crate::policy::{Admission, Policy};
use crate::request::{Request, Wanted, Wish};
use crate::transport::{self, NoPeer};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// What the broker works with.
#[derive(Debug)]
pub struct Service {
    /// The policy in force, and how it is replaced.
    pub policies: Arc<Policies>,
    /// The record.
    pub trail: Arc<Trail>,
    /// Where clients connect.
    pub doors: Doors,
    /// The one user who may open sessions: the server's.
    pub admit: Uid,
    /// Whose files may be run.
    pub trust: Trust,
    /// What jobs get from this process.
    pub surroundings: Surroundings,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
    /// The runs under way, and their caps.
    pub runs: Arc<Places>,
    /// The orders under way, decided or not, and their caps.
    pub orders: Arc<Places>,
    /// What commands limit themselves. As the runs do, it outlives a change of the policy.
    pub quotas: Quotas,
    /// The runs that there is something to tell of.
    pub jobs: Jobs,
    /// The names that clients gave them.
    pub tokens: Arc<Tokens>,
    /// What is known of the runs that outlive this process.
    pub units: Units,
    /// What systemd holds for the broker after this one.
    pub store: Store,
    /// The tasks of the runs under way.
    pub tasks: TaskTracker,
    /// Held by whatever would be lost with this process: the sessions of clients, and the runs that are its children.
    pub busy: TaskTracker,
    /// Cancelled when no further run may start.
    pub draining: CancellationToken,
    /// Cancelled when the runs under way must end.
    pub ending: CancellationToken,
}

/// One client's session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) packets: Packets,
    pub(super) peer: Peer,
    /// The client's own socket, as long as the server serves it.
    client: Mutex<Option<OwnedFd>>,
    lost: CancellationToken,
    /// The last run that was over while the server still read it, as long as it is known.
    last: Mutex<Option<(Weak<Known>, Streams)>>,
}

/// What ends each run that a session ordered, by its number.
type Stops = HashMap<u32, Stop>;

/// An order to run.
pub(super) struct Ordered {
    /// The server's number for it.
    pub(super) run: u32,
    /// The policy that the server judged it by.
    pub(super) version: Version,
    pub(super) request: Request,
    pub(super) wanted: Wanted,
    pub(super) input: Option<OwnedFd>,
}

impl Service {
    /// Serves one connection of the server to its end. Runs that it ordered go on after that.
    pub fn session(self: Arc<Self>, connection: OwnedFd) -> impl Future<Output = ()> {
        let busy = self.busy.token();
        async move {
            match self.open(connection, busy).await {
                Ok(Some((session, _busy))) => {
                    let session = Arc::new(session);
                    self.follow_orders(&session).await;
                    session.lose();
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("a connection of the server ended before its session: {error}"),
            }
        }
    }

    async fn open(
        &self,
        connection: OwnedFd,
        busy: TaskTrackerToken,
    ) -> io::Result<Option<(Session, TaskTrackerToken)>> {
        if let Some(why) = self.not_the_server(&connection) {
            self.trail.note(&refused(&why)).await;
            return Ok(None);
        }
        let packets = Packets::new(connection)?;
        let first = packets.receive().await?;
        if matches!(&first, Some(Packet { value: Order::Follow, .. })) {
            // Whoever follows will follow the next broker.
            drop(busy);
            return self.keep_told(&packets).await.map(|()| None);
        }
        let Some(client) = opened_for(first) else {
            self.trail.note(&refused("the server did not open its session with one socket")).await;
            return Ok(None);
        };
        match self.recognise(&client).await {
            Ok(peer) => {
                packets.send(&Report::Opened, &[]).await?;
                let session = Session {
                    packets,
                    peer,
                    client: Mutex::new(Some(client)),
                    lost: CancellationToken::new(),
                    last: Mutex::default(),
                };
                Ok(Some((session, busy)))
            }
            Err(event) => {
                self.trail.note(&event).await;
                packets.send(&Report::Refused, &[]).await?;
                Ok(None)
            }
        }
    }

    fn not_the_server(&self, connection: &OwnedFd) -> Option<String> {
        match transport::peer_of(connection.as_fd()) {
            Ok(peer) if peer.uid == self.admit => None,
            Ok(peer) => Some(format!(
                "uid {} connected to the broker, which serves uid {} alone",
                peer.uid, self.admit
            )),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The client behind a passed socket, as the kernel names it; or the record of why it is refused.
    async fn recognise(&self, client: &OwnedFd) -> Result<Peer, Event> {
        self.doors.check(client.as_fd()).map_err(|foreign| refused(&foreign.to_string()))?;
        let unknown = |why: NoPeer| refused(&why.to_string()).optional("UDSADMIN_UID", why.uid());
        let peer = transport::peer_of(client.as_fd()).map_err(unknown)?;
        let policy = &self.policies.now().policy;
        let peer = transport::complete(peer, policy.asks_database()).await.map_err(unknown)?;
        if peer.namespace == Namespace::NotLooked {
            return Err(refused("which user namespace the client lives in can't be told").peer(&peer));
        }
        match policy.admits(&peer) {
            Admission::Admitted { .. } => Ok(peer),
            Admission::Refused(denial) => Err(Event::refused(&peer, &denial)),
        }
    }

    async fn follow_orders(self: &Arc<Self>, session: &Arc<Session>) {
        let mut stops = Stops::new();
        loop {
            match session.packets.receive::<Order>().await {
                Ok(Some(Packet { value: Order::Run { run, version, request, wanted }, mut descriptors })) => {
                    let input = descriptors.pop();
                    self.begin(session, Ordered { run, version, request, wanted, input }, &mut stops).await;
                }
                Ok(Some(Packet { value: Order::Fulfil { run, wish }, .. })) => {
                    self.hear(session, (run, wish), &mut stops).await;
                }
                Ok(Some(Packet { value: Order::Cancel { run }, .. })) => {
                    stops.get(&run).inspect(|stop| stop.cancel());
                }
                Ok(Some(Packet { value: Order::Rejoin { run, job }, .. })) => {
                    self.see_rejoined(session, (run, job), &mut stops).await;
                }
                Ok(Some(Packet { value: Order::Cap { run }, .. })) => {
                    stops.get(&run).inspect(|stop| stop.cap());
                }
                Ok(Some(Packet { value: Order::Open | Order::Follow, .. }) | None) => return,
                Err(error) => {
                    tracing::warn!("the connection of the server for {} broke: {error}", session.peer);
                    return;
                }
            }
        }
    }

    /// Has a task of its own carry out an order to run, if there is a place for it.
    async fn begin(self: &Arc<Self>, session: &Arc<Session>, ordered: Ordered, stops: &mut Stops) {
        let run = ordered.run;
        let Some(place) = self.orders.take(session.peer.uid) else {
            // Told here, and not by a task: a server that reads no reports is read no further either.
            drop(ordered);
            return report(session, &Report::NotRun { run, why: NotRun::Busy }).await;
        };
        let stop = self.stop(run, stops);
        let (service, session) = (Arc::clone(self), Arc::clone(session));
        self.tasks.spawn(async move {
            service.run(&session, ordered, &stop).await;
            stop.cancel();
            drop(place);
        });
    }

    /// Has a task of its own tell of the end of a run that an earlier broker has started, if there is a place for it.
    async fn see_rejoined(
        self: &Arc<Self>,
        session: &Arc<Session>,
        (run, job): (u32, JobId),
        stops: &mut Stops,
    ) {
        let Some(place) = self.orders.take(session.peer.uid) else {
            return report(session, &ended(run, &job, Over::UNKNOWN)).await;
        };
        let stop = self.stop(run, stops);
        let (service, session) = (Arc::clone(self), Arc::clone(session));
        self.tasks.spawn(async move {
            service.rejoin(&session, (run, &stop), &job).await;
            stop.cancel();
            drop(place);
        });
    }

    /// The word for this order to end, from now on.
    fn stop(&self, run: u32, stops: &mut Stops) -> Stop {
        stops.retain(|_, stop| !stop.is_cancelled());
        let stop = Stop::below(&self.ending);
        stops.insert(run, stop.clone());
        stop
    }

    /// Has a task of its own fulfil a wish, if there is a place for it. Ending a run takes none: it makes one.
    async fn hear(self: &Arc<Self>, session: &Arc<Session>, (run, wish): (u32, Wish), stops: &mut Stops) {
        let stop = self.stop(run, stops);
        if matches!(wish, Wish::Cancel(_)) {
            return self.fulfil(session, (run, &stop), wish).await;
        }
        let Some(place) = self.orders.take(session.peer.uid) else {
            let answer = Answer::NotDone(NotRun::Busy);
            return report(session, &Report::Answered { run, answer }).await;
        };
        let (service, session) = (Arc::clone(self), Arc::clone(session));
        self.tasks.spawn(async move {
            service.fulfil(&session, (run, &stop), wish).await;
            stop.cancel();
            drop(place);
        });
    }
}

impl Session {
    /// Whether its client is still connected.
    ///
    /// # Errors
    /// That it is not.
    pub(super) fn is_open(&self) -> Result<(), Foreign> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.as_ref().map_or(Err(Foreign::Closed), |client| still_open(client.as_fd()))
    }

    /// The server no longer serves the client: nothing here keeps its connection open.
    fn lose(&self) {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.lost.cancel();
        self.keep_the_rest();
    }

    /// A run is over, and the server may not have read all that it wrote. Of the run before it, it has.
    pub(super) fn may_leave(&self, job: &Arc<Known>, streams: Streams) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::downgrade(job), streams));
        if self.is_lost() {
            self.keep_the_rest();
        }
    }

    /// Keeps what the server has left unread.
    fn keep_the_rest(&self) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((job, streams)) = last.and_then(|(job, streams)| Some((job.upgrade()?, streams))) {
            keep_the_rest(&job, &streams);
        }
    }

    /// Waits until the server no longer serves the client.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether the server no longer does.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// The peer, as this policy is to judge it at this moment.
    pub(super) async fn peer_now(&self, policy: &Policy) -> Peer {
        transport::regrouped(self.peer.clone(), policy.asks_database()).await
    }
}

fn opened_for(packet: Option<Packet<Order>>) -> Option<OwnedFd> {
    match packet {
        Some(Packet { value: Order::Open, mut descriptors }) if descriptors.len() == 1 => descriptors.pop(),
        Some(_) | None => None,
    }
}

fn refused(why: &str) -> Event {
    Event::new(Kind::Refused, format!("the broker refused a session: {why}")).field("UDSADMIN_REASON", why)
}
