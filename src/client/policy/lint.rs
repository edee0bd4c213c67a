//! `udsadmin policy lint`: how far the commands of a policy reach, and what in it has no effect. Changes and runs nothing.

use super::super::exit::shown;
use super::peer::everyone;
use super::{Answer, Machine, Of, Whose, others};
use crate::files::{self, Interpreter, POLICY, Trust};
use crate::policy::Loaded;
use crate::policy::lint::{Fault, Finding, Id, Level, Surroundings, lint};
use crate::server::clock;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  udsadmin policy lint                              the installed policy
  udsadmin policy lint --policy new/                one to come, say in its review
  udsadmin policy lint --level danger               only what lets somebody become root, or whoever the command runs as
  udsadmin policy lint --json | jq -r '.[] | \"\\(.at) \\(.id)\"'

Each finding has a name that stays; what each means and what to do is in /usr/share/doc/udsadmin/lint.md. A command may say why
it takes one: accept = [\"free-text: goes to the log alone\"] takes the findings of that name, accept = [\"operators are root
anyway\"] all of the command.

Exit status: 0 nothing is found that is not accepted, 1 something is, 78 the policy can't be used, 64 a mistake on the command
line.";

/// A file that says what the others are for, and is taken for a policy by nobody.
const READ_ME: &str = "README";

/// The program that looks an interpreter up by its name (env(1)).
const ENV: &str = "env";

/// Tell what a policy lets somebody do that its author may not have meant
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) of: Of,

    #[command(flatten)]
    pub(super) whose: Whose,

    /// Leave out what matters less: danger, warning or note
    #[arg(long, value_name = "LEVEL", default_value = "note")]
    level: Level,

    /// With --json, list what the policy accepts, too, each with its reason under "accepted"
    #[arg(long, requires = "json")]
    all: bool,
}

/// A look at a path of this machine.
type Look<Found> = fn(&Path) -> Found;

pub(super) fn answer(asked: &Arguments, loaded: &Loaded) -> Answer {
    let unread = unread(asked.of.common().policy.as_deref());
    let (population, program, others): (_, Look<Vec<Fault>>, Look<Option<String>>) =
        match asked.whose.machine() {
            Machine::This => (everyone().collect(), faults, others::may_write),
            Machine::Another => (Vec::new(), |_| Vec::new(), |_| None),
        };
    let around = Surroundings {
        population: &population,
        now: clock::now(),
        program: &program,
        others: &others,
        unread: &unread,
    };
    let found = lint(loaded, &around).into_iter().filter(|finding| finding.level() <= asked.level);
    let (accepted, open): (Vec<_>, Vec<_>) = found.partition(|finding| finding.accepted().is_some());
    let listed = open.iter().chain(accepted.iter().filter(|_| asked.all));
    Answer { people: people(&open, &accepted), json: listed.map(object).collect(), yes: open.is_empty() }
}

/// The files beside those of the policy that are not read.
pub(super) fn unread(policy: Option<&Path>) -> Vec<String> {
    let found = policy.or_else(|| Path::new(POLICY).parent()).map_or_else(Vec::new, files::passed_over);
    let is_known = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(READ_ME.as_bytes()))
    };
    found.iter().filter(|path| !is_known(path)).map(|path| path.display().to_string()).collect()
}

/// What is wrong with a program or a script, and with its interpreter. What is not there harms nobody.
pub(super) fn faults(path: &Path) -> Vec<Fault> {
    if !path.is_file() {
        return Vec::new();
    }
    let interpreter = files::interpreter(path).ok().flatten();
    let of_interpreter =
        interpreter.as_ref().and_then(|it| writable(&it.path, "the interpreter of this script"));
    let looked_up = interpreter.as_ref().and_then(|it| looked_up(path, it));
    [writable(path, "the file that runs"), of_interpreter, looked_up].into_iter().flatten().collect()
}

fn writable(path: &Path, what: &str) -> Option<Fault> {
    let error = files::check_unchanged(path, Trust::RootOnly).err().filter(others::is_writable)?;
    let mend = if others::is_for_all(error.path()) {
        format!(
            "everyone may write in {}; put {} where only root may write",
            error.path().display(),
            path.display()
        )
    } else {
        error.to_string()
    };
    let message = format!("{what} can be changed by others than root, who so choose what it does: {mend}");
    Some((Id::WRITABLE_SCRIPT, Level::Danger, message))
}

fn looked_up(path: &Path, interpreter: &Interpreter) -> Option<Fault> {
    let name = interpreter.argument.as_deref().unwrap_or_default();
    let message = format!(
        "{} is run by whatever {name:?} is found first in PATH, by way of env; write the interpreter's absolute path in its first \
         line",
        path.display()
    );
    (interpreter.path.file_name() == Some(OsStr::new(ENV))).then_some((
        Id::FOUND_BY_PATH,
        Level::Note,
        message,
    ))
}

fn object(finding: &Finding) -> Value {
    let mut object = json!({
        "level": finding.level().to_string(),
        "id": finding.id().as_str(),
        "command": finding.command().map(ToString::to_string),
        "message": finding.message(),
        "at": finding.at(),
    });
    if let (Some(fields), Some(reason)) = (object.as_object_mut(), finding.accepted()) {
        fields.insert("accepted".to_owned(), reason.into());
    }
    object
}

fn people(open: &[Finding], accepted: &[Finding]) -> String {
    let mut text: String = open.iter().map(paragraph).collect();
    if !accepted.is_empty() {
        text.push_str("accepted:\n");
        text.extend(accepted.iter().map(taken));
    }
    let counts =
        Level::ALL.map(|level| (level, open.iter().filter(|finding| finding.level() == level).count()));
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(level, count)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{count} {level}{plural}")
    });
    let mut counts: Vec<String> = counts.collect();
    if counts.is_empty() {
        counts.push("nothing found".to_owned());
    }
    if !accepted.is_empty() {
        counts.push(format!("{} accepted", accepted.len()));
    }
    text + &counts.join(", ") + "\n"
}

/// A finding: where, how grave, in which command and what; the line that it is about.
fn paragraph(finding: &Finding) -> String {
    let command = finding.command().map_or_else(String::new, |command| format!("{command}: "));
    let line =
        format!("{}: {}: {command}{} [{}]", finding.at(), finding.level(), finding.message(), finding.id());
    let picture = finding.picture().map_or_else(String::new, |picture| picture + "\n");
    format!("{}\n{picture}\n", shown(&line))
}

fn taken(finding: &Finding) -> String {
    let command = finding.command().map_or_else(String::new, ToString::to_string);
    let reason = finding.accepted().unwrap_or_default();
    let line = format!("  {}: {}: {command}: {}: {reason}", finding.at(), finding.level(), finding.id());
    shown(&line) + "\n"
}
