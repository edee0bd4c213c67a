//! The record: what is on it before anything runs, and that nothing runs without it.

use crate::process::is_root;
use crate::world::{Folder, POLICY, World, listen_for_lines, pair};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use udsadmin::audit::{Memory, Trail};
use udsadmin::broker::{
    self, Check, Doors, NotRun, Order, Packet, Packets, Policies, Report, Service, Setup, Units, Version,
};
use udsadmin::execution::Surroundings;
use udsadmin::execution::unit::Systemd;
use udsadmin::files::Trust;
use udsadmin::identity::Uid;
use udsadmin::policy::Source;
use udsadmin::request::{Request, Wanted};
use udsadmin::server;

/// A broker's service inside this process, with a trail that can be read and broken.
pub(crate) struct Inside {
    pub(crate) service: Arc<Service>,
    pub(crate) accepted: UnixStream,
    pub(crate) client: UnixStream,
    pub(crate) folder: Folder,
}

/// A session with a broker, and which policy it has in force.
pub(crate) struct Link {
    pub(crate) packets: Packets,
    pub(crate) version: Version,
}

impl Deref for Link {
    type Target = Packets;

    fn deref(&self) -> &Packets {
        &self.packets
    }
}

impl Inside {
    fn new() -> Self {
        Self::with(POLICY, Instant::now)
    }

    pub(crate) fn with(policy: &str, ticks: fn() -> Instant) -> Self {
        let check = |sources: &[Source]| server::policy::check_here(sources, Trust::CallingUser);
        Self::checked_by(policy, ticks, Arc::new(check))
    }

    pub(crate) fn checked_by(policy: &str, ticks: fn() -> Instant, check: Check) -> Self {
        let folder = Folder::new();
        let path = folder.write("policy.toml", policy);
        let (load_from, trail) = (path.clone(), Arc::new(Trail::Memory(Memory::default())));
        let read = move || server::policy::read(&load_from, Trust::CallingUser);
        let fresh = server::policy::load(&path, Trust::CallingUser).unwrap();
        let clock = || SystemTime::UNIX_EPOCH;
        let setup = Setup { path, read: Arc::new(read), check, trail: Arc::clone(&trail), clock };
        let door = folder.file("door");
        let listener = listen_for_lines(&door);
        let client = UnixStream::connect(&door).unwrap();
        let service = Service {
            policies: Arc::new(Policies::new(fresh, setup).unwrap()),
            trail,
            doors: if is_root() { Doors::Files(vec![door]) } else { Doors::Anywhere },
            admit: Uid::new(rustix::process::geteuid().as_raw()).unwrap(),
            trust: Trust::CallingUser,
            surroundings: Surroundings {
                delegation: None,
                descriptors: (256, 256),
                systemd: Systemd::new("/nonexistent".as_ref()),
            },
            units: Units::open(None).unwrap(),
            clock,
            runs: broker::places(),
            orders: broker::order_places(),
            quotas: broker::Quotas::new(ticks),
            jobs: broker::Jobs::default(),
            tokens: broker::Tokens::open(None, broker::Uptime::of_this_machine().unwrap()).unwrap(),
            store: broker::Store::default(),
            tasks: TaskTracker::new(),
            busy: TaskTracker::new(),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
        };
        Self { service: Arc::new(service), accepted: listener.accept().unwrap().0, client, folder }
    }

    pub(crate) fn trail(&self) -> &Memory {
        match &*self.service.trail {
            Trail::Memory(memory) => memory,
            Trail::Journal(_) | Trail::Terminal(_) => unreachable!("made with a trail in memory"),
        }
    }

    pub(crate) async fn open(&self) -> Link {
        let (ours, theirs) = pair();
        tokio::spawn(Arc::clone(&self.service).session(theirs));
        let packets = Packets::new(ours).unwrap();
        packets.send(&Order::Open, &[self.accepted.as_fd()]).await.unwrap();
        assert_eq!(report(&packets).await, Report::Opened);
        Link { packets, version: self.service.policies.now().version }
    }
}

pub(crate) async fn report(packets: &Packets) -> Report {
    packets.receive().await.unwrap().map(|packet: Packet<Report>| packet.value).expect("a report")
}

pub(crate) async fn order(link: &Link, run: u32, command: &str) {
    let request = Request { command: command.parse().unwrap(), arguments: Vec::new() };
    let order = Order::Run { run, version: link.version, request, wanted: Wanted::default() };
    link.send(&order, &[]).await.unwrap();
}

