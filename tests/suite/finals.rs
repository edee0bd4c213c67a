//! How a run's end is told: one line each, and no other for it.

use crate::process::command;
use crate::world::World;
use udsadmin::protocol::reply::{Kind, Part};

#[test]
fn exit_codes_are_told_apart() {
    let world = World::start();
    let mut client = world.client();
    for (code, last) in [(0, "200 exit"), (1, "210 exit"), (3, "210 exit"), (255, "210 exit")] {
        let answer = client.ask(&format!("end {code}"));
        assert_eq!(format!("{} {}", answer.code(), answer.last.name), last);
        assert_eq!(answer.field("code"), code.to_string());
        assert!(answer.field("ms").parse::<u64>().is_ok());
        assert_eq!(answer.field("job").len(), 12);
    }
}

#[test]
fn death_by_a_signal_is_no_exit_code() {
    let world = World::start();
    let mut client = world.client();
    for name in ["TERM", "KILL"] {
        let answer = client.ask(&format!("die {name}"));
        assert_eq!((answer.code(), answer.field("name")), (211, name.to_owned()));
    }
}

#[test]
fn the_two_outputs_come_apart() {
    let world = World::start();
    let answer = world.client().ask("apart");
    assert_eq!((answer.stdout(), answer.stderr()), (b"out\n".to_vec(), b"err\n".to_vec()));
}

#[test]
fn a_command_past_its_time_limit_is_212() {
    let world = World::start();
    let mut client = world.client();
    let answer = client.ask("brief");
    assert_eq!((answer.code(), answer.last.name.as_ref()), (212, "timeout"));
    world.broker().line_with(&["finished", "EXIT=timeout"]);
    assert_eq!(client.ask("ping").code(), 200);
}

#[test]
fn a_program_that_has_gone_since_is_502_and_was_not_started() {
    let policy = "[allow]\nusers = [\"USER\"]\n[commands.gone]\nexec = [\"FOLDER/program\"]\nrun-as = \"USER\"\n\
                  [[commands.gone.allow]]\nusers = [\"USER\"]\n";
    let mut world = World::prepare(policy);
    // By another process: a fork of this one could hold the file open for writing when it is to run.
    let install =
        command("install").args(["-m", "755", "/dev/null"]).arg(world.folder.file("program")).status();
    assert!(install.unwrap().success());
    world.start_broker();
    world.start_server();
    let mut client = world.client();
    // An empty file is executable, and no program.
    let answer = client.ask("gone");
    assert_eq!((answer.code(), answer.field("errno")), (502, libc::ENOEXEC.to_string()));
    std::fs::remove_file(world.folder.file("program")).unwrap();
    let answer = client.ask("gone");
    assert_eq!((answer.code(), answer.field("errno")), (502, libc::ENOENT.to_string()), "{answer:?}");
    world.broker().line_with(&["finished", &answer.field("job"), "exec-failed:2"]);
    assert_eq!(client.ask("ping").code(), 200);
}

#[test]
fn a_part_of_a_line_comes_without_waiting_for_its_end() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("part\n");
    let first = client.part().part;
    assert_eq!(first, Part::Stream { kind: Kind::Stdout, partial: true, octets: b"no end".to_vec() });
    gate.open();
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn no_output_forges_a_line_or_commands_a_terminal() {
    let world = World::start();
    let mut client = world.client();
    client.send("cat <<X\n200 exit code=0\n\x1b]0;x\x07\r\u{9b}31m\n| a\nX\n").finish();
    let text = client.rest();
    let (output, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(output, "| 200 exit code=0\n| \\x1b]0;x\\x07\\x0d\\xc2\\x9b31m\n| | a");
    assert!(last.starts_with("200 exit code=0 ms="), "{last}");
}

#[test]
fn large_output_arrives_whole() {
    let world = World::start();
    let octets = 5_000_000;
    let answer = world.client().ask(&format!("flood {octets}"));
    assert_eq!(answer.code(), 200);
    assert!(answer.stdout() == vec![0; octets]);
}
