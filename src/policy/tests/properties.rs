//! What holds of all policies, peers and requests that can be generated from a small vocabulary, and of all texts. What holds
//! of everyone and everything of a whole world is in the suite's `worlds`.

use super::*;
use crate::identity::{DatabaseGroups, Groups, Namespace};
use crate::policy::properties::any_text_is_a_policy_or_is_refused_with_a_place;
use crate::policy::{Command, Decision, Refusal, decide, why};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use std::time::SystemTime;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const SOME_USERS: [&str; 4] = ["root", "alice", "bob", "erin"];
const SOME_GROUPS: [&str; 3] = ["wheel", "webops", "dba"];
const VALUES: [&str; 6] = ["v", "w", "v", "w", "-w", "7"];

/// Definitions that stand beside any of the rules below.
const DEFINITIONS: [&str; 3] = [
    "[roles.people]\nusers = [\"bob\"]\n[roles.teams]\nusers = [\"erin\"]\ngroups = [\"dba\"]\n",
    "[commands.one]\nexec = [\"/bin/one\", \"{x}\"]\nargs = [{ name = \"x\", one-of = [\"v\", \"w\", \"7\"] }]\n",
    "[commands.two]\nexec = [\"/bin/two\", \"{x}={y}\"]\nrun-as = \"postgres\"\nargs = [\n\
     { name = \"x\", pattern = \"[v-w]*\" }, { name = \"y\", text = { max-length = 1 }, default = \"w\" }]\n",
];

fn quoted(words: &[&str]) -> String {
    format!("{words:?}")
}

/// A section with some users, some groups, and some roles.
fn section(header: &'static str) -> impl Strategy<Value = String> {
    let users = subsequence(&SOME_USERS[..], 0..=3);
    let groups = subsequence(&SOME_GROUPS[..], 0..=2);
    let roles = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(&["people", "teams"][..], 1..=2)];
    (users, groups, roles).prop_map(move |(users, groups, roles)| {
        let (users, groups, roles) = (quoted(&users), quoted(&groups), quoted(&roles));
        format!("{header}\nusers = {users}\ngroups = {groups}\nroles = {roles}\n")
    })
}

fn narrowing() -> impl Strategy<Value = String> {
    let values = subsequence(&["v", "w"][..], 1..=2);
    prop_oneof![Just(String::new()), values.prop_map(|values| format!("when.x = {}\n", quoted(&values)))]
}

fn rule() -> impl Strategy<Value = String> {
    let header = prop_oneof![Just("[[commands.one.allow]]"), Just("[[commands.two.allow]]")];
    let section = header.prop_flat_map(section);
    (section, conditions(), times(), narrowing())
        .prop_map(|(section, conditions, during, when)| section + &conditions + during + &when)
}

/// A rule's conditions beside whom it names.
fn conditions() -> impl Strategy<Value = String> {
    let from = prop_oneof![3 => Just(""), 1 => Just("groups-from = \"database\"\n")];
    let foreign = prop_oneof![3 => Just(""), 1 => Just("foreign-namespace = true\n")];
    (from, foreign).prop_map(|(from, foreign)| from.to_owned() + foreign)
}

/// Times, of which some hold at the time of all decisions, a Thursday at midnight.
fn times() -> impl Strategy<Value = &'static str> {
    let closed = prop_oneof![Just("during = \"Fri UTC\"\n"), Just("during = \"00:00:01-24:00 UTC\"\n")];
    let open =
        prop_oneof![Just("during = \"Thu\"\n"), Just("during = [\"Wed 22:00-01:00\", \"2000-*-*\"]\n")];
    prop_oneof![4 => Just(""), 1 => closed, 1 => open]
}

/// The files of a policy without errors, each with one section.
fn files() -> impl Strategy<Value = Vec<String>> {
    let allow = (section("[allow]"), conditions()).prop_map(|(section, conditions)| section + &conditions);
    let allows = prop::collection::vec(allow, 0..4);
    let denies = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(section("[deny]"), 1..3)];
    let rules = prop::collection::vec(rule(), 0..9);
    (allows, denies, rules).prop_map(|(allows, denies, rules)| {
        let definitions = DEFINITIONS.map(str::to_owned).to_vec();
        [allows, denies, definitions, rules].concat()
    })
}

