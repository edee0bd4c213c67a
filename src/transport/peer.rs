//! From a connected socket to its `Peer`, by asking the kernel. Believes no word of the peer's own.

use crate::accounts;
use crate::identity::{Circumstances, DatabaseGroups, Gid, Groups, Namespace, Peer, Uid, UnusableId};
use crate::sys;
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Once};

/// The loginuid of a process that no login made, `(uid_t) -1` (`pam_loginuid(8)`).
const LOGINUID_UNSET: u32 = u32::MAX;

/// Why a connection has no peer that a policy could judge.
#[derive(Debug)]
pub enum NoPeer {
    /// The process that connected has ended: its id may soon be another's.
    Gone {
        /// Its user's id, for the record.
        uid: u32,
    },
    /// Its user id stands for nobody.
    Unusable(UnusableId),
    /// The kernel did not say.
    Unreadable(io::Error),
}

impl NoPeer {
    /// The user's id, where it is known.
    #[must_use]
    pub const fn uid(&self) -> Option<u32> {
        match self {
            Self::Gone { uid } => Some(*uid),
            Self::Unusable(_) | Self::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for NoPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { uid } => write!(f, "the process of uid {uid} that connected has ended"),
            Self::Unusable(id) => write!(f, "user {id}"),
            Self::Unreadable(error) => write!(f, "the kernel does not name the peer: {error}"),
        }
    }
}

impl std::error::Error for NoPeer {}

/// The peer of a connected socket: the process itself first, then its credentials, then its groups. Looks at nothing
/// but the socket.
///
/// # Errors
/// [`NoPeer`]; a connection without a peer is refused.
pub fn peer_of(socket: BorrowedFd<'_>) -> Result<Peer, NoPeer> {
    let process = getsockopt(&socket, sockopt::PeerPidfd);
    let credentials = getsockopt(&socket, sockopt::PeerCredentials).map_err(unreadable)?;
    let from_socket = process_of(process, credentials.uid())?;
    let uid = Uid::new(credentials.uid()).map_err(NoPeer::Unusable)?;
    let groups = sys::peer_groups(socket).map_err(NoPeer::Unreadable)?;
    let pidfd = from_socket.or_else(|| open_by_id(credentials.pid()));
    if !pidfd.as_ref().is_some_and(|process| is_alive(process.as_fd())) {
        return Err(NoPeer::Gone { uid: credentials.uid() });
    }
    Ok(Peer {
        uid,
        gid: credentials.gid(),
        groups: usable(groups.into_iter().chain([credentials.gid()])),
        database_groups: DatabaseGroups::NotAsked,
        pid: credentials.pid(),
        pidfd: pidfd.map(Arc::new),
        namespace: Namespace::NotLooked,
        circumstances: Circumstances { label: label(socket), ..Circumstances::default() },
    })
}

fn unreadable(errno: Errno) -> NoPeer {
    NoPeer::Unreadable(errno.into())
}

fn usable(raw: impl Iterator<Item = u32>) -> Groups {
    raw.filter_map(|gid| Gid::new(gid).ok()).collect()
}

/// `None` on a kernel older than 6.5, which has no `SO_PEERPIDFD`; said once.
fn process_of(answer: Result<OwnedFd, Errno>, uid: u32) -> Result<Option<OwnedFd>, NoPeer> {
    static OLD_KERNEL: Once = Once::new();
    match answer {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(Errno::ENOPROTOOPT) => {
            OLD_KERNEL.call_once(|| {
                tracing::warn!(
                    "this kernel has no SO_PEERPIDFD (Linux 6.5): peers are followed by process id"
                );
            });
            Ok(None)
        }
        // A peer that was reaped before we asked (sk_getsockopt of net/core/sock.c; pidfd_prepare of kernel/fork.c).
        Err(Errno::ESRCH | Errno::EINVAL | Errno::ENODATA) => Err(NoPeer::Gone { uid }),
        Err(errno) => Err(unreadable(errno)),
    }
}

fn open_by_id(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Whether the process still runs: a pidfd is readable once its process has ended (`pidfd_open(2)`).
fn is_alive(pidfd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(&pidfd, PollFlags::IN)];
    matches!(poll(&mut polled, Some(&Timespec::default())), Ok(0))
}

fn label(socket: BorrowedFd<'_>) -> Option<String> {
    let octets = sys::peer_label(socket).ok()?;
    String::from_utf8(octets).ok().filter(|text| !text.is_empty())
}

