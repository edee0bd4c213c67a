//! Policies with mistakes, in tests/policies/broken, through the real program: what NAME.expected holds is all that it says,
//! and its exit status. `UDSADMIN_BLESS=1` writes these files anew: then read what changed.
//!
//! NAME.toml is installed as policy.toml, and the files of NAME.d, if there are any, as its drop-ins. What a file can't hold
//! is prepared here: its owner, its mode, its kind.

use crate::process::{command, is_root};
use crate::world::{Folder, UDSADMIN};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::BTreeMap;
use std::fs::{self, Permissions, create_dir, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where an administrator has the policy.
const INSTALLED: &str = "/etc/udsadmin";

/// The exit status for a policy that can't be used (`EX_CONFIG`, sysexits.h).
const REFUSED: &str = "exit 78\n";

/// The least number of policies that are refused.
const ENOUGH: usize = 140;

/// What makes a mistake of an installed policy.
type Spoil = fn(&Folder);

/// Mistakes that are none of the text, which is as good as empty.
const OF_FILES: [(&str, Spoil); 11] = [
    ("file-empty", |_| {}),
    ("file-missing", |folder| fs::remove_file(main_file(folder)).unwrap()),
    ("file-of-another-kind", |folder| {
        fs::remove_file(main_file(folder)).unwrap();
        mknodat(CWD, main_file(folder), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    }),
    ("file-is-a-link", |folder| {
        fs::rename(main_file(folder), folder.file("real.toml")).unwrap();
        symlink("real.toml", main_file(folder)).unwrap();
    }),
    ("file-for-nobody-to-read", |folder| set_mode(&main_file(folder), 0o200)),
    ("file-for-the-group-to-write", |folder| set_mode(&main_file(folder), 0o664)),
    ("file-for-everyone-to-write", |folder| set_mode(&main_file(folder), 0o666)),
    ("file-too-large", |folder| fs::write(main_file(folder), "#".repeat((4 << 20) + 1)).unwrap()),
    ("drop-in-for-everyone-to-write", |folder| {
        create_dir(folder.file("policy.d")).unwrap();
        fs::write(folder.file("policy.d/web.toml"), "").unwrap();
        set_mode(&folder.file("policy.d/web.toml"), 0o646);
    }),
    ("drop-ins-for-everyone-to-add", |folder| {
        create_dir(folder.file("policy.d")).unwrap();
        set_mode(&folder.file("policy.d"), 0o777);
    }),
    ("drop-in-is-a-directory", |folder| {
        create_dir(folder.file("policy.d")).unwrap();
        create_dir(folder.file("policy.d/web.toml")).unwrap();
    }),
];

fn main_file(folder: &Folder) -> PathBuf {
    folder.file("policy.toml")
}

fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn collection() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies/broken")
}

/// The names in the collection with this ending, without it.
fn names(ending: &str) -> Vec<String> {
    let all =
        fs::read_dir(collection()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    all.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    set_mode(to, 0o644);
}

/// A folder like /etc/udsadmin with a policy of the collection.
fn installed(name: &str) -> Folder {
    let folder = Folder::new();
    copy(&collection().join(format!("{name}.toml")), &main_file(&folder));
    if let Ok(drop_ins) = fs::read_dir(collection().join(format!("{name}.d"))) {
        create_dir(folder.file("policy.d")).unwrap();
        for file in drop_ins.map(Result::unwrap) {
            copy(&file.path(), &folder.file("policy.d").join(file.file_name()));
        }
    }
    folder
}

/// A folder with an empty policy, to be spoilt.
fn prepared(spoil: fn(&Folder)) -> Folder {
    let folder = Folder::new();
    fs::write(main_file(&folder), "").unwrap();
    set_mode(&main_file(&folder), 0o644);
    spoil(&folder);
    folder
}

/// Root reads what nobody may read, so it gives that power up.
fn as_anyone() -> Command {
    if !is_root() {
        return command(UDSADMIN);
    }
    let mut bare = command("setpriv");
    bare.args(["--bounding-set=-all", "--inh-caps=-all", UDSADMIN]);
    bare
}

/// All that `udsadmin check` says of the policy in a folder, and its exit status.
fn said_of(folder: &Folder) -> String {
    let mut check = as_anyone();
    check.arg("check").arg(main_file(folder));
    check.args(Some(folder.file("policy.d")).filter(|beside| beside.exists()));
    let done = check.output().unwrap();
    let said = String::from_utf8([done.stderr, done.stdout].concat()).unwrap();
    let shown = said.replace(folder.file("").to_str().unwrap().trim_end_matches('/'), INSTALLED);
    format!("{shown}exit {}\n", done.status.code().unwrap())
}

/// What is said of every policy, by its name.
fn everything_said() -> BTreeMap<String, String> {
    let texts = names(".toml").into_iter().map(|name| (name.clone(), said_of(&installed(&name))));
    let files = OF_FILES.map(|(name, spoil)| (name.to_owned(), said_of(&prepared(spoil))));
    texts.chain(files).collect()
}

#[expect(clippy::disallowed_methods, reason = "asks whoever runs the tests")]
fn is_to_be_blessed() -> bool {
    std::env::var_os("UDSADMIN_BLESS").is_some()
}

#[test]
fn every_mistake_is_told_in_these_words_with_its_place_and_a_picture() {
    let said = everything_said();
    let file = |name: &str| collection().join(format!("{name}.expected"));
    if is_to_be_blessed() {
        for (name, said) in &said {
            fs::write(file(name), said).unwrap();
        }
    }
    let mut expected = names(".expected");
    expected.sort();
    assert_eq!(expected, said.keys().cloned().collect::<Vec<_>>(), "UDSADMIN_BLESS=1 writes what is missing");
    let differs = |(name, said): &(&String, &String)| **said != fs::read_to_string(file(name)).unwrap();
    let wrong: Vec<String> =
        said.iter().filter(differs).map(|(name, said)| format!("{name}:\n{said}")).collect();
    assert!(wrong.is_empty(), "these are told in other words now:\n{}", wrong.join("\n"));
}

#[test]
fn enough_policies_are_refused_each_for_an_error() {
    let (refused, usable): (Vec<_>, Vec<_>) =
        everything_said().into_values().partition(|said| said.ends_with(REFUSED));
    assert!(refused.iter().all(|said| said.contains(": error: ")), "refused without an error");
    assert!(usable.iter().all(|said| !said.contains(": error: ")), "an error, and not refused");
    assert!(refused.len() >= ENOUGH, "only {}", refused.len());
}
