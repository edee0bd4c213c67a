//! What holds of the difference of any two policies of a small world, tried with every peer and every request of it.

use super::*;
use crate::identity::{DatabaseGroups, Groups};
use crate::policy::{Admission, Change, Decision, Grant, decide, diff};
use crate::request::Builtin;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::time::SystemTime;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const SOME_USERS: [&str; 3] = ["alice", "bob", "erin"];
const SOME_GROUPS: [&str; 3] = ["wheel", "webops", "dba"];
/// A user whom no policy here names.
const STRANGER: &str = "mallory";
const X_VALUES: [Option<&str>; 5] = [None, Some("u"), Some("v"), Some("w"), Some("z")];
const Y_VALUES: [Option<&str>; 4] = [None, Some("1"), Some("3"), Some("6")];

fn members() -> impl Strategy<Value = (Vec<&'static str>, Vec<&'static str>)> {
    (subsequence(&SOME_USERS[..], 0..=2), subsequence(&SOME_GROUPS[..], 0..=2))
}

fn section(header: &'static str) -> impl Strategy<Value = String> {
    members().prop_map(move |(users, groups)| format!("{header}\nusers = {users:?}\ngroups = {groups:?}\n"))
}

/// A definition of a command with two arguments, in many variants that keep `u` and `v`.
fn definition(name: &'static str) -> impl Strategy<Value = String> {
    let program = prop_oneof![6 => Just("a"), 1 => Just("b")];
    let values = select(&["[\"u\", \"v\"]", "[\"u\", \"v\", \"w\"]", "[\"z\", \"v\", \"u\"]"][..]);
    let end = prop_oneof![4 => Just(""), 1 => Just(", default = \"u\""), 1 => Just(", optional = true")];
    let y = select(&["min = 1, max = 3", "min = 1, max = 6", "min = 3, max = 3", "min = 2, max = 9"][..]);
    let more =
        prop_oneof![6 => Just(""), 1 => Just("timeout = \"1s\"\n"), 1 => Just("run-as = \"postgres\"\n")];
    (program, values, end, y, more).prop_map(move |(program, values, end, y, more)| {
        format!(
            "[commands.{name}]\nexec = [\"/bin/{program}\", \"x={{x}}\", \"y={{y}}\"]\n{more}args = [\
             {{ name = \"x\", one-of = {values}{end} }}, \
             {{ name = \"y\", integer = {{ {y} }}, optional = true }}]\n"
        )
    })
}

fn rule(name: &'static str) -> impl Strategy<Value = String> {
    let x = prop_oneof![2 => Just(vec![]), 1 => subsequence(&["u", "v"][..], 1..=2)];
    let y = prop_oneof![3 => Just(""), 1 => Just("when.y = [3]\n")];
    (members(), x, y).prop_map(move |((users, groups), x, y)| {
        let x = if x.is_empty() { String::new() } else { format!("when.x = {x:?}\n") };
        format!("[[commands.{name}.allow]]\nusers = {users:?}\ngroups = {groups:?}\n{x}{y}")
    })
}

fn command(name: &'static str) -> impl Strategy<Value = String> {
    let rules = prop::collection::vec(rule(name), 0..4);
    (definition(name), rules).prop_map(|(definition, rules)| definition + &rules.concat())
}

/// A policy's files, in three parts: who may connect, what everyone else may do.
fn parts() -> impl Strategy<Value = [String; 5]> {
    let deny = prop_oneof![2 => Just(String::new()), 1 => section("[deny]")];
    let builtin = prop_oneof![1 => Just(String::new()), 1 => section("[[builtins.status.allow]]")];
    (
        section("[allow]"),
        deny,
        builtin,
        command("one"),
        prop_oneof![3 => command("two"), 1 => Just(String::new())],
    )
        .prop_map(|(allow, deny, builtin, one, two)| [allow, deny, builtin, one, two])
}

/// Texts of two policies; each part of the second is often that of the first.
fn two() -> impl Strategy<Value = (String, String)> {
    (parts(), parts(), prop::collection::vec(prop::bool::weighted(0.4), 5)).prop_map(
        |(old, other, changed)| {
            let parts = old.iter().zip(&other).zip(changed);
            let new: String =
                parts.map(|((old, other), changed)| if changed { &**other } else { &**old }).collect();
            (old.concat(), new)
        },
    )
}

fn every_peer() -> Vec<Peer> {
    let mut all = Vec::new();
    for user in SOME_USERS.into_iter().chain([STRANGER]) {
        for set in 0..8_usize {
            let groups: Vec<&str> =
                (0..3).filter(|bit| set >> bit & 1 == 1).map(|bit| SOME_GROUPS[bit]).collect();
            for database in [Groups::new(), [gid("dba")].into()] {
                all.push(Peer { database_groups: DatabaseGroups::Known(database), ..peer(user, &groups) });
            }
        }
    }
    all
}

/// The values of both arguments.
type Given = (Option<String>, Option<String>);

fn asked(command: &str, (x, y): &Given) -> Request {
    let x = x.as_ref().map_or_else(String::new, |x| format!(" x={x}"));
    let y = y.as_ref().map_or_else(String::new, |y| format!(" y={y}"));
    request(&format!("{command}{x}{y}"))
}

fn every_value() -> Vec<Given> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    X_VALUES.iter().flat_map(|x| Y_VALUES.iter().map(move |y| (text(*x), text(*y)))).collect()
}

