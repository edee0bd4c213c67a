//! What a client's octets come to, case by case.

use super::*;
use crate::request::{Argument, Builtin, Request, Value, Wanted, Wish};
use std::time::Duration;

fn items(octets: &[u8]) -> Vec<Item> {
    let mut decoder = Decoder::new();
    let mut rest = octets;
    let mut items: Vec<_> = std::iter::from_fn(|| decoder.next(&mut rest)).collect();
    items.extend(decoder.finish());
    items
}

fn item(octets: &[u8]) -> Item {
    let [item] = <[Item; 1]>::try_from(items(octets)).unwrap();
    item
}

fn run(line: &str) -> Item {
    let mut words = line.split(' ');
    let command = words.next().unwrap().parse().unwrap();
    let arguments = words.map(|word| Argument::Positional(Value::try_from(word).unwrap())).collect();
    let ask = Ask::Run(Request { command, arguments }, Wanted::default());
    Item::Request(Incoming { tag: None, ask, input: None })
}

fn fed(line: &str, octets: &[u8]) -> Item {
    let Item::Request(incoming) = run(line) else { unreachable!() };
    Item::Request(Incoming { input: Some(octets.to_vec()), ..incoming })
}

fn ask(line: &str) -> Ask {
    let item = item(format!("{line}\n").as_bytes());
    let Item::Request(incoming) = item else { panic!("{line}: {item:?}") };
    incoming.ask
}

fn syntax_error(octets: &[u8]) -> SyntaxError {
    let item = items(octets).remove(0);
    let Item::Malformed(error) = item else { panic!("{item:?}") };
    error
}

const TOO_LONG: Item = Item::TooLong { desynchronised: false, tag: None };
const TOO_LONG_AND_LOST: Item = Item::TooLong { desynchronised: true, tag: None };

#[test]
fn a_line_is_a_request() {
    assert_eq!(items(b"restart nginx\nuptime\r\n"), [run("restart nginx"), run("uptime")]);
    assert_eq!(items(b" \t restart \t nginx\t\n"), [run("restart nginx")]);
}

#[test]
fn a_line_without_its_end_is_never_a_request() {
    let error = syntax_error(b"@t1 restart nginx");
    assert_eq!((error.column, error.message, error.desynchronised), (18, TORN_LINE, false));
    assert_eq!(error.tag, "t1".parse().ok());
    assert_eq!(items(b"uptime\nrestart ng").len(), 2);
}

#[test]
fn blank_lines_and_comments_are_no_items() {
    assert_eq!(items(b"\n\r\n \t\n# a \x1b \xff <5\n  # b\n"), []);
    assert_eq!(items(b"# torn"), []);
    assert_eq!(items(b"  "), []);
}

#[test]
fn a_stray_carriage_return_is_no_blank() {
    assert_eq!(syntax_error(b"\r\r\n").column, 1);
    assert_eq!(syntax_error(b"\rrestart nginx\n").column, 1);
}

#[test]
fn tags_are_told_even_with_an_error_after_them() {
    let Item::Request(incoming) = item(b"@t-1 uptime\n") else { unreachable!() };
    assert_eq!(incoming.tag, "t-1".parse().ok());
    let error = syntax_error(b"@t-1 say 'a\n");
    assert_eq!((error.column, error.tag), (10, "t-1".parse().ok()));
    for (line, column) in [(&b"@ uptime\n"[..], 1), (b" @a.b uptime\n", 2), (b"@a\n", 3), (b"@a @b x\n", 4)] {
        assert_eq!(syntax_error(line).column, column, "{line:?}");
    }
}

#[test]
fn a_request_begins_with_a_bare_name() {
    for line in ["1a", "\"restart\"", "-x", "a=b", "é", "a/b", &"a".repeat(33)] {
        assert_eq!(syntax_error(format!("{line} x\n").as_bytes()).column, 1, "{line}");
    }
}

#[test]
fn json_is_refused_by_its_first_octet() {
    assert_eq!(syntax_error(b"{\"run\": \"\xff\n").column, 1);
}

#[test]
fn no_argument_holds_a_nul() {
    assert_eq!(syntax_error(b"say \"a\\x00\"\n").column, 7);
    assert_eq!(syntax_error(b"say a\0\n").column, 6);
}

#[test]
fn counted_input_is_kept_to_the_octet() {
    let expected = [fed("load", b"a\nb\0"), fed("load", b""), run("uptime")];
    assert_eq!(items(b"load <4\na\nb\0load <0\nuptime\n"), expected);
}

