//! Caps on what users take up: so much in all, so much of one user. Waits for nothing: there is a place, or there is not.

mod paces;

pub use paces::{Paces, Turn};

use crate::identity::Uid;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are, of whom, and how many there may be. Mostly of users; of commands, where these have their own limits.
#[derive(Debug)]
pub struct Places<Who: Eq + Hash = Uid> {
    all: usize,
    each: usize,
    taken: Mutex<HashMap<Who, usize>>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Place<Who: Eq + Hash = Uid> {
    places: Arc<Places<Who>>,
    who: Who,
}

impl<Who: Clone + Eq + Hash> Places<Who> {
    /// So many in all, so many for one user.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, taken: Mutex::default() })
    }

    /// A place for one more of this user, if there is one.
    #[must_use]
    pub fn take(self: &Arc<Self>, who: Who) -> Option<Place<Who>> {
        self.take_of(who, self.each)
    }

    /// A place for one more, of whom there may be so many.
    #[must_use]
    pub fn take_of(self: &Arc<Self>, who: Who, most: usize) -> Option<Place<Who>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&who).copied().unwrap_or(0));
        if all >= self.all || own >= most {
            return None;
        }
        taken.insert(who.clone(), own + 1);
        Some(Place { places: Arc::clone(self), who })
    }

    /// A place for one that is there already, however many there are.
    #[must_use]
    pub fn keep(self: &Arc<Self>, who: Who) -> Place<Who> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken.entry(who.clone()).or_default() += 1;
        Place { places: Arc::clone(self), who }
    }

    /// How many are taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl<Who: Eq + Hash> Drop for Place<Who> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.who) {
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

    #[test]
    fn what_is_there_already_counts_and_is_never_refused() {
        let places: Arc<Places<&str>> = Places::new(2, 1);
        let kept: Vec<_> = (0..3).map(|_| places.keep("a")).collect();
        assert!(places.take_of("a", 3).is_none() && places.take("b").is_none());
        drop(kept);
        assert!(places.take("a").is_some());
    }

    #[test]
    fn each_may_be_told_how_many_it_may_take() {
        let places: Arc<Places<&str>> = Places::new(usize::MAX, usize::MAX);
        let held: Vec<_> = (0..2).map(|_| places.take_of("a", 2).unwrap()).collect();
        assert!(places.take_of("a", 2).is_none() && places.take_of("b", 1).is_some());
        assert!(places.take_of("a", 1).is_none(), "it may have become less");
        drop(held);
        assert!(places.take_of("a", 1).is_some());
    }
}
