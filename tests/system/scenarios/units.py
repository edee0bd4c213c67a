"""Commands that systemd runs: as transient units, which outlive the broker."""

import json
import re

from machine import equal, holds, until

from . import scenario
from .runs import environment

POLICY = """
[allow]
groups = ["webops"]
"""

# Each a program, and properties of its unit.
COMMANDS = {
    "both": ('["/bin/sh", "-c", "echo to stdout; echo to stderr >&2"]', ""),
    "exit": ('["/bin/sh", "-c", "exit {code}"]\nargs = [{ name = "code", integer = { max = 255 } }]', ""),
    "die": ('["/bin/sh", "-c", "kill -{signal} $$"]\nargs = [{ name = "signal", one-of = ["TERM", "KILL"] }]', ""),
    "cat": ('["/usr/bin/cat"]\nstdin = "bytes"', ""),
    "odd": ('["/usr/bin/printf", "<%s>", "$HOME", "${{HOME}}", "%h", "$$", "a b", "\\"", "{text}"]\n'
            'args = [{ name = "text", text = { max-length = 40 } }]', ""),
    "environment": ('["/usr/bin/env", "-0"]', ""),
    "environment-direct": ('["/usr/bin/env", "-0"]\nrunner = "direct"', None),
    "shape": ('["/usr/libexec/udsadmin-tests/shape"]', ""),
    "shape-direct": ('["/usr/libexec/udsadmin-tests/shape"]\nrunner = "direct"', None),
    "shape-as-wendy": ('["/usr/libexec/udsadmin-tests/shape"]\nrun-as = "wendy"', ""),
    "secret": ('["/usr/bin/cat", "{key}", "{file}"]\nargs = [{ name = "key", secret = { max-length = 40 } },\n'
               ' { name = "file", path = { under = ["/etc"], pass = "fd" } }]', ""),
    "stubborn": ('["/usr/libexec/udsadmin-tests/stubborn"]\ntimeout = "2s"', ""),
    "pause": ('["/usr/bin/sleep", "86414"]', ""),
    "leave": ('["/bin/sh", "-c", "setsid sleep 86415 >/dev/null 2>&1 </dev/null & exit {code}"]\n'
              'args = [{ name = "code", integer = { max = 255 } }]', ""),
    "quiet": ('["/bin/sh", "-c", "sleep 3; touch /run/marks/quiet; exit 7"]', ""),
    "slow": ('["/bin/sh", "-c", "echo before; sleep 3; echo after; exit 7"]', ""),
    "tide": ('["/bin/sh", "-c", "echo low; until [ -e /run/marks/go ]; do sleep 0.1; done; yes xxxxxxxxx | head -n 30000; '
             'echo high; exit 7"]\nkeep = { output = "1MiB" }', ""),
    "one": ('["/usr/bin/sleep", "86414"]\nmax-running = 1', ""),
    "tied": ('["/usr/bin/sleep", "86414"]\non-disconnect = "term"', ""),
    "reluctant": ('["/bin/sh", "-c", "trap : TERM; touch /run/marks/reluctant; while :; do sleep 0.1; done"]\n'
                  'kill-after = "5s"', ""),
    "vanishing": ('["/usr/libexec/udsadmin-tests/vanishing"]', ""),
    "left": ('["/bin/sh", "-c", "sleep 86422 & exit 0"]', ""),
    "deaf": ('["/usr/libexec/udsadmin-tests/stubborn"]\nkill-after = "1s"\ntimeout = "10m"', ""),
    "mark": ('["/usr/bin/touch", "/run/marks/began"]', ""),
    "alone": ('["/usr/bin/sleep", "86420"]\nmax-running = 1', ""),
    "bound": ('["/usr/bin/sleep", "86421"]\non-disconnect = "term"', ""),
    "no-such-place": ('["/usr/bin/touch", "/run/marks/no-such-place"]', 'ReadWritePaths = ["/nonexistent"]'),
    "no-such-slice": ('["/usr/bin/touch", "/run/marks/no-such-slice"]', 'Slice = "a--b.slice"'),
    "sandboxed": ('["/usr/bin/touch", "{path}"]\nargs = [{ name = "path", one-of = ["/etc/x", "/var/lib/x"] }]',
                  'ProtectSystem = "strict", ReadWritePaths = ["/var/lib"]'),
    "filtered": ('["/usr/bin/true"]\nrun-as = "wendy"', 'SystemCallFilter = ["@system-service"], NoExecPaths = ["/"], '
                 'ExecPaths = ["/usr/bin", "/usr/lib", "/usr/lib64"]'),
}

