"""The seams: between users, between the programs, between the daemon and the rest of the machine."""

from machine import BROKER, TOOLS, equal, holds, until

from . import scenario

UNIT_FILES = [f"/usr/lib/systemd/system/udsadmin{name}" for name in (".socket", ".service", "-broker.socket", "-broker.service")]


def handed_on(rig, connector, writer, text, *wait):
    return rig.run(f"{TOOLS}/handed-on", connector, writer, text, *wait)


@scenario
def a_socket_written_to_by_another_user_ends_with_an_event_and_runs_nothing(rig):
    done = handed_on(rig, "alice", "mallory", r"mark handed-on\n")
    holds(done.code == 0, f"the session ends: {done.code} {done.out!r} {done.err!r}")
    holds(b"\n200 " not in b"\n" + done.out, f"no success: {done.out!r}")
    event = rig.events("sender-mismatch")[0]
    equal(event["UDSADMIN_USER"], "alice", "whose connection it was")
    rig.no_mark("handed-on")
    rig.no_event("started")


@scenario
def what_another_user_wrote_before_the_accept_runs_nothing(rig):
    done = handed_on(rig, "alice", "mallory", r"mark early\n", "wait")
    holds(done.code == 0, f"the session ends: {done.code} {done.out!r} {done.err!r}")
    rig.events("sender-mismatch")
    rig.no_mark("early")


@scenario
def a_socket_handed_on_to_root_is_as_useless(rig):
    done = handed_on(rig, "alice", "root", r"mark to-root\n")
    holds(done.code == 0, f"the session ends: {done.code} {done.out!r} {done.err!r}")
    rig.events("sender-mismatch")
    rig.no_mark("to-root")


@scenario
def a_socket_handed_on_to_the_same_user_works(rig):
    done = handed_on(rig, "alice", "alice", r"mark same-user\nquit\n")
    holds(b"200 exit" in done.out and b"221 bye" in done.out, f"it works: {done.code} {done.out!r} {done.err!r}")
    holds(rig.marked("same-user"), "the command left its mark")


@scenario
def an_outsiders_socket_gains_nothing_from_a_members_writing(rig):
    done = handed_on(rig, "mallory", "alice", r"mark lent\n")
    holds(b"\n200 " not in b"\n" + done.out, f"no success: {done.out!r}")
    rig.no_mark("lent")


@scenario
def a_peer_that_is_gone_before_the_accept_runs_nothing(rig):
    rig.kill("udsadmin.service", "STOP")
    rig.run(f"{TOOLS}/hit-and-run", "mark gone\\n", user="alice").well()
    rig.kill("udsadmin.service", "CONT")
    rig.ask("alice", "mark here\n").must_be(200)
    alice = rig.run("id", "-u", user="alice").text
    equal([event["UDSADMIN_UID"] for event in rig.events("refused")], [alice], "whose connection was refused")
    rig.no_mark("gone")