#[test]
fn input_up_to_a_word_is_kept_to_the_octet() {
    let octets = b"load x <<END\r\na\r\nENDING\n END\nEN\n\0\nEND\r\nload <<E_1\nE_1\nuptime\n";
    let kept = b"a\r\nENDING\n END\nEN\n\0\n";
    assert_eq!(items(octets), [fed("load x", kept), fed("load", b""), run("uptime")]);
}

#[test]
fn only_a_last_bare_word_announces_an_input() {
    assert_eq!(item(b"say <5 x\n"), run("say <5 x"));
    assert_eq!(item(b"say < <x> <5k\n"), run("say < <x> <5k"));
    let quoted = [&b"say \"<5\"\n"[..], b"say '<<END'\n", b"say x=<5\n"];
    for line in quoted {
        assert!(matches!(item(line), Item::Request(Incoming { input: None, .. })), "{line:?}");
    }
}

#[test]
fn an_unfinished_input_is_never_executed() {
    for (octets, column) in [(&b"load <5\nabc"[..], 6), (b"load x <<END\nabc\nEND", 8)] {
        let error = syntax_error(octets);
        assert_eq!((error.column, error.message), (column, TORN_INPUT));
    }
}

#[test]
fn an_announcement_past_its_limits_is_a_syntax_error_and_the_place_is_lost() {
    let long = format!("load <<{}\n", "x".repeat(33));
    for line in ["load <12345678901\n", "load <<END-1\n", "load <<\n", &long] {
        let error = syntax_error(line.as_bytes());
        assert_eq!((error.column, error.desynchronised), (6, true), "{line}");
    }
}

#[test]
fn a_malformed_line_that_may_announce_an_input_loses_the_place() {
    for (line, lost) in [
        (&b"say 'x <5 \r\n"[..], true),
        (b"say \x01 <<END\n", true),
        (b"<5\n", true),
        (b"{\"a\" <5\n", true),
        (b"say \"x\"<5\n", true),
        (b"say <<\"END\"\n", true),
        (b"say 'x <5k\n", false),
        (b"say 'x < 5\n", false),
        (b"say 'x 5\n", false),
        (b"say 'x <\n", false),
    ] {
        assert_eq!(syntax_error(line).desynchronised, lost, "{line:?}");
    }
}

#[test]
fn a_line_of_8192_octets_passes_and_a_longer_one_does_not() {
    let word = "x".repeat(LINE_MAX - 5);
    assert_eq!(
        items(format!("say {word}\nuptime\n").as_bytes()),
        [run(&format!("say {word}")), run("uptime")]
    );
    assert_eq!(items(format!("say {word}x\nuptime\n").as_bytes()), [TOO_LONG, run("uptime")]);
    assert_eq!(items(format!("say {word}x{word}{word}").as_bytes()), [TOO_LONG]);
}

#[test]
fn a_line_that_is_too_long_keeps_its_tag() {
    let tag = "t1".parse().ok();
    let line = format!("@t1 say {}\n", "x".repeat(LINE_MAX));
    assert_eq!(item(line.as_bytes()), Item::TooLong { desynchronised: false, tag });
}

#[test]
fn a_line_that_is_too_long_and_may_announce_an_input_loses_the_place() {
    let filler = "x".repeat(LINE_MAX);
    let blanks = " ".repeat(LINE_MAX);
    for (line, expected) in [
        (format!("say {filler} <5\n"), TOO_LONG_AND_LOST),
        (format!("say {filler} <<END\t\r\n"), TOO_LONG_AND_LOST),
        (format!("say <5{blanks}\n"), TOO_LONG_AND_LOST),
        (format!("{blanks}load <5\n"), TOO_LONG_AND_LOST),
        (format!("say <5 {filler}\n"), TOO_LONG),
        (format!("say < 5{blanks}\n"), TOO_LONG),
        (format!("# {filler} <5\n"), TOO_LONG),
    ] {
        for size in [1, 3, 5000, 20000] {
            let mut decoder = Decoder::new();
            let found = line.as_bytes().chunks(size).find_map(|mut chunk| decoder.next(&mut chunk));
            assert_eq!(found.as_ref(), Some(&expected), "by {size}");
        }
    }
}

