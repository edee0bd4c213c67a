//! What a program runs with, and what is left of it afterwards.

use crate::client::Answer;
use crate::process::{ends, is_root};
use crate::world::{POLICY, World, user};
use nix::unistd::{Uid, User};
use rustix::process::Pid;
use std::collections::BTreeSet;

/// A field of `/proc/PID/status` in what a program wrote.
pub(crate) fn status(answer: &Answer, name: &str) -> String {
    let prefix = format!("{name}:");
    let lines = answer.output();
    let value = lines.iter().find_map(|line| line.strip_prefix(&prefix)).unwrap();
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A policy with one command that runs as this user.
fn as_user(name: &str, exec: &str) -> String {
    format!(
        "{POLICY}\n[commands.other]\nexec = {exec}\nrun-as = \"{name}\"\n[[commands.other.allow]]\nusers = [\"USER\"]\n"
    )
}

/// A user who is not root, and is in every system.
pub(crate) const OTHER: &str = "daemon";

#[test]
fn the_environment_is_what_is_promised_and_nothing_else() {
    let world = World::start();
    let answer = world.client().ask("environment");
    let account = User::from_uid(Uid::effective()).unwrap().unwrap();
    let expected: BTreeSet<String> = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "LANG=C.UTF-8".to_owned(),
        format!("HOME={}", account.dir.display()),
        format!("USER={}", account.name),
        format!("LOGNAME={}", account.name),
        format!("SHELL={}", account.shell.display()),
        format!("UDSADMIN_UID={}", account.uid),
        format!("UDSADMIN_USER={}", account.name),
        format!("UDSADMIN_GID={}", nix::unistd::getegid()),
        "UDSADMIN_COMMAND=environment".to_owned(),
        format!("UDSADMIN_JOB={}", answer.field("job")),
    ]
    .into();
    assert_eq!(answer.output().into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_program_has_its_three_descriptors_and_no_more() {
    let world = World::start();
    // The fourth is the program's own, of the folder that it lists.
    assert_eq!(world.client().ask("descriptors").output(), ["0", "1", "2", "3"]);
    let fed = world.client().send("descriptors <1\nx").answer();
    assert_eq!(fed.output(), ["0", "1", "2", "3"]);
}

#[test]
fn a_program_leads_a_session_of_its_own_without_a_terminal_at_the_root_with_signals_as_usual() {
    let world = World::start();
    let answer = world.client().ask("inspect");
    let output = answer.output();
    let [.., ids, directory, umask] = output.as_slice() else { panic!("{output:?}") };
    let ids: Vec<&str> = ids.split(' ').collect();
    assert_eq!(ids[0], ids[1], "not the leader of its group: {ids:?}");
    assert_eq!((directory.as_str(), umask.as_str()), ("/", "0022"));
    for set in ["SigBlk", "SigIgn"] {
        assert_eq!(status(&answer, set), "0000000000000000");
    }
}

#[test]
fn no_process_is_left_that_a_job_leaves_in_its_process_group() {
    let world = World::start();
    let answer = world.client().ask("leave");
    assert_eq!(answer.code(), 200);
    let left = answer.output()[0].parse().unwrap();
    assert!(ends(Pid::from_raw(left).unwrap()));
}

#[test]
fn a_process_that_escapes_with_the_output_open_does_not_hold_up_the_end() {
    let escape = "[\"/bin/sh\", \"-c\", \"setsid sh -c ': > FOLDER/out; read word < FOLDER/gate' & until [ -e FOLDER/out ]; do :; done; echo parent\"]";
    let world = World::with(&as_user(&user(), escape));
    let _gate = world.gate();
    let answer = world.client().ask("other");
    assert_eq!((answer.code(), answer.output()), (200, vec!["parent".to_owned()]));
    assert_eq!(answer.field("output"), "cut");
}

#[test]
fn a_job_that_ignores_the_signal_to_end_is_killed() {
    let stubborn =
        "[\"/bin/sh\", \"-c\", \"trap '' TERM; echo ready; while :; do read word < FOLDER/gate; done\"]";
    let world = World::with(&as_user(&user(), stubborn));
    let mut client = world.client();
    client.send("other\n");
    assert_eq!(client.line().unwrap(), b"| ready");
    client.send("cancel\n");
    assert_eq!(client.answer().code(), 213);
    assert_eq!(client.answer().code(), 200);
}

#[test]
fn a_file_that_is_no_program_is_not_given_to_a_shell() {
    let world = World::prepare(&as_user(&user(), "[\"FOLDER/script\"]"));
    let script = world.folder.file("script");
    let write = format!("echo 'echo a shell' > {0}; chmod 755 {0}", script.display());
    // By another process: a fork of this one could hold the file open for writing when it is to run.
    assert!(crate::process::command("sh").args(["-c", &write]).status().unwrap().success());
    let world = world.started();
    let answer = world.client().ask("other");
    assert_eq!(
        (answer.code(), answer.field("errno"), answer.stdout()),
        (502, libc::ENOEXEC.to_string(), Vec::new())
    );
}

#[test]
fn a_program_of_another_user_has_that_users_ids_and_groups_and_gains_no_privilege() {
    if !is_root() {
        return;
    }
    let world =
        World::with(&as_user(OTHER, "[\"/bin/cat\", \"/proc/self/status\", \"/proc/self/loginuid\"]"));
    let answer = world.client().ask("other");
    let account = User::from_name(OTHER).unwrap().unwrap();
    let four = |id: u32| format!("{id} {id} {id} {id}");
    assert_eq!(status(&answer, "Uid"), four(account.uid.as_raw()));
    assert_eq!(status(&answer, "Gid"), four(account.gid.as_raw()));
    let name = std::ffi::CString::new(OTHER).unwrap();
    let groups: BTreeSet<u32> =
        nix::unistd::getgrouplist(&name, account.gid).unwrap().iter().map(|gid| gid.as_raw()).collect();
    let seen =
        status(&answer, "Groups").split(' ').map(|gid| gid.parse().unwrap()).collect::<BTreeSet<u32>>();
    assert_eq!(seen, groups);
    assert_eq!(status(&answer, "NoNewPrivs"), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(&answer, set), "0000000000000000");
    }
}

#[test]
fn the_environment_of_another_user_is_that_users_and_names_the_peer() {
    if !is_root() {
        return;
    }
    let world = World::with(&as_user(OTHER, "[\"/usr/bin/env\"]"));
    let output = world.client().ask("other").output();
    for expected in [
        format!("USER={OTHER}"),
        format!("LOGNAME={OTHER}"),
        "UDSADMIN_UID=0".to_owned(),
        "UDSADMIN_USER=root".to_owned(),
    ] {
        assert!(output.contains(&expected), "{expected} in {output:?}");
    }
}
