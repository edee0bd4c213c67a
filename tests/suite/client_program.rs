//! The client's commands that ask: what they tell people and programs, and what they say of a refusal. Asks a real server.

use crate::process::{command, is_root};
use crate::world::{Folder, UDSADMIN, World, user};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

fn asked(world: &World, words: &[&str]) -> Output {
    let (verb, rest) = words.split_first().unwrap();
    let mut client = command(UDSADMIN);
    client.arg(verb).arg("--socket").arg(world.folder.file("udsadmin.sock")).args(rest);
    client.output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_commands_of_the_caller_are_listed_with_what_they_are_for() {
    let world = World::start();
    let listed = text(&asked(&world, &["commands"]).stdout);
    let echo = listed.lines().find(|line| line.starts_with("echo")).unwrap();
    assert_eq!(echo.split_whitespace().collect::<Vec<_>>().join(" "), "echo [WORD] Say a word");
    let listed = json(&asked(&world, &["commands", "--json"]));
    assert!(listed.as_array().unwrap().iter().any(|row| row["name"] == "echo"));
    let denied = asked(&world, &["run", "none"]);
    let hint = format!("udsadmin commands --socket {}\n", world.folder.file("udsadmin.sock").display());
    assert!(text(&denied.stderr).ends_with(&hint), "{denied:?}");
}

#[test]
fn who_asks_is_told_with_numbers_as_such() {
    let world = World::start();
    assert!(text(&asked(&world, &["whoami"]).stdout).contains(&user()));
    let told = json(&asked(&world, &["whoami", "--json"]));
    assert_eq!(told["uid"], rustix::process::geteuid().as_raw());
    assert!(told["groups"].is_array());
}

#[test]
fn a_built_in_that_is_not_granted_names_the_section_that_is_lacking() {
    let world = World::start();
    for (words, lacking) in [
        (&["jobs", "--all"][..], "[[builtins.jobs.allow]]"),
        (&["reload"], "[[builtins.reload.allow]]"),
        (&["confirm"], "[[builtins.confirm.allow]]"),
        (&["status"], "[[builtins.status.allow]]"),
    ] {
        let output = asked(&world, words);
        assert_eq!(output.status.code(), Some(77), "{output:?}");
        let told = format!("udsadmin: denied: no {lacking} of the policy is for you\n");
        assert_eq!(text(&output.stderr), told);
    }
}

#[test]
fn a_word_of_the_protocol_is_no_command_to_run() {
    let world = World::start();
    for (word, hint) in [("help", "udsadmin commands lists yours"), ("whoami", "write: udsadmin whoami")] {
        let output = asked(&world, &["run", word]);
        assert_eq!(output.status.code(), Some(64));
        assert!(text(&output.stderr).contains(hint), "{output:?}");
    }
}

#[test]
fn runs_and_refusals_are_told_to_programs_with_numbers_as_such() {
    let world = World::start();
    assert_eq!(asked(&world, &["run", "end", "3"]).status.code(), Some(3));
    let jobs = json(&asked(&world, &["jobs", "--json"]));
    assert!(jobs[0]["ms"].is_u64() && jobs[0]["uid"] == rustix::process::geteuid().as_raw(), "{jobs}");
    assert_eq!(jobs[0]["exit"], "3");
    let table = text(&asked(&world, &["jobs"]).stdout);
    assert!(table.contains("  exit 3  "), "{table}");
    let refused = asked(&world, &["cancel", "--json", "0123456789ab"]);
    assert_eq!((refused.status.code(), &json(&refused)["code"]), (Some(64), &422.into()));
}

#[test]
fn whoever_may_not_connect_is_told_to_look_at_the_socket() {
    if !is_root() {
        return;
    }
    let world = World::start();
    let socket = world.folder.file("udsadmin.sock");
    fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).unwrap();
    let program = world.folder.file("udsadmin");
    assert!(command("install").args(["-m", "755", UDSADMIN]).arg(&program).status().unwrap().success());
    let mut client = command("setpriv");
    client.args(["--reuid=daemon", "--regid=daemon", "--clear-groups"]).arg(program);
    let output = client.args(["commands", "--socket"]).arg(&socket).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let hint = format!("compare ls -l {} with id\n", socket.display());
    assert!(text(&output.stderr).ends_with(&hint), "{output:?}");
}

#[test]
fn every_question_takes_its_policy_in_either_way() {
    let folder = Folder::new();
    let policy = folder.write("policy.toml", "[allow]\nusers = [\"USER\"]\n");
    let asked = |words: &[&str], named: &[&OsStr]| {
        command(UDSADMIN).args(words).args(named).output().unwrap().status.code()
    };
    let (option, path) = (OsStr::new("--policy"), policy.as_os_str());
    for words in
        [&["check"][..], &["policy", "check"], &["policy", "test"], &["policy", "show"], &["policy", "lint"]]
    {
        let statuses = [asked(words, &[path]), asked(words, &[option, path])];
        assert!(statuses == [Some(0); 2] || statuses == [Some(1); 2], "{words:?}: {statuses:?}");
        assert_eq!(asked(words, &[option, path, path]), Some(64), "{words:?}");
    }
    assert_eq!(asked(&["policy", "test", "--elsewhere"], &[path]), Some(0));
    assert_eq!(asked(&["policy", "test", "--elsewhere"], &[]), Some(64));
}

#[test]
fn each_example_passes_its_tests_on_a_machine_that_knows_none_of_its_users() {
    let examples = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")).unwrap();
    for example in examples.map(|entry| entry.unwrap().path()) {
        assert!(fs::read_to_string(&example).unwrap().contains("udsadmin policy test --elsewhere FILE"));
        let output =
            command(UDSADMIN).args(["policy", "test", "--elsewhere"]).arg(&example).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_policy_may_come_by_standard_input_or_out_of_a_pipe() {
    let policy = format!("[allow]\nusers = [\"{}\"]\n", user());
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        for words in [&["check"][..], &["policy", "test", "--elsewhere"]] {
            let mut client = command(UDSADMIN);
            let mut client = client.args(words).arg(name).stdin(Stdio::piped()).spawn().unwrap();
            client.stdin.take().unwrap().write_all(policy.as_bytes()).unwrap();
            assert!(client.wait().unwrap().success(), "{words:?} {name}");
        }
    }
}
