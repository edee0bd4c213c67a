"""The law of the protocol under faults, with systemd's own restarts, cgroups and journal: somebody is killed at some system
call of a run, by strace(1) from outside. Every call is tried in tests/suite/faults.rs; these are samples on the real thing."""

import collections
import pathlib
import re
import subprocess

from machine import DOOR, PROGRAMS, equal, holds, until

from . import scenario

FINAL = re.compile(rb"^([0-9]{3}) .*\n", re.MULTILINE)
JOB_CALLS = ("close_range", "setsid", "keyctl", "umask", "chdir", "execve")


def cgroup(rig):
    """Where this machine has the rig's units."""
    mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
    unified = next(line.split()[1] for line in mounts if line.split()[2] == "cgroup2")
    return pathlib.Path(f"{unified}/udsadmin-rig-{rig.name}/payload/system.slice")


def host_pids(rig, unit):
    """The processes of a unit itself, as this machine numbers them: the broker's is in a leaf, apart from those of jobs."""
    own = cgroup(rig) / unit
    files = [own / "cgroup.procs", own / "broker/cgroup.procs"]
    return [pid for file in files if file.exists() for pid in file.read_text().split()]


class Killer:
    """strace, which kills whoever makes a certain system call for the so-manieth time: the first thread of a unit's process,
    or, for calls that only a job makes, that."""

    def __init__(self, rig, unit, calls, when):
        (victim,) = until(lambda: host_pids(rig, unit), f"{unit} runs")
        inject = f"inject={calls}:signal=SIGKILL:when={when}"
        followed = [] if calls == "all" else ["-f"]
        command = ["strace", *followed, "-o", "/dev/null", "-e", "trace=" + calls, "-e", inject, "-p", victim]
        self.strace = subprocess.Popen(command, stderr=subprocess.PIPE)

    def __enter__(self):
        holds(b"attached" in self.strace.stderr.readline(), "strace is attached")
        return self

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.stderr.close()
        self.strace.wait()


class Law:
    """What is known of each round, held against the law."""

    def __init__(self, rig):
        self.rig, self.rounds, self.told = rig, 0, collections.Counter()

    def ask(self):
        """One request; the code that was told, if any was."""
        self.rounds += 1
        request = f"witness {self.rounds}\n"
        said = self.rig.run("socat", "-t", "60", "-", f"UNIX-CONNECT:{DOOR}", user="alice", given=request).out
        finals = FINAL.findall(said)
        return int(finals[0]) if finals else None

    def serves(self):
        equal(self.ask(), 200, "an undisturbed request")

    def kill(self, unit, calls, when):
        """One request under a fault, and one after it. Whether anybody was killed."""
        before = self.rig.pid(unit)
        with Killer(self.rig, unit, calls, when):
            code = self.ask()
        self.told[str(code)] += 1
        self.judge(code)
        self.serves()
        return self.rig.pid(unit) != before

    def judge(self, code):
        number = str(self.rounds)
        until(lambda: not self.jobs(), "nothing is left that could run")
        events = self.rig.journal(UDSADMIN_COMMAND="witness", UDSADMIN_ARG_ROUND=number)
        started = [event["UDSADMIN_JOB"] for event in events if event["UDSADMIN_EVENT"] == "started"]
        exits = self.exits()
        ran = self.ran(number)
        what = f"round {number}: told {code}, ran {ran}, started {started}, finished {exits}"
        holds(len(ran) <= 1, f"one request, one run: {what}")
        holds(set(ran) <= set(started), f"no run without its record: {what}")
        if code == 200:
            holds(ran and exits == ["0"], f"200: it ran to its end: {what}")
        elif code is not None and 300 <= code < 599:
            holds(not ran and all(end.startswith("exec-failed:") for end in exits), f"nothing was started: {what}")

    def exits(self):
        """The ends on the record. That of a run under another broker has its request, but no arguments."""
        ends = self.rig.journal(UDSADMIN_EVENT="finished", UDSADMIN_REQUEST=f"witness {self.rounds}")
        return [event["UDSADMIN_EXIT"] for event in ends]

    def ran(self, number):
        lines = self.rig.root("cat", "/run/marks/witness").text.splitlines()
        return [line.split()[1] for line in lines if line.split()[0] == number]

    def jobs(self):
        return self.rig.shell("ls -d /sys/fs/cgroup/system.slice/udsadmin-broker.service/job-* 2>/dev/null").text

    def print(self, what, kills):
        told = ", ".join(f"{code} {times} times" for code, times in sorted(self.told.items()))
        print(f"    {self.rig.suite}: {kills} kills of {what}; told: {told}; the law held", flush=True)


def kill_at_calls(law, unit, stride):
    """At every so-manieth call that one of its threads makes, until a request goes through."""
    when, kills = 1, 0
    law.serves()
    while law.kill(unit, "all", when):
        kills, when = kills + 1, when + stride
    law.print(unit, kills)
    holds(kills >= 5, f"kills of {unit}: {kills}")


@scenario
def the_law_holds_though_the_broker_is_killed_in_a_run(rig):
    kill_at_calls(Law(rig), PROGRAMS[1], 1)


@scenario
def the_law_holds_though_the_daemon_is_killed_in_a_run(rig):
    kill_at_calls(Law(rig), PROGRAMS[0], 1)


@scenario
def the_law_holds_though_the_job_is_killed_before_it_is_its_program(rig):
    law = Law(rig)
    law.serves()
    for call in JOB_CALLS:
        holds(not law.kill(PROGRAMS[1], call, 1), f"the job alone is killed at {call}")
    equal(set(law.told), {"502"}, "codes")
    law.print("jobs before their programs", len(JOB_CALLS))
