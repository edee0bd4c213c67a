//! Imports of small texts.

mod command_line;
mod examples;
mod refused;

use super::gather::Failed;
use super::properties::Anywhere;
use super::report::{Row, Status, people};
use super::{Choice, End, Imported, import};
use crate::identity::{Gid, Peer, Uid};
use crate::policy::{Decision, Policy, Source, decide};
use crate::request::{Argument, Request, Value};
use std::time::SystemTime;

fn imported(text: &str) -> Imported {
    let source = Source { name: "s".to_owned(), text: text.to_owned() };
    match import(source, &Anywhere::default(), Choice { follow: true, wide: false }) {
        Ok(imported) => imported,
        Err(End::Fault(found) | End::Input(Failed::Wrong(found), _)) => panic!("{text}\n{found:?}"),
        Err(End::Input(Failed::Unreadable(why), _)) => panic!("{text}\n{why}"),
    }
}

/// The status of each row but those of dangers.
fn statuses(text: &str) -> Vec<Status> {
    let rows = imported(text).rows;
    rows.iter().map(|row| row.status).filter(|status| *status != Status::Unsafe).collect()
}

/// The message of the one row that says why something stays out.
fn why_not(text: &str) -> String {
    let rows = imported(text).rows;
    let out: Vec<&Row> = rows.iter().filter(|row| row.status == Status::NotCarried).collect();
    assert_eq!(out.len(), 1, "{text}\n{}", people(&rows));
    out.first().unwrap().message.clone()
}

