//! How long others wait while one client has much done for it: a large policy loaded, or listed, again and again. Both sides of a
//! ratio are taken on the same servers.

use crate::client::{Client, Dialogue};
use crate::figure::{Figure, Round, Subject, Unit};
use crate::policies::{drop_ins, for_everyone};
use crate::servers::Udsadmin;
use crate::stand::Stand;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// Commands of the policy; a tenth as many groups.
const COMMANDS: usize = 10_000;

/// One client's requests, and what another one asks for meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    /// What is timed.
    pub(crate) timed: &'static str,
    /// What goes on beside it.
    pub(crate) beside: &'static str,
}

/// A client that exchanges while another one has much done, and then the same while nobody does.
///
/// # Errors
/// Those of starting the servers, and of the first exchanges.
pub(crate) fn beside<'a>(
    name: &'static str,
    neighbours: Neighbours,
    stand: &Stand,
) -> io::Result<Figure<'a>> {
    let Neighbours { timed, beside } = neighbours;
    let mut files = drop_ins(COMMANDS);
    files.extend((beside == "commands").then(|| for_everyone(COMMANDS)));
    let servers = Rc::new(Udsadmin::start_with(stand, &files)?);
    let says = |request: &str| Client::of(Dialogue::new(servers.socket.clone(), request, "200"));
    let (mut disturbed, mut idle, mut busy) = (says(timed)?, says(timed)?, says(beside)?);
    let while_idle = Rc::clone(&servers);
    let subjects = vec![
        Subject::new(beside, move |span| {
            let _alive = &servers;
            exchange_beside(&mut disturbed, &mut busy, span)
        }),
        Subject::new("idle", move |span| {
            let (_alive, begin) = (&while_idle, Instant::now());
            idle.drive(begin + span).map(|taken| round(taken, begin))
        }),
    ];
    let what =
        format!("{timed}, while another client asks for {beside} of {COMMANDS} commands again and again");
    Ok(Figure { name, what, unit: Unit::Seconds, rate: Some("requests"), subjects })
}

/// Exchanges for as long as the other is busy for this long, and to the end of its last exchange.
fn exchange_beside(client: &mut Client, other: &mut Client, span: Duration) -> io::Result<Round> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let busy = scope.spawn(|| other.drive(begin + span));
        let taken = client.drive_while(|| !busy.is_finished());
        let died = |_| Err(io::Error::other("the thread of a client died"));
        busy.join().unwrap_or_else(died)?;
        taken.map(|taken| round(taken, begin))
    })
}

fn round((values, done): (Vec<f64>, usize), begin: Instant) -> Round {
    Round { values, clients: 1, done, took: begin.elapsed() }
}

/// The time that a reload takes, until both programs have the new policy; beside a small one.
///
/// # Errors
/// Those of starting the servers, and of the first exchanges.
pub(crate) fn reload<'a>(name: &'static str, small: &Dialogue, stand: &Stand) -> io::Result<Figure<'a>> {
    let servers = Udsadmin::start_with(stand, &drop_ins(COMMANDS))?;
    let large = Dialogue { socket: servers.socket.clone(), ..small.clone() };
    let mut large = large.subject("10000 commands", 1)?;
    Ok(Figure {
        name,
        what: "a reload of the same policy, until both programs have it".to_owned(),
        unit: Unit::Seconds,
        rate: Some("reloads"),
        subjects: vec![
            Subject::new("10000 commands", move |span| {
                let _alive = &servers;
                large.take(span)
            }),
            small.subject("3 commands", 1)?,
        ],
    })
}
