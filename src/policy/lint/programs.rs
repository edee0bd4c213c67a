//! The table of programs that do more than their names say. Knows programs by their file names, and opens none.

use super::Level;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The table, with its sources; programs.toml explains each key.
const TABLE: &str = include_str!("programs.toml");

/// Programs of the same behaviour stand for each other over this many names at most.
const SAME_MAX: usize = 3;

/// What a program does with arguments of somebody else's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Power {
    /// Runs programs or code.
    Shell,
    /// Writes files.
    Write,
    /// Shows files.
    Read,
    /// Installs software.
    Install,
    /// Changes users, or what they may do.
    Account,
}

/// What a program's standard input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Input {
    /// Commands.
    Commands,
    /// Files and what is in them.
    Files,
}

/// Where a fact stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Authority {
    /// The collection `GTFOBins`.
    #[default]
    Gtfobins,
    /// The program's manual page.
    Manual,
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gtfobins => "gtfobins.github.io",
            Self::Manual => "its manual page",
        })
    }
}

/// A program of the table.
#[expect(clippy::struct_excessive_bools, reason = "a row of a table: each is a column of its own")]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Program {
    pub(super) can: Power,
    #[serde(default)]
    pub(super) source: Authority,
    #[serde(default)]
    pub(super) code: Vec<String>,
    #[serde(default)]
    pub(super) script: bool,
    #[serde(default)]
    pub(super) obeys: Vec<String>,
    #[serde(default)]
    pub(super) obeys_when: Vec<String>,
    #[serde(default)]
    pub(super) values: Vec<String>,
    #[serde(default)]
    pub(super) skips: usize,
    pub(super) module: Option<String>,
    #[serde(default)]
    pub(super) quotes: bool,
    #[serde(default)]
    pub(super) wraps: bool,
    #[serde(default)]
    pub(super) verbs: Vec<String>,
    #[serde(default)]
    pub(super) units: bool,
    pub(super) narrow: Option<Level>,
    #[serde(default)]
    pub(super) bundled: bool,
    pub(super) stdin: Option<Input>,
    #[serde(default)]
    pub(super) when: Vec<String>,
    #[serde(default)]
    pub(super) unless: Vec<String>,
}

/// A row: a program, or the name of one that behaves the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Same(Same),
    Program(Program),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Same {
    same_as: String,
}

/// A table that can't be read is empty, which a test would notice.
static PROGRAMS: LazyLock<BTreeMap<String, Row>> =
    LazyLock::new(|| toml::from_str(TABLE).unwrap_or_default());

/// The program of that file name: exactly, or without what tells its version or flavour.
pub(super) fn find(file_name: &str) -> Option<&'static Program> {
    let is_version = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    let stem = file_name.split('.').next().unwrap_or_default();
    let spellings = [file_name, stem].map(|name| [name, name.trim_end_matches(is_version)]);
    spellings.as_flattened().iter().find_map(|name| known(name, SAME_MAX))
}

fn known(name: &str, hops: usize) -> Option<&'static Program> {
    match PROGRAMS.get(name)? {
        Row::Program(program) => Some(program),
        Row::Same(same) => known(&same.same_as, hops.checked_sub(1)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_read() {
        let read: Result<BTreeMap<String, Row>, _> = toml::from_str(TABLE);
        let table = read.unwrap();
        assert!(table.len() >= 300, "{}", table.len());
        for name in table.keys() {
            assert!(find(name).is_some(), "{name}: same-as leads nowhere");
        }
    }

    #[test]
    fn a_row_makes_sense() {
        for (name, row) in PROGRAMS.iter() {
            let Row::Program(program) = row else { continue };
            let conditions = !program.when.is_empty() || !program.unless.is_empty();
            assert!(!conditions || program.stdin.is_some(), "{name}: a condition of nothing");
            assert!(
                program.obeys_when.is_empty() || !program.obeys.is_empty(),
                "{name}: a condition of nothing"
            );
            assert!(!program.quotes || !program.code.is_empty(), "{name}: a shell takes code");
        }
    }

    #[test]
    fn a_program_is_known_without_its_version_and_flavour() {
        for (name, like) in [
            ("python3.12", "python"),
            ("python3", "python"),
            ("vim.tiny", "vi"),
            ("lua5.4", "lua"),
            ("php8.2", "php"),
            ("nc.openbsd", "nc"),
            ("gcc-12", "gcc"),
            ("perl5.36-x86_64-linux-gnu", "perl"),
            ("mkfs.ext4", "mkfs"),
            ("ld-linux-x86-64.so.2", "ld.so"),
            ("emacs-29.1", "emacs"),
            ("7z", "7z"),
        ] {
            let same = find(name).zip(find(like)).is_some_and(|(one, other)| std::ptr::eq(one, other));
            assert!(same, "{name}");
        }
        for unknown in
            ["", "-", ".", "3", "python-config", "catalogue", "vimage", "systemd-networkd", "rediscli"]
        {
            assert!(find(unknown).is_none(), "{unknown}");
        }
    }
}
