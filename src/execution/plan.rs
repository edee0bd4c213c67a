//! What exactly will run: a proven grant and the account to run as become one plan. Pure: starts nothing, looks nothing up.

use super::{JobId, Proven};
use crate::identity::{Account, Peer, Uid};
use crate::policy::Grant;
use crate::sys::{Credentials, Sealed};
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
///     planned.credentials.uid = 0;
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
    pub(super) credentials: Credentials,
    /// The program's descriptors from 3 on.
    pub(super) handed: Vec<OwnedFd>,
    /// What takes the place of the standard input that a client gives.
    pub(super) input: Option<OwnedFd>,
    /// What is to be overwritten when it has ended, or was not started.
    pub(super) secrets: Vec<Sealed>,
    /// Whether setuid programs are without effect for it: they are, for all but root.
    pub(super) no_new_privileges: bool,
    /// `None` is without limit.
    pub(super) timeout: Option<Duration>,
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
        no_new_privileges: grant.run_as().uid != Uid::ROOT,
        credentials: credentials(grant, account),
        timeout: grant.terms().timeout,
        job,
    }
}

/// The uid is that of the grant, whatever account was found.
fn credentials(grant: &Grant, account: &Account) -> Credentials {
    let groups = account.groups.iter().map(|gid| gid.raw()).collect();
    Credentials { uid: grant.run_as().uid.raw(), gid: account.gid.raw(), groups }
}

fn environment(grant: &Grant, account: &Account, peer: &Peer, job: &JobId) -> Vec<(OsString, OsString)> {
    let text = |value: &str| OsString::from_vec(value.as_bytes().to_vec());
    [
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
    .map(|(name, value)| (name.into(), value))
    .into()
}
