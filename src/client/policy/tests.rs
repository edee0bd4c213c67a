//! Questions to small policies, as a caller asks them.

mod asking;
mod elsewhere;
mod linting;

use super::*;
use clap::Parser;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    question: Question,
}

pub(super) const POLICY: &str = r#"
[allow]
users = ["root", 4711]
groups = [4712]

[commands.restart]
exec = ["/bin/true", "{unit}"]
args = [{ name = "unit", one-of = ["a", "b"] }]
[[commands.restart.allow]]
groups = [4712]
when.unit = ["a"]
[[commands.restart.allow]]
users = ["root"]

[commands.nobodys]
exec = ["/bin/true"]
"#;

/// The status, and both outputs, for these words after `--policy FILE`.
fn asked(name: &str, text: &str, words: &[&str]) -> (u8, String, String) {
    let path = std::env::temp_dir().join(format!("udsadmin-policy-{name}-{}.toml", std::process::id()));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let (verb, rest) = words.split_first().unwrap();
    let line = ["udsadmin", verb, "--policy", path.to_str().unwrap()].into_iter().chain(rest.iter().copied());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = Cli::try_parse_from(line).unwrap().question.put(&mut out, &mut err);
    fs::remove_file(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = |octets| {
        String::from_utf8(octets).unwrap().replace(&*path.to_string_lossy(), "P").replace(&name, "P")
    };
    (status.unwrap(), text(out), text(err))
}

#[test]
fn why_tells_each_step_to_people() {
    let (status, out, _) = asked("why", POLICY, &["why", "--as", "4713:4712", "restart", "b"]);
    let expected = "4713 (uid 4713): restart b: deny\n  \
                    command   restart     found  P:6\n  \
                    allow     group 4712  yes    P:10\n  \
                    argument  unit=b      no     P:9   must be one of a\n";
    assert_eq!((status, out.as_str()), (1, expected));
}

#[test]
fn why_answers_programs_in_json_with_the_same_verdict() {
    for (who, value, decision, status) in [
        ("4713:4712", "a", "permit", 0),
        ("4713:4712", "b", "deny", 1),
        ("root", "b", "permit", 0),
        ("4714:1", "a", "deny", 1),
    ] {
        let (code, out, _) = asked("json", POLICY, &["why", "--json", "--as", who, "restart", value]);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((answer["decision"].as_str(), code), (Some(decision), status), "{who} {value}");
        assert!(answer["steps"].as_array().is_some_and(|steps| !steps.is_empty()));
    }
}

/// A policy with one command of an argument of this type.
fn with(argument: &str) -> String {
    let command = format!(
        "[commands.one]\nexec = [\"/bin/true\", \"{{x}}\"]\nargs = [{{ name = \"x\", {argument} }}]\n"
    );
    format!("{POLICY}{command}[[commands.one.allow]]\nusers = [\"root\"]\n")
}

#[test]
fn why_looks_at_what_must_be_so_on_the_machine() {
    for (argument, value, result, status) in [
        ("path = { under = [\"/etc\"] }", "/etc/passwd", "yes", 0),
        ("path = { under = [\"/etc\"] }", "/etc/no-such-file", "no", 1),
        ("user = true", "root", "yes", 0),
        ("user = { min-uid = 1 }", "root", "no", 1),
        ("group = true", "no-such-group", "no", 1),
    ] {
        let (code, out, _) =
            asked("demand", &with(argument), &["why", "--json", "--as", "root", "one", value]);
        let answer: Value = serde_json::from_str(&out).unwrap();
        let last = answer["steps"].as_array().unwrap().last().unwrap();
        let found = (last["step"].as_str(), last["name"].as_str(), last["result"].as_str(), code);
        assert_eq!(found, (Some("demand"), Some("x"), Some(result), status), "{argument} {value}");
    }
}

#[test]
fn why_tells_nothing_of_a_secret() {
    let policy = with("secret = { max-length = 7 }");
    for (value, status) in [("hunter2", 0), ("hunter22", 1), ("x=hunter2", 0), ("hunter2=x", 1)] {
        let (code, out, err) = asked("secret", &policy, &["why", "--as", "root", "one", value]);
        assert_eq!((code, out.contains("hunter") || err.contains("hunter")), (status, false), "{out}{err}");
    }
}

#[test]
fn why_does_not_take_an_unknown_user_for_nobody_in_particular() {
    let (status, out, err) = asked("unknown", POLICY, &["why", "--as", "no-such-user", "restart", "a"]);
    assert_eq!((status, &*out, &*err), (64, "", "udsadmin: no such user: no-such-user\n"));
}

#[test]
fn who_can_names_users_and_rules() {
    let (status, out, _) = asked("who", POLICY, &["who-can", "restart", "b"]);
    assert_eq!((status, out.as_str()), (0, "root  P:12\n"));
    let (_, out, _) = asked("who-json", POLICY, &["who-can", "--json", "restart"]);
    let users: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(users, serde_json::json!([{ "user": "root", "rule": "P:12" }]));
}

#[test]
fn a_command_of_nobody_is_a_no() {
    let (status, out, _) = asked("nobodys", POLICY, &["who-can", "nobodys"]);
    assert_eq!((status, &*out), (1, "nobody may run nobodys\n"));
}

#[test]
fn a_command_that_is_not_there_is_said_not_to_be() {
    for question in [&["who-can"][..], &["why", "--as", "root"]] {
        for (name, told) in [("restrat", "restrat; did you mean \"restart\"?"), ("unknown", "unknown")] {
            let (status, out, _) = asked("missing", POLICY, &[question, &[name]].concat());
            assert!(status == 1 && out.ends_with(&format!("there is no command {told}\n")), "{out}");
        }
    }
}

#[test]
fn a_policy_with_an_error_answers_nothing() {
    let (status, out, err) = asked("broken", "[alow]\n", &["who-can", "restart"]);
    assert_eq!((status, &*out), (78, ""));
    assert!(err.starts_with("P:1:2: error: unknown key \"alow\""), "{err}");
}

#[test]
fn test_tells_which_tests_a_policy_passes() {
    let tests = "[[test]]\npeer = { groups = [4712] }\nrequest = \"restart a\"\nexpect = \"permit\"\n\
                 [[test]]\npeer = { groups = [4712] }\nrequest = \"restart b\"\nexpect = \"permit\"\n";
    let (status, out, err) = asked("tests", &format!("{POLICY}{tests}"), &["test"]);
    let why = "this test fails: \"restart b\" is denied: argument unit must be one of a";
    let expected = format!("ok      P:17  restart a\nFAILED  P:21  {why}\n1 passed, 1 failed\n");
    assert_eq!((status, out, &*err), (1, expected, ""));
    let (status, out, _) = asked("no-tests", POLICY, &["test", "--json"]);
    assert_eq!((status, &*out), (0, "[]\n"));
}

/// A policy with a command for some hours.
const TIMED: &str = r#"
[allow]
users = ["root", 4711]
[roles.people]
users = ["root"]

[commands.restart]
exec = ["/bin/true", "{unit}"]
args = [{ name = "unit", one-of = ["a", "b"] }]
[[commands.restart.allow]]
roles = ["people"]
during = "Mon..Fri 08:00-18:00 Europe/Berlin"
"#;

const EVENING: &str = "2026-11-23 20:00 Europe/Berlin";

#[test]
fn why_is_asked_about_a_moment() {
    let (status, out, _) = asked("why-at", TIMED, &["why", "--as", "root", "--at", EVENING, "restart", "a"]);
    let expected = "root (uid 0): restart a: deny\n  \
                    command  restart                               found  P:7\n  \
                    allow    user root (role people)               yes    P:11\n  \
                    argument unit=a                                yes\n  \
                    during   Mon..Fri 08:00-18:00 Europe/Berlin    no     P:10  it is Mon 2026-11-23 20:00:00 Europe/Berlin\n";
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!((status, blanks(&out)), (1, blanks(expected)));
    let noon = EVENING.replace("20:00", "12:00");
    assert_eq!(asked("why-noon", TIMED, &["why", "--as", "root", "--at", &noon, "restart", "a"]).0, 0);
}

#[test]
fn who_can_lists_whoever_may_at_some_time_with_the_times_unless_asked_about_a_moment() {
    let row = "root  P:10  Mon..Fri 08:00-18:00 Europe/Berlin\n";
    for words in [&["restart"][..], &["restart", "a"]] {
        let (status, out, _) = asked("who-when", TIMED, &[&["who-can"], words].concat());
        assert_eq!((status, out.as_str()), (0, row));
        for (time, expected) in [("20:00", 1), ("12:00", 0)] {
            let at = EVENING.replace("20:00", time);
            assert_eq!(asked("who-at", TIMED, &[&["who-can", "--at", &at], words].concat()).0, expected);
        }
    }
    let (_, out, _) = asked("who-times", TIMED, &["who-can", "--json", "restart"]);
    let users: Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!([{ "user": "root", "rule": "P:10", "during": "Mon..Fri 08:00-18:00 Europe/Berlin" }]);
    assert_eq!(users, expected);
}

#[test]
fn a_moment_that_never_comes_is_a_mistake_on_the_command_line() {
    let line = ["udsadmin", "why", "--at", "2026-03-29 02:30 Europe/Berlin", "restart"];
    let error = Cli::try_parse_from(line).unwrap_err().to_string();
    assert!(error.contains("never comes in this zone"), "{error}");
}

#[test]
fn a_test_of_a_rule_with_times_says_when_so_that_no_load_depends_on_the_hour() {
    let test = |more: &str| {
        let text = "\n[[test]]\npeer = { user = \"root\" }\nrequest = \"restart a\"\nexpect = \"permit\"\n";
        format!("{TIMED}{text}{more}")
    };
    let at = |time: &str| test(&format!("at = \"2026-11-23 {time} Europe/Berlin\"\n"));
    let told = |text: &str| {
        let (status, out, _) = asked("when", text, &["test"]);
        (status, out)
    };
    let (status, out) = told(&test(""));
    assert_eq!(status, 1);
    let needs =
        "rules for this peer name times, so the test needs one: at = \"2026-11-23 12:00 Europe/Berlin\"";
    assert!(out.contains(needs), "{out}");
    assert_eq!(told(&at("17:59:59")).0, 0);
    let (status, out) = told(&at("18:00"));
    assert!(status == 1 && out.contains("is denied: it is permitted only during"), "{out}");
    assert_eq!(told(&at("18:00").replace("\"permit\"", "\"deny\"")).0, 0);
    // Whoever no such rule is for needs no time.
    assert_eq!(
        told(
            &test("")
                .replace("peer = { user = \"root\" }", "peer = { user = 4711 }")
                .replace("\"permit\"", "\"deny\"")
        )
        .0,
        0
    );
}

#[test]
fn the_peer_of_a_test_may_live_in_another_namespace() {
    let test = "[[test]]\npeer = { user = \"root\", namespace = \"foreign\" }\nrequest = \"restart b\"\nexpect = \"permit\"\n";
    let (status, out, _) = asked("foreign", &format!("{POLICY}{test}"), &["test"]);
    assert!(status == 1 && out.contains("is denied: the peer is in another user namespace"), "{out}");
}

#[test]
fn a_test_that_fails_is_no_reason_to_answer_nothing() {
    let failing = "[[test]]\npeer = { groups = [4712] }\nrequest = \"restart b\"\nexpect = \"permit\"\n";
    let text = format!("{POLICY}{failing}");
    for words in [&["why", "--as", "root", "restart", "b"][..], &["who-can", "restart", "b"]] {
        assert_eq!(asked("failing", &text, words).0, 0, "{words:?}");
    }
    let (_, out, err) = asked("failing-lint", &text, &["lint"]);
    assert!(out.contains("warning") && err.is_empty(), "{out}{err}");
    assert_eq!(asked("failing-test", &text, &["test"]).0, 1);
}
