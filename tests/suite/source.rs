//! What the sources hold and what they must not: an invariant that no run can show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the library, without its comments.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path below `src`.
    pub(crate) path: String,
    /// Its code, tests included.
    pub(crate) code: String,
}

impl Source {
    /// The module at the crate's root that it belongs to; `None` for the root itself.
    pub(crate) fn module(&self) -> Option<&str> {
        let first = self.path.split('/').next().unwrap().trim_end_matches(".rs");
        (first != "lib").then_some(first)
    }

    /// The code that is built into the programs.
    fn shipped(&self) -> &str {
        let is_test =
            |part: &str| part.ends_with("tests.rs") || part.ends_with("properties.rs") || part == "tests";
        if self.path.split('/').any(is_test) {
            return "";
        }
        self.code.split("#[cfg(test)]\nmod ").next().unwrap()
    }
}

/// Every source file.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    collect(&root, &root, &mut all);
    assert!(all.len() > 50, "too few sources: {}", all.len());
    all
}

fn collect(root: &Path, folder: &Path, all: &mut Vec<Source>) {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            all.push(Source { path: name, code: without_comments(&fs::read_to_string(&path).unwrap()) });
        }
    }
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// Whether the text occurs, where it does not go on as a longer word.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, rest) = code.split_at(at);
        let (before, after) = (before.chars().next_back(), rest.chars().nth(word.chars().count()));
        let goes_on = word.ends_with(is_part) && after.is_some_and(is_part);
        let began_before = word.starts_with(is_part) && before.is_some_and(is_part);
        !goes_on && (!began_before || word.ends_with('('))
    })
}

fn files_with(words: &[&str], is_excused: impl Fn(&Source) -> bool) -> Vec<String> {
    let holds = |source: &Source| words.iter().any(|word| has_word(source.shipped(), word));
    sources()
        .into_iter()
        .filter(|source| !is_excused(source) && holds(source))
        .map(|source| source.path)
        .collect()
}

fn is_client(source: &Source) -> bool {
    source.module() == Some("client")
}

#[test]
fn the_daemons_bind_chown_and_unlink_nothing() {
    let calls = ["::bind(", "::bind_addr(", "chownat(", "unlink(", "unlinkat("];
    assert_eq!(files_with(&calls, is_client), Vec::<String>::new());
    // A job is given the pipes that it writes, and a fact of the ledger is taken back: neither is a socket.
    assert_eq!(files_with(&["chown("], is_client), ["execution/streams.rs"]);
    assert_eq!(files_with(&["remove_file("], is_client), ["broker/ledger.rs"]);
    assert_eq!(files_with(&["::bind("], |_| false), ["client/demo.rs"], "the search finds what is there");
}

#[test]
fn unsafe_code_stays_in_its_one_module() {
    let is_sys = |source: &Source| source.module() == Some("sys");
    let words =
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "unsafe(", "unsafe_code"];
    assert_eq!(files_with(&words, is_sys), Vec::<String>::new());
    assert!(files_with(&words, |_| false).len() > 1, "the search finds what is there");
}

#[test]
fn no_program_is_started_but_by_the_one_door_and_none_of_them_is_a_shell() {
    let is_excused = |source: &Source| source.path.starts_with("sys/spawn/") || is_client(source);
    assert_eq!(
        files_with(&["Command::new", "posix_spawn", "fork", "execve"], is_excused),
        Vec::<String>::new()
    );
    assert_eq!(files_with(&["\"-c\"", "/bin/sh", "/bin/bash"], |_| false), Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for source in sources() {
        let text = fs::read_to_string(root.join(&source.path)).unwrap();
        assert!(text.starts_with("//! "), "{}", source.path);
    }
}

/// The names in the last column of the table of invariants.
fn tests_of_invariants(text: &str) -> Vec<&str> {
    let (_, table) = text.split_once("## Invariants").unwrap();
    let cells = table.lines().filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.filter(|name| name.contains('_')).collect()
}

#[test]
fn every_invariant_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let folders = [root.join("tests/suite"), root.join("tests/system/scenarios"), root.join("src")];
    let tests: String = folders.iter().map(|folder| everything_in(folder)).collect();
    let is_there = |name: &&str| ["fn ", "def "].iter().any(|word| tests.contains(&format!("{word}{name}(")));
    let (found, missing): (Vec<_>, Vec<_>) = tests_of_invariants(&names).into_iter().partition(is_there);
    assert_eq!(missing, Vec::<&str>::new());
    assert!(found.len() >= 20, "the search finds what is there: {found:?}");
}

fn everything_in(folder: &Path) -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { everything_in(&path) } else { read(&path) }).collect()
}

/// The fields of events that some file names; not what `execution` puts into the environment of a job.
fn fields_of_events() -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut all = BTreeSet::new();
    for source in sources().iter().filter(|source| source.module() != Some("execution")) {
        let named = source.shipped().split("\"UDSADMIN_").skip(1).filter_map(|rest| rest.split('"').next());
        all.extend(named.filter(|name| !name.is_empty() && name.chars().all(is_name)).map(str::to_owned));
    }
    all
}

#[test]
fn every_field_of_an_event_stands_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md");
    let text = fs::read_to_string(path).unwrap();
    let (missing, told): (Vec<_>, Vec<_>) = fields_of_events()
        .into_iter()
        .partition(|name| !text.contains(&format!("`UDSADMIN_{}`", name.trim_end_matches('_'))));
    assert_eq!(missing, ["ARG_"], "ARG_ stands there as UDSADMIN_ARG_NAME");
    assert!(
        text.contains("`UDSADMIN_ARG_NAME`") && told.len() > 15,
        "the search finds what is there: {told:?}"
    );
}
