//! What the command line prints, where, and with which status.

use super::super::{Arguments, run, run_on};
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
    let picture = "S:1  ALL  noted: root needs no permission to be root\n1 noted\n\
                   udsadmin: this is only what stands before an error, and no policy is written:\n\
                   S:2:5: error: a host is expected here\n  |\n2 | OPS = x\n  |     ^\n";
    assert_eq!((status, &*out, &*err), (65, "", picture));
}

#[test]
fn programs_get_the_report_of_what_stands_before_an_error() {
    let (status, out, err) = told("wrong-json", ROOTS, &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &answer["policy"]), (65, &serde_json::Value::Null));
    assert_eq!(
        (&answer["report"][0]["what"], answer["report"].as_array().unwrap().len()),
        (&"ALL".into(), 1)
    );
    assert!(err.starts_with("S:2:5: error: "), "{err}");
}

#[test]
fn an_object_holds_nothing_that_a_terminal_obeys() {
    let odd: String = (0x7f_u8..0xa0).map(char::from).collect();
    let text = format!("#0 ALL = NOPASSWD: /no/such/program {odd}\n");
    let (_, out, _) = piped(text.as_bytes(), &["--json"]);
    assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{out:?}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["report"][0]["what"], format!("/no/such/program {}", odd.replace('\u{85}', " ")));
}

#[test]
fn an_include_that_is_missing_leaves_the_report_of_what_stands_before() {
    let (status, out, err) = told("include", "root ALL = ALL\n@include /no/such/file\n", &[]);
    assert_eq!((status, &*out), (66, ""));
    assert!(err.starts_with("S:1  ALL  noted") && err.contains("/no/such/file: No such file"), "{err}");
    assert!(err.ends_with("which S:2 includes\n"), "{err}");
}

/// The status and both outputs, where this comes in by standard input.
fn piped(octets: &[u8], options: &[&str]) -> (u8, String, String) {
    let cli = Cli::try_parse_from(["import", "-"].into_iter().chain(options.iter().copied())).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run_on(&cli.arguments, &mut &*octets, (&mut out, &mut err)).unwrap();
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_dash_is_standard_input() {
    let (status, out, err) = piped(b"#0 ALL = NOPASSWD: /no/such/program -l\n", &[]);
    assert!(status == 0 && out.contains("# standard input:1: /no/such/program -l\n"), "{out}{err}");
    assert!(err.starts_with("standard input:1  /no/such/program -l  carried"), "{err}");
}

#[test]
fn what_is_not_utf_8_is_told_with_its_line() {
    let (status, out, err) = piped(b"# one\n# two\n# \xff\n", &[]);
    assert_eq!((status, &*out, &*err), (66, "", "udsadmin: standard input: not UTF-8 in line 3\n"));
}

#[test]
fn a_policy_that_can_not_be_written_is_told() {
    let (status, out, err) = piped(b"", &["--output", "/no/such/directory/new.toml"]);
    assert_eq!((status, &*out), (74, ""));
    assert!(err.starts_with("udsadmin: /no/such/directory/new.toml: No such file"), "{err}");
}

#[test]
fn a_row_for_people_is_cut_where_its_text_is_huge() {
    let huge = "x".repeat(70_000);
    let text = format!(
        "#0 ALL = NOPASSWD: /no/such/program {huge}\n#0 ALL = !/no/such/program {huge}\n{huge} ALL = ALL\n"
    );
    let (_, _, err) = piped(text.as_bytes(), &[]);
    assert!(err.lines().all(|line| line.chars().count() < 2000), "{}", err.len());
    assert!(err.contains("xxx…"), "{err}");
    let (_, out, _) = piped(text.as_bytes(), &["--json"]);
    assert!(out.contains(&huge), "programs get it whole");
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
