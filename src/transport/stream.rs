//! A client's byte stream, in which every octet is the connector's own. Ends at the first that is not.

use crate::identity::Uid;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// So many octets, written by the user who connected.
    Octets(usize),
    /// The client's writing side is shut.
    End,
    /// Octets that another user's process wrote. They are gone, and the stream is not to be read again.
    OtherSender {
        /// The writer's real user id (`SCM_CREDENTIALS`, unix(7)).
        uid: u32,
        /// The writer's process id.
        pid: i32,
    },
    /// Descriptors came along, or no credentials did: neither has a place on this stream.
    Unexpected,
}

/// A connected stream socket, and the user who connected it.
#[derive(Debug)]
pub struct Stream {
    socket: UnixStream,
    connector: Uid,
}

impl Stream {
    /// Takes a connected socket; from here on every read checks its sender.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn new(socket: UnixStream, connector: Uid) -> io::Result<Self> {
        setsockopt(&socket, sockopt::PassCred, &true)?;
        Ok(Self { socket, connector })
    }

    /// Waits until there is something to read. Holds no buffer while it waits.
    ///
    /// # Errors
    /// Those of the event loop.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Reads what has come, at most what `room` takes.
    ///
    /// # Errors
    /// `WouldBlock` where nothing has come; those of `recvmsg(2)`: `ECONNRESET` for a client that is gone.
    pub fn try_read(&self, room: &mut [u8]) -> io::Result<Read> {
        self.socket.try_io(Interest::READABLE, || self.read_now(room))
    }

    /// The same, though the event loop has not heard of anything yet.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`; `WouldBlock` where there is nothing.
    pub fn read_now(&self, room: &mut [u8]) -> io::Result<Read> {
        // Room for one set of credentials and no more: the kernel then discards descriptors instead of opening them here.
        let mut control = nix::cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(room)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        if message.bytes == 0 {
            return Ok(Read::End);
        }
        match message.cmsgs().map(|mut list| list.next()) {
            Ok(Some(ControlMessageOwned::ScmCredentials(sender))) => Ok(self.judge(sender, message.bytes)),
            Ok(_) | Err(Errno::ENOBUFS) => Ok(Read::Unexpected),
            Err(errno) => Err(errno.into()),
        }
    }

    fn judge(&self, sender: UnixCredentials, octets: usize) -> Read {
        if sender.uid() == self.connector.raw() {
            Read::Octets(octets)
        } else {
            Read::OtherSender { uid: sender.uid(), pid: sender.pid() }
        }
    }

    /// Writes what the client takes now, at least one octet, and says how much. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of `sendmsg(2)`; `EPIPE` for a client that is gone.
    pub async fn write(&self, octets: &[u8]) -> io::Result<usize> {
        self.socket.async_io(Interest::WRITABLE, || self.socket.try_write(octets)).await
    }

    /// Tells the client that nothing more will be said. What it still writes can be read.
    ///
    /// # Errors
    /// Those of `shutdown(2)`.
    pub fn finish(&self) -> io::Result<()> {
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write).map_err(Into::into)
    }

    /// Ends the connection for both sides, whoever else holds the socket.
    ///
    /// # Errors
    /// Those of `shutdown(2)`.
    pub fn end(&self) -> io::Result<()> {
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both).map_err(Into::into)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{ControlMessage, sendmsg};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::IoSlice;

    async fn read(stream: &Stream) -> Read {
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut [0; 16]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.unwrap(),
            }
        }
    }

    fn connected_by(connector: u32) -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::new(ours, Uid::new(connector).unwrap()).unwrap(), theirs)
    }

    #[tokio::test]
    async fn octets_of_the_connector_are_read() {
        let (stream, client) = connected_by(nix::unistd::getuid().as_raw());
        client.try_write(b"ping\n").unwrap();
        assert_eq!(read(&stream).await, Read::Octets(5));
        drop(client);
        assert_eq!(read(&stream).await, Read::End);
    }

    #[tokio::test]
    async fn octets_of_another_user_are_told_apart() {
        let me = nix::unistd::getuid().as_raw();
        let (stream, client) = connected_by(me + 1);
        client.try_write(b"ping\n").unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(read(&stream).await, Read::OtherSender { uid: me, pid });
    }

    #[tokio::test]
    async fn descriptors_are_neither_kept_nor_overlooked() {
        let (stream, client) = connected_by(nix::unistd::getuid().as_raw());
        let (reader, writer) = std::io::pipe().unwrap();
        let passed = [writer.as_raw_fd()];
        let parts = [IoSlice::new(b"x")];
        sendmsg::<()>(
            client.as_raw_fd(),
            &parts,
            &[ControlMessage::ScmRights(&passed)],
            MsgFlags::empty(),
            None,
        )
        .unwrap();
        drop(writer);
        assert_eq!(read(&stream).await, Read::Unexpected);
        let mut polled = [PollFd::new(&reader, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).unwrap();
        assert!(polled[0].revents().contains(PollFlags::HUP), "somebody still holds the passed descriptor");
    }
}
