//! Where a job's output comes from: its pipes, or what is kept of its end. Never blocks, never reads ahead of the client.

use crate::execution::{BLOCK, Piece, Tail};
use crate::protocol::Tag;
use crate::protocol::reply::{Kind, StreamWriter};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep_until};

/// What a pipe holds at most, for whoever is not root (`fs.pipe-max-size`, pipe(7)).
const PIPE_MAX: usize = 1024 * 1024;

/// How often a tail that somebody else keeps is looked at for more.
const LOOK: Duration = Duration::from_millis(100);

/// What the broker gives of a run that starts.
#[derive(Debug)]
pub(super) struct Outlet {
    stdout: OwnedFd,
    stderr: OwnedFd,
    tail: Tail,
}

impl Outlet {
    /// What came along with a report; `None` where it is not what it should be.
    pub(super) fn of(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let [stdout, stderr, tail] = <[OwnedFd; 3]>::try_from(descriptors).ok()?;
        Some(Self { stdout, stderr, tail: Tail::from_descriptor(tail).ok()? })
    }

    /// The two streams.
    pub(super) fn into_outputs(self, tag: Option<&Tag>) -> io::Result<[Output; 2]> {
        let tail = Arc::new(self.tail);
        let output = |kind, pipe| Output::of_pipe(kind, pipe, Arc::clone(&tail), tag);
        Ok([output(Kind::Stdout, self.stdout)?, output(Kind::Stderr, self.stderr)?])
    }
}

/// One stream of a job's output.
#[derive(Debug)]
pub(super) struct Output {
    kind: Kind,
    source: Source,
    tail: Option<Arc<Tail>>,
    writer: StreamWriter,
}

#[derive(Debug)]
enum Source {
    /// Nothing comes any more.
    Closed,
    /// The job writes it.
    Pipe(pipe::Receiver),
    /// Somebody else reads it, and keeps its end.
    Kept {
        /// The octet from which on it is to be read.
        next: u64,
        /// When it is to be looked at.
        look: Instant,
        /// Whether nothing more is added to it.
        is_whole: bool,
    },
}

impl Output {
    /// A stream that nothing comes of.
    pub(super) fn closed(kind: Kind, tag: Option<&Tag>) -> Self {
        Self { kind, source: Source::Closed, tail: None, writer: StreamWriter::new(kind, tag) }
    }

    /// The end of this pipe, which does not block, kept in this tail.
    pub(super) fn of_pipe(kind: Kind, pipe: OwnedFd, tail: Arc<Tail>, tag: Option<&Tag>) -> io::Result<Self> {
        let source = Source::Pipe(pipe::Receiver::from_owned_fd(pipe)?);
        Ok(Self { kind, source, tail: Some(tail), writer: StreamWriter::new(kind, tag) })
    }

    /// What is kept in this tail, from its beginning on.
    pub(super) fn of_tail(kind: Kind, tail: Arc<Tail>, tag: Option<&Tag>) -> Self {
        let source = Source::Kept { next: 0, look: Instant::now(), is_whole: false };
        Self { kind, source, tail: Some(tail), writer: StreamWriter::new(kind, tag) }
    }

    /// Whether more may come.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.source, Source::Closed)
    }

    /// Whether a part of a line is kept back for its end.
    pub(super) const fn holds(&self) -> bool {
        self.writer.holds()
    }

    /// Nothing is added any more to what is kept.
    pub(super) fn is_whole_now(&mut self) {
        if let Source::Kept { look, is_whole, .. } = &mut self.source {
            (*look, *is_whole) = (Instant::now(), true);
        }
    }

    /// Waits until there is something to read. Dropping the future loses nothing.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match &self.source {
            Source::Pipe(pipe) => pipe.readable().await,
            Source::Kept { look, .. } => {
                sleep_until(*look).await;
                Ok(())
            }
            Source::Closed => std::future::pending().await,
        }
    }

    /// Passes on what has come, as much as `block` takes and there is `room` for; false where there is more than that. At
    /// the end of the stream, or where it can't be read, closes it.
    pub(super) fn pass_on(&mut self, block: &mut [u8], room: &mut Option<u64>, out: &mut Vec<u8>) -> bool {
        match &self.source {
            Source::Pipe(pipe) => {
                let read = pipe.try_read(block);
                self.take(read.map(|octets| block.get(..octets).unwrap_or_default()), room, out)
            }
            Source::Kept { next, is_whole, .. } => {
                let (next, is_whole) = (*next, *is_whole);
                self.look(next, is_whole, out);
                true
            }
            Source::Closed => true,
        }
    }

    fn take(&mut self, read: io::Result<&[u8]>, room: &mut Option<u64>, out: &mut Vec<u8>) -> bool {
        match read {
            Ok([]) => self.close(out),
            Ok(octets) => {
                let passed = within(octets, room);
                self.keep(passed);
                self.writer.push(passed, out);
                return passed.len() == octets.len();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!("the output of a job can't be read: {error}");
                self.close(out);
            }
        }
        true
    }

    fn keep(&self, octets: &[u8]) {
        if let Some(Err(error)) = self.tail.as_ref().map(|tail| tail.push(self.kind, octets)) {
            tracing::warn!("the end of a job's output is not kept: {error}");
        }
    }

    /// Passes on what has been added to the tail.
    fn look(&mut self, from: u64, is_whole: bool, out: &mut Vec<u8>) {
        let Some(tail) = &self.tail else { return self.close(out) };
        match tail.read(self.kind, from) {
            Ok((piece, next)) if next > from => {
                self.source = Source::Kept { next, look: Instant::now(), is_whole };
                self.tell(&piece, out);
            }
            Ok(_) if is_whole => self.close(out),
            Ok((_, next)) => {
                self.source = Source::Kept { next, look: Instant::now() + LOOK, is_whole };
            }
            Err(error) => {
                tracing::warn!("the end of a job's output can't be read: {error}");
                self.close(out);
            }
        }
    }

    fn tell(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        if piece.left_out > 0 {
            let stream = if self.kind == Kind::Stdout { "stdout" } else { "stderr" };
            self.writer.note(&format!("{} octets of {stream} are not kept", piece.left_out), out);
        }
        self.writer.push(&piece.octets, out);
    }

    /// Passes on the part of a line that is kept back.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.writer.flush(out);
    }

    /// Reads no more.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        self.source = Source::Closed;
        self.writer.flush(out);
    }

    /// Keeps what there still is to read of a job that is over: as much as a pipe holds, and for nobody else.
    pub(super) fn keep_the_rest(&mut self, block: &mut [u8], room: &mut Option<u64>) {
        for _ in 0..PIPE_MAX / BLOCK {
            let Source::Pipe(pipe) = &self.source else { return };
            // Not by the event loop, which may not have heard of it yet.
            match rustix::io::read(pipe, &mut *block) {
                Ok(octets @ 1..) => self.keep(within(block.get(..octets).unwrap_or_default(), room)),
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// As much of it as there is room for, which is then taken.
fn within<'o>(octets: &'o [u8], room: &mut Option<u64>) -> &'o [u8] {
    let Some(left) = room else { return octets };
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let passed = octets.get(..most).unwrap_or(octets);
    *left = left.saturating_sub(u64::try_from(passed.len()).unwrap_or(u64::MAX));
    passed
}

/// Room for what is read at once: a pipe's own capacity (pipe(7)).
pub(super) fn block() -> Box<[u8]> {
    vec![0; BLOCK].into_boxed_slice()
}
