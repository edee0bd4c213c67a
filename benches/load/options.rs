//! The command line of the load generator. Guesses nothing: what it does not know is an error.

use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints, with the names of the figures for `FIGURES`.
const HELP: &str = "\
Drives a line server over a Unix socket, side by side with two echo servers as yardsticks, by turns. Beside a yardstick
stands a ratio: how many times its cost the first one's is; the median of all rounds, and the least and the greatest.

  cargo bench --bench load -- [OPTION...] [FIGURE...]

Without --socket and --request: starts udsadmin's two programs and takes its figures, or those named:
FIGURES

  --socket PATH     drive the server that listens there
  --request LINE    send this line [ping]
  --one-line        any line is a whole reply; else a reply ends with the first line that begins with a digit
  --clients N       connections at once, also those of ping-many [1, ping-many 16]
  --pipeline N      requests in one write, also those of pipeline [1, pipeline 16]
  --connect-each    a new connection for every write
  --seconds S       how long to drive each server for each figure, in all its rounds [2]
  --audit FILE      where udsadmin's two programs write their standard error, the audit among it [/dev/null]
  --json            one JSON object a line
";

/// What `--help` prints, where there are these figures.
pub(crate) fn help<'a>(figures: impl Iterator<Item = &'a str>) -> String {
    HELP.replace("FIGURES", &format!("  {}", figures.collect::<Vec<_>>().join(" ")))
}

/// What to measure, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The server to drive; `None` is udsadmin's own, started here.
    pub(crate) socket: Option<PathBuf>,
    /// The one request to send; `None` is the fixed set of figures.
    pub(crate) request: Option<String>,
    /// Whether every line is a whole reply.
    pub(crate) one_line: bool,
    /// Connections at once.
    pub(crate) clients: Option<usize>,
    /// Requests in one write.
    pub(crate) pipeline: Option<usize>,
    /// Whether every write has a connection of its own.
    pub(crate) connect_each: bool,
    /// How long to drive each server for each figure.
    pub(crate) span: Duration,
    /// Where the programs' standard error goes.
    pub(crate) audit: PathBuf,
    /// JSON instead of text.
    pub(crate) json: bool,
    /// The figures to take; none is all.
    pub(crate) figures: Vec<String>,
}

impl Options {
    /// Reads a command line; `None` asks for help.
    ///
    /// # Errors
    /// What is wrong with it, as one line.
    pub(crate) fn read(
        mut words: impl Iterator<Item = String>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, String> {
        let mut options = Self {
            socket: None,
            request: None,
            one_line: false,
            clients: None,
            pipeline: None,
            connect_each: false,
            span: Duration::from_secs(2),
            audit: "/dev/null".into(),
            json: false,
            figures: Vec::new(),
        };
        while let Some(word) = words.next() {
            if matches!(word.as_str(), "--help" | "-h") {
                return Ok(None);
            }
            options.take(word, &mut words)?;
        }
        options.check(known).map(Some)
    }

    /// Whether the command line itself says what to send.
    pub(crate) const fn is_one_load(&self) -> bool {
        self.socket.is_some() || self.request.is_some()
    }

    fn check(self, known: impl Fn(&str) -> bool) -> Result<Self, String> {
        if let Some(name) = self.figures.iter().find(|name| !known(name)) {
            return Err(format!("there is no figure {name}; --help lists them"));
        }
        let one = self.is_one_load();
        if one && !self.figures.is_empty() {
            return Err("the figures send what they send: not with --socket or --request".to_owned());
        }
        if !one && (self.one_line || self.connect_each) {
            return Err("--one-line and --connect-each need --socket or --request".to_owned());
        }
        if self.request.as_ref().is_some_and(|request| request.contains('\n')) {
            return Err("a request is one line".to_owned());
        }
        Ok(self)
    }

    fn take(&mut self, word: String, rest: &mut dyn Iterator<Item = String>) -> Result<(), String> {
        let mut value = || rest.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            // What `cargo bench` adds by itself.
            "--bench" => {}
            "--one-line" => self.one_line = true,
            "--connect-each" => self.connect_each = true,
            "--json" => self.json = true,
            "--socket" => self.socket = Some(value()?.into()),
            "--request" => self.request = Some(value()?),
            "--clients" => self.clients = Some(count(&value()?)?),
            "--pipeline" => self.pipeline = Some(count(&value()?)?),
            "--seconds" => self.span = seconds(&value()?)?,
            "--audit" => self.audit = value()?.into(),
            _ if word.starts_with('-') => return Err(format!("unknown option {word}; --help lists them")),
            _ => self.figures.push(word),
        }
        Ok(())
    }
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=10_000).contains(count));
    count.ok_or_else(|| format!("{text} is no number from 1 to 10000"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("{text} is no number of seconds"))
}
