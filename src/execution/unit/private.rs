//! systemd's private socket, without a bus: the greeting, and messages as zbus takes them. Changes one octet of each, for a reason.

use async_trait::async_trait;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::connection::socket::{BoxedSplit, ReadHalf, Split, WriteHalf};

/// Where systemd listens to root without a bus (systemd's `src/core/dbus.c`, `bus_init_private`).
pub(super) const PATH: &str = "/run/systemd/private";

/// What a client says first: who it is, by the credentials of its socket as user 0 ("30" is its digit in hexadecimal), and that it
/// hands over descriptors (D-Bus specification, "Authentication Protocol").
const GREETING: &[u8] = b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

/// Octets of one line of the answer at most.
const LINE_MAX: usize = 256;

/// Octets of the part of a message that tells the lengths of the others, and of a message at most (D-Bus specification,
/// "Message Format").
const HEAD: usize = 16;
const MESSAGE_MAX: usize = 1 << 27;

/// The field that says who sent a message: its code and type, the length of the text, and the text. systemd gives the name that it
/// would have on a bus, which is none of those that a bus gives to connections: zbus takes no other.
const SENDER: &[u8] = b"\x07\x01s\0\x18\0\0\0org.freedesktop.systemd1\0";

/// Where its text begins.
const NAME: usize = 8;

/// Descriptors that one message hands over at most.
const DESCRIPTORS_MAX: usize = 3;

/// Connects, and greets.
///
/// # Errors
/// There is no systemd, or it does not admit this process.
pub(super) async fn connect() -> io::Result<(BoxedSplit, String)> {
    greet(UnixStream::connect(Path::new(PATH)).await?).await
}

async fn greet(stream: UnixStream) -> io::Result<(BoxedSplit, String)> {
    let stream = Arc::new(stream);
    let inbound = Inbound { stream: Arc::clone(&stream), message: Vec::new(), taken: 0 };
    let outbound = Outbound(stream);
    let mut said = 0;
    while let Some(left) = GREETING.get(said..).filter(|left| !left.is_empty()) {
        said += outbound.send(left, &[]).await?;
    }
    let answer = inbound.line().await?;
    let refused =
        |line: &str| io::Error::new(ErrorKind::ConnectionRefused, format!("systemd answers {line:?}"));
    let id = answer.strip_prefix("OK ").ok_or_else(|| refused(&answer))?.to_owned();
    let answer = inbound.line().await?;
    if answer != "AGREE_UNIX_FD" {
        return Err(refused(&answer));
    }
    Ok((Split::new(Box::new(inbound), Box::new(outbound)), id))
}

/// What comes from systemd.
#[derive(Debug)]
struct Inbound {
    stream: Arc<UnixStream>,
    /// The message that is being handed on, and how much of it has been.
    message: Vec<u8>,
    taken: usize,
}

impl Inbound {
    async fn fill(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            self.stream.readable().await?;
            match self.stream.try_read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(octets) => buffer = buffer.get_mut(octets..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A line of the answer to the greeting, octet by octet: what follows it is a message.
    async fn line(&self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut octet = [0];
            self.fill(&mut octet).await?;
            line.extend(octet);
            if line.len() > LINE_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// The next message, whole.
    async fn message(&self) -> io::Result<Vec<u8>> {
        let mut head = [0; HEAD];
        self.fill(&mut head).await?;
        let (fields, rest) = lengths(&head).ok_or(ErrorKind::InvalidData)?;
        let mut message = head.to_vec();
        message.resize(HEAD + rest, 0);
        self.fill(message.get_mut(HEAD..).unwrap_or_default()).await?;
        rename(message.get_mut(HEAD..HEAD + fields).unwrap_or_default());
        Ok(message)
    }
}

/// The lengths of a message's fields, and of all that follows the head: the fields, filled up to a multiple of 8, and the body.
fn lengths(head: &[u8; HEAD]) -> Option<(usize, usize)> {
    let number = |at: usize| {
        let octets: [u8; 4] = head.get(at..at + 4)?.try_into().ok()?;
        let number =
            if head.first() == Some(&b'l') { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) };
        usize::try_from(number).ok()
    };
    let (body, fields) = (number(4)?, number(12)?);
    let rest = fields.checked_next_multiple_of(8)?.checked_add(body)?;
    (rest <= MESSAGE_MAX).then_some((fields, rest))
}

/// Makes the sender's name one that a connection may have: `:rg.freedesktop.systemd1`.
fn rename(fields: &mut [u8]) {
    let found = fields.windows(SENDER.len()).position(|window| window == SENDER);
    if let Some(octet) = found.and_then(|at| fields.get_mut(at + NAME)) {
        *octet = b':';
    }
}

#[async_trait]
impl ReadHalf for Inbound {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.taken == self.message.len() {
            (self.message, self.taken) = (self.message().await?, 0);
        }
        let left = self.message.get(self.taken..).unwrap_or_default();
        let octets = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..octets), left.get(..octets)) {
            to.copy_from_slice(from);
        }
        self.taken += octets;
        Ok((octets, Vec::new()))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// What goes to systemd.
#[derive(Debug)]
struct Outbound(Arc<UnixStream>);

impl Outbound {
    async fn send(&self, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let attempt = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut along = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() && !along.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(ErrorKind::InvalidInput.into());
            }
            let parts = [IoSlice::new(octets)];
            Ok(sendmsg(self.0.as_fd(), &parts, &mut along, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
        };
        self.0.async_io(Interest::WRITABLE, attempt).await
    }
}

#[async_trait]
impl WriteHalf for Outbound {
    async fn sendmsg(&mut self, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.send(octets, descriptors).await
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Both)?)
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}
