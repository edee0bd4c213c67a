//! `udsadmin reload` and `udsadmin confirm`: a new policy, asked for through the socket. Reads no policy itself.

use super::asking::{Answer, Common, ask, pretty, words, write};
use super::exit::{self, shown};
use super::policy::aligned;
use super::run::{Failure, connect, told};
use crate::request::{Builtin, TRIAL, Wish};
use crate::server::start::EX_CONFIG;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  udsadmin reload                      the policy as it is in the files now
  udsadmin reload --confirm 60s        the same, and back again unless `udsadmin confirm` comes within a minute
  udsadmin reload --json | jq .gains   who may do what from now on

The policy must let you (`[[builtins.reload.allow]]`); root can say `systemctl reload udsadmin.service` as well.
A line with + is a gain, one with - a loss, as `udsadmin policy diff` tells them.

Exit status: 0 the policy is in force, 78 it has an error and the old one stays, 77 denied, 75 try again later, 69 the service
can't be reached, 64 a mistake on the command line, 74 what happened is unknown.";

/// Have the service read its policy again, and see who gains or loses what
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReloadArgs {
    /// Bring the policy before back, unless `udsadmin confirm` comes within this time (1s to 1h)
    #[arg(long, value_name = "TIME", value_parser = trial)]
    confirm: Option<Duration>,

    #[command(flatten)]
    common: Common,
}

/// Keep the policy that is on trial
///
/// The new policy must let you (`[[builtins.confirm.allow]]`). Exit status: as of `udsadmin reload`; 64 where none is on trial.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ConfirmArgs {
    #[command(flatten)]
    common: Common,
}

/// What is told of a policy with errors, behind these.
const REFUSED: &str = "the policy is refused, and the one before stays in force";

/// How long a policy may be on trial.
fn trial(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).ok().filter(|time| TRIAL.contains(time));
    time.ok_or_else(|| "a time from 1s to 1h is needed, with its unit: 60s".to_owned())
}

/// Asks for a reload, and tells.
pub(super) fn reload(arguments: &ReloadArgs) -> ExitCode {
    run(&Wish::Reload(arguments.confirm), &arguments.common)
}

/// Asks for a policy on trial to be kept, and tells.
pub(super) fn confirm(arguments: &ConfirmArgs) -> ExitCode {
    run(&Wish::Confirm, &arguments.common)
}

fn run(wish: &Wish, common: &Common) -> ExitCode {
    let answer = connect(&common.socket).and_then(|stream| ask(stream, &format!("{wish}\n")));
    told(answer.and_then(|answer| answer.tell(wish.builtin(), common.json, &mut io::stdout())))
}

impl Answer {
    /// Tells it; the exit status, and what is to be told as an error.
    fn tell(&self, of: Builtin, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
        write(&if json { pretty(&self.json()) } else { self.people(of) }, out)?;
        match self.status() {
            0 => Ok(0),
            EX_CONFIG if self.errors().next().is_some() => Err((EX_CONFIG, REFUSED.to_owned())),
            status => Err((status, words(&self.last, of))),
        }
    }

    /// A policy with an error is one wherever it is looked at.
    fn status(&self) -> u8 {
        let is_policy = self.last.code == 422 && self.said("name").as_deref() == Some("policy");
        if is_policy { EX_CONFIG } else { exit::status(&self.last) }
    }

