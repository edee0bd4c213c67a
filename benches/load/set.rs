//! Which figures are taken: the project's fixed set, or one load of the command line's making.

use crate::client::{Dialogue, Reply, code_of};
use crate::figure::{Figure, Subject, Unit};
use crate::options::Options;
use crate::reloads::Neighbours;
use crate::servers::{Echo, Udsadmin};
use crate::stand::Stand;
use crate::{memory, output, policies, reloads, runs};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Clients of `ping-many`, and requests in a write of `pipeline`, where the command line does not say.
const MANY: usize = 16;

/// What becomes of each figure.
type Tell<'t> = dyn FnMut(Figure<'_>) -> io::Result<()> + 't;

/// Makes the figures that the command line asks for, and has each taken and told.
///
/// # Errors
/// Those of the first that could not be made or taken.
pub(crate) fn take(options: &Options, stand: &Stand, tell: &mut Tell<'_>) -> io::Result<()> {
    let yardsticks = Yardsticks { threads: Echo::in_threads(stand)?, one_loop: Echo::on_one_loop(stand)? };
    if let Some(socket) = &options.socket {
        return tell(one_load(options, socket.clone(), &yardsticks)?);
    }
    let servers = Udsadmin::start(stand)?;
    if options.is_one_load() {
        return tell(one_load(options, servers.socket.clone(), &yardsticks)?);
    }
    let set = Set { options, stand, servers, yardsticks };
    let wanted = |name: &str| options.figures.is_empty() || options.figures.iter().any(|one| one == name);
    FIGURES.iter().filter(|(name, _)| wanted(name)).try_for_each(|(name, make)| tell(make(&set, name)?))
}

/// The echo servers.
#[derive(Debug)]
struct Yardsticks {
    threads: Echo,
    one_loop: Echo,
}

impl Yardsticks {
    fn beside<'a>(
        &self,
        measured: Subject<'a>,
        dialogue: &Dialogue,
        clients: usize,
    ) -> io::Result<Vec<Subject<'a>>> {
        let echo = |name, echo: &Echo| dialogue.echoed_by(echo.socket.clone()).subject(name, clients);
        Ok(vec![measured, echo("tokio echo", &self.one_loop)?, echo("std echo", &self.threads)?])
    }
}

/// What the command line itself says to send.
fn one_load<'a>(options: &Options, socket: PathBuf, yardsticks: &Yardsticks) -> io::Result<Figure<'a>> {
    let request = options.request.clone().unwrap_or_else(|| "ping".to_owned());
    let mut dialogue = Dialogue::new(socket, &request, "");
    if options.one_line {
        dialogue.reply = Reply::OneLine;
    } else {
        dialogue.expected = code_of(&dialogue)?;
    }
    dialogue.pipeline = options.pipeline.unwrap_or(1);
    dialogue.connect_each = options.connect_each;
    let clients = options.clients.unwrap_or(1);
    let measured = dialogue.subject("measured", clients)?;
    let answer = if options.one_line { "any line" } else { &dialogue.expected };
    Ok(Figure {
        name: "load",
        what: format!(
            "clients {clients}, each write {} times {request:?}, answer {answer}",
            dialogue.pipeline
        ),
        unit: Unit::Seconds,
        rate: Some("requests"),
        subjects: yardsticks.beside(measured, &dialogue, clients)?,
    })
}

/// The fixed set.
#[derive(Debug)]
struct Set<'a> {
    options: &'a Options,
    stand: &'a Stand,
    servers: Udsadmin,
    yardsticks: Yardsticks,
}

type Make = for<'a> fn(&'a Set<'a>, &'static str) -> io::Result<Figure<'a>>;

