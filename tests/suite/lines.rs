//! The laws of lines, end to end: what is a request, what is none, and what becomes of the connection.

use crate::client::Client;
use crate::world::{World, user};
use std::io::Read;

#[test]
fn every_request_gets_one_final_line_in_order() {
    let world = World::start();
    let mut client = world.client();
    client.send("ping\nend 3\nwhoami\nnothing\nend 0\nend 999\n");
    let codes: Vec<u16> = (0..6).map(|_| client.answer().code()).collect();
    assert_eq!(codes, [200, 210, 200, 403, 200, 422]);
    client.finish().expect_end();
}

#[test]
fn a_hundred_requests_in_one_write_are_all_answered_in_order() {
    let world = World::start();
    let mut client = world.client();
    client.send(
        (0..100).flat_map(|number| format!("@{number} echo {number}\n").into_bytes()).collect::<Vec<_>>(),
    );
    for number in 0..100 {
        let answer = client.answer();
        assert_eq!((answer.code(), answer.output()), (200, vec![number.to_string()]));
        assert_eq!(answer.tag.unwrap().as_str(), number.to_string());
    }
}

#[test]
fn every_part_of_an_answer_carries_the_tag() {
    let world = World::start();
    let mut client = world.client();
    for request in [
        "@t-1 apart",
        "@t-1 whoami",
        "@t-1 help",
        "@t-1 nothing",
        "@t-1 echo {",
        "@t-1 end x",
        "@t-1 \"",
        "@t-1 quit",
    ] {
        let answer = client.ask(request);
        assert!(answer.parts.iter().all(|part| part.tag == answer.tag), "{answer:?}");
        assert_eq!(answer.tag.unwrap().as_str(), "t-1", "{request}");
    }
}

