//! Opens what a value names, beneath a directory that a policy names. Follows no symbolic link on the way, and never leaves
//! the directory: the kernel itself sees to both (`openat2(2)`, Linux 5.6; an older one opens nothing).

use super::{Fault, FileError};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The way from a directory that is opened down to something, with no way around.
const STRICT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A regular file or a directory.
    Either,
}

/// Opens a directory by an absolute path without a symbolic link in it. The descriptor is for reaching on, and not for
/// reading (`O_PATH`).
///
/// # Errors
/// It is not there, or is no directory, or a symbolic link is on the way.
pub fn open_root(root: &Path) -> Result<OwnedFd, FileError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let slash = rustix::fs::open("/", flags, Mode::empty()).map_err(|errno| system(root, errno))?;
    reach(&slash, root.strip_prefix("/").unwrap_or(root), flags).map_err(|errno| system(root, errno))
}

/// Opens what is beneath a root, if it is of the wanted kind. Never a FIFO, a socket or a device.
///
/// # Errors
/// It is not there, is something else, or a symbolic link is on the way.
pub fn open_beneath(root: &Path, below: &Path, wanted: Wanted) -> Result<OwnedFd, FileError> {
    let shown = root.join(below);
    let opened = reach(&open_root(root)?, below, OFlags::PATH | OFlags::CLOEXEC);
    let opened = opened.map_err(|errno| system(&shown, errno))?;
    let stat = fstat(&opened).map_err(|errno| system(&shown, errno))?;
    match (wanted, FileType::from_raw_mode(stat.st_mode)) {
        (Wanted::File | Wanted::Either, FileType::RegularFile)
        | (Wanted::Directory | Wanted::Either, FileType::Directory) => Ok(opened),
        (Wanted::Directory, _) => Err(FileError::new(&shown, Fault::NotDirectory)),
        (Wanted::File | Wanted::Either, _) => Err(FileError::new(&shown, Fault::NotRegular)),
    }
}

/// Opens the directory, beneath a root, of something that is not there yet.
///
/// # Errors
/// The name is taken, if only by a symbolic link to nowhere; or the directory is none, or a symbolic link is on the way.
pub fn open_directory_for(root: &Path, below: &Path) -> Result<OwnedFd, FileError> {
    let shown = root.join(below);
    let (parent, name) = (below.parent().unwrap_or(Path::new("")), below.file_name().unwrap_or_default());
    let opened = open_root(root)?;
    let directory = if parent.as_os_str().is_empty() {
        opened
    } else {
        reach(&opened, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)
            .map_err(|errno| system(&root.join(parent), errno))?
    };
    match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(directory),
        Err(errno) => Err(system(&shown, errno)),
        Ok(_) => Err(FileError::new(&shown, Fault::Exists)),
    }
}

fn reach(from: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat2(from, path, flags, Mode::empty(), STRICT)
}

fn system(path: &Path, errno: Errno) -> FileError {
    let fault = if errno == Errno::LOOP { Fault::SymbolicLink } else { Fault::System(errno) };
    FileError::new(path, fault)
}
