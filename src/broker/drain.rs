//! Reads a job's output where the server does not, and keeps its end. Looks at none of it.

use super::jobs::Known;
use super::service::Session;
use super::stop::Stop;
use crate::execution::{Streams, Tail};
use crate::policy::Delivery;
use crate::protocol::reply::Kind;
use crate::sys;
use rustix::fs::{Mode, OFlags, open};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::task::consume_budget;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What a pipe holds at most, for whoever is not root (`fs.pipe-max-size`, pipe(7)).
const PIPE_MAX: usize = 1024 * 1024;

/// Octets read at once.
const AT_ONCE: usize = 16 * 1024;

/// How long a pipe may stay open after the job has ended: a process that escaped it may hold the other end.
const LINGER: Duration = Duration::from_secs(1);

/// Waits until the server's connection for a run's client has ended; false where the run is over before.
pub(super) async fn is_left(session: &Session, over: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = session.lost() => true,
        () = over.cancelled() => false,
    }
}

/// Reads the output of a job when the server no longer does. Returns when there is nothing more to read, or nobody to read for.
pub(super) async fn read_for_nobody(
    (job, streams): (&Known, &Streams),
    delivery: &Delivery,
    over: &CancellationToken,
) {
    let limit = delivery.output_limit.map(|size| size.0);
    let all = async {
        let keep = |kind| Keeping { kind, tail: &job.tail, stop: &job.stop, limit };
        let (stdout, stderr) = (keep(Kind::Stdout), keep(Kind::Stderr));
        tokio::join!(stdout.drain(&streams.stdout), stderr.drain(&streams.stderr))
    };
    let lingered = async {
        over.cancelled().await;
        sleep(LINGER).await;
    };
    tokio::select! { _ = all => {}, () = lingered => {} }
}

/// Keeps what a run that is over has left in its pipes: as much as they hold. What is past the limit was not read for that.
pub(super) fn keep_the_rest(job: &Known, streams: &Streams) {
    for (kind, pipe) in [(Kind::Stdout, &streams.stdout), (Kind::Stderr, &streams.stderr)] {
        let keeping = Keeping { kind, tail: &job.tail, stop: &job.stop, limit: None };
        if let Err(error) = reopened(pipe).and_then(|pipe| keeping.keep_what_is_there(&pipe)) {
            tracing::warn!("the end of a job's output is lost: {error}");
        }
    }
}

/// The same pipe by a description of our own: whether reading it blocks is not for the server to say, who has the other one.
fn reopened(pipe: &OwnedFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    Ok(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
}

/// One stream, and what becomes of it.
struct Keeping<'a> {
    kind: Kind,
    tail: &'a Tail,
    stop: &'a Stop,
    limit: Option<u64>,
}

impl Keeping<'_> {
    async fn drain(&self, pipe: &OwnedFd) {
        if let Err(error) = self.try_drain(pipe).await {
            tracing::warn!("the output of a job is lost: {error}");
        }
    }

    async fn try_drain(&self, pipe: &OwnedFd) -> io::Result<()> {
        let pipe = sys::watch(reopened(pipe)?, Interest::READABLE)?;
        loop {
            // However much one job writes, others have their turn.
            consume_budget().await;
            let mut ready = pipe.readable().await?;
            match ready.try_io(|pipe| self.take(pipe.get_ref())) {
                Ok(Ok(0)) => return Ok(()),
                Ok(taken) => drop(taken?),
                Err(_would_block) => {}
            }
        }
    }

    fn keep_what_is_there(&self, pipe: &OwnedFd) -> io::Result<()> {
        for _ in 0..PIPE_MAX / AT_ONCE {
            match self.take(pipe) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                taken => drop(taken?),
            }
        }
        Ok(())
    }

    /// Not a future: the room for reading is on the stack for this call alone.
    fn take(&self, pipe: &OwnedFd) -> io::Result<usize> {
        let mut block = [0; AT_ONCE];
        let octets = rustix::io::read(pipe, &mut block)?;
        if !self.stop.is_capped() {
            self.tail.push(self.kind, block.get(..octets).unwrap_or_default())?;
            self.cap_where_it_is_too_much()?;
        }
        Ok(octets)
    }

    fn cap_where_it_is_too_much(&self) -> io::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let written = self.tail.written(Kind::Stdout)?.saturating_add(self.tail.written(Kind::Stderr)?);
        if written > limit {
            self.stop.cap();
        }
        Ok(())
    }
}
