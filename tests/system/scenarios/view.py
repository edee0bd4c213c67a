"""What a job finds itself in, whole, as snapshots; and what one that tries does not get out of."""

import os
import pathlib

from machine import equal, holds

from . import scenario

VIEWS = pathlib.Path(__file__).resolve().parent.parent / "views"

# The four ways to run that the snapshots show, and one that tries to leave its walls.
TEXT = """
[allow]
groups = ["webops"]

[commands.root]
exec = ["/usr/libexec/udsadmin-tests/view"]
[[commands.root.allow]]
groups = ["webops"]

[commands.other-user]
exec = ["/usr/libexec/udsadmin-tests/view"]
run-as = "daemon"
[[commands.other-user.allow]]
groups = ["webops"]

[commands.groups-and-capabilities]
exec = ["/usr/libexec/udsadmin-tests/view"]
run-as = { user = "daemon", group = "adm", groups = ["disk", 61111] }
capabilities = { ambient = ["net-bind-service"], bounding = ["net-bind-service", "kill"] }
[[commands.groups-and-capabilities.allow]]
groups = ["webops"]

[commands.confined]
exec = ["/usr/libexec/udsadmin-tests/view"]
args = [{ name = "kind", one-of = ["full", "part"], optional = true }]
run-as = { user = "daemon", groups = [] }
no-new-privileges = true
umask = "0077"
cwd = "/var/tmp"
environment = { set = { LANG = "C", WORD = "a b" }, from-arg = { KIND = "kind" } }
limits = { as = "2GiB", core = 0, cpu = "60s", data = "1GiB", fsize = "1MiB", memlock = "64KiB", nofile = 64, nproc = { soft = 50, hard = 60 }, stack = "4MiB" }
nice = 7
io = "best-effort:6"
private-tmp = true
read-only = { except = ["/run/marks"] }
network = false
[[commands.confined.allow]]
groups = ["webops"]

[commands.nowhere]
exec = ["/usr/libexec/udsadmin-tests/view"]
cwd = "/run/no-such-directory"
[[commands.nowhere.allow]]
groups = ["webops"]

[commands.escape]
exec = ["/bin/sh", "-c", '''exec 2>/dev/null
mount -o remount,rw / && echo remounted
umount /tmp && echo unmounted
unshare --user --map-root-user --mount mount -o remount,bind,rw / && echo remounted
echo x >/etc/udsadmin-test && echo wrote
echo x >/dev/shm/udsadmin-test && echo wrote
echo x >/run/marks/escape && echo marked
ulimit -n 65 && echo raised
ulimit -u 61 && echo raised
nice -n -1 true && [ "$(nice -n -1 nice)" -lt 7 ] && echo first
nsenter --mount=/proc/1/ns/mnt true && echo left
nsenter --net=/proc/1/ns/net true && echo left
echo -999 >/proc/self/oom_score_adj && echo protected
cat /proc/1/environ && echo read
[ "$(udsadmin-test-id -u)" = 0 ] && echo root
echo end''']
run-as = { user = "daemon", groups = [] }
limits = { nofile = 64, nproc = 60 }
nice = 7
private-tmp = true
read-only = { except = ["/run/marks"] }
network = false
[[commands.escape.allow]]
groups = ["webops"]
"""

THEIRS = "as the broker's"
KEPT = ("Umask", "Uid", "Gid", "Groups", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
        "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")  # fmt: skip


def whole(rig, command, *arguments):
    """The view of one run, with a word for whatever is the broker's own or this run's."""
    reply = rig.ask("alice", " ".join((command, *arguments)) + "\n", patience=30)
    reply.must_be(200, "exit", code="0")
    job = reply.finals[0].fields["job"]
    text = reply.stdout.decode().replace(job, "JOB")
    return "".join(f"{line}\n" for line in lines(text, brokers(rig)))


