//! Sets of the values of one argument, and what is left of one without another. Where that can't be known, all is left.

use super::super::kind::{ArgumentSpec, Kind};
use super::change::{self, LeftOut};
use crate::request::Value;
use std::collections::BTreeSet;

/// The values that may be given.
#[derive(Clone, Debug)]
pub(super) enum Given<'a> {
    Listed(BTreeSet<&'a str>),
    Integers(i64, i64),
    Typed(&'a ArgumentSpec),
}

impl<'a> Given<'a> {
    fn of(spec: &'a ArgumentSpec) -> Self {
        match &spec.kind {
            Kind::OneOf(values) => Self::Listed(values.iter().map(String::as_str).collect()),
            Kind::Boolean => Self::Listed(["false", "true"].into()),
            Kind::Integer(first, last) => Self::Integers(*first, *last),
            Kind::Pattern(..) | Kind::Text(..) | Kind::Duration(..) | Kind::Hostname | Kind::Unit(_) => {
                Self::Typed(spec)
            }
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Listed(values) if values.is_empty())
    }

    fn has(&self, text: &str) -> bool {
        match self {
            Self::Listed(values) => values.contains(text),
            Self::Integers(first, last) => Kind::Integer(*first, *last).has(text),
            Self::Typed(spec) => Value::try_from(text).is_ok_and(|value| spec.check(&value).is_ok()),
        }
    }

    /// What this has and the other has not, in pieces. Of two types of which neither is known to hold the other, all.
    fn minus(&self, other: &Self) -> Vec<Self> {
        match (self, other) {
            (Self::Listed(values), _) => {
                vec![Self::Listed(values.iter().copied().filter(|value| !other.has(value)).collect())]
            }
            (Self::Integers(first, last), Self::Integers(from, to)) => {
                let below = from.checked_sub(1).map(|end| (*first, end.min(*last)));
                let above = to.checked_add(1).map(|start| (start.max(*first), *last));
                let ranges = [below, above].into_iter().flatten();
                ranges.filter(|(first, last)| first <= last).map(|(a, b)| Self::Integers(a, b)).collect()
            }
            (Self::Integers(first, last), Self::Listed(values)) => {
                let numbers =
                    values.iter().filter(|text| self.has(text)).filter_map(|text| text.parse().ok());
                between(*first, *last, &numbers.collect())
            }
            (Self::Typed(inner), Self::Typed(outer)) if holds(outer, inner) => Vec::new(),
            (Self::Integers(..) | Self::Typed(_), _) => vec![self.clone()],
        }
    }

    /// What both have; of two types of which neither is known to hold the other, all of this.
    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Listed(values), _) => {
                Self::Listed(values.iter().copied().filter(|value| other.has(value)).collect())
            }
            (_, Self::Listed(_)) => other.meet(self),
            (Self::Integers(first, last), Self::Integers(from, to)) if first.max(from) <= last.min(to) => {
                Self::Integers(*first.max(from), *last.min(to))
            }
            (Self::Integers(..), Self::Integers(..)) => Self::Listed(BTreeSet::new()),
            (Self::Typed(outer), Self::Typed(inner)) if holds(outer, inner) => other.clone(),
            (Self::Integers(..) | Self::Typed(_), _) => self.clone(),
        }
    }
}

/// The ranges that these numbers, all from the first to the last, leave between them.
fn between<'a>(first: i64, last: i64, numbers: &BTreeSet<i64>) -> Vec<Given<'a>> {
    let starts = std::iter::once(Some(first)).chain(numbers.iter().map(|number| number.checked_add(1)));
    let ends = numbers.iter().map(|number| number.checked_sub(1)).chain([Some(last)]);
    let ranges = starts.zip(ends).filter_map(|(start, end)| Some((start?, end?)));
    ranges.filter(|(start, end)| start <= end).map(|(start, end)| Given::Integers(start, end)).collect()
}

