"""What a job may take, and that nothing of it is left: limits that hold or let nothing run, and children that mean harm."""

import json

from machine import PROGRAMS, TOOLS, equal, holds, until

from . import scenario

BROKER = "udsadmin-broker.service"

# Processes of a fork bomb: as many as a user may have in the rig, and the host can bear.
BOMB = 10_000

# KiB that each program holds at most, whatever a job writes.
MEMORY = 24 << 10


def policy(*commands, limits="required"):
    """A policy of commands, each a name and the lines of its table."""
    text = [f'cgroup-limits = "{limits}"\n[allow]\ngroups = ["webops"]\n']
    for name, lines in commands:
        text.append(f'[commands.{name}]\n{lines}\n[[commands.{name}.allow]]\ngroups = ["webops"]\n')
    return "".join(text)


def script(text):
    return f'exec = ["/bin/sh", "-c", {json.dumps(text)}]'


def unit_cgroup(rig):
    """Where the broker's unit has its cgroup."""
    return "/sys/fs/cgroup" + rig.show(BROKER, "ControlGroup")


def jobs(rig):
    """The cgroups of jobs, with the number of processes in each."""
    lines = rig.shell(f'cd {unit_cgroup(rig)} && for job in job-*; do [ -d "$job" ] && wc -l <"$job/cgroup.procs"; done')
    return [int(line) for line in lines.text.split()]


def no_trace(rig):
    equal(jobs(rig), [], "cgroups of jobs")


@scenario
def the_broker_stands_in_a_leaf_of_its_own_and_systemd_does_not_mind(rig):
    rig.drop_in(BROKER, "[Service]\nWatchdogSec=2s\n")
    rig.ask("alice", "say hello\n").must_be(200)
    pid = rig.pid(BROKER)
    holds(rig.root("cat", f"/proc/{pid}/cgroup").text.endswith(f"/{BROKER}/broker"), "the leaf")
    equal(rig.shell(f"cat {unit_cgroup(rig)}/cgroup.procs").well().text, "", "processes beside the leaf")
    holds(str(pid) in rig.systemctl("status", BROKER).well().text, "the status names it")
    first = rig.show(BROKER, "WatchdogTimestampMonotonic")
    until(lambda: rig.show(BROKER, "WatchdogTimestampMonotonic") != first, "the watchdog hears of it")
    rig.systemctl("reload", BROKER).well()
    for _ in range(3):
        rig.systemctl("restart", BROKER).well()
        rig.ask("alice", "say again\n").must_be(200)
    equal(rig.complaints(_SYSTEMD_UNIT=BROKER), [], "complaints")


@scenario
def no_cgroup_is_left_of_a_unit_that_was_stopped_or_killed(rig):
    rig.ask("alice", "say hello\n").must_be(200)
    place = unit_cgroup(rig)
    for end in (lambda: rig.systemctl("stop", BROKER).well(), lambda: rig.kill(BROKER, "KILL")):
        with rig.session("alice") as session:
            session.say("mute\n")
            rig.events("started")
            end()
        until(lambda: not rig.exists(place), f"{place} is gone")
        rig.systemctl("reset-failed", BROKER)
        rig.systemctl("start", "udsadmin-broker.socket").well()
        rig.ask("alice", "say again\n").must_be(200)
        rig.since_now()


BOUNDED = """run-as = "carol"
tasks-max = 64
memory-max = "64MiB"
cpu-max = "150%"
kill-after = "0s\""""


def controllers(rig):
    return rig.shell(f"cat {unit_cgroup(rig)}/cgroup.subtree_control").well().text.split()


@scenario
def limits_that_can_not_be_set_let_nothing_run_and_those_that_can_are_in_force(rig):
    show = script("cd /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); cat memory.max pids.max cpu.max")
    rig.policy(policy(("show", f"{show}\n{BOUNDED}")))
    reply = rig.ask("alice", "show\n")
    limits = {"memory": "memory-max", "pids": "tasks-max", "cpu": "cpu-max"}
    lacking = [limit for name, limit in limits.items() if name not in controllers(rig)]
    if not lacking:
        equal(reply.stdout.decode().split(), ["67108864", "64", "150000", "100000"], "what is written")
        return
    final = reply.must_be(502, "exec-failed")
    holds(all(f"{limit} can't be set: no " in final.text for limit in lacking), final.text)
    finished = rig.events("finished")[0]
    equal((finished["UDSADMIN_EXIT"], finished["UDSADMIN_JOB"]), ("exec-failed:95", final.fields["job"]), "the record")
    warned = [event for event in rig.events("policy-loaded") if event["_SYSTEMD_UNIT"] == BROKER]
    holds("this command can't be run" in warned[0]["UDSADMIN_WARNING"], f"a warning: {warned[0]}")
    no_trace(rig)