/// The peer with all that can be learnt of it: from `/proc`, and from the user database its names and, where a rule needs
/// them, its groups.
///
/// # Errors
/// [`NoPeer`]; a connection without a peer is refused.
pub async fn complete(mut peer: Peer, asked: Option<Vec<String>>) -> Result<Peer, NoPeer> {
    let look = move || {
        look_closer(&mut peer);
        accounts::name(&mut peer);
        if let Some(denied) = asked {
            peer.database_groups = accounts::groups_of_with(peer.uid, &denied);
        }
        peer
    };
    tokio::task::spawn_blocking(look).await.map_err(|error| NoPeer::Unreadable(io::Error::other(error)))
}

/// The peer with the groups that the user database gives it at this moment, where it is to be asked
/// (`Policy::asks_database`).
pub async fn regrouped(mut peer: Peer, asked: Option<Vec<String>>) -> Peer {
    if let Some(denied) = asked {
        let uid = peer.uid;
        let look = tokio::task::spawn_blocking(move || accounts::groups_of_with(uid, &denied));
        peer.database_groups = look.await.unwrap_or_default();
    }
    peer
}

/// Fills in what `/proc` tells of the peer: its namespace, and what is for the record. What this process may not read
/// stays unknown. Nothing is kept unless the process was still alive after the reading, so that it is all its own.
fn look_closer(peer: &mut Peer) {
    let namespace = namespace(peer.pid);
    let (loginuid, executable, unit) = (loginuid(peer.pid), executable(peer.pid), unit(peer.pid));
    if peer.pidfd.as_ref().is_some_and(|pidfd| is_alive(pidfd.as_fd())) {
        peer.namespace = namespace;
        peer.circumstances.loginuid = loginuid;
        peer.circumstances.executable = executable;
        peer.circumstances.unit = unit;
    }
}

fn namespace(pid: i32) -> Namespace {
    let identity = |path: String| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    match (identity(format!("/proc/{pid}/ns/user")), identity("/proc/self/ns/user".to_owned())) {
        (Ok(theirs), Ok(ours)) if theirs == ours => Namespace::Own,
        (Ok(_), Ok(_)) => Namespace::Foreign,
        (Err(_), _) | (_, Err(_)) => Namespace::NotLooked,
    }
}

fn loginuid(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim_end().parse().ok().filter(|uid| *uid != LOGINUID_UNSET)
}

fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn unit(pid: i32) -> Option<String> {
    unit_of(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// The outermost unit of the cgroup path, as `systemctl status PID` finds it: what lies below it was delegated, and whoever
/// it was delegated to names that at will.
fn unit_of(cgroups: &str) -> Option<String> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let is_unit =
        |part: &&str| part.rsplit_once('.').is_some_and(|(_, kind)| matches!(kind, "service" | "scope"));
    path.split('/').find(is_unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut peer = peer_of(ours.as_fd()).unwrap();
        look_closer(&mut peer);
        assert_eq!(peer.uid.raw(), nix::unistd::geteuid().as_raw());
        assert_eq!(peer.gid, nix::unistd::getegid().as_raw());
        assert!(peer.groups.contains(&Gid::new(peer.gid).unwrap()));
        assert_eq!(peer.namespace, Namespace::Own);
        assert_eq!(peer.circumstances.executable, std::env::current_exe().ok());
    }

    #[test]
    fn a_datagram_socket_names_nobody() {
        let socket = UnixDatagram::unbound().unwrap();
        assert!(peer_of(socket.as_fd()).is_err());
    }

    #[test]
    fn the_unit_is_not_one_that_the_peer_named_itself() {
        let unit = |path: &str| unit_of(&format!("1:name=systemd:/x.service\n0::{path}\n"));
        let own = "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service";
        assert_eq!(unit(own).as_deref(), Some("user@1000.service"));
        assert_eq!(unit("/system.slice/nginx.service/worker").as_deref(), Some("nginx.service"));
        assert_eq!(unit("/user.slice/user-0.slice/session-1.scope").as_deref(), Some("session-1.scope"));
        assert_eq!(unit("/init"), None);
    }

    #[test]
    fn nothing_is_kept_of_a_process_that_has_ended() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut peer = peer_of(ours.as_fd()).unwrap();
        peer.pidfd = Some(Arc::new(ended_process()));
        look_closer(&mut peer);
        assert_eq!((peer.namespace, peer.circumstances.executable), (Namespace::NotLooked, None));
    }

    fn ended_process() -> OwnedFd {
        #[expect(clippy::disallowed_methods, reason = "a process that ends at once")]
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        child.wait().unwrap();
        pidfd
    }
}
