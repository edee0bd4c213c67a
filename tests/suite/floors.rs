//! The floors: a file imports only from floors below its own. Tests inside a file are no exception.

use crate::source::{Source, sources};

/// The modules by floor, the lowest first. Within one floor none imports another.
const FLOORS: [&[&str]; 9] = [
    &["identity", "request"],
    &["policy", "protocol"],
    &["sys", "files", "accounts", "limits", "audit"],
    &["execution", "transport"],
    &["broker"],
    &["session"],
    &["server"],
    &["client"],
    &["bin"],
];

fn floor(module: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&module)).unwrap_or_else(|| panic!("{module} has no floor"))
}

/// The modules at the crate's root that a file names.
fn imports(source: &Source) -> Vec<String> {
    let mut all: Vec<String> = ["crate::", "udsadmin::"]
        .iter()
        .flat_map(|root| source.code.split(root).skip(1))
        .flat_map(names_at_the_start)
        .collect();
    if source.path.split('/').count() == 1
        || source.path.ends_with("/mod.rs") && source.path.matches('/').count() == 1
    {
        let climbing = source.code.lines().filter_map(|line| line.strip_prefix("use super::"));
        all.extend(climbing.flat_map(names_at_the_start));
    }
    all
}

/// `a` of `a::b`; `a` and `b` of `{a::c, b}`.
fn names_at_the_start(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names) = (0, vec![name(group)]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_file_imports_only_from_floors_below_its_own() {
    let mut climbs = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        for import in imports(&source) {
            if import != module && floor(&import) >= floor(module) {
                climbs.push(format!("{} imports {import}", source.path));
            }
        }
    }
    assert_eq!(climbs, Vec::<String>::new());
}

#[test]
fn every_import_is_seen_however_it_is_written() {
    let code = "use crate::a::B;\nuse crate::{b::{c, d}, e};\nuse super::f;\nfn g() { crate::h::i() }\n";
    let source = Source { path: "x.rs".to_owned(), code: code.to_owned() };
    assert_eq!(imports(&source), ["a", "b", "e", "h", "f"]);
}