#[tokio::test]
async fn a_run_is_on_the_record_before_it_starts_and_after_it_ended() {
    let inside = Inside::new();
    let packets = inside.open().await;
    order(&packets, 1, "cat").await;
    let Report::Starts { job, .. } = report(&packets).await else { panic!() };
    assert_eq!(inside.trail().names()[0], "started");
    assert!(matches!(report(&packets).await, Report::Ended { .. }));
    assert_eq!(inside.trail().names(), ["started", "finished"]);
    for event in inside.trail().events() {
        let field = |name: &str| {
            event.fields().iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        assert_eq!(field("UDSADMIN_JOB"), Some(job.as_str().as_bytes().to_vec()));
        assert_eq!(field("UDSADMIN_COMMAND"), Some(b"cat".to_vec()));
        assert_eq!(field("UDSADMIN_DECISION"), Some(b"permit".to_vec()));
    }
}

#[tokio::test]
async fn a_broken_trail_stops_the_run() {
    let inside = Inside::new();
    let packets = inside.open().await;
    order(&packets, 1, "cat").await;
    assert!(matches!(report(&packets).await, Report::Starts { .. }));
    assert!(matches!(report(&packets).await, Report::Ended { .. }));
    inside.trail().break_now();
    order(&packets, 2, "touch").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 2, why: NotRun::AuditUnavailable });
    assert!(!inside.folder.file("touched").exists());
    assert_eq!(inside.service.runs.count(), 0);
}

#[tokio::test]
async fn a_broker_that_is_ending_starts_nothing() {
    let inside = Inside::new();
    let packets = inside.open().await;
    inside.service.draining.cancel();
    order(&packets, 1, "touch").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 1, why: NotRun::Draining });
    assert_eq!(inside.trail().names(), Vec::<&str>::new());
    assert!(!inside.folder.file("touched").exists());
}

#[tokio::test]
async fn an_order_without_a_place_is_not_even_judged() {
    let inside = Inside::new();
    let packets = inside.open().await;
    let mut places: Vec<_> =
        std::iter::from_fn(|| inside.service.orders.take(inside.service.admit)).collect();
    order(&packets, 1, "forbidden").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 1, why: NotRun::Busy });
    assert_eq!((inside.trail().names(), inside.service.tasks.len()), (Vec::<&str>::new(), 0));
    places.pop();
    order(&packets, 2, "forbidden").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 2, why: NotRun::Denied });
    order(&packets, 3, "forbidden").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 3, why: NotRun::Denied }, "no place came back");
}

#[tokio::test]
async fn a_refusal_is_on_the_record_and_starts_nothing() {
    let inside = Inside::new();
    let packets = inside.open().await;
    order(&packets, 1, "forbidden").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 1, why: NotRun::Denied });
    assert_eq!(inside.trail().names(), ["denied"]);
}

#[tokio::test]
async fn a_run_for_a_client_that_has_gone_is_refused_on_the_record() {
    let inside = Inside::new();
    let packets = inside.open().await;
    inside.client.shutdown(std::net::Shutdown::Both).unwrap();
    order(&packets, 1, "echo").await;
    assert_eq!(report(&packets).await, Report::NotRun { run: 1, why: NotRun::Denied });
    let events = inside.trail().events();
    let has = |name: &str| events[0].fields().iter().any(|(field, _)| field == name);
    assert_eq!(inside.trail().names(), ["denied"]);
    assert!(has("UDSADMIN_DECISION") && has("UDSADMIN_REASON") && has("UDSADMIN_REQUEST"));
}

#[test]
fn every_event_of_a_session_is_on_the_trail_of_the_program_that_sees_it() {
    let world = World::start();
    let mut client = world.client();
    client.send("echo 'a b'\nforbidden\nend x\n");
    assert_eq!([client.answer().code(), client.answer().code(), client.answer().code()], [200, 403, 422]);
    let server = world.server();
    server.line_with(&["audit: policy-loaded: "]);
    server.line_with(&["audit: connected: ", "DECISION=permit", "RULE=", "policy.toml:3"]);
    server.line_with(&["audit: denied: ", "COMMAND=forbidden", "DECISION=deny", "RULE=default-deny"]);
    server.line_with(&["audit: denied: ", "COMMAND=end", "ARG_CODE=x", "REASON="]);
    let broker = world.broker();
    broker.line_with(&["audit: finished: ", "COMMAND=echo", "EXIT=0", "MS="]);
    let started = broker.line_with(&["audit: started: ", "COMMAND=echo", "ARG_WORD=a b", "DECISION=permit"]);
    assert!(
        started.contains("REQUEST=echo \"a b\"") || started.contains("REQUEST=echo \\\"a b\\\""),
        "{started}"
    );
}

#[test]
fn no_argument_forges_a_record() {
    let world = World::start();
    let mut client = world.client();
    let answer = client.ask("echo \"x\\naudit: started: forged\\x1b[2J\"");
    assert_eq!(answer.code(), 200);
    world.broker().line_with(&["audit: finished: ", "COMMAND=echo"]);
    for line in world.broker().lines() {
        assert!(!line.starts_with("audit: started: forged") && !line.contains('\x1b'), "{line:?}");
    }
}
