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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A folder with a file in a folder, and links to both; removed when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("udsadmin-beneath-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("a")).unwrap();
            fs::write(path.join("a/f"), "").unwrap();
            symlink("a", path.join("way")).unwrap();
            symlink("a/f", path.join("link")).unwrap();
            symlink("nowhere", path.join("dangling")).unwrap();
            Self(path)
        }

        fn fault(&self, below: &str, wanted: Wanted) -> Option<Fault> {
            open_beneath(&self.0, Path::new(below), wanted).err().map(|error| error.fault())
        }

        fn free(&self, below: &str) -> Option<Fault> {
            open_directory_for(&self.0, Path::new(below)).err().map(|error| error.fault())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn only_what_is_wanted_is_opened_and_through_no_link() {
        let folder = Folder::new("kinds");
        for (below, wanted, expected) in [
            ("a/f", Wanted::File, None),
            ("a/f", Wanted::Either, None),
            ("a", Wanted::Directory, None),
            ("a", Wanted::Either, None),
            ("a", Wanted::File, Some(Fault::NotRegular)),
            ("a/f", Wanted::Directory, Some(Fault::NotDirectory)),
            ("b", Wanted::File, Some(Fault::System(Errno::NOENT))),
            ("link", Wanted::File, Some(Fault::SymbolicLink)),
            ("way/f", Wanted::Either, Some(Fault::SymbolicLink)),
            ("dangling", Wanted::Either, Some(Fault::SymbolicLink)),
            ("../a", Wanted::Either, Some(Fault::System(Errno::XDEV))),
            ("/etc/passwd", Wanted::File, Some(Fault::System(Errno::XDEV))),
        ] {
            assert_eq!(folder.fault(below, wanted), expected, "{below} {wanted:?}");
        }
    }

    #[test]
    fn a_name_is_free_only_where_nothing_at_all_is() {
        let folder = Folder::new("free");
        for (below, expected) in [
            ("b", None),
            ("a/b", None),
            ("a", Some(Fault::Exists)),
            ("a/f", Some(Fault::Exists)),
            ("dangling", Some(Fault::Exists)),
            ("way/b", Some(Fault::SymbolicLink)),
            ("b/b", Some(Fault::System(Errno::NOENT))),
            ("a/f/b", Some(Fault::System(Errno::NOTDIR))),
        ] {
            assert_eq!(folder.free(below), expected, "{below}");
        }
    }

    #[test]
    fn a_root_is_a_directory_without_a_link_on_its_way() {
        let folder = Folder::new("root");
        let fault = |below: &str| open_root(&folder.0.join(below)).err().map(|error| error.fault());
        assert_eq!(fault("a"), None);
        assert_eq!(fault("way"), Some(Fault::SymbolicLink));
        assert_eq!(fault("a/f"), Some(Fault::System(Errno::NOTDIR)));
        assert_eq!(fault("b"), Some(Fault::System(Errno::NOENT)));
    }
}