fn loaded(files: &[String]) -> Policy {
    let sources: Vec<_> =
        files.iter().enumerate().map(|(n, text)| source(&format!("{n}.toml"), text)).collect();
    Policy::parse(&sources, &Table).unwrap_or_else(|errors| panic!("{errors:?}\n{files:#?}")).policy
}

fn some_peer() -> impl Strategy<Value = Peer> {
    let groups = || subsequence(&SOME_GROUPS[..], 0..=2);
    let database = prop_oneof![
        1 => Just(DatabaseGroups::NotAsked),
        1 => Just(DatabaseGroups::Unavailable),
        8 => groups().prop_map(|g| DatabaseGroups::Known(g.into_iter().map(gid).collect::<Groups>())),
    ];
    let namespace = prop_oneof![4 => Just(Namespace::Own), 1 => Just(Namespace::Foreign)];
    (select(&SOME_USERS[..]), groups(), database, namespace).prop_map(
        |(user, groups, database_groups, namespace)| Peer {
            database_groups,
            namespace,
            ..peer(user, &groups)
        },
    )
}

fn some_request() -> impl Strategy<Value = Request> {
    let name = prop_oneof![4 => Just(""), 4 => Just("x="), 2 => Just("y="), 1 => Just("z=")];
    let argument = (name, select(&VALUES[..])).prop_map(|(name, value)| format!(" {name}{value}"));
    let good = prop_oneof![Just(vec![" v".to_owned()]), Just(vec![" x=w".to_owned()])];
    let arguments = prop_oneof![2 => good, 1 => prop::collection::vec(argument, 0..3)];
    (select(&["one", "one", "two", "two", "six"][..]), arguments)
        .prop_map(|(command, rest)| request(&(command.to_owned() + &rest.concat())))
}

/// What a decision comes to, without the place of the rule.
fn outcome(policy: &Policy, peer: &Peer, request: &Request) -> Result<Vec<Vec<u8>>, Refusal> {
    match decide(policy, peer, request, NOW) {
        Decision::Permit(grant) => Ok(grant.argv().to_vec()),
        Decision::Deny(denial) => Err(denial.refusal().clone()),
    }
}

