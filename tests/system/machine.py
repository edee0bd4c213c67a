"""One booted rig: commands as its users, requests through real clients, its journal, its units."""

import json
import os
import pathlib
import select
import subprocess
import time

from package import package_of
from wire import Reply

HERE = pathlib.Path(__file__).resolve().parent
RIG = str(HERE.parent / "rig" / "rig")
DOOR = "/run/udsadmin/udsadmin.sock"
BROKER = "/run/udsadmin/broker.sock"
TOOLS = "/usr/libexec/udsadmin-tests"
POLICY = "/etc/udsadmin/policy.toml"
PROGRAMS = ("udsadmin.service", "udsadmin-broker.service")
SOCKETS = ("udsadmin.socket", "udsadmin-broker.socket")
PATIENCE = 30  # seconds until a condition that must come counts as missing


def until(condition, what, seconds=PATIENCE):
    """Waits for a condition to hold; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.02)
    return value


def equal(got, wanted, what="value"):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {str(wanted)[:600]!r}, got {str(got)[:600]!r}")


def holds(fact, what):
    if not fact:
        raise AssertionError(what)


def octets(text):
    return text if isinstance(text, bytes) else text.encode()


class Result:
    """How a command in the rig ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def text(self):
        return self.out.decode(errors="replace").strip()

    def well(self):
        if self.code != 0:
            raise AssertionError(f"exit {self.code}: {self.out[-400:]!r} {self.err[-400:]!r}")
        return self


class Session:
    """A client that stays connected: socat, run as a user of the rig."""

    def __init__(self, machine, user):
        command = machine.as_user(user, ["socat", "-", f"UNIX-CONNECT:{DOOR}"])
        self.client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.kill()
        self.client.stdin.close()
        self.client.stdout.close()
        self.client.wait()

    def say(self, text):
        self.client.stdin.write(octets(text))

    def hear(self, enough, what):
        """Reads until a condition on what was heard, or the end."""
        deadline = time.monotonic() + PATIENCE
        while not enough(self.heard):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.client.stdout], [], [], left)[0]:
                raise AssertionError(f"waited in vain for {what}, heard {self.heard[:400]!r}")
            piece = self.client.stdout.read(65536)
            if not piece:
                break
            self.heard += piece
        return self.heard

    def final(self):
        """Everything up to the next final line."""

        def ends(heard):
            return any(line[:3].isdigit() for line in heard.split(b"\n")[:-1])

        self.hear(ends, "a final line")
        lines = self.heard.split(b"\n")
        count = next((i for i, line in enumerate(lines[:-1]) if line[:3].isdigit()), len(lines) - 1)
        reply, self.heard = lines[: count + 1], b"\n".join(lines[count + 1 :])
        return Reply(b"\n".join(reply) + (b"\n" if reply[-1] else b""))

    def rest(self):
        """Everything up to the end of the connection."""
        self.hear(lambda _: False, "the end of the connection")
        return Reply(self.heard)


