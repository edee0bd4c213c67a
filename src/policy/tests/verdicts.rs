//! Verdicts of whole policies, case by case, and the order in which a request is judged.

use super::*;
use crate::identity::{DatabaseGroups, Groups, Namespace};
use crate::policy::{
    Admission, ArgumentSpec, Command, Decision, Grant, Origin, Reason, Refusal, decide, why,
};
use crate::request::Builtin;
use std::time::{Duration, SystemTime};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// The policy that design notes and manual pages use as their example.
const EXAMPLE: &str = r#"
[allow]
groups = ["wheel", "webops"]
[deny]
users = ["dave"]
[[builtins.status.allow]]
groups = ["wheel"]

[commands.restart]
summary = "Restart a web service"
exec    = ["/usr/bin/systemctl", "restart", "--", "{unit}"]
args    = [{ name = "unit", one-of = ["nginx.service", "php-fpm.service"] }]
timeout = "30s"
[[commands.restart.allow]]
groups = ["webops"]
when.unit = ["nginx.service"]
[[commands.restart.allow]]
groups = ["wheel"]
"#;

/// A decision as the case files write it.
fn shown(decision: &Decision) -> String {
    match decision {
        Decision::Permit(grant) => permitted(grant),
        Decision::Deny(denial) => match denial.refusal() {
            Refusal::Denied => "denied".to_owned(),
            Refusal::NotNow(text) => format!("denied: {text}"),
            Refusal::BadArgument { name, text } => format!("bad-argument {name} {text}"),
        },
    }
}

fn permitted(grant: &Grant) -> String {
    let argv: Vec<_> =
        grant.argv().iter().map(|element| String::from_utf8(element.clone()).unwrap()).collect();
    let limit = grant
        .terms()
        .timeout
        .map_or("infinity".to_owned(), |limit| humantime::format_duration(limit).to_string());
    format!("{} {limit}: {}", grant.run_as().name, argv.join(" "))
}

fn verdict(policy: &Policy, peer: &Peer, line: &str) -> String {
    shown(&decide(policy, peer, &request(line), NOW))
}

#[test]
fn the_policy_as_shipped_lets_nobody_connect() {
    let shipped = policy(&read("config/policy.toml"));
    for user in ["root", "alice"] {
        let admission = shipped.admits(&peer(user, &["root", "wheel", "webops"]));
        assert!(matches!(admission, Admission::Refused(_)), "{admission:?}");
    }
    assert_eq!(shipped.commands().len(), 0);
}

#[test]
fn what_the_shipped_policy_shows_in_comments_is_itself_a_policy() {
    let looks_like_toml =
        |line: &&str| line.starts_with('[') || line.contains(" = [") || line.contains(" = \"");
    let shipped = read("config/policy.toml");
    let commented = shipped.lines().filter_map(|line| line.strip_prefix("# "));
    let text: String = commented
        .filter(looks_like_toml)
        .filter(|line| !line.starts_with(' '))
        .fold(String::new(), |text, line| text + line + "\n");
    let shown = policy(&text.replacen("1004", "1005", 1));
    assert!(text.contains("[[builtins.status.allow]]"), "{text}");
    assert_eq!(shown.commands().len(), 1);
}

#[test]
fn a_deny_by_user_beats_every_allow() {
    let policy = policy(EXAMPLE);
    assert_eq!(verdict(&policy, &peer("dave", &["wheel"]), "restart nginx.service"), "denied");
    let Admission::Refused(denial) = policy.admits(&peer("dave", &["wheel"])) else { panic!() };
    assert_eq!(denial.rule().to_string(), "policy.toml:5");
    assert_eq!(denial.reason(), &Reason::DeniedUser("dave".to_owned()));
}

#[test]
fn root_is_subject_to_the_policy_like_anyone() {
    let policy = policy(EXAMPLE);
    assert_eq!(verdict(&policy, &peer("root", &[]), "restart nginx.service"), "denied");
    assert!(matches!(policy.admits(&peer("root", &[])), Admission::Refused(_)));
}

#[test]
fn a_command_that_is_not_for_the_peer_is_refused_like_one_that_does_not_exist() {
    let text = format!(
        "{EXAMPLE}[commands.other]\nexec = [\"/bin/a\"]\n[[commands.other.allow]]\nusers = [\"bob\"]\n"
    );
    let policy = policy(&text);
    let erin = peer("erin", &["webops"]);
    let denials = ["other", "nonesuch"].map(|name| match decide(&policy, &erin, &request(name), NOW) {
        Decision::Deny(denial) => denial,
        Decision::Permit(grant) => panic!("{grant:?}"),
    });
    assert_eq!(denials.each_ref().map(|denial| denial.refusal().clone()), [Refusal::Denied, Refusal::Denied]);
    assert_eq!(denials.each_ref().map(|denial| denial.rule().clone()), [Origin::DEFAULT_DENY; 2].map(|o| o));
    assert_eq!(denials[0].reason(), &Reason::NotForThisPeer);
    assert_eq!(denials[1].reason(), &Reason::NoSuchCommand);
    let rows = ["other", "nonesuch"].map(|name| rows(&why(&policy, &erin, &request(name), NOW)));
    assert_eq!(rows[0][0].replace("other", "nonesuch"), rows[1][0]);
    assert_eq!(rows.map(|rows| rows.len()), [1, 1]);
}

