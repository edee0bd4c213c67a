//! What exactly will run: a proven grant and the account to run as become one plan. Pure: starts nothing, looks nothing up.

use super::{JobId, Proven};
use crate::identity::{Account, Peer, Uid};
use crate::policy::{self, Grant, IoPriority, Runner};
use crate::sys::{Capabilities, Confinement, Credentials, Limit, Manner, Sealed};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

/// Where programs look for further programs: the directories that only root writes to.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The C locale with UTF-8 (locale(7)): the same messages on every machine.
const LANG: &str = "C.UTF-8";

/// What will run. Only [`plan`] makes one:
///
/// ```compile_fail,E0616
/// # use udsadmin::execution::Plan;
/// fn as_root(planned: &mut Plan) {
///     planned.manner.credentials = None;
/// }
/// ```
#[derive(Debug)]
pub struct Plan {
    pub(super) job: JobId,
    /// Absolute.
    pub(super) program: PathBuf,
    /// The program's own name first.
    pub(super) argv: Vec<Vec<u8>>,
    /// The whole environment.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// As whom, where, and within which bounds.
    pub(super) manner: Manner,
    /// Whether the policy itself names groups, or a bounding set: then it is not enough to be the user already.
    pub(super) names_more_than_the_user: bool,
    /// The program's descriptors from 3 on.
    pub(super) handed: Vec<OwnedFd>,
    /// What takes the place of the standard input that a client gives.
    pub(super) input: Option<OwnedFd>,
    /// What is to be overwritten when it has ended, or was not started.
    pub(super) secrets: Vec<Sealed>,
    /// `None` is without limit.
    pub(super) timeout: Option<Duration>,
    /// From TERM to KILL.
    pub(super) kill_after: Duration,
    /// What starts it.
    pub(super) runner: Runner,
}

/// The plan of a proven grant. The account is that of the grant's `run-as` user.
#[must_use]
pub fn plan(proven: Proven, account: &Account, peer: &Peer, job: JobId) -> Plan {
    let Proven { grant, handed, input, secrets } = proven;
    let grant = &*grant;
    Plan {
        handed,
        input,
        secrets,
        program: grant.program().to_owned(),
        argv: grant.argv().to_vec(),
        environment: environment(grant, account, peer, &job),
        manner: manner(grant, account),
        names_more_than_the_user: names_more_than_the_user(grant),
        timeout: grant.terms().timeout,
        kill_after: grant.terms().ceilings.kill_after,
        runner: grant.terms().runner.clone(),
        job,
    }
}

/// The uid is that of the grant, whatever account was found.
fn credentials(grant: &Grant, account: &Account) -> Credentials {
    let groups = account.groups.iter().map(|gid| gid.raw()).collect();
    Credentials { uid: grant.run_as().uid.raw(), gid: account.gid.raw(), groups }
}

fn names_more_than_the_user(grant: &Grant) -> bool {
    let run_as = grant.run_as();
    run_as.group.is_some() || run_as.groups.is_some() || grant.terms().manner.bounding.is_some()
}

fn manner(grant: &Grant, account: &Account) -> Manner {
    let policy = &grant.terms().manner;
    let is_root = grant.run_as().uid == Uid::ROOT;
    let no_new_privileges = policy.no_new_privileges.unwrap_or(!is_root);
    let limit = |(resource, bounds): &(_, policy::Bounds)| Limit {
        resource: *resource,
        soft: bounds.soft,
        hard: bounds.hard,
    };
    Manner {
        credentials: Some(credentials(grant, account)),
        capabilities: capabilities(policy, is_root, no_new_privileges),
        no_new_privileges,
        directory: policy.cwd.clone(),
        umask: policy.umask,
        limits: policy.limits.iter().map(limit).collect(),
        nice: policy.nice,
        io: policy.io.map(io_priority),
        confinement: Confinement {
            private_tmp: policy.walls.private_tmp,
            read_only: policy.walls.read_only.clone(),
            no_network: !policy.walls.network,
        },
    }
}

/// Root has by its id what the bounding set leaves. Others have what they are given, and are bound by that where no program
/// could give them more anyway.
fn capabilities(policy: &policy::Manner, is_root: bool, no_new_privileges: bool) -> Capabilities {
    let ambient = policy.ambient.bits();
    let implied = (!is_root && no_new_privileges).then_some(ambient);
    Capabilities {
        ambient: (!is_root).then_some(ambient),
        bounding: policy.bounding.map(policy::CapabilitySet::bits).or(implied),
    }
}

/// As `ioprio_set(2)` takes it: the class above 13 bits of level (`IOPRIO_CLASS_SHIFT`, linux/ioprio.h).
fn io_priority(priority: IoPriority) -> u16 {
    let (class, level) = match priority {
        IoPriority::Realtime(level) => (1, level),
        IoPriority::BestEffort(level) => (2, level),
        IoPriority::Idle => (3, 0),
    };
    class << 13 | u16::from(level)
}

fn environment(grant: &Grant, account: &Account, peer: &Peer, job: &JobId) -> Vec<(OsString, OsString)> {
    let text = |value: &str| OsString::from_vec(value.as_bytes().to_vec());
    let every = [
        ("PATH", text(PATH)),
        ("LANG", text(LANG)),
        ("HOME", account.home.clone().into_os_string()),
        ("USER", text(&account.name)),
        ("LOGNAME", text(&account.name)),
        ("SHELL", account.shell.clone().into_os_string()),
        ("UDSADMIN_UID", text(&peer.uid.to_string())),
        ("UDSADMIN_USER", text(&peer.user())),
        ("UDSADMIN_GID", text(&peer.gid.to_string())),
        ("UDSADMIN_COMMAND", text(grant.command().as_str())),
        ("UDSADMIN_JOB", text(job.as_str())),
    ]
    .map(|(name, value)| (OsString::from(name), value));
    let own = grant.variables().iter().map(|(name, value)| (name.into(), OsString::from_vec(value.clone())));
    // Of one name the last counts.
    every.into_iter().chain(own).collect::<BTreeMap<_, _>>().into_iter().collect()
}
