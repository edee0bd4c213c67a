//! Is a passed socket really a client of ours? Without this, a taken-over server could have root connect to a socket of
//! its own making, and pass that.

use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, FileType, Stat, fstat, statat};
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType};
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Where clients connect.
#[derive(Clone, Debug)]
pub enum Doors {
    /// To these socket files, which only root can replace.
    Files(Vec<PathBuf>),
    /// Anywhere: a broker without privilege can't see the file, and has nothing to protect.
    Anywhere,
}

/// Why a passed descriptor is no client of ours.
#[derive(Debug)]
pub enum Foreign {
    /// Not a connected Unix stream socket: its peer would not be a client.
    NotConnected,
    /// Accepted from another socket than ours.
    OtherDoor,
    /// The client has closed it.
    Closed,
    /// The kernel did not say.
    Unreadable(io::Error),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the passed descriptor is no connected Unix stream socket"),
            Self::OtherDoor => {
                f.write_str("the passed socket was not accepted from our own listening socket")
            }
            Self::Closed => f.write_str("the client has closed its connection"),
            Self::Unreadable(error) => write!(f, "the passed descriptor can't be examined: {error}"),
        }
    }
}

impl std::error::Error for Foreign {}

impl From<rustix::io::Errno> for Foreign {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Unreadable(errno.into())
    }
}

impl Doors {
    /// Checks that the socket is a client's connection, accepted from one of these doors, and still open.
    ///
    /// # Errors
    /// [`Foreign`]: do not believe it.
    pub fn check(&self, socket: BorrowedFd<'_>) -> Result<(), Foreign> {
        is_connected_stream(socket)?;
        still_open(socket)?;
        match self {
            Self::Anywhere => Ok(()),
            Self::Files(paths) => {
                let file = sys::socket_file(socket).map_err(Foreign::Unreadable)?;
                let theirs = identity(&fstat(&file)?);
                paths.iter().any(|path| is_socket_at(path, theirs)).then_some(()).ok_or(Foreign::OtherDoor)
            }
        }
    }
}

/// A listening socket has credentials too, those of systemd: it must not pass for a client.
fn is_connected_stream(socket: BorrowedFd<'_>) -> Result<(), Foreign> {
    let is_ours = rustix::net::sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(socket) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(socket) == Ok(false)
        && rustix::net::getpeername(socket).is_ok();
    is_ours.then_some(()).ok_or(Foreign::NotConnected)
}

/// Whether the client still holds its end: a peer may be asked for only while it is connected.
///
/// # Errors
/// [`Foreign::Closed`], or why that could not be learnt.
pub(super) fn still_open(socket: BorrowedFd<'_>) -> Result<(), Foreign> {
    let mut polled = [PollFd::new(&socket, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default()))?;
    let closed = polled.iter().any(|state| state.revents().intersects(PollFlags::HUP | PollFlags::ERR));
    if closed { Err(Foreign::Closed) } else { Ok(()) }
}

fn identity(file: &Stat) -> (u64, u64) {
    (file.st_dev, file.st_ino)
}

fn is_socket_at(path: &PathBuf, theirs: (u64, u64)) -> bool {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|file| {
        FileType::from_raw_mode(file.st_mode) == FileType::Socket && identity(&file) == theirs
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("udsadmin-door-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_listening_socket_is_no_client() {
        let folder = Folder::new("listening");
        let listener = UnixListener::bind(folder.0.join("s")).unwrap();
        assert!(matches!(Doors::Anywhere.check(listener.as_fd()), Err(Foreign::NotConnected)));
    }

    #[test]
    fn a_datagram_socket_and_a_file_are_no_clients() {
        let (datagram, _other) = UnixDatagram::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(Doors::Anywhere.check(datagram.as_fd()), Err(Foreign::NotConnected)));
        assert!(matches!(Doors::Anywhere.check(file.as_fd()), Err(Foreign::NotConnected)));
    }

    #[test]
    fn a_client_that_has_gone_is_no_client_and_one_that_has_finished_writing_is() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(Doors::Anywhere.check(ours.as_fd()).is_ok());
        drop(theirs);
        assert!(matches!(Doors::Anywhere.check(ours.as_fd()), Err(Foreign::Closed)));
    }

    /// Needs `CAP_NET_ADMIN`, as the broker has it; without it the check refuses, which is asserted instead.
    #[test]
    fn only_a_socket_accepted_from_the_door_passes() {
        let folder = Folder::new("accepted");
        let accepted = |name: &str| {
            let listener = UnixListener::bind(folder.0.join(name)).unwrap();
            let client = UnixStream::connect(folder.0.join(name)).unwrap();
            (listener.accept().unwrap().0, client)
        };
        let ((ours, _a), (foreign, _b), (pair, _c)) =
            (accepted("ours"), accepted("foreign"), UnixStream::pair().unwrap());
        let doors = Doors::Files(vec![folder.0.join("ours")]);
        if rustix::process::geteuid().is_root() {
            assert!(doors.check(ours.as_fd()).is_ok());
            assert!(matches!(doors.check(foreign.as_fd()), Err(Foreign::OtherDoor)));
        } else {
            assert!(matches!(doors.check(ours.as_fd()), Err(Foreign::Unreadable(_))));
        }
        assert!(matches!(doors.check(pair.as_fd()), Err(Foreign::Unreadable(_) | Foreign::OtherDoor)));
    }
}
