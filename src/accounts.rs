//! The user database: ids of names, names of ids, groups. Tells "no such name" from "no answer", and guesses neither.

use crate::identity::{Account, DatabaseGroups, Gid, Groups, Peer, Uid};
use crate::policy::{LookupFailed, NamedGroup, Names, RunAs};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use nix::errno::Errno;
use nix::unistd::{self, Group, User, getgrouplist};
use std::ffi::CString;
use std::fmt;

/// The system's own database, by whatever nsswitch.conf(5) names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Database;

impl Names for Database {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        let found = User::from_name(user).map_err(|errno| failed(&errno))?;
        found.map(|user| Uid::new(user.uid.as_raw())).transpose().map_err(|unusable| failed(&unusable))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        let found = Group::from_name(group).map_err(|errno| failed(&errno))?;
        found.map(|group| Gid::new(group.gid.as_raw())).transpose().map_err(|unusable| failed(&unusable))
    }

    fn zone_of(&self, zone: &str) -> Result<Option<TimeZone>, LookupFailed> {
        Ok(zone_by_name(zone))
    }

    fn zone_here(&self) -> Result<TimeZone, LookupFailed> {
        TimeZone::try_system().map_err(|error| failed(&error))
    }
}

/// A name that the system's zone files lack, as they do where none are installed, is looked for in those built in.
fn zone_by_name(zone: &str) -> Option<TimeZone> {
    jiff::tz::db().get(zone).or_else(|_| TimeZoneDatabase::bundled().get(zone)).ok()
}

fn failed(why: &dyn fmt::Display) -> LookupFailed {
    LookupFailed(why.to_string())
}

/// The user's name for people, or the number where it has none. Never for a decision.
#[must_use]
pub fn user_name(uid: Uid) -> String {
    let user = users::get_user_by_uid(uid.raw());
    user.map_or_else(|| uid.to_string(), |user| user.name().to_string_lossy().into_owned())
}

/// The group's name for people, or the number where it has none. Never for a decision.
#[must_use]
pub fn group_name(gid: Gid) -> String {
    let group = users::get_group_by_gid(gid.raw());
    group.map_or_else(|| gid.to_string(), |group| group.name().to_string_lossy().into_owned())
}

/// Groups that are looked up for their names at most. A process can have 65,536 (`NGROUPS_MAX`, limits.h), one look-up each.
const NAMED_MAX: usize = 64;

/// Fills in the names of the peer's user and groups: for the record and for people. Where there are very many groups, the
/// first so many are named and the rest is counted.
pub fn name(peer: &mut Peer) {
    let user = users::get_user_by_uid(peer.uid.raw());
    peer.circumstances.user = user.map(|user| user.name().to_string_lossy().into_owned());
    let more = peer.groups.len().saturating_sub(NAMED_MAX);
    let rest = (more > 0).then(|| format!("({more} more)"));
    peer.circumstances.group_names =
        peer.groups.iter().copied().take(NAMED_MAX).map(group_name).chain(rest).collect();
}

/// The groups that the database gives the user, the primary one included. A user that it doesn't know, or an answer that may
/// be incomplete, is [`DatabaseGroups::Unavailable`].
#[must_use]
pub fn groups_of(uid: Uid) -> DatabaseGroups {
    let user = User::from_uid(unistd::Uid::from_raw(uid.raw()));
    let groups = user.ok().flatten().and_then(|user| complete_groups(&user).ok());
    groups.map_or(DatabaseGroups::Unavailable, DatabaseGroups::Known)
}

/// The groups that the database gives the user, as far as it answers for groups of these names, too: one of its sources that
/// does not is left out of a list of groups in silence (`getgrouplist(3)`), and with it whoever a deny is for.
#[must_use]
pub fn groups_of_with(uid: Uid, denied: &[String]) -> DatabaseGroups {
    let groups = groups_of(uid);
    if answers_for(denied) { groups } else { DatabaseGroups::Unavailable }
}

/// Whether the database says of each of these groups that there is such a one, or none.
fn answers_for(groups: &[String]) -> bool {
    groups.iter().all(|name| Group::from_name(name).is_ok())
}

/// The peer that a process of this user would be, right after a login. `None` where the database does not know the user, or
/// gives no complete answer.
#[must_use]
pub fn peer_after_login(uid: Uid) -> Option<Peer> {
    let user = User::from_uid(unistd::Uid::from_raw(uid.raw())).ok()??;
    let groups = complete_groups(&user).ok()?;
    let mut peer = Peer::of(uid, Gid::new(user.gid.as_raw()).ok()?, groups.iter().copied());
    peer.database_groups = DatabaseGroups::Known(groups);
    name(&mut peer);
    Some(peer)
}

