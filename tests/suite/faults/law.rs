//! The law of the protocol, held against what is known of one request: what the client was told, what the program did, what the
//! record says, and what the kernel saw. Performs nothing.

use super::scene::{Round, Scene, is_about};
use udsadmin::protocol::reply::{Final, Part, parse_reply_line};

/// All that there is to know of one request.
#[derive(Debug)]
pub(super) struct Case<'a> {
    round: &'a Round,
    last: Option<Final>,
    /// The program's own word that it began, and that it came to its end: the jobs.
    began: Vec<String>,
    ended: Vec<String>,
    /// The events on the record.
    started: Vec<String>,
    finished: Vec<String>,
}

impl<'a> Case<'a> {
    pub(super) fn of(round: &'a Round, scene: &Scene) -> Self {
        let witness = scene.read("witness");
        let words = |what: &str| -> Vec<String> {
            let prefix = format!("{what} {} ", round.number);
            witness.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
        };
        let record = scene.read("record");
        let events = |what: &str| -> Vec<String> {
            let number = format!(" ARG_ROUND={} ", round.number);
            let about = |line: &&str| is_about(line, what, "") && line.contains(&number);
            record.lines().filter(about).map(str::to_owned).collect()
        };
        Self {
            last: last_line(&round.told),
            began: words("began"),
            ended: words("ended"),
            started: events("started"),
            finished: events("finished"),
            round,
        }
    }

    pub(super) fn code(&self) -> Option<u16> {
        self.last.as_ref().map(|last| last.code)
    }

    /// The job that the final line names.
    fn job(&self) -> String {
        let fields = self.last.iter().flat_map(|last| &last.fields);
        let job = fields.filter(|(name, _)| name == "job").map(|(_, value)| value.clone()).next();
        String::from_utf8(job.unwrap_or_default()).unwrap()
    }

    /// # Errors
    /// The rule that is broken.
    pub(super) fn judge(&self) -> Result<(), &'static str> {
        let became = self.round.became.len();
        rule(self.began.len() <= 1 && became <= 1, "one request, one run")?;
        rule(self.round.became.iter().all(|(_, is_recorded)| *is_recorded), "no run before its record")?;
        rule(self.began.iter().all(|job| self.has(&self.started, job)), "no run without its record")?;
        match self.code() {
            Some(200) => self.judge_whole(),
            Some(211) => rule(became == 1 && self.has_finished("EXIT=signal:KILL"), "what is ended has run"),
            Some(code @ 300..600) if code != 599 => self.judge_none(),
            Some(599) | None => Ok(()),
            Some(_) => Err("an end that this program can not have"),
        }
    }

    fn judge_whole(&self) -> Result<(), &'static str> {
        let job = &self.job();
        rule(self.began == [job.as_str()] && self.ended == [job.as_str()], "200: it ran to its end")?;
        rule(self.has(&self.started, job) && self.has(&self.finished, job), "200: all is on the record")?;
        rule(self.has_finished("EXIT=0"), "200: the record says how it ended")?;
        let heard = format!("| heard {}\n", self.round.number);
        rule(self.round.told.matches(&heard).count() == 1, "200: all output is told")
    }

    fn judge_none(&self) -> Result<(), &'static str> {
        rule(self.began.is_empty() && self.round.became.is_empty(), "4xx and 5xx: nothing was started")?;
        let is_failure = |line: &String| line.contains("EXIT=exec-failed:");
        rule(self.finished.iter().all(is_failure), "4xx and 5xx: no end is on the record")
    }

    fn has(&self, lines: &[String], job: &str) -> bool {
        lines.iter().any(|line| line.contains(&format!(" JOB={job}")))
    }

    fn has_finished(&self, exit: &str) -> bool {
        self.finished.len() == 1 && self.finished.iter().all(|line| line.contains(&format!(" {exit} ")))
    }
}

fn rule(holds: bool, text: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(text) }
}

/// The final line. One without its end is none.
fn last_line(told: &str) -> Option<Final> {
    let lines = told.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.filter_map(|line| parse_reply_line(line.as_bytes()).ok()).find_map(|line| match line.part {
        Part::Final(last) => Some(last),
        Part::Stream { .. } | Part::Row(_) | Part::Info(_) => None,
    })
}
