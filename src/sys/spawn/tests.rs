//! What a started program gets, and when it never runs.

use super::*;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::Read;

/// Starts the program, to the moment when it runs or has failed.
fn spawn(launch: Launch) -> io::Result<Child> {
    let held = hold(&launch)?;
    drop(launch);
    let line = held.line().try_clone_to_owned()?;
    let child = held.release()?;
    poll(&mut [PollFd::new(&line, PollFlags::IN)], None)?;
    verdict(line.as_fd(), child.pid).inspect_err(|_| child.end()).map(|()| child)
}

/// A start of this program, with nothing to read and nobody to write to.
fn launch(argv: &[&str]) -> Launch {
    let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
    Launch {
        program: argv[0].into(),
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        environment: Vec::new(),
        stdio: [null(), null(), null()],
        handed: Vec::new(),
        manner: Manner {
            umask: 0o027,
            limits: vec![Limit { resource: Resource::Nofile, soft: 64, hard: 64 }],
            ..Manner::default()
        },
        cgroup: None,
    }
}

fn run(argv: &[&str], environment: &[(&str, &str)]) -> (String, Option<i32>) {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut launch = launch(argv);
    launch.environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    launch.stdio[1] = writer.try_clone().unwrap().into();
    launch.stdio[2] = writer.into();
    let child = spawn(launch).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    (text, status.exit_status())
}

#[test]
fn a_program_gets_the_environment_that_it_was_given_and_no_more() {
    assert_eq!(run(&["/usr/bin/env"], &[("A", "b c")]), ("A=b c\n".to_owned(), Some(0)));
}

#[test]
fn a_program_gets_its_mask_directory_and_limit_and_no_descriptor_of_ours() {
    let _held = File::open("/dev/null").unwrap();
    let (text, _) = run(&["/bin/sh", "-c", "umask; pwd; ulimit -n; echo /proc/self/fd/*"], &[]);
    // The shell's own listing of the directory is the fourth.
    assert_eq!(text, "0027\n/\n64\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
}

/// A pipe's end with this text in the pipe.
fn filled(text: &str) -> OwnedFd {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

#[test]
fn a_program_is_handed_descriptors_in_their_order_from_three_on() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut launch = launch(&["/bin/sh", "-c", "cat <&5; cat <&3; cat <&4; echo /proc/self/fd/*"]);
    launch.handed = vec![filled("a"), filled("b"), filled("c")];
    launch.stdio[1] = writer.into();
    let child = spawn(launch).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
    let numbers = (0..=6).map(|number| format!("/proc/self/fd/{number}")).collect::<Vec<_>>().join(" ");
    assert_eq!(text, format!("cab{numbers}\n"));
}

#[test]
fn more_than_a_handful_of_descriptors_keep_their_places() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut launch = launch(&["/bin/sh", "-c", "for n in 3 12 13 42; do cat /proc/self/fd/$n; done"]);
    launch.handed = (3..=42).map(|number| filled(&format!("{number} "))).collect();
    launch.stdio[1] = writer.into();
    let child = spawn(launch).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
    assert_eq!(text, "3 12 13 42 ");
}

/// A key that only its possessors see: whoever has the session keyring. `None` where the machine keeps no keys.
fn key_of_this_session(name: &str) -> Option<i32> {
    /// `KEY_SPEC_SESSION_KEYRING`, `KEYCTL_SETPERM` and `KEY_POS_ALL` (linux/keyctl.h, linux/key.h).
    const SESSION: i32 = -3;
    const SETPERM: libc::c_long = 5;
    const POSSESSOR: u32 = 0x3f00_0000;
    let name = CString::new(name).unwrap();
    // SAFETY: the kernel reads the type, the name and one octet of payload during the call.
    let key = unsafe {
        libc::syscall(libc::SYS_add_key, c"user".as_ptr(), name.as_ptr(), b"x".as_ptr(), 1_usize, SESSION)
    };
    let key = i32::try_from(key).unwrap();
    // SAFETY: two numbers, no memory.
    (key >= 0 && unsafe { libc::syscall(libc::SYS_keyctl, SETPERM, key, POSSESSOR) } == 0).then_some(key)
}

#[test]
fn a_program_has_a_session_keyring_of_its_own() {
    let name = format!("udsadmin-test-{}", std::process::id());
    if key_of_this_session(&name).is_none() {
        return;
    }
    assert!(std::fs::read_to_string("/proc/keys").unwrap().contains(&name));
    assert!(!run(&["/bin/cat", "/proc/keys"], &[]).0.contains(&name));
}

#[test]
fn a_program_that_is_not_there_is_an_error_and_not_a_child() {
    let error = spawn(launch(&["/nonexistent/program"])).unwrap_err();
    assert_eq!(error.to_string(), "the program: No such file or directory");
}

#[test]
fn a_file_that_is_no_program_is_not_given_to_a_shell() {
    let script = std::env::temp_dir().join(format!("udsadmin-script-{}", std::process::id()));
    // Written by a child, so that no fork of another test holds the file open for writing.
    let write = format!("echo 'echo a shell' > {0}; chmod 755 {0}", script.display());
    assert_eq!(run(&["/bin/sh", "-c", &write], &[]), (String::new(), Some(0)));
    let error = spawn(launch(&[script.to_str().unwrap()]));
    std::fs::remove_file(&script).unwrap();
    assert_eq!(errno(&error.unwrap_err()), Some(libc::ENOEXEC));
}

