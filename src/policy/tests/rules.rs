//! When a rule is for a peer: roles, times, namespaces and the groups of the user database, case by case.

use super::*;
use crate::identity::{DatabaseGroups, Groups, Namespace};
use crate::policy::{Decision, Origin, Reason, Refusal, Severity, decide, moment, why};
use crate::request::Builtin;
use std::cell::Cell;
use std::time::{Duration, SystemTime};

fn time(text: &str) -> SystemTime {
    moment(text, &Table).unwrap_or_else(|error| panic!("{error}"))
}

/// `USER GROUP… [database=GROUP,…|unknown] [namespace=foreign]`.
fn someone(who: &str) -> Peer {
    let (facts, names): (Vec<&str>, Vec<&str>) = who.split_whitespace().partition(|word| word.contains('='));
    let mut peer = peer(names[0], &names[1..]);
    peer.database_groups = DatabaseGroups::Known(Groups::new());
    for fact in facts {
        match fact.split_once('=').unwrap() {
            ("database", "unknown") => peer.database_groups = DatabaseGroups::Unavailable,
            ("database", groups) => {
                peer.database_groups = DatabaseGroups::Known(groups.split(',').map(gid).collect());
            }
            ("namespace", "foreign") => peer.namespace = Namespace::Foreign,
            (name, _) => panic!("{who}: nothing is known as {name}"),
        }
    }
    peer
}

#[test]
fn why_names_the_role_and_tells_the_time() {
    let policy = policy(&read("tests/policies/rules.toml"));
    let explained = |who: &str, line: &str| {
        rows(&why(&policy, &someone(who), &request(line), time("2026-11-23 18:00:05 Europe/Berlin")))
    };
    assert_eq!(
        explained("erin webops", "office"),
        [
            "step=command name=office at=policy.toml:39 result=found",
            "step=allow group=webops role=web source=kernel result=yes at=policy.toml:42",
            "step=during during=Mon..Fri 08:00-18:00 Europe/Berlin \
             at-time=Mon 2026-11-23 18:00:05 Europe/Berlin result=no at=policy.toml:41",
        ]
    );
    assert_eq!(
        explained("erin database=dba", "query")[1],
        "step=allow group=dba role=data source=database result=yes at=policy.toml:107"
    );
    assert_eq!(
        explained("mallory", "free"),
        ["step=deny user=mallory role=outsiders source=kernel result=yes"]
    );
    assert_eq!(explained("bob namespace=foreign", "free"), ["step=connect result=foreign-namespace"]);
    assert_eq!(
        explained("postgres namespace=foreign", "collect"),
        ["step=command name=collect result=not-found"]
    );
}

#[test]
fn a_refusal_for_the_time_or_the_namespace_has_its_reason_on_record() {
    let policy = policy(&read("tests/policies/rules.toml"));
    let denial = |who: &str, line: &str| match decide(
        &policy,
        &someone(who),
        &request(line),
        time("2026-11-23 19:00 UTC"),
    ) {
        Decision::Deny(denial) => denial,
        Decision::Permit(grant) => panic!("{grant:?}"),
    };
    let late = denial("bob", "mixed b");
    assert_eq!(late.reason().to_string(), "it is permitted only during 08:00-18:00 UTC; 20:00-21:00 UTC");
    assert_eq!(late.rule().to_string(), "policy.toml:89");
    assert_eq!(denial("postgres namespace=foreign", "collect").reason(), &Reason::ForeignNamespace);
    assert_eq!(denial("bob namespace=foreign", "collect").reason(), &Reason::ForeignNamespace);
}

