//! Follows a path component by component and checks each on its opened descriptor. Believes no path as a whole.

use super::{Fault, FileError, Trust};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links on the way at most, as in the kernel itself (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// The mode bit of directories in which only owners may remove files (inode(7)).
const STICKY: u32 = 0o1000;

/// An opened directory that nobody but those trusted can change, like all those above it.
pub(super) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
    trust: Trust,
}

impl Directory {
    /// The root directory.
    fn root(trust: Trust) -> Result<Self, FileError> {
        let path = PathBuf::from("/");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| system(&path, errno))?;
        Self { descriptor, path, trust }.checked()
    }

    /// The path by which it was reached, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose files are believed in it.
    pub(super) const fn trust(&self) -> Trust {
        self.trust
    }

    /// An error about the directory itself.
    pub(super) fn error(&self, fault: Fault) -> FileError {
        FileError::new(&self.path, fault)
    }

    /// Opens a file in it, never through a symbolic link.
    pub(super) fn open(&self, name: &OsStr, flags: OFlags) -> Result<(OwnedFd, Stat), FileError> {
        let shown = self.path.join(name);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.descriptor, name, flags, Mode::empty());
        let opened = opened.map_err(|errno| match errno {
            Errno::LOOP => FileError::new(&shown, Fault::SymbolicLink),
            other => system(&shown, other),
        })?;
        let stat = fstat(&opened).map_err(|errno| system(&shown, errno))?;
        Ok((opened, stat))
    }

    /// The directory of that name in it, checked.
    pub(super) fn descend(&self, name: &OsStr) -> Result<Self, FileError> {
        let (descriptor, _) = self.open(name, OFlags::PATH)?;
        Self { descriptor, path: self.path.join(name), trust: self.trust }.checked()
    }

    /// The same directory, opened for listing.
    pub(super) fn list(&self) -> Result<OwnedFd, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.descriptor, ".", flags, Mode::empty()).map_err(|errno| system(&self.path, errno))
    }

    fn checked(self) -> Result<Self, FileError> {
        let stat = fstat(&self.descriptor).map_err(|errno| system(&self.path, errno))?;
        check_type(&self.path, &stat, (FileType::Directory, Fault::NotDirectory))?;
        check_owner(&self.path, &stat, self.trust)?;
        let shared = self.trust == Trust::CallingUser && stat.st_mode & STICKY != 0;
        if !shared {
            check_mode(&self.path, &stat)?;
        }
        Ok(self)
    }

    /// Where the entry points, if it is a symbolic link.
    fn link(&self, name: &OsStr) -> Result<Option<PathBuf>, FileError> {
        let shown = self.path.join(name);
        let stat = statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| system(&shown, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        check_owner(&shown, &stat, self.trust)?;
        let target = readlinkat(&self.descriptor, name, Vec::new()).map_err(|errno| system(&shown, errno))?;
        Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes()))))
    }
}

/// The way from the root to a directory.
struct Way {
    root: Directory,
    entered: Vec<Directory>,
    left: VecDeque<OsString>,
    links: usize,
}

impl Way {
    fn here(&self) -> &Directory {
        self.entered.last().unwrap_or(&self.root)
    }

    /// Has these components come next.
    fn prepend(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.left.push_front(name.to_owned()),
                Component::ParentDir => self.left.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    fn step(&mut self, name: &OsStr) -> Result<(), FileError> {
        if name == ".." {
            self.entered.pop();
            return Ok(());
        }
        match self.here().link(name)? {
            Some(target) => self.follow(&target),
            None => self.here().descend(name).map(|entered| self.entered.push(entered)),
        }
    }

    fn follow(&mut self, target: &Path) -> Result<(), FileError> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(self.here().error(Fault::TooManyLinks));
        }
        if target.is_absolute() {
            self.entered.clear();
        }
        self.prepend(target);
        Ok(())
    }
}

/// The directory to which an absolute path leads, everything on the way checked.
pub(super) fn enter(path: &Path, trust: Trust) -> Result<Directory, FileError> {
    let mut way = Way { root: Directory::root(trust)?, entered: Vec::new(), left: VecDeque::new(), links: 0 };
    way.prepend(path);
    while let Some(name) = way.left.pop_front() {
        way.step(&name)?;
    }
    Ok(way.entered.pop().unwrap_or(way.root))
}

/// The directory that holds what an absolute path names, everything on the way checked, and the name in it.
pub(super) fn enter_parent(path: &Path, trust: Trust) -> Result<(Directory, OsString), FileError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((enter(parent, trust)?, name.to_owned())),
        _ => Err(FileError::new(path, Fault::NotRegular)),
    }
}

/// The same for what the path leads to in the end, through the symbolic links that its last component may be.
pub(super) fn enter_parent_of_target(path: &Path, trust: Trust) -> Result<(Directory, OsString), FileError> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS_MAX {
        let (directory, name) = enter_parent(&path, trust)?;
        match directory.link(&name)? {
            Some(target) => path = directory.path().join(target),
            None => return Ok((directory, name)),
        }
    }
    Err(FileError::new(&path, Fault::TooManyLinks))
}

/// Checks that nobody but those trusted can change the file, and that it is one.
pub(super) fn check_file(path: &Path, stat: &Stat, trust: Trust) -> Result<(), FileError> {
    check_type(path, stat, (FileType::RegularFile, Fault::NotRegular))?;
    check_owner(path, stat, trust)?;
    check_mode(path, stat)
}

fn check_type(path: &Path, stat: &Stat, (expected, otherwise): (FileType, Fault)) -> Result<(), FileError> {
    let found = FileType::from_raw_mode(stat.st_mode);
    if found == expected {
        return Ok(());
    }
    let fault = if found == FileType::Symlink { Fault::SymbolicLink } else { otherwise };
    Err(FileError::new(path, fault))
}

fn check_owner(path: &Path, stat: &Stat, trust: Trust) -> Result<(), FileError> {
    let own = trust == Trust::CallingUser && stat.st_uid == geteuid().as_raw();
    if stat.st_uid == 0 || own { Ok(()) } else { Err(FileError::new(path, Fault::Owner(stat.st_uid))) }
}

/// Write permissions of an access control list show as those of the group (acl(5)).
fn check_mode(path: &Path, stat: &Stat) -> Result<(), FileError> {
    match stat.st_mode {
        mode if mode & 0o002 != 0 => Err(FileError::new(path, Fault::OthersWritable)),
        mode if mode & 0o020 != 0 => Err(FileError::new(path, Fault::GroupWritable)),
        _ => Ok(()),
    }
}

fn system(path: &Path, errno: Errno) -> FileError {
    FileError::new(path, Fault::System(errno))
}