#[test]
fn a_word_with_a_nul_starts_nothing() {
    assert!(spawn(launch(&["/bin/true", "a\0b"])).is_err());
}

#[test]
fn signals_that_the_server_ignores_are_not_ignored_by_the_program() {
    let (text, _) = run(&["/bin/sh", "-c", "grep -E '^Sig(Ign|Blk)' /proc/self/status"], &[]);
    assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn a_process_that_is_not_released_never_becomes_the_program() {
    let witness = std::env::temp_dir().join(format!("udsadmin-held-{}", std::process::id()));
    let held = hold(&launch(&["/usr/bin/touch", witness.to_str().unwrap()])).unwrap();
    let pid = held.child.as_ref().unwrap().pid;
    drop(held);
    assert!(rustix::process::test_kill_process(pid).is_err(), "the process is gone, and reaped");
    assert!(!witness.exists());
}

#[test]
fn a_process_that_its_user_has_stopped_is_ended_all_the_same() {
    let held = hold(&launch(&["/bin/true"])).unwrap();
    let child = held.child.as_ref().unwrap();
    pidfd_send_signal(&child.pidfd, Signal::STOP).unwrap();
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::STOPPED).unwrap();
    let pid = child.pid;
    child.end();
    assert!(rustix::process::test_kill_process(pid).is_err(), "the process is gone, and reaped");
}

/// A program of another user, with one capability.
fn of_another_user(argv: &[&str]) -> Launch {
    let kept = 1 << 10;
    let mut launch = launch(argv);
    launch.manner.credentials = Some(Credentials { uid: 61_234, gid: 61_235, groups: vec![61_236] });
    launch.manner.capabilities = Capabilities { ambient: Some(kept), bounding: Some(kept) };
    launch
}

#[test]
fn a_process_with_its_users_ids_is_not_its_users_to_look_into() {
    if !unistd::geteuid().is_root() {
        return;
    }
    let launch = of_another_user(&["/bin/true"]);
    // SAFETY: the copy makes system calls alone, and ends.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        let taken = credentials::take(&launch.manner).is_ok();
        // SAFETY: a number, no memory; the end of this copy.
        unsafe { libc::_exit(if taken { libc::prctl(libc::PR_GET_DUMPABLE) } else { 99 }) }
    }
    let status = waitid(WaitId::Pid(Pid::from_raw(forked).unwrap()), WaitIdOptions::EXITED).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0));
}

#[test]
fn nothing_is_kept_of_the_capabilities_over_the_change_of_users_but_what_is_asked_for() {
    if !unistd::geteuid().is_root() {
        return;
    }
    let (mut reader, writer) = io::pipe().unwrap();
    let mut launch = of_another_user(&["/bin/grep", "-hE", "^(Cap|Uid|Groups)", "/proc/self/status"]);
    launch.stdio[1] = writer.into();
    let child = spawn(launch).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let ids = ["Uid:", "61234", "61234", "61234", "61234", "Groups:", "61236"];
    assert_eq!(words[..7], ids);
    assert_eq!(words[7..].iter().filter(|word| **word == "0000000000000400").count(), 5, "{text}");
}

#[test]
fn a_step_that_fails_is_named_and_the_program_never_runs() {
    type Change = fn(&mut Manner);
    let cases: [(Change, &str); 4] = [
        (|manner| manner.directory = "/no/such".into(), "the working directory: No such file or directory"),
        (
            |manner| manner.limits.push(Limit { resource: Resource::Core, soft: 2, hard: 1 }),
            "the limit core: Invalid argument",
        ),
        (|manner| manner.io = Some(7 << 13), "the io priority: Invalid argument"),
        (|manner| manner.capabilities.bounding = Some(1 << 63), "the bounding capabilities: "),
    ];
    for (change, expected) in cases {
        let mut launch = launch(&["/bin/true"]);
        change(&mut launch.manner);
        let error = spawn(launch).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_waits_ends_with_whoever_holds_it() {
    // Two at once: each is a copy of this process with the other's line open.
    let launches = [launch(&["/bin/true"]), launch(&["/bin/true"])];
    let held = launches.map(|launch| hold(&launch).unwrap());
    let [(first, ()), (second, ())] = held.map(|mut held| (held.child.take().unwrap(), drop(held)));
    for child in [first, second] {
        let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(126), "nobody hears it");
    }
}

#[test]
fn what_is_killed_before_it_is_its_program_never_ran() {
    let held = hold(&launch(&["/bin/true"])).unwrap();
    let (line, child) = (held.line().try_clone_to_owned().unwrap(), held.child.as_ref().unwrap());
    pidfd_send_signal(&child.pidfd, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&line, PollFlags::IN)], None).unwrap();
    assert_eq!(errno(&verdict(line.as_fd(), child.pid).unwrap_err()), Some(libc::EPIPE));
}

#[test]
fn what_is_killed_once_it_is_its_program_has_run() {
    let child = spawn(launch(&["/bin/sleep", "60"])).unwrap();
    pidfd_send_signal(&child.pidfd, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&child.pidfd, PollFlags::IN)], None).unwrap();
    assert!(!is_mere_fork(child.pid));
    child.end();
}
