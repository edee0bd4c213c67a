//! A command's standard input: all of it or nothing, and never taken for requests.

use crate::world::World;

/// Every octet that there is, and line ends of all kinds.
fn octets() -> Vec<u8> {
    (0..=255).chain(*b"\r\n\n\r~|! \\x41\\").cycle().take(100_000).collect()
}

#[test]
fn counted_input_reaches_the_command_and_its_output_comes_back_octet_by_octet() {
    let world = World::start();
    let mut client = world.client();
    let octets = octets();
    client.send(format!("cat <{}\n", octets.len())).send(&octets).send("ping\n");
    let answer = client.answer();
    assert_eq!(answer.code(), 200);
    assert!(answer.stdout() == octets);
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn input_up_to_a_word_reaches_the_command() {
    let world = World::start();
    let mut client = world.client();
    client.send("cat <<END\none\n END\nENDS\nping\r\nEND\r\nping\n");
    assert_eq!(client.answer().stdout(), b"one\n END\nENDS\nping\r\n");
    assert_eq!(client.answer().code(), 200);
    assert_eq!(client.send("cat <<END\nEND\n").answer().stdout(), b"");
    assert_eq!(client.send("cat <0\n").answer().stdout(), b"");
}

#[test]
fn without_input_a_command_reads_nothing() {
    let world = World::start();
    let answer = world.client().ask("cat");
    assert_eq!((answer.code(), answer.stdout()), (200, Vec::new()));
}

#[test]
fn torn_input_runs_nothing() {
    let world = World::start();
    for torn in ["cat <5\nabcd", "cat <<END\nabc\nEND", "cat <<END\nabc\n"] {
        let mut client = world.client();
        let answer = client.send(torn).finish().answer();
        assert_eq!((answer.code(), answer.stdout()), (400, Vec::new()), "{torn:?}");
        client.expect_end();
    }
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn the_input_of_a_refused_request_is_consumed_and_not_executed() {
    let world = World::start();
    let mut client = world.client();
    for (request, code) in [("forbidden", 403), ("unknown", 403), ("end 999", 422), ("ping", 422)] {
        client.send(format!("{request} <8\necho no\n{request} <<X\necho no\nX\nping\n"));
        for expected in [code, code, 200] {
            let answer = client.answer();
            assert_eq!((answer.code(), answer.stdout()), (expected, Vec::new()), "{request}");
        }
    }
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn input_past_its_limit_is_413_and_the_next_line_works() {
    let world = World::start();
    let mut client = world.client();
    let most = 1 << 20;
    client.send(format!("cat <{}\n", most + 1)).send(vec![b'\n'; most + 1]).send("ping\n");
    assert_eq!(client.answer().code(), 413);
    assert_eq!(client.answer().code(), 200);
    let answer = client.send(format!("cat <{most}\n")).send(vec![b'\n'; most]).answer();
    assert_eq!((answer.code(), answer.stdout().len()), (200, most));
}

#[test]
fn a_command_that_reads_no_input_ends_all_the_same() {
    let world = World::start();
    let mut client = world.client();
    client.send(format!("end 4 <{}\n", 1 << 20)).send(vec![b'x'; 1 << 20]).send("ping\n");
    assert_eq!(client.answer().code(), 210);
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn a_malformed_line_that_may_announce_an_input_ends_the_connection() {
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("ping").code(), 200);
    client.send("cat \"a\"b <8\necho no\n");
    let answer = client.answer();
    assert_eq!((answer.code(), answer.infos()), (400, 0));
    // What it has to say is in the reply: after a final line there is none left to say more in.
    assert_eq!(client.rest(), "");
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn what_may_be_an_input_cancels_nothing() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    client.send("cat \"a\"b <<X\ncancel\nquit\nX\n");
    assert_eq!(world.client().ask("ping").code(), 200);
    gate.open();
    assert_eq!(client.answer().code(), 200);
    assert_eq!(client.answer().code(), 400);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_command_that_takes_no_input_is_not_started_for_one() {
    let world = World::start();
    let mut client = world.client();
    for request in ["touch <3\nabc", "touch <0\n", "touch <<X\nping\nX\n"] {
        let answer = client.send(request).answer();
        assert_eq!((answer.code(), answer.field("name")), (422, "input".to_owned()), "{request:?}");
        let told = String::from_utf8(answer.last.text).unwrap();
        assert_eq!(told, "is not taken: this command takes no input; send it without");
    }
    world.server().line_with(&[
        "audit: denied: ",
        "REASON=argument input",
        "stdin = \"bytes\" of the command",
    ]);
    assert!(!world.folder.file("touched").exists());
    assert_eq!(client.ask("touch").code(), 200);
}

#[test]
fn an_input_is_as_long_as_its_command_takes_and_not_an_octet_longer() {
    let world = World::start();
    let mut client = world.client();
    let answer = client.send(format!("sip <{}\n{}", 1024, "x".repeat(1024))).answer();
    assert_eq!((answer.code(), answer.stdout().len()), (200, 1024));
    let answer = client.send(format!("sip <{}\n{}", 1025, "x".repeat(1025))).answer();
    assert_eq!((answer.code(), answer.field("name")), (422, "input".to_owned()));
    assert_eq!(String::from_utf8(answer.last.text).unwrap(), "must be at most 1KiB long");
    assert_eq!(
        (client.ask("help sip").column("input"), client.ask("help touch").column("input").len()),
        (vec!["1KiB".to_owned()], 0)
    );
}
