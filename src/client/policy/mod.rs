//! `udsadmin policy`: questions to a policy, answered by the evaluator that the daemons use. Asks no daemon, changes nothing.

mod at;
mod diff;
mod import_sudoers;
mod lint;
mod others;
mod peer;
mod review;
mod schema;
mod show;
mod table;
mod test;
mod who_can;
mod why;

#[cfg(any(test, fuzzing))]
pub use import_sudoers::any_sudoers_text_is_imported_whole_or_refused;
pub(super) use table::aligned;

use super::check as checking;
use super::check::Load;
use super::run::Failure;
use crate::accounts::Database;
use crate::policy::Loaded;
use crate::server::policy::{check, check_untested};
use crate::server::start::EX_CONFIG;
use clap::Subcommand;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status of a negative answer.
const NO: u8 = 1;

/// What every question has.
#[derive(clap::Args, Clone, Debug)]
struct Common {
    /// The policy: a file, or a directory with *.toml in it [/etc/udsadmin/policy.toml with its policy.d]
    #[arg(long, value_name = "PATH")]
    policy: Option<PathBuf>,

    /// Answer in JSON, for a program
    #[arg(long)]
    json: bool,
}

/// Ask a policy who may do what, before it is in force
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Clone, Debug, Subcommand)]
enum Question {
    Why(why::Arguments),
    WhoCan(who_can::Arguments),
    Test(test::Arguments),
    Diff(diff::Arguments),
    Show(show::Arguments),
    Lint(lint::Arguments),
    ImportSudoers(import_sudoers::Arguments),
    Schema(schema::Arguments),
}

/// An answer, and whether it is a yes.
struct Answer {
    people: String,
    json: serde_json::Value,
    yes: bool,
}

/// Answers. 0 is a yes, 1 a no, 78 a policy that can't be used, 64 a mistake on the command line.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let status = arguments.question.put(&mut io::stdout(), &mut io::stderr());
    // A reader that has gone does not want the rest.
    ExitCode::from(status.unwrap_or(NO))
}

impl Question {
    fn put(&self, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
        match self {
            Self::Why(asked) => {
                ask(&asked.common, check, |loaded| why::answer(asked, &loaded.policy), out, err)
            }
            Self::WhoCan(asked) => {
                ask(&asked.common, check, |loaded| who_can::answer(asked, &loaded.policy), out, err)
            }
            Self::Test(asked) => {
                ask(&asked.common, check_untested, |loaded| Ok(test::answer(loaded)), out, err)
            }
            Self::Diff(asked) => diff::run(asked, out, err),
            Self::Show(asked) => show::run(&asked.common, out, err),
            Self::Lint(asked) => {
                ask(&asked.common, check, |loaded| Ok(lint::answer(asked, loaded)), out, err)
            }
            Self::ImportSudoers(asked) => import_sudoers::run(asked, out, err),
            Self::Schema(_) => writeln!(out, "{:#}", schema::schema()).map(|()| 0),
        }
    }
}

fn ask(
    common: &Common,
    load: Load,
    answer: impl FnOnce(&Loaded) -> Result<Answer, Failure>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let outcome = checking::check(common.policy.as_slice(), &Database, load);
    let Some(loaded) = &outcome.loaded else {
        outcome.tell(err)?;
        return Ok(EX_CONFIG);
    };
    match answer(loaded) {
        Ok(answer) => tell(&answer, common.json, out),
        Err((status, why)) => writeln!(err, "udsadmin: {why}").map(|()| status),
    }
}

/// Writes the answer, and gives the exit status.
fn tell(answer: &Answer, as_json: bool, out: &mut dyn Write) -> io::Result<u8> {
    if as_json {
        writeln!(out, "{:#}", answer.json)?;
    } else {
        write!(out, "{}", answer.people)?;
    }
    Ok(if answer.yes { 0 } else { NO })
}

#[cfg(test)]
mod tests;