# One value for each property that a policy may set.
PROPERTIES = {
    "BindPaths": '["/run/marks:/mnt"]', "BindReadOnlyPaths": '["-/nonexistent:/mnt", "/run/marks:/srv:norbind"]',
    "CacheDirectory": '["x"]', "ConfigurationDirectory": '["x"]', "ExecPaths": '["/usr"]', "InaccessiblePaths": '["/srv"]',
    "KeyringMode": '"private"', "LockPersonality": "true", "LogsDirectory": '["x"]', "MemoryDenyWriteExecute": "true",
    "MountAPIVFS": "true", "NoExecPaths": '["/srv"]', "OOMScoreAdjust": "500", "PrivateDevices": "true", "PrivateIPC": "true",
    "PrivateMounts": "true", "PrivateNetwork": "true", "PrivateTmp": "true", "ProcSubset": '"all"',
    "ProtectClock": "true", "ProtectControlGroups": "true", "ProtectHome": '"read-only"', "ProtectHostname": "true",
    "ProtectKernelLogs": "true", "ProtectKernelModules": "true", "ProtectKernelTunables": "true",
    "ProtectProc": '"invisible"', "ProtectSystem": '"strict"', "ReadOnlyPaths": '["/srv"]', "ReadWritePaths": '["-/x", "/var"]',
    "RemoveIPC": "true", "RestrictAddressFamilies": '["AF_UNIX"]', "RestrictFileSystems": '["~tmpfs"]',
    "RestrictNamespaces": '["~user"]', "RestrictRealtime": "true", "RestrictSUIDSGID": "true", "RuntimeDirectory": '["x"]',
    "StateDirectory": '["tried/y"]', "SystemCallArchitectures": '["native"]', "SystemCallFilter": '["~@mount", "swapon"]',
    "TemporaryFileSystem": '["/srv:ro"]', "CPUAccounting": "true", "CPUQuota": '"150%"', "CPUWeight": "50",
    "DeviceAllow": '["/dev/null rw"]', "DevicePolicy": '"closed"', "IOAccounting": "true", "IOWeight": "50",
    "IPAccounting": "true", "IPAddressAllow": '["localhost", "10.0.0.0/8", "fe80::/10"]', "IPAddressDeny": '["any"]',
    "MemoryAccounting": "true", "MemoryHigh": '"1G"', "MemoryLow": '"1M"', "MemoryMax": '"512M"', "MemoryMin": "4096",
    "MemorySwapMax": '"infinity"', "Slice": '"jobs.slice"', "TasksAccounting": "true", "TasksMax": "100",
    "OOMPolicy": '"kill"',
}


def command(name, definition):
    text, properties = definition
    unit = "" if properties is None else f'runner = "unit"\nunit = {{ {properties} }}\n'
    return f'[commands.{name}]\nexec = {text}\n{unit}[[commands.{name}.allow]]\ngroups = ["webops"]\n'


def with_units(rig):
    rig.policy(POLICY + "".join(command(name, definition) for name, definition in COMMANDS.items()))


def ask(rig, text):
    """As alice, who waits: systemd takes longer to start a unit than the broker to start a child."""
    return rig.ask("alice", text, patience=20)


def units(rig):
    """Our units, loaded for whatever reason, and their files."""
    listed = rig.systemctl("list-units", "--all", "--plain", "--no-legend", "udsadmin-job-*").well().text
    return listed + rig.shell("ls /run/systemd/transient | grep udsadmin-job || true").well().text


