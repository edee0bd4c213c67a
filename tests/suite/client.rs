//! A client that sends octets and reads lines until a final one. Reads replies by the library's own parser.

use crate::process::PATIENCE;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use udsadmin::protocol::Tag;
use udsadmin::protocol::reply::{Final, Kind, Part, ReplyLine, parse_reply_line};

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    lines: BufReader<UnixStream>,
}

/// Everything that was said in answer to one request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) parts: Vec<ReplyLine>,
    pub(crate) tag: Option<Tag>,
    pub(crate) last: Final,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> Self {
        Self::of(UnixStream::connect(path).unwrap())
    }

    pub(crate) fn of(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Self { stream, lines }
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(octets.as_ref()).unwrap();
        self
    }

    /// Sends one line, and reads its answer.
    pub(crate) fn ask(&mut self, line: &str) -> Answer {
        self.send(format!("{line}\n")).answer()
    }

    /// As `ask`, of a server that may already have turned this client away: the code of the answer.
    pub(crate) fn try_ask(&mut self, line: &str) -> Option<u16> {
        // What is written to a closed connection is lost; what was said before the close is not.
        drop(self.stream.write_all(format!("{line}\n").as_bytes()));
        let line = self.line()?;
        match parse_reply_line(&line).unwrap().part {
            Part::Final(last) => Some(last.code),
            Part::Stream { .. } | Part::Row(_) | Part::Info(_) => None,
        }
    }

    /// Shuts the writing side.
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// The next line, as it came; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match self.lines.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                assert_eq!(line.pop(), Some(b'\n'), "a torn line: {line:?}");
                Some(line)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line came: {error}"),
        }
    }

    /// The next line, read.
    pub(crate) fn part(&mut self) -> ReplyLine {
        let line = self.line().expect("a line, and not the end");
        parse_reply_line(&line).unwrap_or_else(|why| panic!("{why}: {}", line.escape_ascii()))
    }

    /// Reads to the next final line.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut parts = Vec::new();
        loop {
            match self.part() {
                ReplyLine { tag, part: Part::Final(last) } => return Answer { parts, tag, last },
                part => parts.push(part),
            }
        }
    }

    /// The next line is this one.
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(String::from_utf8(self.line().unwrap_or_default()).unwrap(), line);
    }

    /// Nothing more comes, and the connection is closed.
    pub(crate) fn expect_end(&mut self) {
        let line = self.line();
        assert_eq!(line.as_deref().map(<[u8]>::escape_ascii).map(|text| text.to_string()), None);
    }

    /// Everything to the end, as it came.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).unwrap();
        text
    }
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.last.code
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.last.text.clone()).unwrap()
    }

    /// A field of the final line; empty where there is none.
    pub(crate) fn field(&self, name: &str) -> String {
        let field = self.last.fields.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).unwrap_or_default()
    }

    /// What the job wrote to standard output.
    pub(crate) fn stdout(&self) -> Vec<u8> {
        self.stream(Kind::Stdout)
    }

    /// What the job wrote to standard error.
    pub(crate) fn stderr(&self) -> Vec<u8> {
        self.stream(Kind::Stderr)
    }

    /// What the job wrote to standard output, line by line.
    pub(crate) fn output(&self) -> Vec<String> {
        String::from_utf8(self.stdout()).unwrap().lines().map(str::to_owned).collect()
    }

    fn stream(&self, wanted: Kind) -> Vec<u8> {
        let mut all = Vec::new();
        for line in &self.parts {
            if let Part::Stream { kind, partial, octets } = &line.part
                && *kind == wanted
            {
                all.extend_from_slice(octets);
                all.extend((!partial).then_some(b'\n'));
            }
        }
        all
    }

    /// The rows, field by field.
    pub(crate) fn rows(&self) -> Vec<Vec<(String, String)>> {
        let text =
            |(name, value): &(String, Vec<u8>)| (name.clone(), String::from_utf8(value.clone()).unwrap());
        let row = |line: &ReplyLine| match &line.part {
            Part::Row(fields) => Some(fields.iter().map(text).collect()),
            Part::Stream { .. } | Part::Info(_) | Part::Final(_) => None,
        };
        self.parts.iter().filter_map(row).collect()
    }

    /// One field of every row that has it.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let rows = self.rows();
        let all = rows.into_iter().flatten().filter(|(known, _)| known == name);
        all.map(|(_, value)| value).collect()
    }

    pub(crate) fn infos(&self) -> usize {
        self.parts.iter().filter(|line| matches!(line.part, Part::Info(_))).count()
    }
}