fn permitted(policy: &Policy, peer: &Peer, command: &str, given: &Given) -> Option<Grant> {
    match decide(policy, peer, &asked(command, given), NOW) {
        Decision::Permit(grant) => Some(grant),
        Decision::Deny(_) => None,
    }
}

/// Whether the peer may do something under `new` that it may not under `old`.
fn gains(old: &Policy, new: &Policy, peer: &Peer, command: &str, given: &Given) -> bool {
    match command {
        "(connect)" => {
            let enters = |policy: &Policy| matches!(policy.admits(peer), Admission::Admitted { .. });
            enters(new) && !enters(old)
        }
        "status" => new.grants_builtin(peer, Builtin::Status) && !old.grants_builtin(peer, Builtin::Status),
        _ => match (permitted(old, peer, command, given), permitted(new, peer, command, given)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => {
                (old.argv(), old.run_as()) != (new.argv(), new.run_as()) || old.timeout() < new.timeout()
            }
        },
    }
}

/// The peers that the change names: one principal of each part, and nothing else.
fn witnesses(change: &Change) -> Vec<Peer> {
    let mut all: Vec<(Vec<&str>, Vec<&str>)> = vec![(Vec::new(), Vec::new())];
    for part in change.principals() {
        all = all
            .iter()
            .flat_map(|(users, groups)| {
                part.iter().map(move |one| match one.kind() {
                    "user" => ([&users[..], &[one.name()]].concat(), groups.clone()),
                    _ => (users.clone(), [&groups[..], &[one.name()]].concat()),
                })
            })
            .collect();
    }
    let single = |users: &[&str]| users.iter().all(|user| *user == users[0]);
    let known = DatabaseGroups::Known(Groups::new());
    let named = all.iter().filter(|(users, _)| single(users));
    named
        .map(|(users, groups)| {
            let user = users.first().copied().unwrap_or(STRANGER);
            Peer { database_groups: known.clone(), ..peer(user, groups) }
        })
        .collect()
}

/// Every value that the change tells of the argument; of a range, its ends.
fn told(change: &Change, name: &str) -> Vec<Option<String>> {
    let Some((_, values)) = change.values().iter().find(|(argument, _)| argument == name) else {
        return vec![None];
    };
    let range = values.given();
    let ends = || range.strip_prefix("an integer from ").unwrap().split(" to ").map(str::to_owned).collect();
    let given: Vec<String> = values.listed().map_or_else(ends, <[String]>::to_vec);
    given.into_iter().map(Some).chain(values.left_out().map(|_| None)).collect()
}

fn has(change: &Change, name: &str, value: Option<&String>) -> bool {
    let told = told(change, name);
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
    let range =
        change.values().iter().any(|(argument, values)| argument == name && values.listed().is_none());
    let within = || {
        let value = number(&value.cloned())?;
        Some((number(&told[0])?..=number(&told[1])?).contains(&value))
    };
    told.contains(&value.cloned()) || range && within() == Some(true)
}

fn is_for(change: &Change, peer: &Peer) -> bool {
    let DatabaseGroups::Known(database) = &peer.database_groups else { panic!() };
    change.principals().all(|part| {
        part.iter().any(|one| match one.kind() {
            "user" => uid(one.name()) == peer.uid,
            _ => peer.groups.union(database).any(|group| *group == gid(one.name())),
        })
    })
}

fn are_sound(changes: &[Change], old: &Policy, new: &Policy) -> Result<(), TestCaseError> {
    for change in changes {
        let witnesses = witnesses(change);
        prop_assert!(!witnesses.is_empty(), "nobody: {change}");
        for peer in &witnesses {
            for x in told(change, "x") {
                for y in told(change, "y") {
                    let given = (x.clone(), y.clone());
                    prop_assert!(
                        gains(old, new, peer, change.command(), &given),
                        "{change}: not {given:?} for {peer:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

fn are_complete(changes: &[Change], old: &Policy, new: &Policy) -> Result<(), TestCaseError> {
    let plain = [(None, None)];
    for peer in every_peer() {
        for (command, values) in
            [("(connect)", &plain[..]), ("status", &plain), ("one", &every_value()), ("two", &every_value())]
        {
            for given in values.iter().filter(|given| gains(old, new, &peer, command, given)) {
                let tells = |change: &Change| {
                    let values = has(change, "x", given.0.as_ref()) && has(change, "y", given.1.as_ref());
                    change.command() == command && is_for(change, &peer) && values
                };
                prop_assert!(changes.iter().any(tells), "not told: {command} {given:?} for {peer:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_told_is_gained_by_everyone_whom_it_names((old, new) in two()) {
        let (old, new) = (policy(&old), policy(&new));
        are_sound(&diff(&old, &new).gains, &old, &new)?;
    }

    #[test]
    fn whatever_is_gained_is_told((old, new) in two()) {
        let (old, new) = (policy(&old), policy(&new));
        are_complete(&diff(&old, &new).gains, &old, &new)?;
    }

    #[test]
    fn what_is_lost_would_be_gained_on_the_way_back((old, new) in two()) {
        let (old, new) = (policy(&old), policy(&new));
        let (there, back) = (diff(&old, &new), diff(&new, &old));
        prop_assert_eq!((there.gains, there.losses), (back.losses, back.gains));
    }

    #[test]
    fn a_policy_differs_in_nothing_from_itself((text, _) in two()) {
        prop_assert_eq!(diff(&policy(&text), &policy(&text)), crate::policy::Diff::default());
    }
}
