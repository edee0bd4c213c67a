//! Generated worlds: people with groups, and a policy of several files. Everyone asks for everything, and what holds of all
//! policies must hold of each of them.

use crate::agreement::{NOW, Question};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use udsadmin::identity::{DatabaseGroups, Gid, Namespace, Peer, Uid};
use udsadmin::policy::{Decision, LookupFailed, Names, Policy, Refusal, Source, decide, who_can};
use udsadmin::protocol::read_request;
use udsadmin::request::Request;

const USERS: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
const GROUPS: [&str; 5] = ["g0", "g1", "g2", "g3", "g4"];
const ROLES: [&str; 2] = ["r0", "r1"];

/// What else a gate or a rule may say.
const CONDITIONS: [&str; 6] = ["", "", "", "", "groups-from = \"database\"\n", "foreign-namespace = true\n"];

/// When a rule may hold: always, at the time of all decisions, and at another one.
const TIMES: [&str; 5] = ["", "", "", "during = \"00:00-06:00 UTC\"\n", "during = \"12:00-18:00 UTC\"\n"];

/// What there is to run, whoever may: without arguments, with one, with ones that may be left out.
const COMMANDS: [(&str, &str); 4] = [
    ("plain", "exec = [\"/bin/plain\"]\n"),
    ("one", "exec = [\"/bin/one\", \"{x}\"]\nargs = [{ name = \"x\", one-of = [\"a\", \"b\", \"c\"] }]\n"),
    (
        "two",
        "exec = [\"/bin/two\", \"{x}={y}\"]\nrun-as = \"u0\"\nargs = [{ name = \"x\", pattern = \"[abc]\" }, \
         { name = \"y\", integer = { min = 1, max = 2 }, default = 2 }]\n",
    ),
    (
        "free",
        "exec = [\"/bin/free\", \"{x}\", \"{y}\"]\nargs = [\
         { name = \"x\", text = { max-length = 1, characters = \"[abc]\" }, optional = true }, \
         { name = \"y\", boolean = true, optional = true }]\n",
    ),
];

/// The values to which a rule of the command may narrow its first argument.
const NARROWINGS: [&str; 4] =
    ["", "when.x = [\"a\"]\n", "when.x = [\"b\", \"c\"]\n", "when.x = [\"c\", \"a\"]\n"];

/// Arguments, of which some fit each command and some none.
const ARGUMENTS: [&str; 14] = [
    "",
    " a",
    " b",
    " x=c",
    " d",
    " a 1",
    " b 2",
    " a 3",
    " y=1 c",
    " a true",
    " y=false",
    " b y=false",
    " a a",
    " z=a",
];

struct Database;

impl Names for Database {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(place(&USERS, user).map(|at| Uid::new(3000 + at).unwrap()))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(place(&GROUPS, group).map(|at| Gid::new(4000 + at).unwrap()))
    }
}

fn place(names: &[&str], name: &str) -> Option<u32> {
    names.iter().position(|known| *known == name).map(|at| u32::try_from(at).unwrap())
}

fn gid(group: &str) -> Gid {
    Database.gid_of(group).unwrap().unwrap()
}

/// One user, with what the kernel and what the user database say of its groups.
fn person(user: &'static str) -> impl Strategy<Value = Peer> {
    let groups = || subsequence(&GROUPS[..], 0..=3);
    let database = prop_oneof![
        1 => Just(DatabaseGroups::Unavailable),
        8 => groups().prop_map(|groups| DatabaseGroups::Known(groups.into_iter().map(gid).collect())),
    ];
    let namespace = prop_oneof![5 => Just(Namespace::Own), 1 => Just(Namespace::Foreign)];
    (groups(), database, namespace).prop_map(move |(groups, database_groups, namespace)| {
        let uid = Database.uid_of(user).unwrap().unwrap();
        let own = Gid::new(uid.raw()).unwrap();
        Peer { database_groups, namespace, ..Peer::of(uid, own, groups.into_iter().map(gid)) }
    })
}

fn people() -> impl Strategy<Value = Vec<Peer>> {
    USERS.into_iter().map(person).collect::<Vec<_>>()
}

/// `users` and `groups`, each with some of them.
fn members() -> impl Strategy<Value = String> {
    (subsequence(&USERS[..], 0..=3), subsequence(&GROUPS[..], 0..=2))
        .prop_map(|(users, groups)| format!("users = {users:?}\ngroups = {groups:?}\n"))
}

