//! What one client can take of the server: so much and no more.

use crate::process::Daemon;
use crate::world::{POLICY, World};
use std::io::{Read, Write};

/// Connections of one user at once.
const CONNECTIONS: usize = 64;

/// Kibibytes by which the server's memory may grow at most, whatever its clients do: pages of its own program that it has
/// not come to yet among them.
const GROWTH: u64 = 8 * 1024;

/// The most memory that a process has had, in kibibytes (`VmHWM` of proc(5)).
fn peak(daemon: &Daemon) -> u64 {
    let path = format!("/proc/{}/status", daemon.pid().as_raw_nonzero());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn output_that_is_read_slowly_does_not_pile_up_in_the_server() {
    let world = World::start();
    let at_first = peak(world.server());
    let mut client = world.client();
    client.send("flood 16777216\n").finish();
    let mut octets = 0;
    let mut block = vec![0; 8192];
    while let count @ 1.. = client.stream.read(&mut block).unwrap() {
        octets += count;
    }
    assert!(octets > 4 * 16_777_216, "{octets}");
    let grown = peak(world.server()) - at_first;
    assert!(grown < GROWTH, "{grown} KiB");
}

#[test]
fn a_client_that_does_not_read_holds_up_its_own_job_and_nobody_else() {
    let slow = "[commands.slow]\nexec = [\"/bin/sh\", \"-c\", \"head -c 8388608 /dev/zero; : > FOLDER/done\"]\n\
                run-as = \"USER\"\n[[commands.slow.allow]]\nusers = [\"USER\"]\n";
    let world = World::with(&format!("{POLICY}\n{slow}"));
    let at_first = peak(world.server());
    let mut held_up = world.client();
    held_up.send("slow\n");
    let mut other = world.client();
    for _ in 0..20 {
        assert_eq!(other.ask("end 3").code(), 210);
    }
    assert!(!world.folder.file("done").exists(), "the job was not held up");
    let grown = peak(world.server()) - at_first;
    assert!(grown < GROWTH, "{grown} KiB");
    let answer = held_up.answer();
    assert_eq!((answer.code(), answer.stdout().len()), (200, 8_388_608));
    assert!(world.folder.file("done").exists());
}

#[test]
fn requests_without_end_do_not_pile_up_in_the_server() {
    let world = World::start();
    let at_first = peak(world.server());
    let mut client = world.client();
    client.stream.set_nonblocking(true).unwrap();
    let requests = b"help\n".repeat(1000);
    let mut refused = 0;
    // Answers are as large as ever; at some point the server reads no more of what it can't answer.
    for _ in 0..200 {
        refused += usize::from(client.stream.write(&requests).is_err());
    }
    assert!(refused > 0);
    client.stream.set_nonblocking(false).unwrap();
    assert_eq!(world.client().ask("ping").code(), 200);
    let grown = peak(world.server()) - at_first;
    assert!(grown < GROWTH, "{grown} KiB");
}

#[test]
fn requests_that_wait_for_a_command_to_end_do_not_pile_up_in_the_server() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    client.stream.set_nonblocking(true).unwrap();
    let requests = b"ping\n".repeat(1000);
    let (mut written, mut refused) = (0, 0);
    // Between two writes the server has its turn: it answers another client.
    let mut other = world.client();
    for _ in 0..200 {
        // From where the last write came to, which may be within a line.
        match client.stream.write(&requests[written % b"ping\n".len()..]) {
            Ok(octets) => written += octets,
            Err(_) => refused += 1,
        }
        assert_eq!(other.ask("ping").code(), 200);
    }
    assert!(refused > 0, "{written} octets were taken");
    client.stream.set_nonblocking(false).unwrap();
    gate.open();
    assert_eq!(client.answer().code(), 200);
    for _ in 0..written / b"ping\n".len() {
        assert_eq!(client.answer().code(), 200);
    }
}

#[test]
fn a_user_has_so_many_connections_and_no_more_and_gets_a_place_back() {
    let world = World::start();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| world.client()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("ping").code(), 200);
    }
    let mut surplus = world.client();
    let answer = surplus.answer();
    assert_eq!((answer.code(), answer.last.name.as_ref()), (409, "busy"));
    surplus.expect_end();
    let mut leaving = clients.pop().unwrap();
    assert_eq!(leaving.ask("quit").code(), 221);
    leaving.expect_end();
    drop(leaving);
    let served = (0..10_000).any(|_| world.client().try_ask("ping") == Some(200));
    assert!(served, "no place was given back");
    assert_eq!(clients[0].ask("ping").code(), 200);
}
