//! The sockets that a program is given: what it takes, and what it refuses to serve.

use crate::client::Client;
use crate::process::{Daemon, command};
use crate::world::{Folder, POLICY, Part, UDSADMIN, World, activated, listen_for_lines, listen_for_packets};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::Command;

const SERVER: &str = env!("CARGO_BIN_EXE_udsadmind");
const BROKER: &str = env!("CARGO_BIN_EXE_udsadmin-broker");

/// `EX_CONFIG` of sysexits.h.
const EX_CONFIG: i32 = 78;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("policy.toml", POLICY);
    folder
}

/// Starts a program that can't serve, and gives the one line that it says.
#[track_caller]
fn refusal(started: Command) -> String {
    let mut daemon = Daemon::start(started);
    assert_eq!(daemon.wait().code(), Some(EX_CONFIG), "{:#?}", daemon.lines());
    let lines = daemon.all_lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

#[track_caller]
fn refusal_of(part: Part, socket: impl Into<OwnedFd>) -> String {
    refusal(activated(&folder(), part, socket))
}

#[test]
fn without_sockets_a_program_says_that_systemd_is_to_start_it() {
    for (program, name) in [(SERVER, "udsadmind"), (BROKER, "udsadmin-broker")] {
        let line = refusal(command(program));
        assert!(line.starts_with(&format!("{name}: LISTEN_PID is not set: ")), "{line}");
        assert!(line.contains("start its .socket unit"), "{line}");
    }
}

#[test]
fn sockets_of_another_process_are_not_taken() {
    for pid in ["1", "", "x", "-1", "00"] {
        let mut started = command(SERVER);
        started.env("LISTEN_PID", pid).env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "line");
        assert!(refusal(started).contains("not this process"));
    }
}

#[test]
fn a_number_of_sockets_that_were_not_passed_is_not_taken() {
    for (count, fact) in
        [("2", "malformed"), ("x", "malformed"), ("-1", "malformed"), ("0", "FileDescriptorName=line")]
    {
        let folder = folder();
        let mut started = activated(&folder, Part::Server, listen_for_lines(&folder.file("s")));
        started.env("LISTEN_FDS", count);
        if count == "0" {
            started.env_remove("LISTEN_FDNAMES");
        }
        let line = refusal(started);
        assert!(line.contains(fact), "{line}");
    }
}

#[test]
fn a_socket_of_an_unknown_name_is_refused() {
    let folder = folder();
    let mut started = activated(&folder, Part::Server, listen_for_lines(&folder.file("s")));
    started.env("LISTEN_FDNAMES", "web");
    assert!(refusal(started).contains("FileDescriptorName=web"));
    let mut started = activated(&folder, Part::Server, listen_for_lines(&folder.file("t")));
    started.env_remove("LISTEN_FDNAMES");
    assert!(refusal(started).contains("FileDescriptorName=unknown"));
}

#[test]
fn a_socket_of_the_network_is_refused() {
    assert!(refusal_of(Part::Server, TcpListener::bind("127.0.0.1:0").unwrap()).contains("no Unix socket"));
}

#[test]
fn an_abstract_address_is_refused() {
    let name = format!("udsadmin-suite-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    assert!(refusal_of(Part::Server, listener).contains("has no file"));
}

#[test]
fn a_connected_socket_is_refused() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert!(refusal_of(Part::Server, ours).contains("does not listen"));
}

#[test]
fn each_program_refuses_the_socket_of_the_other() {
    let folder = folder();
    let packets = listen_for_packets(&folder.file("p"));
    assert!(refusal(activated(&folder, Part::Server, packets)).contains("wrong type"));
    let lines = listen_for_lines(&folder.file("l"));
    assert!(refusal(activated(&folder, Part::Broker, lines)).contains("wrong type"));
}

#[test]
fn an_unknown_option_is_a_wrong_command_line() {
    let mut started = command(UDSADMIN);
    started.args(["activated", "server", "--", "--door", "x"]);
    let mut daemon = Daemon::start(started);
    assert_eq!(daemon.wait().code(), Some(64));
    assert_eq!(daemon.all_lines().len(), 1);
}

const BROKEN: &str = "[allow]\nusers = [\"USER\"]\nuser = 1\n\n[commands.a]\nexec = [\"relative\"]\n";

#[test]
fn a_client_that_waits_for_a_server_without_a_policy_is_answered() {
    let world = World::prepare(BROKEN);
    let mut client = world.client();
    client.send("whoami\n");
    let line = refusal(activated(&world.folder, Part::Server, world.line.try_clone().unwrap()));
    assert!(line.contains("policy.toml:3") && line.contains("policy is refused"), "{line}");
    let answer = client.answer();
    assert_eq!((answer.code(), &*answer.last.name), (500, "internal"));
    client.expect_end();
}

#[test]
fn a_broker_without_a_policy_says_why_and_ends() {
    let world = World::prepare(BROKEN);
    let socket = listen_for_packets(&world.folder.file("broker.sock"));
    let line = refusal(activated(&world.folder, Part::Broker, socket));
    assert!(line.contains("policy.toml:3") && line.contains("1 more"), "{line}");
}

/// A datagram to the journal would be read after the program's end, and be nobody's.
#[test]
fn last_words_are_an_error_of_the_unit_on_standard_error() {
    let folder = Folder::new();
    folder.write("policy.toml", BROKEN);
    let mut started = activated(&folder, Part::Broker, listen_for_packets(&folder.file("broker.sock")));
    started.env("JOURNAL_STREAM", "1:1");
    assert!(refusal(started).starts_with("<3>the policy is refused: /"));
}

#[test]
fn a_program_of_the_policy_that_others_can_write_refuses_the_policy() {
    let folder = Folder::new();
    folder.write("program", "#!/bin/true\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.file("program"), mode).unwrap();
    folder.write(
        "policy.toml",
        "[commands.a]\nexec = [\"FOLDER/program\"]\n[[commands.a.allow]]\nusers = [\"USER\"]\n",
    );
    let line = refusal(activated(&folder, Part::Server, listen_for_lines(&folder.file("s"))));
    assert!(line.contains("policy.toml:2") && line.contains("writ"), "{line}");
}

#[test]
fn a_server_that_is_told_to_end_lets_idle_clients_go() {
    let mut world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("ping").code(), 200);
    world.server().signal(rustix::process::Signal::TERM);
    client.expect_end();
    drop(client);
    assert!(world.server.take().unwrap().wait().success());
    let waiting = Client::connect(&world.folder.file("udsadmin.sock"));
    assert!(world.folder.file("udsadmin.sock").exists(), "the socket is systemd's to remove");
    drop(waiting);
}
