"""The journal says who did what, and without the journal nothing is done."""

import json
import re

from machine import TOOLS, equal, holds, until

from . import scenario

JOURNAL = ["systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket"]


def ids(rig, user):
    return [rig.run("id", flag, user=user).text for flag in ("-u", "-g")]


def has(event, **wanted):
    for key, value in wanted.items():
        equal(event.get("UDSADMIN_" + key), value, f"UDSADMIN_{key}")


@scenario
def what_ran_is_on_record_with_every_field(rig):
    uid, gid = ids(rig, "alice")
    final = rig.ask("alice", "restart web.service\n", login=True).must_be(200)
    (started,), (finished,) = rig.events("started"), rig.events("finished")
    for event in (started, finished):
        has(event, UID=uid, GID=gid, USER="alice", LOGINUID=uid, COMMAND="restart", JOB=final.fields["job"])
        holds(event["OBJECT_PID"].isdigit() and int(event["OBJECT_PID"]) > 1, "the peer's process")
        holds(event["UDSADMIN_REQUEST"], "a request's name")
    has(started, ARG_UNIT="web.service")
    holds("webops" in started["UDSADMIN_GROUPS"] or gid in started["UDSADMIN_GROUPS"], started["UDSADMIN_GROUPS"])
    holds(re.search(r"policy\.toml:[0-9]+$", started["UDSADMIN_RULE"]), f"file and line: {started['UDSADMIN_RULE']}")
    holds(started["UDSADMIN_DECISION"] in ("permit", "allow"), started["UDSADMIN_DECISION"])
    equal(finished["UDSADMIN_EXIT"], "0", "UDSADMIN_EXIT")
    holds(finished["UDSADMIN_MS"].isdigit(), "UDSADMIN_MS")
    equal(started["UDSADMIN_REQUEST"], finished["UDSADMIN_REQUEST"], "the request's name")
    equal(started["_SYSTEMD_UNIT"], "udsadmin-broker.service", "who says so")


@scenario
def a_refused_request_is_on_record_with_every_field(rig):
    uid, gid = ids(rig, "alice")
    rig.ask("alice", "restart php.service\n", login=True).must_be(422)
    (denied,) = rig.events("denied")
    has(denied, UID=uid, GID=gid, USER="alice", LOGINUID=uid, COMMAND="restart", DECISION="deny", ARG_UNIT="php.service")
    holds(denied["OBJECT_PID"].isdigit(), "the peer's process")
    for key in ("REQUEST", "GROUPS", "RULE"):
        holds(denied["UDSADMIN_" + key], f"UDSADMIN_{key}")
    rig.no_event("started")


@scenario
def a_refused_peer_is_on_record(rig):
    uid, gid = ids(rig, "mallory")
    rig.ask("mallory", "ping\n").must_be(403)
    has(rig.events("refused")[0], UID=uid, GID=gid, USER="mallory", DECISION="deny")
    rig.ask("dave", "ping\n").must_be(403)
    holds(re.search(r"policy\.toml:[0-9]+$", rig.events("refused", 2)[1]["UDSADMIN_RULE"]), "the rule that denies")


@scenario
def ends_of_every_kind_are_on_record(rig):
    rig.ask("alice", "exit3\ndie TERM\nstubborn\n").must_be_all(210, 211, 212)
    ends = [event.get("UDSADMIN_EXIT") for event in rig.events("finished", 3)]
    equal(ends[0], "3", "the exit code")
    equal(len(set(ends)), 3, f"three ends told apart: {ends}")


@scenario
def each_kind_of_event_has_one_message_id(rig):
    rig.cold()
    rig.ask("alice", "exit3\nboth\nrestart php.service\n").must_be_all(210, 200, 422)
    rig.ask("mallory", "ping\n")
    kinds = {}
    for event in rig.journal():
        if "UDSADMIN_EVENT" in event:
            kinds.setdefault(event["UDSADMIN_EVENT"], set()).add(event.get("MESSAGE_ID"))
    holds({"connected", "refused", "denied", "started", "finished", "policy-loaded"} <= set(kinds), f"kinds: {sorted(kinds)}")
    holds(all(len(found) == 1 and None not in found for found in kinds.values()), f"one each: {kinds}")
    equal(len({next(iter(found)) for found in kinds.values()}), len(kinds), "all different")