/// Asks for the groups of a user. `getgrouplist(3)` can't say that it failed: without descriptors left, for one, it returns the
/// primary group alone. So an answer counts only if the database still answers after it.
fn complete_groups(user: &User) -> Result<Groups, NoAccount> {
    let name = CString::new(user.name.as_str()).map_err(|_| NoAccount::Unknown(user.name.clone()))?;
    let listed = getgrouplist(&name, user.gid).map_err(NoAccount::Failed)?;
    let again = User::from_uid(user.uid).map_err(NoAccount::Failed)?;
    Group::from_gid(user.gid).map_err(NoAccount::Failed)?;
    if again.is_none_or(|again| again.name != user.name || again.gid != user.gid) {
        return Err(NoAccount::Changed(user.name.clone()));
    }
    Ok(listed.into_iter().filter_map(|gid| Gid::new(gid.as_raw()).ok()).collect())
}

/// The user of exactly this name.
///
/// # Errors
/// [`LookupFailed`] where the database gave no answer, or the id stands for nobody.
pub fn find_user(name: &str) -> Result<Option<Uid>, LookupFailed> {
    let found = User::from_name(name).map_err(|errno| failed(&errno))?;
    let exact = found.filter(|user| user.name == name);
    exact.map(|user| Uid::new(user.uid.as_raw())).transpose().map_err(|unusable| failed(&unusable))
}

/// The group of exactly this name.
///
/// # Errors
/// [`LookupFailed`] where the database gave no answer, or the id stands for nobody.
pub fn find_group(name: &str) -> Result<Option<Gid>, LookupFailed> {
    let found = Group::from_name(name).map_err(|errno| failed(&errno))?;
    let exact = found.filter(|group| group.name == name);
    exact.map(|group| Gid::new(group.gid.as_raw())).transpose().map_err(|unusable| failed(&unusable))
}

/// Why a program can't be run as the user whom the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAccount {
    /// There is no such user any more.
    Unknown(String),
    /// The name has another id, or other groups, than it had before.
    Changed(String),
    /// The group's name has another id than it had before, or none.
    GroupChanged(String),
    /// The primary group is one that stands for nobody.
    UnusableGroup(u32),
    /// The database gave no answer.
    Failed(Errno),
}

impl fmt::Display for NoAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "no such user: {name:?}"),
            Self::Changed(name) => write!(f, "user {name:?} has changed since the policy was loaded"),
            Self::GroupChanged(name) => write!(f, "group {name:?} has changed since the policy was loaded"),
            Self::UnusableGroup(gid) => write!(f, "the primary group is {gid}, which names nobody"),
            Self::Failed(errno) => write!(f, "the user database doesn't answer: {}", errno.desc()),
        }
    }
}

impl std::error::Error for NoAccount {}

/// Looks the user up as whom a granted program runs.
///
/// # Errors
/// The name is gone, has another id than when the policy was loaded, or can't be looked up completely.
pub fn run_as(user: &RunAs) -> Result<Account, NoAccount> {
    let found = User::from_name(&user.name).map_err(NoAccount::Failed)?;
    let found = found.ok_or_else(|| NoAccount::Unknown(user.name.clone()))?;
    if found.uid.as_raw() != user.uid.raw() {
        return Err(NoAccount::Changed(user.name.clone()));
    }
    let gid = Gid::new(found.gid.as_raw()).map_err(|unusable| NoAccount::UnusableGroup(unusable.0))?;
    let groups = match &user.groups {
        None => complete_groups(&found)?,
        Some(groups) => groups.iter().map(still).collect::<Result<_, _>>()?,
    };
    let gid = user.group.as_ref().map_or(Ok(gid), still)?;
    Ok(Account { name: found.name, uid: user.uid, gid, groups, home: found.dir, shell: found.shell })
}

