//! What exactly will run: a grant and the account to run as become one plan. Pure: starts nothing, looks nothing up.

use super::JobId;
use crate::identity::{Account, Peer, Uid};
use crate::policy::Grant;
use crate::sys::Credentials;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

/// Where programs look for further programs: the directories that only root writes to.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The C locale with UTF-8 (locale(7)): the same messages on every machine.
const LANG: &str = "C.UTF-8";

/// What will run.
#[derive(Debug)]
pub struct Plan {
    /// The run's id.
    pub job: JobId,
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub argv: Vec<Vec<u8>>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The ids that it runs with.
    pub credentials: Credentials,
    /// Whether setuid programs are without effect for it: they are, for all but root.
    pub no_new_privileges: bool,
    /// How long it may take; `None` is without limit.
    pub timeout: Option<Duration>,
}

/// The plan of a grant. The account is that of the grant's `run-as` user.
#[must_use]
pub fn plan(grant: &Grant, account: &Account, peer: &Peer, job: JobId) -> Plan {
    Plan {
        program: grant.program().to_owned(),
        argv: grant.argv().to_vec(),
        environment: environment(grant, account, peer, &job),
        no_new_privileges: account.uid != Uid::ROOT,
        credentials: credentials(account),
        timeout: grant.timeout(),
        job,
    }
}

fn credentials(account: &Account) -> Credentials {
    let groups = account.groups.iter().map(|gid| gid.raw()).collect();
    Credentials { uid: account.uid.raw(), gid: account.gid.raw(), groups }
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
