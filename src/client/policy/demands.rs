//! What a request demands of the machine that it runs on, looked at as whoever asks. Takes nothing unseen for missing.

use super::Machine;
use crate::execution::{Obstacle, look};
use crate::policy::{Demand, Need};
use serde_json::{Map, Value};

/// What is demanded, a step each, and whether nothing is seen to be otherwise.
pub(super) fn outside(demands: &[Demand], machine: Machine) -> (Vec<Map<String, Value>>, bool) {
    let steps: Vec<_> = open(demands).map(|demand| demanded(demand, machine)).collect();
    let are_met = steps.iter().all(|step| step.get("result").is_none_or(|result| result != "no"));
    (steps, are_met)
}

/// Whether nothing that is demanded is seen to be otherwise on this machine.
pub(super) fn are_met(demands: &[Demand]) -> bool {
    !open(demands).any(|demand| matches!(look(demand), Err(Obstacle::Not(_))))
}

/// All but secrets, which demand nothing that could be looked at.
fn open(demands: &[Demand]) -> impl Iterator<Item = &Demand> {
    demands.iter().filter(|demand| !matches!(demand.need(), Need::Memory(_) | Need::Input(_)))
}

/// The result, and the reason for it.
fn seen(demand: &Demand, machine: Machine) -> (&'static str, Option<String>) {
    if machine == Machine::Another {
        return ("unseen", Some("the policy is for another machine".to_owned()));
    }
    match look(demand) {
        Ok(_) => ("yes", None),
        Err(obstacle @ Obstacle::Not(_)) => ("no", Some(format!("{}: {obstacle}", demand.must()))),
        Err(obstacle) => ("unseen", Some(obstacle.to_string())),
    }
}

fn demanded(demand: &Demand, machine: Machine) -> Map<String, Value> {
    let (result, reason) = seen(demand, machine);
    let fields = [
        ("step", Some("demand".to_owned())),
        ("name", Some(demand.argument().to_string())),
        ("value", value(demand.need())),
        ("result", Some(result.to_owned())),
        ("reason", reason),
        ("at", Some(demand.declared().short())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

fn value(need: &Need) -> Option<String> {
    match need {
        Need::Path(path) => Some(path.root.join(&path.below).display().to_string()),
        Need::User(user) => Some(user.name.clone()),
        Need::Group(name) => Some(name.clone()),
        Need::Memory(_) | Need::Input(_) => None,
    }
}
