//! Names that were looked up before: a policy of thousands of rules names the same few groups. Asks no database itself.

use super::principal::{LookupFailed, Names};
use crate::identity::{Gid, Uid};
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a database answered.
type Answers<Id> = RefCell<BTreeMap<String, Result<Option<Id>, LookupFailed>>>;

/// A database, and what it has answered so far: each name means one and the same in all of a policy.
pub(super) struct Asked<'a> {
    names: &'a dyn Names,
    users: Answers<Uid>,
    groups: Answers<Gid>,
}

impl<'a> Asked<'a> {
    /// That database, of which nothing was asked yet.
    pub(super) fn new(names: &'a dyn Names) -> Self {
        Self { names, users: Answers::default(), groups: Answers::default() }
    }
}

fn once<Id: Copy>(
    answers: &Answers<Id>,
    name: &str,
    ask: impl FnOnce() -> Result<Option<Id>, LookupFailed>,
) -> Result<Option<Id>, LookupFailed> {
    answers.borrow_mut().entry(name.to_owned()).or_insert_with(ask).clone()
}

impl Names for Asked<'_> {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        once(&self.users, user, || self.names.uid_of(user))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        once(&self.groups, group, || self.names.gid_of(group))
    }

    fn zone_of(&self, zone: &str) -> Result<Option<TimeZone>, LookupFailed> {
        self.names.zone_of(zone)
    }

    fn zone_here(&self) -> Result<TimeZone, LookupFailed> {
        self.names.zone_here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A database that gives another answer each time.
    #[derive(Default)]
    struct Fickle(Cell<u32>);

    impl Names for Fickle {
        fn uid_of(&self, _user: &str) -> Result<Option<Uid>, LookupFailed> {
            self.0.set(self.0.get() + 1);
            Ok(Uid::new(self.0.get()).ok())
        }

        fn gid_of(&self, _group: &str) -> Result<Option<Gid>, LookupFailed> {
            Err(LookupFailed(self.0.replace(self.0.get() + 1).to_string()))
        }
    }

    #[test]
    fn each_name_is_looked_up_once_also_where_that_failed() {
        let fickle = Fickle::default();
        let asked = Asked::new(&fickle);
        let first = (asked.uid_of("a"), asked.gid_of("a"));
        assert_eq!((asked.uid_of("a"), asked.gid_of("a")), first);
        assert_ne!(asked.uid_of("b"), first.0);
        assert_eq!(fickle.0.get(), 3);
    }
}
