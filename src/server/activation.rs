//! The listening sockets, as systemd passed them. Checks each; makes, binds and removes none.

use crate::sys::{self, NotPassed, Passed};
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a program listens for.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// `FileDescriptorName=` of the socket unit.
    pub name: &'static str,
    /// The type of socket.
    pub socket_type: SocketType,
    /// What the names of descriptors begin with that an earlier process of this program has left with systemd, if it does.
    pub left: Option<&'static str>,
}

/// Why the passed sockets can't be served.
#[derive(Debug)]
pub enum Unfit {
    /// Nothing was passed to this process.
    NotPassed(NotPassed),
    /// No socket of the expected name is among them.
    Missing(&'static str),
    /// A socket of a name that this program does not know.
    UnknownName(String),
    /// A socket that is not what its name promises.
    Wrong {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fact: &'static str,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPassed(why) => why.fmt(f),
            Self::Missing(name) => write!(f, "no socket with FileDescriptorName={name} was passed"),
            Self::UnknownName(name) => {
                write!(f, "a socket with the unknown FileDescriptorName={} was passed", name.escape_debug())
            }
            Self::Wrong { name, fact } => write!(f, "the socket passed as {name} {fact}"),
        }
    }
}

impl std::error::Error for Unfit {}

/// What systemd passed.
#[derive(Debug)]
pub struct Taken {
    /// The sockets to serve.
    pub sockets: Vec<OwnedFd>,
    /// What an earlier process has left, by name.
    pub left: Vec<(String, OwnedFd)>,
}

/// Takes what systemd passed to this process; every socket must be of the expected kind.
///
/// # Errors
/// [`Unfit`]: the program can't serve.
pub fn take(expected: Expected) -> Result<Taken, Unfit> {
    #[expect(clippy::disallowed_methods, reason = "the environment is asked at the start alone")]
    let environment = |name: &str| std::env::var(name).ok();
    let passed = sys::take_passed_sockets(environment).map_err(Unfit::NotPassed)?;
    let is_left = |one: &Passed| expected.left.is_some_and(|prefix| one.name.starts_with(prefix));
    let (left, sockets): (Vec<_>, Vec<_>) = passed.into_iter().partition(is_left);
    let left = left.into_iter().map(|Passed { name, fd }| (name, fd)).collect();
    Ok(Taken { sockets: check(sockets, expected)?, left })
}

fn check(passed: Vec<Passed>, expected: Expected) -> Result<Vec<OwnedFd>, Unfit> {
    if passed.is_empty() {
        return Err(Unfit::Missing(expected.name));
    }
    passed.into_iter().map(|socket| check_one(socket, expected)).collect()
}

fn check_one(socket: Passed, expected: Expected) -> Result<OwnedFd, Unfit> {
    if socket.name != expected.name {
        return Err(Unfit::UnknownName(socket.name));
    }
    match fault(socket.fd.as_fd(), expected.socket_type) {
        Some(fact) => Err(Unfit::Wrong { name: socket.name, fact }),
        None => Ok(socket.fd),
    }
}

fn fault(socket: BorrowedFd<'_>, socket_type: SocketType) -> Option<&'static str> {
    if sockopt::socket_domain(socket) != Ok(AddressFamily::UNIX) {
        return Some("is no Unix socket");
    }
    if sockopt::socket_type(socket) != Ok(socket_type) {
        return Some(
            "is of the wrong type: a stream is needed for clients (ListenStream=), packets for the broker (ListenSequentialPacket=)",
        );
    }
    if sockopt::socket_acceptconn(socket) != Ok(true) {
        return Some("does not listen: Accept=no is needed");
    }
    let address = rustix::net::getsockname(socket).ok().and_then(|any| SocketAddrUnix::try_from(any).ok());
    match address {
        Some(address) if address.path().is_some() => None,
        Some(_) | None => Some("has no file: an abstract address has no owner and no mode"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    const LINE: Expected = Expected { name: "line", socket_type: SocketType::STREAM, left: None };

    fn passed(name: &str, fd: impl Into<OwnedFd>) -> Vec<Passed> {
        vec![Passed { name: name.to_owned(), fd: fd.into() }]
    }

    fn text(result: Result<Vec<OwnedFd>, Unfit>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_listening_socket_with_a_file_and_the_right_name_is_taken() {
        let path = std::env::temp_dir().join(format!("udsadmin-activation-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let taken = check(passed("line", listener), LINE);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(taken.unwrap().len(), 1);
    }

    #[test]
    fn a_connected_socket_is_no_listener() {
        assert!(text(check(passed("line", UnixStream::pair().unwrap().0), LINE)).contains("does not listen"));
    }

    #[test]
    fn an_abstract_address_is_refused() {
        let name = format!("udsadmin-test-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        assert!(text(check(passed("line", listener), LINE)).contains("has no file"));
    }

    #[test]
    fn another_family_another_name_and_nothing_are_refused() {
        let network = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(text(check(passed("line", network), LINE)).contains("no Unix socket"));
        let pair = || UnixStream::pair().unwrap().0;
        assert!(text(check(passed("web\n", pair()), LINE)).contains("FileDescriptorName=web\\n"));
        assert!(text(check(Vec::new(), LINE)).contains("FileDescriptorName=line"));
        let broker = Expected { name: "line", socket_type: SocketType::SEQPACKET, left: None };
        assert!(text(check(passed("line", pair()), broker)).contains("wrong type"));
    }
}
