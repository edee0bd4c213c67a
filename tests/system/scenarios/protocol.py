"""What is a request and what is not, and what becomes of the connection."""

from machine import DOOR, equal, holds

from . import scenario


@scenario
def a_line_without_its_end_runs_nothing(rig):
    reply = rig.ask("alice", "mark torn")
    holds(all(final.code >= 400 for final in reply.finals), f"no success: {reply.octets!r}")
    reply = rig.ask("alice", "mark whole\nmark second-torn")
    reply.finals[0].must_be(200)
    holds(all(final.code >= 400 for final in reply.finals[1:]), f"no success: {reply.octets!r}")
    holds(rig.marked("whole"), "the whole line ran")
    rig.no_mark("torn")
    rig.no_mark("second-torn")


@scenario
def a_pipelined_line_runs_after_the_one_before(rig):
    reply = rig.ask("alice", "mute\nsay second\nexit3\nsay third\n")
    equal(reply.order, [b"late\n", 200, b"second\n", 200, 210, b"third\n", 200], "the order")


@scenario
def a_silent_command_outlasts_the_patience_of_socat(rig):
    reply = rig.ask("alice", "mute\n")
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, b"late\n", "stdout")
    holds(reply.infos, "signs of life after the half-close")


@scenario
def a_silent_command_outlasts_it_from_a_cold_start_too(rig):
    rig.cold()
    rig.ask("alice", "mute\n").must_be(200, "exit", code="0")


@scenario
def a_line_of_8193_octets_is_too_long_and_the_next_one_works(rig):
    longest = b"#" * 8191 + b"\n"
    too_long = b"#" * 8192 + b"\n"
    rig.ask("alice", longest + b"say next\n").must_be(200)
    reply = rig.ask("alice", too_long + b"say next\n")
    reply.must_be_all(413, 200)
    equal(reply.stdout, b"next\n", "the next line's output")
    rig.ask("alice", b"mark " + b"x" * 100_000 + b"\nping\n").must_be_all(413, 200)


@scenario
def blank_lines_comments_and_carriage_returns_are_borne(rig):
    reply = rig.ask("alice", "\n# a comment\n   \n\t\nsay dos\r\n")
    reply.must_be(200)
    equal(reply.stdout, b"dos\n", "stdout")


@scenario
def a_malformed_first_line_closes_the_connection_after_its_reply(rig):
    for line in (b"mark \x01\n", b"mark a\x00b\n", b"mark \xff\n", b'mark "open\n', b'mark "a"b\n', b"1mark a\n"):
        final = rig.ask("alice", line + b"mark after\n").must_be(400, "syntax")
        holds(final.fields.get("column", "").isdigit(), f"a column: {final.line!r}")
    rig.no_mark("after")


@scenario
def a_malformed_later_line_leaves_the_connection_open(rig):
    reply = rig.ask("alice", b"ping\nmark \x1b[2J\nsay on\n")
    reply.must_be_all(200, 400, 200)
    equal(reply.finals[1].fields["column"], "6", "the column")


@scenario
def an_unknown_command_first_leaves_the_connection_open(rig):
    rig.ask("alice", "no-such-command\nping\n").must_be_all(403, 200)


@scenario
def words_reach_the_command_as_they_were_quoted(rig):
    cases = {
        'words a "b c" 3': (b"a", b"b c", b"3"),
        "words 'a  b' c": (b"a  b", b"c", b"0"),
        r'words "quote \" and \\ and \x41\ttab" x': (b'quote " and \\ and A\ttab', b"x", b"0"),
        "words second=2 first=1": (b"1", b"2", b"0"),
        'words "first=1"': (b"first=1", b"two", b"0"),
        "words '' ''": (b"", b"", b"0"),
        "words $HOME `id`": (b"$HOME", b"`id`", b"0"),
        "words * ;ls": (b"*", b";ls", b"0"),
        "run words x third=-5": (b"x", b"two", b"-5"),
        "words café": ("café".encode(), b"two", b"0"),
    }
    for line, (first, second, third) in cases.items():
        reply = rig.ask("alice", line + "\n")
        reply.must_be(200)
        equal(reply.stdout, b"<%s>\n<--%s>\n<%s>\n" % (first, second, third), line)


@scenario
def a_bad_argument_is_named_and_nothing_runs(rig):
    cases = {
        "mark": "name",
        "mark UPPER": "name",
        "mark ../etc": "name",
        "mark -bad": "name",
        'mark "a\\nb"': "name",
        "mark a name=b": "name",
        "mark other=b": "other",
        "words a b 6": "third",
        "words a b 05": "third",
        "words a b c": "third",
        "words -a": "first",
        "restart nginx.service": "unit",
    }
    for line, argument in cases.items():
        rig.ask("alice", line + "\n").must_be(422, "bad-argument", name=argument)
    rig.ask("alice", "both surplus\n").must_be(422, "bad-argument")
    equal(rig.shell("ls /run/marks").text, "", "marks")


@scenario
def builtins_answer_and_quit_closes(rig):
    rig.ask("alice", "ping\n").must_be(200, "ok")
    uid = rig.run("id", "-u", user="alice").text
    rig.ask("alice", "hello 1\n").must_be(220, "hello", proto="1", user="alice", uid=uid)
    rig.ask("alice", "hello 2\n").must_be(426, "version")
    rig.ask("alice", "quit\nmark after-quit\n").must_be(221, "bye")
    rig.no_mark("after-quit")


@scenario
def the_server_says_nothing_until_spoken_to(rig):
    with rig.session("alice") as session:
        rig.ask("bob", "ping\n").must_be(200)
        session.say("ping\n")
        session.final().must_be(200, "ok")
        session.say("say again\n")
        equal(session.final().stdout, b"again\n", "stdout")


@scenario
def a_stray_web_request_is_answered_as_one_and_runs_nothing(rig):
    curl = ["curl", "--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]
    body = "\nmark forged\nmark forged\n"
    to = ["--unix-socket", DOOR, "http://localhost/mark"]
    equal(rig.run(*curl, *to, user="alice").text, "400", "GET")
    equal(rig.run(*curl, "--data-binary", body, *to, user="alice").text, "400", "POST")
    rig.no_mark("forged")
    said = rig.run("socat", "-", f"UNIX-CONNECT:{DOOR}", user="alice", given="POST / HTTP/1.1\n\nmark forged\n").out
    holds(said.startswith(b"HTTP/1.1 400 Bad Request\r\n"), f"an answer of its kind: {said!r}")
    holds(b"\n200 " not in said, f"no success: {said!r}")
    rig.no_mark("forged")
    events = rig.events("protocol-error", 3)
    equal({event["UDSADMIN_USER"] for event in events}, {"alice"}, "who")


@scenario
def another_client_than_socat_does_as_well(rig):
    done = rig.run("nc", "-N", "-U", DOOR, user="alice", given="say netcat\n").well()
    equal(done.out.splitlines()[0], b"| netcat", "the output")
