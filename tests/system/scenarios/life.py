"""Both programs under systemd: they start on demand, stop in good order, survive being killed, and say what is wrong."""

from machine import BROKER, DOOR, POLICY, PROGRAMS, SOCKETS, TOOLS, equal, holds, until
from wire import Reply

from . import scenario

@scenario
def both_programs_start_on_demand_from_nothing(rig):
    rig.cold()
    equal([rig.is_active(unit) for unit in PROGRAMS], [False, False], "running before")
    rig.ask("alice", "mark on-demand\n").must_be(200)
    equal([rig.is_active(unit) for unit in PROGRAMS], [True, True], "running after")


@scenario
def starting_the_socket_brings_the_brokers_socket(rig):
    rig.systemctl("stop", *SOCKETS).well()
    rig.systemctl("start", "udsadmin.socket").well()
    equal([rig.exists(path) for path in (DOOR, BROKER)], [True, True], "socket files")
    modes = rig.root("stat", "-c", "%a %U %G", DOOR, BROKER).text.splitlines()
    equal(modes, ["666 root root", "600 udsadmin root"], "modes and owners")


@scenario
def stopping_the_socket_stops_everything_and_removes_the_files(rig):
    rig.ask("alice", "mark before\n").must_be(200)
    rig.systemctl("stop", "udsadmin.socket").well()
    equal([rig.is_active(unit) for unit in (*PROGRAMS, *SOCKETS)], [False] * 4, "running")
    equal([rig.exists(path) for path in (DOOR, BROKER)], [False, False], "socket files")
    rig.systemctl("start", "udsadmin.socket").well()
    rig.ask("alice", "mark after\n").must_be(200)


@scenario
def stopping_both_sockets_removes_the_files(rig):
    rig.systemctl("stop", *SOCKETS).well()
    equal([rig.exists(path) for path in (DOOR, BROKER)], [False, False], "socket files")


@scenario
def a_killed_daemon_is_survived_by_the_next_connection(rig):
    for _ in range(8):  # more than the starts that systemd grants a unit in ten seconds by default
        rig.ask("alice", "say alive\n").must_be(200)
        rig.kill("udsadmin.service", "KILL")
    rig.ask("alice", "say alive\n").must_be(200)


@scenario
def a_killed_broker_is_survived_by_the_next_connection(rig):
    for _ in range(8):
        rig.ask("alice", "say alive\n").must_be(200)
        rig.kill("udsadmin-broker.service", "KILL")
    rig.ask("alice", "say alive\n").must_be(200)


@scenario
def a_killed_broker_leaves_no_job_and_its_client_learns_that_the_end_is_unknown(rig):
    with rig.session("alice") as session:
        session.say("pause\n")
        rig.events("started")
        rig.kill("udsadmin-broker.service", "KILL")
        session.final().must_be(599, "unknown-outcome")
    until(lambda: not rig.processes("sleep 86411"), "no process of the job is left")


@scenario
def a_killed_daemon_leaves_its_job_to_the_broker(rig):
    with rig.session("alice") as session:
        session.say("slow-mark orphan\n")
        rig.events("started")
        rig.kill("udsadmin.service", "KILL")
        equal(session.rest().finals, [], "finals")
    until(lambda: rig.marked("orphan"), "the job finished")
    rig.events("finished")


@scenario
def a_job_whose_client_vanished_is_finished(rig):
    with rig.session("alice") as session:
        session.say("slow-mark vanished\n")
        rig.events("started")
    until(lambda: rig.marked("vanished"), "the job finished")


@scenario
def a_broker_that_is_down_is_503_and_nothing_runs(rig):
    rig.systemctl("stop", "udsadmin-broker.socket", "udsadmin-broker.service").well()
    rig.systemctl("mask", "--runtime", "udsadmin-broker.socket", "udsadmin-broker.service").well()
    rig.ask("alice", "mark no-broker\nping\n").must_be_all(503, 200)
    rig.ask("alice", "mark no-broker\n").must_be(503, "broker-unavailable")
    rig.no_mark("no-broker")
    rig.systemctl("unmask", "--runtime", "udsadmin-broker.socket", "udsadmin-broker.service").well()
    rig.systemctl("start", "udsadmin-broker.socket").well()
    rig.ask("alice", "mark broker\n").must_be(200)


