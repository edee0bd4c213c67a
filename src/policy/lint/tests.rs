//! Findings of small policies, as tests/policies/lint holds them, and what the documentation says of each kind.

use super::super::kind::ArgumentSpec;
use super::super::moment;
use super::super::tests::{Table, parse, peer, policy, read};
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
    let others = |path: &Path| path.starts_with("/opt/of-others").then(|| "they do".to_owned());
    let now = moment("2026-11-23 12:00 UTC", &Table).unwrap();
    lint(&loaded, &Surroundings { population: &population(), now, others: &others, ..UNKNOWN })
}

/// `LEVEL ID` of each finding that is not accepted.
fn told(found: &[Finding]) -> String {
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
fn wrong<'c>(cases: impl Iterator<Item = (&'c str, &'c str, Vec<Finding>)>) -> (usize, String) {
    let (mut count, mut wrong) = (0, String::new());
    for (title, expected, found) in cases {
        count += 1;
        let found = told(&found);
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
    let cases = read("tests/policies/lint/exec.findings");
    let rows = cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (count, wrong) = wrong(rows.map(|row| {
        let (keys, expected) = row.rsplit_once(" ->").unwrap();
        let mut found = linted(&around(keys));
        found.retain(|one| one.id() != Id::READER_WARNING);
        (keys, expected, found)
    }));
    assert!(count >= 100 && wrong.is_empty(), "{count} cases\n{wrong}");
}

#[test]
fn what_has_no_effect_is_found_as_the_cases_say() {
    let cases = read("tests/policies/lint/rules.findings");
    let (count, wrong) = wrong(cases.split("\n== ").skip(1).map(|case| {
        let (title, text) = case.split_once('\n').unwrap();
        let (title, expected) = title.split_once(" ->").unwrap();
        (title, expected, linted(text))
    }));
    assert!(count >= 25 && wrong.is_empty(), "{count} cases\n{wrong}");
}

/// Surroundings of which nothing is known.
const UNKNOWN: Surroundings<'_> = Surroundings {
    population: &[],
    now: SystemTime::UNIX_EPOCH,
    program: &|_| Vec::new(),
    others: &|_| None,
    unread: &[],
};

#[test]
fn what_is_shipped_has_no_findings() {
    for example in ["web-team", "backup-operator", "database-operator"] {
        let text = read(&format!("config/examples/{example}.toml"));
        let found = lint(&parse(&text).unwrap(), &UNKNOWN);
        let told: Vec<_> =
            found.iter().map(|one| format!("{} {}: {}", one.at(), one.id(), one.message())).collect();
        assert_eq!(told, Vec::<String>::new(), "{example}");
    }
    assert_eq!(told(&linted(&read("config/policy.toml"))), "");
}

#[test]
fn every_kind_of_finding_is_documented_and_no_other() {
    let text = read("docs/lint.md");
    let mut documented: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut known: Vec<String> = Id::ALL.iter().map(|id| format!("`{id}`")).collect();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
}

#[test]
fn every_kind_of_finding_of_a_policy_alone_is_in_some_case() {
    let cases = read("tests/policies/lint/exec.findings") + &read("tests/policies/lint/rules.findings");
    let of_the_machine = [Id::WRITABLE_SCRIPT, Id::FOUND_BY_PATH, Id::FILE_NOT_READ, Id::GRANTED_WIDELY];
    let is_shown = |id: &Id| {
        let named = |line: &str| {
            line.split_once(" -> ")
                .is_some_and(|(_, found)| found.split([' ', ',']).any(|word| word == id.as_str()))
        };
        of_the_machine.contains(id) || cases.lines().any(named)
    };
    let missing: Vec<_> = Id::ALL.into_iter().filter(|id| !is_shown(id)).collect();
    assert_eq!(missing, []);
}

#[test]
fn a_group_of_very_many_is_told_with_their_number() {
    let text = around("exec = [\"/bin/a\"]");
    let member =
        |raw: u32| Peer::of(crate::identity::Uid::new(raw).unwrap(), super::super::tests::gid("wheel"), []);
    for (members, expected) in [(50, 0), (51, 1)] {
        let many: Vec<Peer> = (3000..3000 + members).map(member).collect();
        let found = lint(&parse(&text).unwrap(), &Surroundings { population: &many, ..UNKNOWN });
        let wide =
            found.iter().filter(|one| one.id() == Id::GRANTED_WIDELY && one.message().contains("51 users"));
        assert_eq!(wide.count(), expected, "{found:?}");
    }
}

#[test]
fn findings_have_places_and_the_worst_come_first() {
    let text = around(
        "exec = [\"/usr/bin/less\", \"--\", \"{x}\"]\nargs = [{ name = \"x\", text = { max-length = 9 } }]",
    );
    let found = linted(&text);
    let shown: Vec<_> = found.iter().map(|one| (one.level(), one.at(), one.id().as_str())).collect();
    let at = |place: &str| format!("policy.toml:{place}");
    assert_eq!(shown, [(Level::Danger, at("4:32"), "free-value"), (Level::Note, at("5:9"), "free-text")]);
    assert_eq!(found[0].command().map(CommandName::as_str), Some("c"));
    assert!(
        found[0].message().contains("\"x\"") && found[0].message().contains("as root"),
        "{}",
        found[0].message()
    );
    assert!(found[0].picture().unwrap().contains("^^^^^"), "{:?}", found[0].picture());
}

#[test]
fn files_of_the_machine_are_asked_about_where_they_run() {
    let asked = std::cell::RefCell::new(Vec::new());
    let program = |path: &Path| {
        asked.borrow_mut().push(path.display().to_string());
        vec![(Id::WRITABLE_SCRIPT, Level::Danger, "others may write it".to_owned())]
    };
    let text = around(
        "exec = [\"/usr/bin/nice\", \"/usr/bin/python3\", \"-u\", \"/opt/x.py\", \"/etc/x\"]\nrun-as = \"postgres\"",
    );
    let found = lint(&parse(&text).unwrap(), &Surroundings { program: &program, ..UNKNOWN });
    assert_eq!(*asked.borrow(), ["/usr/bin/nice", "/usr/bin/python3", "/opt/x.py"]);
    assert!(
        found.iter().all(|one| one.level() == Level::Warning && one.id() == Id::WRITABLE_SCRIPT),
        "{found:?}"
    );
}

#[test]
fn a_file_that_is_not_read_is_told_without_a_line() {
    let unread = ["policy.d/old.toml~".to_owned()];
    let found = lint(&parse("").unwrap(), &Surroundings { unread: &unread, ..UNKNOWN });
    let shown: Vec<_> = found.iter().map(|one| (one.at(), one.id(), one.picture())).collect();
    assert_eq!(shown, [("policy.d/old.toml~:1:1".to_owned(), Id::FILE_NOT_READ, None)]);
}

#[test]
fn a_reason_is_kept_with_what_it_accepts() {
    let keys =
        "exec = [\"/bin/sh\"]\nstdin = \"bytes\"\naccept = [\"commands-from-input:  they are root anyway \"]";
    let found = linted(&around(keys));
    assert_eq!(found.iter().map(|one| one.accepted()).collect::<Vec<_>>(), [Some("they are root anyway")]);
}
