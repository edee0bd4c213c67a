//! What a unit is to be, and how systemd is told so. Pure: starts nothing.

use super::systemd::Assigned;
use super::{JobId, NotStarted, unit_name};
use crate::policy::{Property, Setting};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;
use zbus::{Fd, Variant};

/// How long systemd may take until the process is the program.
pub(super) const STARTING: Duration = Duration::from_secs(20);

/// How long after its time limit systemd itself ends a job: where there is no broker to do it.
const LATE: Duration = Duration::from_secs(5);

/// Variables that systemd gives a service of its own accord (systemd.exec(5), "Environment Variables in Spawned Processes").
/// `INVOCATION_ID` is left: the journal knows the run by it.
const OF_SYSTEMD: [&str; 22] = [
    "CREDENTIALS_DIRECTORY",
    "EXIT_CODE",
    "EXIT_STATUS",
    "FDSTORE",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LOG_NAMESPACE",
    "MAINPID",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NOTIFY_SOCKET",
    "PIDFILE",
    "SERVICE_RESULT",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A job that systemd is to run.
#[derive(Debug)]
pub struct Service {
    /// The run's id, by which the unit is named.
    pub job: JobId,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments, the program's own name first.
    pub argv: Vec<Vec<u8>>,
    /// The whole environment, but for `INVOCATION_ID`, which systemd adds.
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
    /// Whether the whole tree of files can only be read.
    pub read_only: bool,
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
    /// What the policy says of the unit itself. It goes before all the above.
    pub properties: Vec<Property>,
}

impl Service {
    /// All that systemd is told of it. It gives every service some variables, which are to be unset.
    ///
    /// # Errors
    /// Something is not UTF-8, which D-Bus can't carry.
    pub(super) fn told(&self, given: &[String]) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let mut told = self.life();
        told.extend(self.what()?);
        told.extend(self.surroundings(given)?);
        told.extend(self.identity()?);
        told.extend(self.limits()?);
        told.extend(self.properties.iter().map(|property| (property.wire, variant(&property.setting))));
        Ok(told)
    }

    /// How it is watched over: so that its start and its end can be told, and are still known when somebody asks.
    fn life(&self) -> Vec<Assigned<'_>> {
        let mut life = vec![
            ("Description", Variant::from(format!("udsadmin: job {}", self.job))),
            ("Type", Variant::from("exec")),
            ("RemainAfterExit", Variant::from(true)),
            ("KillMode", Variant::from("control-group")),
            ("SendSIGKILL", Variant::from(true)),
            ("IgnoreSIGPIPE", Variant::from(false)),
            ("TimeoutStartUSec", Variant::from(microseconds(STARTING))),
            ("TimeoutStopUSec", Variant::from(microseconds(self.grace))),
        ];
        let late = self.timeout.map(|timeout| timeout + LATE + self.grace);
        life.extend(late.map(|late| ("RuntimeMaxUSec", Variant::from(microseconds(late)))));
        life
    }

    /// The program, with its arguments as they are: no variable in them is replaced.
    fn what(&self) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let argv = self.argv.iter().map(|word| text(OsStr::from_bytes(word))).collect::<Result<Vec<_>, _>>()?;
        let program = text(self.program.as_os_str())?;
        Ok(vec![
            ("ExecStartEx", Variant::new(vec![(program, argv, vec!["no-env-expand".to_owned()])])),
            ("StandardInputFileDescriptor", Variant::Fd(Fd::Borrowed(self.stdio[0].as_fd()))),
            ("StandardOutputFileDescriptor", Variant::Fd(Fd::Borrowed(self.stdio[1].as_fd()))),
            ("StandardErrorFileDescriptor", Variant::Fd(Fd::Borrowed(self.stdio[2].as_fd()))),
        ])
    }

    fn surroundings(&self, given: &[String]) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let variables = self.environment.iter().map(|(name, value)| {
            Ok(format!("{}={}", text(name)?, text(value)?))
        });
        let own: BTreeSet<&OsStr> = self.environment.iter().map(|(name, _)| name.as_os_str()).collect();
        let given = given.iter().map(String::as_str).chain(OF_SYSTEMD);
        let unset: Vec<String> =
            given.filter(|name| !own.contains(OsStr::new(name))).map(str::to_owned).collect();
        Ok(vec![
            ("Environment", Variant::new(variables.collect::<Result<Vec<String>, _>>()?)),
            ("UnsetEnvironment", Variant::new(unset)),
            ("WorkingDirectory", Variant::from(text(self.directory.as_os_str())?)),
            ("UMask", Variant::from(self.umask)),
            ("PrivateTmp", Variant::from(self.private_tmp)),
            ("PrivateNetwork", Variant::from(!self.network)),
            ("ProtectSystem", Variant::from(if self.read_only { "strict" } else { "no" })),
        ])
    }

    fn identity(&self) -> Result<Vec<Assigned<'_>>, NotStarted> {
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        let mut identity = vec![
            ("User", Variant::from(self.uid.to_string())),
            ("Group", Variant::from(self.gid.to_string())),
            ("SupplementaryGroups", Variant::new(groups)),
            ("NoNewPrivileges", Variant::from(self.no_new_privileges)),
            ("AmbientCapabilities", Variant::from(self.ambient)),
        ];
        identity.extend(self.bounding.map(|mask| ("CapabilityBoundingSet", Variant::from(mask))));
        Ok(identity)
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
