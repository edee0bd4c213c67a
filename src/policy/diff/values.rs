//! Sets of the values of one argument, and what is left of one without another. Where that can't be known, all is left.

use super::super::kind::{ArgumentSpec, Kind, Repeat, duration};
use super::change::{self, LeftOut};
use super::kinds;
use crate::request::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The values that may be given.
#[derive(Clone, Debug)]
pub(super) enum Given<'a> {
    Listed(BTreeSet<&'a str>),
    /// Each in whatever spelling.
    Durations(BTreeSet<Duration>),
    Integers(i64, i64),
    Typed(&'a ArgumentSpec),
    /// The values of the first type that are none of the second, which it holds.
    Except(&'a ArgumentSpec, &'a ArgumentSpec),
}

impl<'a> Given<'a> {
    fn of(spec: &'a ArgumentSpec) -> Self {
        match &spec.kind {
            Kind::OneOf(values) => Self::Listed(values.iter().map(String::as_str).collect()),
            Kind::Boolean => Self::Listed(["false", "true"].into()),
            Kind::Integer(first, last) => Self::Integers(*first, *last),
            Kind::Pattern(..)
            | Kind::Text(..)
            | Kind::Duration(..)
            | Kind::Hostname
            | Kind::Unit(_)
            | Kind::Path(_)
            | Kind::User(_)
            | Kind::Group
            | Kind::Secret(..) => Self::Typed(spec),
        }
    }

    /// The values to which a rule narrows the argument.
    fn narrowed(spec: &ArgumentSpec, values: &'a [Value]) -> Self {
        let values = values.iter().filter_map(Value::as_text);
        if matches!(spec.kind, Kind::Duration(..)) {
            Self::Durations(values.filter_map(duration).collect())
        } else {
            Self::Listed(values.collect())
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Listed(values) => values.is_empty(),
            Self::Durations(values) => values.is_empty(),
            Self::Integers(..) | Self::Typed(_) | Self::Except(..) => false,
        }
    }

    fn has(&self, text: &str) -> bool {
        match self {
            Self::Listed(values) => values.contains(text),
            Self::Durations(values) => duration(text).is_some_and(|length| values.contains(&length)),
            Self::Integers(first, last) => Kind::Integer(*first, *last).has(text),
            Self::Typed(spec) => is_value(spec, text),
            Self::Except(spec, less) => is_value(spec, text) && !is_value(less, text),
        }
    }

    fn durations<'d>(values: impl Iterator<Item = &'d Duration>) -> Vec<Self> {
        let values: BTreeSet<Duration> = values.copied().collect();
        if values.is_empty() { Vec::new() } else { vec![Self::Durations(values)] }
    }

    /// Whether a duration is one of its values in each of its spellings, or in none.
    fn takes_durations(&self) -> bool {
        match self {
            Self::Durations(_) => true,
            Self::Typed(spec) | Self::Except(spec, _) => matches!(spec.kind, Kind::Duration(..)),
            Self::Listed(_) | Self::Integers(..) => false,
        }
    }

    /// What this has and the other has not, in pieces. Of two types of which neither is known to hold the other, all.
    fn minus(&self, other: &Self) -> Vec<Self> {
        match (self, other) {
            (Self::Listed(values), _) => {
                vec![Self::Listed(values.iter().copied().filter(|value| !other.has(value)).collect())]
            }
            (Self::Durations(values), other) if other.takes_durations() => {
                Self::durations(values.iter().filter(|value| !other.has(&written(**value))))
            }
            (Self::Integers(first, last), Self::Integers(from, to)) => outside((*first, *last), (*from, *to)),
            (Self::Integers(first, last), Self::Listed(values)) => {
                let numbers =
                    values.iter().filter(|text| self.has(text)).filter_map(|text| text.parse().ok());
                between(*first, *last, &numbers.collect())
            }
            (Self::Typed(inner) | Self::Except(inner, _), Self::Typed(outer)) if holds(outer, inner) => {
                Vec::new()
            }
            (Self::Typed(outer), Self::Typed(inner)) if holds(outer, inner) => {
                vec![Self::Except(outer, inner)]
            }
            (Self::Durations(_) | Self::Integers(..) | Self::Typed(_) | Self::Except(..), _) => {
                vec![self.clone()]
            }
        }
    }

    /// What both have; of two types of which neither is known to hold the other, all of this.
    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Listed(values), _) => {
                Self::Listed(values.iter().copied().filter(|value| other.has(value)).collect())
            }
            (_, Self::Listed(_)) => other.meet(self),
            (Self::Durations(values), other) if other.takes_durations() => {
                Self::Durations(values.iter().copied().filter(|value| other.has(&written(*value))).collect())
            }
            (Self::Typed(_) | Self::Except(..), Self::Durations(_)) if self.takes_durations() => {
                other.meet(self)
            }
            (Self::Integers(first, last), Self::Integers(from, to)) if first.max(from) <= last.min(to) => {
                Self::Integers(*first.max(from), *last.min(to))
            }
            (Self::Integers(..), Self::Integers(..)) => Self::Listed(BTreeSet::new()),
            (Self::Typed(outer), Self::Typed(inner)) if holds(outer, inner) => other.clone(),
            (Self::Durations(_) | Self::Integers(..) | Self::Typed(_) | Self::Except(..), _) => self.clone(),
        }
    }
}

fn is_value(spec: &ArgumentSpec, text: &str) -> bool {
    Value::try_from(text).is_ok_and(|value| spec.check(&value).is_ok())
}

/// Types of the same words differ in what `dash` lets begin.
fn except(kind: &str, less: &str) -> String {
    if kind == less { format!("{kind}, with '-' in front") } else { format!("{kind}, except {less}") }
}

