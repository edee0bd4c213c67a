//! Small facts that outlive the broker, one file each. Written whole or not at all, and by nobody but root.

use crate::request::JobId;
use rustix::fs::{Mode, OFlags, fsync, open};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Octets of one file at most: more than a fact can have.
const FILE_MAX: u64 = 64 * 1024;

/// The form in which facts are written, their first octet: another one is another version's, and is left alone.
const FORM: u8 = 1;

/// What is added to a name while its file is being written.
const UNFINISHED: &str = "new";

/// A folder of facts.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    /// The ledger in this folder, which is made where it is not there. Blocks, as all of these do.
    ///
    /// # Errors
    /// Those of `mkdir(2)`.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes a fact. When this returns it outlives a loss of power, too.
    ///
    /// # Errors
    /// Those of writing; the fact before is then still there.
    pub(super) fn put(&self, id: &JobId, fact: &impl Serialize) -> io::Result<()> {
        let octets = postcard::to_extend(fact, vec![FORM]).map_err(io::Error::other)?;
        let path = self.folder.join(id.as_str());
        let unfinished = path.with_extension(UNFINISHED);
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&octets)?;
        file.sync_data()?;
        fs::rename(&unfinished, &path)?;
        let folder = open(&self.folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(fsync(&folder)?)
    }

    /// Whether there is a fact, be it one of another version.
    pub(super) fn has(&self, id: &JobId) -> bool {
        self.folder.join(id.as_str()).exists()
    }

    /// Takes a fact back.
    ///
    /// # Errors
    /// Those of `unlink(2)`.
    pub(super) fn remove(&self, id: &JobId) -> io::Result<()> {
        fs::remove_file(self.folder.join(id.as_str()))
    }

    /// All facts, but for those of folders in the folder. What is none, half-written ones among them, is removed; what may be one
    /// of another version is not.
    ///
    /// # Errors
    /// Those of `readdir(3)`.
    pub(super) fn all<T: DeserializeOwned>(&self) -> io::Result<Vec<T>> {
        let mut facts = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            let path = entry.path();
            match read(&path) {
                Ok(fact) => facts.push(fact),
                Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                    tracing::error!("{}: {error}", path.display());
                }
                Err(error) => {
                    let removed = fs::remove_file(&path);
                    tracing::warn!("{} is no fact ({error}); removed: {removed:?}", path.display());
                }
            }
        }
        Ok(facts)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut octets = Vec::new();
    File::open(path)?.take(FILE_MAX).read_to_end(&mut octets)?;
    let invalid = |why: &dyn Display| io::Error::new(io::ErrorKind::InvalidData, why.to_string());
    match octets.split_first() {
        Some((&FORM, fact)) => postcard::from_bytes(fact).map_err(|error| invalid(&error)),
        Some(_) if path.extension().is_none() => Err(io::Error::other("is of another version")),
        Some(_) | None => Err(invalid(&"is cut off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_there_for_the_next_one_and_what_is_half_written_is_not() {
        let folder = std::env::temp_dir().join(format!("udsadmin-ledger-{}", JobId::draw().unwrap()));
        let ledger = Ledger::open(&folder).unwrap();
        let (first, second) = (JobId::draw().unwrap(), JobId::draw().unwrap());
        ledger.put(&first, &"a".to_owned()).unwrap();
        ledger.put(&first, &"b".to_owned()).unwrap();
        ledger.put(&second, &"c".to_owned()).unwrap();
        ledger.remove(&second).unwrap();
        fs::write(folder.join("0123456789ab.new"), [0xff]).unwrap();
        fs::write(folder.join("0123456789ac"), [FORM, 0xff]).unwrap();
        assert_eq!(Ledger::open(&folder).unwrap().all::<String>().unwrap(), ["b"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_fact_of_another_version_is_left_to_it() {
        let folder = std::env::temp_dir().join(format!("udsadmin-ledger-{}", JobId::draw().unwrap()));
        let ledger = Ledger::open(&folder).unwrap();
        fs::write(folder.join("0123456789ab"), [FORM + 1, 1, b'a']).unwrap();
        assert_eq!(ledger.all::<String>().unwrap(), Vec::<String>::new());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
