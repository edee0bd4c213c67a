"""Commands that systemd runs, under faults: the law of the protocol where somebody is killed in a run, and what is told of a run
whose output was lost."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

from machine import DOOR, PROGRAMS, equal, holds, until

from . import scenario
from .faults import FINAL, Law, cgroup, kill_at_calls
from .units import POLICY, ask, command, end_broker, nothing_left

STANDS = re.compile(r"^--- SIGSTOP \{.*\n--- stopped by SIGSTOP", re.MULTILINE)
PROGRAM = "/usr/libexec/udsadmin/udsadmin-broker"
WITNESS = ('["/bin/sh", "-c", "echo \\"$0\\" \\"$UDSADMIN_JOB\\" >>/run/marks/witness; echo heard", "{round}"]\n'
           'args = [{ name = "round", integer = { min = 1, max = 100000 } }]')
COMMANDS = {
    "witness": (WITNESS, ""),
    "pause": ('["/usr/bin/sleep", "86416"]', ""),
    "tide": ('["/bin/sh", "-c", "echo low; until [ -e /run/marks/go ]; do sleep 0.1; done; echo high; exit 7"]', ""),
    "silent": ('["/bin/sh", "-c", "until [ -e /run/marks/go ]; do sleep 0.1; done; exit 7"]', ""),
    "tied": ('["/usr/bin/sleep", "86417"]\non-disconnect = "term"', ""),
}

# Where the process of a unit stands when the broker is killed: behind the so-manieth of these calls. Then what is told where it goes
# on, and where it is killed as well; and whether it has then written that it ran. Before its last word to the broker nobody would hear
# that, so it ends itself. Only a broker that saw it become its program knows what its end means, but for the end with status 0.
STEPS = (
    ("execve", 1, (599, False), (599, False)),
    ("recvmsg", 1, (599, False), (599, False)),
    ("close_range", 1, (599, False), (599, False)),
    ("chdir", 1, (599, False), (599, False)),
    ("write", 1, (200, True), (599, False)),
    ("execve", 2, (200, True), (211, False)),
    ("write", 2, (200, True), (211, True)),
)


def with_commands(rig):
    rig.policy(POLICY + "".join(command(name, definition) for name, definition in COMMANDS.items()))


class UnitLaw(Law):
    """The same for runs that are units, whose end is on the record whatever became of the broker."""

    def ask(self):
        self.rounds += 1
        request = f"witness {self.rounds}\n"
        return self.heard(self.rig.run("socat", "-t", "60", "-", f"UNIX-CONNECT:{DOOR}", user="alice", given=request).out)

    def heard(self, said):
        finals = FINAL.findall(said)
        code = int(finals[0]) if finals else None
        if code == 200:
            holds(said.count(b"| heard\n") == 1 and b"output=cut" not in said, f"200: all output is told: {said!r}")
        return code

    def judge(self, code):
        super().judge(code)
        events = self.rig.journal(UDSADMIN_COMMAND="witness", UDSADMIN_ARG_ROUND=str(self.rounds))
        started = [event for event in events if event["UDSADMIN_EVENT"] == "started"]
        exits, ran = self.exits(), self.ran(str(self.rounds))
        what = f"round {self.rounds}: told {code}, ran {ran}, finished {exits}"
        # A broker that is killed behind the record of an end, before it has struck the run, leaves the next one without that end.
        known = exits[:-1] if len(exits) == 2 and exits[-1] == "unknown" else exits
        equal(len(known), len(started), f"each start has its end on the record: {what}")
        holds(exits != ["0"] or ran, f"an exit is its program's: {what}")
        if code in (210, 212, 213, 214):
            raise AssertionError(f"an end that this program can not have: {what}")
        if code == 211:
            equal(exits, ["signal:KILL"], what)

    def jobs(self):
        listed = self.rig.systemctl("list-units", "--all", "--plain", "--no-legend", "udsadmin-job-*").well().text
        return listed + self.rig.shell("ls /var/lib/udsadmin-broker/units").text


class Gate:
    """Stands in for the broker's program where a unit's process begins, and has that wait there to be followed."""

    def __init__(self, rig):
        self.rig = rig

    def __enter__(self):
        self.rig.ask("alice", "ping\n")
        until(lambda: self.rig.is_active(PROGRAMS[1]), "the broker runs")
        self.rig.root("mv", PROGRAM, PROGRAM + ".own").well()
        held = '[ "$1" = --become ] && kill -STOP $$'
        self.rig.put(PROGRAM, f"#!/bin/sh\n{held}\nexec {PROGRAM}.own \"$@\"\n", "0755")
        return self

    def open(self):
        """For the next broker, which starts under its own name."""
        self.rig.shell(f"ln -f {PROGRAM}.own {PROGRAM}").well()

    def __exit__(self, *_):
        self.rig.shell(f"rm {PROGRAM}; mv {PROGRAM}.own {PROGRAM}").well()

    def waiting(self):
        """The process of the one unit, as this machine numbers it, once it waits."""
        return until(lambda: next(filter(is_stopped, self.processes()), None), "the unit's process waits")

    def processes(self):
        files = cgroup(self.rig).glob("udsadmin-job-*.service/cgroup.procs")
        return [int(pid) for file in files for pid in text_of(file).split()]


def text_of(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def is_stopped(pid):
    return re.search(r"^State:\s+[Tt]", text_of(f"/proc/{pid}/status"), re.MULTILINE)


class Followed:
    """strace, which sends a process a signal at the so-manieth of some system calls."""

    def __init__(self, pid, calls, number, when):
        self.log = tempfile.NamedTemporaryFile(prefix="udsadmin-strace-")
        inject = f"inject={calls}:signal={number}:when={when}"
        command = ["strace", "-o", self.log.name, "-e", f"trace={calls}", "-e", inject, "-p", str(pid)]
        self.strace = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.pid = pid

    def __enter__(self):
        holds(b"attached" in self.strace.stderr.readline(), "strace is attached")
        os.kill(self.pid, signal.SIGCONT)
        return self

    def stands(self):
        """Waits until it does so by that signal, and not by the one with which it waited."""
        until(lambda: STANDS.search(text_of(self.log.name)), "it stands at that call")

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.stderr.close()
        self.strace.wait()
        self.log.close()


@scenario
def the_law_holds_for_units_though_the_broker_is_killed_in_a_run(rig):
    with_commands(rig)
    kill_at_calls(UnitLaw(rig), PROGRAMS[1], 13)


@scenario
def the_law_holds_for_units_though_the_daemon_is_killed_in_a_run(rig):
    with_commands(rig)
    kill_at_calls(UnitLaw(rig), PROGRAMS[0], 1)


@scenario
def the_law_holds_for_units_though_their_process_is_killed_at_any_step(rig):
    with_commands(rig)
    law, when, kills = UnitLaw(rig), 1, 0
    with Gate(rig) as gate:
        while killed_at(law, gate, when):
            kills, when = kills + 1, when + 5
    law.print("a unit's process", kills)
    holds(kills >= 10, f"kills of a unit's process: {kills}")


def killed_at(law, gate, when):
    """One run, whose process is killed at its so-manieth call. Whether it came to that."""
    law.rounds += 1
    with law.rig.session("alice") as session:
        session.say(f"witness {law.rounds}\n")
        with Followed(gate.waiting(), "all", "SIGKILL", when):
            code = law.heard(session.final().octets)
    law.told[str(code)] += 1
    law.judge(code)
    return code != 200


@scenario
def the_law_holds_for_units_though_the_broker_is_killed_while_their_process_takes_a_step(rig):
    with_commands(rig)
    law = UnitLaw(rig)
    for calls, when, *wanted in STEPS:
        for dies in (False, True):
            with Gate(rig) as gate:
                code = left_alone_at(law, gate, (calls, when), dies)
            told = (code, bool(law.ran(str(law.rounds))))
            equal(told, wanted[dies], f"what is told and what ran, at {calls} {when}, dies: {dies}")
    law.print("the broker, and of a unit's process after it in half of them", 2 * len(STEPS))


def left_alone_at(law, gate, step, dies):
    """One run, whose process stands at a step while the broker is killed; then it goes on, or is killed."""
    law.rounds += 1
    with law.rig.session("alice") as session:
        session.say(f"witness {law.rounds}\n")
        pid = gate.waiting()
        with Followed(pid, step[0], "SIGSTOP", step[1]) as followed:
            followed.stands()
            gate.open()
            before = law.rig.pid(PROGRAMS[1])
            law.rig.kill(PROGRAMS[1], "KILL")
            until(lambda: law.rig.pid(PROGRAMS[1]) not in (0, before) and law.rig.is_active(PROGRAMS[1]), "the next broker")
            os.kill(pid, signal.SIGKILL if dies else signal.SIGCONT)
            code = law.heard(session.final().octets)
    law.told[str(code)] += 1
    law.judge(code)
    return code


def stop_and_start(rig, units):
    """Which has systemd let go of what it holds, other than a restart."""
    rig.systemctl("stop", *units).well()
    rig.systemctl("start", *units).well()


@scenario
def a_client_is_told_the_end_of_its_unit_though_the_broker_was_stopped_and_started(rig):
    with_commands(rig)
    with rig.session("alice") as session:
        session.say("tide\n")
        session.hear(lambda heard: b"low" in heard, "its first line")
        stop_and_start(rig, PROGRAMS[1:])
        rig.root("touch", "/run/marks/go").well()
        reply = session.final()
    # That this was all, nobody can know: what the unit left behind might have gone on writing.
    reply.must_be(210, "exit", code="7", output="cut")
    equal(reply.stdout, b"low\nhigh\n", "all that it wrote while the daemon read it")
    event = rig.events("finished")[-1]
    equal((event["UDSADMIN_EXIT"], event["UDSADMIN_OUTPUT"]), ("7", "cut"), "the record")
    nothing_left(rig)


@scenario
def the_output_of_a_unit_that_nobody_held_counts_as_cut(rig):
    with_commands(rig)
    ended = {"tide": ("signal:PIPE", 211), "silent": ("7", 210)}
    for name, (end, code) in ended.items():
        rig.root("rm", "-f", "/run/marks/go").well()
        job = ask(rig, f"{name} detach=yes id={name}\n").finals[0].fields["job"]
        stop_and_start(rig, PROGRAMS)
        rig.root("touch", "/run/marks/go").well()
        (row,) = until(lambda job=job: [row for row in ask(rig, f"job {job}\n").rows if row["state"] == "ended"], "it has ended")
        equal((row["exit"], row["output"]), (end, "cut"), "what is told of it")
        again = ask(rig, f"{name} id={name}\n")
        again.must_be(code, None, job=job, output="cut")
        event = rig.events("finished")[-1]
        equal((event["UDSADMIN_EXIT"], event["UDSADMIN_OUTPUT"]), (end, "cut"), "the record")
        nothing_left(rig)
        rig.since_now()


@scenario
def no_output_of_a_unit_is_lost_that_systemd_holds_though_nobody_reads_it_before_its_end(rig):
    with_commands(rig)
    ways = {"restart": lambda: end_broker(rig, "restart"), "kill": lambda: end_broker(rig, "kill")}
    # Older ones know of no such thing, and say so at each look at the file: it is an administrator's to write.
    if int(rig.root("systemctl", "--version").text.split()[1]) >= 254:
        rig.drop_in(PROGRAMS[1], "[Service]\nFileDescriptorStorePreserve=yes\n")
        ways["stop and start"] = lambda: stop_and_start(rig, PROGRAMS)
    for how, ends in ways.items():
        rig.root("rm", "-f", "/run/marks/go").well()
        job = ask(rig, "tide detach=yes\n").finals[0].fields["job"]
        ends()
        rig.root("touch", "/run/marks/go").well()
        reply = ask(rig, f"job {job} follow\n")
        told = (reply.stdout, reply.rows[-1]["exit"], reply.rows[-1].get("output"))
        equal(told, (b"low\nhigh\n", "7", None), f"all that it wrote, after {how}")
        nothing_left(rig)
        equal(rig.show(PROGRAMS[1], "NFileDescriptorStore"), "0", "descriptors that systemd still holds")


@scenario
def a_unit_that_ends_with_its_client_ends_though_broker_and_daemon_were_killed_at_once(rig):
    with_commands(rig)
    for how in ("kill", "stop"):
        with rig.session("alice") as session:
            session.say("tied\n")
            until(lambda: rig.processes("sleep 86417"), "the program runs")
            # The broker is not to see the daemon go.
            rig.kill(PROGRAMS[1], "STOP")
            for unit in PROGRAMS:
                rig.kill(unit, "KILL")
            equal(session.rest().finals, [], "what the client is told")
            if how == "stop":
                rig.systemctl("stop", PROGRAMS[1]).well()
            rig.systemctl("start", PROGRAMS[1]).well()
        until(lambda: not rig.processes("sleep 86417"), "it is gone")
        equal(rig.events("finished")[-1]["UDSADMIN_EXIT"], "cancelled", "its end")
        nothing_left(rig)
        rig.since_now()


@scenario
def a_unit_that_ran_out_of_memory_has_that_on_the_record(rig):
    """What systemd-oomd leaves at a cgroup stands in for the kernel's own count, which needs a memory controller."""
    with_commands(rig)
    for adopted in (False, True):
        with rig.session("alice") as session:
            session.say("pause\n")
            until(lambda: rig.processes("sleep 86416"), "the program runs")
            if adopted:
                end_broker(rig, "restart")
            (unit,) = cgroup(rig).glob("udsadmin-job-*.service")
            os.setxattr(unit, "user.oomd_ooms", b"1")
            rig.root("pkill", "-KILL", "-f", "sleep 86416").well()
            session.final().must_be(211, "signal", name="KILL")
        equal(rig.events("finished")[-1].get("UDSADMIN_OOM"), "yes", f"the record, by a later broker: {adopted}")
        nothing_left(rig)
        rig.since_now()
