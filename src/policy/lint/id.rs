//! The names of what lint finds, for ever the same: docs/lint.md explains each. Refuses no new ones, and renames none.

use super::super::nearest::did_you_mean;
use std::fmt;

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(&'static str);

impl Id {
    /// A value is read as an option of the program.
    pub const OPTION_VALUE: Self = Self("option-value");
    /// A value is free where the program takes files to write, programs or code.
    pub const FREE_VALUE: Self = Self("free-value");
    /// A value names any file to be shown.
    pub const READS_ANY_FILE: Self = Self("reads-any-file");
    /// A value becomes part of code.
    pub const CODE_FROM_VALUE: Self = Self("code-from-value");
    /// A value is handed to a shell's script.
    pub const SHELL_ARGUMENT: Self = Self("shell-argument");
    /// The program to be run is a value.
    pub const ANY_PROGRAM: Self = Self("any-program");
    /// Standard input holds commands.
    pub const COMMANDS_FROM_INPUT: Self = Self("commands-from-input");
    /// Standard input holds files.
    pub const FILES_FROM_INPUT: Self = Self("files-from-input");
    /// A value names software to be installed.
    pub const INSTALLS_ANY: Self = Self("installs-any");
    /// A value names an account that is changed.
    pub const CHANGES_ACCOUNTS: Self = Self("changes-accounts");
    /// A value names any systemd unit.
    pub const ANY_UNIT: Self = Self("any-unit");
    /// A value leaves the directory before it.
    pub const LEAVES_DIRECTORY: Self = Self("leaves-directory");
    /// Others may change the script or its interpreter.
    pub const WRITABLE_SCRIPT: Self = Self("writable-script");
    /// Others may write the file that the program obeys or unpacks.
    pub const FILE_OF_OTHERS: Self = Self("file-of-others");
    /// The interpreter is looked up by its name.
    pub const FOUND_BY_PATH: Self = Self("found-by-path");
    /// Text of any characters.
    pub const FREE_TEXT: Self = Self("free-text");
    /// A pattern that matches almost everything.
    pub const BROAD_PATTERN: Self = Self("broad-pattern");
    /// A pattern's dot that stands between letters.
    pub const UNESCAPED_DOT: Self = Self("unescaped-dot");
    /// A pattern's alternatives that hold more, or less, than it seems.
    pub const LOOSE_ALTERNATIVE: Self = Self("loose-alternative");
    /// A range of characters that holds others than it seems.
    pub const ODD_RANGE: Self = Self("odd-range");
    /// A pattern without regard to case.
    pub const ANY_CASE: Self = Self("any-case");
    /// A class of characters of every script.
    pub const EVERY_SCRIPT: Self = Self("every-script");
    /// A pattern that matches control characters.
    pub const CONTROL_CHARACTERS: Self = Self("control-characters");
    /// A capability that is as good as all of them.
    pub const AS_GOOD_AS_ROOT: Self = Self("as-good-as-root");
    /// A variable by which the loader takes code.
    pub const LOADER_VARIABLE: Self = Self("loader-variable");
    /// Others may write to a directory in which programs are looked up.
    pub const OPEN_SEARCH_PATH: Self = Self("open-search-path");
    /// What the program makes is writable for everybody.
    pub const LOOSE_UMASK: Self = Self("loose-umask");
    /// Root, behind walls that are none to it.
    pub const WALLS_AROUND_ROOT: Self = Self("walls-around-root");
    /// A command that nobody may run.
    pub const GRANTED_TO_NOBODY: Self = Self("granted-to-nobody");
    /// A rule for someone who may not connect.
    pub const CANNOT_CONNECT: Self = Self("cannot-connect");
    /// A policy that lets nobody connect.
    pub const NOBODY_CONNECTS: Self = Self("nobody-connects");
    /// A rule that permits nothing which another doesn't.
    pub const SHADOWED_RULE: Self = Self("shadowed-rule");
    /// A rule whose times have gone by.
    pub const RULE_IN_THE_PAST: Self = Self("rule-in-the-past");
    /// A deny of someone who could not connect anyway.
    pub const IDLE_DENY: Self = Self("idle-deny");
    /// A built-in granted to someone who may not connect.
    pub const BUILTIN_FOR_NOBODY: Self = Self("builtin-for-nobody");
    /// Someone may connect, and run nothing.
    pub const MAY_DO_NOTHING: Self = Self("may-do-nothing");
    /// A command for a very large group.
    pub const GRANTED_WIDELY: Self = Self("granted-widely");
    /// No test.
    pub const NO_TESTS: Self = Self("no-tests");
    /// A file beside the policy that is not read.
    pub const FILE_NOT_READ: Self = Self("file-not-read");
    /// An `accept` without a finding.
    pub const ACCEPTS_NOTHING: Self = Self("accepts-nothing");
    /// A warning of the policy's reader.
    pub const READER_WARNING: Self = Self("reader-warning");

    /// Every one.
    pub const ALL: [Self; 41] = [
        Self::OPTION_VALUE,
        Self::FREE_VALUE,
        Self::READS_ANY_FILE,
        Self::CODE_FROM_VALUE,
        Self::SHELL_ARGUMENT,
        Self::ANY_PROGRAM,
        Self::COMMANDS_FROM_INPUT,
        Self::FILES_FROM_INPUT,
        Self::INSTALLS_ANY,
        Self::CHANGES_ACCOUNTS,
        Self::ANY_UNIT,
        Self::LEAVES_DIRECTORY,
        Self::WRITABLE_SCRIPT,
        Self::FILE_OF_OTHERS,
        Self::FOUND_BY_PATH,
        Self::FREE_TEXT,
        Self::BROAD_PATTERN,
        Self::UNESCAPED_DOT,
        Self::LOOSE_ALTERNATIVE,
        Self::ODD_RANGE,
        Self::ANY_CASE,
        Self::EVERY_SCRIPT,
        Self::CONTROL_CHARACTERS,
        Self::AS_GOOD_AS_ROOT,
        Self::LOADER_VARIABLE,
        Self::OPEN_SEARCH_PATH,
        Self::LOOSE_UMASK,
        Self::WALLS_AROUND_ROOT,
        Self::GRANTED_TO_NOBODY,
        Self::CANNOT_CONNECT,
        Self::NOBODY_CONNECTS,
        Self::SHADOWED_RULE,
        Self::RULE_IN_THE_PAST,
        Self::IDLE_DENY,
        Self::BUILTIN_FOR_NOBODY,
        Self::MAY_DO_NOTHING,
        Self::GRANTED_WIDELY,
        Self::NO_TESTS,
        Self::FILE_NOT_READ,
        Self::ACCEPTS_NOTHING,
        Self::READER_WARNING,
    ];

    /// The kind of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.0 == name)
    }

    /// What to write for a name that is none: one that is close, or else those that share a word with it.
    pub(super) fn close_to(name: &str) -> String {
        let shares = |id: &&str| id.split('-').any(|part| name.split('-').any(|other| part == other));
        let akin: Vec<&str> = Self::ALL.iter().map(|id| id.0).filter(shares).collect();
        match did_you_mean(name, Self::ALL.iter().map(|id| id.0)) {
            close if !close.is_empty() => close,
            _ if akin.is_empty() => {
                "; lint.md lists what it finds; write a plain reason without a colon behind its first word"
                    .to_owned()
            }
            _ => format!("; close to it are {}", akin.join(", ")),
        }
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