/// The parts of the first range that are below and above the second.
fn outside<'a>((first, last): (i64, i64), (from, to): (i64, i64)) -> Vec<Given<'a>> {
    let below = from.checked_sub(1).map(|end| (first, end.min(last)));
    let above = to.checked_add(1).map(|start| (start.max(first), last));
    let ranges = [below, above].into_iter().flatten().filter(|(first, last)| first <= last);
    ranges.map(|(first, last)| Given::Integers(first, last)).collect()
}

/// The ranges that these numbers, all from the first to the last, leave between them.
fn between<'a>(first: i64, last: i64, numbers: &BTreeSet<i64>) -> Vec<Given<'a>> {
    let starts = std::iter::once(Some(first)).chain(numbers.iter().map(|number| number.checked_add(1)));
    let ends = numbers.iter().map(|number| number.checked_sub(1)).chain([Some(last)]);
    let ranges = starts.zip(ends).filter_map(|(start, end)| Some((start?, end?)));
    ranges.filter(|(start, end)| start <= end).map(|(start, end)| Given::Integers(start, end)).collect()
}

/// A duration in one of its spellings.
fn written(length: Duration) -> String {
    humantime::format_duration(length).to_string()
}

/// Whether every value of `inner` is one of `outer`, as far as the types alone show it.
fn holds(outer: &ArgumentSpec, inner: &ArgumentSpec) -> bool {
    let dashes = outer.dash || !inner.dash || outer.kind.settles_dashes();
    dashes && kinds::holds(&outer.kind, &inner.kind)
}

/// Whether two arguments take the same values, as often, and stand for the same where they are left out.
pub(super) fn are_same(one: &ArgumentSpec, other: &ArgumentSpec) -> bool {
    let ends = one.default == other.default && one.optional == other.optional && one.repeat == other.repeat;
    let dash = one.dash == other.dash;
    ends && dash && kinds::holds(&one.kind, &other.kind) && kinds::holds(&other.kind, &one.kind)
}

/// What a peer may do about one argument: give one of these values, or leave it out, which stands for the default.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    given: Given<'a>,
    left_out: Option<LeftOut<&'a str>>,
    /// How many such values at once.
    repeat: Option<Repeat>,
}

impl<'a> Choice<'a> {
    /// Everything that the argument's type and a rule's narrowing leave.
    pub(super) fn of(spec: &'a ArgumentSpec, narrowed: Option<&'a [Value]>) -> Self {
        let default = spec.default.as_ref().and_then(Value::as_text);
        let Some(values) = narrowed else {
            let left_out = default.map(LeftOut::Default).or(spec.optional.then_some(LeftOut::Nothing));
            return Self { given: Given::of(spec), left_out, repeat: spec.repeat };
        };
        let given = Given::narrowed(spec, values);
        let left_out = default.filter(|default| given.has(default)).map(LeftOut::Default);
        Self { given, left_out, repeat: spec.repeat }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.left_out.is_none()
    }

    pub(super) fn minus(&self, other: &Self) -> Vec<Self> {
        let mut left_out = self.left_out.filter(|_| self.left_out != other.left_out);
        let given = self.given_beyond(other).into_iter().filter(|piece| !piece.is_empty());
        let mut pieces: Vec<Self> =
            given.map(|given| Self { given, left_out: left_out.take(), ..*self }).collect();
        if left_out.is_some() {
            pieces.push(Self { given: Given::Listed(BTreeSet::new()), left_out, ..*self });
        }
        pieces
    }

    /// The given values that the other has not. Of several at once, one that it has not makes all of them new.
    fn given_beyond(&self, other: &Self) -> Vec<Given<'a>> {
        let beyond = self.given.minus(&other.given);
        let is_covered = beyond.iter().all(Given::is_empty);
        match (self.repeat, other.repeat) {
            (None, _) => beyond,
            (Some(mine), Some(theirs)) if is_covered && theirs.min <= mine.min && mine.max <= theirs.max => {
                beyond
            }
            (Some(_), _) => vec![self.given.clone()],
        }
    }

    pub(super) fn meet(&self, other: &Self) -> Self {
        let left_out = self.left_out.filter(|_| self.left_out == other.left_out);
        let given = if self.repeat.is_some() { self.given.clone() } else { self.given.meet(&other.given) };
        Self { given, left_out, repeat: self.repeat }
    }

    /// Both together, where that is one list.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        let (Given::Listed(one), Given::Listed(two)) = (&self.given, &other.given) else { return None };
        if self.repeat.is_some() || other.repeat.is_some() {
            return None;
        }
        let left_out = match (self.left_out, other.left_out) {
            (one, two) if one == two => one,
            (one, None) | (None, one) => one,
            (Some(_), Some(_)) => return None,
        };
        Some(Self { given: Given::Listed(one.union(two).copied().collect()), left_out, repeat: None })
    }

    /// The same, to be told.
    pub(super) fn told(&self) -> change::Values {
        let (listed, kind) = match &self.given {
            Given::Listed(values) => (Some(values.iter().map(ToString::to_string).collect()), String::new()),
            Given::Durations(values) => {
                (Some(values.iter().map(|length| written(*length)).collect()), String::new())
            }
            Given::Integers(first, last) if first == last => (Some(vec![first.to_string()]), String::new()),
            Given::Integers(first, last) => (None, Kind::Integer(*first, *last).to_string()),
            Given::Typed(spec) => (None, spec.kind()),
            Given::Except(spec, less) => (None, except(&spec.kind(), &less.kind())),
        };
        let left_out = self.left_out.map(|left_out| match left_out {
            LeftOut::Nothing => LeftOut::Nothing,
            LeftOut::Default(text) => LeftOut::Default(text.to_owned()),
        });
        change::Values { listed, kind, left_out, repeat: self.repeat }
    }
}
