//! How much of the machine a run may take, and how long its end: as the policy says. Limits nothing itself.

use super::super::reader::{Item, Reader};
use super::super::size::Size;
use super::Limit;
use std::fmt;
use std::time::Duration;
use toml::de::DeTable;

/// How long a command that says nothing of it may take to end after TERM, before KILL.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// The longest of these times: the broker's own end waits for it, within `TimeoutStopSec=` of its unit.
const KILL_AFTER_MAX: Duration = Duration::from_secs(20);

/// The least memory that a program can be started in.
const MEMORY_MIN: Size = Size(1 << 20);

/// The most tasks that the kernel knows at once (`PID_MAX_LIMIT` of linux/threads.h, with 64 bits).
pub(in crate::policy) const TASKS_LIMIT: i64 = 4 << 20;

/// The form that the schema knows a share of the processors by.
pub(in crate::policy) const SHARE: &str = "^[0-9]+%$";

/// The largest share of the processors, in percent of one: 8192 of them, the most that Linux is built for (`NR_CPUS`).
const SHARE_MAX: u32 = 819_200;

/// How much time of the processors, in percent of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// What becomes of a run whose limits can't be set where it is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// It does not start.
    #[default]
    Required,
    /// It runs without them, and its record says so.
    BestEffort,
}

/// The words for [`Enforcement`].
pub(in crate::policy) const ENFORCEMENTS: [&str; 2] = ["required", "best-effort"];

/// What a run may take, and how long its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// From TERM to KILL.
    pub kill_after: Duration,
    /// All its memory, in octets.
    pub memory_max: Option<Size>,
    /// All its processes and threads at once.
    pub tasks_max: Option<u32>,
    /// All its time of the processors.
    pub cpu_max: Option<Percent>,
    /// What `cgroup-limits` says for the whole policy.
    pub enforcement: Enforcement,
}

impl Ceilings {
    /// Whether it sets a limit that can be lacking.
    #[must_use]
    pub const fn has_limits(&self) -> bool {
        self.memory_max.is_some() || self.tasks_max.is_some() || self.cpu_max.is_some()
    }
}

impl Reader<'_> {
    /// Reads what the table of a command says of what it may take.
    pub(super) fn ceilings(&mut self, table: &DeTable<'_>) -> Option<Ceilings> {
        let kill_after = self.term(table, "kill-after", Self::kill_after);
        let memory_max = self.term(table, "memory-max", Self::memory_max);
        let tasks_max = self.term(table, "tasks-max", Self::tasks_max);
        let cpu_max = self.term(table, "cpu-max", Self::cpu_max);
        Some(Ceilings {
            kill_after: kill_after?.unwrap_or(KILL_AFTER),
            memory_max: memory_max?.flatten(),
            tasks_max: tasks_max?,
            cpu_max: cpu_max?,
            enforcement: Enforcement::default(),
        })
    }

    fn kill_after(&mut self, item: &Item<'_>) -> Option<Duration> {
        let Limit(time) = self.limit(item, "a kill-after")?;
        let time = time.filter(|time| *time <= KILL_AFTER_MAX);
        if time.is_none() {
            self.error(
                &item.span(),
                "a kill-after is at most 20s: the end of the broker itself waits for it",
            );
        }
        time
    }

    #[expect(clippy::option_option, reason = "no limit and no size are two things")]
    fn memory_max(&mut self, item: &Item<'_>) -> Option<Option<Size>> {
        let limit = self.size_or_infinity(item)?;
        if limit.is_some_and(|limit| limit < MEMORY_MIN) {
            self.error(&item.span(), "a memory-max is at least 1MiB: no program starts in less");
            return None;
        }
        Some(limit)
    }

    fn tasks_max(&mut self, item: &Item<'_>) -> Option<u32> {
        let number = self.integer(item)?;
        let tasks = u32::try_from(number).ok().filter(|_| (1..=TASKS_LIMIT).contains(&number));
        if tasks.is_none() {
            self.error(&item.span(), &format!("a tasks-max is from 1 to {TASKS_LIMIT}"));
        }
        tasks
    }

    fn cpu_max(&mut self, item: &Item<'_>) -> Option<Percent> {
        let word = self.word(item)?;
        let digits = word.text.strip_suffix('%').filter(|digits| digits.bytes().all(|o| o.is_ascii_digit()));
        let percent = digits.and_then(|digits| digits.parse().ok());
        let percent = percent.filter(|percent| (1..=SHARE_MAX).contains(percent));
        if percent.is_none() {
            let message =
                format!("{:?} is no share; write \"50%\", or \"200%\" for two processors", word.text);
            self.error(&word.span, &message);
        }
        percent.map(Percent)
    }

    /// Reads `cgroup-limits` of a policy.
    pub(in crate::policy) fn enforcement(&mut self, item: &Item<'_>) -> Option<Enforcement> {
        let word = self.word(item)?;
        match &*word.text {
            "required" => Some(Enforcement::Required),
            "best-effort" => Some(Enforcement::BestEffort),
            other => {
                self.error(
                    &word.span,
                    &format!("cgroup-limits are \"required\" or \"best-effort\", not {other:?}"),
                );
                None
            }
        }
    }
}