#[test]
fn an_input_past_its_limit_is_skipped_in_little_memory() {
    let body = "x\n".repeat(INPUT_MAX);
    let conversations =
        [format!("load <{}\n{body}uptime\n", body.len()), format!("load <<END\n{body}END\nuptime\n")];
    for conversation in conversations {
        let mut decoder = Decoder::new();
        let mut items = Vec::new();
        for mut chunk in conversation.as_bytes().chunks(5000) {
            items.extend(std::iter::from_fn(|| decoder.next(&mut chunk)));
            assert!(decoder.held() <= INPUT_MAX + 5000);
        }
        assert_eq!(items, [TOO_LONG, run("uptime")]);
        assert_eq!(decoder.held(), 0);
    }
    assert_eq!(items(b"load <9999999999\nabc"), [TOO_LONG]);
}

#[test]
fn an_input_of_the_limit_is_kept_whole() {
    let body = vec![b'x'; INPUT_MAX];
    let counted = [&b"load <1048576\n"[..], &body].concat();
    assert_eq!(item(&counted), fed("load", &body));
    let line = &body[1..];
    let up_to = [&b"load <<END\n"[..], line, b"\nEND\n"].concat();
    assert_eq!(item(&up_to), fed("load", &[line, b"\n"].concat()));
    let one_more = [&b"load <<END\n"[..], &body, b"\nEND\n"].concat();
    assert_eq!(item(&one_more), TOO_LONG);
}

#[test]
fn an_announced_input_reserves_nothing() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.next(&mut &b"load <1048576\nab"[..]), None);
    let State::Input(fed) = &decoder.state else { unreachable!() };
    assert!(fed.input.held() == 2 && fed.input.reserved() < 64);
}

#[test]
fn nothing_is_held_between_requests() {
    let mut decoder = Decoder::new();
    let mut octets = &b"upt"[..];
    assert_eq!((decoder.next(&mut octets), decoder.held()), (None, 3));
    let mut octets = &b"ime\nload <<END\nx\nEND\n"[..];
    while decoder.next(&mut octets).is_some() {}
    assert_eq!((decoder.held(), decoder.line.capacity()), (0, 0));
}

#[test]
fn a_session_that_opens_like_http_is_looked_at_no_further() {
    for start in ["GET / HTTP/1.1\r\nHost: x\r\n\r\nuptime\n", "# x\n\nPOST /", "OPTIONS ", "PRI * HTTP/2.0"]
    {
        assert_eq!(items(start.as_bytes()), [Item::Http], "{start}");
    }
    let endless = [b"POST ".to_vec(), vec![b'x'; 3 * LINE_MAX]].concat();
    assert_eq!(items(&endless), [Item::Http]);
}

#[test]
fn http_is_seen_before_its_line_ends() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.next(&mut &b"GE"[..]), None);
    assert_eq!(decoder.next(&mut &b"T"[..]), None);
    assert_eq!(decoder.next(&mut &b" "[..]), Some(Item::Http));
}

#[test]
fn only_the_first_line_can_look_like_http() {
    assert_eq!(items(b"uptime\nGET x\n"), [run("uptime"), run("GET x")]);
    assert_eq!(items(b"GETS x\n"), [run("GETS x")]);
    assert_eq!(items(b"get x\n"), [run("get x")]);
}

#[test]
fn run_is_the_name_alone() {
    assert_eq!(item(b"run restart nginx\n"), run("restart nginx"));
    assert_eq!(item(b"run load <2\nab"), fed("load", b"ab"));
    assert_eq!(
        ask("run status"),
        Ask::Run(Request { command: "status".parse().unwrap(), arguments: vec![] }, Wanted::default())
    );
}

