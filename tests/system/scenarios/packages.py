"""The packages, from their installation to their end. Run with --packages, on systems without udsadmin."""

import pathlib

from machine import HERE, POLICY, PROGRAMS, SOCKETS, TOOLS, equal, holds, until

from . import scenario

WAITS = """
[commands.wait]
exec = ["/bin/sh", "-c", "echo waits; until [ -e /run/marks/go ]; do sleep 0.1; done; echo done"]
[[commands.wait.allow]]
groups = ["webops"]
"""


def ask(rig, user, text):
    return rig.ask(user, text, patience=20)


def edited(rig):
    """Edits the policy as an administrator does."""
    text = (pathlib.Path(HERE) / "inside" / "policy.toml").read_text() + WAITS
    rig.put(POLICY, text)
    if any(rig.is_active(unit) for unit in PROGRAMS):
        rig.systemctl("reload", "udsadmin.service").well()
    return text


def serves(rig):
    rig.systemctl("start", "udsadmin.socket").well()
    edited(rig)
    ask(rig, "alice", "say hello\n").must_be(200)


def goes(rig):
    rig.package.remove().well()
    if rig.package.purges:
        rig.package.purge().well()


def listed(rig):
    return set(rig.root(f"{TOOLS}/listing").well().text.splitlines())


def installed(rig, which="old"):
    rig.package.install(which).well()
    if not rig.package.purges:  # to be started is for the administrator to say there
        rig.systemctl("start", "udsadmin.socket").well()


def is_below(path, folders):
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


# The first: no other has left directories that this one would take for what was there before.
@scenario
def a_package_that_is_purged_leaves_nothing_of_its_own(rig):
    before = listed(rig)
    installed(rig)
    policy = edited(rig)
    ask(rig, "alice", "say hello id=known\n").must_be(200)
    rig.package.upgrade("new").well()
    ask(rig, "alice", "say hello id=known\n").must_be(200)
    goes(rig)
    if rig.package.purges:
        left = set()
    else:  # rpm keeps what was edited, the state, and the user
        equal(rig.root("cat", f"{POLICY}.rpmsave").out.decode(), policy, "the edited policy")
        left = {"/etc/udsadmin", f"{POLICY}.rpmsave", "/var/lib/udsadmin-broker"}
        left |= {"/usr/share/licenses", "/usr/share/man"}  # are another package's on systems of rpm
    after = listed(rig)
    equal(sorted(before - after), [], "gone with it")
    ours = [line for line in sorted(after - before) if not is_below(line.split()[0], left)]
    if not rig.package.purges:
        ours = [line for line in ours if not line.startswith("udsadmin:")]
    equal(ours, [], "left of it")


@scenario
def an_installed_package_serves_and_grants_nothing(rig):
    installed(rig)
    equal(rig.systemctl("is-enabled", "udsadmin.socket").text, "enabled", "the socket")
    equal([rig.is_active(unit) for unit in (*SOCKETS, *PROGRAMS)], [True, True, False, False], "active")
    ask(rig, "alice", "say hello\n").must_be(403)
    ask(rig, "root", "say hello\n").must_be(403)
    equal(rig.root("udsadmin", "check").well().code, 0, "the shipped policy")


@scenario
def a_group_is_let_in_by_the_edited_policy_and_nobody_else(rig):
    installed(rig)
    edited(rig)
    reply = ask(rig, "alice", "say hello\n")
    reply.must_be(200)
    equal(reply.stdout, b"hello\n", "output")
    ask(rig, "mallory", "say hello\n").must_be(403)


@scenario
def the_journal_explains_our_messages(rig):
    installed(rig)
    edited(rig)
    ask(rig, "alice", "say hello\n").must_be(200)
    ask(rig, "mallory", "say hello\n").must_be(403)
    for event, explanation in (("connected", "alice connected"), ("started", "say hello"), ("refused", "turned away")):
        rig.events(event)
        told = rig.root("journalctl", "--catalog", "--no-pager", f"UDSADMIN_EVENT={event}").text
        holds("Defined-By: udsadmin" in told and explanation in told, f"{event} is not explained: {told[-600:]}")


