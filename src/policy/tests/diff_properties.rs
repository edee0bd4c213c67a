//! What holds of the difference of any two policies of a small world, tried with every peer and every request of it.

use super::*;
use crate::identity::{DatabaseGroups, Groups, Namespace};
use crate::policy::{Admission, Change, Decision, Grant, Principal, decide, diff};
use crate::request::Builtin;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::time::{Duration, SystemTime};

const SOME_USERS: [&str; 3] = ["alice", "bob", "erin"];
const SOME_GROUPS: [&str; 3] = ["wheel", "webops", "dba"];
/// A user whom no policy here names.
const STRANGER: &str = "mallory";
const X_VALUES: [Option<&str>; 5] = [None, Some("u"), Some("v"), Some("w"), Some("z")];
const Y_VALUES: [Option<&str>; 4] = [None, Some("1"), Some("3"), Some("6")];

/// Seconds since the epoch: Thursday at 0, 9 and 17 hours, the Friday after it at 9 and 20, and the Saturday at 9 and 12.
const MOMENTS: [u64; 7] = [0, 9 * 3600, 17 * 3600, 33 * 3600, 44 * 3600, 57 * 3600, 60 * 3600];
/// Windows, and which of these moments they hold.
const WINDOWS: [(&str, [bool; 7]); 4] = [
    ("08:00-10:00 UTC", [false, true, false, true, false, true, false]),
    ("Thu 08:00-18:00 UTC", [false, true, true, false, false, false, false]),
    ("Thu 00:00-18:00 UTC", [true, true, true, false, false, false, false]),
    ("Sat UTC", [false, false, false, false, false, true, true]),
];

fn members() -> impl Strategy<Value = (Vec<&'static str>, Vec<&'static str>)> {
    (subsequence(&SOME_USERS[..], 0..=2), subsequence(&SOME_GROUPS[..], 0..=2))
}

fn section(header: &'static str) -> impl Strategy<Value = String> {
    members().prop_map(move |(users, groups)| format!("{header}\nusers = {users:?}\ngroups = {groups:?}\n"))
}

/// Whose word counts for groups, and whether for peers of another namespace, too.
fn condition() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just(""),
        1 => Just("groups-from = \"database\"\n"),
        1 => Just("foreign-namespace = true\n"),
        1 => Just("foreign-namespace = true\ngroups-from = \"database\"\n"),
    ]
}

fn during() -> impl Strategy<Value = String> {
    let windows = subsequence(&WINDOWS[..], 0..=2);
    windows.prop_map(|windows| {
        let written: Vec<&str> = windows.iter().map(|(written, _)| *written).collect();
        if written.is_empty() { String::new() } else { format!("during = {written:?}\n") }
    })
}

/// A definition of a command with two arguments, in many variants that keep `u` and `v`.
fn definition(name: &'static str) -> impl Strategy<Value = String> {
    let program = prop_oneof![6 => Just("a"), 1 => Just("b")];
    let values = select(&["[\"u\", \"v\"]", "[\"u\", \"v\", \"w\"]", "[\"z\", \"v\", \"u\"]"][..]);
    let end = prop_oneof![4 => Just(""), 1 => Just(", default = \"u\""), 1 => Just(", optional = true")];
    let y = select(&["min = 1, max = 3", "min = 1, max = 6", "min = 3, max = 3", "min = 2, max = 9"][..]);
    let limits = [
        "timeout = \"1s\"\n",
        "run-as = \"postgres\"\n",
        "rate = \"5/min\"\n",
        "max-running = 2\n",
        "memory-max = \"1MiB\"\n",
        "cpu-max = \"50%\"\n",
    ];
    let more = prop_oneof![2 => Just(""), 1 => select(limits.to_vec())];
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
    (members(), x, y, condition(), during()).prop_map(move |((users, groups), x, y, condition, during)| {
        let x = if x.is_empty() { String::new() } else { format!("when.x = {x:?}\n") };
        let who = format!("users = {users:?}\ngroups = {groups:?}\n");
        format!("[[commands.{name}.allow]]\n{who}{x}{y}{condition}{during}")
    })
}

fn command(name: &'static str) -> impl Strategy<Value = String> {
    let rules = prop::collection::vec(rule(name), 0..4);
    (definition(name), rules).prop_map(|(definition, rules)| definition + &rules.concat())
}

