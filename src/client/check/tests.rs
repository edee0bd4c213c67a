//! Tests of the check on real files, as root or as anyone.

use super::*;
use crate::identity::{Groups, Uid};
use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::fs::PermissionsExt;

const COMMANDS: &str = "\
[allow]
users = [\"root\"]
[commands.one]
exec = [\"/bin/sh\"]
[[commands.one.allow]]
users = [\"root\"]
[commands.two]
exec = [\"/bin/sh\"]
";
const RULES: &str = "[[commands.two.allow]]\ngroups = [\"no such group\"]\n";

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("udsadmin-check-{test}-{}", std::process::id()));
        create_dir(&path).unwrap();
        set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// What a check says of these files on each of the two streams, without the directory's name, and its
    /// status.
    fn check(&self, files: &[&Path], json: bool) -> (ExitCode, String, String) {
        let files = files.iter().map(|path| path.to_path_buf()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&CheckArgs { files, json, policy: None }, &mut out, &mut err).unwrap();
        let [out, err] = [out, err]
            .map(|octets| String::from_utf8(octets).unwrap().replace(&format!("{}/", self.0.display()), ""));
        (code, out, err)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn several_files_make_one_policy() {
    let scratch = Scratch::new("several");
    let (commands, rules) = (scratch.file("commands.toml", COMMANDS), scratch.file("rules.toml", RULES));
    let (code, out, err) = scratch.check(&[&rules, &commands], false);
    assert_eq!(
        (code, out.as_str()),
        (ExitCode::SUCCESS, "rules.toml and 1 more: ok, 2 commands, 1 warning\n")
    );
    let picture = "  |\n2 | groups = [\"no such group\"]\n  |           ^^^^^^^^^^^^^^^\n";
    let line = "rules.toml:2:11: warning: no such group: \"no such group\"; this matches nobody\n";
    assert_eq!(err, line.to_owned() + picture);
    let (code, out, err) = scratch.check(&[&rules], false);
    assert_eq!((code, out.as_str()), (ExitCode::from(EX_CONFIG), ""));
    assert!(err.contains("rules.toml:1:12: error: no file defines command \"two\"\n"), "{err}");
    assert!(err.ends_with("rules.toml: 1 error, 1 warning\n"), "{err}");
}

#[test]
fn a_directory_stands_for_its_policies() {
    let scratch = Scratch::new("directory");
    scratch.file("commands.toml", COMMANDS);
    scratch.file("rules.toml", RULES);
    scratch.file("notes.txt", "not a policy");
    let (code, out, _) = scratch.check(&[&scratch.0], false);
    assert_eq!(code, ExitCode::SUCCESS);
    assert!(out.ends_with(": ok, 2 commands, 1 warning\n"), "{out}");
}

#[test]
fn a_program_that_is_not_there_is_a_warning() {
    let scratch = Scratch::new("missing");
    let policy = scratch.file("p.toml", &COMMANDS.replacen("/bin/sh", "/no/such/program", 1));
    let (code, out, err) = scratch.check(&[&policy], false);
    assert_eq!((code, &*out), (ExitCode::SUCCESS, "p.toml: ok, 2 commands, 2 warnings\n"));
    assert!(err.contains("p.toml:4:9: warning: /no: does not exist; this command can't be run\n"), "{err}");
}

#[test]
fn a_program_that_others_may_write_is_an_error_in_the_policy() {
    let scratch = Scratch::new("program");
    let program = scratch.file("program", "");
    set_permissions(&program, Permissions::from_mode(0o757)).unwrap();
    let policy = scratch.file("p.toml", &COMMANDS.replacen("/bin/sh", program.to_str().unwrap(), 1));
    let (code, _, err) = scratch.check(&[&policy], false);
    assert_eq!(code, ExitCode::from(EX_CONFIG));
    assert!(err.contains("p.toml:4:9: error: program: writable by others"), "{err}");
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let scratch = Scratch::new("writable");
    let policy = scratch.file("p.toml", COMMANDS);
    set_permissions(&policy, Permissions::from_mode(0o666)).unwrap();
    let told = "p.toml: error: writable by others; chmod o-w it\np.toml: 1 error\n".to_owned();
    assert_eq!(scratch.check(&[&policy], false), (ExitCode::from(EX_CONFIG), String::new(), told));
}

/// The lines about what this directory holds, for a reader who is a stranger to it.
fn hidden(scratch: &Scratch) -> Vec<String> {
    let (uid, groups) = (Uid::new(61_234).unwrap(), Groups::new());
    let reader = Reader { name: "reader", uid, groups };
    let outcome =
        check_installed(&scratch.0.join("policy.toml"), Some(&reader), &Database, server::policy::check);
    let lines: Vec<_> =
        outcome.findings.iter().map(|found| found.text.lines().next().unwrap_or_default()).collect();
    assert_eq!(outcome.loaded.is_none(), lines.iter().any(|line| line.contains(": error: ")), "{lines:?}");
    let here = scratch.0.to_str().unwrap();
    lines.iter().filter(|line| line.contains("user reader")).map(|line| line.replace(here, ".")).collect()
}

fn chmod(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn where_nothing_is_installed_the_finding_says_what_to_do() {
    let scratch = Scratch::new("nothing");
    let outcome =
        check_installed(&scratch.0.join("none/policy.toml"), None, &Database, server::policy::check);
    let advice = "does not exist; install udsadmin, or name a file: udsadmin check FILE";
    let told: Vec<_> = outcome.findings.iter().map(|found| (&*found.text, &*found.message)).collect();
    assert_eq!(told, [(&*format!("{}/none: error: {advice}", scratch.0.display()), advice)]);
    assert!(outcome.loaded.is_none());
}

#[test]
fn a_policy_that_the_server_cannot_read_is_refused() {
    let scratch = Scratch::new("reader");
    let (policy, beside) = (scratch.file("policy.toml", COMMANDS), scratch.0.join("policy.d"));
    create_dir(&beside).unwrap();
    chmod(&beside, 0o755);
    let drop_in = scratch.file("policy.d/web.toml", "");
    assert_eq!(hidden(&scratch), Vec::<String>::new());
    let fault = "for user reader, who reads it too; chmod";
    let web = format!("./policy.d/web.toml: error: not readable {fault} o+r it");
    chmod(&drop_in, 0o600);
    assert_eq!(hidden(&scratch), std::slice::from_ref(&web));
    let main = format!("./policy.toml: error: not readable {fault} o+r it");
    let directory = format!("./policy.d: error: not readable {fault} o+rx it");
    chmod(&beside, 0o700);
    chmod(&policy, 0o600);
    assert_eq!(hidden(&scratch), [main, directory, web]);
}

#[test]
fn a_directory_that_the_server_cannot_pass_is_refused() {
    let scratch = Scratch::new("pass");
    let bin = scratch.0.join("bin");
    create_dir(&bin).unwrap();
    let program = scratch.file("bin/program", "");
    chmod(&program, 0o755);
    scratch.file("policy.toml", &COMMANDS.replacen("/bin/sh", program.to_str().unwrap(), 1));
    chmod(&bin, 0o700);
    let fault = "error: ./bin: not searchable for user reader, who looks into it too; chmod o+x it";
    assert_eq!(hidden(&scratch), [format!("./policy.toml:4:9: {fault}")]);
    chmod(&bin, 0o711);
    assert_eq!(hidden(&scratch), Vec::<String>::new());
    chmod(&scratch.0, 0o700);
    let fault = "not searchable for user reader, who looks into it too; chmod o+x it";
    assert_eq!(hidden(&scratch), [format!(".: error: {fault}")]);
}

#[test]
fn programs_get_a_list() {
    let scratch = Scratch::new("json");
    let broken = scratch.file("p.toml", "[allow]\nusers = \"\u{1b}\"\n");
    let (code, out, err) = scratch.check(&[&broken], true);
    assert_eq!((code, err.as_str()), (ExitCode::from(EX_CONFIG), ""));
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let message = "a control character, U+001B; save the file as plain text in UTF-8";
    let expected = serde_json::json!([
        { "level": "error", "file": "p.toml", "line": 2, "column": 10, "message": message }
    ]);
    assert_eq!(list, expected);
    let missing = scratch.0.join("missing.toml");
    let (_, out, _) = scratch.check(&[&missing], true);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!([
        { "level": "error", "file": "missing.toml", "line": null, "column": null, "message": "does not exist" }
    ]);
    assert_eq!(list, expected);
    let good = scratch.file("good.toml", "");
    assert_eq!(scratch.check(&[&good], true), (ExitCode::SUCCESS, "[]\n".to_owned(), String::new()));
}

#[test]
fn a_failing_test_of_its_author_refuses_the_policy() {
    let scratch = Scratch::new("author");
    let test = |user: &str, request: &str, expect: &str| {
        format!(
            "{COMMANDS}[[commands.one.allow]]\ngroups = [\"root\"]\n\n[[test]]\npeer = {{ user = {user}, groups = [\"no such group\"] }}\nrequest = \"{request}\"\nexpect = \"{expect}\"\n"
        )
    };
    for (user, request, expect, finding) in [
        ("\"root\"", "one", "permit", None),
        ("\"no such user\"", "one", "deny", None),
        ("4711", "one", "deny", None),
        ("\"root\"", "one", "deny", Some("\"one\" is permitted, by ")),
        ("4711", "one", "permit", Some("\"one\" is denied: no rule lets this peer connect")),
        ("\"root\"", "one 'a", "permit", Some("is no request: column 5: ")),
        ("\"root\"", "whoami", "permit", Some("is no request: not the name of a command")),
    ] {
        let policy = scratch.file("p.toml", &test(user, request, expect));
        let (code, _, err) = scratch.check(&[&policy], false);
        let expected = if finding.is_some() { ExitCode::from(EX_CONFIG) } else { ExitCode::SUCCESS };
        assert_eq!(code, expected, "{user} {request} {expect}: {err}");
        assert!(
            finding.is_none_or(
                |finding| err.contains(finding) && err.contains("p.toml:12:1: error: this test fails: ")
            ),
            "{err}"
        );
    }
}

#[test]
fn a_directory_of_paths_that_is_no_directory_is_a_warning() {
    let scratch = Scratch::new("roots");
    std::os::unix::fs::symlink("/", scratch.0.join("link")).unwrap();
    let path = |under: &Path| format!("path = {{ under = [{under:?}] }}");
    let text = format!(
        "[allow]\nusers = [\"root\"]\n[commands.one]\nexec = [\"/bin/true\", \"{{a}}\", \"{{b}}\", \"{{c}}\"]\nargs = [\n\
         {{ name = \"a\", {} }},\n{{ name = \"b\", {} }},\n{{ name = \"c\", {} }}]\n[[commands.one.allow]]\nusers = [\"root\"]\n",
        path(&scratch.0),
        path(&scratch.0.join("link")),
        path(&scratch.0.join("none")),
    );
    let (code, out, err) = scratch.check(&[&scratch.file("p.toml", &text)], false);
    assert_eq!((code, out.trim()), (ExitCode::SUCCESS, "p.toml: ok, 1 command, 2 warnings"));
    let link = "p.toml:7:1: warning: link: a symbolic link; put the file itself in its place; no path under it is taken";
    let none = "p.toml:8:1: warning: none: does not exist; no path under it is taken";
    assert!(err.contains(link) && err.contains(none), "{err}");
}
