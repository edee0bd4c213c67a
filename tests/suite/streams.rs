//! What a command does with its streams: closes one and writes to the other, leaves a pipe unread, reads and writes much at once.
//! The ideas are those of OpenSSH's regress suite (stderr-after-eof, yes-head, exit-status, exit-status-signal, broken-pipe, transfer),
//! asked of the plain protocol and of the client.

use crate::process::command;
use crate::world::{UDSADMIN, World};
use nix::sys::stat::Mode;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

/// More than pipes and sockets hold together.
const MUCH: usize = 3_000_000;

/// As much input as there may be.
const INPUT: usize = 1 << 20;

/// Commands of this test's own, one line of shell each; the first word after `-c` is the argument.
fn world() -> World {
    let much = |kind: &str| format!("head -c {MUCH} /dev/zero | tr '\\\\0' {kind}");
    let commands = [
        ("err-after-out", format!("echo first; exec >&-; {} >&2", much("e"))),
        ("out-after-err", format!("echo first >&2; exec 2>&-; {}", much("o"))),
        ("closed", "exec >&- 2>&-; echo > FOLDER/closed; read word < FOLDER/gate; exit $0".to_owned()),
        ("yes-head", "yes | head -n 2000".to_owned()),
        ("yes", "exec yes".to_owned()),
        ("both", "exec tee /dev/stderr".to_owned()),
        ("late", format!("{}; cat; exit 7", much("o"))),
        ("die", "kill -$0 $$".to_owned()),
        ("end", "exit $0".to_owned()),
    ];
    let one = |(name, script): (&str, String)| {
        let keys = match name {
            "yes" => "on-disconnect = \"term\"\n",
            "both" | "late" => "stdin = \"bytes\"\n",
            _ => "",
        };
        format!(
            "[commands.{name}]\nexec = [\"/bin/sh\", \"-c\", \"{script}\", \"{{word}}\"]\n\
             args = [{{ name = \"word\", text = {{ max-length = 9 }}, default = \"0\" }}]\n{keys}\
             run-as = \"USER\"\n[[commands.{name}.allow]]\nusers = [\"USER\"]\n"
        )
    };
    let commands: String = commands.map(one).concat();
    World::with(&format!("[allow]\nusers = [\"USER\"]\n{commands}"))
}

/// The client with these words, to be completed.
fn client(world: &World, words: &[&str]) -> Command {
    let mut client = command(UDSADMIN);
    client.args(["run", "--socket"]).arg(world.folder.file("udsadmin.sock")).args(words);
    client
}

fn run(world: &World, words: &[&str]) -> Output {
    client(world, words).stdin(Stdio::null()).output().unwrap()
}

/// The client with this input, which it is given while its output is read.
fn fed(world: &World, words: &[&str], input: &[u8]) -> Output {
    let mut client = client(world, words);
    let mut client =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = client.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        client.wait_with_output().unwrap()
    })
}

/// Lines that differ.
fn input() -> Vec<u8> {
    let mut octets: Vec<u8> =
        (0_u32..).flat_map(|number| format!("{number}\n").into_bytes()).take(INPUT).collect();
    octets[INPUT - 1] = b'\n';
    octets
}

#[test]
fn all_of_one_stream_comes_though_the_other_was_closed_before() {
    let world = world();
    let much = |octet: u8| vec![octet; MUCH];
    let answer = world.client().ask("err-after-out");
    assert_eq!((answer.code(), answer.stdout()), (200, b"first\n".to_vec()));
    assert!(answer.stderr() == much(b'e'));
    let answer = world.client().ask("out-after-err");
    assert_eq!((answer.code(), answer.stderr()), (200, b"first\n".to_vec()));
    assert!(answer.stdout() == much(b'o'));
    let output = run(&world, &["err-after-out"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"first\n"[..]));
    assert!(output.stderr == much(b'e'));
    let output = run(&world, &["out-after-err"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b"first\n"[..]));
    assert!(output.stdout == much(b'o'));
}

