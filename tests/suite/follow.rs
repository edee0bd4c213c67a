//! A server that follows a broker which the test plays, so that it has its policy when the test wants it to.

use crate::client::Client;
use crate::world::{Folder, POLICY, World, listen_for_packets, say_that_it_starts};
use rustix::net::{SocketFlags, accept_with};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::SystemTime;
use udsadmin::broker::{NotRun, Order, Packet, Packets, Report, Standing, Version};
use udsadmin::execution::{JobId, Outcome};
use udsadmin::policy::Source;
use udsadmin::request::Wish;

/// The broker's connections: the one by which the server follows it, and the listening socket for the others.
struct Played {
    world: World,
    listener: OwnedFd,
    following: Packets,
}

async fn accept(listener: &OwnedFd) -> (Packets, Order) {
    let accepted = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).unwrap();
    let packets = Packets::new(accepted).unwrap();
    let first: Packet<Order> = packets.receive().await.unwrap().unwrap();
    (packets, first.value)
}

/// A policy as the broker passes it, and its version.
fn passed(folder: &Folder, policy: &str) -> (File, Version) {
    let path = folder.write("passed.toml", policy);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(folder.file("passed"), postcard::to_stdvec(&[("passed.toml", &text)][..]).unwrap())
        .unwrap();
    let source = Source { name: "passed.toml".to_owned(), text };
    (File::open(folder.file("passed")).unwrap(), Version::of(&[source], SystemTime::UNIX_EPOCH))
}

impl Played {
    async fn start() -> Self {
        let mut world = World::prepare(POLICY);
        let listener = listen_for_packets(&world.folder.file("broker.sock"));
        world.start_server();
        let (following, first) = accept(&listener).await;
        assert_eq!(first, Order::Follow);
        Self { world, listener, following }
    }

    /// A session of a client that asks for this; the answer to its first order is that the policy is another one.
    async fn refers(&self, request: &str) -> (Client, Packets) {
        let mut client = self.world.client();
        client.send(format!("{request}\n"));
        let (session, first) = accept(&self.listener).await;
        assert_eq!(first, Order::Open);
        session.send(&Report::Opened, &[]).await.unwrap();
        self.is_ordered(&session).await;
        session.send(&Report::NotRun { run: 1, why: NotRun::OtherPolicy }, &[]).await.unwrap();
        (client, session)
    }

    async fn is_ordered(&self, session: &Packets) -> Version {
        let order = session.receive().await.unwrap().unwrap().value;
        let Order::Run { run: 1, version, .. } = order else { panic!("{order:?}") };
        version
    }

    async fn has(&self, policy: &str) -> Version {
        let (texts, version) = passed(&self.world.folder, policy);
        let standing = Standing { version, refused: None, until: None };
        self.following.send(&Report::InForce(standing), &[texts.as_fd()]).await.unwrap();
        version
    }
}

#[tokio::test]
async fn a_run_ordered_under_the_old_policy_is_judged_again_and_runs_under_the_new_one() {
    let played = Played::start().await;
    let (mut client, session) = played.refers("echo a").await;
    let version = played.has(&format!("{POLICY}# and more\n")).await;
    assert_eq!(played.is_ordered(&session).await, version);
    let job = JobId::draw().unwrap();
    say_that_it_starts(&session, job.clone()).await;
    let outcome = Some(Outcome::Exited(0));
    session.send(&Report::Ended { run: 1, job, outcome, ms: 1, cut: false }, &[]).await.unwrap();
    assert_eq!(client.answer().code(), 200);
}

#[tokio::test]
async fn a_run_ordered_under_the_old_policy_is_judged_again_and_refused_by_the_new_one() {
    let played = Played::start().await;
    let (mut client, session) = played.refers("echo a").await;
    played.has("[allow]\nusers = [\"USER\"]\n").await;
    let answer = client.answer();
    assert_eq!((answer.code(), &*answer.last.name), (403, "denied"));
    played.world.server().line_with(&["denied", "REQUEST=echo a"]);
    client.finish().expect_end();
    assert!(session.receive::<Order>().await.unwrap().is_none(), "nothing more was ordered");
}

#[tokio::test]
async fn a_policy_that_never_comes_is_503_and_nothing_was_started() {
    let played = Played::start().await;
    let (mut client, _session) = played.refers("echo a").await;
    let answer = client.answer();
    assert_eq!((answer.code(), &*answer.last.name), (503, "broker-unavailable"));
}

#[tokio::test]
async fn a_policy_that_is_to_come_judges_nothing() {
    let played = Played::start().await;
    let (_client, session) = played.refers("echo a").await;
    let (texts, version) = passed(&played.world.folder, "[allow]\nusers = [\"USER\"]\n");
    played.following.send(&Report::Coming(version), &[texts.as_fd()]).await.unwrap();
    let version = played.has(&format!("{POLICY}# and more\n")).await;
    assert_eq!(played.is_ordered(&session).await, version);
}

/// The next policy that is in force, and not only to come. Its files come along with either.
async fn next_in_force(packets: &Packets) -> Version {
    loop {
        let told: Packet<Report> = packets.receive().await.unwrap().unwrap();
        assert_eq!(told.descriptors.len(), 1, "{told:?}");
        if let Report::InForce(standing) = told.value {
            return standing.version;
        }
        assert!(matches!(told.value, Report::Coming(_)), "{told:?}");
    }
}

#[tokio::test]
async fn whoever_follows_is_told_of_each_policy_and_orders_nothing() {
    let mut world = World::prepare(POLICY);
    world.start_broker();
    let packets = Packets::connect(&world.folder.file("broker.sock")).unwrap();
    packets.send(&Order::Follow, &[]).await.unwrap();
    let first = next_in_force(&packets).await;
    world.broker().signal(rustix::process::Signal::HUP);
    while next_in_force(&packets).await == first {}
    packets.send(&Order::Fulfil { run: 1, wish: Wish::Reload(None) }, &[]).await.unwrap();
    assert!(packets.receive::<Report>().await.ok().flatten().is_none());
}
