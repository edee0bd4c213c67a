//! `udsadmin jobs`, `job` and `cancel`: runs by their ids, also those that nobody waits for. Decides nothing.

use super::asking::{Answer, Common, ask, ask_and_watch, pretty, write};
use super::exit;
use super::policy::aligned;
use super::run::{Failure, connect, pass_on, told};
use crate::protocol::reply::Kind;
use crate::request::{JobId, Wish};
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::process::ExitCode;

const JOBS_EXAMPLES: &str = "\
Examples:
  udsadmin jobs
  udsadmin jobs --all          everyone's, where the policy lets you ([[builtins.jobs.allow]])
  udsadmin jobs --json | jq -r '.[] | select(.state == \"running\") | .job'

For programs, ms and uid are numbers, and exit is text: a code, signal:NAME, timeout, cancelled, capped.

How long a run is told of after its end, the policy says (keep of the command; ten minutes if it says nothing).";

const JOB_EXAMPLES: &str = "\
Examples:
  udsadmin job 7f3a1b90c2d4             how it is, and the end of its output
  udsadmin job 7f3a1b90c2d4 --follow    to its end
  id=$(udsadmin run --detach backup); udsadmin job --follow $id

What the command wrote comes out of our own standard output and standard error; how it is stands on standard error, after it.
Exit status: 0 where the job was found, however it ended; --status makes it the command's own, as udsadmin run has it, and 75
where it still runs.";

/// List the runs that are known: under way, or over not long ago
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = JOBS_EXAMPLES)]
pub(super) struct JobsArgs {
    /// Everyone's, not only yours
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    common: Common,
}

/// Show how a run is, and the end of its output
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = JOB_EXAMPLES)]
pub(super) struct JobArgs {
    /// The run's id, as udsadmin run --detach and udsadmin jobs tell it
    id: JobId,

    /// Go on to its end
    #[arg(long, short)]
    follow: bool,

    /// Exit as the command did
    #[arg(long)]
    status: bool,

    #[command(flatten)]
    common: Common,
}

/// End a run
///
/// It is told to end, and ended by force where it does not within the time that the policy gives it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct CancelArgs {
    /// The run's id, as udsadmin run --detach and udsadmin jobs tell it
    id: JobId,

    #[command(flatten)]
    common: Common,
}

type Row = Map<String, Value>;

/// Lists.
pub(super) fn jobs(arguments: &JobsArgs) -> ExitCode {
    let wish = Wish::Jobs { everyone: arguments.all };
    told(asked(&wish, &arguments.common).and_then(|answer| {
        let text = if arguments.common.json { pretty(&answer.rows.into()) } else { table(&answer.rows) };
        write(&text, &mut io::stdout())
    }))
}

/// Ends.
pub(super) fn cancel(arguments: &CancelArgs) -> ExitCode {
    let common = &arguments.common;
    told(asked(&Wish::Cancel(arguments.id.clone()), common).and_then(|answer| {
        let text = Value::from(Map::from_iter([("code".to_owned(), answer.last.code.into())]));
        if common.json { write(&pretty(&text), &mut io::stdout()) } else { Ok(0) }
    }))
}

/// Shows one.
pub(super) fn job(arguments: &JobArgs) -> ExitCode {
    told(show(arguments, &mut io::stdout(), &mut io::stderr()))
}

