//! The server's ends of a job's pipes. Never blocks, never reads ahead of the client.

use crate::protocol::Tag;
use crate::protocol::reply::{Kind, StreamWriter};
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe;

/// Octets read at once: a pipe's own capacity (pipe(7)).
pub(super) const BLOCK: usize = 64 * 1024;

/// The job's ends: stdout, stderr, and stdin where there is input.
pub(super) type JobEnds = Vec<OwnedFd>;

/// One stream of a job's output.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Option<pipe::Receiver>,
    writer: StreamWriter,
}

/// The input of a job, on its way.
#[derive(Debug)]
pub(super) struct Feed {
    pipe: pipe::Sender,
    octets: Vec<u8>,
    fed: usize,
}

/// Makes the pipe of one stream; also gives the job's end, which blocks, as programs expect.
pub(super) fn output(kind: Kind, tag: Option<&Tag>) -> io::Result<(Output, OwnedFd)> {
    let (ours, theirs) = io::pipe()?;
    let ours = OwnedFd::from(ours);
    rustix::io::ioctl_fionbio(&ours, true)?;
    let pipe = Some(pipe::Receiver::from_owned_fd(ours)?);
    Ok((Output { pipe, writer: StreamWriter::new(kind, tag) }, theirs.into()))
}

/// Makes the pipe of the input.
pub(super) fn feed(octets: Vec<u8>) -> io::Result<(Feed, OwnedFd)> {
    let (theirs, ours) = io::pipe()?;
    let ours = OwnedFd::from(ours);
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((Feed { pipe: pipe::Sender::from_owned_fd(ours)?, octets, fed: 0 }, theirs.into()))
}

impl Output {
    /// A stream that nothing comes of.
    pub(super) fn closed(kind: Kind, tag: Option<&Tag>) -> Self {
        Self { pipe: None, writer: StreamWriter::new(kind, tag) }
    }

    /// Whether more may come.
    pub(super) const fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Whether a part of a line is kept back for its end.
    pub(super) const fn holds(&self) -> bool {
        self.writer.holds()
    }

    /// Waits until there is something to read. Dropping the future loses nothing.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match &self.pipe {
            Some(pipe) => pipe.readable().await,
            None => std::future::pending().await,
        }
    }

    /// Passes on what has come, as much as `block` takes. At the end of the stream, or where it can't be read, closes it.
    pub(super) fn pass_on(&mut self, block: &mut [u8], out: &mut Vec<u8>) {
        let Some(pipe) = &self.pipe else { return };
        match pipe.try_read(block) {
            Ok(0) => self.close(out),
            Ok(octets) => self.writer.push(block.get(..octets).unwrap_or_default(), out),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!("the output of a job can't be read: {error}");
                self.close(out);
            }
        }
    }

    /// Passes on the part of a line that is kept back.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.writer.flush(out);
    }

    /// Reads no more.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        self.pipe = None;
        self.writer.flush(out);
    }
}

impl Feed {
    /// Feeds what the job takes; true when all is fed, or the job reads no more. Dropping the future loses nothing.
    pub(super) async fn proceed(&mut self) -> bool {
        if self.pipe.writable().await.is_err() {
            return true;
        }
        match self.pipe.try_write(self.octets.get(self.fed..).unwrap_or_default()) {
            Ok(octets) => self.fed += octets,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return true,
        }
        self.fed >= self.octets.len()
    }
}