#[test]
fn a_grant_carries_everything_the_run_needs() {
    let policy = policy(EXAMPLE);
    let Decision::Permit(grant) =
        decide(&policy, &peer("erin", &["webops"]), &request("restart nginx.service"), NOW)
    else {
        panic!()
    };
    assert_eq!(grant.command().as_str(), "restart");
    assert_eq!(grant.program(), Path::new("/usr/bin/systemctl"));
    assert_eq!(
        grant.argv(),
        ["/usr/bin/systemctl", "restart", "--", "nginx.service"].map(|a| a.as_bytes().to_vec())
    );
    assert_eq!((grant.run_as().name.as_str(), grant.run_as().uid), ("root", Uid::ROOT));
    assert_eq!(grant.terms().timeout, Some(Duration::from_secs(30)));
    assert_eq!(grant.rule().to_string(), "policy.toml:14");
    let [(name, value)] = grant.arguments() else { panic!() };
    assert_eq!((name.as_str(), value.as_text()), ("unit", Some("nginx.service")));
}

#[test]
fn a_refused_value_is_told_with_the_values_that_this_peer_may_have() {
    let policy = policy(EXAMPLE);
    let (erin, alice) = (peer("erin", &["webops"]), peer("alice", &["wheel"]));
    let line = "restart php-fpm.service";
    assert_eq!(verdict(&policy, &erin, line), "bad-argument unit must be one of nginx.service");
    assert_eq!(verdict(&policy, &alice, line), "root 30s: /usr/bin/systemctl restart -- php-fpm.service");
    let Decision::Deny(denial) = decide(&policy, &erin, &request(line), NOW) else { panic!() };
    assert_eq!(denial.rule().to_string(), "policy.toml:14");
}

/// A policy that denies a group.
fn with_denied_group() -> Policy {
    policy(&EXAMPLE.replace("[deny]", "[deny]\ngroups = [\"contractors\"]"))
}

#[test]
fn a_deny_by_group_counts_kernel_and_database_groups() {
    let policy = with_denied_group();
    assert!(policy.needs_database_groups());
    let mut erin = peer("erin", &["webops"]);
    erin.database_groups = DatabaseGroups::Known(Groups::new());
    assert!(matches!(policy.admits(&erin), Admission::Admitted { .. }));
    erin.database_groups = DatabaseGroups::Known([gid("contractors")].into());
    let Admission::Refused(by_database) = policy.admits(&erin) else { panic!() };
    erin.database_groups = DatabaseGroups::Known(Groups::new());
    erin.groups.insert(gid("contractors"));
    let Admission::Refused(by_kernel) = policy.admits(&erin) else { panic!() };
    assert_eq!(by_database, by_kernel);
    assert_eq!(by_kernel.reason(), &Reason::DeniedGroup("contractors".to_owned()));
    assert_eq!(by_kernel.rule().to_string(), "policy.toml:5");
}

#[test]
fn a_deny_by_group_stops_peers_whose_groups_are_unknown() {
    let policy = with_denied_group();
    for unknown in [DatabaseGroups::NotAsked, DatabaseGroups::Unavailable] {
        let mut alice = peer("alice", &["wheel"]);
        alice.database_groups = unknown;
        let Admission::Refused(denial) = policy.admits(&alice) else { panic!() };
        assert_eq!(denial.reason(), &Reason::GroupsUnknown);
        assert!(!policy.grants_builtin(&alice, Builtin::Status, NOW));
        assert_eq!(policy.visible_commands(&alice).count(), 0);
        assert!(policy.command(&alice, &"restart".parse().unwrap()).is_none());
        assert_eq!(verdict(&policy, &alice, "restart nginx.service"), "denied");
    }
}

#[test]
fn an_allow_does_not_count_the_groups_of_the_database() {
    let policy = policy(EXAMPLE);
    let mut bob = peer("bob", &[]);
    bob.database_groups = DatabaseGroups::Known([gid("wheel")].into());
    assert!(matches!(policy.admits(&bob), Admission::Refused(_)));
}

#[test]
fn a_peer_of_another_namespace_is_refused() {
    let policy = policy(EXAMPLE);
    let mut alice = peer("alice", &["wheel"]);
    alice.namespace = Namespace::Foreign;
    let Admission::Refused(denial) = policy.admits(&alice) else { panic!() };
    assert_eq!(denial.reason(), &Reason::ForeignNamespace);
    assert_eq!(verdict(&policy, &alice, "restart nginx.service"), "denied");
    alice.namespace = Namespace::NotLooked;
    assert!(matches!(policy.admits(&alice), Admission::Admitted { .. }));
}

