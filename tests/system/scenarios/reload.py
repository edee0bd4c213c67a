"""A policy that is replaced under systemd: in both programs at once, or refused where everybody looks."""

from machine import POLICY, PROGRAMS, TOOLS, equal, holds, until

from . import scenario

BROKER = "udsadmin-broker.service"

# Lets the webops reload and confirm, and has one command more for them.
MORE = """
[[builtins.reload.allow]]
groups = ["webops"]
[[builtins.confirm.allow]]
groups = ["webops"]
[[builtins.status.allow]]
groups = ["webops"]
[commands.more]
exec = ["/usr/bin/echo", "more"]
[[commands.more.allow]]
groups = ["webops"]
"""

TYPO = '\n[commands.typo]\nexec = ["/usr/bin/true"]\ntime-out = "1s"\n'


def append(rig, text):
    """Changes the policy, and tells nobody; gives the number of its lines before."""
    before = rig.root("cat", POLICY).well().out.decode()
    rig.put(POLICY, before + text)
    return before.count("\n")


def reloaded(rig, count=1):
    """Waits until both programs have recorded that many new policies; gives those of the broker."""
    found = until(lambda: by(rig, BROKER, count) and by(rig, "udsadmin.service", count) and by(rig, BROKER, count), "both have it")
    return found


def values(event, field):
    """All values of a field: journalctl writes one of them alone, and several as a list."""
    found = event.get(field, [])
    return [found] if isinstance(found, str) else found


def by(rig, unit, count):
    found = rig.journal(UDSADMIN_EVENT="policy-loaded", _SYSTEMD_UNIT=unit)
    return found if len(found) >= count else None


def started(rig):
    """Both programs run, and what they said at their start is not counted."""
    rig.ask("alice", "mark started\n").must_be(200)
    rig.since_now()


@scenario
def systemctl_reload_puts_a_policy_in_force_in_both_programs_and_keeps_their_sessions(rig):
    started(rig)
    pids = [rig.pid(unit) for unit in PROGRAMS]
    with rig.session("alice") as session:
        session.say("more\n")
        session.final().must_be(403)
        append(rig, MORE)
        rig.systemctl("reload", "udsadmin.service").well()
        events = reloaded(rig)
        session.say("more\n")
        equal(session.final().stdout, b"more\n", "the new command")
    equal([rig.pid(unit) for unit in PROGRAMS], pids, "the processes")
    holds("by SIGHUP" in events[0]["MESSAGE"], events[0]["MESSAGE"])
    gains = values(events[0], "UDSADMIN_GAINS")
    holds(any("webops" in gain and "more" in gain for gain in gains), f"who gains: {gains}")
    for unit in PROGRAMS:
        until(lambda unit=unit: rig.is_active(unit), f"{unit} has done with reloading")
        holds("is in force" in rig.show(unit, "StatusText"), rig.show(unit, "StatusText"))


@scenario
def systemctl_reload_of_a_bad_policy_fails_and_the_old_one_stays(rig):
    started(rig)
    pids = [rig.pid(unit) for unit in PROGRAMS]
    place = f"{POLICY}:{append(rig, MORE + TYPO) + (MORE + TYPO).count(chr(10))}:1"
    done = rig.systemctl("reload", "udsadmin.service")
    holds(done.code != 0, "systemctl reload fails")
    refused = rig.events("policy-refused")[0]
    equal(refused["MESSAGE_ID"], "3e62ea6c326d4d4885abe4bd2b0a2cd2", "the message id")
    errors = values(refused, "UDSADMIN_ERROR")
    holds(errors and errors[0].startswith(place) and place in refused["MESSAGE"], f"{place} in {refused}")
    holds("stays in force" in refused["MESSAGE"], refused["MESSAGE"])
    for unit in PROGRAMS:
        until(lambda unit=unit: place in rig.show(unit, "StatusText"), f"the status of {unit} tells of {place}")
        holds("policy refused at" in rig.systemctl("status", "--no-pager", unit).text, f"the status of {unit}")
    rig.ask("alice", "more\nsay still\n").must_be_all(403, 200)
    equal([rig.pid(unit) for unit in PROGRAMS], pids, "the processes")
    rig.root("cp", f"{TOOLS}/policy.toml", POLICY).well()
    rig.systemctl("reload", "udsadmin.service").well()
    for unit in PROGRAMS:
        until(lambda unit=unit: "is in force" in rig.show(unit, "StatusText"), f"the status of {unit} is well again")


