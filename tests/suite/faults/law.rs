//! The law of the protocol, held against what is known of one request: what the client was told, what the program did, what the
//! record says, and what the kernel saw. Performs nothing.

use super::scene::{Became, Round, Scene, is_about};
use udsadmin::protocol::reply::{Final, Part, parse_reply_line};

/// All that there is to know of one request.
#[derive(Debug)]
pub(super) struct Case<'a> {
    round: &'a Round,
    /// Of the final line, where there was one.
    pub(super) code: Option<u16>,
    job: String,
    /// The program's own word that it began, and that it came to its end: the jobs.
    began: Vec<String>,
    ended: Vec<String>,
    /// What the kernel saw.
    became: Vec<Became>,
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
        let last = last_line(&round.told);
        Self {
            code: last.as_ref().map(|last| last.code),
            job: last.as_ref().map(job).unwrap_or_default(),
            began: words("began"),
            ended: words("ended"),
            became: scene.became.iter().filter(|one| one.round == round.number).cloned().collect(),
            started: events("started"),
            finished: events("finished"),
            round,
        }
    }

    /// # Errors
    /// The rule that is broken.
    pub(super) fn judge(&self) -> Result<(), &'static str> {
        rule(self.began.len() <= 1 && self.became.len() <= 1, "one request, one run")?;
        let was_seen = |job: &String| self.became.iter().any(|one| one.job == *job);
        rule(self.began.iter().all(was_seen), "no run that the kernel did not see")?;
        rule(self.became.iter().all(|one| one.is_recorded), "no run before its record")?;
        rule(self.began.iter().all(|job| has(&self.started, job)), "no run without its record")?;
        self.judge_again()?;
        match self.code {
            Some(200) => self.judge_whole(),
            Some(202) => self.judge_accepted(),
            Some(211) => self.judge_ended("EXIT=signal:KILL"),
            Some(213) => self.judge_ended("EXIT=cancelled"),
            Some(code @ 300..600) if code != 599 => self.judge_none(),
            Some(599) | None => Ok(()),
            Some(_) => Err("an end that this program can not have"),
        }
    }

    /// What ends with its client, and not before, was ended or never started, and the record says which. To be asked when all is
    /// over.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(super) fn judge_left(&self) -> Result<(), &'static str> {
        rule(self.code.is_none_or(|code| code == 599 || code == 213), "left: nothing else is told")?;
        rule(self.finished.len() == self.started.len(), "left: what is to start has an end on the record")?;
        let says = |exit: &str| self.finished.iter().all(|line| line.contains(exit));
        match self.became.as_slice() {
            [] => rule(says(" EXIT=exec-failed:"), "left: it was never started, as the record says"),
            [..] => rule(self.has_finished_as(" EXIT=cancelled "), "left: it was ended, as the record says"),
        }
    }

    fn has_finished_as(&self, exit: &str) -> bool {
        matches!(&*self.finished, [line] if line.contains(exit))
    }

    fn judge_whole(&self) -> Result<(), &'static str> {
        let job = &self.job;
        rule(self.began == [job.as_str()] && self.ended == self.began, "200: it ran to its end")?;
        rule(has(&self.started, job) && has(&self.finished, job), "200: all is on the record")?;
        rule(self.has_finished("EXIT=0"), "200: the record says how it ended")?;
        let heard = format!("| heard {}\n", self.round.number);
        let is_heard = self.round.told.matches(&heard).count() == 1;
        rule(is_heard || self.round.before.is_some(), "200: all output is told")
    }

    /// Who asks again is told what was told before, unless that was nothing, or that nobody knows, or that nothing was started.
    fn judge_again(&self) -> Result<(), &'static str> {
        let before = self.round.before.as_deref().and_then(last_line);
        let Some(before) = before.filter(|last| last.code < 300) else { return Ok(()) };
        // That it was accepted is no end yet: how it ends, the broker that started it may have taken with it.
        let is_same = self.code == Some(before.code) || (before.code, self.code) == (202, Some(599));
        rule(is_same && self.job == job(&before), "asked again: the same end")
    }

    fn judge_accepted(&self) -> Result<(), &'static str> {
        rule(has(&self.started, &self.job), "202: its start is on the record")?;
        rule(!self.round.is_exact || self.became.len() == 1, "202: it has started")
    }

    /// In the midst of execve(2), which is no step of its own, the kernel counts a process as the program before we see it.
    fn judge_ended(&self, exit: &str) -> Result<(), &'static str> {
        rule(!self.round.is_exact || self.became.len() == 1, "211 and 213: it has run")?;
        rule(self.has_finished(exit), "211 and 213: the record says how it ended")
    }

    fn judge_none(&self) -> Result<(), &'static str> {
        rule(self.began.is_empty() && self.became.is_empty(), "4xx and 5xx: nothing was started")?;
        let is_failure = |line: &String| line.contains("EXIT=exec-failed:");
        rule(self.finished.iter().all(is_failure), "4xx and 5xx: no end is on the record")
    }

    fn has_finished(&self, exit: &str) -> bool {
        let of_it: Vec<_> =
            self.finished.iter().filter(|line| is_about(line, "finished", &self.job)).collect();
        of_it.len() == 1 && of_it.iter().all(|line| line.contains(&format!(" {exit} ")))
    }
}

/// Whether one of these events is about this job.
fn has(lines: &[String], job: &str) -> bool {
    lines.iter().any(|line| line.contains(&format!(" JOB={job}")))
}

/// The job that the final line names.
fn job(last: &Final) -> String {
    let named = last.fields.iter().find(|(name, _)| name == "job");
    named.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).unwrap_or_default()
}

fn rule(holds: bool, text: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(text) }
}

/// The final line of the run. One without its end is none.
fn last_line(told: &str) -> Option<Final> {
    let lines = told.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let lines = lines.filter_map(|line| parse_reply_line(line.as_bytes()).ok());
    let mut lines = lines.filter(|line| line.tag.as_ref().is_none_or(|tag| tag.as_str() == "run"));
    lines.find_map(|line| match line.part {
        Part::Final(last) => Some(last),
        Part::Stream { .. } | Part::Row(_) | Part::Info(_) => None,
    })
}
