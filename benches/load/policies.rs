//! Policies of many commands: how long one takes to load, and to decide by, beside smaller ones. Starts nothing.

use crate::figure::{Figure, Round, Subject, Unit};
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};
use toml::de::DeTable;
use udsadmin::files::Trust;
use udsadmin::identity::{Gid, Peer, Uid};
use udsadmin::policy::{Decision, LookupFailed, Names, Policy, Source, decide, diff};
use udsadmin::protocol::read_request;
use udsadmin::request::Request;
use udsadmin::server::policy::check;

/// Commands of each policy; a tenth as many groups, each of which may connect and run twenty of them.
const SIZES: [(&str, usize); 4] =
    [("10000 commands", 10_000), ("1000 commands", 1_000), ("100 commands", 100), ("10 commands", 10)];

/// Commands in a file: a file has 4 MiB at most.
const IN_A_FILE: usize = 1_000;

/// Decisions that are timed together, since a clock is no quicker to ask than one of them.
const TOGETHER: u32 = 100;

/// A user database with groups `g0`, `g1`, ... and the user of the peer.
struct Database;

impl Names for Database {
    fn uid_of(&self, _user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(Some(Uid::ROOT))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        let number = group.strip_prefix('g').and_then(|number| number.parse::<u32>().ok());
        Ok(number.and_then(|number| Gid::new(number + 1).ok()))
    }
}

/// How a group is written.
type Spelling = fn(usize) -> String;

/// The files of a policy of so many commands.
fn sources(commands: usize) -> Vec<Source> {
    spelt(commands, |group| format!("\"g{group}\""))
}

/// The drop-ins of such a policy, whose groups are numbers: every machine has them.
pub(crate) fn drop_ins(commands: usize) -> Vec<Source> {
    spelt(commands, |group| (3_000_000 + group).to_string())
}

/// A drop-in by which everyone of the group 0 may run each of these commands.
pub(crate) fn for_everyone(commands: usize) -> Source {
    let rule = |number| format!("[[commands.restart-{number}.allow]]\ngroups = [0]\n");
    Source { name: "policy.d/everyone.toml".to_owned(), text: (0..commands).map(rule).collect() }
}

fn spelt(commands: usize, group: Spelling) -> Vec<Source> {
    let groups = (commands / 10).max(1);
    let numbers: Vec<usize> = (0..commands).collect();
    let gate = (0..groups).map(group).collect::<Vec<_>>().join(", ");
    let gate =
        Source { name: "policy.d/gate.toml".to_owned(), text: format!("[allow]\ngroups = [{gate}]\n") };
    let file = |(place, numbers): (usize, &[usize])| Source {
        name: format!("policy.d/{place}.toml"),
        text: numbers.iter().map(|number| command(*number, groups, group)).collect(),
    };
    std::iter::once(gate).chain(numbers.chunks(IN_A_FILE).enumerate().map(file)).collect()
}

fn command(number: usize, groups: usize, group: Spelling) -> String {
    let (one, other) = (group(number % groups), group((number * 7 + 1) % groups));
    format!(
        "[commands.restart-{number}]\nsummary = \"Restart service {number}\"\n\
         exec = [\"/usr/bin/true\", \"restart\", \"--\", \"{{unit}}\"]\n\
         args = [{{ name = \"unit\", one-of = [\"web-{number}.service\", \"db-{number}.service\"] }}]\n\
         timeout = \"30s\"\n\
         [[commands.restart-{number}.allow]]\ngroups = [{one}]\nwhen.unit = [\"web-{number}.service\"]\n\
         [[commands.restart-{number}.allow]]\ngroups = [{other}]\n\n"
    )
}

fn load(sources: &[Source]) -> io::Result<Policy> {
    check(sources, &Database, Trust::CallingUser)
        .map(|loaded| loaded.policy)
        .map_err(|found| io::Error::other(format!("{found:?}")))
}

