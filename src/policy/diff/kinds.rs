//! Types of arguments: whether one is known to hold all values of another. Two that it doesn't know together don't.

use super::super::kind::{Bound, Kind, Pass, Users};
use super::super::principal::Member;
use regex::Regex;
use std::path::Path;
use std::time::Duration;

/// Whether every value of `inner` is one of `outer`.
pub(super) fn holds(outer: &Kind, inner: &Kind) -> bool {
    match (outer, inner) {
        (Kind::OneOf(values), Kind::OneOf(some)) => {
            values == some || some.iter().all(|one| values.contains(one))
        }
        (Kind::Pattern(_, one), Kind::Pattern(_, other)) => one == other,
        (Kind::Integer(first, last), Kind::Integer(from, to)) => first <= from && to <= last,
        (Kind::Text(longest, class), Kind::Text(length, narrow)) => {
            length <= longest && class.as_ref().is_none_or(|wide| is_same_class(wide, narrow.as_ref()))
        }
        (Kind::Duration(first, last), Kind::Duration(from, to)) => {
            ends(first.as_ref(), from.as_ref(), |first, from| first <= from)
                && ends(last.as_ref(), to.as_ref(), |last, to| to <= last)
        }
        (Kind::Unit(types), Kind::Unit(some)) => some.iter().all(|one| types.contains(one)),
        (Kind::Path(outer), Kind::Path(inner)) => {
            let within = |root: &String| outer.roots.iter().any(|outer| Path::new(root).starts_with(outer));
            outer.target == inner.target && inner.roots.iter().all(within)
        }
        (Kind::User(outer), Kind::User(inner)) => users(outer, inner),
        (Kind::Secret(longest, _), Kind::Secret(length, _)) => length <= longest,
        (Kind::Boolean, Kind::Boolean) | (Kind::Hostname, Kind::Hostname) | (Kind::Group, Kind::Group) => {
            true
        }
        _ => false,
    }
}

fn is_same_class((_, wide): &(Regex, String), narrow: Option<&(Regex, String)>) -> bool {
    narrow.is_some_and(|(_, narrow)| narrow == wide)
}

/// Whether the outer end of a range of durations is none, or leaves the inner one inside.
fn ends(outer: Option<&Bound>, inner: Option<&Bound>, inside: fn(Duration, Duration) -> bool) -> bool {
    outer.is_none_or(|outer| inner.is_some_and(|inner| inside(outer.length, inner.length)))
}

fn users(outer: &Users, inner: &Users) -> bool {
    let within = |groups: &Vec<_>| {
        let is_one = |id| groups.iter().any(|group: &Member<_>| group.id == id);
        inner.groups.as_ref().is_some_and(|inner| inner.iter().all(|group| is_one(group.id)))
    };
    outer.min_uid <= inner.min_uid && outer.groups.as_ref().is_none_or(within)
}

/// How a program gets the values, where that is otherwise than in its arguments' text.
pub(super) fn way(kind: &Kind) -> &'static str {
    if matches!(kind, Kind::Path(paths) if paths.handed) {
        "descriptor"
    } else if matches!(kind, Kind::Secret(_, Pass::Memory)) {
        "memory"
    } else if kind.is_secret() {
        "input"
    } else {
        "text"
    }
}