@scenario
def the_daemon_has_no_privilege_at_all(rig):
    pid = rig.pid("udsadmin.service")
    lines = rig.root("cat", f"/proc/{pid}/status").well().text.splitlines()
    status = dict(line.split(":", 1) for line in lines)
    uid, gid = (rig.run("id", flag, "udsadmin").text for flag in ("-u", "-g"))
    equal(status["Uid"].split(), [uid] * 4, "uids")
    equal(status["Gid"].split(), [gid] * 4, "gids")
    equal(set(status["Groups"].split()) - {gid}, set(), "supplementary groups")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        equal(int(status[kind], 16), 0, kind)
    equal((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"), "no_new_privs and seccomp")
    own, ours = (rig.root("readlink", f"/proc/{who}/ns/net").text for who in (pid, 1))
    holds(own != ours, "a network of its own")


@scenario
def the_brokers_socket_refuses_every_other_user(rig):
    rig.cold()
    for user in ("alice", "mallory", "wendy"):
        equal(rig.run(f"{TOOLS}/knock", user=user).text, "EACCES", user)
    holds(not rig.is_active("udsadmin-broker.service"), "the broker was not even started")


@scenario
def the_broker_itself_refuses_root(rig):
    holds(rig.run(f"{TOOLS}/knock").text in ("closed", "ECONNRESET"), "root's connection is closed")
    rig.ask("alice", "mark after-knock\n").must_be(200)


@scenario
def the_broker_bears_the_daemons_user_alone(rig):
    rig.root("chmod", "0666", BROKER).well()
    holds(rig.run(f"{TOOLS}/knock", user="alice").text in ("closed", "ECONNRESET"), "alice's connection is closed")
    rig.ask("alice", "mark after-knock\n").must_be(200)


# --- a daemon that was taken over ---

ROOT_TOO = """
[allow]
users = ["root", "udsadmin"]
groups = ["webops"]
[commands.mark]
exec = ["/usr/bin/touch", "/run/marks/{name}"]
args = [{ name = "name", pattern = "[a-z]+" }]
[[commands.mark.allow]]
users = ["root", "udsadmin"]
"""

UNBOUND = """
[Service]
Type=exec
ExecStart=
ExecStart={tools}/impostor {case}
NoExecPaths=
ExecPaths=
MemoryDenyWriteExecute=no
SystemCallFilter=
"""


def in_the_daemons_place(rig, case):
    """Runs the impostor as the service, with its user and its listening socket; gives the broker's answer."""
    rig.policy(ROOT_TOO)
    rig.drop_in("udsadmin.service", UNBOUND.format(tools=TOOLS, case=case))
    with rig.session("alice"):
        answers = set(ANSWERS)
        said = until(lambda: answers & {entry.get("MESSAGE") for entry in rig.journal()}, "the broker answered")
    return said.pop()


ANSWERS = ("opened", "refused", "closed")


@scenario
def the_broker_takes_a_client_of_our_own_listening_socket(rig):
    equal(in_the_daemons_place(rig, "accepted"), "opened", "the answer")


@scenario
def the_listening_socket_itself_is_no_client(rig):
    equal(in_the_daemons_place(rig, "listening"), "refused", "the answer")
    rig.events("refused")


@scenario
def the_asking_end_of_a_connection_is_no_client(rig):
    rig.policy(ROOT_TOO)
    equal(rig.run(f"{TOOLS}/impostor", "asking", user="udsadmin").text, "refused", "the answer")
    rig.events("refused")


@scenario
def root_lured_to_another_socket_is_no_client(rig):
    rig.policy(ROOT_TOO)
    impostor = rig.start("udsadmin", f"{TOOLS}/impostor", "lure")
    equal(impostor.stdout.readline(), b"lure\n", "the lure")
    victim = rig.start("root", "socat", "-u", "UNIX-CONNECT:/tmp/udsadmin-lure", "-")
    equal(impostor.stdout.readline(), b"refused\n", "the answer")
    victim.wait()
    impostor.wait()
    rig.events("refused")


@scenario
def an_end_of_a_pair_is_no_client(rig):
    rig.policy(ROOT_TOO)
    equal(rig.run(f"{TOOLS}/impostor", "pair", user="udsadmin").text, "refused", "the answer")
    rig.events("refused")


# --- the sandbox ---


@scenario
def the_units_pass_systemd_analyze(rig):
    done = rig.root("systemd-analyze", "verify", "--man=no", *UNIT_FILES)
    equal((done.code, done.out, done.err), (0, b"", b""), "verify")


@scenario
def the_daemons_exposure_is_at_most_2(rig):
    files = [path for path in UNIT_FILES if path.endswith("/udsadmin.service")]
    rig.root("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", *files).well()


@scenario
def the_daemon_sees_no_home_and_starts_no_program(rig):
    pid = str(rig.pid("udsadmin.service"))
    inside = ["nsenter", "-t", pid, "-m", "--"]
    mounts = rig.root("cat", f"/proc/{pid}/mountinfo").well().text.splitlines()
    root = next(line.split() for line in mounts if line.split()[4] == "/")
    holds({"ro", "noexec"} <= set(root[5].split(",")), f"a root to read only, without programs: {root[5]}")
    equal(rig.root(*inside, "/usr/bin/ls", "/home").code, 126, "the exit code of a program in its place")
