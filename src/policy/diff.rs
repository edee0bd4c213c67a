//! Tells what a change of the policy changes: who gains or loses which command, with which values. Compares effects, not texts.

mod change;
mod crowd;
mod gain;
mod gate;
mod kinds;
mod manner;
mod offer;
mod operation;
mod scope;
mod values;

pub use change::{Change, LeftOut, Values};
pub use crowd::Principal;

use super::Policy;
use super::command::Command;
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
    let compare =
        |what, old, new| Comparison { gates: &gates, what, note: None, old: &old, new: &new }.gains();
    let [before, after] = [&gates.old, &gates.new].map(|crowd| Offer::plain(crowd.clone()));
    let mut gains = compare(What::Connect, before, after);
    for (builtin, _) in Builtin::ALL {
        let [before, after] = [old, new].map(|policy| granted(policy, builtin, world));
        gains.extend(compare(What::Builtin(builtin), before, after));
    }
    gains.extend(new.commands.values().flat_map(|command| by_command(&gates, old, command)));
    gains
}

/// What the new policy's command gives that the old one's of the same name, if any, doesn't.
fn by_command(gates: &Gates, old: &Policy, command: &Command) -> Vec<Change> {
    let before = old.commands.get(&command.name);
    if gates.open_nothing_to(command) && before.is_some_and(|before| operation::are_same(before, command)) {
        return Vec::new();
    }
    let note = before.and_then(|before| operation::more(before, command));
    let before = before.filter(|_| note.is_none());
    let before = before.map_or_else(Offer::default, |before| Offer::command(before, gates.world));
    let (what, new) = (What::Command(command.name.clone()), Offer::command(command, gates.world));
    Comparison { gates, what, note, old: &before, new: &new }.gains()
}

fn granted(policy: &Policy, builtin: Builtin, world: World) -> Offer<'_> {
    let grants = policy.builtins.iter().filter(|(named, _)| *named == builtin);
    Offer::builtin(grants.map(|(_, condition)| condition), world)
}