@scenario
def stopping_the_daemon_finishes_what_runs(rig):
    with rig.session("alice") as session:
        session.say("mute\n")
        rig.events("started")
        rig.systemctl("stop", "udsadmin.service").well()
        reply = session.rest()
    reply.finals[0].must_be(200, "exit", code="0")
    equal(reply.stdout, b"late\n", "stdout")


@scenario
def stopping_the_broker_waits_for_its_jobs(rig):
    with rig.session("alice") as session:
        session.say("mute\n")
        rig.events("started")
        rig.systemctl("stop", "udsadmin-broker.service").well()
        session.final().must_be(200, "exit", code="0")


@scenario
def stopping_everything_finishes_what_runs(rig):
    with rig.session("alice") as session:
        session.say("mute\n")
        rig.events("started")
        rig.systemctl("stop", "udsadmin.socket").well()
        session.rest().finals[0].must_be(200, "exit", code="0")


@scenario
def the_programs_tell_systemd_how_they_are(rig):
    rig.ask("alice", "say hello\n").must_be(200)
    for unit in PROGRAMS:
        equal(rig.show(unit, "Type"), "notify", "Type")
        holds(rig.show(unit, "StatusText"), f"a status text of {unit}")


@scenario
def a_frozen_program_is_ended_by_the_watchdog(rig):
    for unit in PROGRAMS:
        rig.drop_in(unit, "[Service]\nWatchdogSec=2\n")
    rig.ask("alice", "say hello\n").must_be(200)
    for unit in PROGRAMS:
        rig.kill(unit, "STOP")
        until(lambda unit=unit: not rig.is_active(unit), f"the watchdog ended {unit}")
    rig.ask("alice", "say hello\n").must_be(200)


@scenario
def a_watched_program_lives_on(rig):
    for unit in PROGRAMS:
        rig.drop_in(unit, "[Service]\nWatchdogSec=1\n")
    rig.ask("alice", "say hello\n").must_be(200)
    before = [rig.pid(unit) for unit in PROGRAMS]
    rig.ask("alice", "mute\nmute\nmute\n").must_be_all(200, 200, 200)
    equal([rig.pid(unit) for unit in PROGRAMS], before, "the processes")


# --- a policy with an error ---

BROKEN = '[allow]\ngroups = ["webops"]\n\n[commands.mark]\nexec = ["/usr/bin/touch", "/run/marks/broken"]\ntime-out = "1s"\n'


def complaints(rig, unit):
    """What the program itself said of errors."""
    return rig.complaints(_SYSTEMD_UNIT=unit)


def fails_with_78(rig, unit):
    rig.systemctl("start", unit)
    equal((rig.show(unit, "Result"), rig.show(unit, "ExecMainStatus")), ("exit-code", "78"), f"the end of {unit}")


@scenario
def a_broken_policy_ends_both_programs_with_78_and_one_line(rig):
    rig.policy(BROKEN)
    for unit in PROGRAMS:
        fails_with_78(rig, unit)
        said = complaints(rig, unit)
        equal(len(said), 1, f"lines of {unit}: {said}")
        holds(f"{POLICY}:6:1" in said[0] and "time-out" in said[0], f"file, line, column and fact: {said[0]!r}")


@scenario
def a_client_of_a_broken_policy_gets_an_answer_and_the_mended_one_works(rig):
    rig.policy(BROKEN)
    for _ in range(8):
        done = rig.run("socat", "-t", "20", "-", f"UNIX-CONNECT:{DOOR}", user="alice", given="mark broken\n", seconds=60)
        Reply(done.out).must_be(500, "internal")
    rig.no_mark("broken")
    equal(rig.show("udsadmin.socket", "ActiveState"), "active", "the socket")
    rig.root("cp", f"{TOOLS}/policy.toml", POLICY).well()
    rig.ask("alice", "mark mended\n").must_be(200)


@scenario
def a_broken_policy_of_the_broker_alone_is_503(rig):
    rig.ask("alice", "mark before\n").must_be(200)
    rig.policy(BROKEN, daemon_too=False)
    rig.ask("alice", "mark broken\n").must_be(503, "broker-unavailable")
    rig.no_mark("broken")


