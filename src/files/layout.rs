//! What a path stands for that somebody names: a policy of one file, of a directory, or laid out like /etc/udsadmin. Never
//! takes a directory without any policy for an empty one.

use super::{
    Fault, FileError, Trust, is_policy, read_directory, read_file, read_policy, source_of, strays_beside,
    unread_in,
};
use crate::policy::Source;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Reads a file; of a directory with a policy.d what the daemons would read there, and of any other its `*.toml`.
///
/// # Errors
/// The first file or directory that is not as it must be, or the directory, if it holds no policy.
pub fn read_named(path: &Path, trust: Trust) -> Result<Vec<Source>, FileError> {
    let main = path.join("policy.toml");
    if is_installed(path) && is_there(&main) {
        return read_policy(&main, trust);
    }
    laid_out(path, |file| read_file(file, trust), |directory| read_directory(directory, trust))
}

/// Reads the same for a policy of another machine: by way of links and out of pipes, too, and whoever can change it.
///
/// # Errors
/// The first file or directory that can't be read, is larger than a policy may be, or is no UTF-8; or the directory, if it
/// holds no policy.
pub fn read_unchecked(path: &Path) -> Result<Vec<Source>, FileError> {
    laid_out(path, unchecked_file, unchecked_directory)
}

fn laid_out(
    path: &Path,
    file: impl Fn(&Path) -> Result<Source, FileError>,
    directory: impl Fn(&Path) -> Result<Vec<Source>, FileError>,
) -> Result<Vec<Source>, FileError> {
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let mut sources = Vec::new();
    if is_installed(path) {
        let main = Some(path.join("policy.toml")).filter(|main| is_there(main));
        sources.extend(main.map(|main| file(&main)).transpose()?);
        sources.extend(directory(&drop_ins(path))?);
    }
    if sources.is_empty() {
        sources = directory(path)?;
    }
    if sources.is_empty() { Err(FileError::new(path, Fault::NoPolicy)) } else { Ok(sources) }
}

fn is_installed(path: &Path) -> bool {
    drop_ins(path).is_dir()
}

fn drop_ins(path: &Path) -> PathBuf {
    path.join("policy.d")
}

/// Whether something has this name, if only a link to nowhere.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The files that [`read_named`] passes over, though they lie beside what it reads.
#[must_use]
pub fn passed_over(path: &Path) -> Vec<PathBuf> {
    if is_installed(path) {
        [strays_beside(&path.join("policy.toml")), unread_in(&drop_ins(path))].concat()
    } else {
        unread_in(path)
    }
}

fn unchecked_file(path: &Path) -> Result<Source, FileError> {
    let opened = File::open(path).map_err(|error| failed(path, &error))?;
    source_of(opened, path, path)
}

fn unchecked_directory(path: &Path) -> Result<Vec<Source>, FileError> {
    let entries = fs::read_dir(path).map_err(|error| failed(path, &error))?;
    let names: Result<Vec<OsString>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names.map_err(|error| failed(path, &error))?;
    names.retain(|name| is_policy(name));
    names.sort();
    names.iter().map(|name| unchecked_file(&path.join(name))).collect()
}

fn failed(path: &Path, error: &std::io::Error) -> FileError {
    let errno = rustix::io::Errno::from_io_error(error);
    FileError::new(path, errno.map_or(Fault::Io(error.kind()), Fault::System))
}
