//! Types of arguments: whether one is known to hold all values of another. Two that it doesn't know together don't.

use super::super::kind::{Kind, Limit, Users};

/// Whether every value of `inner` is one of `outer`.
pub(super) fn holds(outer: &Kind, inner: &Kind) -> bool {
    match (outer, inner) {
        (Kind::OneOf(values), Kind::OneOf(some)) => {
            values == some || some.iter().all(|one| values.contains(one))
        }
        (Kind::Pattern(_, one), Kind::Pattern(_, other)) => one == other,
        (Kind::Integer(first, last), Kind::Integer(from, to)) => first <= from && to <= last,
        (Kind::Text(longest, class), Kind::Text(length, narrow)) => {
            let same = |wide: &str| narrow.as_ref().is_some_and(|(_, narrow)| narrow == wide);
            length <= longest && class.as_ref().is_none_or(|(_, wide)| same(wide))
        }
        (Kind::Duration(first, last), Kind::Duration(from, to)) => {
            let ends = |end: &Limit, other: &Option<Limit>, within: fn(&Limit, &Limit) -> bool| {
                other.as_ref().is_some_and(|other| within(other, end))
            };
            first.as_ref().is_none_or(|first| ends(first, from, |from, first| first.length <= from.length))
                && last.as_ref().is_none_or(|last| ends(last, to, |to, last| to.length <= last.length))
        }
        (Kind::Unit(types), Kind::Unit(some)) => some.iter().all(|one| types.contains(one)),
        (Kind::Path(outer), Kind::Path(inner)) => {
            outer.target == inner.target && inner.roots.iter().all(|root| outer.roots.contains(root))
        }
        (Kind::User(outer), Kind::User(inner)) => users(outer, inner),
        (Kind::Secret(longest, _), Kind::Secret(length, _)) => length <= longest,
        (Kind::Boolean, Kind::Boolean) | (Kind::Hostname, Kind::Hostname) | (Kind::Group, Kind::Group) => {
            true
        }
        _ => false,
    }
}

fn users(outer: &Users, inner: &Users) -> bool {
    let within = |groups: &Vec<_>| {
        let is_one = |id| groups.iter().any(|group: &super::super::principal::Member<_>| group.id == id);
        inner.groups.as_ref().is_some_and(|inner| inner.iter().all(|group| is_one(group.id)))
    };
    outer.min_uid <= inner.min_uid && outer.groups.as_ref().is_none_or(within)
}

/// How a program gets the values, where that is otherwise than in its arguments' text.
pub(super) fn way(kind: &Kind) -> &'static str {
    use super::super::kind::Pass;
    match kind {
        Kind::Path(paths) if paths.handed => "descriptor",
        Kind::Secret(_, Pass::Memory) => "memory",
        Kind::Secret(_, Pass::Input) => "input",
        _ => "text",
    }
}