/// Text that is like a policy in its pieces.
fn almost_a_policy() -> impl Strategy<Value = String> {
    let piece = select(
        &[
            "[allow]\n",
            "[deny]\n",
            "[[commands.a.allow]]\n",
            "[commands.a]\n",
            "[commands.b]\n",
            "[[builtins.status.allow]]\n",
            "users = [\"a\", 4]\n",
            "groups = [\"five\"]\n",
            "users = [0]\n",
            "exec = [\"/bin/a\", \"{x}\"]\n",
            "exec = [\"/bin/b\"]\n",
            "args = [{ name = \"x\", one-of = [\"a\"] }]\n",
            "args = [{ name = \"x\", pattern = \"(\" }]\n",
            "args = [{ name = \"x\", pattern = \"-*\", optional = true }]\n",
            "args = [{ name = \"x\", unit = { types = [\"path\"] }, default = \"a\" }]\n",
            "args = [{ name = \"x\", duration = { max = \"1s\" }, optional = true }]\n",
            "args = [{ name = \"x\", path = { under = [\"/a\"], pass = \"fd\" }, repeat = { min = 2 } }]\n",
            "args = [{ name = \"x\", secret = { max-length = 9 }, optional = true }]\n",
            "args = [{ name = \"x\", secret = { max-length = 9, pass = \"stdin\" } }]\n",
            "args = [{ name = \"x\", user = { min-uid = 5, groups = [\"g\"] }, repeat = true, default = \"a\" }]\n",
            "timeout = \"1s\"\n",
            "exec = [\"/bin/sh\", \"-c\", \"{x}\", \"{x}/{x}\"]\n",
            "exec = [\"/usr/bin/env\", \"{x}\", \"--\", \"tar\", \"x{x}\"]\n",
            "exec = [\"/usr/bin/systemctl\", \"{x}\", \"--y={x}\"]\n",
            "args = [{ name = \"x\", pattern = \"(?i)[^a-\\\\w].*|a\", dash = true }]\n",
            "args = [{ name = \"x\", text = { max-length = 4 } }]\n",
            "accept = [\"free-value: a\", \"b\"]\n",
            "when.x = [\"a\"]\n",
            "[roles.r]\n",
            "roles = [\"r\"]\n",
            "during = \"Mon..Fri 08:00-18:00 Europe/Berlin\"\n",
            "during = [\"*-02-29\", \"22:00-06:00\"]\n",
            "groups-from = \"database\"\n",
            "foreign-namespace = true\n",
            "rate = \"5/min\"\n",
            "max-running = 1\n",
            "at = \"2026-11-23 12:00\"\n",
            "[[test]]\n",
            "[[allow]]\n",
            "when.x = [\"b\"]\n",
            "audit = \"required\"\n",
            "cgroup-limits = \"best-effort\"\n",
            "kill-after = \"0s\"\n",
            "memory-max = \"1MiB\"\n",
            "tasks-max = 64\n",
            "cpu-max = \"50%\"\n",
            "run-as = \"ab\"\n",
            "[",
            "]",
            "\"",
            "=",
            "\n",
            "{",
            "}}",
            "ö",
            "'''",
            "\u{0}",
            "\u{1b}",
            "\r\n",
            "#",
            ".",
            "1",
            ",",
        ][..],
    );
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_visible_is_what_a_walk_over_all_rules_finds(files in files(), peer in some_peer()) {
        let policy = loaded(&files);
        let is_admitted = policy.is_admitted(&peer);
        let walk = policy.commands().filter(|command| is_admitted && command.rules_for(&peer).next().is_some());
        let found: Vec<_> = policy.visible_commands(&peer).map(Command::name).collect();
        prop_assert_eq!(found, walk.map(Command::name).collect::<Vec<_>>());
    }

    #[test]
    fn a_member_more_in_a_denied_role_never_widens(
        files in files(), member in select(&SOME_USERS[..]), peer in some_peer(), request in some_request()
    ) {
        let with = |users: &str| {
            let role = format!("[roles.out]\nusers = [{users}]\n[deny]\nroles = [\"out\"]\n");
            outcome(&loaded(&[files.clone(), vec![role]].concat()), &peer, &request)
        };
        let (before, after) = (with(""), with(&format!("{member:?}")));
        prop_assert!(after == before || after == Err(Refusal::Denied), "{:?} became {:?}", before, after);
    }

    #[test]
    fn times_and_namespaces_never_widen(
        files in files(), during in times(), peer in some_peer(), request in some_request()
    ) {
        let rule = "[[commands.one.allow]]\nusers = [\"bob\"]\n";
        let with = |rule: String| outcome(&loaded(&[files.clone(), vec![rule]].concat()), &peer, &request);
        let (always, timed) = (with(rule.to_owned()), with(format!("{rule}{during}")));
        prop_assert!(timed.is_err() || timed == always, "{:?} became {:?}", always, timed);
        let abroad = outcome(&loaded(&files), &Peer { namespace: Namespace::Foreign, ..peer.clone() }, &request);
        let at_home = outcome(&loaded(&files), &Peer { namespace: Namespace::Own, ..peer.clone() }, &request);
        prop_assert!(abroad.is_err() || at_home.is_ok());
    }

    #[test]
    fn a_denied_user_may_do_nothing(mut files in files(), peer in some_peer(), request in some_request()) {
        files.push(format!("[deny]\nusers = [{}]\n", peer.uid));
        prop_assert_eq!(outcome(&loaded(&files), &peer, &request), Err(Refusal::Denied));
    }

    #[test]
    fn one_value_stays_within_one_element(files in files(), peer in some_peer(), request in some_request()) {
        if let Ok(argv) = outcome(&loaded(&files), &peer, &request) {
            prop_assert_eq!(argv.len(), 2);
        }
    }

    #[test]
    fn any_text_is_a_policy_or_is_refused(text in any::<String>()) {
        prop_assert_eq!(any_text_is_a_policy_or_is_refused_with_a_place(&text), Ok(()));
    }

    #[test]
    fn anything_like_a_policy_is_one_or_is_refused(text in almost_a_policy()) {
        prop_assert_eq!(any_text_is_a_policy_or_is_refused_with_a_place(&text), Ok(()));
    }
}

