//! What a sudoers text says, as sudoers(5) has it and as it is written. Resolves no alias and judges nothing.

use crate::policy::{Diagnostic, Source};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// Where something stands: a file, its line (from 1), and the octets there.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) source: Rc<Source>,
    pub(super) line: usize,
    pub(super) span: Range<usize>,
}

impl At {
    /// An error at this place.
    pub(super) fn error(&self, message: &str) -> Diagnostic {
        Diagnostic::error_in(&self.source, &self.span, message)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.name, self.line)
    }
}

/// One of a list: later ones count more, and one with `!` takes out what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member<T> {
    pub(super) negated: bool,
    pub(super) what: T,
}

/// Who, in a list of users or of run-as users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    All,
    /// A name; of a `User_Alias` or `Runas_Alias` where there is one.
    Name(String),
    Uid(u32),
    Group(String),
    Gid(u32),
    /// A netgroup, or a group that only a plugin of sudo knows; as written.
    Foreign(String),
}

/// Which machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    All,
    /// A name; of a `Host_Alias` where there is one.
    Name(String),
    /// An address, a network, a netgroup or a pattern, as written.
    Unsure(String),
}

/// What follows a program's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// Nothing: whatever the caller gives.
    Any,
    /// `""`: nothing may follow.
    None,
    /// Words as fnmatch(3) is given them: a backslash there takes the meaning of what follows it.
    These(Vec<String>),
    /// A regular expression of all that follows.
    Regex,
}

/// What may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    All,
    /// `sudoedit`.
    Edit,
    /// `list`.
    List,
    Alias(String),
    Directory,
    /// A program by a regular expression.
    Regex,
    Program(String, Words),
}

/// A command, as written and as read.
#[derive(Clone, Debug)]
pub(super) struct Cmnd {
    pub(super) text: String,
    pub(super) digest: bool,
    pub(super) what: What,
}

/// As whom a command runs: what stands between the parentheses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runas {
    pub(super) users: Vec<Member<User>>,
    pub(super) groups: Vec<Member<User>>,
}

/// What holds for a command, and for those that follow it up to the end of their list.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) runas: Option<Rc<Runas>>,
    /// By the tag's positive name: `PASSWD` is false for `NOPASSWD`.
    pub(super) tags: BTreeMap<&'static str, bool>,
    /// `TIMEOUT=` and its like.
    pub(super) options: BTreeMap<&'static str, String>,
}

/// One command of a user specification.
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) at: At,
    pub(super) terms: Terms,
    pub(super) cmnd: Member<Cmnd>,
}

/// `HOSTS = COMMANDS`.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) hosts: Vec<Member<Host>>,
    pub(super) permissions: Vec<Permission>,
}

/// `USERS HOSTS = COMMANDS : HOSTS = COMMANDS`.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) users: Vec<Member<User>>,
    pub(super) shares: Vec<Share>,
}

/// For whom a line of `Defaults` is.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    Everything,
    Commands(Vec<Member<Cmnd>>),
    /// Some hosts, users or run-as users; which, is never looked at.
    Some,
}

/// One setting of a line of `Defaults`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) at: At,
    pub(super) scope: Rc<Scope>,
    /// As written, `Defaults` and the scope included.
    pub(super) text: String,
    pub(super) name: String,
    /// Switched off by an odd number of `!`.
    pub(super) off: bool,
    /// What follows `=`, `+=` or `-=`.
    pub(super) value: Option<String>,
    /// Whether it is `-=`.
    pub(super) removes: bool,
}

/// The list that an alias stands for.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Users(Vec<Member<User>>),
    Runas(Vec<Member<User>>),
    Hosts(Vec<Member<Host>>),
    Commands(Vec<Member<Cmnd>>),
}

/// The definition of an alias.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) at: At,
    pub(super) name: String,
    pub(super) list: Named,
}

/// What one line of sudoers can be.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Aliases(Vec<Alias>),
    Defaults(Vec<Setting>),
    Spec(Spec),
    /// A file, or every file of a directory.
    Include {
        at: At,
        path: String,
        directory: bool,
    },
}