#[test]
fn the_end_is_told_of_a_command_that_has_closed_its_streams_long_before() {
    let world = world();
    let closed = world.folder.file("closed");
    nix::unistd::mkfifo(&closed, Mode::S_IRWXU).unwrap();
    for code in ["0", "1", "4", "5", "44"] {
        let mut gate = world.gate();
        let mut client = world.client();
        client.send(format!("closed {code}\n"));
        std::fs::read(&closed).unwrap();
        gate.open();
        assert_eq!(client.answer().field("code"), code);
        let asked = client_in_background(&world, &["closed", code]);
        std::fs::read(&closed).unwrap();
        gate.open();
        assert_eq!(asked.wait_with_output().unwrap().status.code(), Some(code.parse().unwrap()));
    }
}

fn client_in_background(world: &World, words: &[&str]) -> std::process::Child {
    client(world, words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_program_whose_own_pipe_breaks_ends_as_it_would_in_a_shell() {
    let world = world();
    let expected = b"y\n".repeat(2000);
    let answer = world.client().ask("yes-head");
    assert_eq!((answer.code(), answer.stderr()), (200, Vec::new()));
    assert!(answer.stdout() == expected);
    let output = run(&world, &["yes-head"]);
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert!(output.stdout == expected);
}

#[test]
fn an_end_by_a_signal_and_an_exit_status_are_those_of_the_client_too() {
    let world = world();
    for (name, number) in [("HUP", 1), ("INT", 2), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let answer = world.client().ask(&format!("die {name}"));
        assert_eq!((answer.code(), answer.field("name")), (211, name.to_owned()));
        assert_eq!(run(&world, &["die", name]).status.code(), Some(128 + number), "{name}");
    }
    for code in [0, 1, 4, 5, 44, 255] {
        assert_eq!(run(&world, &["end", &code.to_string()]).status.code(), Some(code));
    }
}

#[test]
fn a_client_whose_reader_is_gone_ends_and_so_does_what_it_ran() {
    let world = world();
    let mut asked = client_in_background(&world, &["yes"]);
    let mut octets = [0; 2];
    std::io::Read::read_exact(asked.stdout.as_mut().unwrap(), &mut octets).unwrap();
    drop(asked.stdout.take());
    let output = asked.wait_with_output().unwrap();
    assert_eq!((&octets, output.status.code()), (b"y\n", Some(141)), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    world.broker().line_with(&["finished", "COMMAND=yes", "EXIT=cancelled"]);
    assert_eq!(run(&world, &["end", "3"]).status.code(), Some(3));
}

#[test]
fn as_much_input_as_there_may_be_and_twice_as_much_output_pass_each_other() {
    let (world, input) = (world(), input());
    let answer = world.client().send(format!("both <{INPUT}\n")).send(&input).answer();
    assert_eq!(answer.code(), 200);
    assert!(answer.stdout() == input && answer.stderr() == input);
    let output = fed(&world, &["--input", "both"], &input);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == input && output.stderr == input);
}

#[test]
fn input_waits_for_a_command_that_writes_much_before_it_reads() {
    let (world, input) = (world(), input());
    let expected = [vec![b'o'; MUCH], input.clone()].concat();
    let answer = world.client().send(format!("late <{INPUT}\n")).send(&input).answer();
    assert_eq!(answer.field("code"), "7");
    assert!(answer.stdout() == expected);
    let output = fed(&world, &["--input", "late"], &input);
    assert_eq!(output.status.code(), Some(7));
    assert!(output.stdout == expected);
}

#[test]
fn an_interrupt_ends_the_client_which_says_that_the_command_goes_on() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = client(&world, &["gate"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    client.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    kill_process(Pid::from_child(&client), Signal::INT).unwrap();
    let output = client.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the command goes on") && told.contains("udsadmin jobs"), "{told}");
    assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(world.client().ask("jobs").column("state"), ["running"]);
    gate.open();
}
