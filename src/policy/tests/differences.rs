//! Differences of two policies, as they are told.

mod types;

use super::*;
use crate::policy::{Change, diff};

const BASE: &str = r#"
[allow]
groups = ["wheel", "webops"]
[commands.restart]
exec = ["/usr/bin/systemctl", "restart", "--", "{unit}"]
args = [{ name = "unit", one-of = ["nginx.service", "sshd.service"] }]
[[commands.restart.allow]]
groups = ["webops"]
when.unit = ["nginx.service"]
[[commands.restart.allow]]
groups = ["wheel"]
[[commands.restart.allow]]
groups = ["dba"]
"#;

/// The lines of a difference, `+` or `-` in front.
fn lines(old: &str, new: &str) -> Vec<String> {
    let difference = diff(&policy(old), &policy(new));
    let line = |sign: &'static str| move |change: &Change| format!("{sign} {change}");
    let gains = difference.gains.iter().map(line("+"));
    gains.chain(difference.losses.iter().map(line("-"))).collect()
}

/// The lines of what this replacement in the policy changes.
fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from));
    lines(BASE, &BASE.replacen(from, to, 1))
}

#[test]
fn a_value_more_is_a_gain_of_that_value() {
    assert_eq!(
        changed("when.unit = [\"nginx.service\"]", ""),
        ["+ group webops  restart  unit=sshd.service"]
    );
    assert_eq!(changed("", ""), Vec::<String>::new());
}

#[test]
fn who_may_connect_now_gains_what_the_rules_already_gave() {
    let allow = "\"wheel\", \"webops\"";
    assert_eq!(
        changed(allow, "\"wheel\", \"webops\", \"dba\""),
        ["+ group dba  (connect)", "+ group dba  restart  unit=nginx.service,sshd.service"]
    );
    assert_eq!(
        changed(allow, "\"wheel\", \"webops\", \"developers\""),
        [
            "+ group developers  (connect)",
            "+ group dba, if also in group developers  restart  unit=nginx.service,sshd.service"
        ]
    );
}

#[test]
fn a_deny_costs_what_it_takes_from_whoever_has_it() {
    let deny =
        |section: &str| changed("[commands.restart]", &format!("[deny]\n{section}\n[commands.restart]"));
    assert_eq!(
        deny("users = [\"dave\", \"erin\"]"),
        [
            "- user dave or user erin, if also in group wheel or in group webops  (connect)",
            "- user dave or user erin, if also in group wheel  restart  unit=nginx.service,sshd.service",
            "- user dave or user erin, if also in group webops  restart  unit=nginx.service",
            "- user dave or user erin, if also in group dba, and in group wheel or in group webops  \
             restart  unit=nginx.service,sshd.service",
        ]
    );
    assert_eq!(
        deny("groups = [\"wheel\"]"),
        ["- group wheel  (connect)", "- group wheel  restart  unit=nginx.service,sshd.service"]
    );
}

#[test]
fn a_command_that_became_another_is_lost_and_gained() {
    let was = "(runs something else (exec): /usr/bin/systemctl restart -- {unit} as root)";
    let is = "(runs something else (exec): /usr/bin/systemctl stop -- {unit} as root)";
    let told = changed("\"restart\", \"--\"", "\"stop\", \"--\"");
    let expected = |sign, what| {
        [
            format!("{sign} group wheel  restart  unit=nginx.service,sshd.service  {what}"),
            format!("{sign} group webops  restart  unit=nginx.service  {what}"),
            format!("{sign} group dba, if also in group webops  restart  unit=sshd.service  {what}"),
        ]
    };
    assert_eq!(told, [expected("+", is), expected("-", was)].concat());
    let exec = "exec = [\"/usr/bin/systemctl\", \"restart\", \"--\", \"{unit}\"]";
    for (from, to, word) in
        [("args", "run-as = \"bob\"\nargs", "run-as"), (exec, "exec = [\"/bin/x\", \"{unit}\"]", "program")]
    {
        let told = changed(from, to);
        assert_eq!(told.len(), 6);
        let noted = format!("(runs something else ({word}): ");
        assert!(told.iter().all(|line| line.contains(&noted)), "{told:?}");
    }
}

