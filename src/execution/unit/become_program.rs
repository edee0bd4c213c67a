//! The first and only act of a unit's process: to become the program that the broker ordered. Decides nothing, and says why not.

use super::parcel::{Parcel, Text};
use crate::sys;
use nix::unistd::execve;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// The word on the broker's command line that has it do this instead.
pub const BECOME: &str = "--become";

/// Status of a process that was given nothing to become (sysexits(3), `EX_USAGE`).
const EX_USAGE: u8 = 64;

/// What the line says last of all before the program begins. The number of an error follows, where it does not.
pub(super) const READY: u8 = b'r';

/// The number of the first descriptor after the three streams.
const FIRST: i32 = 3;

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

/// Becomes what standard input says. `given` is the environment of this process. Returns only where that failed, and the broker
/// has been told.
#[must_use]
pub fn become_program(given: impl Iterator<Item = (OsString, OsString)>) -> ExitCode {
    let Ok(parcel) = Parcel::take(io::stdin().as_fd()) else { return EX_USAGE.into() };
    // Above the numbers that the program's own descriptors will have.
    let above = FIRST + i32::try_from(parcel.handed.len()).unwrap_or(i32::MAX - FIRST);
    let Ok(line) = fcntl_dupfd_cloexec(&parcel.line, above) else { return ExitCode::FAILURE };
    let mut line = File::from(line);
    let Err(error) = attempt(parcel, &mut line, given);
    let errno = error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
    // Where the broker is gone, nobody else is there to be told.
    drop(line.write_all(&errno));
    ExitCode::FAILURE
}

fn attempt(
    parcel: Parcel,
    line: &mut File,
    given: impl Iterator<Item = (OsString, OsString)>,
) -> io::Result<std::convert::Infallible> {
    let Parcel { text, line: low, stdio: [stdin, stdout, stderr], handed } = parcel;
    drop(low);
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    number(handed)?;
    sys::reset_signals()?;
    let environment = environment(&text, given)?;
    let (program, argv) = (CString::new(text.program)?, words(text.argv.into_iter())?);
    line.write_all(&[READY])?;
    Ok(execve(&program, &argv, &environment)?)
}

/// Gives what the program is handed its numbers, from 3 on. All are first moved above those numbers, so that none is in another's
/// way; whatever else there is closes itself when the program begins.
fn number(handed: Vec<OwnedFd>) -> io::Result<()> {
    let above = FIRST + i32::try_from(handed.len()).unwrap_or(i32::MAX - FIRST);
    let aside = |descriptor: &OwnedFd| fcntl_dupfd_cloexec(descriptor, above);
    let moved = handed.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
    drop(handed);
    for (descriptor, number) in moved.iter().zip(FIRST..) {
        let numbered = fcntl_dupfd_cloexec(descriptor, number)?;
        if numbered.as_raw_fd() != number {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        fcntl_setfd(&numbered, FdFlags::empty())?;
        // The program's from here on.
        std::mem::forget(numbered);
    }
    Ok(())
}

fn environment(text: &Text, given: impl Iterator<Item = (OsString, OsString)>) -> io::Result<Vec<CString>> {
    let is_own = |name: &[u8]| text.environment.iter().any(|(own, _)| own == name);
    let kept = given.filter(|(name, _)| KEPT.iter().any(|kept| name == kept) && !is_own(name.as_bytes()));
    let kept = kept.map(|(name, value)| assignment(name.as_bytes(), value.as_bytes()));
    words(text.environment.iter().map(|(name, value)| assignment(name, value)).chain(kept))
}

fn assignment(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b"=", value].concat()
}

fn words(words: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    Ok(words.map(CString::new).collect::<Result<Vec<_>, _>>()?)
}
