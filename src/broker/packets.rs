//! Packets with descriptors over a `SOCK_SEQPACKET` socket (unix(7)). A packet that does not fit ends the connection.

use super::wire::PACKET_MAX;
use crate::sys;
use postcard::experimental::serialized_size;
use rustix::io::IoSliceMut;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zeroize::{Zeroize, Zeroizing};

/// The form of packets, their first octet. In the middle of an upgrade, the two programs may be of two versions.
pub const FORM: u8 = 1;

/// Descriptors that one packet brings at most: those of a run that starts.
const DESCRIPTORS_MAX: usize = 3;

/// A value, and the descriptors that came with it.
#[derive(Debug)]
pub struct Packet<T> {
    /// The value.
    pub value: T,
    /// The descriptors, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Packets {
    socket: AsyncFd<OwnedFd>,
}

impl Packets {
    /// Takes a connected socket that does not block.
    ///
    /// # Errors
    /// Those of registering with the event loop.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: sys::watch(socket, Interest::READABLE | Interest::WRITABLE)? })
    }

    /// Connects. Never waits: a full queue of connections is an error.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Self::new(socket)
    }

    /// Sends one value with descriptors.
    ///
    /// # Errors
    /// Those of `sendmsg(2)`.
    pub async fn send<T: Serialize>(&self, value: &T, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let octets = spelt(value)?;
        self.socket.async_io(Interest::WRITABLE, |socket| transmit(socket, &octets, descriptors)).await
    }

    /// The next value; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`; `InvalidData` for what is no such value.
    pub async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<Packet<T>>> {
        let mut room = vec![0; PACKET_MAX];
        let (octets, descriptors) = loop {
            let taken = self.socket.async_io(Interest::READABLE, |socket| take(socket, &mut room)).await;
            // Told once, ahead of what is still queued, where the other end closed with something unread.
            if !taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
                break taken?;
            }
        };
        let Some(octets) = room.get_mut(..octets).filter(|octets| !octets.is_empty()) else {
            return Ok(None);
        };
        let value = read(octets);
        octets.zeroize();
        Ok(Some(Packet { value: value?, descriptors }))
    }
}

/// The octets of a value. They may hold a secret, so they are overwritten, and never move.
fn spelt<T: Serialize>(value: &T) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = serialized_size(value).map_err(io::Error::other)?;
    let mut octets = Zeroizing::new(vec![FORM; 1 + length]);
    postcard::to_slice(value, octets.get_mut(1..).unwrap_or_default()).map_err(io::Error::other)?;
    Ok(octets)
}

fn read<T: DeserializeOwned>(octets: &[u8]) -> io::Result<T> {
    match octets.split_first() {
        Some((&FORM, value)) => postcard::from_bytes(value).map_err(|_| malformed()),
        Some(_) | None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a packet of another version of udsadmin: one of its two programs has yet to make way for the next",
        )),
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a packet that is no order and no report")
}

fn transmit(socket: &OwnedFd, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(malformed());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(octets)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn take(socket: &OwnedFd, room: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(room)];
    let message = rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(list) = part {
            descriptors.extend(list);
        }
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(malformed());
    }
    Ok((message.bytes, descriptors))
}

/// The next connection of a listening `SOCK_SEQPACKET` socket that does not block.
///
/// # Errors
/// Those of `accept(2)`.
pub async fn accept(listener: &AsyncFd<OwnedFd>) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    listener.async_io(Interest::READABLE, |socket| Ok(rustix::net::accept_with(socket, flags)?)).await
}
