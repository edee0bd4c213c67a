//! `udsadmin demo`: it shows both programs at work, and leaves neither process nor file behind.

use crate::process::{Daemon, command, is_root};
use crate::world::{Folder, UDSADMIN};
use rustix::process::Signal;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A private folder for temporary files.
fn temporary(folder: &Folder, mode: u32) -> PathBuf {
    let temporary = folder.file("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, PermissionsExt::from_mode(mode)).unwrap();
    temporary
}

/// Runs the demonstration to its end.
fn demonstrate(mut demo: Command, folder: &Folder) -> Output {
    let temporary = temporary(folder, 0o1777);
    let output = demo.env("TMPDIR", &temporary).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    expect_nothing_left(&temporary);
    output
}

fn expect_nothing_left(temporary: &Path) {
    let left: Vec<_> = fs::read_dir(temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(processes_with(temporary.to_str().unwrap()), Vec::<String>::new());
}

/// The demonstration under way, and what it writes to standard output.
fn begin(temporary: &Path) -> (Daemon, BufReader<PipeReader>) {
    let (shown, stdout) = io::pipe().unwrap();
    let mut demo = command(UDSADMIN);
    demo.arg("demo").env("TMPDIR", temporary).stdout(stdout);
    (Daemon::start(demo), BufReader::new(shown))
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

#[test]
fn a_closed_terminal_or_any_key_that_ends_leaves_nothing_behind() {
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        let folder = Folder::new();
        let temporary = temporary(&folder, 0o700);
        let (mut demo, shown) = begin(&temporary);
        let mut lines = shown.lines().map(Result::unwrap);
        assert!(lines.any(|line| line.starts_with("Serving until Ctrl-C")));
        demo.signal(signal);
        assert!(demo.wait().success(), "{signal:?}: {:?}", demo.lines());
        expect_nothing_left(&temporary);
        assert_eq!(lines.last().unwrap(), "ended; nothing is left behind", "{signal:?}");
    }
}

#[test]
fn the_record_follows_the_session_and_then_what_happens() {
    let folder = Folder::new();
    let temporary = temporary(&folder, 0o700);
    let (mut demo, mut shown) = begin(&temporary);
    let mut session = String::new();
    while !session.contains("> reboot\n403 ") {
        assert_eq!(demo.lines(), Vec::<String>::new(), "{session}");
        assert_ne!(shown.read_line(&mut session).unwrap(), 0, "{session}");
    }
    demo.line_with(&["audit: denied: ", "COMMAND=reboot"]);
    let socket = fs::read_dir(&temporary).unwrap().next().unwrap().unwrap().path().join("udsadmin.sock");
    let run = command(UDSADMIN).args(["run", "--socket"]).arg(&socket).args(["count", "0"]).output().unwrap();
    assert_eq!(run.status.code(), Some(64));
    let told = "udsadmin: argument to: must be an integer from 1 to 100\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), told);
    demo.line_with(&["audit: denied: ", "COMMAND=count"]);
    demo.signal(Signal::INT);
    assert!(demo.wait().success());
    let all = demo.all_lines();
    assert!(all.iter().all(|line| line.starts_with("audit: ")), "{all:#?}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_demonstration() {
    let folder = Folder::new();
    let temporary = temporary(&folder, 0o700);
    let (mut demo, shown) = begin(&temporary);
    assert_eq!(shown.lines().take(3).count(), 3);
    assert!(demo.wait().success(), "{:?}", demo.lines());
    expect_nothing_left(&temporary);
    assert!(!demo.all_lines().iter().any(|line| line.contains("roken pipe")));
}

#[test]
fn a_demonstration_that_cannot_start_names_the_folder_and_how_to_choose_it() {
    let folder = Folder::new();
    let long = folder.file(&"long".repeat(25));
    fs::create_dir(&long).unwrap();
    for temporary in [folder.file("none"), long] {
        let output = command(UDSADMIN).arg("demo").env("TMPDIR", &temporary).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let start = format!("udsadmin demo: no folder can be made in {}: ", temporary.display());
        assert!(told.starts_with(&start) && told.ends_with("; TMPDIR chooses another\n"), "{told}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
}

#[test]
fn a_program_that_does_not_start_is_not_waited_for_and_says_why() {
    let folder = Folder::new();
    let temporary = temporary(&folder, 0o777);
    let (mut demo, mut shown) = begin(&temporary);
    assert_eq!(demo.wait().code(), Some(1));
    let told = demo.all_lines();
    assert!(told.iter().any(|line| line.contains("writable by others; chmod o-w it")), "{told:#?}");
    assert_eq!(told.last().unwrap(), "udsadmin demo: a program ended by itself; see above");
    expect_nothing_left(&temporary);
    assert_eq!(shown.read_to_string(&mut String::new()).unwrap(), 0);
}

#[test]
fn nobody_is_told_why_there_is_no_demonstration_for_that_user() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let program = folder.file("udsadmin");
    assert!(command("install").args(["-m", "755", UDSADMIN]).arg(&program).status().unwrap().success());
    let mut demo = command("setpriv");
    demo.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["demo", "--once"]);
    let output = demo.env("TMPDIR", temporary(&folder, 0o1777)).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let why = "id 65534 names nobody: the kernel shows it for every id that isn't mapped; use another";
    assert_eq!(told, format!("udsadmin demo: no policy can be for the calling user: {why}\n"));
}

#[test]
fn a_policy_of_ones_own_is_served_in_place_of_the_demonstrations() {
    let folder = Folder::new();
    let policy = "[allow]\nusers = [\"USER\"]\n[commands.mine]\nexec = [\"/bin/true\"]\nrun-as = \"USER\"\n\
                  [[commands.mine.allow]]\nusers = [\"USER\"]\n";
    let mut demo = command(UDSADMIN);
    demo.args(["demo", "--once", "--policy"]).arg(folder.write("mine.toml", policy));
    let shown = String::from_utf8(demonstrate(demo, &folder).stdout).unwrap();
    assert!(shown.contains("* name=mine ") && !shown.contains("nginx"), "{shown}");
    let missing = command(UDSADMIN).args(["demo", "--policy"]).arg(folder.file("none")).output().unwrap();
    let told = format!("udsadmin demo: {}: No such file", folder.file("none").display());
    assert!(String::from_utf8(missing.stderr).unwrap().starts_with(&told));
}
