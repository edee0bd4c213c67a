//! The table of verdicts, in tests/policies: each case is decided, explained and looked up, and all three agree.
//!
//! NAME.cases is judged by NAME.toml beside it, or by the files of the last line `policy FILE...` before a case; at the time
//! of the last line `at TIME` before it. A case is a line `WHO : REQUEST -> VERDICT`. Blank lines, and those that begin with
//! `#`, are for people.
//!
//! WHO is a user and its groups, by name, or by number behind a `+`; and what else is known: `database=GROUP,...` for its
//! groups of the user database (none, if nothing is said), `database=unknown`, `namespace=foreign`. REQUEST is a line of the
//! protocol. VERDICT is `USER TIMEOUT: ARGUMENT...` of what would run, with ` & DEMAND` for each thing that must be so
//! outside; `denied`, `not-now WHEN`, `bad-argument NAME TEXT`, `no-request TEXT`; `granted` or `denied` of a built-in; and
//! of `commands` their names, or `nothing`.

use crate::agreement::{NOW, Question};
use crate::people::{self, People, everyone, person};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use udsadmin::identity::{DatabaseGroups, Groups, Namespace, Peer};
use udsadmin::policy::{Decision, Grant, Loaded, Need, Policy, Refusal, Source, decide, moment};
use udsadmin::protocol;
use udsadmin::request::{Builtin, Request};

/// The least number of cases.
const ENOUGH: usize = 400;

/// One line of a table, with the policy that it is about.
#[derive(Debug)]
struct Case {
    /// Where it stands.
    place: String,
    /// The policy's files.
    files: Vec<PathBuf>,
    now: SystemTime,
    /// Who asks, as the table says it.
    who: String,
    request: String,
    verdict: String,
}

fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every case of every table.
fn cases() -> Vec<Case> {
    let folder = fs::read_dir(project_file("tests/policies")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let mut tables: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "cases")).collect();
    tables.sort();
    tables.iter().flat_map(|table| cases_of(table)).collect()
}

fn cases_of(table: &Path) -> Vec<Case> {
    let text = fs::read_to_string(table).unwrap();
    let (mut files, mut now) = (vec![table.with_extension("toml")], NOW);
    let mut cases = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(named) = line.strip_prefix("policy ") {
            files = named.split_whitespace().map(project_file).collect();
        } else if let Some(at) = line.strip_prefix("at ") {
            now = moment(at, &People).unwrap();
        } else if !line.is_empty() && !line.starts_with('#') {
            let place = format!("{}:{number}", table.file_name().unwrap().display());
            cases.push(Case { now, ..case(line, &files, place) });
        }
    }
    cases
}

fn case(line: &str, files: &[PathBuf], place: String) -> Case {
    let parts = line.split_once(" : ").zip(line.rsplit_once(" -> "));
    let ((who, _), (rest, verdict)) = parts.unwrap_or_else(|| panic!("{place}: no case: {line}"));
    let request = rest.split_once(" : ").map(|(_, request)| request.to_owned()).unwrap();
    let (who, verdict) = (who.to_owned(), verdict.trim().to_owned());
    Case { place, files: files.to_vec(), now: NOW, who, request, verdict }
}