#[test]
fn built_ins_are_granted_like_commands() {
    let policy = policy(EXAMPLE);
    let (alice, erin, bob) = (peer("alice", &["wheel"]), peer("erin", &["webops"]), peer("bob", &[]));
    assert!(policy.grants_builtin(&alice, Builtin::Status, NOW));
    assert!(!policy.grants_builtin(&alice, Builtin::Reload, NOW));
    assert!(!policy.grants_builtin(&erin, Builtin::Status, NOW));
    assert!(policy.grants_builtin(&erin, Builtin::Ping, NOW));
    assert!(!policy.grants_builtin(&bob, Builtin::Ping, NOW));
}

#[test]
fn a_peer_sees_the_commands_that_name_it() {
    let policy = policy(EXAMPLE);
    let erin = peer("erin", &["webops"]);
    let seen: Vec<String> = policy.visible_commands(&erin).map(Command::usage).collect();
    assert_eq!(seen, ["restart UNIT"]);
    let restart = policy.command(&erin, &"restart".parse().unwrap()).unwrap();
    assert_eq!(restart.summary(), "Restart a web service");
    let [unit] = restart.arguments() else { panic!() };
    assert_eq!(unit.kind(), "one of nginx.service, php-fpm.service");
    assert!(unit.default().is_none());
    assert_eq!(policy.visible_commands(&peer("bob", &[])).count(), 0);
}

#[test]
fn why_shows_the_path_of_the_decision() {
    let policy = policy(EXAMPLE);
    let explanation = why(&policy, &peer("erin", &["webops"]), &request("restart sshd.service"), NOW);
    assert!(!explanation.permitted);
    assert_eq!(
        rows(&explanation),
        [
            "step=command name=restart at=policy.toml:9 result=found",
            "step=allow group=webops source=kernel result=yes at=policy.toml:15",
            "step=argument name=unit value=sshd.service result=no \
             reason=must be one of nginx.service, php-fpm.service at=policy.toml:12",
        ]
    );
}

#[test]
fn why_tells_every_kind_of_end() {
    let policy = with_denied_group();
    let peer_of = |user, groups: &[&str], database| Peer { database_groups: database, ..peer(user, groups) };
    let known = || DatabaseGroups::Known(Groups::new());
    let last = |peer: &Peer, line| rows(&why(&policy, peer, &request(line), NOW)).pop().unwrap();
    let alice = peer_of("alice", &["wheel"], known());
    for (peer, line, expected) in [
        (&peer_of("dave", &[], known()), "restart", "step=deny user=dave source=kernel result=yes"),
        (
            &peer_of("bob", &["contractors"], known()),
            "restart",
            "step=deny group=contractors source=kernel result=yes",
        ),
        (
            &peer_of("bob", &[], DatabaseGroups::Unavailable),
            "x",
            "step=deny group=contractors source=unknown result=yes",
        ),
        (&peer_of("bob", &[], known()), "restart", "step=connect result=no"),
        (&alice, "nonesuch", "step=command name=nonesuch result=not-found"),
        (&alice, "restart", "step=argument name=unit result=missing"),
        (&alice, "restart a b", "step=argument name=2 result=surplus"),
        (&alice, "restart unit=a unit=a", "step=argument name=unit result=twice"),
        (&alice, "restart untl=a", "step=argument name=untl result=unknown"),
        (&alice, "restart nginx.service", "step=argument name=unit value=nginx.service result=yes"),
    ] {
        assert_eq!(last(peer, line), expected);
    }
}

#[test]
fn why_shows_an_argument_that_is_left_out() {
    let policy = policy(&read("tests/policies/types.toml"));
    let row = |user| rows(&why(&policy, &peer(user, &[]), &request("log b.service"), NOW)).remove(3);
    assert_eq!(row("alice"), "step=argument name=lines result=yes");
}

#[test]
fn only_arguments_that_nothing_stands_in_for_are_required() {
    let policy = policy(&read("tests/policies/types.toml"));
    let required = |name: &str| {
        let command = policy.command(&peer("alice", &[]), &name.parse().unwrap()).unwrap();
        (command.usage(), command.arguments().iter().map(ArgumentSpec::is_required).collect::<Vec<_>>())
    };
    assert_eq!(required("log"), ("log UNIT [LINES] [NOTE]".to_owned(), vec![true, false, false]));
    assert_eq!(required("start"), ("start UNIT [SLICE]".to_owned(), vec![true, false]));
}

#[test]
fn the_groups_that_a_deny_names_are_those_of_its_roles_too_and_not_numbers() {
    let policy = policy(
        "[allow]\nusers = [\"alice\"]\n[deny]\ngroups = [\"wheel\", 61235]\nroles = [\"r\"]\n[roles.r]\ngroups = [\"webops\", \"wheel\"]\n",
    );
    assert_eq!(policy.denied_groups(), ["webops", "wheel"]);
}
