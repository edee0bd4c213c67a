//! The steps of a new process on its way to its program, and which of them failed. Tells in words; mends nothing.

use crate::policy::Resource;
use std::fmt;
use std::io;

/// A step, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The word to go on, which came to nothing.
    Start,
    /// Entering the job's cgroup.
    Cgroup,
    /// Numbering and closing descriptors.
    Descriptors,
    /// Signals back to their defaults.
    Signals,
    /// A session of its own.
    Session,
    /// A session keyring of its own.
    Keyring,
    /// The score by which the kernel chooses whom to end when memory runs out.
    OomScore,
    /// The scheduling priority.
    Nice,
    /// The priority of input and output.
    Io,
    /// A namespace of its own for mounts, or for the network.
    Namespaces,
    /// A directory that stays writable.
    Except,
    /// Everything else read-only.
    ReadOnly,
    /// A /tmp and a /var/tmp of its own.
    PrivateTmp,
    /// The loopback interface of its own network.
    Network,
    /// A limit of resources.
    Limit(Resource),
    /// What a process of root's may and may not do by its id alone.
    SecureBits,
    /// The bounding set of capabilities.
    Bounding,
    /// The supplementary groups.
    Groups,
    /// The primary group.
    Group,
    /// The user.
    User,
    /// The capabilities, and those that outlive `execve(2)`.
    Capabilities,
    /// The working directory.
    Directory,
    /// That no program gives it more privileges.
    NoNewPrivileges,
    /// `execve(2)` itself.
    Program,
}

impl Step {
    /// Every step but the limits, which have a number for each resource after these, in words.
    const ALL: [(Self, &'static str); 23] = [
        (Self::Start, "the start"),
        (Self::Cgroup, "the cgroup"),
        (Self::Descriptors, "the descriptors"),
        (Self::Signals, "the signals"),
        (Self::Session, "the session"),
        (Self::Keyring, "the session keyring"),
        (Self::OomScore, "the OOM score"),
        (Self::Namespaces, "the namespaces"),
        (Self::Except, "a directory of read-only.except"),
        (Self::ReadOnly, "the read-only file systems"),
        (Self::PrivateTmp, "the private /tmp"),
        (Self::Network, "the private network"),
        (Self::Nice, "the priority"),
        (Self::Io, "the io priority"),
        (Self::SecureBits, "the securebits"),
        (Self::Bounding, "the bounding capabilities"),
        (Self::Groups, "the supplementary groups"),
        (Self::Group, "the group"),
        (Self::User, "the user"),
        (Self::Capabilities, "the capabilities"),
        (Self::Directory, "the working directory"),
        (Self::NoNewPrivileges, "no-new-privileges"),
        (Self::Program, "the program"),
    ];

    /// Every step, limits last.
    fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(step, _)| step).chain(Resource::ALL.into_iter().map(Self::Limit))
    }

    /// Its number on the line. Allocates nothing.
    fn number(self) -> u32 {
        Self::all().zip(0..).find(|(step, _)| *step == self).map_or(u32::MAX, |(_, number)| number)
    }

    fn numbered(number: u32) -> Option<Self> {
        Self::all().zip(0..).find(|(_, other)| *other == number).map(|(step, _)| step)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Limit(resource) = self {
            return write!(f, "the limit {}", resource.name());
        }
        let words = Self::ALL.iter().find(|(step, _)| step == self);
        f.write_str(words.map_or("a step", |(_, words)| words))
    }
}

/// Why a process never became its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotStarted {
    /// The first step that failed.
    pub step: Step,
    /// Its errno.
    pub errno: i32,
}

/// Octets of what the line carries.
pub const TOLD: usize = size_of::<u64>();

impl NotStarted {
    /// As the line carries it. Allocates nothing.
    pub(super) fn told(self) -> [u8; TOLD] {
        let errno = u64::from(self.errno.unsigned_abs());
        (u64::from(self.step.number()) << 32 | errno).to_ne_bytes()
    }

    /// What the line carried. A step that is none is a start that failed all the same.
    #[must_use]
    pub fn heard(told: [u8; TOLD]) -> Self {
        let told = u64::from_ne_bytes(told);
        let step = u32::try_from(told >> 32).ok().and_then(Step::numbered).unwrap_or(Step::Start);
        Self { step, errno: i32::try_from(told & u64::from(u32::MAX)).unwrap_or(libc::EIO) }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, nix::errno::Errno::from_raw(self.errno).desc())
    }
}

impl std::error::Error for NotStarted {}

impl From<NotStarted> for io::Error {
    fn from(why: NotStarted) -> Self {
        Self::new(Self::from_raw_os_error(why.errno).kind(), why)
    }
}

/// The kernel's number for an error: its own, or that of the step that failed.
#[must_use]
pub fn errno(error: &io::Error) -> Option<i32> {
    let step = || error.get_ref()?.downcast_ref::<NotStarted>().map(|why| why.errno);
    error.raw_os_error().or_else(step)
}

/// An error of one step.
pub(super) trait At<T> {
    /// Says which step it was. Allocates nothing.
    fn at(self, step: Step) -> Result<T, NotStarted>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, NotStarted> {
        self.map_err(|error| NotStarted { step, errno: error.into().raw_os_error().unwrap_or(libc::EIO) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_heard_as_it_was_told() {
        let told: Vec<_> = Step::all().map(|step| NotStarted { step, errno: libc::EPERM }).collect();
        let heard: Vec<_> = told.iter().map(|why| NotStarted::heard(why.told())).collect();
        assert_eq!(heard, told);
        assert_eq!(told.len(), Step::ALL.len() + Resource::ALL.len());
    }

    #[test]
    fn a_failed_step_is_told_in_words_and_keeps_its_number() {
        let why = NotStarted { step: Step::Directory, errno: libc::ENOENT };
        let error = io::Error::from(why);
        assert_eq!(error.to_string(), "the working directory: No such file or directory");
        assert_eq!((error.kind(), errno(&error)), (io::ErrorKind::NotFound, Some(libc::ENOENT)));
        let limit = NotStarted { step: Step::Limit(Resource::Nofile), errno: libc::EPERM };
        assert_eq!(limit.to_string(), "the limit nofile: Operation not permitted");
    }
}