/// The parts of a policy: who may connect, what they may do.
fn parts() -> impl Strategy<Value = [String; 5]> {
    let gate = (section("[[allow]]"), condition()).prop_map(|(gate, condition)| gate + condition);
    let gates = prop::collection::vec(gate, 1..3).prop_map(|gates| gates.concat());
    let deny = prop_oneof![2 => Just(String::new()), 1 => section("[deny]")];
    let grant = (section("[[builtins.status.allow]]"), condition(), during())
        .prop_map(|(section, condition, during)| section + condition + &during);
    let grant = prop_oneof![1 => Just(String::new()), 1 => grant];
    let second = prop_oneof![3 => command("two"), 1 => Just(String::new())];
    (gates, deny, grant, command("one"), second).prop_map(<[String; 5]>::from)
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
            let has = |bit: &usize| set >> bit & 1 == 1;
            let groups: Vec<&str> = (0..3).filter(has).map(|bit| SOME_GROUPS[bit]).collect();
            for database in [Groups::new(), [gid("dba")].into(), [gid("dba"), gid("webops")].into()] {
                for namespace in [Namespace::Own, Namespace::Foreign] {
                    let database_groups = DatabaseGroups::Known(database.clone());
                    all.push(Peer { database_groups, namespace, ..peer(user, &groups) });
                }
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

fn permitted(policy: &Policy, peer: &Peer, request: &Request, now: SystemTime) -> Option<Grant> {
    match decide(policy, peer, request, now) {
        Decision::Permit(grant) => Some(grant),
        Decision::Deny(_) => None,
    }
}

/// The moments at which the peer may do something under `new` that it may not under `old`.
fn gains(old: &Policy, new: &Policy, peer: &Peer, (command, given): (&str, &Given)) -> Vec<usize> {
    let request = asked(command, given);
    let moment = |index: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(MOMENTS[index]);
    let may = |policy: &Policy, now: SystemTime| match command {
        "connect" => matches!(policy.admits(peer), Admission::Admitted { .. }),
        _ => policy.grants_builtin(peer, Builtin::Status, now),
    };
    let gained = |index: &usize| match (command, moment(*index)) {
        ("connect" | "status", now) => may(new, now) && !may(old, now),
        (_, now) => is_more(
            permitted(old, peer, &request, now).as_ref(),
            permitted(new, peer, &request, now).as_ref(),
        ),
    };
    (0..MOMENTS.len()).filter(gained).collect()
}

/// Whether the second grant gives what the first doesn't.
fn is_more(old: Option<&Grant>, new: Option<&Grant>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return new.is_some() };
    let rate = |grant: &Grant| grant.terms().rate.as_ref().map_or(usize::MAX, |rate| rate.runs);
    let at_once = |grant: &Grant| grant.terms().max_running.as_ref().map_or(usize::MAX, |max| max.runs);
    let memory = |grant: &Grant| grant.terms().ceilings.memory_max.map_or(u64::MAX, |size| size.0);
    let cpu = |grant: &Grant| grant.terms().ceilings.cpu_max.map_or(u32::MAX, |share| share.0);
    (old.argv(), old.run_as()) != (new.argv(), new.run_as())
        || old.terms().timeout < new.terms().timeout
        || rate(old) < rate(new)
        || at_once(old) < at_once(new)
        || memory(old) < memory(new)
        || cpu(old) < cpu(new)
}

/// The peers that the change names: one principal of each part, and nothing else.
fn witnesses(change: &Change) -> Vec<Peer> {
    let mut all: Vec<Vec<&Principal>> = vec![Vec::new()];
    for part in change.principals() {
        let with = |some: &[_], one| [some, &[one]].concat();
        all = all.iter().flat_map(|some| part.iter().map(move |one| with(some, one))).collect();
    }
    all.iter().filter_map(|all| witness(all, change.is_foreign())).collect()
}

/// The peer that is all of these, and nothing else. Nobody is two users.
fn witness(all: &[&Principal], is_foreign: bool) -> Option<Peer> {
    let (users, groups): (Vec<&Principal>, Vec<&Principal>) =
        all.iter().partition(|one| one.kind() == "user");
    let (listed, held): (Vec<&Principal>, Vec<&Principal>) =
        groups.iter().partition(|one| one.is_by_database());
    let held: Vec<&str> = held.iter().map(|one| one.name()).collect();
    let namespace = if is_foreign { Namespace::Foreign } else { Namespace::Own };
    let database_groups = DatabaseGroups::Known(listed.iter().map(|one| gid(one.name())).collect());
    let user = users.first().map_or(STRANGER, |one| one.name());
    let is_one = users.iter().all(|one| one.name() == user);
    is_one.then(|| Peer { database_groups, namespace, ..peer(user, &held) })
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
    let is_range =
        change.values().iter().any(|(argument, values)| argument == name && values.listed().is_none());
    let within = || {
        let value = number(&value.cloned())?;
        Some((number(&told[0])?..=number(&told[1])?).contains(&value))
    };
    told.contains(&value.cloned()) || is_range && within() == Some(true)
}

/// Whether the peer is one of those whom the change names. Where a deny is for a group, it is by whosever word.
fn is_for(change: &Change, peer: &Peer, denies: bool) -> bool {
    let DatabaseGroups::Known(database) = &peer.database_groups else { panic!() };
    let is = |one: &Principal| match (one.kind(), one.is_by_database()) {
        ("user", _) => uid(one.name()) == peer.uid,
        (_, true) => database.contains(&gid(one.name())),
        (_, false) => peer.groups.contains(&gid(one.name())) || denies && database.contains(&gid(one.name())),
    };
    let lives_there = change.is_foreign() == (peer.namespace == Namespace::Foreign);
    lives_there && change.principals().all(|part| part.iter().any(is))
}

/// Whether the change says that it is so at this moment.
fn is_at(change: &Change, moment: usize) -> bool {
    let holds = |written: &str| {
        let of = |one: &str| WINDOWS.iter().find(|(window, _)| *window == one).unwrap().1;
        written.split("; ").any(|one| of(one)[moment])
    };
    let told = change.times().unwrap_or_default();
    let (during, except) = told.split_once("except during ").unwrap_or((told, ""));
    let during = during.trim_start_matches("during ").trim_end_matches(", ");
    (during.is_empty() || holds(during)) && (except.is_empty() || !holds(except))
}

fn command_of(change: &Change) -> &str {
    change.command().trim_matches(['(', ')'])
}

fn are_sound(changes: &[Change], old: &Policy, new: &Policy) -> Result<(), TestCaseError> {
    for change in changes {
        let witnesses = witnesses(change);
        prop_assert!(!witnesses.is_empty(), "nobody: {change}");
        for peer in &witnesses {
            for given in
                told(change, "x").iter().flat_map(|x| told(change, "y").into_iter().map(|y| (x.clone(), y)))
            {
                let when = gains(old, new, peer, (command_of(change), &given));
                prop_assert!(!when.is_empty(), "{change}: not {given:?} for {peer:?}");
            }
        }
    }
    Ok(())
}

fn are_complete(
    changes: &[Change],
    (old, new): (&Policy, &Policy),
    (peers, denies): (Vec<Peer>, bool),
) -> Result<(), TestCaseError> {
    let (plain, all) = ([(None, None)], every_value());
    let asked = [("connect", &plain[..]), ("status", &plain), ("one", &all), ("two", &all)];
    for peer in peers {
        let mine: Vec<&Change> = changes.iter().filter(|change| is_for(change, &peer, denies)).collect();
        for (command, given) in
            asked.iter().flat_map(|(command, all)| all.iter().map(move |given| (command, given)))
        {
            let (x, y) = (given.0.as_ref(), given.1.as_ref());
            let tells = |change: &Change| {
                command_of(change) == *command && has(change, "x", x) && has(change, "y", y)
            };
            for moment in gains(old, new, &peer, (command, given)) {
                let told = mine.iter().any(|change| tells(change) && is_at(change, moment));
                prop_assert!(told, "not told: {command} {given:?} at {moment} for {peer:?}");
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
    fn whatever_is_gained_is_told((old, new) in two(), peers in subsequence(every_peer(), 12)) {
        let denies = old.contains("[deny]") || new.contains("[deny]");
        let (old, new) = (policy(&old), policy(&new));
        are_complete(&diff(&old, &new).gains, (&old, &new), (peers, denies))?;
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
