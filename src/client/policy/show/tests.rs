//! What is shown is the policy again: of files of all kinds, and of generated ones.

use super::*;
use crate::policy::{Diagnostic, Diff, Loaded, diff};
use proptest::prelude::*;
use proptest::sample::select;
use std::path::Path;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn loaded(sources: &[Source]) -> Result<Loaded, Vec<Diagnostic>> {
    Policy::parse(sources, &Review::of(&Database))
}

fn shown(sources: &[Source]) -> String {
    let policy = loaded(sources).unwrap_or_else(|errors| panic!("{errors:#?}\n{sources:#?}")).policy;
    answer(sources, &policy).people
}

/// The text without the comments, which are about the files that were.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Everything that a policy's commands and tests hold, but not where it stands.
fn held(loaded: &Loaded) -> String {
    let places = regex::Regex::new(
        r#"Origin\((None|Some\(\("[^"]*", \d+\)\))\)|place: [^ ,}]+|element_places: \[[^]]*\]"#,
    )
    .unwrap();
    let text = format!("{:?} {:?}", loaded.policy.commands().collect::<Vec<_>>(), loaded.tests);
    places.replace_all(&text, "").into_owned()
}

/// Shows the policy, and shows what is shown.
fn is_shown_as_it_is(sources: &[Source]) -> Result<(), TestCaseError> {
    let first = shown(sources);
    let again = [source("shown.toml", &first)];
    let names = Review::of(&Database);
    let parsed = |sources: &[Source]| Policy::parse(sources, &names);
    let was = parsed(sources).unwrap();
    let is = parsed(&again).map_err(|errors| TestCaseError::fail(format!("{errors:#?}\n{first}")))?;
    prop_assert_eq!(diff(&was.policy, &is.policy), Diff::default(), "{}", &first);
    prop_assert_eq!(held(&was), held(&is), "{}", &first);
    let second = shown(&again);
    prop_assert_eq!(lines(&second), lines(&first));
    Ok(())
}

const MAIN: &str = r#"
audit = "required"
[allow]
groups = ["wheel"]
[commands."db.dump"]
exec = ["/bin/dump", "{{\"}}", '\d', "{n}"]
args = [{ name = "n", integer = { max = 0x10, min = 1 } }]
timeout = "infinity"
[[test]]
peer = { user = "a", groups = ["b"] }
request = "db.dump 1"
expect = "deny"
"#;

const DROP_IN: &str = r#"
commands.restart.exec = ["/bin/restart", "{a}", "{b}"]
commands.restart.args = [{ name = "a", pattern = '[a-z]\.x' }, { name = "b", one-of = ["ö", "\u202e"] }]
[[commands."db.dump".allow]]
users = ["root", 7]
when.n = [1, 0x2]
[allow]
users = [7]
groups = ["wheel", "it's"]
[[builtins.status.allow]]
groups = ["wheel"]
[[builtins.reload.allow]]
groups = ["wheel"]
"#;

#[test]
fn each_section_is_told_with_its_place_and_what_counts_by_default() {
    let text = shown(&[source("policy.toml", MAIN), source("policy.d/a.toml", DROP_IN)]);
    let expected = r#"audit = "required"

# from policy.toml:3, policy.d/a.toml:7
[allow]
users = [7]
groups = ["wheel", "it's"]

# from policy.d/a.toml:10
[[builtins.status.allow]]
groups = ["wheel"]

# from policy.d/a.toml:12
[[builtins.reload.allow]]
groups = ["wheel"]

# from policy.toml:5
[commands."db.dump"]
exec = ["/bin/dump", '{{"}}', '\d', "{n}"]
args = [{ name = "n", integer = { max = 16, min = 1 } }]
timeout = "infinity"
# run-as = "root", by default
# stdin = "none", by default

# from policy.d/a.toml:4
[[commands."db.dump".allow]]
users = ["root", 7]
when.n = [1, 2]

# from policy.d/a.toml:2
[commands.restart]
exec = ["/bin/restart", "{a}", "{b}"]
args = [
    { name = "a", pattern = '[a-z]\.x' },
    { name = "b", one-of = ["ö", "\U0000202e"] },
]
# run-as = "root", by default
# timeout = "10m", by default
# stdin = "none", by default

# from policy.toml:9
[[test]]
peer = { user = "a", groups = ["b"] }
request = "db.dump 1"
expect = "deny"
"#;
    assert_eq!(text, expected);
}