/// The same, and perhaps a role.
fn principals() -> impl Strategy<Value = String> {
    let roles = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(&ROLES[..], 1)];
    (members(), roles).prop_map(|(members, roles)| format!("{members}roles = {roles:?}\n"))
}

/// The same, under some condition.
fn conditions() -> impl Strategy<Value = String> {
    (principals(), select(&CONDITIONS[..])).prop_map(|(who, condition)| who + condition)
}

/// An allow rule: of which command, and the rest.
type Rule = (usize, String);

fn rule() -> impl Strategy<Value = Rule> {
    let narrowed = (select(&NARROWINGS[..]), select(&TIMES[..]));
    (0..COMMANDS.len(), conditions(), narrowed).prop_map(|(command, who, (when, during))| {
        let when = if command == 0 { "" } else { when };
        (command, who + during + when)
    })
}

/// What a policy says, in no order and in no file yet.
#[derive(Clone, Debug)]
struct Draft {
    roles: Vec<String>,
    allows: Vec<String>,
    denies: Vec<String>,
    rules: Vec<Rule>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let denies = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(principals(), 1..3)];
    let allows = prop::collection::vec(conditions(), 1..4);
    let roles = prop::collection::vec(members(), ROLES.len());
    let all = (roles, allows, denies, prop::collection::vec(rule(), 0..10));
    all.prop_map(|(roles, allows, denies, rules)| Draft { roles, allows, denies, rules })
}

impl Draft {
    /// The roles, and the sections that say who may connect, each in a file of its own.
    fn gates(&self) -> Vec<String> {
        let section = |header: &'static str| move |who: &String| format!("[{header}]\n{who}");
        let allows = self.allows.iter().map(section("allow"));
        let roles = ROLES.iter().zip(&self.roles).map(|(name, who)| format!("[roles.{name}]\n{who}"));
        roles.chain(allows).chain(self.denies.iter().map(section("deny"))).collect()
    }

    /// Every piece in a file of its own.
    fn in_files(&self) -> Vec<String> {
        [self.gates(), definitions(), self.rules.iter().map(Self::rule).collect()].concat()
    }

    /// All commands in one file, in this order, each before its rules.
    fn in_one_file(&self, order: &[usize]) -> Vec<String> {
        let rules = |command: usize| self.rules.iter().filter(move |rule| rule.0 == command).map(Self::rule);
        let whole = |command: &usize| definitions()[*command].clone() + &rules(*command).collect::<String>();
        [self.gates(), vec![order.iter().map(whole).collect()]].concat()
    }

    fn rule((command, rest): &Rule) -> String {
        format!("[[commands.{}.allow]]\n{rest}", COMMANDS[*command].0)
    }
}

fn definitions() -> Vec<String> {
    COMMANDS.map(|(name, definition)| format!("[commands.{name}]\n{definition}")).to_vec()
}

fn load(files: &[String]) -> Policy {
    let source = |(number, text): (usize, &String)| Source { name: number.to_string(), text: text.clone() };
    let sources: Vec<Source> = files.iter().enumerate().map(source).collect();
    Policy::parse(&sources, &Database).unwrap_or_else(|errors| panic!("{errors:?}\n{files:#?}")).policy
}

/// Every request there is to make.
fn requests() -> Vec<Request> {
    let names = COMMANDS.iter().map(|(name, _)| *name).chain(["nonesuch"]);
    names.flat_map(|name| ARGUMENTS.map(|rest| read_request(&format!("{name}{rest}")).unwrap())).collect()
}

/// Everyone with every request.
fn asked(people: &[Peer]) -> Vec<(&Peer, Request)> {
    people.iter().flat_map(|peer| requests().into_iter().map(move |request| (peer, request))).collect()
}