fn show(arguments: &JobArgs, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Result<u8, Failure> {
    let wish = Wish::Job { id: arguments.id.clone(), follow: arguments.follow };
    let stream = connect(&arguments.common.socket)?;
    let (mut kept, is_json) = ([Vec::new(), Vec::new()], arguments.common.json);
    let answer = ask_and_watch(stream, &format!("{wish}\n"), &mut |kind, octets, partial| {
        let [out, err] = &mut kept;
        let to: &mut dyn Write = match (kind, is_json) {
            (Kind::Stdout, true) => out,
            (Kind::Stderr, true) => err,
            (Kind::Stdout, false) => stdout,
            (Kind::Stderr, false) => stderr,
        };
        pass_on(octets, partial, to)
    })?;
    let row = answer.checked(wish.builtin(), is_json, stdout)?.rows.pop().unwrap_or_default();
    let status = if arguments.status { status(&row) } else { 0 };
    if is_json {
        let [out, err] = kept.map(|octets| Value::from(String::from_utf8_lossy(&octets).into_owned()));
        let more = [("stdout".to_owned(), out), ("stderr".to_owned(), err)];
        write(&pretty(&Value::Object(row.into_iter().chain(more).collect())), stdout)?;
    } else {
        write(&format!("udsadmin: {}\n", sentence(&row)), stderr)?;
    }
    Ok(status)
}

fn asked(wish: &Wish, common: &Common) -> Result<Answer, Failure> {
    let answer = ask(connect(&common.socket)?, &format!("{wish}\n"))?;
    answer.checked(wish.builtin(), common.json, &mut io::stdout())
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn table(rows: &[Row]) -> String {
    let heads = ["JOB", "STATE", "USER", "BEGAN", "TOOK", "REQUEST"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            text(row, "job"),
            &state(row),
            text(row, "user"),
            text(row, "began"),
            &took(row),
            text(row, "request"),
        ]
        .map(str::to_owned)
    };
    aligned(&std::iter::once(heads).chain(rows.iter().map(cells)).collect::<Vec<_>>())
}

/// How it is, or how it ended: `exit 0`, `signal TERM`, `timeout`.
fn state(row: &Row) -> String {
    let exit = text(row, "exit");
    match exit.parse::<u32>() {
        Ok(code) => format!("exit {code}"),
        Err(_) if exit.is_empty() => text(row, "state").to_owned(),
        Err(_) => exit.replacen(':', " ", 1),
    }
}

fn took(row: &Row) -> String {
    let ms = row.get("ms").and_then(Value::as_u64).unwrap_or(0);
    humantime::format_duration(std::time::Duration::from_millis(ms)).to_string()
}

fn sentence(row: &Row) -> String {
    let state = match text(row, "exit") {
        "" => format!("has been running for {}", took(row)),
        exit => format!("ended after {}: {exit}", took(row)),
    };
    let cut = if text(row, "output") == "cut" { "; what it left behind was still writing" } else { "" };
    exit::shown(&format!(
        "job {} of {} ({}) {state}{cut}",
        text(row, "job"),
        text(row, "user"),
        text(row, "request")
    ))
}

/// The exit status that udsadmin run would have had.
fn status(row: &Row) -> u8 {
    let exit = text(row, "exit");
    match (exit, exit.strip_prefix("signal:")) {
        ("", _) => exit::TRY_AGAIN,
        ("timeout", _) => exit::TIMED_OUT,
        ("cancelled" | "capped", _) => exit::CANCELLED,
        (_, Some(signal)) => exit::signalled(signal),
        (code, None) => code.parse().unwrap_or(exit::IO),
    }
}

#[cfg(test)]
mod tests {
    use super::super::asking::number;
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> Row {
        let value = |name, value: &str| if name == "ms" { number(value.to_owned()) } else { value.into() };
        pairs.iter().map(|(name, text)| ((*name).to_owned(), value(*name, text))).collect()
    }

    const RUNNING: [(&str, &str); 6] = [
        ("job", "7f3a0001abcd"),
        ("state", "running"),
        ("user", "alice"),
        ("began", "2026-11-21T20:35:15Z"),
        ("ms", "1500"),
        ("request", "backup daily"),
    ];

    #[test]
    fn runs_are_told_to_people_in_columns_and_steer_no_terminal() {
        let mut forged = RUNNING;
        forged[5].1 = "backup \u{1b}[31m";
        let over = row(&[&RUNNING[..], &[("exit", "signal:TERM")]].concat());
        let lines = table(&[row(&RUNNING), over, row(&forged)]);
        let expected = "JOB STATE USER BEGAN TOOK REQUEST\n\
                        7f3a0001abcd running alice 2026-11-21T20:35:15Z 1s 500ms backup daily\n\
                        7f3a0001abcd signal TERM alice 2026-11-21T20:35:15Z 1s 500ms backup daily\n\
                        7f3a0001abcd running alice 2026-11-21T20:35:15Z 1s 500ms backup \\u{1b}[31m\n";
        let blanks = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(blanks(&lines), blanks(expected));
    }

    #[test]
    fn a_run_is_told_in_a_sentence_and_by_the_status_that_run_would_have() {
        assert_eq!(
            sentence(&row(&RUNNING)),
            "job 7f3a0001abcd of alice (backup daily) has been running for 1s 500ms"
        );
        assert_eq!(status(&row(&RUNNING)), 75);
        for (exit, expected) in
            [("0", 0), ("3", 3), ("signal:TERM", 143), ("timeout", 124), ("cancelled", 125), ("unknown", 74)]
        {
            let row = row(&[&RUNNING[..], &[("exit", exit), ("output", "cut")]].concat());
            assert_eq!(status(&row), expected, "{exit}");
            assert!(sentence(&row).ends_with(&format!(": {exit}; what it left behind was still writing")));
        }
    }
}