@scenario
def an_upgrade_loses_no_request_no_session_and_no_run(rig):
    installed(rig)
    policy = edited(rig)
    with rig.session("alice") as idle, rig.session("bob") as busy:
        idle.say("say before\n")
        idle.final().must_be(200)
        busy.say("wait\n")
        rig.events("started", 2)
        pids = [rig.pid(unit) for unit in PROGRAMS]
        sockets = [rig.show(unit, "ActiveEnterTimestampMonotonic") for unit in SOCKETS]
        load = rig.start("alice", f"{TOOLS}/load", "/run/marks/stop")
        equal(load.stdout.readline(), b"100\n", "requests before")
        rig.package.upgrade("new").well()
        for _ in range(3):
            holds(load.stdout.readline().strip().isdigit(), "the load goes on")
        rig.root("touch", "/run/marks/stop").well()
        *_, others = load.communicate(timeout=60)[0].splitlines()
        equal(others, b"others:", "what else came of a request")
        equal([rig.pid(unit) for unit in PROGRAMS], pids, "who serves while a command runs")
        for unit in PROGRAMS:
            until(lambda unit=unit: "makes way" in rig.show(unit, "StatusText"), f"systemctl status of {unit} says so")
        idle.say("say after\n")
        idle.final().must_be(200)
        rig.root("touch", "/run/marks/go").well()
        busy.final().must_be(200, "exit", code="0")
    until(lambda: not rig.is_active(PROGRAMS[0]), "udsadmind has made way")
    until(lambda: rig.pid(PROGRAMS[1]) not in (0, pids[1]), "the broker has made way")
    ask(rig, "alice", "say later\n").must_be(200)
    equal([rig.show(unit, "ActiveEnterTimestampMonotonic") for unit in SOCKETS], sockets, "the sockets")
    equal(rig.root("cat", POLICY).out.decode(), policy, "the edited policy")
    if rig.package.purges:
        holds(rig.exists(f"{POLICY}.dpkg-dist"), "the policy of the next version is nowhere to be looked at")
    equal(rig.systemctl("--failed", "--quiet", "list-units", "udsadmin*").text, "", "failed units")


@scenario
def an_upgrade_while_nothing_runs_takes_effect_at_once(rig):
    installed(rig)
    edited(rig)
    ask(rig, "alice", "say hello\n").must_be(200)
    broker = rig.pid(PROGRAMS[1])
    rig.package.upgrade("new").well()
    until(lambda: not rig.is_active(PROGRAMS[0]), "udsadmind has made way")
    until(lambda: rig.pid(PROGRAMS[1]) not in (0, broker), "the broker has made way")
    ask(rig, "alice", "say hello\n").must_be(200)


@scenario
def an_upgrade_starts_no_socket_that_the_administrator_has_disabled(rig):
    installed(rig)
    rig.systemctl("disable", "--now", "udsadmin.socket").well()
    rig.package.upgrade("new").well()
    equal(rig.systemctl("is-enabled", "udsadmin.socket").text, "disabled", "the socket")
    equal([rig.is_active(unit) for unit in (*SOCKETS, *PROGRAMS)], [False] * 4, "active")


@scenario
def an_upgrade_puts_no_policy_in_force_that_nobody_has_reloaded(rig):
    installed(rig)
    policy = edited(rig)
    ask(rig, "alice", "say hello\n").must_be(200)
    pids = [rig.pid(unit) for unit in PROGRAMS]
    rig.put(POLICY, "[allow")
    rig.package.upgrade("new").well()
    until(lambda: "policy in its files" in rig.show(PROGRAMS[1], "StatusText"), "systemctl status says what is missing")
    ask(rig, "alice", "say hello\n").must_be(200)
    equal([rig.pid(unit) for unit in PROGRAMS], pids, "who serves")
    rig.put(POLICY, policy)
    until(lambda: not rig.is_active(PROGRAMS[0]), "udsadmind has made way")
    ask(rig, "alice", "say hello\n").must_be(200)


@scenario
def what_was_removed_serves_again_once_it_is_installed_again(rig):
    installed(rig)
    policy = edited(rig)
    rig.package.remove().well()
    installed(rig)
    if not rig.package.purges:
        rig.root("mv", f"{POLICY}.rpmsave", POLICY).well()
    equal(rig.root("cat", POLICY).out.decode(), policy, "the edited policy")
    ask(rig, "alice", "say hello\n").must_be(200)