/// What a decision comes to, without the place of the rule, and without the text of a refusal: it lists values as the files do.
fn outcome(policy: &Policy, peer: &Peer, request: &Request) -> Result<Vec<Vec<u8>>, Option<String>> {
    match decide(policy, peer, request, NOW) {
        Decision::Permit(grant) => Ok(grant.argv().to_vec()),
        Decision::Deny(denial) => Err(match denial.refusal() {
            Refusal::Denied => None,
            Refusal::NotNow(_) => Some("at another time".to_owned()),
            Refusal::BadArgument { name, .. } => Some(name.clone()),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn decide_why_and_who_can_agree_on_everyone_and_everything(people in people(), draft in draft()) {
        let policy = load(&draft.in_files());
        for (peer, request) in asked(&people) {
            let decision = decide(&policy, peer, &request, NOW);
            let question = Question { policy: &policy, peer, request: &request, now: NOW };
            let disagreement = question.disagreement(&decision, people.iter().cloned());
            prop_assert_eq!(disagreement, None, "{} asks {:?}", peer, request);
        }
    }

    #[test]
    fn who_can_names_those_whom_some_values_permit(people in people(), draft in draft()) {
        let policy = load(&draft.in_files());
        for (name, _) in COMMANDS {
            let permitted = |peer: &&Peer| {
                requests().iter().any(|it| it.command.as_str() == name && outcome(&policy, peer, it).is_ok())
            };
            let expected: Vec<_> = people.iter().filter(permitted).map(|peer| peer.uid).collect();
            let able = who_can(&policy, people.iter().cloned(), &read_request(name).unwrap(), Some(NOW));
            prop_assert_eq!(able.iter().map(|able| able.peer.uid).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn whoever_sees_a_command_may_run_it_with_some_values(people in people(), draft in draft()) {
        let policy = load(&draft.in_files());
        for peer in &people {
            for command in policy.commands() {
                let seen = policy.visible_commands(peer).any(|visible| visible.name() == command.name());
                let request = Request { command: command.name().clone(), arguments: Vec::new() };
                prop_assert_eq!(seen, !who_can(&policy, [peer.clone()], &request, None).is_empty());
                prop_assert_eq!(seen, policy.command(peer, command.name()).is_some());
            }
        }
    }

    #[test]
    fn a_policy_without_a_gate_or_without_rules_permits_nothing(people in people(), draft in draft()) {
        let policies = [
            Policy::default(),
            load(&Draft { allows: Vec::new(), ..draft.clone() }.in_files()),
            load(&Draft { rules: Vec::new(), ..draft }.in_files()),
        ];
        for (peer, request) in asked(&people) {
            for policy in &policies {
                prop_assert_eq!(outcome(policy, peer, &request), Err(None));
            }
        }
    }

    #[test]
    fn one_more_deny_never_widens(people in people(), draft in draft(), deny in principals()) {
        let before = load(&draft.in_files());
        let after = load(&[draft.in_files(), vec![format!("[deny]\n{deny}")]].concat());
        for (peer, request) in asked(&people) {
            let (was, is) = (outcome(&before, peer, &request), outcome(&after, peer, &request));
            prop_assert!(is == was || is == Err(None), "{:?} became {:?}", was, is);
        }
    }

    #[test]
    fn one_more_allow_never_narrows(
        people in people(), draft in draft(), gate in conditions(), rule in rule()
    ) {
        let before = load(&draft.in_files());
        let more = vec![format!("[allow]\n{gate}"), Draft::rule(&rule)];
        let after = load(&[draft.in_files(), more].concat());
        for (peer, request) in asked(&people) {
            if let Ok(ran) = outcome(&before, peer, &request) {
                prop_assert_eq!(outcome(&after, peer, &request), Ok(ran));
            }
        }
    }

    #[test]
    fn neither_the_order_of_files_nor_of_commands_changes_a_verdict(
        people in people(), draft in draft(), order in Just(vec![0, 1, 2, 3]).prop_shuffle(), seed in any::<u64>()
    ) {
        let mut files = draft.in_files();
        let length = u64::try_from(files.len()).unwrap();
        files.rotate_left(usize::try_from(seed % length).unwrap());
        files.reverse();
        let policies = [load(&draft.in_files()), load(&files), load(&draft.in_one_file(&order))];
        for (peer, request) in asked(&people) {
            let verdicts = policies.each_ref().map(|policy| outcome(policy, peer, &request));
            prop_assert_eq!(&verdicts[0], &verdicts[1]);
            prop_assert_eq!(&verdicts[0], &verdicts[2]);
        }
    }
}

/// How many of everyone's requests a generated world permits.
fn permitted(runner: &mut TestRunner) -> usize {
    let (people, draft) = (people(), draft()).new_tree(runner).unwrap().current();
    let policy = load(&draft.in_files());
    asked(&people).iter().filter(|(peer, request)| outcome(&policy, peer, request).is_ok()).count()
}

#[test]
fn the_worlds_have_permits_and_refusals() {
    let mut runner = TestRunner::deterministic();
    let worlds: Vec<usize> = (0..100).map(|_| permitted(&mut runner)).collect();
    let (all, idle) = (worlds.iter().sum::<usize>(), worlds.iter().filter(|permits| **permits == 0).count());
    assert!(all > 800 && idle < 50, "{all} permits, {idle} worlds without any");
}
