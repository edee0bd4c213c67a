//! Mistakes between files, and a user database that gives no answer. Mistakes of one file are in tests/policies/broken.

use super::*;

/// The findings of a policy of several files.
fn findings_of(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(name, text)| source(name, text)).collect();
    let findings = Policy::parse(&sources, &Table).map_or_else(|errors| errors, |loaded| loaded.warnings);
    findings.iter().map(ToString::to_string).collect()
}

const DEFINITION: &str = "\n[commands.a]\nexec = [\"/bin/a\"]\n";
const RULE: &str = "[[commands.a.allow]]\nusers = [\"alice\"]\n";

#[test]
fn a_command_is_defined_in_one_file_only() {
    assert_eq!(
        findings_of(&[("one.toml", DEFINITION), ("two.toml", &format!("{DEFINITION}{RULE}"))]),
        ["two.toml:2:11: error: command \"a\" is already defined at one.toml:2"]
    );
}

#[test]
fn a_second_definition_counts_also_when_the_first_has_an_error() {
    let broken = DEFINITION.replace("/bin/a", "a");
    assert_eq!(
        findings_of(&[("one.toml", &broken), ("two.toml", DEFINITION), ("three.toml", RULE)]),
        [
            "one.toml:3:9: error: the program's path is absolute: it begins with '/'",
            "two.toml:2:11: error: command \"a\" is already defined at one.toml:2",
        ]
    );
}

#[test]
fn one_file_says_nothing_else_of_limits_than_another() {
    let (required, best_effort) = ("cgroup-limits = \"required\"\n", "cgroup-limits = \"best-effort\"\n");
    assert_eq!(findings_of(&[("one.toml", best_effort), ("two.toml", best_effort)]), Vec::<String>::new());
    assert_eq!(
        findings_of(&[("one.toml", required), ("two.toml", best_effort)]),
        ["two.toml:1:17: error: cgroup-limits are said to be otherwise at one.toml:1"]
    );
}

#[test]
fn any_file_may_add_rules_to_a_command() {
    assert_eq!(findings_of(&[("one.toml", RULE), ("two.toml", DEFINITION)]), Vec::<String>::new());
    assert_eq!(findings_of(&[("one.toml", RULE)]), ["one.toml:1:12: error: no file defines command \"a\""]);
}

#[test]
fn each_file_that_is_no_toml_is_told() {
    assert_eq!(
        findings_of(&[("one.toml", "a = [1"), ("two.toml", RULE), ("three.toml", "a = \"x\ny\"")]),
        [
            "one.toml:1:7: error: a list without its closing ']'",
            "three.toml:1:7: error: a string without its closing '\"'",
        ]
    );
}

#[test]
fn sections_of_several_files_are_united() {
    let files = ["alice", "bob"].map(|user| source(user, &format!("[allow]\nusers = [{user:?}]\n")));
    let policy = Policy::parse(&files, &Table).unwrap().policy;
    for user in ["alice", "bob"] {
        let crate::policy::Admission::Admitted { rule } = policy.admits(&peer(user, &[])) else { panic!() };
        assert_eq!(rule.to_string(), format!("{user}:2"));
    }
}

#[test]
fn who_can_not_be_looked_up_is_an_error_also_where_nobody_of_that_name_would_be_none() {
    let flaky = |word: &str| format!("error: {word} \"flaky\" can't be looked up: too many open files");
    for (text, place, word) in [
        (format!("{DEFINITION}run-as = \"flaky\"\n"), "4:10", "user"),
        ("[allow]\nusers = [\"flaky\"]\n".to_owned(), "2:10", "user"),
        ("[deny]\ngroups = [\"flaky\"]\n".to_owned(), "2:11", "group"),
    ] {
        assert_eq!(findings_of(&[("one.toml", &text)]), [format!("one.toml:{place}: {}", flaky(word))]);
    }
}

#[test]
fn a_role_is_defined_in_one_file_only_and_used_in_any() {
    let role = "[roles.web]\nusers = [\"alice\"]\n";
    let used = "[allow]\nroles = [\"web\"]\n";
    assert_eq!(findings_of(&[("one.toml", used), ("two.toml", role)]), Vec::<String>::new());
    assert_eq!(
        findings_of(&[("one.toml", role), ("two.toml", used), ("three.toml", role)]),
        ["three.toml:1:8: error: role \"web\" is already defined at one.toml:1"]
    );
    let broken = role.replace("users", "user");
    assert_eq!(findings_of(&[("one.toml", &broken), ("two.toml", used), ("three.toml", role)]).len(), 3);
}

#[test]
fn a_name_that_nobody_has_is_an_error_in_a_role_that_any_file_denies() {
    let role = "[roles.out]\nusers = [\"ghost\"]\n";
    let allow = "[allow]\nroles = [\"out\"]\n";
    let warning = "one.toml:2:10: warning: no such user: \"ghost\"; this matches nobody";
    assert_eq!(findings_of(&[("one.toml", role), ("two.toml", allow)]), [warning]);
    let deny = allow.replace("allow", "deny");
    assert_eq!(
        findings_of(&[("one.toml", role), ("two.toml", allow), ("three.toml", &deny)]),
        ["one.toml:2:10: error: no such user: \"ghost\""]
    );
}

#[test]
fn without_the_machines_zone_a_time_must_name_one() {
    struct Nowhere;
    impl Names for Nowhere {
        fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
            Table.uid_of(user)
        }

        fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
            Table.gid_of(group)
        }

        fn zone_here(&self) -> Result<jiff::tz::TimeZone, LookupFailed> {
            Err(LookupFailed("no such file".to_owned()))
        }
    }
    let text = "[[builtins.status.allow]]\nusers = [\"alice\"]\nduring = \"08:00-18:00\"\n";
    let load = |text: &str| Policy::parse(&[source("p", text)], &Nowhere);
    assert_eq!(
        load(text).unwrap_err()[0].to_string(),
        "p:3:10: error: the machine's time zone can't be told: no such file; name one, like Europe/Berlin"
    );
    assert!(load(&text.replace("18:00", "18:00 Asia/Kathmandu")).is_ok());
}
