//! Reads policy files and looks at programs, whose every owner and mode it checks. Refuses, and never skips in silence.
//!
//! What is checked is what was opened: each component of a path is opened beneath the one before it.

mod beneath;
mod fault;
mod layout;
mod memory;
mod reader;
mod script;
mod walk;

pub use beneath::{open_beneath, open_root};
pub use fault::{Fault, FileError};
pub use layout::{passed_over, read_named, read_unchecked};
pub use memory::sealed;
pub use reader::{Reader, unreachable, unreadable};
pub use script::{Interpreter, interpreter};

use crate::policy::Source;
use rustix::fs::{Dir, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use walk::{Directory, check_file, enter, enter_parent, enter_parent_of_target};

/// Where the installed policy is.
pub const POLICY: &str = "/etc/udsadmin/policy.toml";

/// Octets in a policy file at most.
pub const FILE_MAX: u64 = 4 << 20;

/// Whose files are believed. Their directories, up to the root, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Root's alone.
    RootOnly,
    /// Root's and those of the calling (effective) user, who only decides for itself: for `check` and `demo`.
    /// Directories that all may write to will do if they are sticky, like /tmp.
    CallingUser,
}

/// Reads a policy: the file, then the `*.toml` of the directory beside it (`policy.d` for `policy.toml`) in
/// the order of their names, if there is such a directory.
///
/// # Errors
/// The first file or directory that is not as it must be; neither file nor directory may be a symbolic link.
pub fn read_policy(path: &Path, trust: Trust) -> Result<Vec<Source>, FileError> {
    let (directory, name) = enter_parent(&absolute(path)?, trust)?;
    let mut sources = vec![read_from(&directory, &name, path)?];
    let beside = path.with_extension("d");
    match directory.descend(beside.file_name().unwrap_or_default()) {
        Err(error) if error.is_missing() => {}
        found => sources.extend(read_all(&found?, &beside)?),
    }
    Ok(sources)
}

/// Reads one policy file.
///
/// # Errors
/// The file or a directory above it is not as it must be: a regular file of at most [`FILE_MAX`] octets of
/// UTF-8, no symbolic link.
pub fn read_file(path: &Path, trust: Trust) -> Result<Source, FileError> {
    let (directory, name) = enter_parent(&absolute(path)?, trust)?;
    read_from(&directory, &name, path)
}

/// Reads the `*.toml` of a directory, in the order of their names. Names that begin with a dot are no policies.
///
/// # Errors
/// The first file or directory that is not as it must be.
pub fn read_directory(path: &Path, trust: Trust) -> Result<Vec<Source>, FileError> {
    read_all(&enter(&absolute(path)?, trust)?, path)
}

/// Checks that a program may be run: a regular, executable file that nobody but those trusted can change, by
/// way of whatever directory or symbolic link.
///
/// # Errors
/// The component of the path that is not as it must be.
pub fn check_program(path: &Path, trust: Trust) -> Result<(), FileError> {
    if !path.is_absolute() {
        return Err(FileError::new(path, Fault::NotAbsolute));
    }
    let (shown, mode) = checked_target(path, trust)?;
    if mode & 0o111 == 0 {
        return Err(FileError::new(&shown, Fault::NotExecutable));
    }
    Ok(())
}

/// The file to which the path leads, and its mode.
fn checked_target(path: &Path, trust: Trust) -> Result<(PathBuf, u32), FileError> {
    let (directory, name) = enter_parent_of_target(path, trust)?;
    let (_, stat) = directory.open(&name, OFlags::PATH)?;
    let shown = directory.path().join(&name);
    check_file(&shown, &stat, trust)?;
    Ok((shown, stat.st_mode))
}

/// Checks that nobody but those trusted can change a file, executable or not, by way of whatever directory or symbolic link.
///
/// # Errors
/// The component of the path that is not as it must be.
pub fn check_unchanged(path: &Path, trust: Trust) -> Result<(), FileError> {
    checked_target(path, trust).map(drop)
}

/// Checks that nobody but those trusted can put anything into a directory or in its place.
///
/// # Errors
/// The component of the path that is not as it must be.
pub fn check_directory(path: &Path, trust: Trust) -> Result<(), FileError> {
    enter(&absolute(path)?, trust).map(drop)
}

/// The files of a directory that [`read_directory`] passes over, by name. What can't be listed is empty.
fn unread_in(path: &Path) -> Vec<PathBuf> {
    files_in(path, |name| !is_policy(name))
}

/// The files beside a policy file whose names say that they are, or were, policies too: [`read_policy`] passes over them.
fn strays_beside(main: &Path) -> Vec<PathBuf> {
    let is_stray = |name: &OsStr| name.to_string_lossy().contains(".toml") && Some(name) != main.file_name();
    main.parent().map_or_else(Vec::new, |directory| files_in(directory, is_stray))
}

fn files_in(path: &Path, wanted: impl Fn(&OsStr) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    let mut names: Vec<OsString> = files.map(|entry| entry.file_name()).filter(|name| wanted(name)).collect();
    names.sort();
    names.iter().map(|name| path.join(name)).collect()
}

fn absolute(path: &Path) -> Result<PathBuf, FileError> {
    std::path::absolute(path).map_err(|error| FileError::new(path, Fault::Io(error.kind())))
}

fn read_all(directory: &Directory, shown: &Path) -> Result<Vec<Source>, FileError> {
    let listable = directory.list()?;
    let names = policy_names(&listable).map_err(|errno| directory.error(Fault::System(errno)))?;
    names.iter().map(|name| read_from(directory, name, &shown.join(name))).collect()
}

/// The names of a directory that are policies, sorted.
fn policy_names(directory: &OwnedFd) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory.as_fd())? {
        let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
        if is_policy(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn is_policy(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

/// Reads a file that may not be a symbolic link. A FIFO or a device must not block the opening, nor be read.
fn read_from(directory: &Directory, name: &OsStr, shown: &Path) -> Result<Source, FileError> {
    let (opened, stat) = directory.open(name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let path = directory.path().join(name);
    check_file(&path, &stat, directory.trust())?;
    source_of(File::from(opened), &path, shown)
}

fn source_of(opened: File, path: &Path, shown: &Path) -> Result<Source, FileError> {
    let text = String::from_utf8(read_octets(opened, path)?);
    let text = text.map_err(|error| FileError::not_utf8(path, &error))?;
    Ok(Source { name: shown.display().to_string(), text })
}

fn read_octets(opened: File, path: &Path) -> Result<Vec<u8>, FileError> {
    let mut octets = Vec::new();
    let read = opened.take(FILE_MAX + 1).read_to_end(&mut octets);
    match read.map(u64::try_from) {
        Ok(Ok(..=FILE_MAX)) => Ok(octets),
        Ok(_) => Err(FileError::new(path, Fault::TooLarge)),
        Err(error) => Err(FileError::new(path, Fault::Io(error.kind()))),
    }
}

#[cfg(test)]
mod tests;