#[test]
fn arguments_under_other_names_or_in_another_order_are_something_else() {
    let renamed = lines(BASE, &BASE.replace("unit", "service"));
    assert!(renamed[0].starts_with("+ group wheel  restart  service=") && renamed.len() == 6, "{renamed:?}");
    let two = "[allow]\nusers = [\"bob\"]\n[commands.a]\nexec = [\"/bin/a\", \"{x}\", \"{y}\"]\n\
               args = [{ name = \"x\", boolean = true }, { name = \"y\", boolean = true }]\n\
               [[commands.a.allow]]\nusers = [\"bob\"]\n";
    let swapped = two
        .replace("name = \"x\"", "name = \"z\"")
        .replace("name = \"y\"", "name = \"x\"")
        .replace("\"z\"", "\"y\"");
    let told = lines(two, &swapped);
    assert_eq!(
        told[0],
        "+ user bob  a  y=false,true x=false,true  (runs something else (args): /bin/a {x} {y} as root)"
    );
}

#[test]
fn another_runner_or_another_property_of_the_unit_is_told_both_ways() {
    let unit = |table: &str| BASE.replacen("args", &format!("runner = \"unit\"\nunit = {table}\nargs"), 1);
    let told = |old: &str, new: &str, what: &str| {
        let lines = lines(old, new);
        assert!(
            !lines.is_empty()
                && lines.iter().all(|line| line.contains("(runner ") || line.contains("(another ")),
            "{lines:?}"
        );
        for sign in ["+ ", "- "] {
            assert!(lines.iter().any(|line| line.starts_with(sign)), "{lines:?}");
        }
        assert!(lines.iter().any(|line| line.ends_with(what)), "{lines:?}");
    };
    told(BASE, &unit("{}"), "(runner unit instead of direct)");
    told(
        &unit("{ MemoryMax = \"1G\" }"),
        &unit("{ MemoryMax = \"2G\", PrivateTmp = true }"),
        "(another MemoryMax, PrivateTmp of its unit)",
    );
    assert_eq!(
        lines(&unit("{ MemoryMax = \"1G\" }"), &unit("{ MemoryMax = 1_073_741_824 }")),
        Vec::<String>::new()
    );
}

#[test]
fn a_longer_timeout_is_a_gain_and_a_shorter_one_a_loss() {
    let longer = changed("args", "timeout = \"1h\"\nargs");
    assert_eq!(
        longer[0],
        "+ group wheel  restart  unit=nginx.service,sshd.service  (timeout 1h instead of 10m)"
    );
    assert!(longer.iter().all(|line| line.starts_with('+')), "{longer:?}");
    let shorter = changed("args", "timeout = \"5s\"\nargs");
    assert!(
        shorter.iter().all(|line| line.starts_with('-') && line.ends_with("(timeout 10m instead of 5s)")),
        "{shorter:?}"
    );
}

#[test]
fn a_built_in_is_granted_like_a_command() {
    let grant = "[[builtins.reload.allow]]\ngroups = [\"webops\"]\n";
    assert_eq!(lines(BASE, &format!("{BASE}{grant}")), ["+ group webops  reload (built-in)"]);
}