#[test]
fn what_a_peer_may_do_at_other_times_stays_visible_with_the_times() {
    let policy = policy(&read("tests/policies/rules.toml"));
    let (alice, bob, nightly) = (someone("alice"), someone("bob"), someone("nightly namespace=foreign"));
    let hours = |peer: &Peer, name: &str| policy.command(peer, &name.parse().unwrap())?.hours(peer);
    assert_eq!(hours(&alice, "office").as_deref(), Some("Mon..Fri 08:00-18:00 Europe/Berlin"));
    assert_eq!(hours(&alice, "free"), None);
    assert_eq!(hours(&bob, "mixed"), None, "one of the rules holds at any time");
    assert_eq!(hours(&bob, "office"), None, "not for this peer");
    assert!(policy.visible_commands(&alice).any(|command| command.name().as_str() == "office"));
    let at = |time_of_day: &str| time(&format!("2026-11-23 {time_of_day} Europe/Berlin"));
    assert!(policy.grants_builtin(&alice, Builtin::Status, at("12:00")));
    assert!(!policy.grants_builtin(&alice, Builtin::Status, at("18:00")));
    let denial = policy.judge_builtin(&alice, Builtin::Status, at("18:00")).unwrap_err();
    let hours = policy.builtin_hours(&alice, Builtin::Status).unwrap();
    assert_eq!(denial.refusal(), &Refusal::NotNow(format!("only during {hours}")));
    assert_eq!(denial.reason(), &Reason::NotNow(hours));
    assert_eq!(denial.rule().to_string(), "policy.toml:27");
    let denial = policy.judge_builtin(&bob, Builtin::Status, at("12:00")).unwrap_err();
    assert_eq!((denial.reason(), denial.rule()), (&Reason::NotGranted, &Origin::DEFAULT_DENY));
    assert!(policy.grants_builtin(&nightly, Builtin::Sessions, at("18:00")));
    assert_eq!(policy.builtin_hours(&nightly, Builtin::Sessions), None);
    assert_eq!(policy.builtin_hours(&bob, Builtin::Status), None, "not granted at all");
}

#[test]
fn the_first_rule_is_one_for_that_moment() {
    let policy = policy(&read("tests/policies/rules.toml"));
    let first = |at: Option<&str>| {
        policy.first_rule(&someone("carol"), &"small-hours".parse().unwrap(), at.map(time)).is_some()
    };
    assert!(first(None) && first(Some("2026-11-02 02:00 America/New_York")));
    assert!(!first(Some("2026-11-02 03:00 America/New_York")));
}

#[test]
fn the_database_is_asked_where_a_rule_goes_by_its_groups() {
    let rule = "[[commands.a.allow]]\ngroups = [\"dba\"]\n";
    let command = "[allow]\ngroups = [\"dba\"]\n[commands.a]\nexec = [\"/bin/a\"]\n";
    let needs = |text: &str| policy(text).needs_database_groups();
    assert!(!needs(&format!("{command}{rule}")));
    assert!(needs(&format!("{command}{rule}groups-from = \"database\"\n")));
    assert!(needs("[allow]\ngroups = [\"dba\"]\ngroups-from = \"database\"\n"));
    assert!(needs(
        "[[builtins.status.allow]]\nroles = [\"r\"]\ngroups-from = \"database\"\n[roles.r]\ngroups = [0]\n"
    ));
    assert!(!needs(
        "[[builtins.status.allow]]\nroles = [\"r\"]\ngroups-from = \"database\"\n[roles.r]\nusers = [0]\n"
    ));
    assert!(needs("[deny]\nroles = [\"r\"]\n[roles.r]\ngroups = [0]\n"), "as for every deny of a group");
}

#[test]
fn who_may_yet_be_let_in_by_the_database_is_told_apart() {
    let with = |text: &str| policy(text);
    let by_kernel = with("[allow]\ngroups = [\"dba\"]\n");
    let by_database = with("[allow]\ngroups = [\"dba\"]\ngroups-from = \"database\"\n");
    let member = peer("erin", &["dba"]);
    assert!(by_kernel.may_admit(&member) && !by_kernel.admits_by_database());
    assert!(!by_database.may_admit(&member) && by_database.admits_by_database());
}

