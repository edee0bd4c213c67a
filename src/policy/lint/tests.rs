//! Findings of small policies, as tests/policies/lint-*.cases hold them, and what the documentation says of each kind.

use super::super::kind::ArgumentSpec;
use super::super::tests::{parse, peer, policy, read};
use super::*;
use std::fmt::Write;

/// The argument of a declaration without its name.
pub(super) fn spec(declared: &str) -> ArgumentSpec {
    let text =
        format!("[commands.c]\nexec = [\"/bin/c\", \"{{x}}\"]\nargs = [{{ name = \"x\", {declared} }}]\n");
    policy(&text).commands().next().unwrap().arguments().first().unwrap().clone()
}

/// The user database of the cases.
fn population() -> Vec<Peer> {
    [
        ("bob", &["wheel"][..]),
        ("alice", &["webops"]),
        ("erin", &["webops"]),
        ("carol", &["dba"]),
        ("mallory", &["contractors"]),
        ("dave", &[]),
    ]
    .map(|(user, groups)| {
        let mut peer = peer(user, groups);
        peer.database_groups = crate::identity::DatabaseGroups::Known(peer.groups.clone());
        peer
    })
    .into()
}

fn linted(text: &str) -> Vec<Finding> {
    let loaded = parse(text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    lint(&loaded, &Surroundings { population: &population(), program: &|_| Vec::new(), unread: &[] })
}

/// `LEVEL ID` of each finding that is not accepted.
fn told(text: &str) -> String {
    let found = linted(text);
    let mut left: Vec<_> = found.iter().filter(|found| found.accepted().is_none()).collect();
    left.sort_by_key(|found| (found.level(), found.id().as_str()));
    left.iter().map(|found| format!("{} {}", found.level(), found.id())).collect::<Vec<_>>().join(", ")
}

fn sorted(expected: &str) -> String {
    let level = |finding: &str| Level::ALL.iter().position(|level| finding.starts_with(&level.to_string()));
    let mut findings: Vec<_> = expected.trim().split(", ").filter(|finding| !finding.is_empty()).collect();
    findings.sort_by_key(|finding| (level(finding), finding.split_once(' ').unwrap().1));
    findings.join(", ")
}

/// Those of the cases that are not as expected.
fn wrong<'c>(cases: impl Iterator<Item = (&'c str, &'c str, String)>) -> (usize, String) {
    let (mut count, mut wrong) = (0, String::new());
    for (title, expected, text) in cases {
        count += 1;
        let found = told(&text);
        if found != sorted(expected) {
            writeln!(wrong, "{title} -> {found}").unwrap();
        }
    }
    (count, wrong)
}

/// A policy that is in order but for these keys of its command.
fn around(keys: &str) -> String {
    let gate = "[allow]\ngroups = [\"wheel\"]\n";
    let rule = "[[commands.c.allow]]\ngroups = [\"wheel\"]\n";
    let test = "[[test]]\npeer = { user = \"dave\" }\nrequest = \"c\"\nexpect = \"deny\"\n";
    format!("{gate}[commands.c]\n{}\n{rule}{test}", keys.replace(" ;; ", "\n"))
}

#[test]
fn what_a_command_reaches_is_found_as_the_cases_say() {
    let cases = read("tests/policies/lint-exec.cases");
    let rows = cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (count, wrong) = wrong(rows.map(|row| {
        let (keys, expected) = row.rsplit_once(" ->").unwrap();
        (keys, expected, around(keys))
    }));
    assert!(count >= 100 && wrong.is_empty(), "{count} cases\n{wrong}");
}

#[test]
fn what_has_no_effect_is_found_as_the_cases_say() {
    let cases = read("tests/policies/lint-rules.cases");
    let (count, wrong) = wrong(cases.split("\n== ").skip(1).map(|case| {
        let (title, text) = case.split_once('\n').unwrap();
        let (title, expected) = title.split_once(" ->").unwrap();
        (title, expected, text.to_owned())
    }));
    assert!(count >= 25 && wrong.is_empty(), "{count} cases\n{wrong}");
}
