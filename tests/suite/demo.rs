//! `udsadmin demo`: it shows both programs at work, and leaves neither process nor file behind.

use crate::process::{command, is_root};
use crate::world::{Folder, UDSADMIN};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// Runs the demonstration with a private folder for temporary files, which is seen to be empty afterwards.
fn demonstrate(mut demo: Command, folder: &Folder) -> Output {
    let temporary = folder.file("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, PermissionsExt::from_mode(0o1777)).unwrap();
    let output = demo.env("TMPDIR", &temporary).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(processes_with(temporary.to_str().unwrap()), Vec::<String>::new());
    output
}

/// The command lines of all processes that name this folder.
fn processes_with(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let lines = processes.filter_map(|path| fs::read(path).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(folder))
        .collect()
}

fn shows_a_session(output: &Output) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for line in [
        "| restarting nginx.service",
        "200 exit code=0",
        "422 bad-argument name=unit",
        "403 denied",
        "decision=deny",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let trail = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(trail.contains("audit: started: ") && trail.contains("audit: finished: "), "{trail}");
}

#[test]
fn the_demonstration_shows_a_session_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut demo = command(UDSADMIN);
    demo.args(["demo", "--once"]);
    shows_a_session(&demonstrate(demo, &folder));
}

#[test]
fn the_demonstration_needs_no_root() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    // A copy, where any user can reach it, made by another process: a fork of this one could hold it open for writing.
    let program = folder.file("udsadmin");
    let copied = command("install").args(["-m", "755", UDSADMIN]).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut demo = command("setpriv");
    demo.args(["--reuid=daemon", "--regid=daemon", "--clear-groups"]).arg(&program).args(["demo", "--once"]);
    let output = demonstrate(demo, &folder);
    shows_a_session(&output);
    assert!(String::from_utf8(output.stdout).unwrap().contains("* user=daemon "));
}
