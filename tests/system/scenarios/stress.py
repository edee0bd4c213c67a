"""Many jobs, at once and one after another: all of them are answered, and nothing is left of any."""

import json

from machine import TOOLS, equal, holds, until

from . import scenario
from .bounds import MEMORY, no_trace, policy, script

# One after another, half of them over one connection.
SERIES = 10_000

# At once, of four users.
CROWD = 200

# Results that are kept of one user (src/broker/jobs.rs), and what may be open for a moment besides.
KEPT = 128
SLACK = 8


def census(rig):
    return json.loads(rig.root(f"{TOOLS}/census").well().text)


def series(rig, number, request):
    answered = rig.run(f"{TOOLS}/series", str(number), request, user="alice", seconds=300).well()
    equal(answered.text, str(number), "answered 200")


def counts(found):
    return {key: value for key, value in found.items() if key != "memory"}


@scenario
def two_hundred_jobs_run_at_once_and_all_are_answered(rig):
    rig.policy(policy(("wait", script("echo ready; until [ -e /run/marks/go ]; do sleep 0.2; done"))).replace(
        'groups = ["webops"]', 'groups = ["webops", "wheel"]\nusers = ["carol"]'
    ))
    users = ("alice", "bob", "carol", "wendy")
    crowds = [rig.start(user, f"{TOOLS}/crowd", str(CROWD // len(users)), "wait") for user in users]
    equal([crowd.stdout.readline() for crowd in crowds], [b"ready\n"] * len(users), "all of them run")
    equal(census(rig)["cgroups"], CROWD, "cgroups of jobs")
    rig.root("touch", "/run/marks/go").well()
    equal([crowd.communicate()[0] for crowd in crowds], [b"%d\n" % (CROWD // len(users))] * len(users), "answered 200")
    until(lambda: census(rig)["cgroups"] == 0, "no cgroup is left")


@scenario
def ten_thousand_jobs_one_after_another_leave_nothing(rig):
    rig.policy(policy(("true", 'exec = ["/usr/bin/true"]\nkeep = { time = "0s" }')))
    series(rig, 200, "true")
    before = census(rig)
    series(rig, SERIES, "true")
    until(lambda: counts(census(rig)) == counts(before), f"as before: {before}, and not {census(rig)}")
    after = census(rig)
    holds(max(after["memory"].values()) < MEMORY, f"memory in KiB: {after['memory']}, {before['memory']} before")
    no_trace(rig)


@scenario
def results_that_are_kept_are_so_many_and_no_more(rig):
    rig.policy(policy(("say", 'exec = ["/usr/bin/echo", "kept"]')))
    series(rig, 10, "say")
    before = census(rig)
    series(rig, 1000, "say")
    after = census(rig)
    grown = after["descriptors"]["udsadmin-broker.service"] - before["descriptors"]["udsadmin-broker.service"]
    holds(KEPT // 2 < grown <= KEPT + SLACK, f"descriptors of the broker: {grown} more")
    equal([after[key] for key in ("zombies", "cgroups")], [0, 0], "zombies and cgroups")
    holds(max(after["memory"].values()) < MEMORY, f"memory in KiB: {after['memory']}")
