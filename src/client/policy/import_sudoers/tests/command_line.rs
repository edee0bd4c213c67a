//! What the command line prints, where, and with which status.

use super::super::{Arguments, run};
use clap::Parser;
use std::fs;

/// The status and both outputs of the command line, of a file with this text.
fn told(name: &str, text: &str, options: &[&str]) -> (u8, String, String) {
    let path = std::env::temp_dir().join(format!("udsadmin-import-{name}-{}", std::process::id()));
    fs::write(&path, text).unwrap();
    let arguments = ["import", path.to_str().unwrap()].into_iter().chain(options.iter().copied());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let cli = Cli::try_parse_from(arguments).unwrap();
    let status = run(&cli.arguments, &mut out, &mut err).unwrap();
    fs::remove_file(&path).unwrap();
    let text = |octets| String::from_utf8(octets).unwrap().replace(path.to_str().unwrap(), "S");
    (status, text(out), text(err))
}

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

const ROOTS: &str = "root ALL = NOPASSWD: ALL\nOPS = x\n";

#[test]
fn the_policy_goes_one_way_and_the_report_the_other() {
    let (status, out, err) = told("ways", "#0 ALL = NOPASSWD: /no/such/program -l\n", &[]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("[commands.program-l]") && !err.contains("[commands"), "{out}");
    assert!(
        err.contains("S:1  /no/such/program -l  carried: as program-l") && err.contains("policy lint"),
        "{err}"
    );
}

#[test]
fn programs_get_policy_and_report_in_one_object() {
    let (status, out, err) = told("json", "#0 ALL = NOPASSWD: ALL\n", &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &*err), (1, ""));
    assert!(answer["policy"].as_str().is_some_and(|policy| policy.starts_with("# Imported")));
    let first = &answer["report"][0];
    assert_eq!((&first["at"], &first["what"]), (&"S:1".into(), &"ALL".into()));
    assert_eq!(first["status"], "not carried");
    assert!(first["message"].as_str().is_some_and(|message| message.contains("root shell")));
    assert_eq!(answer["report"][1]["status"], "unsafe in the original");
}

#[test]
fn a_text_that_is_wrong_is_drawn_and_nothing_is_written() {
    let (status, out, err) = told("wrong", ROOTS, &[]);
    let picture = "S:2:5: error: a host is expected here\n  |\n2 | OPS = x\n  |     ^\n";
    assert_eq!((status, &*out, &*err), (65, "", picture));
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let there = std::env::temp_dir().join(format!("udsadmin-import-there-{}", std::process::id()));
    let options = ["--output", there.to_str().unwrap()];
    let (status, out, err) = told("output", "#0 ALL = NOPASSWD: /no/such/program -l\n", &options);
    assert_eq!((status, &*out), (0, ""), "{err}");
    let first = fs::read_to_string(&there).unwrap();
    assert!(first.contains("[commands.program-l]"));
    let (status, _, err) = told("output-again", "", &options);
    assert_eq!((status, fs::read_to_string(&there).unwrap()), (64, first), "{err}");
    fs::remove_file(&there).unwrap();
}

#[test]
fn a_file_that_can_not_be_read_is_told() {
    for (path, why) in
        [("/no/such/sudoers", "No such file"), ("/dev/null", "not a regular file"), ("/", "regular file")]
    {
        let cli = Cli::try_parse_from(["import", path]).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(run(&cli.arguments, &mut out, &mut err).unwrap(), 66, "{path}");
        let err = String::from_utf8(err).unwrap();
        assert!(
            out.is_empty() && err.starts_with(&format!("udsadmin: {path}: ")) && err.contains(why),
            "{err}"
        );
    }
}

#[test]
fn the_host_is_the_one_that_is_named() {
    let text = "#0 elsewhere = NOPASSWD: /no/such/program -l\n";
    assert!(!told("host", text, &[]).1.contains("[commands"));
    assert!(told("host", text, &["--host", "elsewhere.example.org"]).1.contains("[commands"));
}

#[test]
fn by_wide_any_arguments_pass_and_the_danger_is_told() {
    let text = "#0 ALL = NOPASSWD: /no/such/program\n";
    assert!(!told("narrow", text, &[]).1.contains("[commands"));
    let (status, out, err) = told("wide", text, &["--wide"]);
    assert_eq!(status, 1);
    assert!(out.contains("exec = [\"/no/such/program\", \"{arguments}\"]"), "{out}");
    assert!(out.contains("repeat = true, optional = true, dash = true"), "{out}");
    assert!(err.contains("unsafe in the original: any arguments pass"), "{err}");
}