#[test]
fn what_changes_nothing_for_anyone_is_no_difference() {
    let (first, second) = (
        "[[commands.restart.allow]]\ngroups = [\"wheel\"]\n",
        "[[commands.restart.allow]]\ngroups = [\"dba\"]\n",
    );
    for (from, to) in [
        (first, format!("{first}{first}")),
        (&format!("{first}{second}"), format!("{second}{first}")),
        (
            "groups = [\"wheel\", \"webops\"]",
            "groups = [\"webops\", \"wheel\", \"no such group\"]".to_owned(),
        ),
        ("\"nginx.service\", \"sshd.service\"", "\"sshd.service\", \"nginx.service\"".to_owned()),
        ("exec", "summary = \"x\"\nexec".to_owned()),
        ("exec", "timeout = \"600s\"\nrun-as = \"root\"\nexec".to_owned()),
    ] {
        assert_eq!(changed(from, &to), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn a_list_that_is_too_long_is_cut_for_people() {
    let users: Vec<u32> = (1..=20).collect();
    let told = lines(
        "",
        &format!(
            "[allow]\nusers = {users:?}\n[commands.a]\nexec = [\"/bin/a\"]\n[[commands.a.allow]]\ngroups = [\"dba\"]\n"
        ),
    );
    assert_eq!(told.len(), 21);
    let some = (1..=8).map(|number| format!("user {number}")).collect::<Vec<_>>().join(" or ");
    assert_eq!(told[20], format!("+ group dba, if also {some} or 12 more  a"));
}

#[test]
fn whose_word_counts_for_groups_is_part_of_who_may() {
    assert_eq!(
        changed("groups = [\"wheel\"]", "groups = [\"wheel\"]\ngroups-from = \"database\""),
        [
            "+ group wheel of the user database, if also in group webops  restart  unit=sshd.service",
            "- group wheel  restart  unit=nginx.service,sshd.service",
        ]
    );
}

#[test]
fn peers_of_other_namespaces_are_told_apart() {
    let gate = "[[allow]]\ngroups = [\"wheel\", \"webops\"]\nforeign-namespace = true";
    let from = "[allow]\ngroups = [\"wheel\", \"webops\"]";
    assert_eq!(
        changed(from, gate),
        [
            "+ group wheel, in another user namespace  (connect)",
            "+ group webops, in another user namespace  (connect)"
        ]
    );
    let open = BASE.replace(from, gate);
    let rule = "groups = [\"wheel\"]\n";
    assert_eq!(
        lines(&open, &open.replace(rule, &format!("{rule}foreign-namespace = true\n"))),
        ["+ group wheel, in another user namespace  restart  unit=nginx.service,sshd.service"]
    );
}

#[test]
fn times_are_told_and_what_is_left_at_others() {
    let rule = "groups = [\"wheel\"]\n";
    let at = |during: &str| BASE.replace(rule, &format!("{rule}during = {during}\n"));
    let all = "group wheel  restart  unit=nginx.service,sshd.service";
    let week = "Mon..Fri 08:00-18:00 UTC";
    for (old, new, expected) in [
        (BASE.to_owned(), at(&format!("{week:?}")), vec![format!("- {all}  except during {week}")]),
        (at(&format!("{week:?}")), BASE.to_owned(), vec![format!("+ {all}  except during {week}")]),
        (
            at("\"Mon 09:00-10:00 UTC\""),
            at(&format!("{week:?}")),
            vec![format!("+ {all}  during {week}, except during Mon 09:00-10:00 UTC")],
        ),
        (
            at("\"08:00-18:00 UTC\""),
            at("[\"Mon..Sat 08:00-18:00 UTC\", \"Sun 08:00-18:00 UTC\"]"),
            vec![format!(
                "- {all}  during 08:00-18:00 UTC, except during Mon..Sat 08:00-18:00 UTC; Sun 08:00-18:00 UTC"
            )],
        ),
        (at("\"22:00-06:00 UTC\""), at("\"22:00-06:00\""), vec![]),
        (
            at("\"22:00-06:00 UTC\""),
            at("\"22:00-06:00 Europe/Berlin\""),
            vec![
                format!("+ {all}  during 22:00-06:00 Europe/Berlin, except during 22:00-06:00 UTC"),
                format!("- {all}  during 22:00-06:00 UTC, except during 22:00-06:00 Europe/Berlin"),
            ],
        ),
    ] {
        let told = lines(&old, &new);
        let told: Vec<_> = told.into_iter().filter(|line| line.contains("group wheel")).collect();
        assert_eq!(told, expected, "{new}");
    }
}

#[test]
fn more_runs_are_a_gain_and_fewer_a_loss() {
    let with = |limit: &str| BASE.replace("exec", &format!("{limit}\nexec"));
    for (old, new, expected) in [
        ("rate = \"5/min\"", "rate = \"6/min\"", &["+ (rate 6/min instead of 5/min)"][..]),
        ("rate = \"5/min\"", "rate = \"5/h\"", &["- (rate 5/min instead of 5/h)"]),
        (
            "rate = \"5/min\"",
            "rate = \"60/h\"",
            &["+ (rate 60/h instead of 5/min)", "- (rate 5/min instead of 60/h)"],
        ),
        ("max-running = 2", "", &["+ (no max-running instead of 2)"]),
        ("", "max-running = 2", &["- (no max-running instead of 2)"]),
        (
            "rate = \"5/min\"\nmax-running = 1",
            "max-running = 2",
            &["+ (no rate instead of 5/min, max-running 2 instead of 1)"],
        ),
        ("", "kill-after = \"20s\"", &["+ (kill-after 20s instead of 5s)"]),
        ("memory-max = \"1GiB\"", "memory-max = \"2048MiB\"", &["+ (memory-max 2GiB instead of 1GiB)"]),
        ("tasks-max = 64", "", &["+ (no tasks-max instead of 64)"]),
        ("cpu-max = \"150%\"", "cpu-max = \"50%\"", &["- (cpu-max 150% instead of 50%)"]),
    ] {
        let told = lines(&with(old), &with(new));
        let told = told.iter().filter(|line| line.contains("group wheel"));
        let told: Vec<String> = told
            .map(|line| line.replace("group wheel  restart  unit=nginx.service,sshd.service  ", ""))
            .collect();
        assert_eq!(told, expected, "{old} -> {new}");
    }
}

#[test]
fn limits_that_need_not_hold_are_a_gain_where_there_are_some() {
    let loose = |text: &str| format!("cgroup-limits = \"best-effort\"\n{text}");
    assert_eq!(lines(BASE, &loose(BASE)), Vec::<String>::new());
    let bounded = BASE.replace("exec", "tasks-max = 64\nexec");
    let gained = lines(&bounded, &loose(&bounded));
    assert!(
        gained.iter().all(|line| line.starts_with('+') && line.contains("limits best-effort")),
        "{gained:?}"
    );
    assert!(!gained.is_empty());
    assert!(lines(&loose(&bounded), &bounded).iter().all(|line| line.starts_with('-')));
}

#[test]
fn a_role_stands_for_whoever_is_in_it() {
    let role =
        BASE.replace("groups = [\"wheel\"]", "roles = [\"ops\"]") + "[roles.ops]\ngroups = [\"wheel\"]\n";
    assert_eq!(lines(BASE, &role), Vec::<String>::new());
    let more = role.replace("[roles.ops]\n", "[roles.ops]\nusers = [\"bob\"]\n");
    assert_eq!(lines(&role, &more), ["+ user bob, if also in group webops  restart  unit=sshd.service"]);
}

#[test]
fn an_input_that_was_not_taken_and_a_longer_one_are_gains() {
    let program = "exec = [\"/usr/bin/systemctl\"";
    let with = |keys: &str| BASE.replacen(program, &format!("{keys}\n{program}"), 1);
    let gain = |old: &str, new: &str| lines(&with(old), &with(new)).join("; ");
    let short = "stdin = \"bytes\"\ninput-limit = \"64KiB\"";
    let told = gain("", short);
    assert!(
        told.contains("+ ") && told.contains("stdin bytes (input-limit 64KiB) instead of none"),
        "{told}"
    );
    let told = gain(short, "stdin = \"bytes\"");
    assert!(told.contains("+ ") && told.contains("input-limit 1MiB instead of 64KiB"), "{told}");
    assert!(gain("stdin = \"bytes\"", "stdin = \"none\"").starts_with("- "));
    assert_eq!(gain("", "stdin = \"none\""), "");
}
