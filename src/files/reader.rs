//! Whether another user may read what root can read, by owner, group and mode. Opens nothing, and knows no access control
//! lists: it warns an administrator, and decides nothing for a daemon.

use super::{Fault, FileError, policy_names};
use crate::identity::{Groups, Uid};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A user who is to read a policy.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The name, for people.
    pub name: &'static str,
    /// The user.
    pub uid: Uid,
    /// All its groups, the primary one included.
    pub groups: Groups,
}

/// Permission bits, as of one class (inode(7)), and their letters (chmod(1)).
type Wanted = (u32, &'static str);

const READ: Wanted = (4, "r");
const SEARCH: Wanted = (1, "x");
const LIST: Wanted = (5, "rx");

/// Whose a file is, and what its mode allows.
#[derive(Clone, Copy, Debug)]
struct Inode {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// The class of users, as a letter of chmod(1), whose bits hold for the reader, where one of those wanted is not among them.
fn lacking(inode: Inode, wanted: u32, reader: &Reader) -> Option<char> {
    let (class, shift) = if inode.uid == reader.uid.raw() {
        ('u', 6)
    } else if reader.groups.iter().any(|group| group.raw() == inode.gid) {
        ('g', 3)
    } else {
        ('o', 0)
    };
    ((inode.mode >> shift) & wanted != wanted).then_some(class)
}

/// Every file and directory of a policy, as [`super::read_policy`] reads it, that keeps the reader from reading it. For a
/// policy that was read: what is gone by now is passed over.
#[must_use]
pub fn unreadable(policy: &Path, reader: &Reader) -> Vec<FileError> {
    let beside = policy.with_extension("d");
    let listed = File::open(&beside).ok().and_then(|opened| policy_names(&OwnedFd::from(opened)).ok());
    let directories = directories_to(policy).into_iter().map(|path| (path, SEARCH));
    let drop_ins = listed.iter().flatten().map(|name| (beside.join(name), READ));
    let beside = listed.iter().map(|_| (beside.clone(), LIST));
    let all = directories.chain([(policy.to_owned(), READ)]).chain(beside).chain(drop_ins);
    all.filter_map(|(path, wanted)| refusal(&path, wanted, reader)).collect()
}

/// The first directory on the way to a program that the reader can't pass, so can't look at the program.
#[must_use]
pub fn unreachable(program: &Path, reader: &Reader) -> Option<FileError> {
    let target = program.canonicalize().unwrap_or_default();
    let directories = directories_to(program).into_iter().chain(directories_to(&target));
    directories.into_iter().find_map(|path| refusal(&path, SEARCH, reader))
}

/// The directories on the way, those before and those behind symbolic links; the root first.
fn directories_to(path: &Path) -> BTreeSet<PathBuf> {
    let entered = path.ancestors().skip(1).filter_map(|path| path.canonicalize().ok());
    entered.flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>()).collect()
}

fn refusal(path: &Path, (bits, letters): Wanted, reader: &Reader) -> Option<FileError> {
    let found = path.metadata().ok()?;
    let inode = Inode { mode: found.mode(), uid: found.uid(), gid: found.gid() };
    let class = lacking(inode, bits, reader)?;
    Some(FileError::new(path, Fault::Unreadable { user: reader.name, class, letters }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Gid;

    #[test]
    fn the_bits_of_one_class_alone_decide() {
        let groups = [7, 8].into_iter().map(|raw| Gid::new(raw).unwrap()).collect();
        let reader = Reader { name: "reader", uid: Uid::new(5).unwrap(), groups };
        for (mode, uid, gid, wanted, expected) in [
            (0o100_644, 0, 0, READ, None),
            (0o100_600, 0, 0, READ, Some('o')),
            (0o100_640, 0, 0, READ, Some('o')),
            (0o100_640, 0, 7, READ, None),
            (0o100_640, 0, 8, READ, None),
            (0o100_604, 0, 8, READ, Some('g')),
            (0o100_400, 5, 0, READ, None),
            (0o100_044, 5, 7, READ, Some('u')),
            (0o40_711, 0, 0, SEARCH, None),
            (0o40_711, 0, 0, LIST, Some('o')),
            (0o40_744, 0, 0, LIST, Some('o')),
            (0o40_755, 0, 0, LIST, None),
            (0o40_750, 0, 7, LIST, None),
            (0o40_700, 0, 7, SEARCH, Some('g')),
        ] {
            let found = lacking(Inode { mode, uid, gid }, wanted.0, &reader);
            assert_eq!(found, expected, "{mode:o} {uid}:{gid} {}", wanted.1);
        }
    }
}