def brokers(rig):
    """What of a view is the broker's own."""
    pid = rig.pid("udsadmin-broker.service")
    text = rig.shell(f"cat /proc/{pid}/status; tail -n +2 /proc/{pid}/limits | sed 's/^/limit /'; "
                     f"for n in mnt net pid user ipc uts cgroup; do echo \"namespace $n: $(readlink /proc/{pid}/ns/$n)\"; done").well().text  # fmt: skip
    own = {}
    for line in text.splitlines():
        if line.startswith("limit "):
            line = f"{line[:32].strip()}: {' '.join(line[32:].split()[:2])}"
        name, _, value = line.partition(":")
        own[name] = " ".join(value.split())
    return own


def lines(text, own):
    shared = ("CapPrm", "CapEff", "CapBnd", "Seccomp")
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        value = " ".join(value.split())
        if line.startswith("environment "):
            yield line
        elif line.startswith("writable") and own["namespace mnt"] in text:
            continue  # the machine's own, which differ from one to the next
        elif name.startswith(("limit ", "namespace ")) or name in shared:
            theirs = own.get(name) == value and value.strip("0")
            foreign = "its own" if name.startswith("namespace ") else value
            yield f"{name}: {THEIRS if theirs else foreign}"
        elif name in KEPT or " " in name or name in ("terminal", "directory", "nice", "io", "cgroup", "writable",
                                                     "interfaces", "keys"):
            yield f"{name}: {value}"


def compare(name, view):
    """With the snapshot; UDSADMIN_BLESS=1 writes it anew."""
    path = VIEWS / f"{name}.view"
    if os.environ.get("UDSADMIN_BLESS"):
        path.write_text(view)
    expected = path.read_text()
    differing = [pair for pair in zip(expected.splitlines(), view.splitlines()) if pair[0] != pair[1]]
    equal(view, expected, f"{name}, first of all in {differing[:3]}")


@scenario
def root_finds_what_every_command_finds(rig):
    rig.policy(TEXT)
    compare("root", whole(rig, "root"))


@scenario
def another_user_finds_its_own_ids_and_no_capability(rig):
    rig.policy(TEXT)
    compare("other-user", whole(rig, "other-user"))


@scenario
def a_user_has_the_groups_and_the_capabilities_that_it_is_given(rig):
    rig.policy(TEXT)
    compare("groups-and-capabilities", whole(rig, "groups-and-capabilities"))


@scenario
def a_confined_command_finds_its_walls(rig):
    rig.policy(TEXT)
    compare("confined", whole(rig, "confined", "part"))
    view = whole(rig, "confined")
    holds("KIND" not in view, "a variable of an argument that is not given is not there")


@scenario
def what_a_command_finds_does_not_depend_on_how_the_broker_is_started(rig):
    rig.policy(TEXT)
    unit = "[Service]\nNice=5\nIOSchedulingClass=idle\nUMask=0077\nOOMScoreAdjust=200\nWorkingDirectory=/var\nEnvironment=X=1\n"
    rig.drop_in("udsadmin-broker.service", f"{unit}SecureBits=keep-caps\nCapabilityBoundingSet=~CAP_WAKE_ALARM\n")
    compare("root", whole(rig, "root"))
    compare("other-user", whole(rig, "other-user"))
    compare("confined", whole(rig, "confined", "part"))


@scenario
def a_confined_command_does_not_get_out(rig):
    rig.policy(TEXT)
    rig.shell("cp /usr/bin/id /usr/bin/udsadmin-test-id && chmod 4755 /usr/bin/udsadmin-test-id && chmod 1777 /run/marks").well()
    reply = rig.ask("alice", "escape\n", patience=30)
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, b"marked\nend\n", "what it got")
    holds(rig.marked("escape"), "what is written to a directory of except stays")
    rig.shell("rm /usr/bin/udsadmin-test-id /run/marks/escape && chmod 0755 /run/marks").well()


@scenario
def a_run_that_can_not_have_its_manner_is_refused_with_the_step(rig):
    rig.policy(TEXT)
    reply = rig.ask("alice", "nowhere\n", patience=30)
    reply.must_be(502, "exec-failed", errno="2")
    holds("the working directory: No such file or directory" in reply.finals[0].text, f"the step is told: {reply.finals[0].text}")
    [finished] = rig.events("finished")
    equal(finished["UDSADMIN_REASON"], "the working directory: No such file or directory", "the reason on the record")