def nothing_left(rig):
    """A run that has been answered has left nothing; the facts of it go with the record of its end."""
    equal(units(rig), "", "units")
    until(lambda: not rig.shell("ls /var/lib/udsadmin-broker/units").text, "no fact is left")


@scenario
def a_unit_has_the_output_the_input_and_the_end_of_its_program(rig):
    with_units(rig)
    reply = ask(rig, "both\n")
    reply.must_be(200, "exit", code="0")
    equal((reply.stdout, reply.stderr), (b"to stdout\n", b"to stderr\n"), "streams")
    equal(ask(rig, b"cat <5\nhello").stdout, b"hello", "its input")
    ask(rig, "die TERM\n").must_be(211, "signal", name="TERM")
    ask(rig, "die KILL\n").must_be(211, "signal", name="KILL")
    for code in (1, 64, 126, 255):
        ask(rig, f"exit {code}\n").must_be(210, "exit", code=str(code))
    nothing_left(rig)


@scenario
def a_program_that_ends_like_systemd_when_it_fails_to_start_one_has_run(rig):
    with_units(rig)
    for code in (200, 203, 217, 226):
        for _ in range(4):
            ask(rig, f"leave {code}\n").must_be(210, "exit", code=str(code))
    until(lambda: not rig.processes("sleep 86415"), "what they left behind is gone")
    nothing_left(rig)


@scenario
def no_argument_of_a_unit_is_changed_on_its_way(rig):
    with_units(rig)
    reply = ask(rig, "odd '$UDSADMIN_UID %n'\n")
    equal(reply.stdout, b'<$HOME><${HOME}><%h><$$><a b><"><$UDSADMIN_UID %n>', "arguments")


@scenario
def a_unit_has_the_environment_of_any_run_and_its_invocation(rig):
    with_units(rig)
    rig.systemctl("set-environment", "FOREIGN=1").well()
    found, direct = (environment(ask(rig, f"{name}\n")) for name in ("environment", "environment-direct"))
    rig.systemctl("unset-environment", "FOREIGN").well()
    holds(re.fullmatch("[0-9a-f]{32}", found.pop("INVOCATION_ID")), "an invocation")
    for one in (found, direct):
        holds(one.pop("UDSADMIN_JOB") and one.pop("UDSADMIN_COMMAND"), "a job and a command")
    equal(found, direct, "the environment")


@scenario
def a_unit_finds_itself_in_the_same_place_as_any_run(rig):
    with_units(rig)
    found, direct = (json.loads(ask(rig, f"{name}\n").stdout) for name in ("shape", "shape-direct"))
    holds("udsadmin-job-" in found.pop("cgroup") and "udsadmin-broker" in direct.pop("cgroup"), "the unit's own cgroup")
    for one in (found, direct):
        descriptors = one.pop("descriptors")
        equal((sorted(descriptors), descriptors["0"]), (["0", "1", "2"], "/dev/null"), "descriptors")
    equal(found, direct, "ids, groups, session, umask, directory, signals and limits")
    wendy = json.loads(ask(rig, "shape-as-wendy\n").stdout)
    uid, gid = (int(rig.run("id", flag, user="wendy").text) for flag in ("-u", "-g"))
    groups = sorted(int(group) for group in rig.run("id", "-G", user="wendy").text.split())
    equal((wendy["ids"], wendy["groups"]), ([uid] * 3 + [gid] * 3, groups), "ids and groups")
    equal(wendy["no new privileges"], "1", "no_new_privs")


@scenario
def a_unit_is_handed_secrets_and_files_like_any_run(rig):
    with_units(rig)
    reply = ask(rig, "secret key=hunter2 file=/etc/hostname\n")
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, b"hunter2rig\n", "what it read from its descriptors")
    holds("hunter2" not in rig.root("journalctl", "-o", "export", f"--after-cursor={rig.cursor}").text, "a secret")