@scenario
def removing_waits_for_what_runs_and_keeps_what_is_the_administrators(rig):
    installed(rig)
    policy = edited(rig)
    ask(rig, "alice", "say hello id=known\n").must_be(200)
    rig.put("/etc/udsadmin/policy.d/own.toml", "")
    with rig.session("alice") as session:
        session.say("mute\n")
        rig.events("started", 2)
        rig.package.remove().well()
        session.final().must_be(200, "exit", code="0")
    kept = POLICY if rig.package.purges else f"{POLICY}.rpmsave"
    equal(rig.root("cat", kept).out.decode(), policy, "the edited policy")
    holds(rig.exists("/etc/udsadmin/policy.d/own.toml"), "the administrator's own file is gone")
    equal(rig.processes("udsadmin-broker|udsadmind"), "", "processes")
    equal([rig.exists(path) for path in ("/run/udsadmin", "/usr/bin/udsadmin", "/usr/libexec/udsadmin")], [False] * 3, "left")


@scenario
def a_user_who_is_there_already_serves_and_stays(rig):
    rig.shell("groupadd --system udsadmin && useradd --system --gid udsadmin --home-dir /srv/own udsadmin").well()
    entry = rig.root("getent", "passwd", "udsadmin").text
    done = rig.package.install("old").well()
    if rig.package.purges:
        holds(b"a user udsadmin already" in done.err + done.out, "the installation says nothing of the user")
    serves(rig)
    goes(rig)
    equal(rig.root("getent", "passwd", "udsadmin").text, entry, "the user")


@scenario
def a_user_without_a_group_of_its_name_stays_and_the_group_goes(rig):
    rig.root("useradd", "--system", "--gid", "nogroup", "--home-dir", "/srv/own", "udsadmin").well()
    entry = rig.root("getent", "passwd", "udsadmin").text
    rig.package.install("old").well()
    serves(rig)
    goes(rig)
    if rig.package.purges:
        equal(rig.root("getent", "group", "udsadmin").text, "", "the group")
    equal(rig.root("getent", "passwd", "udsadmin").text, entry, "the user")


@scenario
def a_group_that_is_there_already_becomes_the_users_and_stays(rig):
    rig.root("groupadd", "--system", "udsadmin").well()
    entry = rig.root("getent", "group", "udsadmin").text
    done = rig.package.install("old").well()
    if rig.package.purges:
        holds(b"a group udsadmin already" in done.err + done.out, "the installation says nothing of the group")
    serves(rig)
    equal(rig.root("id", "-gn", "udsadmin").text, "udsadmin", "the user's group")
    goes(rig)
    equal(rig.root("getent", "group", "udsadmin").text, entry, "the group")


@scenario
def a_system_whose_usr_can_not_be_written_is_left_as_it_was(rig):
    before = listed(rig)
    rig.shell("mount --bind /usr /usr && mount -o remount,ro,bind /usr").well()
    try:
        done = rig.package.install("old")
    finally:
        rig.root("umount", "--lazy", "/usr").well()
    holds(done.code != 0 and rig.package.unwritable in done.err + done.out, f"no clear error: {done.err[-600:]}")
    holds(not rig.package.is_installed(), "it counts as installed")
    if rig.package.purges:
        rig.package.purge()
    ours = [line for line in sorted(listed(rig) - before) if not line.startswith("udsadmin:")]
    equal(ours, [], "left of it")


@scenario
def without_systemd_as_process_1_it_is_installed_for_the_next_boot(rig):
    image = "/run/image"
    rig.shell(
        f"mkdir -p {image} && mount -t tmpfs image {image} && mkdir {image}/upper {image}/work {image}/root"
        f" && mount -t overlay -o lowerdir=/,upperdir={image}/upper,workdir={image}/work image {image}/root"
        f" && mount -t proc proc {image}/root/proc && mount -t tmpfs run {image}/root/run && mkdir -p {image}/root/dev"
        f" && mount --bind /dev {image}/root/dev"
    ).well()
    try:
        rig.package.install_into(f"{image}/root").well()
        link = f"{image}/root/etc/systemd/system/sockets.target.wants/udsadmin.socket"
        holds(rig.root("test", "-L", link).code == 0, "the socket is not enabled")
        holds("udsadmin:" in rig.shell(f"chroot {image}/root getent passwd udsadmin").text, "there is no user")
        equal(rig.processes("udsadmin-broker|udsadmind"), "", "processes")
        holds(not rig.exists(f"{image}/root/run/udsadmin"), "a socket was made")
    finally:
        rig.shell(f"umount -R {image}/root; umount {image}").well()
