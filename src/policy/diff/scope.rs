//! What one rule permits of a command: some values of each argument. Counts no peers.

use super::super::command::{Command, Rule};
use super::change;
use super::values::Choice;

/// Pieces into which one scope is cut at most. Past that it is told whole.
const PIECES_MAX: usize = 64;

/// The values of each argument of a command, any combination of them.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    choices: Vec<Choice<'a>>,
}

impl<'a> Scope<'a> {
    /// Of what has no arguments.
    pub(super) const fn whole() -> Self {
        Self { choices: Vec::new() }
    }

    /// What the rule permits of its command.
    pub(super) fn of(command: &'a Command, rule: &'a Rule) -> Self {
        let choice = |spec| Choice::of(spec, rule.narrowed(spec.name()));
        Self { choices: command.arguments.iter().map(choice).collect() }
    }

    /// What none of the others permits. It may tell too much, where that can't be known; never too little.
    pub(super) fn without<'s>(&self, others: impl IntoIterator<Item = &'s Self>) -> Vec<Self>
    where
        'a: 's,
    {
        let mut left = vec![self.clone()];
        for other in others {
            left = left.iter().flat_map(|piece| piece.minus(other)).collect();
            if left.len() > PIECES_MAX {
                return vec![self.clone()];
            }
        }
        joined(left)
    }

    /// One piece for each argument: the values that the other lacks there, while what comes before is common to both.
    fn minus(&self, other: &Self) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut before: Vec<Choice<'a>> = Vec::new();
        for (index, (mine, theirs)) in self.choices.iter().zip(&other.choices).enumerate() {
            let after = self.choices.get(index + 1..).unwrap_or_default();
            for part in mine.minus(theirs) {
                let choices = before.iter().chain([&part]).chain(after).cloned().collect();
                pieces.push(Self { choices });
            }
            before.push(mine.meet(theirs));
            if before.last().is_some_and(Choice::is_empty) {
                break;
            }
        }
        pieces
    }

    /// Both together, where they differ in the list of one argument at most.
    fn join(&self, other: &Self) -> Option<Self> {
        let same = |(mine, theirs): &(&Choice<'a>, &Choice<'a>)| mine.told() == theirs.told();
        let pairs = || self.choices.iter().zip(&other.choices);
        if pairs().filter(|pair| !same(pair)).count() > 1 {
            return None;
        }
        let join = |pair: (&Choice<'a>, &Choice<'a>)| {
            if same(&pair) { Some(pair.0.clone()) } else { pair.0.join(pair.1) }
        };
        Some(Self { choices: pairs().map(join).collect::<Option<_>>()? })
    }

    /// The same, to be told.
    pub(super) fn told(&self, command: Option<&Command>) -> Vec<(String, change::Values)> {
        let specs = command.map_or(&[][..], Command::arguments);
        specs
            .iter()
            .zip(&self.choices)
            .map(|(spec, choice)| (spec.name().to_string(), choice.told()))
            .collect()
    }
}

/// The pieces, as few as they can simply be told in.
fn joined(pieces: Vec<Scope<'_>>) -> Vec<Scope<'_>> {
    let mut kept: Vec<Scope<'_>> = Vec::new();
    for piece in pieces {
        if kept.iter().any(|one| piece.minus(one).is_empty()) {
            continue;
        }
        kept.retain(|one| !one.minus(&piece).is_empty());
        match kept.iter_mut().find_map(|one| Some((one.join(&piece)?, one))) {
            Some((both, one)) => *one = both,
            None => kept.push(piece),
        }
    }
    kept
}