/// The time to check a policy's files, as a program does when it starts; beside a smaller policy, and beside TOML alone.
pub(crate) fn loading(name: &'static str) -> Figure<'static> {
    let [(large, most), (small, fewer), ..] = SIZES;
    let (all, some) = (sources(most), sources(fewer));
    let octets: usize = all.iter().map(|source| source.text.len()).sum();
    let text = all.clone();
    let toml = move || {
        let parse = |source: &Source| DeTable::parse(&source.text).map(|table| drop(black_box(table)));
        text.iter().try_for_each(parse).map_err(io::Error::other)
    };
    Figure {
        name,
        what: format!("{most} commands and {} groups in {octets} octets, read and checked", most / 10),
        unit: Unit::Seconds,
        rate: None,
        subjects: vec![
            timed(large, move || load(&all).map(|policy| drop(black_box(policy)))),
            timed(small, move || load(&some).map(|policy| drop(black_box(policy)))),
            timed("toml alone", toml),
        ],
    }
}

/// The time to find what a reload changes: every command; beside one group more at the gate, and beside nothing.
///
/// # Errors
/// A policy that is refused.
pub(crate) fn comparing(name: &'static str) -> io::Result<Figure<'static>> {
    let [(_, most), ..] = SIZES;
    let before = Rc::new(load(&sources(most))?);
    let other = sources(most)
        .into_iter()
        .map(|it| Source { text: it.text.replace("/usr/bin/true", "/usr/bin/false"), ..it });
    let gate = Source {
        name: "policy.d/more.toml".to_owned(),
        text: "[allow]\ngroups = [\"g1000000\"]\n".to_owned(),
    };
    let subject = |name, sources: &[Source]| {
        let (before, after) = (Rc::clone(&before), load(sources)?);
        let compare = move || {
            black_box(diff(&before, &after));
            Ok(())
        };
        Ok(timed(name, compare))
    };
    let subjects = [
        subject("every command", &other.collect::<Vec<_>>()),
        subject("a group more", &[sources(most), vec![gate]].concat()),
        subject("nothing", &sources(most)),
    ];
    Ok(Figure {
        name,
        what: format!("what changes in a policy of {most} commands"),
        unit: Unit::Seconds,
        rate: None,
        subjects: subjects.into_iter().collect::<io::Result<_>>()?,
    })
}

fn timed(name: &'static str, mut deed: impl FnMut() -> io::Result<()> + 'static) -> Subject<'static> {
    Subject::once(name, move || {
        let begin = Instant::now();
        deed()?;
        Ok(begin.elapsed().as_secs_f64())
    })
}

/// Whoever asks: one user, in the group of the last command and in three others.
fn peer(commands: usize) -> io::Result<Peer> {
    let group = |raw: usize| Gid::new(u32::try_from(raw).unwrap_or(1)).map_err(io::Error::other);
    let groups = (commands / 10).max(1);
    let own = [groups, groups / 2 + 1, 3_000_000, 3_000_001].map(group);
    let uid = Uid::new(12_345).map_err(io::Error::other)?;
    Ok(Peer::of(uid, group(3_000_002)?, own.into_iter().collect::<io::Result<Vec<_>>>()?))
}

/// What is done over and over with a policy.
type Deed = fn(&Policy, &Peer, &Request) -> bool;

/// The time of a decision on a command that the peer may run.
///
/// # Errors
/// A policy that is refused, or that doesn't permit.
pub(crate) fn deciding(name: &'static str) -> io::Result<Figure<'static>> {
    let permits: Deed = |policy, peer, request| {
        matches!(decide(policy, peer, request, SystemTime::UNIX_EPOCH), Decision::Permit(_))
    };
    figure(name, "a decision that permits", permits)
}

/// The time of a decision on a command that is not for the peer.
///
/// # Errors
/// A policy that is refused.
pub(crate) fn refusing(name: &'static str) -> io::Result<Figure<'static>> {
    let refuses: Deed = |policy, _, request| {
        let stranger = Gid::new(3_000_000).map(|group| Peer::of(Uid::ROOT, group, []));
        stranger.is_ok_and(|stranger| {
            matches!(decide(policy, &stranger, request, SystemTime::UNIX_EPOCH), Decision::Deny(_))
        })
    };
    figure(name, "a decision that refuses a stranger", refuses)
}

/// The time that it takes to find the commands which the peer may run.
///
/// # Errors
/// A policy that is refused, or in which the peer sees nothing.
pub(crate) fn listing(name: &'static str) -> io::Result<Figure<'static>> {
    let lists: Deed = |policy, peer, _| policy.visible_commands(peer).count() > 0;
    figure(name, "the commands of a peer that may run few of them", lists)
}

fn figure(name: &'static str, what: &str, deed: Deed) -> io::Result<Figure<'static>> {
    let subjects = SIZES.map(|(size, commands)| subject(size, commands, deed));
    Ok(Figure {
        name,
        what: what.to_owned(),
        unit: Unit::Seconds,
        rate: None,
        subjects: subjects.into_iter().collect::<io::Result<_>>()?,
    })
}

fn subject(size: &'static str, commands: usize, deed: Deed) -> io::Result<Subject<'static>> {
    let (policy, peer) = (load(&sources(commands))?, peer(commands)?);
    let last = commands - 1;
    let request = read_request(&format!("restart-{last} web-{last}.service")).map_err(io::Error::other)?;
    if !deed(&policy, &peer, &request) {
        return Err(io::Error::other(format!("{size}: not the answer that is to be timed")));
    }
    Ok(Subject::new(size, move |span| Ok(drive(span, || deed(&policy, &peer, &request)))))
}

fn drive(span: Duration, deed: impl Fn() -> bool) -> Round {
    let begin = Instant::now();
    let mut values = Vec::new();
    while begin.elapsed() < span {
        let before = Instant::now();
        for _ in 0..TOGETHER {
            black_box(deed());
        }
        values.push(before.elapsed().as_secs_f64() / f64::from(TOGETHER));
    }
    Round { done: values.len(), values, clients: 1, took: begin.elapsed() }
}
