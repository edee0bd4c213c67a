//! Differences in what an argument may be, and in how it comes to the program.

use super::*;

#[test]
fn a_type_is_told_in_words_unless_it_holds_the_other() {
    let one_of = "one-of = [\"nginx.service\", \"sshd.service\"]";
    assert_eq!(
        changed(one_of, "pattern = \"[a-z]+.service\"")[..1],
        ["+ group wheel  restart  unit=text that matches [a-z]+.service"]
    );
    let typed = |from: &str, to: &str| {
        let base = |kind: &str| {
            format!(
                "[allow]\nusers = [\"bob\"]\n[commands.a]\nexec = [\"/bin/a\", \"{{x}}\"]\n\
                 args = [{{ name = \"x\", {kind} }}]\n[[commands.a.allow]]\nusers = [\"bob\"]\n"
            )
        };
        let told = lines(&base(from), &base(to));
        told.iter().map(|line| line.replace("user bob  a  x=", "")).collect::<Vec<_>>()
    };
    for (from, to, expected) in [
        (
            "integer = { min = 1, max = 9 }",
            "integer = { min = 5, max = 12 }",
            &["+ an integer from 10 to 12", "- an integer from 1 to 4"][..],
        ),
        ("integer = { max = 9 }", "integer = { max = 10 }", &["+ 10"]),
        (
            "text = { max-length = 9 }",
            "text = { max-length = 12 }",
            &["+ text of at most 12 characters, except text of at most 9 characters"],
        ),
        (
            "text = { max-length = 9, characters = \"[a-z]\" }",
            "text = { max-length = 9 }",
            &["+ text of at most 9 characters, except text of at most 9 characters, each of [a-z]"],
        ),
        ("duration = { max = \"1h\" }", "duration = { max = \"60min\" }", &[]),
        (
            "duration = { max = \"1h\" }",
            "duration = { min = \"1s\", max = \"2h\" }",
            &["+ a duration from 1s to 2h", "- a duration of at most 1h"],
        ),
        (
            "unit = true",
            "unit = { types = [\"socket\"] }",
            &["- a unit name, except a unit name of type socket"],
        ),
        ("pattern = \"a+\"", "pattern = \"b+\"", &["+ text that matches b+", "- text that matches a+"]),
        ("pattern = \"a+\"", "pattern = \"a+\", dash = true", &["+ text that matches a+, with '-' in front"]),
        ("hostname = true", "one-of = [\"localhost\", \"a b\"]", &["+ \"a b\"", "- a host name"]),
        (
            "path = { under = [\"/srv\"] }",
            "path = { under = [\"/srv\", \"/var/x\"] }",
            &[
                "+ the path of an existing file under /srv or /var/x, except the path of an existing file under /srv",
            ],
        ),
        (
            "user = true",
            "user = { min-uid = 1000 }",
            &[
                "- the name of an existing user, except the name of an existing user with a uid of at least 1000",
            ],
        ),
        (
            "user = { groups = [\"dba\"] }",
            "user = { groups = [\"dba\", \"webops\"] }",
            &[
                "+ the name of an existing user in group dba or webops, except the name of an existing user in group dba",
            ],
        ),
        (
            "path = { under = [\"/srv\"] }",
            "path = { under = [\"/srv/a\"] }",
            &["- the path of an existing file under /srv, except the path of an existing file under /srv/a"],
        ),
        (
            "path = { under = [\"/srv\"] }",
            "path = { under = [\"/srva\"] }",
            &["+ the path of an existing file under /srva", "- the path of an existing file under /srv"],
        ),
        ("group = true", "group = true", &[]),
        (
            "unit = true, repeat = { max = 3 }",
            "unit = true, repeat = { max = 2 }",
            &["- a unit name (1 to 3 of these)"],
        ),
        (
            "one-of = [\"a\"], repeat = true",
            "one-of = [\"a\", \"b\"], repeat = true",
            &["+ a,b (1 to 64 of these)"],
        ),
        ("boolean = true", "boolean = true, default = true", &["+ (left out: true)"]),
        (
            "boolean = true, default = true",
            "boolean = true, optional = true",
            &["+ (left out)", "- (left out: true)"],
        ),
    ] {
        assert_eq!(typed(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn durations_are_the_same_in_every_spelling() {
    let base = |when: &str, kind: &str| {
        format!(
            "[allow]\nusers = [\"bob\"]\n[commands.a]\nexec = [\"/bin/a\", \"{{x}}\"]\n\
             args = [{{ name = \"x\", {kind} }}]\n[[commands.a.allow]]\nusers = [\"bob\"]\n{when}"
        )
    };
    let when = |values: &str| base(&format!("when.x = [{values}]\n"), "duration = {}");
    assert_eq!(lines(&when("\"1h\""), &when("\"60min\"")), Vec::<String>::new());
    assert_eq!(lines(&when("\"1h\""), &when("\"60min\", \"90s\"")), ["+ user bob  a  x=\"1m 30s\""]);
    assert_eq!(lines(&base("", "one-of = [\"1h\"]"), &when("\"1h\"")), ["+ user bob  a  x=1h"]);
}

#[test]
fn a_value_that_comes_to_the_program_in_another_way_is_something_else() {
    let base = |pass: &str| {
        format!(
            "[allow]\nusers = [\"bob\"]\n[commands.a]\nexec = [\"/bin/a\", \"{{x}}\"]\n\
             args = [{{ name = \"x\", path = {{ under = [\"/srv\"]{pass} }} }}]\n[[commands.a.allow]]\nusers = [\"bob\"]\n"
        )
    };
    let told = lines(&base(""), &base(", pass = \"fd\""));
    assert!(told.len() == 2 && told.iter().all(|line| line.contains("something else (args)")), "{told:?}");
    assert!(told[0].contains("as root, x by descriptor)") && told[1].contains("as root)"), "{told:?}");
}
