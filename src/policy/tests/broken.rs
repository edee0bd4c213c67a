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
