//! What the kernel says of a Unix socket: the peer's groups, its security label, the file that it was bound to.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// First guess for a list of groups; the kernel says how many it needs (`ERANGE`).
const GROUPS_GUESS: usize = 64;

/// First guess for a security label, in octets.
const LABEL_GUESS: usize = 256;

/// `SIOCPROTOPRIVATE`, the first of a protocol's own ioctls (linux/sockios.h); `SIOCUNIXFILE` is the first of
/// `AF_UNIX` (linux/un.h).
const SIOCUNIXFILE: libc::Ioctl = 0x89E0;

/// The supplementary groups of the process that connected the socket (`SO_PEERGROUPS`, Linux 4.13), as raw ids.
/// The effective group is not among them.
///
/// # Errors
/// Those of `getsockopt(2)`; `ENODATA` where the socket has no peer credentials.
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; GROUPS_GUESS];
    let octets = grown(&mut groups, |list| get_option(socket, libc::SO_PEERGROUPS, list))?;
    groups.truncate(octets / size_of::<u32>());
    Ok(groups)
}

/// The security label of the peer (`SO_PEERSEC`), without its closing NUL.
///
/// # Errors
/// Those of `getsockopt(2)`; `ENOPROTOOPT` where no security module gives labels.
pub fn peer_label(socket: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut label = vec![0_u8; LABEL_GUESS];
    let octets = grown(&mut label, |text| get_option(socket, libc::SO_PEERSEC, text))?;
    label.truncate(octets);
    while label.last() == Some(&0) {
        label.pop();
    }
    Ok(label)
}

/// Calls once, and once more with the room that the kernel asked for.
fn grown<T: Clone + Default>(
    room: &mut Vec<T>,
    call: impl Fn(&mut [T]) -> Result<usize, (io::Error, usize)>,
) -> io::Result<usize> {
    match call(room) {
        Ok(octets) => Ok(octets),
        Err((error, needed)) if error.raw_os_error() == Some(libc::ERANGE) => {
            room.resize(needed.div_ceil(size_of::<T>()), T::default());
            call(room).map_err(|(error, _)| error)
        }
        Err((error, _)) => Err(error),
    }
}

/// `getsockopt(2)` at `SOL_SOCKET`: the octets written, or the error and the octets that it would take.
fn get_option<T>(socket: BorrowedFd<'_>, option: c_int, room: &mut [T]) -> Result<usize, (io::Error, usize)> {
    let mut octets = libc::socklen_t::try_from(size_of_val(room)).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: `room` is writable for `octets` octets, for the whole call; every `T` used here is an integer, for which
    // any octets are a value; the kernel writes at most `octets` and says how many.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            room.as_mut_ptr().cast::<c_void>(),
            &raw mut octets,
        )
    };
    let octets = usize::try_from(octets).unwrap_or(0);
    if status == 0 { Ok(octets) } else { Err((io::Error::last_os_error(), octets)) }
}

/// The file that the socket, or the listening socket it was accepted from, was bound to: an `O_PATH` descriptor.
/// `SIOCUNIXFILE`, Linux 4.18; needs `CAP_NET_ADMIN`.
///
/// # Errors
/// Those of `ioctl(2)`: `EPERM` without the capability, `ENOENT` for a socket without a file.
pub fn socket_file(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: SIOCUNIXFILE takes no argument and touches no memory of ours.
    let raw = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCUNIXFILE) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor for us (unix_open_file of net/unix/af_unix.c), so nobody else owns it.
    let file = unsafe { OwnedFd::from_raw_fd(raw) };
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::CLOEXEC)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_peer_of_a_pair_is_ourselves() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut expected: Vec<u32> =
            nix::unistd::getgroups().unwrap().iter().map(|gid| gid.as_raw()).collect();
        let mut seen = peer_groups(ours.as_fd()).unwrap();
        expected.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_socket_without_a_file_has_none() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(socket_file(ours.as_fd()).is_err());
    }
}