/// Whether every value of `inner` is one of `outer`, as far as the types alone show it.
fn holds(outer: &ArgumentSpec, inner: &ArgumentSpec) -> bool {
    let dashes = outer.dash || !inner.dash || outer.kind.settles_dashes();
    dashes
        && match (&outer.kind, &inner.kind) {
            (Kind::Text(longest, class), Kind::Text(length, narrow)) => {
                let same = |wide: &str| narrow.as_ref().is_some_and(|(_, narrow)| narrow == wide);
                length <= longest && class.as_ref().is_none_or(|(_, wide)| same(wide))
            }
            (Kind::Duration(first, last), Kind::Duration(from, to)) => {
                let starts = first
                    .as_ref()
                    .is_none_or(|first| from.as_ref().is_some_and(|from| first.length <= from.length));
                let ends =
                    last.as_ref().is_none_or(|last| to.as_ref().is_some_and(|to| to.length <= last.length));
                starts && ends
            }
            (Kind::Unit(types), Kind::Unit(some)) => some.iter().all(|one| types.contains(one)),
            (one, other) => is_same(one, other),
        }
}

/// Whether two types are written alike.
fn is_same(one: &Kind, other: &Kind) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

/// Whether two arguments take the same values, and stand for the same where they are left out.
pub(super) fn are_same(one: &ArgumentSpec, other: &ArgumentSpec) -> bool {
    let ends = |spec: &ArgumentSpec| (spec.dash, spec.default.clone(), spec.optional);
    ends(one) == ends(other) && is_same(&one.kind, &other.kind)
}

/// What a peer may do about one argument: give one of these values, or leave it out, which stands for the default.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    given: Given<'a>,
    left_out: Option<LeftOut<&'a str>>,
}

impl<'a> Choice<'a> {
    /// Everything that the argument's type and a rule's narrowing leave.
    pub(super) fn of(spec: &'a ArgumentSpec, narrowed: Option<&'a [Value]>) -> Self {
        let default = spec.default.as_ref().and_then(Value::as_text);
        let Some(values) = narrowed else {
            let left_out = default.map(LeftOut::Default).or(spec.optional.then_some(LeftOut::Nothing));
            return Self { given: Given::of(spec), left_out };
        };
        let values: BTreeSet<&str> = values.iter().filter_map(Value::as_text).collect();
        let left_out = default.filter(|default| values.contains(default)).map(LeftOut::Default);
        Self { given: Given::Listed(values), left_out }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.left_out.is_none()
    }

    pub(super) fn minus(&self, other: &Self) -> Vec<Self> {
        let mut left_out = self.left_out.filter(|_| self.left_out != other.left_out);
        let given = self.given.minus(&other.given).into_iter().filter(|piece| !piece.is_empty());
        let mut pieces: Vec<Self> = given.map(|given| Self { given, left_out: left_out.take() }).collect();
        if left_out.is_some() {
            pieces.push(Self { given: Given::Listed(BTreeSet::new()), left_out });
        }
        pieces
    }

    pub(super) fn meet(&self, other: &Self) -> Self {
        let left_out = self.left_out.filter(|_| self.left_out == other.left_out);
        Self { given: self.given.meet(&other.given), left_out }
    }

    /// Both together, where that is one list.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        let (Given::Listed(one), Given::Listed(two)) = (&self.given, &other.given) else { return None };
        let left_out = match (self.left_out, other.left_out) {
            (one, two) if one == two => one,
            (one, None) | (None, one) => one,
            (Some(_), Some(_)) => return None,
        };
        Some(Self { given: Given::Listed(one.union(two).copied().collect()), left_out })
    }

    /// The same, to be told.
    pub(super) fn told(&self) -> change::Values {
        let (listed, kind) = match &self.given {
            Given::Listed(values) => (Some(values.iter().map(ToString::to_string).collect()), String::new()),
            Given::Integers(first, last) if first == last => (Some(vec![first.to_string()]), String::new()),
            Given::Integers(first, last) => (None, Kind::Integer(*first, *last).to_string()),
            Given::Typed(spec) => (None, spec.kind()),
        };
        let left_out = self.left_out.map(|left_out| match left_out {
            LeftOut::Nothing => LeftOut::Nothing,
            LeftOut::Default(text) => LeftOut::Default(text.to_owned()),
        });
        change::Values { listed, kind, left_out }
    }
}