class Machine:
    """A rig with the staged tree laid over it and the test's users in it."""

    def __init__(self, suite, ground="fresh"):
        self.suite = suite
        self.ground = ground  # the tool that brings it back to the start
        self.package = package_of(self)
        self.name = f"{suite}-{os.getpid()}"
        self.cursor = None
        self.holder = None

    # --- its life ---

    def boot(self):
        self.holder = subprocess.Popen(
            [RIG, "hold", self.name, self.suite],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # ends by the end of its input, not by a Ctrl-C that it would share
        )
        if self.holder.stdout.readline() != b"ready\n":
            raise AssertionError(f"the {self.suite} rig did not boot")

    def furnish(self, tree):
        subprocess.run([RIG, "copy", self.name, tree], check=True)
        self.root(f"{TOOLS}/furnish").well()

    def shut(self):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()

    def fresh(self):
        """Back to the start: the test policy, both programs running and idle; or no udsadmin at all."""
        self.root(f"{TOOLS}/{self.ground}").well()
        self.since_now()

    # --- commands ---

    def as_user(self, user, command, login=False):
        return [RIG, "exec", self.name, "-u", user, *(["-l"] if login else []), *command]

    def run(self, *command, user="root", given=b"", login=False, seconds=120):
        """In a unit of its own, as that user."""
        return self._do(self.as_user(user, command, login), given, seconds)

    def root(self, *command, given=b"", seconds=120):
        """As root, by the quick way in."""
        return self._do([RIG, "root", self.name, *command], given, seconds)

    def _do(self, command, given, seconds):
        return Result(subprocess.run(command, input=octets(given), capture_output=True, timeout=seconds, check=False))

    def start(self, user, *command):
        """Starts a command and leaves it running."""
        return subprocess.Popen(self.as_user(user, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def shell(self, script):
        return self.root("sh", "-c", script)

    def systemctl(self, *words):
        return self.root("systemctl", *words)

    # --- requests ---

    def ask(self, user, text, login=False, patience=None):
        """What a person does: printf '…' | socat - UNIX-CONNECT:…"""
        patient = ["-t", str(patience)] if patience else []
        done = self.run("socat", *patient, "-", f"UNIX-CONNECT:{DOOR}", user=user, given=text, login=login).well()
        return Reply(done.out)

    def session(self, user):
        return Session(self, user)

    def marked(self, name):
        """Whether the command `mark NAME` ran."""
        return self.root("test", "-e", f"/run/marks/{name}").code == 0

    def no_mark(self, name):
        holds(not self.marked(name), f"mark {name} ran")

    # --- files ---

    def put(self, path, text, mode="0644"):
        self.root("sh", "-c", 'cat >"$1" && chmod "$2" "$1"', "sh", path, mode, given=text).well()

    def policy(self, text, daemon_too=True):
        """Replaces the policy, for programs that start on demand from here on."""
        self.put(POLICY, text)
        self.systemctl("stop", *(PROGRAMS if daemon_too else PROGRAMS[1:])).well()

    def drop_in(self, unit, text):
        directory = f"/run/systemd/system/{unit}.d"
        self.root("mkdir", "-p", directory).well()
        self.put(f"{directory}/test.conf", text)
        self.systemctl("daemon-reload").well()
        self.cold()

    # --- units ---

    def cold(self):
        """Stops both programs; their sockets listen."""
        self.systemctl("stop", *PROGRAMS).well()

    def show(self, unit, key):
        return self.systemctl("show", "--value", "-p", key, unit).well().text

    def pid(self, unit):
        return int(self.show(unit, "MainPID"))

    def is_active(self, unit):
        return self.show(unit, "ActiveState") == "active"

    def kill(self, unit, signal):
        self.systemctl("kill", "--kill-whom=main", f"--signal={signal}", unit).well()

    def exists(self, path):
        return self.root("test", "-e", path).code == 0

    def processes(self, pattern):
        """The processes whose command line holds a text."""
        return self.root("pgrep", "-f", pattern).text

    # --- the journal ---

    def settled(self):
        """Waits until the journal has all that was sent to it; gives the cursor of that moment."""
        return self.root(f"{TOOLS}/settle").well().text

    def since_now(self):
        self.cursor = self.settled()

    def journal(self, **wanted):
        """Entries since the scenario began, as objects; with these fields."""
        self.settled()
        command = ["journalctl", f"--after-cursor={self.cursor}", "-o", "json", "--all", "--no-pager"]
        entries = [json.loads(line) for line in self.root(*command).well().out.splitlines()]
        # Not by matches of journalctl, which lose the first entry after a cursor on systemd 252.
        return [entry for entry in entries if all(entry.get(key) == value for key, value in wanted.items())]

    def complaints(self, **wanted):
        """What was said since the scenario began, at the level of an error (syslog(3))."""
        return [entry["MESSAGE"] for entry in self.journal(**wanted) if int(entry.get("PRIORITY", "6")) <= 3]

    def events(self, kind, count=1):
        """The audit's events of one kind since the scenario began; waits for that many."""

        def enough():
            found = self.journal(UDSADMIN_EVENT=kind)
            return found if len(found) >= count else None

        return until(enough, f"the journal has {count} events {kind}")

    def no_event(self, kind):
        """To be asked after the reply: the record is written before it."""
        equal(self.journal(UDSADMIN_EVENT=kind), [], f"events {kind}")
