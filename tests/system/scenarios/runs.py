"""What runs: with which output, end and surroundings."""

import hashlib
import json
import time

from machine import equal, holds, until

from . import scenario

BIG = hashlib.shake_128(b"udsadmin").digest(64 << 20)


def environment(reply):
    reply.must_be(200, "exit", code="0")
    return dict(entry.split("=", 1) for entry in reply.stdout.decode().rstrip("\0").split("\0"))


def shape(rig, command):
    reply = rig.ask("alice", f"{command}\n")
    reply.must_be(200, "exit", code="0")
    return json.loads(reply.stdout)


@scenario
def a_member_restarts_a_real_unit(rig):
    before = rig.pid("web.service")
    rig.ask("alice", "restart web.service\n").must_be(200, "exit", code="0")
    after = rig.pid("web.service")
    holds(after not in (0, before), f"another process than {before}: {after}")


@scenario
def exit_codes_and_signals_are_told_apart(rig):
    rig.ask("alice", "both\n").must_be(200, "exit", code="0")
    rig.ask("alice", "exit3\n").must_be(210, "exit", code="3")
    rig.ask("alice", "die TERM\n").must_be(211, "signal", name="TERM")
    rig.ask("alice", "die KILL\n").must_be(211, "signal", name="KILL")


@scenario
def every_final_of_a_run_has_its_time_and_its_job(rig):
    for request in ("both", "exit3", "die TERM"):
        fields = rig.ask("alice", f"{request}\n").finals[0].fields
        holds(fields.get("ms", "").isdigit() and fields.get("job"), f"ms= and job= of {request}: {fields}")


@scenario
def stdout_and_stderr_are_told_apart(rig):
    reply = rig.ask("alice", "both\n")
    equal((reply.stdout, reply.stderr), (b"to stdout\n", b"to stderr\n"), "streams")


@scenario
def output_of_64_mib_arrives_whole(rig):
    reply = rig.ask("alice", "bigout\n")
    reply.must_be(200, "exit", code="0")
    equal(len(reply.stdout), len(BIG), "octets")
    equal(hashlib.sha256(reply.stdout).hexdigest(), hashlib.sha256(BIG).hexdigest(), "SHA-256")
    for unit in ("udsadmin.service", "udsadmin-broker.service"):
        status = rig.root("cat", f"/proc/{rig.pid(unit)}/status").well().text
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        holds(peak < 24 << 10, f"{unit} kept the output out of its memory: {peak} KiB at most")


@scenario
def a_client_that_reads_nothing_stops_its_job_not_the_daemon(rig):
    with rig.session("alice") as lazy:
        lazy.say("bigout\n")
        until(lambda: blocked_in_write(rig, "bigout"), "the job waits for its reader")
        rig.ask("bob", "say meanwhile\n").must_be(200)
        peak = rig.root("grep", "VmHWM", f"/proc/{rig.pid('udsadmin.service')}/status").text.split()[1]
        holds(int(peak) < 24 << 10, f"the daemon holds little: {peak} KiB at most")
    until(lambda: not rig.processes("udsadmin-tests/bigout"), "the job ends with its reader gone")


def blocked_in_write(rig, program):
    pid = rig.processes(f"udsadmin-tests/{program}").split()
    if not pid:
        return False
    return "pipe" in rig.root("cat", f"/proc/{pid[0]}/wchan").text


@scenario
def no_escape_sequence_passes_in_output(rig):
    nasty = b"red \x1b[31m \x9b31m bell \x07 back\\slash \x7f \xff\xfe caf\xc3\xa9 \xc2\x9b31m tab\tend\n"
    reply = rig.ask("alice", b"cat <%d\n%s" % (len(nasty), nasty))
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, nasty, "the decoded output")
    line = reply.octets.splitlines()[0]
    holds("café" in line.decode() and "\t" in line.decode(), f"printable UTF-8 and tabs pass: {line!r}")
    holds(b"\x1b" not in line and b"\xc2\x9b" not in line, f"no escape: {line!r}")


@scenario
def an_output_without_a_last_line_feed_is_told_from_one_with(rig):
    for text in (b"whole\n", b"torn", b"", b"two\nlines", b"\n\n"):
        reply = rig.ask("alice", b"cat <%d\n%s" % (len(text), text))
        equal(reply.stdout, text, "stdout")


@scenario
def input_reaches_the_command_by_count_and_by_word(rig):
    body = b"mark inside-input\nEN\nEND \n"
    reply = rig.ask("alice", b"cat <%d\n%sping\ncat <<END\n%sEND\nping\n" % (len(body), body, body))
    reply.must_be_all(200, 200, 200, 200)
    equal(reply.stdout, body * 2, "what the two commands were fed")
    rig.no_mark("inside-input")


@scenario
def input_of_one_mib_arrives_whole_and_not_an_octet_more(rig):
    body = BIG[: 1 << 20]
    reply = rig.ask("alice", b"digest <%d\n%sping\n" % (len(body), body))
    reply.must_be_all(200, 200)
    equal(reply.stdout.split()[0].decode(), hashlib.sha256(body).hexdigest(), "SHA-256")
    lines = b"mark smuggled\n" * (1 << 17)
    holds(rig.ask("alice", b"digest <%d\n%s" % (len(lines), lines)).finals[0].code == 413, "too long")
    rig.no_mark("smuggled")


