//! Opens what a value names, beneath a directory that a policy names. Follows no symbolic link on the way, and never leaves
//! the directory: the kernel itself sees to both (`openat2(2)`, Linux 5.6; an older one opens nothing).

use super::{Fault, FileError};
use crate::policy::Target;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The way from a directory that is opened down to something, with no way around.
const STRICT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

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

/// Opens what is beneath a root, if it is as wanted: never a FIFO, a socket or a device. Where nothing may be there yet,
/// opens the directory that it will be in.
///
/// # Errors
/// It is not there, or is something else; or its name is taken, if only by a symbolic link to nowhere; or a symbolic link is
/// on the way.
pub fn open_beneath(root: &Path, below: &Path, wanted: Target) -> Result<OwnedFd, FileError> {
    match wanted {
        Target::Nothing => open_directory_for(root, below),
        Target::File | Target::Directory | Target::Either => open_existing(root, below, wanted),
    }
}

fn open_existing(root: &Path, below: &Path, wanted: Target) -> Result<OwnedFd, FileError> {
    let shown = root.join(below);
    let opened = reach(&open_root(root)?, below, OFlags::PATH | OFlags::CLOEXEC);
    let opened = opened.map_err(|errno| system(&shown, errno))?;
    let stat = fstat(&opened).map_err(|errno| system(&shown, errno))?;
    match (wanted, FileType::from_raw_mode(stat.st_mode)) {
        (Target::File | Target::Either, FileType::RegularFile)
        | (Target::Directory | Target::Either, FileType::Directory) => Ok(opened),
        (Target::Directory, _) => Err(FileError::new(&shown, Fault::NotDirectory)),
        (Target::File | Target::Either | Target::Nothing, _) => {
            Err(FileError::new(&shown, Fault::NotRegular))
        }
    }
}

fn open_directory_for(root: &Path, below: &Path) -> Result<OwnedFd, FileError> {
    let (shown, name) = (root.join(below), below.file_name().unwrap_or_default());
    let mut directory = open_root(root)?;
    if let Some(parent) = below.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        directory = reach(&directory, parent, flags).map_err(|errno| system(&root.join(parent), errno))?;
    }
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

        fn fault(&self, below: &str, wanted: Target) -> Option<Fault> {
            open_beneath(&self.0, Path::new(below), wanted).err().map(|error| error.fault())
        }

        fn free(&self, below: &str) -> Option<Fault> {
            open_beneath(&self.0, Path::new(below), Target::Nothing).err().map(|error| error.fault())
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
            ("a/f", Target::File, None),
            ("a/f", Target::Either, None),
            ("a", Target::Directory, None),
            ("a", Target::Either, None),
            ("a", Target::File, Some(Fault::NotRegular)),
            ("a/f", Target::Directory, Some(Fault::NotDirectory)),
            ("b", Target::File, Some(Fault::System(Errno::NOENT))),
            ("link", Target::File, Some(Fault::SymbolicLink)),
            ("way/f", Target::Either, Some(Fault::SymbolicLink)),
            ("dangling", Target::Either, Some(Fault::SymbolicLink)),
            ("../a", Target::Either, Some(Fault::System(Errno::XDEV))),
            ("/etc/passwd", Target::File, Some(Fault::System(Errno::XDEV))),
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
