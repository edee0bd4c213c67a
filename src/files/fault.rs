//! What is wrong with a file: the path, the fact and what mends it. Says nothing about what the file means.

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

/// The fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The system refused to open or to list it.
    System(Errno),
    /// The system refused to read it.
    Io(io::ErrorKind),
    /// This user owns it, who isn't trusted.
    Owner(u32),
    /// Its group may write to it.
    GroupWritable,
    /// Everyone may write to it.
    OthersWritable,
    /// It is a symbolic link where there may be none.
    SymbolicLink,
    /// It is something else than a file.
    NotRegular,
    /// It is something else than a directory.
    NotDirectory,
    /// It is a directory, and nothing in it is a policy.
    NoPolicy,
    /// It is there, where nothing may be yet.
    Exists,
    /// Nobody may execute it.
    NotExecutable,
    /// A program's path begins elsewhere than at the root.
    NotAbsolute,
    /// There are more symbolic links on the way than the kernel itself follows.
    TooManyLinks,
    /// It is larger than a policy may be.
    TooLarge,
    /// It holds an octet that isn't UTF-8.
    NotUtf8,
    /// Another user, who reads it too, may not.
    Unreadable {
        /// Who.
        user: &'static str,
        /// The class of users whose permissions lack something: `u`, `g` or `o`.
        class: char,
        /// What is needed: `r`, `x` or `rx`.
        letters: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(Errno::NOENT) => f.write_str("does not exist"),
            Self::System(Errno::ACCESS) => f.write_str("permission denied"),
            Self::System(errno) => write!(f, "{}", io::Error::from(*errno)),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Owner(uid) => write!(f, "owned by uid {uid}; chown it to root"),
            Self::GroupWritable => f.write_str("writable by group; chmod g-w it"),
            Self::OthersWritable => f.write_str("writable by others; chmod o-w it"),
            Self::SymbolicLink => f.write_str("a symbolic link; put the file itself in its place"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::NotDirectory => f.write_str("not a directory"),
            Self::NoPolicy => f.write_str("holds no policy: no policy.toml, no policy.d, no *.toml"),
            Self::Exists => f.write_str("already exists"),
            Self::NotExecutable => f.write_str("not executable; chmod +x it"),
            Self::NotAbsolute => f.write_str("not an absolute path"),
            Self::TooManyLinks => f.write_str("too many symbolic links on the way"),
            Self::TooLarge => f.write_str("larger than 4 MiB; divide it into files of policy.d"),
            Self::NotUtf8 => f.write_str("not UTF-8; save it in that encoding"),
            Self::Unreadable { user, class, letters } => {
                let (able, does) =
                    if *letters == "x" { ("searchable", "looks into it") } else { ("readable", "reads it") };
                write!(f, "not {able} for user {user}, who {does} too; chmod {class}+{letters} it")
            }
        }
    }
}

/// A file that is not as it must be. `Display` names the path, the place if there is one, the fact and the
/// mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    path: PathBuf,
    place: Option<(u32, u32)>,
    fault: Fault,
}

impl FileError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), place: None, fault }
    }

    /// The place of the first octet that isn't UTF-8.
    pub(super) fn not_utf8(path: &Path, error: &FromUtf8Error) -> Self {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let text = String::from_utf8_lossy(good);
        let line = text.matches('\n').count();
        let column = text.chars().rev().take_while(|c| *c != '\n').count();
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        Self { place: Some((number(line), number(column))), ..Self::new(path, Fault::NotUtf8) }
    }

    /// Which file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line and the column in characters, both from 1, where the fact has a place.
    #[must_use]
    pub const fn place(&self) -> Option<(u32, u32)> {
        self.place
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether it could not be seen at all, for lack of permission.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.fault == Fault::System(Errno::ACCESS)
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.fault == Fault::System(Errno::NOENT)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for FileError {}
