//! Every user of the user database, one after another (`getpwent(3)`). Looks nobody up.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The ids of the users whom the database lists. A directory service may answer for users whom it does not list.
#[must_use]
pub fn listed_users() -> BTreeSet<u32> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the list has one position for the whole process; nobody else here moves it, and the lock keeps two calls apart.
    unsafe { users::all_users() }.map(|user| user.uid()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_listed() {
        assert!(listed_users().contains(&0));
    }
}