@scenario
def input_that_is_cut_short_runs_nothing_or_is_seen_by_the_client(rig):
    said = rig.ask("alice", b"mark cut <100\nonly this")
    holds(all(final.code >= 400 for final in said.finals), f"no success: {said.octets!r}")
    rig.no_mark("cut")


@scenario
def a_command_without_input_reads_an_end_of_file(rig):
    reply = rig.ask("alice", "cat\n")
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, b"", "stdout")


@scenario
def a_time_limit_ends_the_whole_job(rig):
    began = time.monotonic()
    rig.ask("alice", "stubborn\n").must_be(212, "timeout")
    holds(time.monotonic() - began < 60, "long before the ten minutes that it would take")
    holds(rig.marked("stubborn"), "the child in a session of its own was there")
    until(lambda: not rig.processes("86412|udsadmin-tests/stubborn"), "no process of it is left")


@scenario
def what_outlives_its_parent_ends_with_the_job(rig):
    rig.policy(DAEMONISING)
    reply = rig.ask("alice", "leave\n")
    reply.must_be(200, "exit", code="0")
    until(lambda: not rig.processes("sleep 86413"), "the process left behind is gone")


DAEMONISING = """
[allow]
groups = ["webops"]
[commands.leave]
exec = ["/bin/sh", "-c", "setsid sleep 86413 >/dev/null 2>&1 </dev/null &"]
[[commands.leave.allow]]
groups = ["webops"]
"""


@scenario
def the_environment_of_a_job_is_exactly_this(rig):
    uid, gid = (rig.run("id", flag, user="alice").text for flag in ("-u", "-g"))
    found = environment(rig.ask("alice", "environment\n"))
    job = found.pop("UDSADMIN_JOB")
    holds(job, "a job's name")
    for fixed in ("PATH", "LANG"):
        holds(found.pop(fixed), f"a {fixed}")
    own = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash"}
    who = {"UDSADMIN_UID": uid, "UDSADMIN_GID": gid, "UDSADMIN_USER": "alice", "UDSADMIN_COMMAND": "environment"}
    equal(found, own | who, "the environment")


@scenario
def the_environment_follows_the_user_that_a_job_runs_as(rig):
    found = environment(rig.ask("alice", "environment-as-carol\n"))
    equal({found[key] for key in ("USER", "LOGNAME")}, {"carol"}, "the user")
    equal((found["HOME"], found["UDSADMIN_USER"]), ("/home/carol", "alice"), "home and asker")


@scenario
def a_job_of_root_starts_in_a_clean_place(rig):
    found = shape(rig, "shape")
    descriptors = found.pop("descriptors")
    equal(sorted(descriptors), ["0", "1", "2"], "descriptors")
    equal(descriptors["0"], "/dev/null", "standard input")
    holds(descriptors["1"].startswith("pipe:") and descriptors["2"].startswith("pipe:"), f"{descriptors}")
    holds(descriptors["1"] != descriptors["2"], "two pipes")
    cgroup = found.pop("cgroup")
    holds("/udsadmin-broker.service/" in cgroup, f"a cgroup of its own below the broker's: {cgroup}")
    equal((found["ids"], found["groups"]), ([0] * 6, [0]), "who it is")
    equal((found["leads its session"], found["terminal"]), (True, False), "session and terminal")
    equal((found["umask"], found["directory"]), ("0022", "/"), "umask and directory")
    equal((found["blocked"], found["ignored"]), ("0" * 16, 0), "signals")


@scenario
def a_job_of_another_user_has_that_users_groups_and_no_way_up(rig):
    found = shape(rig, "shape-as-wendy")
    uid, gid = (int(rig.run("id", flag, user="wendy").text) for flag in ("-u", "-g"))
    groups = sorted(int(group) for group in rig.run("id", "-G", user="wendy").text.split())
    equal(found["ids"], [uid] * 3 + [gid] * 3, "real, effective and saved ids")
    equal(found["groups"], groups, "groups")
    equal(found["no new privileges"], "1", "no_new_privs")


@scenario
def jobs_have_cgroups_apart_and_leave_none_behind(rig):
    first, second = (shape(rig, "shape")["cgroup"] for _ in range(2))
    holds(first != second, f"a cgroup each: {first}")
    until(lambda: not rig.exists("/sys/fs/cgroup" + first.split("::")[1]), "the job's cgroup is gone")


@scenario
def a_program_that_is_gone_is_exec_failed(rig):
    program = "/usr/libexec/udsadmin-tests/vanishing"
    rig.ask("alice", "vanishing\n").must_be(200)
    rig.shell(f"mv {program} {program}.away; rm /run/marks/vanishing").well()
    try:
        rig.ask("alice", "vanishing\n").must_be(502, "exec-failed")
    finally:
        rig.root("mv", f"{program}.away", program).well()


@scenario
def a_program_that_others_may_write_is_not_run(rig):
    program = "/usr/libexec/udsadmin-tests/vanishing"
    rig.ask("alice", "ping\nvanishing\n").must_be_all(200, 200)
    rig.shell(f"chmod g+w {program}; rm /run/marks/vanishing").well()
    try:
        code = rig.ask("alice", "vanishing\n").finals[-1].code
    finally:
        rig.root("chmod", "g-w", program).well()
    holds(code >= 500, f"refused by the server, not {code}")
    rig.no_mark("vanishing")