/// The figures: name, and how each is made.
const FIGURES: [(&str, Make); 23] = [
    ("ping", |set, name| set.exchange(name, "one client, one ping after another", &set.says("ping", "200"))),
    ("ping-many", |set, name| {
        let clients = set.options.clients.unwrap_or(MANY);
        let what = format!("{clients} clients, each one ping after another");
        set.exchanges(name, what, &set.says("ping", "200"), clients)
    }),
    ("pipeline", |set, name| {
        let pipeline = set.options.pipeline.unwrap_or(MANY);
        let dialogue = Dialogue { pipeline, ..set.says("ping", "200") };
        set.exchange(name, &format!("one client, {pipeline} pings in each write"), &dialogue)
    }),
    ("connect", |set, name| set.exchange(name, "connect, ping, close", &each_anew(set.says("ping", "200")))),
    ("whoami", |set, name| set.exchange(name, "a reply of two lines", &set.says("whoami", "200"))),
    ("denied", |set, name| set.exchange(name, "a request that is refused", &set.says("reboot", "403"))),
    ("run", |set, name| run(name, "a run of true, to its final line", &set.says("nothing", "200"))),
    ("run-connect", |set, name| {
        run(name, "connect, run true, close", &each_anew(set.says("nothing", "200")))
    }),
    ("text", |set, name| output::figure(name, set.stand, &set.servers)),
    ("binary", |set, name| output::figure(name, set.stand, &set.servers)),
    ("idle", |set, name| Ok(memory::figure(name, "ping", set.stand))),
    ("idle-ran", |set, name| Ok(memory::figure(name, "nothing", set.stand))),
    ("start", |set, name| Ok(set.start(name, |servers| servers.server_took))),
    ("start-broker", |set, name| Ok(set.start(name, |servers| servers.broker_took))),
    ("policy-load", |_, name| Ok(policies::loading(name))),
    ("policy-diff", |_, name| policies::comparing(name)),
    ("decide", |_, name| policies::deciding(name)),
    ("decide-denied", |_, name| policies::refusing(name)),
    ("visible", |_, name| policies::listing(name)),
    ("reload", |set, name| reloads::reload(name, &set.says("reload", "200"), set.stand)),
    ("ping-reload", |set, name| disturbed(set, name, "ping", "reload")),
    ("run-reload", |set, name| disturbed(set, name, "nothing", "reload")),
    ("ping-commands", |set, name| disturbed(set, name, "ping", "commands")),
];

/// The names of all figures, in their order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FIGURES.iter().map(|(name, _)| *name)
}

fn each_anew(dialogue: Dialogue) -> Dialogue {
    Dialogue { connect_each: true, ..dialogue }
}

fn run(name: &'static str, what: &str, dialogue: &Dialogue) -> io::Result<Figure<'static>> {
    let subjects = vec![dialogue.subject("udsadmin", 1)?, runs::direct()];
    Ok(Figure { name, what: what.to_owned(), unit: Unit::Seconds, rate: Some("runs"), subjects })
}

fn disturbed<'a>(
    set: &Set<'_>,
    name: &'static str,
    timed: &'static str,
    beside: &'static str,
) -> io::Result<Figure<'a>> {
    reloads::beside(name, Neighbours { timed, beside }, set.stand)
}

impl<'a> Set<'a> {
    fn says(&self, request: &str, expected: &str) -> Dialogue {
        Dialogue::new(self.servers.socket.clone(), request, expected)
    }

    fn exchange(&self, name: &'static str, what: &str, dialogue: &Dialogue) -> io::Result<Figure<'a>> {
        self.exchanges(name, what.to_owned(), dialogue, 1)
    }

    fn exchanges(
        &self,
        name: &'static str,
        what: String,
        dialogue: &Dialogue,
        clients: usize,
    ) -> io::Result<Figure<'a>> {
        let subjects = self.yardsticks.beside(dialogue.subject("udsadmin", clients)?, dialogue, clients)?;
        Ok(Figure { name, what, unit: Unit::Seconds, rate: Some("requests"), subjects })
    }

    fn start(&self, name: &'static str, took: fn(&Udsadmin) -> Duration) -> Figure<'a> {
        let stand = self.stand;
        let ours = move || Ok(took(&Udsadmin::start(stand)?).as_secs_f64());
        let theirs = move || Ok(Echo::on_one_loop(stand)?.took.as_secs_f64());
        Figure {
            name,
            what: "from the start of the process until it says that it is ready".to_owned(),
            unit: Unit::Seconds,
            rate: None,
            subjects: vec![Subject::once("udsadmin", ours), Subject::once("tokio echo", theirs)],
        }
    }
}
