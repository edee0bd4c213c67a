//! Clients of a line server: they send requests, read whole replies, and time both together. Forgives no wrong answer.

use crate::figure::{Round, Subject};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What ends a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The first line that begins with a digit, as in udsadmin-protocol(7).
    Final,
    /// Its one line.
    OneLine,
}

/// What is said to a server, over and over.
#[derive(Clone, Debug)]
pub(crate) struct Dialogue {
    /// Where it listens.
    pub(crate) socket: PathBuf,
    /// One request, without its LF.
    pub(crate) request: String,
    /// How its replies end.
    pub(crate) reply: Reply,
    /// What the last line of every reply begins with.
    pub(crate) expected: String,
    /// Requests in one write.
    pub(crate) pipeline: usize,
    /// Whether every write has a connection of its own.
    pub(crate) connect_each: bool,
}

impl Dialogue {
    /// One request at a time on one connection, answered by udsadmin with this code.
    pub(crate) fn new(socket: PathBuf, request: &str, expected: &str) -> Self {
        Self {
            socket,
            request: request.to_owned(),
            reply: Reply::Final,
            expected: expected.to_owned(),
            pipeline: 1,
            connect_each: false,
        }
    }

    /// The same, said to an echo server.
    pub(crate) fn echoed_by(&self, socket: PathBuf) -> Self {
        Self { socket, reply: Reply::OneLine, expected: self.request.clone(), ..self.clone() }
    }

    /// So many clients that say this at once.
    ///
    /// # Errors
    /// Those of connecting, and of a first exchange that is not timed.
    pub(crate) fn subject(&self, name: &'static str, clients: usize) -> io::Result<Subject<'static>> {
        let mut clients =
            (0..clients).map(|_| Client::of(self.clone())).collect::<io::Result<Vec<Client>>>()?;
        Ok(Subject::new(name, move |span| all(&mut clients, span)))
    }
}

fn all(clients: &mut [Client], span: Duration) -> io::Result<Round> {
    let begin = Instant::now();
    let each = thread::scope(|scope| {
        let threads: Vec<_> =
            clients.iter_mut().map(|client| scope.spawn(move || client.drive(begin + span))).collect();
        let died = |_| Err(io::Error::other("the thread of a client died"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect::<Vec<_>>()
    });
    let took = begin.elapsed();
    let mut round = Round { values: Vec::new(), clients: clients.len(), done: 0, took };
    for client in each {
        let (values, done) = client?;
        round.values.extend(values);
        round.done += done;
    }
    Ok(round)
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    dialogue: Dialogue,
    octets: Vec<u8>,
    connection: Option<BufReader<UnixStream>>,
    line: Vec<u8>,
}

impl Client {
    /// A client that has had its first exchange, and stays connected unless it connects for each.
    ///
    /// # Errors
    /// Those of the exchange.
    pub(crate) fn of(dialogue: Dialogue) -> io::Result<Self> {
        let octets = format!("{}\n", dialogue.request).repeat(dialogue.pipeline).into_bytes();
        let mut client = Self { dialogue, octets, connection: None, line: Vec::new() };
        client.exchange()?;
        Ok(client)
    }

    /// Exchanges until then: the seconds that each exchange took, and how many requests were answered.
    pub(crate) fn drive(&mut self, end: Instant) -> io::Result<(Vec<f64>, usize)> {
        self.drive_while(|| Instant::now() < end)
    }

    /// The same, for as long as that is so.
    pub(crate) fn drive_while(&mut self, goes_on: impl Fn() -> bool) -> io::Result<(Vec<f64>, usize)> {
        let mut values = Vec::new();
        let mut before = Instant::now();
        while goes_on() {
            self.exchange()?;
            let after = Instant::now();
            values.push((after - before).as_secs_f64());
            before = after;
        }
        let done = values.len() * self.dialogue.pipeline;
        Ok((values, done))
    }

    /// One write, and the replies to all its requests.
    fn exchange(&mut self) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.dialogue)?,
        };
        connection.get_mut().write_all(&self.octets)?;
        for _ in 0..self.dialogue.pipeline {
            self.read_reply(&mut connection)?;
        }
        self.connection = (!self.dialogue.connect_each).then_some(connection);
        Ok(())
    }

    fn read_reply(&mut self, connection: &mut BufReader<UnixStream>) -> io::Result<()> {
        loop {
            self.line.clear();
            connection.read_until(b'\n', &mut self.line)?;
            if self.line.last() != Some(&b'\n') {
                return Err(io::Error::other("the server closed the connection before its reply ended"));
            }
            if self.is_last() {
                return self.check();
            }
        }
    }

    fn is_last(&self) -> bool {
        self.dialogue.reply == Reply::OneLine || self.line.first().is_some_and(u8::is_ascii_digit)
    }

    fn check(&self) -> io::Result<()> {
        let Dialogue { request, expected, .. } = &self.dialogue;
        if self.line.starts_with(expected.as_bytes()) {
            return Ok(());
        }
        let line = self.line.trim_ascii_end().escape_ascii();
        Err(io::Error::other(format!("{request}: answered {line}, where {expected} was expected")))
    }
}

fn connect(dialogue: &Dialogue) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(&dialogue.socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// The code of the reply to this request, by asking once.
///
/// # Errors
/// Those of the exchange.
pub(crate) fn code_of(dialogue: &Dialogue) -> io::Result<String> {
    let client = Client::of(Dialogue { expected: String::new(), ..dialogue.clone() })?;
    let code = client.line.split(|octet| !octet.is_ascii_digit()).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(code).into_owned())
}
