//! Places for connections, by what is known of whoever connects. Nobody who is only to be refused takes one of those who are
//! served, nor keeps from being asked about whoever may yet turn out to be one of them.

use crate::identity::{Peer, Uid};
use crate::limits::{Place, Places};
use crate::policy::Policy;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once, of all users together. The descriptors of `LimitNOFILE=` are several times as many.
const CONNECTIONS: usize = 512;

/// Connections at once of one user.
const CONNECTIONS_PER_USER: usize = 64;

/// Connections at once of users whom the policy does not name, all together: each lasts as long as it takes to refuse it.
const STRANGERS: usize = 64;

/// Connections at once of one such user.
const STRANGERS_PER_USER: usize = 8;

/// Users at most who are remembered for having been let in by groups of the user database.
const KNOWN: usize = 4096;

/// The rooms. Where a group of the user database can let a peer in, whoever the kernel's word doesn't is in the hall until
/// the database was asked, and no longer: the peer can't make that last.
#[derive(Clone, Debug)]
pub(super) struct Rooms {
    pub(super) clients: Arc<Places>,
    strangers: Arc<Places>,
    hall: Arc<Places>,
    /// Whom the database last let in. They need no place in the hall, however crowded it is.
    known: Arc<Mutex<BTreeSet<Uid>>>,
}

/// Where a connection has its place.
#[derive(Debug)]
pub(super) struct Seat {
    _place: Place,
    is_in_the_hall: bool,
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self {
            clients: Places::new(CONNECTIONS, CONNECTIONS_PER_USER),
            strangers: Places::new(STRANGERS, STRANGERS_PER_USER),
            hall: Places::new(STRANGERS, STRANGERS_PER_USER),
            known: Arc::default(),
        }
    }

    /// A place for someone of whom the user database was not asked.
    pub(super) fn take(&self, policy: &Policy, peer: &Peer) -> Option<Seat> {
        let (is_open, is_known) = (policy.admits_by_database(), self.known().contains(&peer.uid));
        let is_client = policy.may_admit(peer) || is_open && is_known;
        let room = match (is_client, is_open) {
            (true, _) => &self.clients,
            (false, true) => &self.hall,
            (false, false) => &self.strangers,
        };
        Some(Seat { _place: room.take(peer.uid)?, is_in_the_hall: is_open && !is_client })
    }

    /// Has whoever is in the hall leave it for the room that is theirs, as it turned out. False where that has no place.
    pub(super) fn settle(&self, seat: &mut Seat, peer: &Peer, is_admitted: bool) -> bool {
        if !is_admitted {
            self.known().remove(&peer.uid);
        }
        if !seat.is_in_the_hall {
            return true;
        }
        if is_admitted && self.known().len() < KNOWN {
            self.known().insert(peer.uid);
        }
        let room = if is_admitted { &self.clients } else { &self.strangers };
        let Some(place) = room.take(peer.uid) else { return false };
        *seat = Seat { _place: place, is_in_the_hall: false };
        true
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<Uid>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Database;
    use crate::identity::{DatabaseGroups, Gid};
    use crate::policy::Source;

    fn policy(text: &str) -> Policy {
        Policy::parse(&[Source { name: "p".to_owned(), text: text.to_owned() }], &Database).unwrap().policy
    }

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer::of(Uid::new(uid).unwrap(), Gid::new(gid).unwrap(), [])
    }

    /// Everyone who finds a place, of very many who are nobody to the policy.
    fn crowd(rooms: &Rooms, policy: &Policy) -> Vec<(Seat, Peer)> {
        let strangers = (1000..3000).map(|uid| peer(uid / 2, 9));
        strangers.filter_map(|peer| Some((rooms.take(policy, &peer)?, peer))).collect()
    }

    #[test]
    fn strangers_take_no_place_of_those_who_are_served() {
        let policy = policy("[allow]\nusers = [7]\ngroups = [8]\n");
        let rooms = Rooms::new();
        let strangers = crowd(&rooms, &policy);
        assert_eq!(strangers.len(), STRANGERS);
        assert!(rooms.take(&policy, &peer(7, 9)).is_some() && rooms.take(&policy, &peer(6, 8)).is_some());
    }

    #[test]
    fn whoever_the_database_lets_in_leaves_the_hall_for_the_clients_and_strangers_leave_it_too() {
        let policy = policy("[allow]\ngroups = [8]\ngroups-from = \"database\"\n");
        let rooms = Rooms::new();
        let mut strangers = crowd(&rooms, &policy);
        assert!(rooms.take(&policy, &peer(7, 9)).is_none(), "the hall is full while all are asked about");
        for (seat, peer) in &mut strangers {
            assert!(rooms.settle(seat, peer, false));
        }
        let (mut member, mut seat) = (peer(7, 9), rooms.take(&policy, &peer(7, 9)).unwrap());
        member.database_groups = DatabaseGroups::Known([Gid::new(8).unwrap()].into());
        assert!(rooms.settle(&mut seat, &member, policy.may_admit(&member)));
        assert_eq!((rooms.clients.count(), rooms.strangers.count(), rooms.hall.count()), (1, STRANGERS, 0));
    }

    #[test]
    fn no_crowd_in_the_hall_keeps_out_whom_the_database_let_in_before() {
        let policy = policy("[allow]\ngroups = [8]\ngroups-from = \"database\"\n");
        let rooms = Rooms::new();
        let mut seat = rooms.take(&policy, &peer(7, 9)).unwrap();
        assert!(rooms.settle(&mut seat, &peer(7, 9), true));
        let _strangers = crowd(&rooms, &policy);
        let mut again = rooms.take(&policy, &peer(7, 9)).unwrap();
        assert!(rooms.settle(&mut again, &peer(7, 9), false), "no longer a member: refused, and forgotten");
        assert!(rooms.take(&policy, &peer(7, 9)).is_none());
    }

    #[test]
    fn a_stranger_without_a_place_to_be_refused_in_does_not_stay_in_the_hall() {
        let policy = policy("[allow]\ngroups = [8]\ngroups-from = \"database\"\n");
        let rooms = Rooms::new();
        let mut strangers = crowd(&rooms, &policy);
        for (seat, peer) in &mut strangers {
            assert!(rooms.settle(seat, peer, false));
        }
        let mut more = crowd(&rooms, &policy);
        assert!(!more.is_empty() && more.iter_mut().all(|(seat, peer)| !rooms.settle(seat, peer, false)));
    }
}
