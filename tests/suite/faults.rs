//! The law of the protocol under faults: 2xx ran to its end, 3xx, 4xx and 5xx never started, and of 599 or of no final line at
//! all nobody knows. Somebody is killed at every step of a run, and what the client was told is held against what the program
//! itself wrote, what is on the record, and what the kernel saw.

mod law;
mod scene;
mod tracer;

use law::Case;
use scene::{Fault, POLICY, Round, Scene};
use std::collections::BTreeMap;
use std::io::Write;
use tracer::Role;

/// How often which end was told.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    told: BTreeMap<String, usize>,
}

impl Tally {
    fn count(&mut self, case: &Case<'_>) {
        self.kills += 1;
        let told = case.code().map_or_else(|| "nothing".to_owned(), |code| code.to_string());
        *self.told.entry(told).or_default() += 1;
    }
}

/// Kills the victim at every stop of the clock's, until a run goes through unharmed.
fn enumerate(clock: Role, victim: Role, stride: usize) -> Tally {
    let mut scene = Scene::new(clock, POLICY);
    judged(&scene.unharmed(), &scene, "at first");
    let (mut tally, mut rounds) = (Tally::default(), Vec::new());
    for step in (1..).step_by(stride) {
        let fault = Fault { clock, victim, step };
        let round = scene.play(Some(fault));
        let case = judged(&round, &scene, &format!("{fault:?}"));
        if round.killed {
            tally.count(&case);
        }
        let after = scene.unharmed();
        let served = judged(&after, &scene, &format!("after {fault:?}"));
        assert_eq!(served.code(), Some(200), "after {fault:?}: {served:#?}");
        let is_last = round.steps < step;
        rounds.extend([round, after]);
        if is_last {
            break;
        }
    }
    for round in &rounds {
        judged(round, &scene, "in the end");
    }
    tell(&format!("{} kills of {victim:?} at the steps of {clock:?}; told: {:?}", tally.kills, tally.told));
    tally
}

fn judged<'a>(round: &'a Round, scene: &Scene, when: &str) -> Case<'a> {
    let case = Case::of(round, scene);
    if let Err(rule) = case.judge() {
        panic!("{when}: \"{rule}\" does not hold: {case:#?}\n{}", scene.read("record"));
    }
    case
}

/// For whoever reads the output of the tests, also when all is well.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

#[test]
fn the_law_holds_though_the_broker_is_killed_at_any_step() {
    enumerate(Role::Broker, Role::Broker, 1);
}

#[test]
fn the_law_holds_though_the_server_is_killed_at_any_step() {
    enumerate(Role::Server, Role::Server, 1);
}

#[test]
fn the_law_holds_though_the_job_is_killed_at_any_step() {
    enumerate(Role::Job, Role::Job, 1);
}
