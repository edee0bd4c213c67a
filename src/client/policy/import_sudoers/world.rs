//! This machine, as an import looks at it: users, groups, programs, files. Changes nothing.

use super::Surroundings;
use crate::accounts::Database;
use crate::files::{FILE_MAX, Trust, check_program};
use crate::identity::{Gid, Uid};
use crate::policy::{LookupFailed, Names};
use rustix::fs::OFlags;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// This machine, by its own name or by another.
#[derive(Debug)]
pub(super) struct Machine {
    host: String,
}

impl Machine {
    pub(super) fn new(host: Option<&str>) -> Self {
        let own = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host: host.map_or_else(own, str::to_owned) }
    }
}

/// The text that is read there, up to its end; or why there is none.
pub(super) fn text(input: impl Read) -> Result<String, String> {
    let mut octets = Vec::new();
    input.take(FILE_MAX + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if u64::try_from(octets.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err("larger than 4 MiB".to_owned());
    }
    String::from_utf8(octets).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        format!("not UTF-8 in line {}", before.filter(|octet| **octet == b'\n').count() + 1)
    })
}

impl Names for Machine {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Database.uid_of(user)
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Database.gid_of(group)
    }
}

impl Surroundings for Machine {
    fn host(&self) -> &str {
        &self.host
    }

    fn fault(&self, program: &Path) -> Option<(bool, String)> {
        let error = check_program(program, Trust::RootOnly).err()?;
        Some((error.is_missing(), error.to_string()))
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let nonblocking = OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(nonblocking.bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = opened.map_err(|error| error.to_string())?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err("not a regular file".to_owned());
        }
        text(file)
    }

    fn names_in(&self, directory: &Path) -> Result<Option<Vec<String>>, String> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(|error| error.to_string())?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string())?;
            // sudo reads no directory within a directory.
            if !entry.path().is_dir() {
                names.push(
                    entry.file_name().into_string().map_err(|_| "a name in it is not UTF-8".to_owned())?,
                );
            }
        }
        Ok(Some(names))
    }
}
