//! The first and only act of a unit's process: to become the program that the broker ordered. Decides nothing, and says why not.

use super::parcel::Parcel;
use crate::sys::{self, Launch};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// The word on the broker's command line that has it do this instead.
pub const BECOME: &str = "--become";

/// Status of a process that was given nothing to become (sysexits(3), `EX_USAGE`).
const EX_USAGE: u8 = 64;

/// What systemd tells a service of itself, and the program may know, too (systemd.exec(5), "Environment Variables in Spawned
/// Processes"). Nothing else of the environment that systemd gives is passed on.
const KEPT: [&str; 6] = [
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "INVOCATION_ID",
    "LOGS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
];

/// Becomes what standard input says. `given` is the environment of this process. Returns only where nothing was said.
#[must_use]
pub fn become_program(given: impl Iterator<Item = (OsString, OsString)>) -> ExitCode {
    let Ok(Parcel { text, line, stdio, handed }) = Parcel::take(io::stdin().as_fd()) else {
        return EX_USAGE.into();
    };
    let mut environment = text.environment();
    let kept = given.filter(|(name, _)| KEPT.iter().any(|kept| name == kept));
    for (name, value) in kept {
        if !environment.iter().any(|(own, _)| *own == name) {
            environment.push((name, value));
        }
    }
    let (program, argv, manner) = (text.program(), text.argv, text.manner);
    sys::become_here(&Launch { program, argv, environment, stdio, handed, manner, cgroup: None }, &line)
}
