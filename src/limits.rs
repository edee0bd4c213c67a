//! Caps on what users take up: so much in all, so much of one user. Waits for nothing: there is a place, or there is not.

use crate::identity::Uid;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are, of whom, and how many there may be.
#[derive(Debug)]
pub struct Places {
    all: usize,
    per_user: usize,
    taken: Mutex<HashMap<Uid, usize>>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    user: Uid,
}

impl Places {
    /// So many in all, so many for one user.
    #[must_use]
    pub fn new(all: usize, per_user: usize) -> Arc<Self> {
        Arc::new(Self { all, per_user, taken: Mutex::default() })
    }

    /// A place for one more of this user, if there is one.
    #[must_use]
    pub fn take(self: &Arc<Self>, user: Uid) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.entry(user).or_default();
        if all >= self.all || *own >= self.per_user {
            return None;
        }
        *own += 1;
        Some(Place { places: Arc::clone(self), user })
    }

    /// How many are taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
        }
        taken.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_can_take_no_more_than_its_share_and_gets_it_back() {
        let places = Places::new(3, 2);
        let user = |raw| Uid::new(raw).unwrap();
        let first = places.take(user(1)).unwrap();
        let _second = places.take(user(1)).unwrap();
        assert!(places.take(user(1)).is_none());
        let _third = places.take(user(2)).unwrap();
        assert!(places.take(user(3)).is_none(), "all places are taken");
        drop(first);
        assert!(places.take(user(3)).is_some());
    }
}