#[test]
fn limits_of_a_command_come_with_the_grant() {
    let text = "[allow]\nusers = [\"bob\"]\n[commands.a]\nexec = [\"/bin/a\"]\nrate = \"5/min\"\nmax-running = 2\n\
                [[commands.a.allow]]\nusers = [\"bob\"]\n";
    let Decision::Permit(grant) =
        decide(&policy(text), &peer("bob", &[]), &request("a"), time("2026-01-01 00:00"))
    else {
        panic!()
    };
    let (rate, most) = (grant.terms().rate.as_ref().unwrap(), grant.terms().max_running.as_ref().unwrap());
    assert_eq!((rate.runs, rate.per, rate.to_string()), (5, Duration::from_secs(60), "5/min".to_owned()));
    assert_eq!((most.runs, most.origin.to_string()), (2, "policy.toml:6".to_owned()));
    assert_eq!(rate.origin.to_string(), "policy.toml:5");
}

#[test]
fn a_moment_is_read_to_the_second_and_shown_as_it_is_read() {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_431_600);
    for text in [
        "2026-11-23 12:00 Europe/Berlin",
        "2026-11-23 11:00 UTC",
        "2026-11-23 11:00:00",
        "Mon 2026-11-23 06:00 America/New_York",
        "monday  2026-11-23\t12:00:00  Europe/Berlin",
    ] {
        assert_eq!(moment(text, &Table), Ok(noon), "{text}");
    }
}

#[test]
fn a_moment_that_no_clock_shows_once_is_refused() {
    let form = |text: &str| format!("{text:?} is no time; write \"2026-11-23 12:00 Europe/Berlin\"");
    for text in ["", "now", "2026-11-23", "12:00", "2026-11-23T12:00", "2026-11-31 12:00", "2026-11-23 24:00"]
    {
        assert_eq!(moment(text, &Table), Err(form(text)));
    }
    for text in ["2026-11-23 12:00 UTC x", "26-11-23 12:00", "2026-1-23 12:00", "+026-11-23 12:00"] {
        assert_eq!(moment(text, &Table), Err(form(text)));
    }
    for (text, expected) in [
        ("Tue 2026-11-23 12:00", "2026-11-23 is a Mon"),
        (
            "2026-11-23 12:00 Europe/Berlim",
            "no such time zone: \"Europe/Berlim\"; did you mean \"Europe/Berlin\"?",
        ),
        (
            "2026-03-29 02:30 Europe/Berlin",
            "2026-03-29 02:30:00 never comes in this zone: its clocks skip it",
        ),
        ("2026-10-25 02:30 Europe/Berlin", "2026-10-25 02:30:00 comes twice in this zone: write it in UTC"),
    ] {
        assert_eq!(moment(text, &Table), Err(expected.to_owned()));
    }
}

#[test]
fn each_program_is_looked_at_once_and_told_of_wherever_it_is_named() {
    let policy = policy("[commands.a]\nexec = [\"/bin/x\"]\n[commands.b]\nexec = [\"/bin/x\"]\n");
    let looks = Cell::new(0);
    let faults = policy.program_faults(|_| {
        looks.set(looks.get() + 1);
        Some((Severity::Warning, "odd".to_owned()))
    });
    assert_eq!((looks.get(), faults.len()), (1, 2));
}

#[test]
fn of_several_values_the_wrong_one_is_told_by_its_place() {
    let policy = policy(
        "[allow]\nusers = [\"alice\"]\n[commands.many]\nexec = [\"/bin/a\", \"{n}\"]\n\
         args = [{ name = \"n\", one-of = [\"a\", \"b\"], repeat = true }]\n\
         [[commands.many.allow]]\nusers = [\"alice\"]\n",
    );
    let told = |line: &str| match decide(&policy, &peer("alice", &[]), &request(line), SystemTime::UNIX_EPOCH)
    {
        Decision::Deny(denial) => denial.reason().to_string(),
        Decision::Permit(_) => panic!("{line} is permitted"),
    };
    assert!(told("many a x b").ends_with("must be one of a, b (value 2 of 3)"), "{}", told("many a x b"));
    assert!(told("many x").ends_with("must be one of a, b"), "{}", told("many x"));
}
