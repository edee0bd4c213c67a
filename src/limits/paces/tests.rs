//! Turns and their ends, by a clock that stands still until it is moved.

use super::*;
use crate::identity::Gid;
use crate::identity::Peer;
use crate::policy::{Decision, LookupFailed, Names, Policy, Source, decide};
use crate::request::Request;
use std::cell::Cell;
use std::time::SystemTime;

thread_local! {
    static START: Instant = Instant::now();
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock of this test's thread alone.
fn clock() -> Instant {
    START.with(|start| *start) + PASSED.get()
}

fn pass(seconds: u64) {
    PASSED.set(PASSED.get() + Duration::from_secs(seconds));
}

struct Nobody;

impl Names for Nobody {
    fn uid_of(&self, _: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(None)
    }

    fn gid_of(&self, _: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(None)
    }
}

/// A rate as a policy has it.
fn rate(text: &str) -> Rate {
    let text = format!(
        "[allow]\nusers = [7]\n[commands.a]\nexec = [\"/bin/a\"]\nrate = {text:?}\n[[commands.a.allow]]\nusers = [7]\n"
    );
    let policy = Policy::parse(&[Source { name: "p".to_owned(), text }], &Nobody).unwrap().policy;
    let request = Request { command: name("a"), arguments: Vec::new() };
    let peer = Peer::of(user(7), Gid::new(7).unwrap(), []);
    let Decision::Permit(grant) = decide(&policy, &peer, &request, SystemTime::UNIX_EPOCH) else { panic!() };
    grant.terms().rate.clone().unwrap()
}

fn user(raw: u32) -> Uid {
    Uid::new(raw).unwrap()
}

fn name(text: &str) -> CommandName {
    text.parse().unwrap()
}

/// Runs it if there is a turn; otherwise, in how many seconds there is one.
fn run(paces: &Arc<Paces>, raw: u32, command: &str, rate: &Rate) -> Result<(), u64> {
    let turn = paces.take(user(raw), &name(command), rate);
    turn.map(Turn::spend).map_err(|wait| wait.as_secs())
}

#[test]
fn a_rate_holds_over_any_span_and_not_from_full_minute_to_full_minute() {
    let (paces, three) = (Paces::new(clock), rate("3/min"));
    for _ in 0..3 {
        assert_eq!(run(&paces, 7, "a", &three), Ok(()));
        pass(15);
    }
    assert_eq!(run(&paces, 7, "a", &three), Err(15));
    pass(14);
    assert_eq!(run(&paces, 7, "a", &three), Err(1));
    pass(1);
    assert_eq!(run(&paces, 7, "a", &three), Ok(()));
    assert_eq!(run(&paces, 7, "a", &three), Err(15));
}

#[test]
fn what_is_refused_costs_nothing() {
    let (paces, one) = (Paces::new(clock), rate("1/h"));
    assert_eq!(run(&paces, 7, "a", &one), Ok(()));
    for _ in 0..100 {
        assert_eq!(run(&paces, 7, "a", &one), Err(3600));
    }
    pass(3600);
    assert_eq!(run(&paces, 7, "a", &one), Ok(()));
}

#[test]
fn a_turn_that_is_not_spent_is_given_back() {
    let (paces, one) = (Paces::new(clock), rate("1/day"));
    let turn = paces.take(user(7), &name("a"), &one).unwrap();
    assert!(run(&paces, 7, "a", &one).is_err(), "while it may yet be spent");
    drop(turn);
    assert_eq!(run(&paces, 7, "a", &one), Ok(()));
    assert_eq!(paces.log().all, 1);
}

#[test]
fn users_and_commands_each_have_their_own() {
    let (paces, one) = (Paces::new(clock), rate("1/s"));
    for (raw, command) in [(7, "a"), (8, "a"), (7, "b")] {
        assert_eq!(run(&paces, raw, command, &one), Ok(()));
        assert!(run(&paces, raw, command, &one).is_err());
    }
}

#[test]
fn a_rate_that_changes_counts_what_was_run_before() {
    let paces = Paces::new(clock);
    for _ in 0..5 {
        assert_eq!(run(&paces, 7, "a", &rate("5/min")), Ok(()));
        pass(2);
    }
    assert_eq!(run(&paces, 7, "a", &rate("2/min")), Err(56), "three of the five must be forgotten first");
    assert_eq!(run(&paces, 7, "a", &rate("6/day")), Ok(()));
    assert!(run(&paces, 7, "a", &rate("6/day")).is_err());
}

#[test]
fn what_no_longer_counts_is_forgotten() {
    let (paces, one) = (Paces::new(clock), rate("1/s"));
    for raw in 0..100_000 {
        assert_eq!(run(&paces, raw / 10 + 1, "a", &one), Ok(()));
        pass(1);
    }
    let log = paces.log();
    assert!(log.all <= SLACK && log.users.len() <= SLACK, "{} of {}", log.all, log.users.len());
}

#[test]
fn a_user_who_fills_its_share_of_the_log_fills_nobody_elses() {
    let (paces, many) = (Paces::new(clock), rate("1000/day"));
    let mut runs = 0;
    for number in 0..20 {
        let command = format!("c{number}");
        runs += (0..1000).filter(|_| run(&paces, 7, &command, &many).is_ok()).count();
    }
    assert_eq!(runs, REMEMBERED_OF_USER);
    assert_eq!(run(&paces, 7, "other", &many), Err(24 * 60 * 60));
    assert_eq!(run(&paces, 8, "other", &many), Ok(()));
}

#[test]
fn the_log_is_never_larger_than_it_may_be() {
    let (paces, many) = (Paces::new(clock), rate("1000/day"));
    let users = u32::try_from(REMEMBERED / REMEMBERED_OF_USER).unwrap();
    let commands: Vec<CommandName> = (0..17).map(|number| name(&format!("c{number}"))).collect();
    let mut log = paces.log();
    for (raw, command) in (1..=users).flat_map(|raw| commands.iter().map(move |command| (raw, command))) {
        while log.add(user(raw), command, (&many, clock())).is_ok() {}
    }
    let held: usize = log.users.values().flat_map(HashMap::values).map(|runs| runs.began.len()).sum();
    assert_eq!((log.all, held), (REMEMBERED, REMEMBERED));
    pass(60);
    let whole = Duration::from_secs(24 * 60 * 60 - 60);
    assert_eq!(log.add(user(users + 1), &commands[0], (&many, clock())), Err(whole));
    pass(24 * 60 * 60 - 60);
    assert_eq!(log.add(user(users + 1), &commands[0], (&many, clock())), Ok(()));
    assert_eq!((log.all, log.users.len()), (1, 1));
}