@scenario
def reloading_the_broker_alone_is_a_reload_too(rig):
    started(rig)
    append(rig, MORE)
    rig.systemctl("reload", BROKER).well()
    reloaded(rig)
    rig.ask("alice", "more\n").must_be(200)
    append(rig, TYPO)
    holds(rig.systemctl("reload", BROKER).code != 0, "a bad policy fails here too")
    rig.events("policy-refused")


@scenario
def reload_by_a_granted_peer_tells_what_changes(rig):
    append(rig, MORE)
    rig.cold()
    rig.ask("alice", "more\n").must_be(200)
    rig.root("sh", "-c", f"sed -i 's/commands.more/commands.other/' {POLICY}").well()
    reply = rig.ask("alice", "reload\n", patience=5)
    reply.must_be(200, "ok")
    equal({(row["change"], row["command"]) for row in reply.rows}, {("gain", "other"), ("loss", "more")}, "the changes")
    rig.ask("alice", "more\nother\n").must_be_all(403, 200)
    rig.ask("wendy", "reload\n").must_be(403)
    append(rig, TYPO)
    reply = rig.ask("alice", "reload\n", patience=5)
    reply.must_be(422, "bad-argument", name="policy")
    holds(all(POLICY in row["at"] for row in reply.rows) and reply.rows, f"the places: {reply.rows}")


@scenario
def a_policy_on_trial_is_undone_unless_it_is_confirmed(rig):
    append(rig, MORE)
    rig.cold()
    rig.ask("alice", "more\n").must_be(200)
    rig.root("cp", f"{TOOLS}/policy.toml", POLICY).well()
    rig.ask("alice", "reload confirm=1s\nmore\nconfirm\n", patience=5).must_be_all(200, 403, 403)
    until(lambda: rig.ask("alice", "more\n").finals[0].code == 200, "the policy of before is back")
    told = until(lambda: [e for e in rig.events("policy-loaded") if "not confirmed" in e["MESSAGE"]], "the record of it")
    holds("in force again" in told[0]["MESSAGE"], told[0]["MESSAGE"])
    until(lambda: "not confirmed in time" in rig.show(BROKER, "StatusText"), "systemctl status tells of it")


@scenario
def the_daemon_follows_a_broker_that_was_killed(rig):
    started(rig)
    with rig.session("alice") as session:
        session.say("more\n")
        session.final().must_be(403)
        append(rig, MORE)
        rig.kill(BROKER, "KILL")
        until(lambda: by(rig, "udsadmin.service", 1), "the daemon has the policy of the new broker")
        session.say("more\n")
        session.final().must_be(200)


@scenario
def a_hang_up_harms_neither_program(rig):
    started(rig)
    pids = [rig.pid(unit) for unit in PROGRAMS]
    for _ in range(20):
        for unit in PROGRAMS:
            rig.kill(unit, "HUP")
    rig.ask("alice", "say alive\n").must_be(200)
    equal([rig.pid(unit) for unit in PROGRAMS], pids, "the processes")


LARGE = """
i=0; while [ $i -lt 1000 ]; do echo "g$i:x:$((20000 + i)):"; i=$((i + 1)); done >>/etc/group
i=0; while [ $i -lt 10000 ]; do
    printf '[commands.c%d]\\nexec = ["/usr/bin/true"]\\n[[commands.c%d.allow]]\\ngroups = ["g%d"]\\n' $i $i $((i % 1000))
    i=$((i + 1))
done >/etc/udsadmin/policy.d/large.toml
"""


@scenario
def ten_thousand_commands_of_a_thousand_groups_come_into_force_and_no_session_stalls(rig):
    started(rig)
    rig.shell(LARGE).well()
    with rig.session("alice") as session:
        done = rig.start("root", "systemctl", "reload", "udsadmin.service")
        while not by(rig, "udsadmin.service", 1):
            session.say("ping\nsay on\n")
            session.final().must_be(200)
            session.final().must_be(200)
        equal(done.wait(), 0, "systemctl reload")
    equal(rig.journal(UDSADMIN_EVENT="policy-loaded", _SYSTEMD_UNIT=BROKER)[0]["UDSADMIN_COMMANDS"][:3], "100", "commands")
    rig.shell("sed -i '/^g[0-9]*:x:2[0-9]*:/d' /etc/group").well()
