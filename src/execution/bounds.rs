//! The limits of a job as its cgroup's files take them. Says which can't be set, and leaves to others what becomes of that.

use crate::policy::{Ceilings, Property, Setting};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// The span in which time of the processors is counted, in microseconds: the kernel's default (cgroup-v2.rst, `cpu.max`).
const PERIOD: u64 = 100_000;

/// A limit of the policy, and where it is written.
struct Limit {
    /// The key of the policy.
    name: &'static str,
    controller: &'static str,
    file: &'static str,
    value: String,
}

/// A limit that is not in force, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The key of the policy.
    pub limit: &'static str,
    /// Why it can't be set.
    pub why: String,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't be set: {}", self.limit, self.why)
    }
}

/// The limits that are set at all.
fn limits(ceilings: &Ceilings) -> impl Iterator<Item = Limit> + use<> {
    let limit = |name, controller, file| move |value| Limit { name, controller, file, value };
    let memory = ceilings.memory_max.map(|size| size.0.to_string());
    let tasks = ceilings.tasks_max.map(|tasks| tasks.to_string());
    let cpu = ceilings.cpu_max.map(|share| format!("{} {PERIOD}", u64::from(share.0) * PERIOD / 100));
    let memory = memory.map(limit("memory-max", "memory", "memory.max"));
    let tasks = tasks.map(limit("tasks-max", "pids", "pids.max"));
    let cpu = cpu.map(limit("cpu-max", "cpu", "cpu.max"));
    [memory, tasks, cpu].into_iter().flatten()
}

/// Writes the limits into an empty cgroup; gives those that can't be.
pub(super) fn set(cgroup: &Path, ceilings: &Ceilings) -> Vec<Lacking> {
    let lacking = |limit: Limit| {
        let error = write(cgroup, &limit).err()?;
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        let why = if is_missing { no_controller(&limit) } else { error.to_string() };
        Some(Lacking { limit: limit.name, why })
    };
    limits(ceilings).filter_map(lacking).collect()
}

/// A limit of memory is one of memory alone: what it holds off is not swapped out instead. The job that needs more ends whole,
/// and not by the process that is the largest of it.
fn write(cgroup: &Path, limit: &Limit) -> io::Result<()> {
    write_to(&cgroup.join(limit.file), &limit.value)?;
    if limit.controller == "memory" {
        write_to(&cgroup.join("memory.oom.group"), "1")?;
        let swap = cgroup.join("memory.swap.max");
        if swap.exists() {
            write_to(&swap, "0")?;
        }
    }
    Ok(())
}

/// Makes no file: a cgroup has those of its controllers and no others.
fn write_to(file: &Path, value: &str) -> io::Result<()> {
    io::Write::write_all(&mut fs::File::options().write(true).open(file)?, value.as_bytes())
}

fn no_controller(limit: &Limit) -> String {
    format!("no {} controller here", limit.controller)
}

/// The limits that can't be set below a cgroup that hands on these controllers.
pub(super) fn lacking_without(controllers: &str, ceilings: &Ceilings) -> Vec<Lacking> {
    let is_there = |limit: &Limit| controllers.split_ascii_whitespace().any(|name| name == limit.controller);
    let lacking = |limit: Limit| Lacking { limit: limit.name, why: no_controller(&limit) };
    limits(ceilings).filter(|limit| !is_there(limit)).map(lacking).collect()
}

/// The same, where there is no cgroup for jobs at all.
pub(super) fn lacking_all(ceilings: &Ceilings) -> Vec<Lacking> {
    let why = || "no cgroup is delegated to the broker here".to_owned();
    limits(ceilings).map(|limit| Lacking { limit: limit.name, why: why() }).collect()
}

/// Lacking limits in one line.
#[must_use]
pub fn listed(lacking: &[Lacking]) -> String {
    lacking.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The same limits as properties of a unit (org.freedesktop.systemd1(5)).
pub(super) fn properties(ceilings: &Ceilings) -> Vec<Property> {
    let property = |name, value| Property { name, wire: name, setting: Setting::Unsigned(value) };
    let memory = ceilings.memory_max.map(|size| [("MemoryMax", size.0), ("MemorySwapMax", 0)]);
    let tasks = ceilings.tasks_max.map(|tasks| ("TasksMax", u64::from(tasks)));
    // Microseconds of each second.
    let cpu = ceilings.cpu_max.map(|share| ("CPUQuotaPerSecUSec", u64::from(share.0) * 10_000));
    let all = memory.into_iter().flatten().chain(tasks).chain(cpu);
    all.map(|(name, value)| property(name, value)).collect()
}
