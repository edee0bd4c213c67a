//! The names of units, the steps that keep one from starting, and what systemd is told of a service.

use super::cause::cause;
use super::running::Exit;
use super::*;
use crate::execution::Outcome;
use crate::policy::{Property, Setting};
use crate::sys::Manner;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use zbus::Variant;

fn service() -> Service {
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    Service {
        job: "0123456789ab".parse().unwrap(),
        program: "/bin/secret-program".into(),
        argv: vec![b"secret-argument".to_vec()],
        environment: vec![("SECRET".into(), "secret-value".into())],
        manner: Manner::default(),
        timeout: Some(Duration::from_secs(30)),
        grace: Duration::from_secs(5),
        stdio: [null(), null(), null()],
        handed: Vec::new(),
        properties: vec![
            Property { name: "MemoryMax", wire: "MemoryMax", setting: Setting::Unsigned(1) },
            Property {
                name: "NoExecPaths",
                wire: "NoExecPaths",
                setting: Setting::Texts(vec!["/".to_owned()]),
            },
        ],
    }
}

/// Everything that systemd is told, the last of each name, as text.
fn told(service: &mut Service) -> BTreeMap<&'static str, String> {
    let (input, _line) = service.post().unwrap();
    let told = service.told(Path::new("/libexec/broker"), &input).unwrap();
    told.iter().map(|(name, value)| (*name, format!("{value:?}"))).collect()
}

#[test]
fn a_unit_is_named_by_its_job_and_no_other_name_is_one_of_ours() {
    let job: JobId = "0123456789ab".parse().unwrap();
    assert_eq!(unit_name(&job), "udsadmin-job-0123456789ab.service");
    assert_eq!(job_of(&unit_name(&job)), Some(job));
    for other in [
        "udsadmin-job-.service",
        "udsadmin-job-0123456789ab.scope",
        "udsadmin.service",
        "udsadmin-job-../x.service",
    ] {
        assert_eq!(job_of(other), None, "{other}");
    }
}

#[test]
fn every_step_that_systemd_numbers_is_told_by_name_and_no_other_status_is_one() {
    let NotStarted::Failed { errno, why } = cause(226, "x.service").unwrap() else { panic!() };
    assert!(errno == libc::EPERM && why.contains("226/NAMESPACE") && why.contains("x.service"), "{why}");
    for status in [0, 1, 64, 199, 223, 246, 255] {
        assert_eq!(cause(status, "x.service"), None, "{status}");
    }
}

#[test]
fn systemd_is_told_how_to_watch_over_a_run_and_nothing_of_what_runs() {
    let told = told(&mut service());
    let is =
        |name: &str, value: Variant<'_>| assert_eq!(told.get(name), Some(&format!("{value:?}")), "{name}");
    is("RuntimeMaxUSec", 40_000_000_u64.into());
    is("TimeoutStopUSec", 5_000_000_u64.into());
    is("MemoryMax", 1_u64.into());
    is("ExecPaths", Variant::new(vec!["/libexec/broker".to_owned()]));
    let all = format!("{told:?}");
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test]
async fn without_systemd_no_unit_starts_and_nobody_waits_for_it() {
    if Path::new(private::PATH).exists() {
        return;
    }
    let systemd = Systemd::new(Path::new("/bin/true"));
    let NotStarted::NoSystemd { why, .. } = systemd.start(service()).await.unwrap_err() else { panic!() };
    assert!(why.contains("systemd"), "{why}");
    let error: io::Error = io::Error::other(NotStarted::failed(libc::ENOTCONN, why));
    assert_eq!(crate::execution::unit_errno(&error), Some(libc::ENOTCONN));
}

#[test]
fn a_unit_ran_out_of_memory_where_systemd_says_so() {
    let killed = |result| Exit::of(result, (2, libc::SIGKILL));
    assert!(killed("oom-kill").ran_out_of_memory());
    assert_eq!(killed("oom-kill").outcome(), Outcome::Signalled(libc::SIGKILL));
    for other in ["success", "signal", "timeout", "exit-code"] {
        assert!(!killed(other).ran_out_of_memory(), "{other}");
    }
    assert_eq!(Exit::of("exit-code", (1, 3)).outcome(), Outcome::Exited(3));
}
