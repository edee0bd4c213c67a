//! `udsadmin policy lint` on policies and files as they lie on a disk.

use super::super::lint::{faults, unread};
use super::super::others::may_write;
use super::{Cli, asked};
use crate::policy::lint::Id;
use clap::Parser;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const REACHING: &str = r#"
[allow]
users = ["root"]
[commands.shell]
exec = ["/bin/sh"]
stdin = "bytes"
[[commands.shell.allow]]
users = ["root"]
[commands.note]
exec = ["/bin/echo", "--", "{text}"]
args = [{ name = "text", text = { max-length = 9 } }]
accept = ["free-text: goes to nobody"]
[[commands.note.allow]]
users = ["root"]
[[test]]
peer = { user = "daemon" }
request = "shell"
expect = "deny"
"#;

#[test]
fn lint_tells_people_what_a_command_reaches_and_what_is_accepted() {
    let (status, out, err) = asked("lint", REACHING, &["lint"]);
    assert_eq!((status, &*err), (1, ""));
    assert!(out.starts_with("P:5:9: danger: shell: sh obeys its standard input"), "{out}");
    let rest = " [commands-from-input]\n  |\n5 | exec = [\"/bin/sh\"]\n  |         ^^^^^^^^^\n\n\
                accepted:\n  P:11:9: note: note: free-text: goes to nobody\n1 danger, 1 accepted\n";
    assert!(out.ends_with(rest), "{out}");
}

#[test]
fn lint_answers_programs_with_a_list() {
    let (status, out, _) = asked("lint-json", REACHING, &["lint", "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    let [danger] = found.as_array().unwrap().as_slice() else { panic!("{out}") };
    let fields: Vec<_> = danger.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((status, fields), (1, vec!["at", "command", "id", "level", "message"]));
    for (field, value) in
        [("level", "danger"), ("command", "shell"), ("at", "P:5:9"), ("id", "commands-from-input")]
    {
        assert_eq!(danger[field], *value);
    }
    let (_, out, _) = asked("lint-all", REACHING, &["lint", "--json", "--all"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found[1]["level"], &found[1]["accepted"]), (&"note".into(), &"goes to nobody".into()));
}

#[test]
fn lint_is_content_where_nothing_is_left_to_tell() {
    let accepted = REACHING.replace("[\"/bin/sh\"]", "[\"/bin/sh\"]\naccept = [\"root is root\"]");
    let (status, out, _) = asked("lint-accepted", &accepted, &["lint"]);
    assert_eq!(status, 0, "{out}");
    assert!(out.ends_with("\nnothing found, 2 accepted\n"), "{out}");
    let (status, out, _) = asked("lint-accepted-json", &accepted, &["lint", "--json"]);
    assert_eq!((status, &*out), (0, "[]\n"));
}

#[test]
fn lint_leaves_out_what_matters_less() {
    let text = REACHING.replace(
        "exec = [\"/bin/sh\"]",
        "exec = [\"/bin/cat\", \"--\", \"{x}\"]\nargs = [{ name = \"x\", text = { max-length = 9 } }]",
    );
    for (level, counts, status) in [
        ("note", "1 warning, 1 note, 1 accepted\n", 1),
        ("warning", "1 warning\n", 1),
        ("danger", "nothing found\n", 0),
    ] {
        let (code, out, _) = asked(level, &text, &["lint", "--level", level]);
        assert_eq!((code, out.lines().next_back().unwrap()), (status, counts.trim_end()), "{out}");
    }
    assert!(Cli::try_parse_from(["udsadmin", "lint", "--level", "grave"]).is_err());
}

#[test]
fn a_policy_with_an_error_is_not_linted() {
    let (status, out, err) = asked("lint-broken", "[alow]\n", &["lint"]);
    assert_eq!((status, &*out), (78, ""));
    assert!(err.contains("unknown key"), "{err}");
}

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("udsadmin-lint-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn kinds(path: &Path) -> Vec<Id> {
    faults(path).into_iter().map(|(id, ..)| id).collect()
}

#[test]
fn what_others_can_change_is_seen_in_the_file_and_in_its_interpreter() {
    let scratch = Scratch::new("script");
    // The directory of all temporary files is writable for everyone.
    let interpreter = scratch.file("interpreter", "");
    let script = scratch.file("script", &format!("#!{} -u\n", interpreter.display()));
    assert_eq!(kinds(&script), [Id::WRITABLE_SCRIPT, Id::WRITABLE_SCRIPT]);
    assert_eq!(kinds(&interpreter), [Id::WRITABLE_SCRIPT]);
    let looked_up = scratch.file("looked-up", "#!/usr/bin/env python3\n");
    assert_eq!(kinds(&looked_up), [Id::WRITABLE_SCRIPT, Id::FOUND_BY_PATH]);
}

#[test]
fn what_is_roots_alone_or_is_not_there_is_no_finding() {
    for path in ["/bin/sh", "/no/such/program", "/tmp", "/"] {
        assert_eq!(kinds(Path::new(path)), [], "{path}");
    }
}

#[test]
fn files_that_look_like_policies_and_are_none_are_told() {
    let scratch = Scratch::new("unread");
    for name in ["a.toml", "a.toml~", ".b.toml", "c.toml.bak", "d.toml.dpkg-old", "README", "README.md"] {
        scratch.file(name, "");
    }
    fs::create_dir(scratch.0.join("old")).unwrap();
    let names: Vec<_> = unread(Some(&scratch.0))
        .into_iter()
        .map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, [".b.toml", "a.toml~", "c.toml.bak", "d.toml.dpkg-old"]);
    assert_eq!(unread(Some(&scratch.0.join("a.toml"))), Vec::<String>::new());
}

#[test]
fn what_lies_beside_an_installed_policy_is_told_with_what_its_drop_ins_pass_over() {
    let scratch = Scratch::new("installed");
    fs::create_dir(scratch.0.join("policy.d")).unwrap();
    for name in ["policy.toml", "policy.toml~", "x.toml", "notes", "policy.d/a.toml", "policy.d/b.toml.bak"] {
        scratch.file(name, "");
    }
    let below = |path: String| path.strip_prefix(&format!("{}/", scratch.0.display())).unwrap().to_owned();
    let names: Vec<_> = unread(Some(&scratch.0)).into_iter().map(below).collect();
    assert_eq!(names, ["policy.toml~", "x.toml", "policy.d/b.toml.bak"]);
}

#[test]
fn a_script_in_a_directory_for_all_belongs_elsewhere() {
    let scratch = Scratch::new("for-all");
    let script = scratch.file("script", "");
    let [(_, _, message)] = &*faults(&script) else { panic!("not one finding") };
    assert!(
        message.ends_with("/script where only root may write") && !message.contains("chmod"),
        "{message}"
    );
}

#[test]
fn where_others_than_root_write_is_seen_from_owners_and_modes() {
    let scratch = Scratch::new("others");
    assert!(may_write(&scratch.0).is_some());
    for roots in ["/usr/bin/env", "/usr/share/doc", "/no/such/place"] {
        assert_eq!(may_write(Path::new(roots)), None, "{roots}");
    }
}