    fn said(&self, name: &str) -> Option<String> {
        let (_, value) = self.last.fields.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The rows that tell of errors.
    fn errors(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.rows.iter().filter(|row| row.contains_key("at"))
    }

    fn people(&self, of: Builtin) -> String {
        let text = |row: &Map<String, Value>, name: &str| {
            row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let changes = self.rows.iter().filter(|row| row.contains_key("change")).map(|row| {
            let sign = if text(row, "change") == "gain" { "+" } else { "-" };
            let more = row.get("more").and_then(Value::as_str).map(|more| format!("and {more} more"));
            let names = ["command", "values", "times", "note"].map(|name| text(row, name));
            let [command, values, times, note] = names;
            [sign.to_owned(), more.unwrap_or_else(|| text(row, "peer")), command, values, times, note]
        });
        let errors =
            self.errors().map(|row| format!("{}: error: {}\n", text(row, "at"), text(row, "message")));
        let errors: String = errors.map(|line| shown(line.trim_end()) + "\n").collect();
        aligned(&changes.collect::<Vec<_>>()) + &errors + &self.summary(of)
    }

    fn summary(&self, of: Builtin) -> String {
        if of == Builtin::Confirm && self.last.code == 200 {
            return "the policy that was on trial is kept\n".to_owned();
        }
        let (Some(commands), Some(warnings)) = (self.said("commands"), self.said("warnings")) else {
            return String::new();
        };
        let until = self.said("until").map_or_else(String::new, |until| {
            format!("; unless `udsadmin confirm` comes by {until}, the one before comes back")
        });
        let which = if warnings == "0" { "" } else { "; `udsadmin check` and the journal tell them" };
        let counts = format!("(commands: {commands}, warnings: {warnings}{which})");
        shown(&format!("the policy is in force {counts}{until}")) + "\n"
    }

    fn json(&self) -> Value {
        let rows = |kind: &str| -> Value {
            let of_kind =
                self.rows.iter().filter(|row| row.get("change").and_then(Value::as_str) == Some(kind));
            of_kind
                .map(|row| row.iter().filter(|(name, _)| *name != "change").map(pair).collect::<Value>())
                .collect()
        };
        let errors: Value = self.errors().cloned().map(Value::Object).collect();
        json!({
            "code": self.last.code,
            "name": self.last.name,
            "text": String::from_utf8_lossy(&self.last.text),
            "gains": rows("gain"),
            "losses": rows("loss"),
            "errors": errors,
            "until": self.said("until"),
        })
    }
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// What is told of an answer, with the exit status.
    fn told_of(reply: &str, json: bool) -> (Result<u8, Failure>, String) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(reply.as_bytes()).unwrap();
        drop(theirs);
        let mut out = Vec::new();
        let outcome = ask(ours, "reload\n").and_then(|answer| answer.tell(Builtin::Reload, json, &mut out));
        (outcome, String::from_utf8(out).unwrap())
    }

    const CHANGES: &str = "* change=gain peer=\"group webops\" command=restart values=unit=b\n\
                           * change=loss peer=\"user dave\" command=(connect) values=\"\" note=\"\\x1b[31m\"\n\
                           * change=loss more=7\n\
                           200 ok commands=3 warnings=1 until=2026-11-21T17:00:00Z : unless confirmed\n";

    #[test]
    fn changes_are_told_to_people_in_columns_and_steer_no_terminal() {
        let (outcome, out) = told_of(CHANGES, false);
        let expected = "+  group webops  restart    unit=b\n\
                        -  user dave     (connect)            \\u{1b}[31m\n\
                        -  and 7 more\n\
                        the policy is in force (commands: 3, warnings: 1; `udsadmin check` and the journal tell them); \
                        unless `udsadmin confirm` comes by 2026-11-21T17:00:00Z, the one before comes back\n";
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((outcome, blanks(&out)), (Ok(0), blanks(expected)));
    }

    #[test]
    fn changes_are_told_to_programs() {
        let (outcome, out) = told_of(CHANGES, true);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(outcome, Ok(0));
        let gain = json!([{ "peer": "group webops", "command": "restart", "values": "unit=b" }]);
        assert_eq!((&answer["gains"], &answer["until"]), (&gain, &json!("2026-11-21T17:00:00Z")));
        assert_eq!(answer["losses"][1], json!({ "more": "7" }));
    }

    #[test]
    fn a_policy_with_an_error_is_78_with_every_place() {
        let reply = "* at=p.toml:3:1 message=\"unknown key\"\n422 bad-argument name=policy : p.toml:3:1: error: unknown key\n";
        let (outcome, out) = told_of(reply, false);
        assert_eq!(outcome.unwrap_err(), (EX_CONFIG, REFUSED.to_owned()));
        assert_eq!(out, "p.toml:3:1: error: unknown key\n");
    }

    #[test]
    fn a_trial_that_is_over_well_is_told_and_its_time_has_a_unit() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"200 ok\n").unwrap();
        let mut out = Vec::new();
        let answer = ask(ours, "confirm\n").unwrap();
        assert_eq!(answer.tell(Builtin::Confirm, false, &mut out), Ok(0));
        assert_eq!(out, b"the policy that was on trial is kept\n");
        assert_eq!(trial("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["1", "1ms", "2h", "soon"] {
            assert!(trial(wrong).unwrap_err().contains("from 1s to 1h"), "{wrong}");
        }
    }

    #[test]
    fn other_refusals_have_the_statuses_of_any_request() {
        assert_eq!(told_of("403 denied : no\n", false).0.unwrap_err().0, 77);
        assert_eq!(told_of("409 busy : later\n", false).0.unwrap_err().0, 75);
        assert_eq!(told_of("422 bad-argument name=verb : none\n", false).0.unwrap_err().0, 64);
        assert_eq!(told_of("* change=gain more=1\n", false).0.unwrap_err().0, exit::IO);
    }
}
