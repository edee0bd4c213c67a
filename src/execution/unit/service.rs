//! What a unit is to be, and how systemd is told so. Pure: starts nothing.

use super::become_program::BECOME;
use super::parcel::{Parcel, Text};
use super::systemd::Assigned;
use super::{JobId, NotStarted, unit_name};
use crate::policy::{Property, Setting};
use crate::sys::Manner;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zbus::{Fd, Variant};

/// How long after its time limit systemd itself ends a job: where there is no broker to do it.
const LATE: Duration = Duration::from_secs(5);

/// A job that systemd is to run.
#[derive(Debug)]
pub struct Service {
    /// The run's id, by which the unit is named.
    pub job: JobId,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments, the program's own name first.
    pub argv: Vec<Vec<u8>>,
    /// The whole environment, but for what systemd tells of the unit: `INVOCATION_ID`, and the directories that the policy has it
    /// make.
    pub environment: Vec<(OsString, OsString)>,
    /// As whom, where, and within which bounds.
    pub manner: Manner,
    /// How long it may take; `None` is without limit.
    pub timeout: Option<Duration>,
    /// How long it may take to end after TERM.
    pub grace: Duration,
    /// Descriptors 0, 1 and 2.
    pub stdio: [OwnedFd; 3],
    /// Descriptors from 3 on.
    pub handed: Vec<OwnedFd>,
    /// What the policy says of the unit itself. It goes before all the above.
    pub properties: Vec<Property>,
}

impl Service {
    /// What the unit's process is given, and the line on which it says why it is not the program.
    ///
    /// # Errors
    /// Those of sockets and pipes.
    pub(super) fn post(&mut self) -> io::Result<(OwnedFd, OwnedFd)> {
        let (ours, line) = io::pipe()?;
        let [stdin, stdout, stderr] = &self.stdio;
        let (argv, manner) = (std::mem::take(&mut self.argv), self.manner.clone());
        let parcel = Parcel {
            text: Text::new(&self.program, argv, &self.environment, manner),
            line: line.into(),
            stdio: [stdin.try_clone()?, stdout.try_clone()?, stderr.try_clone()?],
            handed: std::mem::take(&mut self.handed),
        };
        Ok((parcel.post()?, ours.into()))
    }

    /// All that systemd is told of it: `program` is ours, which becomes the job's, and `input` what it is given for that.
    ///
    /// # Errors
    /// Something is not UTF-8, which D-Bus can't carry.
    pub(super) fn told<'a>(
        &'a self,
        program: &Path,
        input: &'a OwnedFd,
    ) -> Result<Vec<Assigned<'a>>, NotStarted> {
        let program = text(program.as_os_str())?;
        let mut told = self.life();
        told.extend(what(&program, input));
        told.extend(self.properties.iter().map(|property| (property.wire, variant(&property.setting))));
        if self.properties.iter().any(|property| property.name == "NoExecPaths") {
            told.push(("ExecPaths", Variant::new(vec![program])));
        }
        Ok(told)
    }

    /// How it is watched over: so that its start and its end can be told, and are still known when somebody asks.
    fn life(&self) -> Vec<Assigned<'_>> {
        let mut life = vec![
            ("Description", Variant::from(format!("udsadmin: job {}", self.job))),
            ("Type", Variant::from("simple")),
            ("RemainAfterExit", Variant::from(true)),
            ("KillMode", Variant::from("control-group")),
            ("SendSIGKILL", Variant::from(true)),
            ("IgnoreSIGPIPE", Variant::from(false)),
            ("TimeoutStopUSec", Variant::from(microseconds(self.grace))),
        ];
        let late = self.timeout.map(|timeout| timeout + LATE + self.grace);
        life.extend(late.map(|late| ("RuntimeMaxUSec", Variant::from(microseconds(late)))));
        life
    }

    /// The unit's name.
    pub(super) fn unit(&self) -> String {
        unit_name(&self.job)
    }
}

/// Our own program, with nothing of the job's in its arguments: those of a unit can be read by everyone.
fn what<'a>(program: &str, input: &'a OwnedFd) -> [Assigned<'a>; 4] {
    let argv = vec![program.to_owned(), BECOME.to_owned()];
    [
        ("ExecStartEx", Variant::new(vec![(program.to_owned(), argv, vec!["no-env-expand".to_owned()])])),
        ("StandardInputFileDescriptor", Variant::Fd(Fd::Borrowed(input.as_fd()))),
        ("StandardOutput", Variant::from("null")),
        ("StandardError", Variant::from("null")),
    ]
}

fn text(octets: &OsStr) -> Result<String, NotStarted> {
    let why = "a value is not UTF-8, and systemd can't be handed it";
    octets.to_str().map(str::to_owned).ok_or_else(|| NotStarted::failed(libc::EILSEQ, why))
}

fn microseconds(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn variant(setting: &Setting) -> Variant<'_> {
    match setting {
        Setting::Truth(truth) => Variant::from(*truth),
        Setting::Text(text) => Variant::from(text.as_str()),
        Setting::Texts(texts) => Variant::new(texts.clone()),
        Setting::Unsigned(number) => Variant::from(*number),
        Setting::Signed(number) => Variant::from(*number),
        Setting::Filter(permits, words) => Variant::new((*permits, words.clone())),
        Setting::Pairs(pairs) => Variant::new(pairs.clone()),
        Setting::Binds(binds) => Variant::new(binds.clone()),
        Setting::Networks(networks) => Variant::new(networks.clone()),
    }
}
