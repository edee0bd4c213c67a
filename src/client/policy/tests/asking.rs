//! How questions are asked, and what they are told in return where they can't be answered.

use super::*;

/// The words of a question and the line that they come from, as they are checked before it is put.
fn checked(line: &[&str]) -> Result<(), Failure> {
    let line: Vec<OsString> = ["udsadmin"].iter().chain(line).map(OsString::from).collect();
    words::check(Cli::try_parse_from(&line).unwrap().question.words(), &line)
}

#[test]
fn an_option_behind_an_argument_is_not_taken_for_one_more_argument() {
    for line in [
        &["who-can", "restart", "nginx.service", "--json"][..],
        &["why", "restart", "nginx.service", "--as", "alice"],
        &["why", "restart", "nginx.service", "--as=alice"],
        &["why", "--json", "restart", "nginx.service", "--policy", "p.toml"],
    ] {
        let (status, why) = checked(line).unwrap_err();
        assert_eq!(status, 64, "{line:?}");
        assert!(why.starts_with("options stand before the command"), "{why}");
    }
    for line in [
        &["why", "--json", "restart", "nginx.service"][..],
        &["why", "restart", "nginx.service", "--force"],
        &["why", "restart", "--", "nginx.service", "--json"],
        &["why", "--", "restart", "nginx.service", "--json"],
        &["why", "restart", "nginx.service", "--", "--json"],
        &["lint", "--json"],
    ] {
        assert_eq!(checked(line), Ok(()), "{line:?}");
    }
}

#[test]
fn who_can_and_why_agree_on_what_must_be_so_on_the_machine() {
    for (argument, value, status) in [
        ("path = { under = [\"/etc\"] }", "/etc/passwd", 0),
        ("path = { under = [\"/etc\"] }", "/etc/no-such-file", 1),
        ("user = true", "no-such-user", 1),
        ("group = true", "no-such-group", 1),
        ("group = true", "root", 0),
        ("secret = { max-length = 7 }", "hunter2", 0),
    ] {
        let policy = with(argument);
        let why = asked("agree-why", &policy, &["why", "--as", "root", "one", value]);
        let who = asked("agree-who", &policy, &["who-can", "one", value]);
        assert_eq!((why.0, who.0), (status, status), "{argument} {value} {}{}", why.1, who.1);
    }
}

const BUILTINS: &str = "[[builtins.status.allow]]\ngroups = [4712]\n\
                        [[builtins.reload.allow]]\nusers = [\"root\"]\nduring = \"Mon UTC\"\n";

#[test]
fn builtins_are_answered_from_the_rules_about_them() {
    let text = format!("{POLICY}{BUILTINS}");
    let monday = ["--at", "2026-11-23 12:00 UTC"];
    let tuesday = ["--at", "2026-11-24 12:00 UTC"];
    for (who, at, name, status) in [
        ("4713:4712", monday, "status", 0),
        ("root", monday, "status", 1),
        ("root", monday, "help", 0),
        ("4714:1", monday, "help", 1),
        ("root", monday, "reload", 0),
        ("root", tuesday, "reload", 1),
    ] {
        let (code, out, _) = asked("builtin", &text, &[&["why", "--as", who], &at[..], &[name]].concat());
        assert_eq!(code, status, "{who} {name} {out}");
        assert!(!out.contains("not-found"), "{out}");
    }
    let (_, out, _) = asked("builtin-json", &text, &["why", "--json", "--as", "4713:4712", "status"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let step = serde_json::json!({ "step": "builtin", "name": "status", "at": "P:18", "result": "yes" });
    assert_eq!(answer["steps"].as_array().unwrap().last(), Some(&step));
}

#[test]
fn whoever_may_use_a_builtin_is_listed() {
    let text = format!("{POLICY}{BUILTINS}");
    let told = |words: &[&str]| {
        let (status, out, _) = asked("who-builtin", &text, &[&["who-can"], words].concat());
        (status, out)
    };
    assert_eq!(told(&["reload"]), (0, "root  P:20  Mon UTC\n".to_owned()));
    assert_eq!(told(&["--at", "2026-11-24 12:00 UTC", "reload"]).0, 1);
    assert_eq!(told(&["help"]), (0, "root  P:3\n".to_owned()));
    assert_eq!(told(&["status"]), (1, "nobody may run status\n".to_owned()));
}

#[test]
fn a_policy_with_an_error_is_told_to_programs_as_a_check_tells_it() {
    for words in [&["why", "--json", "restart"][..], &["lint", "--json"], &["show", "--json"]] {
        let (status, out, err) = asked("broken-json", "[alow]\n", words);
        let findings: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((status, &*err), (78, ""), "{words:?}");
        assert_eq!((&findings[0]["line"], &findings[0]["level"]), (&1.into(), &"error".into()));
    }
}

#[test]
fn an_error_tells_a_terminal_nothing_that_it_obeys() {
    let (status, _, err) = asked("escape", POLICY, &["why", "--as", "\u{1b}[31m", "restart", "a"]);
    assert_eq!((status, &*err), (64, "udsadmin: no such user: \\u{1b}[31m\n"));
    let line = ["udsadmin", "lint", "--policy", "/\u{1b}[31m"];
    let mut err = Vec::new();
    let status = Cli::try_parse_from(line).unwrap().question.put(&mut io::sink(), &mut err).unwrap();
    assert_eq!((status, &*err), (78, &b"/\\u{1b}[31m: error: does not exist\n"[..]));
}

#[test]
fn the_moment_is_shown_by_the_clock_of_the_window_that_counts() {
    let text = TIMED.replace("\"Mon..Fri 08:00-18:00 Europe/Berlin\"", "[\"Mon UTC\", \"Tue Asia/Tokyo\"]");
    for (at, told) in [
        ("2026-11-23 23:30 UTC", "it is Mon 2026-11-23 23:30:00 UTC"),
        ("2026-11-24 01:00 UTC", "it is Tue 2026-11-24 10:00:00 Asia/Tokyo"),
        ("2026-11-25 01:00 UTC", "it is Wed 2026-11-25 01:00:00 UTC; Wed 2026-11-25 10:00:00 Asia/Tokyo"),
    ] {
        let (_, out, _) = asked("clock", &text, &["why", "--as", "root", "--at", at, "restart", "a"]);
        assert!(out.ends_with(&format!("{told}\n")), "{out}");
    }
}

#[test]
fn a_test_that_says_nothing_of_the_policy_is_a_warning_at_its_place() {
    let test = "[[test]]\npeer = { user = \"no-such-user\", groups = [\"no-such-group\"] }\nrequest = \"restrat a\"\n\
                expect = \"deny\"\n";
    let source = crate::policy::Source { name: "P".to_owned(), text: format!("{POLICY}{test}") };
    let loaded = check_untested(&[source], &Database, crate::files::Trust::CallingUser).unwrap();
    let found: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    for told in [
        "P:18:17: warning: no such user: \"no-such-user\"; no rule can mean it in this test",
        "P:18:43: warning: no such group: \"no-such-group\"; no rule can mean it in this test",
        "P:19:11: warning: this test says nothing of the policy: there is no command restrat; did you mean \"restart\"?",
    ] {
        assert!(found.iter().any(|found| found == told), "{told}: {found:#?}");
    }
}