@scenario
def a_policy_that_others_may_write_is_refused(rig):
    rig.cold()
    for spoil, mend in SPOILT.items():
        rig.shell(spoil).well()
        for unit in PROGRAMS:
            fails_with_78(rig, unit)
            holds("/etc/udsadmin" in complaints(rig, unit)[-1], "the complaint names the file")
        rig.shell(mend).well()
    rig.ask("alice", "mark trusted\n").must_be(200)


SPOILT = {
    f"chmod g+w {POLICY}": f"chmod g-w {POLICY}",
    f"chmod o+w {POLICY}": f"chmod o-w {POLICY}",
    f"chown alice {POLICY}": f"chown root {POLICY}",
    "chmod g+w /etc/udsadmin": "chmod g-w /etc/udsadmin",
    "chown alice /etc/udsadmin": "chown root /etc/udsadmin",
    "touch /etc/udsadmin/policy.d/a.toml; chmod o+w /etc/udsadmin/policy.d/a.toml": "rm /etc/udsadmin/policy.d/a.toml",
    f"mv {POLICY} /etc/udsadmin/real; ln -s real {POLICY}": f"mv /etc/udsadmin/real {POLICY}",
}


@scenario
def a_missing_policy_is_refused(rig):
    rig.cold()
    rig.root("rm", POLICY).well()
    for unit in PROGRAMS:
        fails_with_78(rig, unit)


@scenario
def the_shipped_policy_starts_and_permits_nobody(rig):
    rig.policy(rig.root("cat", f"{TOOLS}/shipped-policy.toml").well().out)
    for user in ("alice", "root", "wendy"):
        rig.ask(user, "ping\n").must_be(403, "denied")


# --- what systemd passes ---

WRONG_SOCKETS = {
    "an unknown name": ("[Socket]\nFileDescriptorName=other\n", "other"),
    "an abstract address": ("[Socket]\nListenStream=\nListenStream=@udsadmin\n", "abstract"),
    "another family": ("[Socket]\nListenStream=\nListenStream=127.0.0.1:7777\n", "Unix"),
    "another kind of socket": (f"[Socket]\nListenStream=\nListenDatagram={DOOR}\n", "wrong type"),
}


@scenario
def a_socket_that_is_not_as_it_should_be_is_a_clear_fatal_error(rig):
    for name, (text, about) in WRONG_SOCKETS.items():
        rig.systemctl("stop", "udsadmin.socket").well()
        rig.drop_in("udsadmin.socket", text)
        rig.systemctl("start", "udsadmin.service")
        holds(not rig.is_active("udsadmin.service"), f"the daemon does not start with {name}")
        equal(rig.show("udsadmin.service", "ExecMainStatus"), "78", f"the exit status with {name}")
        said = [entry["MESSAGE"] for entry in rig.journal(_SYSTEMD_UNIT="udsadmin.service")]
        equal(len(said), 1, f"lines about {name}: {said}")
        holds(about in said[0], f"{about} in {said[0]!r}")
        rig.since_now()


@scenario
def a_program_without_systemd_says_what_it_lacks(rig):
    for program in ("udsadmind", "udsadmin-broker"):
        done = rig.run(f"/usr/libexec/udsadmin/{program}")
        holds(done.code != 0, f"{program} fails")
        holds(done.err or rig.complaints(_COMM=program[:15]), f"{program} says why")


@scenario
def descriptors_meant_for_another_process_are_not_taken(rig):
    script = "exec 3</dev/null; export LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=line; exec /usr/libexec/udsadmin/udsadmind"
    done = rig.run("sh", "-c", script)
    holds(done.code != 0, "it fails")


@scenario
def the_socket_file_outlives_the_daemon_unchanged(rig):
    def inode():
        return rig.root("stat", "-c", "%i %U %a", DOOR).well().text

    before = inode()
    rig.ask("alice", "say hello\n").must_be(200)
    rig.kill("udsadmin.service", "KILL")
    rig.ask("alice", "say hello\n").must_be(200)
    rig.systemctl("restart", "udsadmin.service").well()
    rig.ask("alice", "say hello\n").must_be(200)
    equal(inode(), before, "inode, owner and mode")