fn load(files: &[PathBuf]) -> Loaded {
    let source = |path: &PathBuf| Source {
        name: path.file_name().unwrap().display().to_string(),
        text: fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    let sources: Vec<Source> = files.iter().map(source).collect();
    Policy::parse(&sources, &People).unwrap_or_else(|errors| panic!("{files:?}: {errors:#?}"))
}

/// The peer whom a table means.
fn peer(who: &str) -> Peer {
    let (facts, names): (Vec<&str>, Vec<&str>) = who.split_whitespace().partition(|word| word.contains('='));
    let mut peer = person(names[0], &names[1..]);
    peer.database_groups = DatabaseGroups::Known(Groups::new());
    for fact in facts {
        match fact.split_once('=').unwrap() {
            ("database", "unknown") => peer.database_groups = DatabaseGroups::Unavailable,
            ("database", groups) => {
                peer.database_groups = DatabaseGroups::Known(groups.split(',').map(people::group).collect());
            }
            ("namespace", "foreign") => peer.namespace = Namespace::Foreign,
            (name, _) => panic!("{who}: nothing is known as {name}"),
        }
    }
    peer
}

/// What the policy says to a request.
#[derive(Debug)]
enum Found {
    Decided(Request, Box<Decision>),
    Other(String),
}

fn find(policy: &Policy, peer: &Peer, line: &str, now: SystemTime) -> Found {
    let verb = line.split_whitespace().next().unwrap_or_default();
    match (Builtin::from_verb(verb), protocol::read_request(line)) {
        (_, Ok(request)) => {
            let decision = decide(policy, peer, &request, now);
            Found::Decided(request, Box::new(decision))
        }
        (Some(Builtin::Commands), _) => {
            let names = policy.visible_commands(peer).map(|command| command.name().to_string());
            let names: Vec<String> = names.collect();
            Found::Other(if names.is_empty() { "nothing".to_owned() } else { names.join(" ") })
        }
        (Some(builtin), _) => {
            let word = if policy.grants_builtin(peer, builtin, now) { "granted" } else { "denied" };
            Found::Other(word.to_owned())
        }
        (None, Err(why)) => Found::Other(format!("no-request {why}")),
    }
}

impl Found {
    /// As the tables write it.
    fn shown(&self) -> String {
        match self {
            Self::Other(text) => text.clone(),
            Self::Decided(_, decision) => match &**decision {
                Decision::Permit(grant) => permitted(grant),
                Decision::Deny(denial) => refused(denial.refusal()),
            },
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Denied => "denied".to_owned(),
        Refusal::NotNow(text) => format!("not-now {text}"),
        Refusal::BadArgument { name, text } => format!("bad-argument {name} {text}"),
    }
}

fn permitted(grant: &Grant) -> String {
    let argv: Vec<_> =
        grant.argv().iter().map(|element| element_shown(&String::from_utf8_lossy(element))).collect();
    let limit = grant.terms().timeout.map(|limit| humantime::format_duration(limit).to_string());
    let demands = grant.demands().iter().map(|demand| format!(" & {}", needed(demand.need())));
    let limit = limit.as_deref().unwrap_or("infinity");
    format!("{} {limit}: {}{}", grant.run_as().name, argv.join(" "), demands.collect::<String>())
}

fn needed(need: &Need) -> String {
    match need {
        Need::Path(path) => {
            let handed = if path.handed { " handed" } else { "" };
            format!("{:?} {}:{}{handed}", path.target, path.root.display(), path.below.display())
                .to_lowercase()
        }
        Need::User(user) => {
            let groups = user.groups.iter().flatten().map(|group| format!(" {group}"));
            format!("user {} {}{}", user.name, user.min_uid, groups.collect::<String>())
        }
        Need::Group(name) => format!("group {name}"),
        Need::Memory(_) => "memory".to_owned(),
        Need::Input(_) => "input".to_owned(),
    }
}

/// An element of an argument vector, in quotes where it would not be seen as one.
fn element_shown(element: &str) -> String {
    let quoted = format!("{element:?}");
    let plain = !element.is_empty() && !element.contains(' ') && quoted.len() == element.len() + 2;
    if plain { element.to_owned() } else { quoted }
}

/// What of a case does not hold.
fn wrong(case: &Case, policy: &Policy) -> Option<String> {
    let peer = peer(&case.who);
    let found = find(policy, &peer, &case.request, case.now);
    let shown = found.shown();
    let Case { place, who, request, verdict, .. } = case;
    if shown != *verdict {
        return Some(format!("{place}: {who} : {request} -> {shown}"));
    }
    let Found::Decided(asked, decision) = &found else { return None };
    let differs =
        Question { policy, peer: &peer, request: asked, now: case.now }.disagreement(decision, everyone())?;
    Some(format!("{place}: {who} : {request} -> {shown}, but {differs}"))
}

#[test]
fn decide_why_and_who_can_say_what_every_table_says() {
    let cases = cases();
    let mut policies: BTreeMap<&[PathBuf], Policy> = BTreeMap::new();
    let mut wrongs = Vec::new();
    for case in &cases {
        let policy = policies.entry(&case.files).or_insert_with(|| load(&case.files).policy);
        wrongs.extend(wrong(case, policy));
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    // Past the test harness, which shows nothing of a test that passes.
    writeln!(std::io::stderr(), "cases of verdicts: {}", cases.len()).unwrap();
    assert!(cases.len() >= ENOUGH, "only {} cases", cases.len());
}

#[test]
fn no_shipped_example_has_a_warning() {
    for case in
        cases().iter().filter(|case| case.files.iter().any(|file| file.starts_with(project_file("config"))))
    {
        let warnings = load(&case.files).warnings;
        assert!(warnings.is_empty(), "{}: {warnings:?}", case.place);
    }
}
