//! What is known of the jobs that outlive the broker: a file for each, root's alone, gone with the next boot as the jobs are.
//! Keeps whatever value it is given, and judges none.

use super::JobId;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Octets of one entry at most: far more than a request and its peer.
const ENTRY_MAX: u64 = 1 << 20;

/// What the name of an entry that is still being written begins with: no id has it.
const UNFINISHED: &str = ".";

/// A directory of entries.
#[derive(Clone, Debug)]
pub struct Ledger {
    directory: PathBuf,
}

impl Ledger {
    /// Opens the directory, or makes it.
    ///
    /// # Errors
    /// Those of the file system; or it is not a directory of the calling user's alone.
    pub fn open(directory: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(directory)?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0;
        if !found.is_dir() || !is_ours {
            let why = format!("{} is not a directory of this user alone", directory.display());
            return Err(io::Error::new(ErrorKind::PermissionDenied, why));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// Enters a job, or replaces its entry: whole or not at all, for whoever reads it.
    ///
    /// # Errors
    /// Those of the file system; the entry is then the one before, or none.
    pub fn enter<T: Serialize>(&self, job: &JobId, entry: &T) -> io::Result<()> {
        let octets = postcard::to_stdvec(entry).map_err(io::Error::other)?;
        let unfinished = self.directory.join(format!("{UNFINISHED}{job}"));
        let written = File::create(&unfinished).and_then(|mut file| file.write_all(&octets));
        let entered = written.and_then(|()| fs::rename(&unfinished, self.path(job)));
        if entered.is_err() {
            drop(fs::remove_file(&unfinished));
        }
        entered
    }

    /// Strikes out a job. One that is not in it is struck out already.
    ///
    /// # Errors
    /// Those of `unlink(2)`.
    pub fn strike(&self, job: &JobId) -> io::Result<()> {
        match fs::remove_file(self.path(job)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Every job in it, with its entry as far as it can be read: one of another version of this program may not be.
    ///
    /// # Errors
    /// The directory can't be listed.
    pub fn entries<T: DeserializeOwned>(&self) -> io::Result<Vec<(JobId, io::Result<T>)>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let name = file?.file_name();
            if let Some(job) = name.to_str().and_then(|name| name.parse().ok()) {
                let entry = self.read(&job);
                entries.push((job, entry));
            }
        }
        Ok(entries)
    }

    fn read<T: DeserializeOwned>(&self, job: &JobId) -> io::Result<T> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS;
        let opened = rustix::fs::openat2(rustix::fs::CWD, self.path(job), flags, Mode::empty(), resolve)?;
        let mut octets = Vec::new();
        File::from(opened).take(ENTRY_MAX).read_to_end(&mut octets)?;
        postcard::from_bytes(&octets).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    fn path(&self, job: &JobId) -> PathBuf {
        self.directory.join(job.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A ledger in a directory of its own.
    fn fresh(name: &str) -> (PathBuf, Ledger) {
        let path = std::env::temp_dir().join(format!("udsadmin-ledger-{name}-{}", std::process::id()));
        let ledger = Ledger::open(&path).unwrap();
        (path, ledger)
    }

    fn id(text: &str) -> JobId {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_entered_is_there_for_the_next_broker_until_it_is_struck_out() {
        let (path, ledger) = fresh("whole");
        ledger.enter(&id("00000000000a"), &("alice".to_owned(), 7_u32)).unwrap();
        ledger.enter(&id("00000000000a"), &("alice".to_owned(), 8_u32)).unwrap();
        ledger.enter(&id("00000000000b"), &("bob".to_owned(), 9_u32)).unwrap();
        let next = Ledger::open(&path).unwrap();
        next.strike(&id("00000000000b")).unwrap();
        next.strike(&id("00000000000b")).unwrap();
        let mut found = next.entries::<(String, u32)>().unwrap();
        let (job, entry) = found.pop().unwrap();
        assert_eq!((job, entry.unwrap(), found.len()), (id("00000000000a"), ("alice".to_owned(), 8), 0));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn an_entry_that_can_not_be_read_is_told_and_hides_no_other() {
        let (path, ledger) = fresh("odd");
        ledger.enter(&id("00000000000a"), &1_u8).unwrap();
        fs::write(path.join("00000000000b"), [0xff; 3]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join("00000000000c")).unwrap();
        fs::write(path.join(".00000000000d"), "torn").unwrap();
        fs::write(path.join("README"), "no id").unwrap();
        let mut found = ledger.entries::<(u8, String)>().unwrap();
        found.sort_by_key(|(job, _)| job.to_string());
        let readable: Vec<_> = found.iter().map(|(job, entry)| (job.as_str(), entry.is_ok())).collect();
        assert_eq!(readable, [("00000000000a", false), ("00000000000b", false), ("00000000000c", false)]);
        assert_eq!(
            *ledger
                .entries::<u8>()
                .unwrap()
                .iter()
                .find(|(job, _)| *job == id("00000000000a"))
                .unwrap()
                .1
                .as_ref()
                .unwrap(),
            1
        );
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_read_or_that_is_none_is_no_ledger() {
        let (path, _) = fresh("open");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(Ledger::open(&path).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(Ledger::open(&path).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::remove_file(&path).unwrap();
    }
}
