//! The law of the protocol under faults: 2xx ran to its end, 3xx, 4xx and 5xx never started, and of 599 or of no final line at
//! all nobody knows. Somebody is killed at every step of a run, and what the client was told is held against what the program
//! itself wrote, what is on the record, and what the kernel saw.

mod law;
mod scene;
mod tracer;

use crate::process::is_root;
use law::Case;
use scene::{Fault, Form, POLICY, Round, Scene};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracer::Role;

/// Requests without a fault, after which whatever is closed late is closed.
const PAUSE: usize = 50;

/// The kills of all tests.
static KILLS: AtomicUsize = AtomicUsize::new(0);

/// Kills the victim at every so-manieth stop of the clock's, until a run goes through unharmed. Gives the number of kills.
fn enumerate(form: Form, (clock, victim): (Role, Role), stride: usize) -> usize {
    if !is_root() {
        // A process that keeps its memory to itself is traced by root alone.
        return usize::MAX;
    }
    let mut scene = Scene::new(clock, POLICY);
    let few = (0..3).map(|_| serves(&mut scene)).max();
    let (mut told, mut rounds) = (BTreeMap::<String, usize>::new(), Vec::new());
    for step in (1..).step_by(stride) {
        let round = scene.play(form, Some(Fault { clock, victim, step }));
        let code = judged(&round, &scene).code;
        if round.killed {
            *told.entry(code.map_or_else(|| "nothing".to_owned(), |code| code.to_string())).or_default() += 1;
        }
        let is_over = round.steps < step;
        rounds.push(if matches!(form, Form::Named | Form::NamedDetached) {
            repeated(&round, &mut scene)
        } else {
            round
        });
        serves(&mut scene);
        if is_over {
            break;
        }
    }
    assert!((0..PAUSE).any(|_| Some(serves(&mut scene)) <= few), "descriptors stay open");
    for round in &rounds {
        let case = judged(round, &scene);
        if form == Form::Lasting
            && let Err(rule) = case.judge_left()
        {
            panic!("\"{rule}\" does not hold: {case:#?}");
        }
    }
    tell(&format!("{victim:?} at the steps of {clock:?}, {form:?}"), &told)
}

/// Says how often whoever it was was killed, and what the clients were told. Gives the number.
fn tell(what: &str, told: &BTreeMap<String, usize>) -> usize {
    let kills = told.values().sum();
    let all = KILLS.fetch_add(kills, Ordering::Relaxed) + kills;
    let told: Vec<String> = told.iter().map(|(code, times)| format!("{code} {times} times")).collect();
    let line = format!("{kills} kills of {what} ({all} in all); told: {}; the law held", told.join(", "));
    // Past the capture of output: also when all is well.
    writeln!(std::io::stderr(), "{line}").unwrap();
    kills
}

/// A request that nobody disturbs is served. Tells how many descriptors are open after it.
fn serves(scene: &mut Scene) -> usize {
    let round = scene.play(Form::Plain, None);
    let case = judged(&round, scene);
    assert_eq!(case.code, Some(200), "{case:#?}");
    scene.descriptors()
}

/// Who asks for the same under the same token makes nothing run twice.
fn repeated(round: &Round, scene: &mut Scene) -> Round {
    let again = scene.again(round);
    judged(&again, scene);
    again
}

fn judged<'a>(round: &'a Round, scene: &Scene) -> Case<'a> {
    let case = Case::of(round, scene);
    if let Err(rule) = case.judge() {
        panic!("\"{rule}\" does not hold: {case:#?}");
    }
    case
}

#[test]
fn the_law_holds_though_the_broker_is_killed_at_any_step_of_its_own() {
    assert!(enumerate(Form::Plain, (Role::Broker, Role::Broker), 1) > 200);
}

#[test]
fn the_law_holds_though_the_server_is_killed_at_any_step_of_its_own() {
    assert!(enumerate(Form::Plain, (Role::Server, Role::Server), 1) > 100);
}

#[test]
fn the_law_holds_though_the_job_is_killed_at_any_step_from_its_fork_to_its_end() {
    assert!(enumerate(Form::Plain, (Role::Job, Role::Job), 1) > 100);
}

#[test]
fn the_law_holds_though_the_broker_is_killed_while_another_takes_a_step() {
    enumerate(Form::Plain, (Role::Job, Role::Broker), 3);
    enumerate(Form::Plain, (Role::Server, Role::Broker), 3);
}

#[test]
fn the_law_holds_though_the_server_is_killed_while_another_takes_a_step() {
    enumerate(Form::Plain, (Role::Job, Role::Server), 9);
    enumerate(Form::Plain, (Role::Broker, Role::Server), 7);
}

#[test]
fn the_law_holds_though_the_job_is_killed_while_another_takes_a_step() {
    enumerate(Form::Plain, (Role::Broker, Role::Job), 3);
    enumerate(Form::Plain, (Role::Server, Role::Job), 1);
}

#[test]
fn the_law_holds_though_the_client_is_killed_while_another_takes_a_step() {
    enumerate(Form::Plain, (Role::Job, Role::Client), 9);
    enumerate(Form::Plain, (Role::Broker, Role::Client), 7);
    enumerate(Form::Plain, (Role::Server, Role::Client), 3);
}

#[test]
fn what_is_asked_again_by_its_token_runs_once_whoever_is_killed() {
    enumerate(Form::Named, (Role::Broker, Role::Broker), 5);
    enumerate(Form::Named, (Role::Server, Role::Server), 5);
    enumerate(Form::Named, (Role::Job, Role::Job), 9);
    enumerate(Form::Named, (Role::Job, Role::Broker), 9);
    enumerate(Form::NamedDetached, (Role::Broker, Role::Broker), 5);
}

#[test]
fn what_is_accepted_has_started_whoever_is_killed() {
    enumerate(Form::Detached, (Role::Broker, Role::Broker), 5);
    enumerate(Form::Detached, (Role::Server, Role::Server), 5);
    enumerate(Form::Detached, (Role::Job, Role::Job), 9);
}

#[test]
fn what_is_cancelled_has_an_end_on_record_whoever_is_killed() {
    enumerate(Form::Cancelled, (Role::Broker, Role::Broker), 9);
    enumerate(Form::Cancelled, (Role::Server, Role::Server), 5);
    enumerate(Form::Cancelled, (Role::Job, Role::Job), 9);
}

#[test]
fn what_ends_with_its_client_is_ended_or_never_started_whenever_that_one_is_killed() {
    enumerate(Form::Lasting, (Role::Server, Role::Client), 3);
    enumerate(Form::Lasting, (Role::Broker, Role::Client), 5);
    enumerate(Form::Lasting, (Role::Job, Role::Client), 5);
}

#[test]
fn what_ends_with_its_client_is_ended_or_never_started_whenever_the_server_is_killed() {
    enumerate(Form::Lasting, (Role::Server, Role::Server), 5);
    enumerate(Form::Lasting, (Role::Job, Role::Server), 9);
}