#[test]
fn gates_that_say_more_than_whom_stay_apart() {
    let one = source("a.toml", "[roles.r]\nusers = [7]\n[allow]\nusers = [8]\n[deny]\nroles = ['r']\n");
    let two = source("b.toml", "[[allow]]\ngroups = [9]\ngroups-from = \"database\"\n[deny]\nusers = [10]\n");
    let expected = r#"# from a.toml:1
[roles.r]
users = [7]

# from a.toml:3
[[allow]]
users = [8]

# from b.toml:1
[[allow]]
groups = [9]
groups-from = "database"

# from a.toml:5, b.toml:4
[deny]
users = [10]
roles = ["r"]
"#;
    assert_eq!(shown(&[one, two]), expected);
}

#[test]
fn programs_get_the_same_with_places() {
    let sources = [source("policy.toml", MAIN), source("a.toml", DROP_IN)];
    let told = answer(&sources, &loaded(&sources).unwrap().policy).json;
    assert_eq!(told["audit"], "required");
    assert_eq!(
        told["allow"][1],
        serde_json::json!({ "users": [7], "groups": ["wheel", "it's"], "at": "a.toml:7" })
    );
    assert_eq!(told["commands"]["db.dump"]["at"], "policy.toml:5");
    assert_eq!(
        told["commands"]["db.dump"]["defaults"],
        serde_json::json!({ "run-as": "root", "stdin": "none" })
    );
    assert_eq!(told["commands"]["db.dump"]["allow"][0]["at"], "a.toml:4");
    assert_eq!(told["commands"]["db.dump"]["allow"][0]["when"]["n"], serde_json::json!([1, 2]));
    assert_eq!(told["test"][0]["at"], "policy.toml:9");
}

#[test]
fn every_policy_of_the_project_is_shown_as_it_is() {
    let mut seen = 0;
    for directory in ["config", "config/examples", "tests/policies", "tests/policies/unions"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let sources = [source("p.toml", &text)];
            if path.extension().is_some_and(|end| end == "toml") && loaded(&sources).is_ok() {
                is_shown_as_it_is(&sources).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

/// Text as TOML writes it, by the library.
fn quoted(text: &str) -> String {
    ::toml::Value::String(text.to_owned()).to_string()
}

fn section(header: &'static str) -> impl Strategy<Value = String> {
    let names = || prop::collection::vec(select(&["root", "a b", "it's", "\"", "ö", "\\"][..]), 0..3);
    let list = |names: Vec<&str>| names.into_iter().map(quoted).collect::<Vec<_>>().join(",");
    (names(), names()).prop_map(move |(users, groups)| {
        format!("{header}\nusers = [{}]\ngroups = [0x7, {}]\n", list(users), list(groups))
    })
}

/// A command with texts of all kinds in it, and rules.
fn command(name: &'static str) -> impl Strategy<Value = String> {
    let text = "[^\\x00{}]{0,12}";
    let values = prop::collection::btree_set("[^\\x00]{0,5}", 1..4);
    let rules = prop::collection::vec((section("allow"), any::<bool>()), 0..3);
    (text, values, rules, select(&["", "timeout = \"90 s\"\n", "rate = \"5/min\"\nmax-running = 3\n", "runner = \"unit\"\nunit = { ReadWritePaths = [\"/a b\"], MemoryMax = 5 }\n", "summary = 'a \"b\" c'\n"][..])).prop_map(
        move |(text, values, rules, more)| {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            let all = values.join(",");
            let rules = rules.iter().map(|(rule, narrow)| {
                let rule = rule.replacen("allow", &format!("[[commands.{name}.allow]]"), 1);
                rule + &if *narrow { format!("when.x = [{}]\n", values[0]) } else { String::new() }
            });
            format!(
                "[commands.{name}]\nexec = [\"/bin/x\", {}, \"{{x}}{{y}}\"]\n{more}\
                 args = [{{ name = \"x\", one-of = [{all}] }}, {{ name = \"y\", integer = {{ max = 0o17 }}, optional = true }}]\n",
                quoted(&text)
            ) + &rules.collect::<String>()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_the_same_policy(
        allows in prop::collection::vec(
            prop_oneof![section("[allow]"), section("[[allow]]").prop_map(|gate| gate + "foreign-namespace = true\n")], 0..3),
        deny in section("[deny]"), one in command("one"), two in command("\"t.w.o\""), status in section("[[builtins.status.allow]]"),
        more in section("[[commands.one.allow]]")
    ) {
        let texts = [allows, vec![more, deny + &one, two + &status]].concat();
        let sources: Vec<Source> = texts.iter().enumerate().map(|(n, text)| source(&format!("{n}.toml"), text)).collect();
        is_shown_as_it_is(&sources)?;
    }
}