@scenario
def a_unit_that_can_not_start_was_not_started_and_says_why(rig):
    with_units(rig)
    ask(rig, "vanishing\n").must_be(200)
    program = "/usr/libexec/udsadmin-tests/vanishing"
    rig.shell(f"cp {program} {program}.away; printf '#!/nonexistent\\n' >{program}; rm /run/marks/vanishing").well()
    try:
        ask(rig, "vanishing\n").must_be(502, "exec-failed", errno="2")
        ask(rig, "no-such-place\n").must_be(502, "exec-failed", errno="1")
        ask(rig, "no-such-slice\n").must_be(502, "exec-failed")
    finally:
        rig.root("mv", f"{program}.away", program).well()
    for name in ("vanishing", "no-such-place", "no-such-slice"):
        rig.no_mark(name)
    reasons = [event.get("UDSADMIN_REASON", "") for event in rig.events("finished", 4)]
    holds(any("226/NAMESPACE" in reason for reason in reasons), f"the step in {reasons}")
    nothing_left(rig)


@scenario
def a_unit_without_systemd_is_not_started(rig):
    with_units(rig)
    rig.drop_in("udsadmin-broker.service", "[Service]\nInaccessiblePaths=/run/systemd/private /run/dbus\n")
    reply = ask(rig, "both\nenvironment-direct\n")
    reply.finals[0].must_be(502, "exec-failed")
    reply.finals[1].must_be(200, "exit", code="0")
    reason = rig.events("finished", 2)[0]["UDSADMIN_REASON"]
    holds("systemd can't be reached" in reason, f"the reason: {reason}")


@scenario
def the_record_names_the_invocation_that_the_journal_knows(rig):
    with_units(rig)
    told = environment(ask(rig, "environment\n"))
    event = rig.events("finished")[-1]
    equal(event["UDSADMIN_INVOCATION"], told["INVOCATION_ID"], "the invocation")
    unit = f"udsadmin-job-{event['UDSADMIN_JOB']}.service"
    known = [entry for entry in rig.journal(UNIT=unit) if entry.get("INVOCATION_ID") == told["INVOCATION_ID"]]
    holds(known, f"systemd's own entries about {unit} have it, too")


@scenario
def a_time_limit_and_a_cancel_end_the_whole_unit(rig):
    with_units(rig)
    ask(rig, "stubborn\n").must_be(212, "timeout")
    holds(rig.marked("stubborn"), "the child in a session of its own was there")
    until(lambda: not rig.processes("86412|udsadmin-tests/stubborn"), "no process of it is left")
    with rig.session("alice") as session:
        session.say("pause\n")
        until(lambda: rig.processes("sleep 86414"), "the program runs")
        session.say("cancel\n")
        reply = session.final()
        reply = reply if reply.finals[0].code == 213 else session.final()
        reply.must_be(213, "cancelled")
    nothing_left(rig)


