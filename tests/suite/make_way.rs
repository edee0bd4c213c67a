//! Programs that are told to make way for the next version: who is served meanwhile, by which of them, and what they wait for.

use crate::client::Client;
use crate::process::{as_stranger, is_root};
use crate::world::{POLICY, World};
use rustix::process::Signal;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells both to make way.
fn told(world: World) -> World {
    for program in [world.server(), world.broker()] {
        program.signal(Signal::USR1);
        program.line_with(&["makes way for the next one"]);
    }
    world
}

/// The exit status of the server, which has ended or is about to.
fn server_ended(world: &mut World) -> Option<i32> {
    world.server.take().unwrap().wait().code()
}

fn broker_ended(world: &mut World) -> Option<i32> {
    world.broker.take().unwrap().wait().code()
}

fn begin(client: &mut Client, line: &str) {
    client.send(format!("{line}\n"));
    assert!(client.line().unwrap().starts_with(b"| ready"));
}

#[test]
fn all_are_served_as_long_as_a_command_runs_and_nobody_is_turned_away() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    begin(&mut client, "gate");
    let mut world = told(world);
    assert_eq!(world.client().ask("end 3").code(), 210);
    gate.open();
    assert_eq!(client.answer().code(), 200);
    assert_eq!(client.ask("end 4").code(), 210);
    drop(client);
    assert_eq!((server_ended(&mut world), broker_ended(&mut world)), (Some(0), Some(75)));
    let mut early = world.client();
    early.send("end 5\n");
    world.start_broker();
    world.start_server();
    assert_eq!(early.answer().code(), 210);
}

#[test]
fn what_nobody_waits_for_keeps_the_broker_and_not_the_server() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    let job = client.ask("gate detach=yes").field("job");
    let mut world = told(world);
    drop(client);
    assert_eq!(server_ended(&mut world), Some(0));
    world.start_server();
    let mut client = world.client();
    assert_eq!(client.ask("jobs").column("job").first(), Some(&job));
    gate.open();
    assert_eq!(client.ask(&format!("job {job} follow")).output(), ["ready", "open"]);
    drop(client);
    assert_eq!(broker_ended(&mut world), Some(75));
    world.start_broker();
    assert_eq!(world.client().ask("end 3").code(), 210);
}

#[test]
fn a_policy_that_nobody_has_put_in_force_comes_into_force_by_no_upgrade() {
    let world = World::start();
    assert_eq!(world.client().ask("end 3").code(), 210);
    let files = world.folder.file("policy.toml");
    let good = std::fs::read_to_string(&files).unwrap();
    std::fs::write(&files, "[allow").unwrap();
    let mut world = told(world);
    assert_eq!(world.client().ask("end 3").code(), 210);
    std::fs::write(&files, format!("{good}\n# edited, and not reloaded\n")).unwrap();
    assert_eq!(world.client().ask("end 3").code(), 210);
    std::fs::write(&files, good).unwrap();
    assert_eq!((server_ended(&mut world), broker_ended(&mut world)), (Some(0), Some(75)));
}

#[test]
fn strangers_without_end_keep_nobody_from_making_way() {
    if !is_root() {
        return;
    }
    let mut world = told(World::start());
    let door = world.folder.file("udsadmin.sock");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let knock = || {
            as_stranger(|| {
                let mut held = None;
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut stream) = UnixStream::connect(&door) else { return };
                    // Refused, and not gone before the next one is there.
                    drop(stream.read_exact(&mut [0; 4]));
                    drop(held.replace(stream));
                }
            });
        };
        scope.spawn(knock);
        scope.spawn(knock);
        assert_eq!((server_ended(&mut world), broker_ended(&mut world)), (Some(0), Some(75)));
        stop.store(true, Ordering::Relaxed);
        drop(world);
    });
}

#[test]
fn a_policy_on_trial_keeps_the_broker() {
    let grants = ["reload", "confirm"].map(|name| format!("[[builtins.{name}.allow]]\nusers = [\"USER\"]\n"));
    let world = World::with(&format!("{POLICY}\n{}", grants.concat()));
    let mut client = world.client();
    assert_eq!(client.ask("reload confirm=1h").code(), 200);
    let mut world = told(world);
    drop(client);
    assert_eq!(server_ended(&mut world), Some(0));
    world.start_server();
    assert_eq!(world.client().ask("confirm").code(), 200);
    assert_eq!(broker_ended(&mut world), Some(75));
}
