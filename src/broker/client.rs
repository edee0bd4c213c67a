//! The server's end of the seam: one connection for one client's session. Holds no privilege and needs none.

use super::force::Version;
use super::wire::{Order, Report};
use super::{Packet, Packets};
use crate::request::{JobId, Request, Wanted, Wish};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

/// How long the broker may take to answer a new session; systemd may have to start it first.
const OPENING: Duration = Duration::from_secs(20);

/// Why there is no session with the broker.
#[derive(Debug)]
pub enum OpenError {
    /// The broker does not let this client in.
    Refused,
    /// The broker can't be reached.
    Unavailable(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the broker refuses this client"),
            Self::Unavailable(error) => write!(f, "the broker can't be reached: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// An open session with the broker.
#[derive(Debug)]
pub struct Connection {
    packets: Packets,
}

impl Connection {
    /// Opens a session for the client of this connected socket.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was started.
    pub async fn open(path: &Path, client: BorrowedFd<'_>) -> Result<Self, OpenError> {
        let packets = Packets::connect(path)?;
        packets.send(&Order::Open, &[client]).await?;
        let answer = tokio::time::timeout(OPENING, packets.receive()).await.map_err(io::Error::from)??;
        match answer {
            Some(Packet { value: Report::Opened, .. }) => Ok(Self { packets }),
            Some(Packet { value: Report::Refused, .. }) => Err(OpenError::Refused),
            Some(_) | None => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        }
    }

    /// Orders a run, with its input, if it has one. `version` is of the policy that the request was judged by.
    ///
    /// # Errors
    /// Those of sending: nothing was started.
    pub async fn run(
        &self,
        (run, version): (u32, Version),
        (request, wanted): (&Request, &Wanted),
        input: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let (request, wanted) = (request.clone(), wanted.clone());
        self.packets.send(&Order::Run { run, version, request, wanted }, input.as_slice()).await
    }

    /// Orders a wish to be fulfilled.
    ///
    /// # Errors
    /// Those of sending: nothing was done.
    pub async fn fulfil(&self, run: u32, wish: Wish) -> io::Result<()> {
        self.packets.send(&Order::Fulfil { run, wish }, &[]).await
    }

    /// Takes up a run again that an earlier broker has started.
    ///
    /// # Errors
    /// Those of sending.
    pub async fn rejoin(&self, run: u32, job: &JobId) -> io::Result<()> {
        self.packets.send(&Order::Rejoin { run, job: job.clone() }, &[]).await
    }

    /// Asks for the end of a run. Whether the broker is still there to hear it, [`next`](Self::next) tells.
    pub async fn cancel(&self, run: u32) {
        drop(self.packets.send(&Order::Cancel { run }, &[]).await);
    }

    /// Has a run ended that has written more than it may. Whether the broker is still there to hear it, [`next`](Self::next)
    /// tells.
    pub async fn cap(&self, run: u32) {
        drop(self.packets.send(&Order::Cap { run }, &[]).await);
    }

    /// The next report, and what came along; `None` where the broker is gone and all its reports were read: the end of what runs is unknown,
    /// and what was not reported as about to start never started. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`, or what came is no report: nothing is known.
    pub async fn next(&self) -> io::Result<Option<Packet<Report>>> {
        self.packets.receive().await
    }
}

#[cfg(test)]
impl Connection {
    /// A session that is open already.
    pub(crate) const fn opened(packets: Packets) -> Self {
        Self { packets }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }
}