#[test]
fn builtins_are_told_apart() {
    let nginx = || Request {
        command: "restart".parse().unwrap(),
        arguments: vec![Argument::Named("unit".parse().unwrap(), Value::try_from("nginx").unwrap())],
    };
    let id = || "7f3a0001abcd".parse().unwrap();
    let wanted = |detach, token: Option<&str>| Wanted { detach, token: token.map(|it| it.parse().unwrap()) };
    let hello = |version, mode, concurrent| Ask::Hello(Hello { version, mode, concurrent });
    for (line, expected) in [
        ("help", Ask::Help(None)),
        ("help restart", Ask::Help("restart".parse().ok())),
        ("commands", Ask::Commands),
        ("whoami", Ask::Whoami),
        ("why restart unit=nginx", Ask::Why(nginx())),
        ("run restart unit=nginx", Ask::Run(nginx(), Wanted::default())),
        ("cancel", Ask::Cancel),
        ("ping", Ask::Ping),
        ("quit", Ask::Quit),
        ("status", Ask::Status),
        ("hello 1", hello(1, Mode::Text, None)),
        ("hello 1 mode=frame concurrent=4", hello(1, Mode::Frame, Some(4))),
        ("hello 2 anything=goes", hello(2, Mode::Text, None)),
        ("run restart unit=nginx detach=yes id=t-1", Ask::Run(nginx(), wanted(true, Some("t-1")))),
        ("restart id=\"a\" unit=nginx", Ask::Run(nginx(), wanted(false, Some("a")))),
        ("restart unit=nginx detach=no", Ask::Run(nginx(), wanted(false, None))),
        ("why restart unit=nginx detach=yes", Ask::Why(nginx())),
        ("jobs", Ask::Wish(Wish::Jobs { everyone: false })),
        ("jobs all", Ask::Wish(Wish::Jobs { everyone: true })),
        ("job 7f3a0001abcd", Ask::Wish(Wish::Job { id: id(), follow: false })),
        ("job 7f3a0001abcd follow", Ask::Wish(Wish::Job { id: id(), follow: true })),
        ("cancel job=7f3a0001abcd", Ask::Wish(Wish::Cancel(id()))),
        ("drain", Ask::Unserved(Builtin::Drain)),
        ("reload", Ask::Wish(Wish::Reload(None))),
        ("reload confirm=60s", Ask::Wish(Wish::Reload(Some(Duration::from_secs(60))))),
        ("reload confirm=\"1h\"", Ask::Wish(Wish::Reload(Some(Duration::from_secs(3600))))),
        ("confirm", Ask::Wish(Wish::Confirm)),
    ] {
        assert_eq!(ask(line), expected, "{line}");
    }
}

#[test]
fn a_misused_builtin_names_the_argument() {
    for (line, expected) in [
        ("help restart more", "argument"),
        ("help \"restart\"", "name"),
        ("help name=restart", "name"),
        ("help 1", "name"),
        ("commands all", "argument"),
        ("whoami full=yes", "full"),
        ("ping <0", "input"),
        ("why <0", "input"),
        ("why", "name"),
        ("run", "name"),
        ("run 'restart'", "name"),
        ("run unit=nginx", "name"),
        ("run <0", "name"),
        ("cancel @t1", "tag"),
        ("cancel t1", "argument"),
        ("cancel job=7f3a", "job"),
        ("cancel job=7f3a0001abcd job=7f3a0001abcd", "job"),
        ("cancel job=", "job"),
        ("jobs everyone", "argument"),
        ("jobs 'all'", "argument"),
        ("job", "job"),
        ("job 7f3a", "job"),
        ("job id=7f3a0001abcd", "job"),
        ("job 7f3a0001abcd tail", "argument"),
        ("job 7f3a0001abcd follow follow", "argument"),
        ("restart id=", "id"),
        ("restart id=a id=b", "id"),
        ("restart id=a/b", "id"),
        ("restart detach=1", "detach"),
        ("restart detach=yes detach=yes", "detach"),
        ("hello", "version"),
        ("hello one", "version"),
        ("hello +1", "version"),
        ("hello 99999999999", "version"),
        ("hello mode=text", "version"),
        ("hello 1 2", "argument"),
        ("hello 1 mode=loud", "mode"),
        ("hello 1 concurrent=0", "concurrent"),
        ("hello 1 concurrent=", "concurrent"),
        ("hello 1 mode=text mode=text", "mode"),
        ("hello 1 colour=yes", "colour"),
        ("reload now", "argument"),
        ("reload for=60s", "for"),
        ("reload confirm", "argument"),
        ("reload confirm=", "confirm"),
        ("reload confirm=0s", "confirm"),
        ("reload confirm=999ms", "confirm"),
        ("reload confirm=61min", "confirm"),
        ("reload confirm=60", "confirm"),
        ("reload confirm=-1s", "confirm"),
        ("reload confirm=60s confirm=60s", "confirm"),
        ("confirm yes", "argument"),
    ] {
        let ask = ask(line);
        assert!(matches!(&ask, Ask::Misused { name, .. } if name == expected), "{line}: {ask:?}");
    }
}

#[test]
fn a_misused_builtin_swallows_its_input() {
    let items = items(b"ping <<END\nuptime\nEND\nuptime\n");
    assert!(matches!(&items[0], Item::Request(Incoming { ask: Ask::Misused { .. }, input: None, .. })));
    assert_eq!(items[1..], [run("uptime")]);
}
