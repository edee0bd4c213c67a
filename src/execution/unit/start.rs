//! From a service to a running unit, or to why it is none. Leaves no unit behind that did not start.

use super::cause::cause;
use super::running::{RunningUnit, State, VANISHING};
use super::service::Service;
use super::systemd::{Assigned, Failed, Systemd};
use super::{JobId, NotStarted, unit_name};
use crate::sys::{self, READY, TOLD};
use rustix::io::Errno;
use rustix::process::Signal;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// How long a process may take to become its program, from the order on.
const STARTING: Duration = Duration::from_secs(30);

/// A start that systemd has carried out (`JobRemoved` of org.freedesktop.systemd1(5)).
const DONE: &str = "done";

/// The line on which a unit's process says why it is not the program.
#[derive(Debug)]
struct Line {
    end: AsyncFd<OwnedFd>,
    heard: Vec<u8>,
}

impl Line {
    /// What it says: nothing yet, that the process is the program, that it is gone without a word, or why it is not the program.
    fn said(&mut self) -> io::Result<Option<Said>> {
        let mut octets = [0; 16];
        loop {
            match rustix::io::read(self.end.get_ref(), &mut octets) {
                Ok(0) => return Ok(Some(self.verdict())),
                Ok(length) => self.heard.extend(octets.iter().take(length)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn verdict(&self) -> Said {
        match (self.heard.as_slice(), self.heard.last_chunk::<TOLD>()) {
            ([], _) => Said::Nothing,
            (&[READY], _) => Said::Program,
            (_, Some(told)) => Said::Why(sys::NotStarted::heard(*told)),
            (_, None) => Said::Why(sys::NotStarted { step: sys::Step::Start, errno: libc::EIO }),
        }
    }

    /// What it says to its end, and what that makes of this reason not to have started: nobody who could still begin holds the
    /// line then.
    async fn confirm(mut self, why: NotStarted) -> NotStarted {
        match timeout(VANISHING, self.last_word()).await {
            Ok(Ok(Said::Nothing | Said::Why(_))) => why.surely(),
            Ok(Ok(Said::Program)) => NotStarted::Unknown(format!("it began all the same: {why}")),
            Ok(Err(_)) | Err(_) => NotStarted::Unknown(format!("it may yet have begun: {why}")),
        }
    }

    async fn last_word(&mut self) -> io::Result<Said> {
        loop {
            if let Some(said) = self.said()? {
                return Ok(said);
            }
            self.more().await?;
        }
    }

    /// Resolves when there is more to hear.
    async fn more(&self) -> io::Result<()> {
        self.end.readable().await?.clear_ready();
        Ok(())
    }
}

/// What a line said to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Program,
    Why(sys::NotStarted),
}

impl Systemd {
    /// Starts a unit, and waits until its process is the program or has failed to be.
    ///
    /// # Errors
    /// [`NotStarted`]; there is then no unit, unless even that can't be learnt.
    pub async fn start(&self, mut service: Service) -> Result<RunningUnit, NotStarted> {
        let watch = self.watched.watch(&service.job);
        let (input, line) = service.post().map_err(|error| told(&error))?;
        let end = rustix::io::ioctl_fionbio(&line, true)
            .map_err(io::Error::from)
            .and_then(|()| sys::watch(line, Interest::READABLE));
        let mut line = Line { end: end.map_err(|error| told(&error))?, heard: Vec::new() };
        // Where there is no line, nothing has been said yet.
        drop(self.line().await.map_err(|error| no_systemd(&error))?);
        let ordered = self.order(&service, service.told(&self.program, &input)?).await;
        let (job, limit, grace) = (service.job.clone(), service.timeout, service.grace);
        // What the process was given is its own: the ends of its output, above all.
        drop((service, input));
        if let Err(why) = ordered {
            return Err(line.confirm(why).await);
        }
        let unit = RunningUnit::new(self, job, watch, (limit, grace));
        match timeout(STARTING, unit.verdict(&mut line)).await.unwrap_or_else(|_| Err(too_late())) {
            Ok(()) => Ok(unit.known().await),
            Err(why) => Err(unit.give_up(line, why).await),
        }
    }

    /// Has systemd make the unit and queue its start.
    async fn order(&self, service: &Service, told: Vec<Assigned<'_>>) -> Result<(), NotStarted> {
        let beside: Vec<(&str, Vec<Assigned<'_>>)> = Vec::new();
        let ordered = self.call("StartTransientUnit", &(service.unit(), "fail", told, beside)).await;
        match ordered {
            Ok(_) => Ok(()),
            Err(Failed::Refused(name, words)) => {
                Err(NotStarted::failed(libc::EINVAL, format!("systemd refuses the unit: {name}: {words}")))
            }
            Err(Failed::Broken(error)) => match self.has(&service.job).await {
                Ok(true) => Ok(()),
                Ok(false) => {
                    Err(NotStarted::failed(libc::ENOTCONN, format!("systemd was not told: {error}")))
                }
                Err(_) => Err(NotStarted::Unknown(format!("systemd does not answer: {error}"))),
            },
        }
    }

    /// Whether the job has a unit.
    pub(super) async fn has(&self, job: &JobId) -> Result<bool, Failed> {
        match self.ask::<zbus::OwnedObjectPath>("GetUnit", &(unit_name(job),)).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is("NoSuchUnit") => Ok(false),
            Err(failed) => Err(failed),
        }
    }

    /// Finds the unit of a job that an earlier broker started, running or ended; `None` where there is none.
    ///
    /// # Errors
    /// The line to systemd broke.
    pub async fn adopt(
        &self,
        job: &JobId,
        limit: Option<Duration>,
        grace: Duration,
    ) -> io::Result<Option<RunningUnit>> {
        let watch = self.watched.watch(job);
        if !self.has(job).await? {
            return Ok(None);
        }
        Ok(Some(RunningUnit::new(self, job.clone(), watch, (limit, grace)).known().await))
    }
}

/// One that is not its program in time was stopped by the user that it runs as, or waits for something that systemd waits for.
fn too_late() -> NotStarted {
    NotStarted::failed(
        libc::ETIMEDOUT,
        format!("it was not its program within {} seconds", STARTING.as_secs()),
    )
}

fn told(error: &io::Error) -> NotStarted {
    NotStarted::failed(number(error), error)
}

fn no_systemd(error: &io::Error) -> NotStarted {
    NotStarted::NoSystemd { errno: number(error), why: error.to_string() }
}

fn number(error: &io::Error) -> i32 {
    let numbers = [(ErrorKind::PermissionDenied, libc::EACCES), (ErrorKind::NotConnected, libc::ENOTCONN)];
    let errno = numbers.iter().find(|(kind, _)| *kind == error.kind()).map_or(libc::EIO, |(_, errno)| *errno);
    error.raw_os_error().unwrap_or(errno)
}

impl RunningUnit {
    /// Waits until the process is the program, or will never be. Only the line itself says that it is; where the unit is over and
    /// the line says nothing, nobody was there to take what was posted.
    async fn verdict(&self, line: &mut Line) -> Result<(), NotStarted> {
        let mut is_silent = false;
        loop {
            let over = self.over().await;
            match line.said().map_err(|error| told(&error))? {
                Some(Said::Program) => return Ok(()),
                Some(Said::Why(why)) => return Err(NotStarted::failed(why.errno, why)),
                Some(Said::Nothing) => is_silent = true,
                None => {}
            }
            if let Some(why) = over {
                return Err(why);
            }
            tokio::select! {
                more = line.more(), if !is_silent => more.map_err(|error| told(&error))?,
                () = self.watch.came() => {}
            }
        }
    }

    /// Ends and removes what has not begun. It may do so at the last moment: only when nothing is left of it, the line has said
    /// all.
    async fn give_up(self, line: Line, why: NotStarted) -> NotStarted {
        if let Err(error) = self.signal(Signal::KILL).await {
            tracing::warn!("{} may still be there: {error:?}", unit_name(&self.job));
        }
        self.systemd.remove(&self.job).await;
        line.confirm(why).await
    }

    /// Why there will be no process, or is none any more.
    async fn over(&self) -> Option<NotStarted> {
        let unit = unit_name(&self.job);
        let failed = |what: &str| {
            Some(NotStarted::failed(libc::EAGAIN, format!("systemd did not start {unit}: {what}")))
        };
        let result = self.watch.start();
        if let Some(result) = result.as_deref().filter(|result| *result != DONE) {
            return failed(result);
        }
        match self.state().await {
            Ok(State::Ended(ended)) => match ended.exited().and_then(|status| cause(status, &unit)) {
                Some(why) => Some(why),
                None => failed(&ended.to_string()),
            },
            // Until its start has been carried out, a unit is as inactive as after its end.
            Ok(State::Gone) if result.is_some() => failed("it is gone"),
            Ok(State::Gone | State::UnderWay) => None,
            Err(error) => Some(NotStarted::Unknown(io::Error::from(error).to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    fn line() -> (Line, File) {
        let (ours, theirs) = io::pipe().unwrap();
        let ours = OwnedFd::from(ours);
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        let line = Line { end: sys::watch(ours, Interest::READABLE).unwrap(), heard: Vec::new() };
        (line, OwnedFd::from(theirs).into())
    }

    #[tokio::test]
    async fn what_was_given_up_was_not_started_only_if_the_line_ends_without_a_word() {
        let (silent, _) = line();
        assert!(matches!(
            silent.confirm(too_late()).await,
            NotStarted::Failed { errno: libc::ETIMEDOUT, .. }
        ));
        let (silent, _) = line();
        let unknown = NotStarted::Unknown("no answer".to_owned());
        assert!(matches!(silent.confirm(unknown).await, NotStarted::Failed { .. }));
        let (begun, mut process) = line();
        process.write_all(&[READY]).unwrap();
        drop(process);
        assert!(matches!(begun.confirm(too_late()).await, NotStarted::Unknown(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_somebody_still_holds_tells_nothing() {
        let (held, _process) = line();
        assert!(matches!(held.confirm(too_late()).await, NotStarted::Unknown(_)));
    }
}