def ends(rig, session, word):
    """A bomb in full swing ends by that word, and leaves nothing."""
    until(lambda: max(jobs(rig), default=0) >= (48 if "pids" in controllers(rig) else BOMB // 2), "the bomb has gone off", 90)
    session.say(word)


@scenario
def a_fork_bomb_of_ten_thousand_ends_by_one_word(rig):
    bomb = f'exec = ["{TOOLS}/bomb", "{BOMB}"]\n{BOUNDED}'
    rig.policy(policy(("bomb", bomb), ("say", 'exec = ["/usr/bin/echo", "well"]'), limits="best-effort"))
    with rig.session("alice") as session:
        session.say("bomb\n")
        ends(rig, session, "cancel\n")
        session.final().must_be(213, "cancelled")
    no_trace(rig)
    equal(rig.root("pgrep", "-c", "-f", "POSIX::setsid").text, "0", "processes of the bomb")
    lacking = {"pids": "tasks-max", "memory": "memory-max", "cpu": "cpu-max"}
    expected = {limit for name, limit in lacking.items() if name not in controllers(rig)}
    told = rig.events("started")[0].get("UDSADMIN_UNBOUNDED", [])
    equal({told} if isinstance(told, str) else set(told), expected, "limits not in force")
    rig.ask("bob", "say\n").must_be(200)


@scenario
def a_fork_bomb_ends_by_its_time_limit(rig):
    bomb = f'exec = ["{TOOLS}/bomb", "1000"]\ntimeout = "2s"\n{BOUNDED}'
    rig.policy(policy(("bomb", bomb), limits="best-effort"))
    rig.ask("alice", "bomb\n").must_be(212, "timeout")
    no_trace(rig)
    equal(rig.root("pgrep", "-c", "-f", "POSIX::setsid").text, "0", "processes of the bomb")


@scenario
def a_daemon_that_closed_its_output_ends_with_its_job_and_cuts_nothing(rig):
    hidden = "(setsid sh -c 'sleep 86421 & exec sleep 86421' </dev/null >/dev/null 2>&1 &); echo done"
    rig.policy(policy(("hide", script(hidden))))
    reply = rig.ask("alice", "hide\n")
    final = reply.must_be(200, "exit", code="0")
    equal((reply.stdout, final.fields.get("output")), (b"done\n", None), "output and whether it was cut")
    equal(rig.processes("sleep 86421"), "", "the daemon")
    no_trace(rig)


@scenario
def cgroups_that_a_job_makes_below_its_own_are_gone_with_it(rig):
    nest = (
        'cd "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)" && mkdir -p a/b c || exit 9; '
        "(echo 0 >a/b/cgroup.procs; exec sleep 86422) >/dev/null 2>&1 & "
        'until found=$(cat a/b/cgroup.procs) && [ -n "$found" ]; do sleep 0.1; done; echo "$found"'
    )
    rig.policy(policy(("nest", script(nest))))
    reply = rig.ask("alice", "nest\n")
    reply.must_be(200, "exit", code="0")
    holds(reply.stdout.strip().isdigit(), f"a process in a cgroup below: {reply.stdout!r}")
    equal(rig.processes("sleep 86422"), "", "its process")
    no_trace(rig)


@scenario
def what_ignores_the_signal_to_end_has_the_time_that_the_policy_gives_it(rig):
    deaf = script('trap "" TERM; while :; do sleep 86423; done')
    rig.policy(policy(("deaf", f'{deaf}\ntimeout = "1s"\nkill-after = "6s"')))
    final = rig.ask("alice", "deaf\n", patience=30).must_be(212, "timeout")
    holds(int(final.fields["ms"]) >= 7000, f"one second and six: {final.fields['ms']} ms")
    equal(rig.processes("sleep 86423"), "", "its processes")


@scenario
def what_closes_its_output_and_works_on_is_waited_for(rig):
    rig.policy(policy(("close", script("echo said; exec >&- 2>&-; sleep 2; touch /run/marks/worked-on; exit 4"))))
    reply = rig.ask("alice", "close\n")
    reply.must_be(210, "exit", code="4")
    equal(reply.stdout, b"said\n", "stdout")
    holds(rig.marked("worked-on"), "it had worked on when the final line came")


@scenario
def a_grandchild_that_is_soon_done_is_heard_to_its_end(rig):
    rig.policy(policy(("soon", script("(sleep 0.3; echo late; echo later >&2) & echo early; exit 3"))))
    reply = rig.ask("alice", "soon\n")
    final = reply.must_be(210, "exit", code="3")
    equal((reply.stdout, reply.stderr), (b"early\nlate\n", b"later\n"), "the output")
    equal(final.fields.get("output"), None, "cut")


@scenario
def a_grandchild_that_writes_on_is_cut_and_the_final_says_so(rig):
    rig.policy(policy(("on", script("(while :; do echo more; sleep 0.1; done) & exit 0"))))
    reply = rig.ask("alice", "on\n")
    reply.must_be(200, "exit", code="0", output="cut")
    holds(set(reply.stdout.split()) == {b"more"} and reply.order[-1] == 200, f"whole lines, the final last: {reply.octets!r}")
    equal(rig.events("finished")[0]["UDSADMIN_OUTPUT"], "cut", "the record")
    no_trace(rig)


def peaks(rig):
    found = []
    for unit in PROGRAMS:
        status = rig.root("cat", f"/proc/{rig.pid(unit)}/status").well().text
        found.append(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
    return found


@scenario
def ten_gib_for_a_reader_of_one_kib_a_second_stay_out_of_memory(rig):
    flood = 'exec = ["/usr/bin/head", "-c", "10G", "/dev/zero"]'
    rig.policy(policy(("flood", flood), ("flood-while", f'{flood}\non-disconnect = "term"')))
    for request, exit in (("flood-while", "cancelled"), ("flood", "0")):
        read = rig.run(f"{TOOLS}/flood", request, "4", user="alice").well()
        holds(max(map(int, read.text.split())) < MEMORY, f"memory of both while it is read: {read.text} KiB")
        # Without its client it writes to the broker, which keeps the end of it, or it ends.
        finished = until(lambda: [it for it in rig.journal(UDSADMIN_EVENT="finished") if it["UDSADMIN_COMMAND"] == request], "it ended", 60)
        equal(finished[0]["UDSADMIN_EXIT"], exit, request)
        holds(max(peaks(rig)) < MEMORY, f"memory of both after it: {peaks(rig)} KiB")
    no_trace(rig)