@scenario
def a_unit_that_somebody_else_stops_was_cancelled(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("pause\n")
        until(lambda: rig.processes("sleep 86414"), "the program runs")
        rig.systemctl("stop", "udsadmin-job-*").well()
        session.final().must_be(213, "cancelled")
    nothing_left(rig)


@scenario
def a_sandbox_keeps_out_what_it_says(rig):
    with_units(rig)
    ask(rig, "sandboxed /var/lib/x\n").must_be(200)
    ask(rig, "sandboxed /etc/x\n").must_be(210)
    holds(rig.exists("/var/lib/x") and not rig.exists("/etc/x"), "it wrote where it may alone")
    ask(rig, "filtered\n").must_be(200)
    nothing_left(rig)


@scenario
def every_property_that_a_policy_may_set_is_one_of_this_systemd(rig):
    table = rig.root("cat", "/usr/share/udsadmin/policy.schema.json").well().out
    known = json.loads(table)["definitions"]["unit-of-a-command"]["properties"]
    equal(sorted(PROPERTIES), sorted(known), "the properties that are tried here")
    names = {f"p{number}": (name, value) for number, (name, value) in enumerate(PROPERTIES.items())}
    rig.policy(POLICY + "".join(command(key, ('["/usr/bin/true"]', f"{n} = {v}")) for key, (n, v) in names.items()))
    reply = ask(rig, "".join(f"{key}\n" for key in names))
    ended = {name: final.code for (name, _), final in zip(names.values(), reply.finals)}
    equal({name: code for name, code in ended.items() if code != 200}, {}, "those that did not run")
    nothing_left(rig)


def end_broker(rig, how):
    if how == "restart":
        rig.systemctl("restart", "udsadmin-broker.service").well()
    elif how == "make way":
        before = rig.pid("udsadmin-broker.service")
        rig.kill("udsadmin-broker.service", "USR1")
        until(lambda: rig.pid("udsadmin-broker.service") not in (0, before), "the broker has made way")
    else:
        rig.kill("udsadmin-broker.service", "KILL")


@scenario
def the_output_of_a_unit_goes_on_and_its_end_is_told_whatever_becomes_of_the_broker(rig):
    with_units(rig)
    for how in ("restart", "kill"):
        rig.root("rm", "-f", "/run/marks/go").well()
        with rig.session("alice") as session:
            session.say("tide\n")
            session.hear(lambda heard: b"low" in heard, "its first line")
            end_broker(rig, how)
            rig.root("touch", "/run/marks/go").well()
            reply = session.final()
        reply.must_be(210, "exit", code="7")
        equal(reply.stdout, b"low\n" + b"xxxxxxxxx\n" * 30000 + b"high\n", "all that it wrote")
        nothing_left(rig)


@scenario
def what_a_unit_writes_that_nobody_waits_for_is_kept_whatever_becomes_of_the_broker(rig):
    with_units(rig)
    for number, how in enumerate(("restart", "kill", "make way")):
        rig.root("rm", "-f", "/run/marks/go").well()
        request = f"tide detach=yes id=t{number}\n"
        job = ask(rig, request).finals[0].fields["job"]
        end_broker(rig, how)
        rig.root("touch", "/run/marks/go").well()
        reply = ask(rig, f"job {job} follow\n")
        equal(reply.stdout, b"low\n" + b"xxxxxxxxx\n" * 30000 + b"high\n", "all that it wrote")
        again = ask(rig, f"tide id=t{number}\n")
        again.must_be(210, "exit", code="7")
        equal(again.finals[0].fields["job"], job, "the same run")
        nothing_left(rig)
        equal(rig.show("udsadmin-broker.service", "NFileDescriptorStore"), "0", "descriptors that systemd still holds")


@scenario
def a_unit_outlives_a_restart_of_the_broker_and_its_end_is_recorded(rig):
    with_units(rig)
    for end in ("restart", "kill"):
        with rig.session("alice") as session:
            session.say("quiet\n")
            rig.events("started")
            until(lambda: rig.processes("sleep 3"), "the program runs")
            if end == "restart":
                rig.systemctl("restart", "udsadmin-broker.service").well()
            else:
                rig.kill("udsadmin-broker.service", "KILL")
                rig.systemctl("start", "udsadmin-broker.service").well()
            session.final().must_be(210, "exit", code="7")
        until(lambda: rig.marked("quiet"), "it ran on to its end")
        event = rig.events("finished")[-1]
        equal((event["UDSADMIN_EXIT"], event["UDSADMIN_USER"]), ("7", "alice"), "its end")
        holds(event["UDSADMIN_INVOCATION"] and int(event["UDSADMIN_MS"]) >= 2500, f"its invocation and its time: {event}")
        ask(rig, f"job {event['UDSADMIN_JOB']}\n").must_be(200)
        nothing_left(rig)
        rig.shell("rm /run/marks/quiet").well()
        rig.since_now()


@scenario
def a_unit_of_an_earlier_broker_can_be_cancelled(rig):
    with_units(rig)
    job = detached(rig)
    rig.systemctl("restart", "udsadmin-broker.service").well()
    rig.ask("bob", f"cancel job={job}\n")
    holds(rig.processes("sleep 86414"), "it is alice's")
    ask(rig, f"cancel job={job}\n").must_be(200)
    until(lambda: not rig.processes("sleep 86414"), "it is gone")
    equal(rig.events("finished")[-1]["UDSADMIN_EXIT"], "cancelled", "its end")
    nothing_left(rig)


def detached(rig):
    reply = ask(rig, "run pause detach=yes\n")
    reply.must_be(202, "accepted")
    until(lambda: rig.processes("sleep 86414"), "the program runs")
    return reply.finals[0].fields["job"]


@scenario
def a_unit_is_not_lost_when_systemd_executes_itself_anew(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("slow\n")
        until(lambda: rig.processes("sleep 3"), "the program runs")
        rig.systemctl("daemon-reexec").well()
        reply = session.final()
    reply.must_be(210, "exit", code="7")
    equal(reply.stdout, b"before\nafter\n", "its output")
    nothing_left(rig)


@scenario
def a_unit_is_not_lost_however_often_systemd_executes_itself_anew(rig):
    with_units(rig)
    for _ in range(2):
        with rig.session("alice") as session:
            session.say("slow\n")
            until(lambda: rig.processes("sleep 3"), "the program runs")
            for _ in range(3):
                rig.systemctl("daemon-reexec")
            reply = session.final()
        reply.must_be(210, "exit", code="7")
        equal(reply.stdout, b"before\nafter\n", "its output")
        nothing_left(rig)


def before_each(rig, section, line):
    """Has every unit of a job begin with this."""
    folder = "/run/systemd/system/udsadmin-job-.service.d"
    rig.shell(f"mkdir -p {folder}; printf '[{section}]\\n{line}\\n' >{folder}/test.conf; systemctl daemon-reload").well()


def no_more_before(rig):
    rig.shell("rm -r /run/systemd/system/udsadmin-job-.service.d; systemctl daemon-reload").well()


@scenario
def a_unit_whose_broker_died_before_it_was_its_program_is_unknown_and_never_runs(rig):
    with_units(rig)
    before_each(rig, "Service", "ExecStartPre=/bin/sleep 3")
    try:
        with rig.session("alice") as session:
            session.say("mark\n")
            until(lambda: rig.processes("sleep 3"), "it is about to start")
            rig.kill("udsadmin-broker.service", "KILL")
            session.final().must_be(599)
    finally:
        no_more_before(rig)
    rig.no_mark("began")
    equal(rig.events("finished")[-1]["UDSADMIN_EXIT"], "unknown", "its end")
    nothing_left(rig)


@scenario
def a_unit_that_systemd_has_wait_for_too_long_was_not_started_and_never_is(rig):
    with_units(rig)
    rig.put("/run/systemd/system/hold.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 86423\n")
    for section, line in (("Unit", "After=hold.service"), ("Service", "ExecStartPre=/bin/sleep 86424")):
        before_each(rig, section, line)
        rig.systemctl("start", "--no-block", "hold.service").well()
        try:
            rig.ask("alice", "mark\n", patience=80).must_be(502, "exec-failed", errno="110")
        finally:
            rig.systemctl("stop", "hold.service").well()
            no_more_before(rig)
        rig.no_mark("began")
        nothing_left(rig)


@scenario
def runs_of_an_earlier_broker_count_among_those_at_once(rig):
    with_units(rig)
    ask(rig, "run alone detach=yes\n").must_be(202)
    rig.systemctl("restart", "udsadmin-broker.service").well()
    ask(rig, "alone\n").must_be(409, "busy")
    rig.systemctl("stop", "udsadmin-job-*").well()
    nothing_left(rig)
    ask(rig, "run alone detach=yes\n").must_be(202)
    rig.systemctl("stop", "udsadmin-job-*").well()
    nothing_left(rig)


@scenario
def a_unit_that_ends_with_its_client_does_so_though_the_client_goes_with_both_daemons(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("bound\n")
        until(lambda: rig.processes("sleep 86421"), "the program runs")
        rig.systemctl("restart", "udsadmin-broker.service", "udsadmin.service").well()
    until(lambda: not rig.processes("sleep 86421"), "it is gone")
    equal(rig.events("finished")[-1]["UDSADMIN_EXIT"], "cancelled", "its end")
    nothing_left(rig)


@scenario
def a_unit_that_somebody_else_starts_again_was_cancelled(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("pause\n")
        until(lambda: rig.processes("sleep 86414"), "the program runs")
        rig.shell("systemctl restart $(systemctl list-units --plain --no-legend 'udsadmin-job-*' | cut -d' ' -f1)").well()
        session.final().must_be(213, "cancelled")
    nothing_left(rig)


@scenario
def an_end_that_was_seen_is_told_though_somebody_else_stops_the_unit_after_it(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("left\n")
        until(lambda: rig.processes("sleep 86422"), "what it leaves is there")
        rig.systemctl("stop", "udsadmin-job-*").well()
        session.final().must_be(200, "exit", code="0")
    nothing_left(rig)


@scenario
def a_unit_that_somebody_else_has_to_kill_was_cancelled_and_not_late(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("deaf\n")
        until(lambda: rig.marked("stubborn"), "it is deaf")
        rig.systemctl("stop", "udsadmin-job-*").well()
        session.final().must_be(213, "cancelled")
    nothing_left(rig)


@scenario
def a_hundred_units_one_after_another_leave_nothing(rig):
    with_units(rig)
    pid = rig.pid("udsadmin-broker.service")
    ask(rig, "both\n").must_be(200)
    before = rig.shell(f"ls /proc/{pid}/fd | wc -l; ls /proc/1/fd | wc -l; ls /proc/{pid}/task | wc -l").text
    for _ in range(10):
        ask(rig, "both\n" * 10).must_be_all(*[200] * 10)
    after = rig.shell(f"ls /proc/{pid}/fd | wc -l; ls /proc/1/fd | wc -l; ls /proc/{pid}/task | wc -l").text
    equal(after.split()[:2], before.split()[:2], "descriptors of the broker and of systemd")
    nothing_left(rig)



def ended_by_itself(rig, times):
    """Whatever the broker has waited for, systemd has not had to kill it."""
    ends = rig.journal(UNIT="udsadmin-broker.service")
    results = [entry["MESSAGE"] for entry in ends if "timed out" in entry.get("MESSAGE", "")]
    equal(results, [], f"words of systemd on {times} ends")


@scenario
def a_client_that_waits_for_a_unit_holds_up_no_end_of_a_broker_however_many_there_are(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("pause id=x\n")
        until(lambda: rig.processes("sleep 86414"), "the program runs")
        with rig.session("alice") as again:
            again.say("pause id=x\n")
            ask(rig, "jobs\n").must_be(200)
            for _ in range(3):
                rig.systemctl("restart", "udsadmin-broker.service").well()
            session.say("cancel\n")
            reply = session.final()
            reply.must_be(213, "cancelled")
            again.final().must_be(213, "cancelled")
    ended_by_itself(rig, 3)
    equal([event["UDSADMIN_EXIT"] for event in rig.events("finished")], ["cancelled"], "its end on the record")
    nothing_left(rig)


@scenario
def a_follower_of_a_unit_holds_up_no_end_of_a_broker(rig):
    with_units(rig)
    job = detached(rig)
    with rig.session("alice") as session:
        session.say(f"job {job} follow\n")
        session.hear(lambda heard: job.encode() in heard, "its row")
        rig.systemctl("restart", "udsadmin-broker.service").well()
        session.final().must_be(599)
    ended_by_itself(rig, 1)
    ask(rig, f"cancel job={job}\n").must_be(200)
    until(lambda: not rig.processes("sleep 86414"), "it is gone")
    nothing_left(rig)


@scenario
def a_cancel_that_a_broker_did_not_live_to_hear_is_heard_by_the_next(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("pause\n")
        until(lambda: rig.processes("sleep 86414"), "the program runs")
        rig.kill("udsadmin-broker.service", "STOP")
        session.say("cancel\n")
        # The server has passed it on by the time that it answers what came after.
        ask(rig, "ping\n").must_be(200)
        rig.kill("udsadmin-broker.service", "KILL")
        session.final().must_be(213, "cancelled")
    until(lambda: not rig.processes("sleep 86414"), "it is gone")
    nothing_left(rig)


@scenario
def the_end_of_a_unit_that_has_begun_is_told_as_what_it_is_though_its_broker_ends_meanwhile(rig):
    with_units(rig)
    with rig.session("alice") as session:
        session.say("reluctant\n")
        until(lambda: rig.marked("reluctant"), "it does not mind TERM")
        session.say("cancel\n")
        ask(rig, "ping\n").must_be(200)
        rig.systemctl("restart", "udsadmin-broker.service").well()
        session.final().must_be(213, "cancelled")
    equal([event["UDSADMIN_EXIT"] for event in rig.events("finished")], ["cancelled"], "its end on the record")
    ended_by_itself(rig, 1)
    nothing_left(rig)


@scenario
def the_units_of_an_earlier_broker_count(rig):
    with_units(rig)
    reply = ask(rig, "one detach=yes\n")
    reply.must_be(202, "accepted")
    for how in ("restart", "kill"):
        end_broker(rig, how)
        ask(rig, "one detach=yes\n").must_be(409, "busy")
    ask(rig, f"cancel job={reply.finals[0].fields['job']}\n").must_be(200)
    until(lambda: not rig.processes("sleep 86414"), "it is gone")
    nothing_left(rig)
    again = ask(rig, "one detach=yes\n")
    again.must_be(202, "accepted")
    ask(rig, f"cancel job={again.finals[0].fields['job']}\n").must_be(200)
    nothing_left(rig)


@scenario
def a_unit_that_is_to_end_with_its_client_does_though_the_broker_went_first(rig):
    with_units(rig)
    for streams_too in (True, False):
        with rig.session("alice") as session:
            session.say("tied\n")
            until(lambda: rig.processes("sleep 86414"), "the program runs")
            if streams_too:
                rig.kill("udsadmin-broker.service", "KILL")
            else:
                rig.systemctl("stop", "udsadmin-broker.socket", "udsadmin-broker.service").well()
        if not streams_too:
            rig.systemctl("start", "udsadmin-broker.socket", "udsadmin-broker.service").well()
        until(lambda: not rig.processes("sleep 86414"), "it has ended with its client")
        equal(rig.events("finished")[-1]["UDSADMIN_EXIT"], "cancelled", "its end")
        nothing_left(rig)
        rig.since_now()


@scenario
def the_record_of_an_end_under_another_broker_says_whose_run_it_was(rig):
    with_units(rig)
    job = ask(rig, "pause id=x detach=yes\n").must_be(202).fields["job"]
    rig.systemctl("restart", "udsadmin-broker.service").well()
    ask(rig, f"cancel job={job}\n").must_be(200)
    started, finished = rig.events("started")[-1], rig.events("finished")[-1]
    for name in ("UID", "USER", "GID", "GROUPS", "LOGINUID", "COMMAND", "REQUEST", "JOB", "TOKEN", "DETACHED", "RULE"):
        equal(finished.get(f"UDSADMIN_{name}"), started[f"UDSADMIN_{name}"], name)
    nothing_left(rig)


@scenario
def a_unit_that_nobody_knows_of_is_left_alone_until_it_has_ended(rig):
    with_units(rig)
    ask(rig, "both\n").must_be(200)
    rig.root("systemd-run", "--unit=udsadmin-job-0123456789ab", "--remain-after-exit", "true").well()
    rig.root("systemd-run", "--unit=udsadmin-job-0123456789ac", "--remain-after-exit", "sleep", "86417").well()
    rig.systemctl("restart", "udsadmin-broker.service").well()
    until(lambda: "0123456789ab" not in units(rig), "what has ended is removed")
    holds(rig.processes("sleep 86417"), "what runs goes on")
    rig.kill("udsadmin-job-0123456789ac.service", "TERM")
    until(lambda: not units(rig), "it is removed at its end")
