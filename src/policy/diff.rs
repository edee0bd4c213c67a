//! Tells what a change of the policy changes: who gains or loses which command, with which values. Compares effects, not texts.

mod change;
mod crowd;
mod gain;
mod gate;
mod kinds;
mod offer;
mod operation;
mod scope;
mod values;

pub use change::{Change, LeftOut, Values};
pub use crowd::Principal;

use super::Policy;
use crate::request::Builtin;
use change::What;
use crowd::World;
use gain::Comparison;
use gate::Gates;
use offer::Offer;

/// What differs between two policies. Empty where they permit the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// What the new policy permits and the old one doesn't, the right to connect first, then built-ins, then commands.
    pub gains: Vec<Change>,
    /// What the old policy permits and the new one doesn't.
    pub losses: Vec<Change>,
}

/// What whom `new` permits that `old` doesn't, and the other way round.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Diff {
    Diff { gains: gained(old, new), losses: gained(new, old) }
}

/// What `new` permits that `old` doesn't.
fn gained(old: &Policy, new: &Policy) -> Vec<Change> {
    [World::Own, World::Foreign].into_iter().flat_map(|world| gained_in(world, old, new)).collect()
}

fn gained_in(world: World, old: &Policy, new: &Policy) -> Vec<Change> {
    let gates = Gates::of(old, new, world);
    if gates.new.is_empty() {
        return Vec::new();
    }
    let compare = |what, note, old: &Offer<'_>, new: &Offer<'_>| {
        Comparison { gates: &gates, what, note, old, new }.gains()
    };
    let (before, after) = (Offer::plain(gates.old.clone()), Offer::plain(gates.new.clone()));
    let mut gains = compare(What::Connect, None, &before, &after);
    for (builtin, _) in Builtin::ALL {
        let [before, after] = [old, new].map(|policy| granted(policy, builtin, world));
        gains.extend(compare(What::Builtin(builtin), None, &before, &after));
    }
    for (name, command) in &new.commands {
        let before = old.commands.get(name);
        if gates.open_nothing_to(command) && before.is_some_and(|before| operation::are_same(before, command))
        {
            continue;
        }
        let note = before.and_then(|before| operation::more(before, command));
        let before = before.filter(|_| note.is_none());
        let before = before.map_or_else(Offer::default, |before| Offer::command(before, world));
        gains.extend(compare(What::Command(name.clone()), note, &before, &Offer::command(command, world)));
    }
    gains
}

fn granted(policy: &Policy, builtin: Builtin, world: World) -> Offer<'_> {
    let grants = policy.builtins.iter().filter(|(named, _)| *named == builtin);
    Offer::builtin(grants.map(|(_, condition)| condition), world)
}
