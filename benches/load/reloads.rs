//! How long others wait while a large policy is loaded, again and again. Both sides of a ratio are taken on the same servers.

use crate::client::{Client, Dialogue};
use crate::figure::{Figure, Round, Subject, Unit};
use crate::policies::drop_ins;
use crate::servers::Udsadmin;
use crate::stand::Stand;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// Commands of the policy; a tenth as many groups.
const COMMANDS: usize = 10_000;

/// A client that exchanges while another one reloads, and then the same while nobody does.
///
/// # Errors
/// Those of starting the servers, and of the first exchanges.
pub(crate) fn beside<'a>(name: &'static str, request: &str, stand: &Stand) -> io::Result<Figure<'a>> {
    let servers = Rc::new(Udsadmin::start_with(stand, &drop_ins(COMMANDS))?);
    let says = |request: &str| Client::of(Dialogue::new(servers.socket.clone(), request, "200"));
    let (mut busy, mut idle, mut reloading) = (says(request)?, says(request)?, says("reload")?);
    let while_idle = Rc::clone(&servers);
    Ok(Figure {
        name,
        what: format!("{request}, while a policy of {COMMANDS} commands is loaded again and again"),
        unit: Unit::Seconds,
        rate: Some("requests"),
        subjects: vec![
            Subject::new("reloading", move |span| {
                let _alive = &servers;
                exchange_beside(&mut busy, &mut reloading, span)
            }),
            Subject::new("idle", move |span| {
                let _alive = &while_idle;
                let begin = Instant::now();
                idle.drive(begin + span).map(|taken| round(taken, begin))
            }),
        ],
    })
}

/// Exchanges for as long as it takes the other to reload for this long, and to end with the last reload.
fn exchange_beside(client: &mut Client, reloading: &mut Client, span: Duration) -> io::Result<Round> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let reloads = scope.spawn(|| reloading.drive(begin + span));
        let taken = client.drive_while(|| !reloads.is_finished());
        let died = |_| Err(io::Error::other("the thread of a client died"));
        reloads.join().unwrap_or_else(died)?;
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
