//! One connection over time: half-closed, quitting, cancelling, gone.

use crate::client::Client;
use crate::world::World;
use rustix::process::Signal;
use udsadmin::protocol::reply::Part;

/// Asks for a command that says `ready` and waits for the gate; returns when it has said so.
fn begin(client: &mut Client, request: &str) {
    client.send(format!("{request}\n"));
    loop {
        match client.part().part {
            Part::Stream { octets, .. } if octets == b"ready" => return,
            Part::Info(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_half_closed_client_hears_that_its_silent_command_runs_and_then_its_end() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("@q quiet\nend 5\n").finish();
    for _ in 0..2 {
        let line = String::from_utf8(client.line().unwrap()).unwrap();
        assert!(line.starts_with("@q # running ms="), "{line}");
    }
    gate.open();
    assert_eq!(client.answer().code(), 200);
    assert_eq!(client.answer().code(), 210);
    client.expect_end();
}

#[test]
fn quit_ends_the_connection_and_nothing_after_it_runs() {
    let world = World::start();
    let mut client = world.client();
    client.send("ping\nquit\necho no\n");
    assert_eq!(client.answer().code(), 200);
    assert_eq!(client.answer().code(), 221);
    client.expect_end();
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn quit_waits_for_what_was_asked_before_it() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "gate");
    client.send("end 3\nquit\n");
    gate.open();
    for code in [200, 210, 221] {
        assert_eq!(client.answer().code(), code);
    }
    client.expect_end();
}

#[test]
fn quit_waits_no_longer_than_it_promises_and_leaves_no_request_without_its_final() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "@a gate");
    client.send("@b end 3\n@c ping\n@d quit\n");
    for (tag, code) in [("a", 599), ("b", 503), ("c", 503), ("d", 221)] {
        let answer = client.answer();
        assert_eq!((answer.tag.as_ref().unwrap().as_str(), answer.code()), (tag, code), "{answer:?}");
    }
    client.expect_end();
    gate.open();
    world.broker().line_with(&["finished", "gate", "EXIT=0"]);
    assert!(!world.broker().lines().iter().any(|line| line.contains("end 3")));
}

#[test]
fn cancel_ends_what_runs_at_once_and_not_what_waits() {
    let world = World::start();
    let _gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "gate");
    client.send("end 3\ncancel\nping\n");
    for code in [213, 210, 200, 200] {
        assert_eq!(client.answer().code(), code);
    }
    world.broker().line_with(&["finished", "gate", "EXIT=cancelled"]);
    assert_eq!(client.ask("cancel").code(), 200);
}

#[test]
fn cancel_in_the_same_write_as_the_command_ends_it_too() {
    let world = World::start();
    let _gate = world.gate();
    let mut client = world.client();
    client.send("quiet\ncancel\n");
    assert_eq!(client.answer().code(), 213);
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn the_job_of_a_client_that_vanishes_goes_on_to_its_end() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "burst");
    client.send("end 3\n");
    drop(client);
    gate.open();
    world.broker().line_with(&["finished", "burst", "EXIT=0"]);
    // What it had asked for besides was not started for nobody.
    assert!(!world.broker().lines().iter().any(|line| line.contains("started") && line.contains("end 3")));
}

#[test]
fn a_server_that_is_told_to_end_lets_the_command_end_first() {
    let mut world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "gate");
    client.send("end 3\n");
    assert_eq!(world.client().ask("ping").code(), 200);
    world.server().signal(Signal::TERM);
    gate.open();
    assert_eq!(client.answer().code(), 200);
    let answer = client.answer();
    assert_eq!((answer.code(), answer.last.name.as_ref()), (503, "draining"));
    client.expect_end();
    assert!(world.server.take().unwrap().wait().success());
}

#[test]
fn two_clients_do_not_wait_for_each_other() {
    let world = World::start();
    let mut gate = world.gate();
    let (mut first, mut second) = (world.client(), world.client());
    begin(&mut first, "gate");
    assert_eq!(second.ask("end 3").code(), 210);
    gate.open();
    assert_eq!(first.answer().code(), 200);
}