/// The id of a group, which its name has still. A number needs no name.
fn still(group: &NamedGroup) -> Result<Gid, NoAccount> {
    if group.is_number {
        return Ok(group.gid);
    }
    match Group::from_name(&group.name).map_err(NoAccount::Failed)? {
        Some(found) if found.gid.as_raw() == group.gid.raw() => Ok(group.gid),
        Some(_) | None => Err(NoAccount::GroupChanged(group.name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn id(raw: u32) -> Uid {
        Uid::new(raw).unwrap()
    }

    /// An id that no system gives to anyone: the last but one.
    fn stranger() -> Uid {
        id(u32::MAX - 1)
    }

    #[test]
    fn names_have_ids_and_ids_have_names() {
        assert_eq!(Database.uid_of("root"), Ok(Some(Uid::ROOT)));
        assert_eq!(Database.gid_of("root"), Ok(Some(Gid::new(0).unwrap())));
        assert_eq!(user_name(Uid::ROOT), "root");
        assert_eq!(group_name(Gid::new(0).unwrap()), "root");
    }

    #[test]
    fn zones_are_found_by_name_and_by_nothing_else() {
        let noon = jiff::civil::date(2026, 7, 1).at(12, 0, 0, 0);
        for (name, offset) in [("UTC", 0), ("Europe/Berlin", 2), ("America/New_York", -4), ("Asia/Tokyo", 9)]
        {
            let zone = Database.zone_of(name).unwrap().unwrap();
            let at = zone.to_timestamp(noon).unwrap();
            assert_eq!(zone.to_offset(at), jiff::tz::offset(offset), "{name}");
        }
        for name in ["", "Mars", "/etc/localtime", "../../../etc/localtime", "Europe/../UTC", "Europe"] {
            assert_eq!(Database.zone_of(name), Ok(None), "{name}");
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_no_failure() {
        assert_eq!(Database.uid_of("no such user"), Ok(None));
        assert_eq!(Database.gid_of("no such group"), Ok(None));
    }

    #[test]
    fn a_user_and_a_group_are_found_by_exactly_their_names() {
        assert_eq!(find_user("root"), Ok(Some(Uid::ROOT)));
        assert_eq!(find_group("root"), Ok(Some(Gid::new(0).unwrap())));
        assert_eq!(find_user("no such user"), Ok(None));
        assert_eq!(find_group("no such group"), Ok(None));
        let nobody = User::from_uid(unistd::Uid::from_raw(65_534)).unwrap();
        assert!(nobody.is_none_or(|nobody| find_user(&nobody.name).is_err()));
    }

    #[test]
    fn an_id_without_a_name_is_shown_as_a_number() {
        assert_eq!(user_name(stranger()), "4294967294");
        assert_eq!(group_name(Gid::new(u32::MAX - 1).unwrap()), "4294967294");
    }

    #[test]
    fn a_name_of_an_id_that_names_nobody_is_a_failure() {
        let nobody = User::from_uid(unistd::Uid::from_raw(65_534)).unwrap();
        let answer = nobody.map(|user| Database.uid_of(&user.name));
        let told = |answer: Result<_, LookupFailed>| answer.unwrap_err().0;
        let expected =
            "id 65534 names nobody: the kernel shows it for every id that isn't mapped; use another";
        assert!(answer.is_none_or(|answer| told(answer) == expected));
    }

    #[test]
    fn the_groups_of_a_user_include_the_primary_one() {
        let DatabaseGroups::Known(groups) = groups_of(Uid::ROOT) else { panic!() };
        assert!(groups.contains(&Gid::new(0).unwrap()), "{groups:?}");
    }

    #[test]
    fn a_denied_group_that_is_gone_leaves_the_others_known() {
        let denied = ["root", "no such group"].map(str::to_owned);
        assert_eq!(groups_of_with(Uid::ROOT, &denied), groups_of(Uid::ROOT));
    }

    #[test]
    fn the_groups_of_an_unknown_user_are_unavailable() {
        assert_eq!(groups_of(stranger()), DatabaseGroups::Unavailable);
    }

    #[test]
    fn of_very_many_groups_so_many_are_named_and_the_rest_is_counted() {
        let many = (0..40_000).map(|raw| Gid::new(raw).unwrap());
        let mut peer = Peer::of(Uid::ROOT, Gid::new(0).unwrap(), many);
        name(&mut peer);
        let names = &peer.circumstances.group_names;
        assert_eq!((names.len(), names[0].as_str()), (NAMED_MAX + 1, "root"));
        assert_eq!(names[NAMED_MAX], format!("({} more)", 40_000 - NAMED_MAX));
        assert_eq!(peer.groups.len(), 40_000);
    }

    #[test]
    fn an_account_is_complete() {
        let root = run_as(&RunAs::root()).unwrap();
        assert_eq!((root.name.as_str(), root.uid, root.gid.raw()), ("root", Uid::ROOT, 0));
        assert_eq!(root.home, PathBuf::from("/root"));
        assert!(root.groups.contains(&root.gid));
    }

    #[test]
    fn a_name_that_came_to_another_user_runs_nothing() {
        let root = RunAs::user("root", id(1));
        assert_eq!(run_as(&root), Err(NoAccount::Changed("root".to_owned())));
        let ghost = RunAs::user("no such user", id(1));
        assert_eq!(run_as(&ghost), Err(NoAccount::Unknown("no such user".to_owned())));
    }

    #[test]
    fn without_descriptors_the_groups_are_unavailable() {
        #[expect(
            clippy::disallowed_methods,
            reason = "the limit holds for a whole process: this needs one of its own"
        )]
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let test = "accounts::tests::in_a_process_without_descriptors";
        let run = child.args([test, "--exact", "--ignored"]).output().unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && told.contains("1 passed"), "{told}");
    }

    #[test]
    #[ignore = "takes all descriptors of its process: the test before it runs it in one of its own"]
    fn in_a_process_without_descriptors() {
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, none).unwrap();
        assert_eq!(groups_of(Uid::ROOT), DatabaseGroups::Unavailable);
        assert!(answers_for(&[]) && !answers_for(&["root".to_owned()]));
        assert_eq!(run_as(&RunAs::root()), Err(NoAccount::Failed(Errno::EMFILE)));
        assert_eq!(Database.uid_of("root"), Err(LookupFailed("EMFILE: Too many open files".to_owned())));
        let root = User::from_uid(unistd::Uid::from_raw(0));
        assert_eq!(root, Err(Errno::EMFILE));
    }
}
