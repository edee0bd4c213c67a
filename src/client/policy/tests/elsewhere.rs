//! Questions to a policy that is for another machine.

use super::{Cli, Parser, asked};

/// A policy of users, groups and programs that are not here.
const FOREIGN: &str = r#"
[allow]
groups = ["no-such-web", "no-such-dba"]

[deny]
users = ["no-such-mallory"]

[commands.restart]
exec = ["/no/such/restart", "--", "{unit}"]
args = [{ name = "unit", one-of = ["a", "b"] }]
run-as = "no-such-www"
[[commands.restart.allow]]
groups = ["no-such-web"]

[commands.own]
exec = ["/no/such/own", "--", "{who}"]
args = [{ name = "who", user = true }]
[[commands.own.allow]]
groups = ["no-such-web"]

[[test]]
peer = { user = "no-such-alice", groups = ["no-such-web"] }
request = "restart a"
expect = "permit"
[[test]]
peer = { user = "no-such-alice", groups = ["no-such-dba"] }
request = "restart a"
expect = "deny"
"#;

#[test]
fn names_of_another_machine_are_told_apart_by_why() {
    for (who, status) in [
        ("no-such-alice:no-such-web", 0),
        ("no-such-alice:no-such-dba", 1),
        ("no-such-alice:no-such-third", 1),
        ("no-such-mallory:no-such-web", 1),
    ] {
        let (code, out, err) =
            asked("elsewhere", FOREIGN, &["why", "--elsewhere", "--as", who, "restart", "a"]);
        assert_eq!((code, &*err), (status, ""), "{who} {out}");
        assert!(out.starts_with(who.split(':').next().unwrap()), "{out}");
    }
    let here = asked("not-elsewhere", FOREIGN, &["why", "--as", "no-such-alice:no-such-web", "restart", "a"]);
    assert_eq!(here.0, 78);
}

#[test]
fn what_another_machine_has_is_not_looked_for_on_this_one() {
    let words = ["why", "--elsewhere", "--as", "no-such-alice:no-such-web", "own", "no-such-bob"];
    let (status, out, _) = asked("unseen", FOREIGN, &words);
    assert!(status == 0 && out.contains("unseen"), "{out}");
    assert!(out.contains("the policy is for another machine"), "{out}");
}

#[test]
fn a_policy_of_another_machine_passes_its_tests_and_is_linted() {
    let (status, out, _) = asked("test-elsewhere", FOREIGN, &["test", "--elsewhere"]);
    assert!(status == 0 && out.ends_with("2 passed, 0 failed\n"), "{out}");
    let (status, out, err) = asked("lint-elsewhere", FOREIGN, &["lint", "--elsewhere", "--level", "warning"]);
    assert_eq!((status, &*out, &*err), (0, "nothing found\n", ""));
}

#[test]
fn the_installed_policy_is_that_of_this_machine() {
    assert!(Cli::try_parse_from(["udsadmin", "lint", "--elsewhere"]).is_err());
}