#[test]
fn a_line_without_its_end_runs_nothing() {
    let world = World::start();
    let mut client = world.client();
    let answer = client.send("@a echo torn").finish().answer();
    assert_eq!((answer.code(), answer.stdout()), (400, Vec::new()));
    client.expect_end();
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn a_line_too_long_is_413_and_the_next_line_works() {
    let world = World::start();
    let mut client = world.client();
    let line = |octets: usize| format!("echo {}\n", "x".repeat(octets - 6));
    client.send(line(8193)).send("ping\n");
    assert_eq!(client.answer().code(), 413);
    assert_eq!(client.answer().code(), 200);
    // The longest line is one, though no command of this policy takes so long a word.
    assert_eq!(client.send(line(8192)).answer().code(), 422);
    assert_eq!(client.send(line(3000)).answer().stdout().len(), 2995);
    client.send([b"#", &vec![b'x'; 100_000][..], b"\nping\n"].concat());
    assert_eq!(client.answer().code(), 413);
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn a_malformed_first_line_ends_the_connection_and_runs_nothing_after_it() {
    let world = World::start();
    for line in ["\x16\x03\x01", "echo \"a\"b", "echo a\0b", "echo a\x1bb", "1", "@ ping"] {
        let mut client = world.client();
        let answer = client.send(format!("{line}\necho after\n")).answer();
        assert_eq!(answer.code(), 400, "{line:?}");
        client.expect_end();
    }
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn a_malformed_line_later_on_ends_nothing_and_names_its_column() {
    let world = World::start();
    let mut client = world.client();
    for first in ["ping", "nothing"] {
        assert!([200, 403].contains(&client.ask(first).code()));
        let answer = client.ask("echo \"a\"b");
        assert_eq!((answer.code(), answer.field("column")), (400, "9".to_owned()));
    }
    assert_eq!(client.send(b"echo \xff\n").answer().field("column"), "6");
    assert_eq!(client.ask("ping").code(), 200);
}

#[test]
fn a_request_of_http_is_answered_as_http_and_runs_nothing() {
    let world = World::start();
    for start in ["GET / HTTP/1.1\r\n", "POST /run HTTP/1.0\r\nContent-Length: 5\r\n", "OPTIONS *"] {
        let mut client = world.client();
        client.send(format!("{start}\r\necho forged\r\n")).finish();
        let text = client.rest();
        assert!(
            text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.ends_with("speak HTTP.\n"),
            "{text}"
        );
    }
    world.server().line_with(&["protocol-error", "HTTP"]);
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn blank_lines_and_comments_are_ignored_and_a_return_before_the_end_is_dropped() {
    let world = World::start();
    let mut client = world.client();
    client.send("\n\r\n   \n# echo no\n  # echo no\n\t\nping\r\n");
    assert_eq!(client.answer().code(), 200);
    client.finish().expect_end();
}

#[test]
fn arguments_are_given_by_name_by_position_and_in_quotes() {
    let world = World::start();
    let mut client = world.client();
    for (request, output) in [
        ("pair a", "[a][c]"),
        ("pair a b", "[a][b]"),
        ("pair first=a second=b", "[a][b]"),
        ("run pair second=b first=a", "[a][b]"),
        ("pair \"a b\\t\\x41\" 'b'", "[a b\tA][b]"),
        ("pair 'a\"\\n'", "[a\"\\n][c]"),
        ("pair \"second=b\"", "[second=b][c]"),
        ("pair first=", "[][c]"),
        ("pair 'c; reboot $(reboot) `reboot`'", "[c; reboot $(reboot) `reboot`][c]"),
        ("pair ä中🎉", "[ä中🎉][c]"),
    ] {
        let answer = client.ask(request);
        assert_eq!(
            (answer.code(), &*String::from_utf8(answer.stdout()).unwrap()),
            (200, output),
            "{request}"
        );
    }
}

#[test]
fn an_argument_that_may_not_be_is_422_and_names_it() {
    let world = World::start();
    let mut client = world.client();
    for (request, name) in [
        ("pair a d", "second"),
        ("pair", "first"),
        ("pair a b c", "3"),
        ("pair a first=b", "first"),
        ("pair a third=b", "third"),
        ("pair -x", "first"),
    ] {
        let answer = client.ask(request);
        assert_eq!((answer.code(), &*answer.field("name")), (422, name), "{request}: {answer:?}");
    }
}

#[test]
fn a_denied_command_and_an_unknown_one_read_the_same() {
    let world = World::start();
    let mut client = world.client();
    let mut said = |request: &str| {
        let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
        let answer = client.ask(request);
        format!("{:?} {:?} {name} {rest}", answer.parts, answer.last).replace(name, "NAME")
    };
    for form in ["NAME", "NAME a b=c", "NAME 'x"] {
        assert_eq!(said(&form.replace("NAME", "forbidden")), said(&form.replace("NAME", "forgotten")));
    }
    for verb in ["help", "why", "run"] {
        let mut ask = |name: &str| {
            let answer = client.ask(&format!("{verb} {name}"));
            format!("{:?} {:?}", answer.rows(), answer.last).replace(name, "NAME")
        };
        assert_eq!(ask("forbidden"), ask("forgotten"), "{verb}");
    }
    assert!(!client.ask("commands").column("name").contains(&"forbidden".to_owned()));
    assert!(!client.ask("help").column("name").contains(&"forbidden".to_owned()));
}

#[test]
fn hello_agrees_on_version_1_alone() {
    let world = World::start();
    let mut client = world.client();
    let answer = client.ask("hello 1");
    assert_eq!((answer.code(), answer.field("proto"), answer.field("user")), (220, "1".to_owned(), user()));
    assert_eq!(answer.field("uid"), rustix::process::geteuid().as_raw().to_string());
    assert_eq!(client.ask("hello 2").code(), 426);
    assert_eq!(client.ask("hello 2 shape=new").code(), 426);
    assert_eq!(client.ask("hello").code(), 422);
    assert_eq!(client.ask("hello 1 mode=frame").field("name"), "mode");
}

#[test]
fn the_builtins_tell_what_there_is() {
    let world = World::start();
    let mut client = world.client();
    let names = client.ask("help").column("name");
    assert!(names.contains(&"ping".to_owned()) && names.contains(&"pair".to_owned()), "{names:?}");
    assert!(!names.contains(&"status".to_owned()), "status is not granted");
    let help = client.ask("help pair");
    assert_eq!(help.column("argument"), ["first", "second"]);
    assert_eq!(
        (help.column("default"), help.column("required")),
        (vec!["c".to_owned()], vec!["yes".to_owned()])
    );
    assert!(client.ask("commands").column("name").contains(&"pair".to_owned()));
    let whoami = client.ask("whoami");
    assert_eq!(whoami.column("user"), [user()]);
    assert_eq!(whoami.column("uid"), [rustix::process::geteuid().as_raw().to_string()]);
    assert_eq!(whoami.column("source"), ["kernel"]);
    assert_eq!(client.ask("help ping").column("kind"), ["builtin"]);
    assert_eq!(client.ask("ping extra").field("name"), "argument");
}

#[test]
fn an_optional_argument_is_shown_and_may_be_left_out() {
    let world = World::start();
    let mut client = world.client();
    let help = client.ask("help show");
    assert_eq!(help.column("usage"), ["show UNIT [SINCE]"]);
    assert_eq!(help.column("takes"), ["a unit name of type service or timer", "a duration of at most 1h"]);
    assert_eq!((help.column("required").len(), help.column("optional").len()), (1, 1));
    assert_eq!(client.ask("show a.service").stdout(), b"[a.service]");
    assert_eq!(client.ask("show a.timer 5min").stdout(), b"[a.timer][--since=5min]");
    let refused = client.ask("show reboot.target");
    assert_eq!((refused.code(), refused.field("name")), (422, "unit".to_owned()));
}

#[test]
fn why_explains_and_runs_nothing() {
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("why pair a").field("decision"), "permit");
    let denied = client.ask("why pair a d");
    assert_eq!((denied.code(), denied.field("decision")), (200, "deny".to_owned()));
    assert_eq!(denied.column("result").last().unwrap(), "no");
    assert_eq!(client.ask("why forbidden").field("decision"), "deny");
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[test]
fn status_is_for_those_to_whom_it_is_granted() {
    let ungranted = World::start();
    let answer = ungranted.client().ask("status");
    assert_eq!((answer.code(), answer.parts.len()), (403, 0));
    ungranted.server().line_with(&["denied", "status", "DECISION=deny", "REASON="]);
    let granted = World::with("[allow]\nusers = [\"USER\"]\n[[builtins.status.allow]]\nusers = [\"USER\"]\n");
    let answer = granted.client().ask("status");
    assert_eq!((answer.code(), answer.column("connections")), (200, vec!["1".to_owned()]));
    assert_eq!(answer.column("pid"), [granted.server().pid().as_raw_nonzero().to_string()]);
    assert!(granted.client().ask("help").column("name").contains(&"status".to_owned()));
}

#[test]
fn a_connection_with_a_descriptor_on_it_is_ended() {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("ping").code(), 200);
    let passed = [client.stream.as_raw_fd()];
    let (parts, rights) = ([std::io::IoSlice::new(b"echo a\n")], [ControlMessage::ScmRights(&passed)]);
    sendmsg::<()>(client.stream.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
    assert_eq!(client.answer().code(), 400);
    client.expect_end();
    world.server().line_with(&["protocol-error", "descriptor"]);
}

#[test]
fn the_server_says_nothing_until_spoken_to() {
    let world = World::start();
    let mut client = world.client();
    client.finish();
    let mut all = Vec::new();
    client.stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"");
}

#[test]
fn octets_may_come_one_by_one() {
    let world = World::start();
    let mut client = world.client();
    for octet in b"# a\necho 'b c'\n" {
        client.send([*octet]);
    }
    assert_eq!(client.answer().stdout(), b"b c\n");
    drop::<Client>(client);
}