/// What no text about a request may hold.
const SECRET: &str = "S3CRET";

/// A request to some command, with the secret in any of its places, alone or in longer words.
fn with_a_secret() -> impl Strategy<Value = Request> {
    let name = select(&["", "", "pw=", "who=", "unit=", "n0ne="][..]);
    let word = select(&["S3CRET", "xS3CRET", "S3CRET=x", "who", "nginx", "S3CRETS3CRET"][..]);
    let argument = (name, word).prop_map(|(name, word)| format!(" {name}{word}"));
    let command = select(&["set", "set", "feed", "restart", "hidden", "unknown"][..]);
    (command, prop::collection::vec(argument, 0..4))
        .prop_map(|(command, rest)| request(&(command.to_owned() + &rest.concat())))
}

/// Commands with secrets, and one without that takes no word like the secret.
const SECRETIVE: &str = r#"
[allow]
users = ["alice"]
[commands.set]
exec = ["/bin/set", "{pw}", "{who}"]
args = [{ name = "pw", secret = { max-length = 9 } }, { name = "who", pattern = "[a-z]+", default = "me" }]
[[commands.set.allow]]
users = ["alice"]
[commands.feed]
exec = ["/bin/feed", "{who}"]
args = [{ name = "who", pattern = "[a-z]+", repeat = true, optional = true }, { name = "pw", secret = { max-length = 9, pass = "stdin" } }]
[[commands.feed.allow]]
users = ["alice"]
[commands.hidden]
exec = ["/bin/hidden"]
[[commands.hidden.allow]]
users = ["bob"]
[commands.restart]
exec = ["/bin/restart"]
[[commands.restart.allow]]
users = ["alice"]
"#;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_of_a_request_holds_no_secret(request in with_a_secret()) {
        let (policy, alice) = (policy(SECRETIVE), peer("alice", &[]));
        let shown = policy.shown(&request);
        let decision = decide(&policy, &alice, &request, NOW);
        let reason = match &decision {
            Decision::Permit(_) => String::new(),
            Decision::Deny(denial) => denial.reason().to_string(),
        };
        let explained = why(&policy, &alice, &request, NOW);
        let steps: Vec<_> = explained.steps.iter().filter(|_| explained.permitted).collect();
        let octets = |value: &crate::request::Value| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        let told: Vec<String> = shown.arguments().iter().map(|(_, value)| octets(value)).collect();
        let spelt: Vec<String> = shown.request().arguments.iter().map(|argument| match argument {
            crate::request::Argument::Positional(value) => octets(value),
            crate::request::Argument::Named(name, value) => format!("{name}={}", octets(value)),
        }).collect();
        let argv: Vec<String> = match &decision {
            Decision::Permit(grant) => grant.argv().iter().map(|text| String::from_utf8(text.clone()).unwrap()).collect(),
            Decision::Deny(_) => Vec::new(),
        };
        let all = format!("{told:?} {spelt:?} {argv:?} {decision:?} {reason} {steps:?}");
        prop_assert!(!all.contains(SECRET), "{}", all);
    }
}

#[test]
fn the_vocabulary_has_permits_and_refusals() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut permitted = 0;
    for _ in 0..500 {
        let (files, peer, request) =
            (files(), some_peer(), some_request()).new_tree(&mut runner).unwrap().current();
        permitted += usize::from(outcome(&loaded(&files), &peer, &request).is_ok());
    }
    assert!((50..450).contains(&permitted), "{permitted} of 500");
}
