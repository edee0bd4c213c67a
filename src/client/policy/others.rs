//! Where others than root may write on this machine. Looks at owners and modes alone, and opens no file.

use crate::files::{self, Fault, FileError, Trust};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Entries below a directory that are looked at, at most.
const ENTRIES_MAX: usize = 4096;

/// The mode bits by which others than the owner may write (inode(7)).
const SHARED: u32 = 0o022;

/// The mode bit of directories that are for everyone (inode(7)).
const STICKY: u32 = 0o1000;

/// Why others than root may write at the path or below it: the first such place. Of a path that is not there, the directory in
/// which it would be.
pub(super) fn may_write(path: &Path) -> Option<String> {
    let place = if path.exists() { path } else { path.parent().filter(|parent| parent.is_dir())? };
    let checked = if place.is_dir() {
        files::check_directory(place, Trust::RootOnly)
    } else {
        files::check_unchanged(place, Trust::RootOnly)
    };
    checked.err().filter(is_writable).map(|error| told(error.path())).or_else(|| below(place))
}

/// Whether the error tells that others than root can change the file.
pub(super) fn is_writable(error: &FileError) -> bool {
    matches!(error.fault(), Fault::Owner(_) | Fault::GroupWritable | Fault::OthersWritable)
}

/// Whether it is a directory that is meant to be written by everyone, like /tmp.
pub(super) fn is_for_all(path: &Path) -> bool {
    let sticky = |found: fs::Metadata| found.is_dir() && found.mode() & STICKY != 0;
    path.metadata().is_ok_and(sticky)
}

fn below(directory: &Path) -> Option<String> {
    let mut left = VecDeque::from([directory.to_owned()]);
    let mut looked_at = 0;
    while let Some(directory) = left.pop_front() {
        let entries: Vec<PathBuf> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        looked_at += entries.len();
        if let Some(found) = entries.iter().find(|path| is_of_others(path)) {
            return Some(told(found));
        }
        if looked_at > ENTRIES_MAX {
            return None;
        }
        left.extend(entries.into_iter().filter(|path| !path.is_symlink() && path.is_dir()));
    }
    None
}

fn is_of_others(path: &Path) -> bool {
    let shared = |mode: u32| !path.is_symlink() && mode & SHARED != 0;
    path.symlink_metadata().is_ok_and(|found| found.uid() != 0 || shared(found.mode()))
}

fn told(path: &Path) -> String {
    let of = path.symlink_metadata().map_or(0, |found| found.uid());
    if of == 0 {
        format!("{} is writable by others", path.display())
    } else {
        format!("{} belongs to uid {of}", path.display())
    }
}
