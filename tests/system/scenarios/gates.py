"""Who may do what: the kernel's word on the peer, and the policy's on the request."""

from machine import DOOR, equal, holds

from . import scenario


def refused_at_the_door(reply):
    """One line of 403, then the end."""
    reply.must_be(403, "denied")
    equal(reply.octets.count(b"\n"), 1, "lines")


@scenario
def a_member_by_primary_group_may_run(rig):
    reply = rig.ask("alice", "say hello\n")
    reply.must_be(200, "exit", code="0")
    equal(reply.stdout, b"hello\n", "stdout")


@scenario
def a_member_by_secondary_group_may_run(rig):
    rig.ask("bob", "mark bob\n").must_be(200, "exit", code="0")
    holds(rig.marked("bob"), "the command left its mark")


@scenario
def a_user_by_name_may_run(rig):
    rig.ask("carol", "mark carol\n").must_be(200, "exit", code="0")
    holds(rig.marked("carol"), "the command left its mark")


@scenario
def an_outsider_gets_one_403_line_and_a_close(rig):
    refused_at_the_door(rig.ask("mallory", "mark outsider\nmark outsider\nping\n"))
    rig.no_mark("outsider")
    with rig.session("mallory") as silent:
        refused_at_the_door(silent.rest())


@scenario
def a_denied_user_in_an_allowed_group_is_refused(rig):
    equal(rig.run("id", "-gn", user="dave").text, "webops", "dave's group")
    refused_at_the_door(rig.ask("dave", "mark denied-user\n"))
    rig.no_mark("denied-user")


@scenario
def a_denied_group_beats_an_allowed_one(rig):
    equal(rig.run("id", "-gn", user="erin").text, "webops", "erin's primary group")
    refused_at_the_door(rig.ask("erin", "mark denied-group\n"))
    rig.no_mark("denied-group")


@scenario
def dropping_a_group_evades_no_denial(rig):
    drop = ["setpriv", "--reuid=erin", "--regid=webops", "--clear-groups"]
    equal(rig.root(*drop, "id", "-Gn").text, "webops", "the groups left")
    door = f"UNIX-CONNECT:{DOOR}"
    said = rig.run(*drop, "socat", "-", door, given="mark dropped\n").well().out
    holds(said.startswith(b"403 "), f"refused, not {said!r}")
    rig.no_mark("dropped")


@scenario
def root_is_subject_to_the_policy(rig):
    refused_at_the_door(rig.ask("root", "mark root\n"))
    rig.no_mark("root")


@scenario
def a_group_that_the_process_lacks_gives_nothing(rig):
    drop = ["setpriv", "--reuid=bob", "--regid=bob", "--clear-groups"]
    said = rig.run(*drop, "socat", "-", f"UNIX-CONNECT:{DOOR}", given="mark lacking\n").well().out
    holds(said.startswith(b"403 "), f"refused, not {said!r}")
    rig.no_mark("lacking")


@scenario
def a_command_of_others_and_an_unknown_one_get_the_same_words(rig):
    words = [rig.ask("alice", f"{name}\n").must_be(403, "denied") for name in ("reboot-everything", "reboot-nothing")]
    without_ids = [(w.name, w.text, sorted(set(w.fields) - {"ms", "job"})) for w in words]
    equal(without_ids[0], without_ids[1], "the reply")
    rig.no_mark("reboot-everything")


@scenario
def a_value_that_only_others_may_have_is_a_bad_argument(rig):
    final = rig.ask("alice", "restart php.service\n").must_be(422, "bad-argument", name="unit")
    holds("web.service" in final.text, f"the text says what is allowed: {final.text!r}")
    holds("php.service" not in final.text, f"the text says nothing of what others may: {final.text!r}")


@scenario
def whoami_says_what_the_kernel_says(rig):
    reply = rig.ask("bob", "whoami\n")
    reply.must_be(200, "ok")
    row = reply.rows[0]
    uid, gid = (rig.run("id", flag, user="bob").text for flag in ("-u", "-g"))
    equal((row["user"], row["uid"], row["gid"], row["source"]), ("bob", uid, gid, "kernel"), "who")
    equal(sorted(row["groups"].split(",")), ["bob", "webops"], "groups")


@scenario
def commands_and_help_tell_a_peer_of_its_own_commands_alone(rig):
    reply = rig.ask("alice", "commands\n")
    reply.must_be(200, "ok")
    said = str(reply.rows)
    holds("restart" in said and "reboot-everything" not in said, f"alice's commands: {said}")
    helped = rig.ask("alice", "help\nhelp restart\n")
    helped.must_be_all(200, 200)
    holds(b"restart" in helped.octets and b"reboot-everything" not in helped.octets, "alice's help")
    holds("reboot-everything" in str(rig.ask("wendy", "commands\n").rows), "wendy's commands")


@scenario
def why_explains_and_runs_nothing(rig):
    refused = rig.ask("alice", "why restart php.service\n")
    refused.must_be(200, "ok", decision="deny")
    holds(any(row.get("step") == "argument" and row.get("result") == "no" for row in refused.rows), f"{refused.rows}")
    permitted = rig.ask("alice", "why mark why\n")
    permitted.must_be(200, "ok")
    holds(permitted.finals[0].fields["decision"] != "deny", "it would be permitted")
    holds(any(row.get("group") == "webops" for row in permitted.rows), f"{permitted.rows}")
    rig.no_mark("why")


@scenario
def status_needs_its_grant(rig):
    rig.ask("alice", "status\n").must_be(403, "denied")
    rig.ask("wendy", "status\n").must_be(200, "ok")


@scenario
def a_drop_in_adds_to_the_policy(rig):
    text = '[[commands.mark.allow]]\ngroups = ["wheel"]\n'
    rig.ask("wendy", "mark before\n").must_be(403, "denied")
    rig.put("/etc/udsadmin/policy.d/wheel.toml", text)
    rig.cold()
    rig.ask("wendy", "mark after\n").must_be(200, "exit", code="0")
    rig.no_mark("before")
    holds(rig.marked("after"), "the drop-in's rule permits")


@scenario
def a_peer_in_another_user_namespace_runs_nothing(rig):
    script = f"socat - UNIX-CONNECT:{DOOR}"
    done = rig.run("unshare", "--user", "--map-root-user", "sh", "-c", script, user="alice", given="mark namespace\n")
    equal(done.well().out[:4], b"403 ", "the answer")
    rig.no_mark("namespace")
    rig.ask("alice", "mark own-namespace\n").must_be(200)