@scenario
def an_argument_forges_no_line_of_the_journal(rig):
    forged = r"x\nMESSAGE=forged\nUDSADMIN_EVENT=finished\n\x1b[2Jend"
    rig.ask("alice", f'say "{forged}"\n').must_be(200)
    rig.ask("alice", f'mark "{forged}"\n').must_be(422)
    (started,) = rig.events("started")
    text = text_of(started["UDSADMIN_ARG_TEXT"])
    equal(text, "x\nMESSAGE=forged\nUDSADMIN_EVENT=finished\n\x1b[2Jend", "the argument, whole and in its field")
    equal(len(rig.events("finished")), 1, "events finished")
    equal(rig.journal(MESSAGE="forged"), [], "entries that the argument made")
    for entry in rig.journal():
        message = text_of(entry.get("MESSAGE", ""))
        holds("\n" not in message and "\x1b" not in message, f"one clean line: {message!r}")
    plain = rig.root("journalctl", f"--after-cursor={rig.cursor}", "-o", "cat", "--no-pager").text
    holds("MESSAGE=forged" not in plain.splitlines() and "\x1b" not in plain, f"clean lines: {plain!r}")


def text_of(value):
    """journalctl gives a value with control characters as a list of octets."""
    return bytes(value).decode() if isinstance(value, list) else value


@scenario
def a_large_argument_is_on_record_whole(rig):
    large = "x" * 3900
    rig.ask("alice", f"say {large}\n").must_be(200)
    equal(rig.events("started")[0]["UDSADMIN_ARG_TEXT"], large, "the argument")


@scenario
def nothing_runs_without_a_journal(rig):
    rig.ask("alice", "mark before\n").must_be(200)
    stopped = [*JOURNAL, "systemd-journald.service"]
    rig.systemctl("stop", *stopped)
    try:
        until(lambda: not rig.is_active("systemd-journald.service"), "the journal is down")
        rig.ask("alice", "mark unrecorded\n").must_be(503, "audit-unavailable")
        rig.no_mark("unrecorded")
    finally:
        rig.systemctl("start", *JOURNAL[:2], "systemd-journald.service").well()
    rig.ask("alice", "mark after\n").must_be(200)
    holds(rig.marked("after"), "it works again with the journal back")


@scenario
def nothing_runs_while_the_journal_takes_no_record(rig):
    rig.kill("systemd-journald.service", "STOP")
    try:
        rig.root(f"{TOOLS}/fill-journal").well()
        rig.ask("alice", "mark unrecorded\n", patience=30).must_be(503, "audit-unavailable")
        rig.no_mark("unrecorded")
    finally:
        rig.kill("systemd-journald.service", "CONT")
    until(lambda: rig.ask("alice", "mark after\n").finals[0].code == 200, "the journal takes records again")


@scenario
def the_record_is_written_before_the_command_starts(rig):
    rig.policy(SELF_WITNESS)
    reply = rig.ask("alice", "witness\n")
    reply.must_be(200)
    jobs = [json.loads(line)["UDSADMIN_JOB"] for line in reply.stdout.splitlines()]
    holds(reply.finals[0].fields["job"] in jobs, f"the job sees its own record: {reply.stdout!r}")


SELF_WITNESS = """
[allow]
groups = ["webops"]
[commands.witness]
exec = ["/bin/sh", "-c", "journalctl --sync; exec journalctl -o json --no-pager -n 1 UDSADMIN_EVENT=started"]
[[commands.witness.allow]]
groups = ["webops"]
"""


@scenario
def a_loaded_policy_is_on_record(rig):
    rig.cold()
    rig.ask("alice", "both\n").must_be(200)
    units = {event["_SYSTEMD_UNIT"] for event in rig.events("policy-loaded", 2)}
    equal(units, {"udsadmin.service", "udsadmin-broker.service"}, "both programs say what they decide by")
