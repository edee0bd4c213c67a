//! Names for a policy that is looked at where it will not be in force. Whoever this machine doesn't know is still somebody.

use crate::identity::{Gid, Uid};
use crate::policy::{LookupFailed, Names};
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The first id of names that the user database doesn't know. From 2³¹ on systemd's list of ids (<https://systemd.io/UIDS-GIDS/>)
/// has no use for any.
const FIRST_UNKNOWN: u32 = 1 << 31;

/// The names of a database, each looked up once, and one id more for each name that it doesn't know.
pub(super) struct Review<'a> {
    database: &'a dyn Names,
    users: RefCell<BTreeMap<String, u32>>,
    groups: RefCell<BTreeMap<String, u32>>,
}

impl<'a> Review<'a> {
    pub(super) const fn of(database: &'a dyn Names) -> Self {
        Self { database, users: RefCell::new(BTreeMap::new()), groups: RefCell::new(BTreeMap::new()) }
    }
}

impl Names for Review<'_> {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        let look_up = || Ok(self.database.uid_of(user)?.map(Uid::raw));
        Ok(Uid::new(id(&self.users, user, look_up)?).ok())
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        let look_up = || Ok(self.database.gid_of(group)?.map(Gid::raw));
        Ok(Gid::new(id(&self.groups, group, look_up)?).ok())
    }

    fn zone_of(&self, zone: &str) -> Result<Option<TimeZone>, LookupFailed> {
        self.database.zone_of(zone)
    }

    fn zone_here(&self) -> Result<TimeZone, LookupFailed> {
        self.database.zone_here()
    }
}

/// The id that is known by now, or that the database has, or the next one that nobody has.
fn id(
    known: &RefCell<BTreeMap<String, u32>>,
    name: &str,
    look_up: impl FnOnce() -> Result<Option<u32>, LookupFailed>,
) -> Result<u32, LookupFailed> {
    let mut known = known.borrow_mut();
    if let Some(id) = known.get(name) {
        return Ok(*id);
    }
    let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(FIRST_UNKNOWN);
    let id = look_up()?.unwrap_or(next);
    known.insert(name.to_owned(), id);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Database;

    #[test]
    fn whoever_is_not_known_is_somebody_else_each_time_another_name_is_used() {
        let review = Review::of(&Database);
        let uid = |name: &str| review.uid_of(name).unwrap().unwrap();
        assert_eq!(uid("root"), Uid::ROOT);
        assert_eq!(uid("no such user"), uid("no such user"));
        assert_ne!(uid("no such user"), uid("nor this one"));
        assert!(uid("nor this one").raw() > i32::MAX.unsigned_abs());
        assert_eq!(review.gid_of("root").unwrap().map(Gid::raw), Some(0));
        assert_ne!(review.gid_of("no such group"), review.gid_of("nor this one"));
    }
}
