//! What one rule permits of a command: some values of each argument, at some times. Counts no peers.

use super::super::command::{Command, Rule};
use super::super::time::{During, Window, listed};
use super::change;
use super::values::Choice;

/// Pieces into which one scope is cut at most. Past that it is told whole.
const PIECES_MAX: usize = 64;

/// The values of each argument of a command, any combination of them, and when.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    choices: Vec<Choice<'a>>,
    /// When; of nothing, always.
    during: Vec<&'a Window>,
    /// When not.
    except: Vec<&'a Window>,
}

impl<'a> Scope<'a> {
    /// Of what has no arguments, at all times.
    pub(super) const fn whole() -> Self {
        Self { choices: Vec::new(), during: Vec::new(), except: Vec::new() }
    }

    /// Of what has no arguments, at these times.
    pub(super) fn during(during: &'a During) -> Self {
        Self { during: during.windows().iter().collect(), ..Self::whole() }
    }

    /// What the rule permits of its command.
    pub(super) fn of(command: &'a Command, rule: &'a Rule) -> Self {
        let choice = |spec| Choice::of(spec, rule.narrowed(spec.name()));
        let choices = command.arguments.iter().map(choice).collect();
        Self { choices, ..Self::during(&rule.condition.during) }
    }

    /// The same, window by window.
    pub(super) fn by_window(&self) -> Vec<Self> {
        if self.during.len() < 2 {
            return vec![self.clone()];
        }
        self.during.iter().map(|window| Self { during: vec![window], ..self.clone() }).collect()
    }

    /// What none of the others permits. It may tell too much, where that can't be known; never too little.
    pub(super) fn without<'s>(&self, others: impl IntoIterator<Item = &'s Self>) -> Vec<Self>
    where
        'a: 's,
    {
        let (always, sometimes): (Vec<&Self>, Vec<&Self>) =
            others.into_iter().partition(|other| self.is_never_outside(other));
        let mut left = vec![self.clone()];
        for other in always {
            left = left.iter().flat_map(|piece| piece.minus(other)).collect();
            if left.len() > PIECES_MAX {
                left = vec![self.clone()];
                break;
            }
        }
        joined(left).into_iter().map(|piece| piece.except_during(&sometimes)).collect()
    }

    /// This, but not at the times of those that permit all of it then.
    fn except_during(self, sometimes: &[&Self]) -> Self {
        let those = sometimes.iter().filter(|one| self.minus(one).is_empty());
        Self { except: those.flat_map(|one| one.during.iter().copied()).collect(), ..self }
    }

    /// Whether the other permits all of this.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let excepted = other.except.is_empty() || self.has_same_exceptions(other);
        excepted && self.is_never_outside(other) && self.minus(other).is_empty()
    }

    /// Whether all its times are times of the other.
    fn is_never_outside(&self, other: &Self) -> bool {
        let in_other = |inner: &&Window| other.during.iter().any(|outer| outer.includes(inner));
        other.during.is_empty() || !self.during.is_empty() && self.during.iter().all(in_other)
    }

    fn has_same_exceptions(&self, other: &Self) -> bool {
        listed(&self.except) == listed(&other.except)
    }

    /// When, for people; `None` is always.
    pub(super) fn times(&self) -> Option<String> {
        let during = (!self.during.is_empty()).then(|| format!("during {}", listed(&self.during)));
        let except = (!self.except.is_empty()).then(|| format!("except during {}", listed(&self.except)));
        let all: Vec<String> = during.into_iter().chain(except).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// One piece for each argument: the values that the other lacks there, while what comes before is common to both.
    fn minus(&self, other: &Self) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut before: Vec<Choice<'a>> = Vec::new();
        for (index, (mine, theirs)) in self.choices.iter().zip(&other.choices).enumerate() {
            let after = self.choices.get(index + 1..).unwrap_or_default();
            for part in mine.minus(theirs) {
                let choices = before.iter().chain([&part]).chain(after).cloned().collect();
                pieces.push(Self { choices, ..self.clone() });
            }
            before.push(mine.meet(theirs));
            if before.last().is_some_and(Choice::is_empty) {
                break;
            }
        }
        pieces
    }

    /// Both together, where they differ in the list of one argument at most, or in their times alone.
    fn join(&self, other: &Self) -> Option<Self> {
        let same = |(mine, theirs): &(&Choice<'a>, &Choice<'a>)| mine.told() == theirs.told();
        let pairs = || self.choices.iter().zip(&other.choices);
        let differ = pairs().filter(|pair| !same(pair)).count();
        let same_times = listed(&self.during) == listed(&other.during);
        if differ > usize::from(same_times) || !self.has_same_exceptions(other) {
            return None;
        }
        let join =
            |(mine, theirs)| if same(&(mine, theirs)) { Some(mine.clone()) } else { mine.join(theirs) };
        let choices = pairs().map(join).collect::<Option<_>>()?;
        let more = other.during.iter().filter(|_| !same_times);
        Some(Self { choices, during: self.during.iter().chain(more).copied().collect(), ..self.clone() })
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
pub(super) fn joined(pieces: Vec<Scope<'_>>) -> Vec<Scope<'_>> {
    let mut kept: Vec<Scope<'_>> = Vec::new();
    for piece in pieces {
        if kept.iter().any(|one| piece.is_within(one)) {
            continue;
        }
        kept.retain(|one| !one.is_within(&piece));
        match kept.iter_mut().find_map(|one| Some((one.join(&piece)?, one))) {
            Some((both, one)) => *one = both,
            None => kept.push(piece),
        }
    }
    kept
}
