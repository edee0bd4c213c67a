//! Policies with mistakes, in tests/policies/broken: each finding is told with its place, in these words.

use super::*;

/// The findings that a file of the collection expects: its lines that begin with `#: `.
fn expected(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("#: ")).collect()
}

/// `LINE:COLUMN: LEVEL: MESSAGE` of every finding.
fn findings(text: &str) -> Vec<String> {
    let findings = parse(text).map_or_else(|errors| errors, |loaded| loaded.warnings);
    let shown = findings.iter().map(ToString::to_string);
    shown.map(|line| line.strip_prefix("policy.toml:").unwrap().to_owned()).collect()
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let directory = project_file("tests/policies/broken");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = findings(&text);
        if found.is_empty() || found != expected(&text) {
            wrong.push(format!("{}\n#: {}\n", path.display(), found.join("\n#: ")));
        }
    }
    assert!(wrong.is_empty(), "these files should end with:\n{}", wrong.concat());
}
