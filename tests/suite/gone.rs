//! A broker that dies, is replaced, is absent, or ends: what its clients learn.

use crate::world::{POLICY, World, listen_for_packets, pair, say_that_it_starts};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::Signal;
use std::os::fd::OwnedFd;
use udsadmin::broker::{Order, Packet, Packets, Passing, Report};
use udsadmin::execution::JobId;

#[test]
fn a_broker_that_dies_leaves_an_unknown_outcome_and_the_next_one_serves() {
    let mut world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    world.broker().signal(Signal::KILL);
    gate.open();
    let answer = client.answer();
    assert_eq!((answer.code(), answer.last.name.as_ref()), (599, "unknown-outcome"));
    assert_eq!(answer.field("job").len(), 12);
    world.broker.as_mut().unwrap().wait();
    world.broker = None;
    client.send("echo again\n");
    world.start_broker();
    assert_eq!(client.answer().output(), ["again"]);
}

#[test]
fn a_broker_that_was_replaced_between_two_requests_is_found() {
    let mut world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("echo one").code(), 200);
    world.broker = None;
    world.start_broker();
    assert_eq!(client.ask("echo two").output(), ["two"]);
}

#[test]
fn without_a_broker_nothing_runs_and_the_rest_goes_on() {
    let mut world = World::prepare(POLICY);
    world.start_server();
    let mut client = world.client();
    for _ in 0..2 {
        let answer = client.ask("echo a");
        assert_eq!((answer.code(), answer.last.name.as_ref()), (503, "broker-unavailable"));
    }
    assert_eq!(client.ask("whoami").code(), 200);
    drop(listen_for_packets(&world.folder.file("broker.sock")));
    assert_eq!(client.ask("echo a").code(), 503);
    std::fs::remove_file(world.folder.file("broker.sock")).unwrap();
    world.start_broker();
    assert_eq!(client.ask("echo a").code(), 200);
}

#[test]
fn a_broker_that_is_told_to_end_lets_its_runs_end_and_starts_no_further() {
    let mut world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    let mut other = world.client();
    assert_eq!(other.ask("echo a").code(), 200);
    client.send("gate\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    world.broker().signal(Signal::TERM);
    let refused = loop {
        let answer = other.ask("echo b");
        if answer.code() != 200 {
            break answer;
        }
    };
    assert_eq!((refused.code(), refused.last.name.as_ref()), (503, "draining"));
    gate.open();
    let answer = client.answer();
    assert_eq!((answer.code(), answer.output()), (200, vec!["open".to_owned()]));
    assert!(world.broker.take().unwrap().wait().success());
}

/// The connection of a session with the broker that listens here, and not the one by which the server follows it.
async fn session(listener: &OwnedFd) -> Packets {
    let mut following = Vec::new();
    loop {
        let accepted = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).unwrap();
        let packets = Packets::new(accepted).unwrap();
        let first: Option<Packet<Order>> = packets.receive().await.unwrap();
        let first = first.unwrap().value;
        if first == Order::Open {
            return packets;
        }
        assert_eq!(first, Order::Follow);
        following.push(packets);
    }
}

/// A broker in the place of the real one: it takes the order of one run, perhaps says that it starts, and dies.
async fn dies_after(listener: OwnedFd, starting: Option<JobId>) {
    let packets = session(&listener).await;
    packets.send(&Report::Opened, &[]).await.unwrap();
    let ordered: Option<Packet<Order>> = packets.receive().await.unwrap();
    assert!(matches!(ordered.unwrap().value, Order::Run { .. }));
    if let Some(job) = starting {
        say_that_it_starts(&packets, job).await;
    }
}

async fn answer_after(starting: Option<JobId>) -> (u16, String, String) {
    let mut world = World::prepare(POLICY);
    let listener = listen_for_packets(&world.folder.file("broker.sock"));
    world.start_server();
    let mut client = world.client();
    client.send("echo a\n");
    dies_after(listener, starting).await;
    let answer = client.answer();
    (answer.code(), answer.last.name.to_string(), answer.field("job"))
}

#[tokio::test]
async fn what_was_not_about_to_start_when_the_broker_died_may_be_tried_again() {
    assert_eq!(answer_after(None).await, (503, "broker-unavailable".to_owned(), String::new()));
}

#[tokio::test]
async fn what_nobody_waits_for_and_was_about_to_start_when_the_broker_died_has_an_unknown_outcome() {
    let mut world = World::prepare(POLICY);
    let listener = listen_for_packets(&world.folder.file("broker.sock"));
    world.start_server();
    let (mut client, job) = (world.client(), JobId::draw().unwrap());
    client.send("echo a detach=yes\n");
    let packets = session(&listener).await;
    packets.send(&Report::Opened, &[]).await.unwrap();
    let _ordered: Option<Packet<Order>> = packets.receive().await.unwrap();
    let starts = Report::Starts { run: 1, job: job.clone(), passing: Passing::default() };
    packets.send(&starts, &[]).await.unwrap();
    drop(packets);
    let answer = client.answer();
    assert_eq!((answer.code(), answer.field("job")), (599, job.to_string()));
}

#[tokio::test]
async fn what_was_about_to_start_when_the_broker_died_has_an_unknown_outcome() {
    let job = JobId::draw().unwrap();
    let last = answer_after(Some(job.clone())).await;
    assert_eq!(last, (599, "unknown-outcome".to_owned(), job.to_string()));
}

/// The kernel tells of the cancellation that nobody read (`ECONNRESET`) ahead of the report that is still to be read.
#[tokio::test]
async fn a_report_is_read_though_the_broker_died_with_an_order_unread() {
    let (ours, theirs) = pair();
    let (ours, theirs) = (Packets::new(ours).unwrap(), Packets::new(theirs).unwrap());
    ours.send(&Order::Cancel { run: 1 }, &[]).await.unwrap();
    theirs.send(&Report::Opened, &[]).await.unwrap();
    drop(theirs);
    let told: Option<Packet<Report>> = ours.receive().await.unwrap();
    assert_eq!(told.unwrap().value, Report::Opened);
    assert!(ours.receive::<Report>().await.unwrap().is_none());
}
