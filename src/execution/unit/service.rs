//! What a unit is to be, and how systemd is told so. Pure: starts nothing.

use super::become_program::BECOME;
use super::parcel::{Parcel, Text};
use super::systemd::Assigned;
use super::{JobId, NotStarted, unit_name};
use crate::policy::{Property, Setting};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
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
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups. systemd adds those that the user database gives the user.
    pub groups: Vec<u32>,
    /// Whether setuid programs are without effect.
    pub no_new_privileges: bool,
    /// File mode creation mask.
    pub umask: u32,
    /// The working directory.
    pub directory: PathBuf,
    /// Capabilities that the program has though its user is not root: a mask, the lowest bit being number 0
    /// (capabilities(7)).
    pub ambient: u64,
    /// Capabilities that it can have at all; `None` is all.
    pub bounding: Option<u64>,
    /// Limits by their names in capitals (`NOFILE`), soft and hard (getrlimit(2)).
    pub limits: Vec<(String, u64, u64)>,
    /// `nice(2)`.
    pub nice: Option<i32>,
    /// Class and priority of `ioprio_set(2)`.
    pub io: Option<(i32, i32)>,
    /// Whether /tmp and /var/tmp are its own.
    pub private_tmp: bool,
    /// Directories that can only be read, with all below them.
    pub read_only: Vec<PathBuf>,
    /// Whether there is a network.
    pub network: bool,
    /// Octets of memory at most.
    pub memory_max: Option<u64>,
    /// Tasks at most.
    pub tasks_max: Option<u64>,
    /// Microseconds of processor time a second at most.
    pub cpu_max: Option<u64>,
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
        let octets =
            |(name, value): &(OsString, OsString)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let parcel = Parcel {
            text: Text {
                program: self.program.as_os_str().as_bytes().to_vec(),
                argv: std::mem::take(&mut self.argv),
                environment: self.environment.iter().map(octets).collect(),
            },
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
        told.extend(self.surroundings()?);
        told.extend(self.identity());
        told.extend(self.limits()?);
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

    fn surroundings(&self) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let read_only = self.read_only.iter().map(|path| text(path.as_os_str()));
        Ok(vec![
            ("WorkingDirectory", Variant::from(text(self.directory.as_os_str())?)),
            ("UMask", Variant::from(self.umask)),
            ("PrivateTmp", Variant::from(self.private_tmp)),
            ("PrivateNetwork", Variant::from(!self.network)),
            ("ReadOnlyPaths", Variant::new(read_only.collect::<Result<Vec<String>, _>>()?)),
        ])
    }

    fn identity(&self) -> Vec<Assigned<'_>> {
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        let mut identity = vec![
            ("User", Variant::from(self.uid.to_string())),
            ("Group", Variant::from(self.gid.to_string())),
            ("SupplementaryGroups", Variant::new(groups)),
            ("NoNewPrivileges", Variant::from(self.no_new_privileges)),
            ("AmbientCapabilities", Variant::from(self.ambient)),
        ];
        identity.extend(self.bounding.map(|mask| ("CapabilityBoundingSet", Variant::from(mask))));
        identity
    }

    fn limits(&self) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let mut told = Vec::new();
        for (name, soft, hard) in &self.limits {
            let (hard_name, soft_name) = limit_names(name)?;
            told.extend([(hard_name, Variant::from(*hard)), (soft_name, Variant::from(*soft))]);
        }
        let amounts = [
            ("MemoryMax", self.memory_max),
            ("TasksMax", self.tasks_max),
            ("CPUQuotaPerSecUSec", self.cpu_max),
        ];
        told.extend(amounts.into_iter().filter_map(|(name, most)| Some((name, Variant::from(most?)))));
        told.extend(self.nice.map(|nice| ("Nice", Variant::from(nice))));
        if let Some((class, priority)) = self.io {
            told.extend([
                ("IOSchedulingClass", Variant::from(class)),
                ("IOSchedulingPriority", Variant::from(priority)),
            ]);
        }
        Ok(told)
    }

    /// The unit's name.
    pub(super) fn unit(&self) -> String {
        unit_name(&self.job)
    }
}

/// The names of a limit's hard and soft values (systemd.exec(5), "Process Properties").
const LIMITS: [(&str, &str, &str); 16] = [
    ("AS", "LimitAS", "LimitASSoft"),
    ("CORE", "LimitCORE", "LimitCORESoft"),
    ("CPU", "LimitCPU", "LimitCPUSoft"),
    ("DATA", "LimitDATA", "LimitDATASoft"),
    ("FSIZE", "LimitFSIZE", "LimitFSIZESoft"),
    ("LOCKS", "LimitLOCKS", "LimitLOCKSSoft"),
    ("MEMLOCK", "LimitMEMLOCK", "LimitMEMLOCKSoft"),
    ("MSGQUEUE", "LimitMSGQUEUE", "LimitMSGQUEUESoft"),
    ("NICE", "LimitNICE", "LimitNICESoft"),
    ("NOFILE", "LimitNOFILE", "LimitNOFILESoft"),
    ("NPROC", "LimitNPROC", "LimitNPROCSoft"),
    ("RSS", "LimitRSS", "LimitRSSSoft"),
    ("RTPRIO", "LimitRTPRIO", "LimitRTPRIOSoft"),
    ("RTTIME", "LimitRTTIME", "LimitRTTIMESoft"),
    ("SIGPENDING", "LimitSIGPENDING", "LimitSIGPENDINGSoft"),
    ("STACK", "LimitSTACK", "LimitSTACKSoft"),
];

fn limit_names(name: &str) -> Result<(&'static str, &'static str), NotStarted> {
    let known = LIMITS.iter().find(|(known, _, _)| *known == name).map(|(_, hard, soft)| (*hard, *soft));
    known.ok_or_else(|| NotStarted::failed(libc::EINVAL, format!("systemd knows no limit {name:?}")))
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