/// Everything of the policy behind its title.
fn policy(text: &str) -> String {
    let lines = imported(text).policy;
    lines.lines().skip_while(|line| line.starts_with('#')).skip(1).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_plain_command_is_carried_with_who_may_run_it() {
    let expected = "[allow]\nusers = [\"alice\", 1004]\ngroups = [\"web ops\", 33]\n\n\
                    # s:1: /usr/bin/systemctl restart nginx.service\n\
                    [commands.systemctl-restart-nginx]\n\
                    exec = [\"/usr/bin/systemctl\", \"restart\", \"nginx.service\"]\n\
                    [[commands.systemctl-restart-nginx.allow]]\n\
                    users = [\"alice\", 1004]\ngroups = [\"web ops\", 33]\n";
    let text = "alice, #1004, \"%web ops\", %#33 ALL = NOPASSWD: /usr/bin/systemctl restart nginx.service\n";
    assert_eq!(policy(text), expected);
    assert_eq!(statuses(text), [Status::Carried]);
}

#[test]
fn a_password_that_is_no_longer_asked_for_is_told() {
    assert_eq!(statuses("a ALL = /bin/ls -l"), [Status::Wider]);
    assert_eq!(
        statuses("a ALL = NOPASSWD: /bin/ls -l, PASSWD: /bin/ls -a"),
        [Status::Carried, Status::Wider]
    );
    assert_eq!(statuses("Defaults !authenticate\na ALL = /bin/ls -l"), [Status::Noted, Status::Carried]);
    assert_eq!(statuses("Defaults:a !authenticate\na ALL = /bin/ls -l"), [Status::Noted, Status::Wider]);
}

#[test]
fn terms_hold_up_to_the_end_of_their_list() {
    let text = "a ALL = (www) TIMEOUT=1m30s NOPASSWD: /bin/ls 1, /bin/ls 2 : ALL = NOPASSWD: /bin/ls 3\n";
    let made = policy(text);
    assert_eq!(made.matches("run-as = \"www\"\ntimeout = \"90s\"").count(), 2, "{made}");
    assert_eq!(made.matches("[[commands.").count(), 3, "{made}");
}

#[test]
fn what_can_not_be_said_stays_out_with_its_reason() {
    for (text, expected) in [
        ("a ALL = NOPASSWD: ALL", "every command"),
        ("a ALL = /bin/ls", "any arguments whatever"),
        ("a ALL = /bin/", "every program of a directory"),
        ("a ALL = /bin/l? -l", "a wildcard in the program's path"),
        ("a ALL = /bin/../bin/ls -l", "\"..\""),
        ("a ALL = /bin//ls -l", "\"//\""),
        ("a ALL = ^/bin/(ls|cat)$ -l", "a program by a regular expression"),
        ("a ALL = /bin/ls ^-[al]+$", "its arguments are a regular expression"),
        ("a ALL = sudoedit /etc/motd", "sudoedit edits files"),
        ("a ALL = list", "listing is no command"),
        ("a ALL = NO_SUCH", "no Cmnd_Alias NO_SUCH"),
        ("a ALL = sha256:abc+/=, sha224:def /bin/ls -l", "the digest"),
        ("a ALL = NOEXEC: /bin/ls -l", "NOEXEC"),
        ("a ALL = INTERCEPT: /bin/ls -l", "INTERCEPT"),
        ("a ALL = CWD=/tmp /bin/ls -l", "another directory"),
        ("a ALL = CHROOT=/srv /bin/ls -l", "root directory"),
        ("a ALL = ROLE=r TYPE=t /bin/ls -l", "SELinux role"),
        ("a ALL = APPARMOR_PROFILE=p /bin/ls -l", "AppArmor"),
        ("a ALL = NOTAFTER=20300101000000Z /bin/ls -l", "forgotten"),
        ("a ALL = NOTBEFORE=20300101 /bin/ls -l", "begins"),
        ("a ALL = TIMEOUT=0 /bin/ls -l", "timeout"),
        ("a ALL = (:adm) /bin/ls -l", "as the caller"),
        ("a ALL = () /bin/ls -l", "as the caller"),
        ("a ALL = (%adm) /bin/ls -l", "a group"),
        ("a ALL = (#1) /bin/ls -l", "uid 1"),
        ("a ALL = (ALL, !root) /bin/ls -l", "all but some"),
        ("a ALL = (nobody) /bin/ls -l", "nobody"),
        ("ALL ALL = /bin/ls -l", "every user there is"),
        ("%g, !a ALL = /bin/ls -l", "takes some out again"),
        ("bob, !bob ALL = /bin/ls -l", "takes out by '!' all whom it names"),
        ("User_Alias B = !bob\nB ALL = /bin/ls -l", "takes out by '!' all whom it names"),
        ("a ALL = PRIVS=basic /bin/ls -l", "chosen privileges"),
        ("a ALL = LIMITPRIVS=basic /bin/ls -l", "fewer privileges"),
        ("a ALL = ROLE=r TYPE=t /bin/ls -l", "SELinux type"),
        (r"a ALL = /bin/l\*s -l", "an escaped wildcard in the program's path"),
        ("+net ALL = /bin/ls -l", "only sudo can look up"),
        ("%:unix ALL = /bin/ls -l", "only sudo can look up"),
        ("nobody ALL = /bin/ls -l", "nobody in particular"),
        ("#65534 ALL = /bin/ls -l", "nobody in particular"),
        ("a !web1, ALL = /bin/ls -l", "hosts takes some out"),
        ("a 10.0.0.0/8 = /bin/ls -l", "can't be told"),
        ("a fe80::1 = /bin/ls -l", "can't be told"),
        ("a +net = /bin/ls -l", "can't be told"),
        ("a web* = /bin/ls -l", "can't be told"),
        ("a ALL = /tmp/x -l", "writable by others"),
        ("a ALL = /bin/cat /a/../*", "\"..\""),
        ("Defaults runas_default=b\na ALL = /bin/ls -l", "runas_default at s:1"),
        ("Cmnd_Alias A = B\nCmnd_Alias B = A\na ALL = A", "within itself"),
        ("User_Alias A = A\nA ALL = /bin/ls -l", "within itself"),
        ("Host_Alias A = A\na A = /bin/ls -l", "within itself"),
    ] {
        let rows: Vec<Row> = imported(text).rows;
        let out = rows.iter().rfind(|row| row.status == Status::NotCarried).unwrap();
        assert!(out.message.contains(expected), "{text}\n{}", out.message);
        assert!(!imported(text).policy.contains("[commands"), "{text}");
    }
}

#[test]
fn a_name_with_a_control_character_is_nobodys() {
    for octet in (0..0x20).chain(0x7f..0xa0).filter(|octet| !b"\t\n\r".contains(octet)) {
        let odd = char::from(octet);
        let group = format!("%op{odd}s ALL = NOPASSWD: /bin/ls -l");
        assert!(why_not(&group).contains("a control character in its name"), "{octet}");
        let run_as = format!("a ALL = (w{odd}w) NOPASSWD: /bin/ls -l");
        assert!(why_not(&run_as).contains("a control character in its name"), "{octet}");
    }
    let made = policy("%op\0s, %web ALL = NOPASSWD: /bin/ls -l");
    assert!(made.contains("groups = [\"web\"]"), "{made}");
}

#[test]
fn what_sudo_gives_more_of_is_carried_narrower() {
    for (text, expected) in [
        ("a ALL = (ALL:ALL) NOPASSWD: /bin/ls -l", "as root, and as no other user"),
        ("a ALL = (www : adm) NOPASSWD: /bin/ls -l", "no choice of a group"),
        ("a, +net ALL = NOPASSWD: /bin/ls -l", "+net is a group that only sudo"),
        ("a ALL = NOPASSWD: SETENV: /bin/ls -l", "no variable"),
        (r"a ALL = NOPASSWD: /bin/ls a\ b", "a blank within an argument"),
        ("a ALL = NOPASSWD: /bin/sh -c 'id -u; id'", "quotes among its arguments are characters"),
        ("a ALL = NOPASSWD: /bin/ls \"a b\"", "they hold nothing together"),
        ("a ALL = NOPASSWD: /bin/ls x*", "each wildcard is one argument"),
    ] {
        let rows = imported(text).rows;
        let row = rows.iter().find(|row| row.status == Status::Narrower).unwrap_or_else(|| panic!("{text}"));
        assert!(row.message.contains(expected), "{text}: {}", row.message);
    }
}

#[test]
fn a_command_as_one_of_several_users_is_one_command_for_each() {
    let made = policy("a ALL = (b, c, b) NOPASSWD: /bin/ls -l");
    assert!(made.contains("[commands.ls-l]") && made.contains("[commands.ls-l-2]"), "{made}");
    assert_eq!(made.matches("run-as").count(), 2);
}

#[test]
fn a_run_as_user_who_can_not_be_carried_leaves_the_others_in() {
    let text = "a ALL = (www-data, #33, %adm) NOPASSWD: /bin/ls -l";
    let made = policy(text);
    assert_eq!(
        (made.matches("exec =").count(), made.matches("run-as = \"www-data\"").count()),
        (1, 1),
        "{made}"
    );
    let rows = imported(text).rows;
    let message = &rows.first().unwrap().message;
    assert_eq!(rows.first().unwrap().status, Status::Narrower);
    assert!(message.contains("uid 33; write the user's name") && message.contains("of a group"), "{message}");
    assert!(
        why_not("a ALL = (#33, %adm) /bin/ls -l")
            .contains("uid 33; write the user's name; it runs as whichever")
    );
}

#[test]
fn the_same_command_for_others_is_one_command_with_two_rules() {
    let made =
        policy("a ALL = NOPASSWD: /bin/ls -l\nb ALL = NOPASSWD: /bin/ls -l\na ALL = NOPASSWD: /bin/ls -l\n");
    assert_eq!(
        (made.matches("exec =").count(), made.matches("[[commands.ls-l.allow]]").count()),
        (1, 2),
        "{made}"
    );
}

#[test]
fn a_later_line_that_takes_back_keeps_the_earlier_one_out() {
    for (text, carried) in [
        ("a ALL = NOPASSWD: /bin/ls -l\na ALL = !/bin/ls -l", 0),
        ("a ALL = NOPASSWD: /bin/ls -l, !/usr/bin/ls", 0),
        ("a ALL = NOPASSWD: /bin/ls -l, !ALL", 0),
        ("a ALL = NOPASSWD: /bin/ls -l, !/usr/", 0),
        ("a ALL = NOPASSWD: /bin/ls -l, !/usr/bin/*", 0),
        ("a ALL = NOPASSWD: /bin/ls -l, !/bin/ls -*", 0),
        ("a ALL = NOPASSWD: /bin/ls -l\n%g ALL = !/bin/ls", 0),
        ("a ALL = NOPASSWD: /bin/ls -l\na ALL = NOEXEC: /bin/ls", 0),
        ("Cmnd_Alias X = /bin/ls\na ALL = NOPASSWD: /bin/ls -l, !X", 0),
        ("Cmnd_Alias X = ALL, !/bin/su\na ALL = NOPASSWD: /bin/su -l, X", 0),
        ("a ALL = !/bin/ls -l\na ALL = NOPASSWD: /bin/ls -l", 1),
        ("a ALL = NOPASSWD: /bin/ls -l, !/bin/ls -a", 1),
        ("a ALL = NOPASSWD: /bin/ls -l, !/bin/ls \"\"", 1),
        ("a ALL = NOPASSWD: /bin/ls -l, !/bin/su", 1),
        ("a ALL = NOPASSWD: /bin/ls -l\nb ALL = !/bin/ls", 1),
        ("a ALL = NOPASSWD: /bin/ls -l\na db1 = !/bin/ls", 1),
    ] {
        assert_eq!(policy(text).matches("exec =").count(), carried, "{text}");
    }
}

#[test]
fn a_setting_that_restricts_commands_keeps_them_out() {
    for (setting, carried) in [
        ("Defaults noexec", 0),
        ("Defaults:b noexec", 0),
        ("Defaults!/usr/bin/ls noexec", 0),
        ("Defaults runchroot=/srv", 0),
        ("Defaults:a role=r", 0),
        ("Defaults!/bin/cat noexec", 1),
        ("Defaults !noexec", 1),
        ("Defaults runchroot=*", 1),
        ("Defaults env_reset", 1),
    ] {
        assert_eq!(
            policy(&format!("{setting}\na ALL = /bin/ls -l\n")).matches("exec =").count(),
            carried,
            "{setting}"
        );
    }
    assert!(policy("Defaults noexec\na ALL = EXEC: /bin/ls -l").contains("exec ="));
    assert!(policy("Defaults command_timeout=2m\na ALL = /bin/ls -l").contains("timeout = \"120s\""));
    assert!(why_not("Defaults no_such_setting=1").contains("not known"));
}

#[test]
fn what_sudo_records_is_told_alike_of_a_tag_and_of_a_setting() {
    use Status::{Carried, Noted, Wider};
    for (text, expected) in [
        ("a ALL = NOPASSWD: LOG_OUTPUT: /bin/ls -l", &[Wider][..]),
        ("Defaults log_output\na ALL = NOPASSWD: /bin/ls -l", &[Wider, Wider]),
        ("Defaults log_stdin\na ALL = NOPASSWD: /bin/ls -l", &[Wider, Wider]),
        ("Defaults log_output\na ALL = NOPASSWD: NOLOG_OUTPUT: /bin/ls -l", &[Wider, Carried]),
        ("Defaults !log_output\na ALL = NOPASSWD: /bin/ls -l", &[Noted, Carried]),
    ] {
        assert_eq!(statuses(text), expected, "{text}");
    }
}

#[test]
fn rules_of_other_hosts_are_told_apart() {
    for (hosts, status) in [
        ("web1", Status::Carried),
        ("WEB1.example.com", Status::Carried),
        ("web1.example.org", Status::Elsewhere),
        ("db1, db2", Status::Elsewhere),
        ("db1, 10.0.0.1, web1", Status::Carried),
        ("HERE", Status::Carried),
    ] {
        let text = format!("Host_Alias HERE = db1, web1\na {hosts} = NOPASSWD: /bin/ls -l\n");
        assert_eq!(statuses(&text).last(), Some(&status), "{hosts}");
    }
}

#[test]
fn what_is_unsafe_where_it_stands_is_told() {
    for (text, expected) in [
        ("a ALL = NOPASSWD: ALL", "is root, without a password"),
        ("a ALL = ALL, !/bin/su", "copies or renames"),
        ("a ALL = /bin/cat /var/log/*", "matches blanks and '/'"),
        ("a ALL = /bin/", "put there"),
        ("a ALL = /opt/*/run -x", "put where the wildcard"),
        ("a ALL = SETENV: /bin/ls -l", "LD_PRELOAD"),
        ("a ALL = (ALL, !root) /bin/ls -l", "CVE-2019-14287"),
        ("a ALL = /tmp/x -l", "what others made of it"),
        ("Defaults !authenticate", "password"),
        ("Defaults !env_reset", "environment"),
        ("Defaults env_keep += \"LANG LD_LIBRARY_PATH\"", "load or run"),
        ("Defaults setenv", "any variable"),
    ] {
        let rows = imported(text).rows;
        let found =
            rows.iter().filter(|row| row.status == Status::Unsafe).any(|row| row.message.contains(expected));
        assert!(found, "{text}\n{}", people(&rows));
    }
    for text in [
        "root ALL = (ALL:ALL) NOPASSWD: ALL",
        "a db1 = NOPASSWD: ALL",
        "Defaults env_keep += \"LANG LC_ALL\"",
        "Defaults env_keep -= LD_PRELOAD",
        r"a ALL = NOPASSWD: /bin/ls \*.log \[a-c\]",
        r"a ALL = NOPASSWD: /bin/l\*s -l",
    ] {
        assert!(imported(text).rows.iter().all(|row| row.status != Status::Unsafe), "{text}");
    }
}

#[test]
fn a_whole_configuration_without_secure_path_is_told() {
    let missing = |name: &str| {
        let source = Source { name: name.to_owned(), text: "Defaults env_reset\n".to_owned() };
        let Ok(imported) = import(source, &Anywhere::default(), Choice { follow: true, wide: false }) else {
            panic!("{name}")
        };
        imported.rows.iter().any(|row| row.what == "Defaults secure_path")
    };
    assert!(missing("/etc/sudoers") && !missing("/etc/sudoers.d/web"));
}

#[test]
fn what_a_wildcard_was_lets_no_other_argument_pass() {
    let text = "a ALL = NOPASSWD: /bin/cat /var/log/*.log -- *\n";
    let source = Source { name: "p".to_owned(), text: imported(text).policy };
    let loaded = Policy::parse(&[source], &Anywhere::default()).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let peer = Peer::of(Uid::new(1).unwrap(), Gid::new(9).unwrap(), []);
    let permits = |values: &[&str]| {
        let arguments =
            values.iter().map(|value| Argument::Positional(Value::try_from(*value).unwrap())).collect();
        let request = Request { command: "cat-log".parse().unwrap(), arguments };
        matches!(decide(&loaded.policy, &peer, &request, SystemTime::UNIX_EPOCH), Decision::Permit(_))
    };
    assert!(permits(&["syslog", "x"]));
    for bad in ["../shadow", "a /etc/shadow", "-f", "", "..", "a/b"] {
        assert!(!permits(&[bad, "x"]) && !permits(&["x", bad]), "{bad}");
    }
}

#[test]
fn aliases_that_unfold_without_measure_are_refused_in_time() {
    let doubled = |level: u32| format!("Cmnd_Alias A{level} = A{0}, A{0}\n", level - 1);
    let aliases: String = (1..40).map(doubled).collect();
    let text = format!("Cmnd_Alias A0 = /bin/ls x, /bin/ls y\n{aliases}a ALL = A39\n");
    assert!(why_not(&text).contains("20000 members"));
}
