//! `udsadmin policy`: questions to a policy, answered by the evaluator that the daemons use. Asks no daemon, changes nothing.

mod at;
mod demands;
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
mod words;

#[cfg(any(test, fuzzing))]
pub use import_sudoers::any_sudoers_text_is_imported_whole_or_refused;
pub(super) use table::aligned;

use super::check as checking;
use super::exit::{shown, unwritten};
use super::run::Failure;
use crate::accounts::Database;
use crate::policy::{Loaded, Names};
use crate::server::policy::check_untested;
use crate::server::start::EX_CONFIG;
use clap::Subcommand;
use review::Review;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status of a negative answer.
const NO: u8 = 1;

/// The options of which one names the policy.
const WHICH: &str = "which";

/// What every question has.
#[derive(clap::Args, Clone, Debug)]
struct Common {
    /// The policy: a file, or a directory with *.toml or a policy.d in it [/etc/udsadmin/policy.toml with its policy.d]
    #[arg(long, value_name = "PATH", group = WHICH)]
    policy: Option<PathBuf>,

    /// Answer in JSON, for a program
    #[arg(long)]
    json: bool,
}

/// The policy of a question that has no other words.
#[derive(clap::Args, Clone, Debug)]
struct Of {
    #[command(flatten)]
    common: Common,

    /// The same as --policy
    #[arg(value_name = "PATH", group = WHICH)]
    path: Option<PathBuf>,
}

impl Of {
    /// The question's options, wherever its policy was named.
    fn common(&self) -> Common {
        let policy = self.path.as_ref().or(self.common.policy.as_ref()).cloned();
        Common { policy, json: self.common.json }
    }
}

/// Whether this machine's users, files and programs say anything of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    This,
    Another,
}

/// For which machine the policy is.
#[derive(clap::Args, Clone, Debug)]
struct Whose {
    /// The policy is for another machine: names that this one doesn't know stand for themselves, nothing else of this one
    /// is looked at, and the policy is read whoever can change it
    #[arg(long, requires = WHICH)]
    elsewhere: bool,
}

impl Whose {
    const fn machine(&self) -> Machine {
        if self.elsewhere { Machine::Another } else { Machine::This }
    }
}

/// Ask a policy who may do what, before it is in force
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Clone, Debug, Subcommand)]
enum Question {
    /// The same as udsadmin check
    Check(checking::CheckArgs),
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
    let line: Vec<OsString> = std::env::args_os().collect();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let status = match words::check(arguments.question.words(), &line) {
        Ok(()) => arguments.question.put(&mut out, &mut err),
        Err((status, why)) => writeln!(err, "udsadmin: {why}").map(|()| status),
    };
    let status = status.and_then(|status| out.flush().map(|()| status));
    status.map_or_else(|error| unwritten(&error), ExitCode::from)
}

impl Question {
    /// What stands behind the name of a command.
    fn words(&self) -> &[OsString] {
        match self {
            Self::Why(asked) => &asked.words,
            Self::WhoCan(asked) => &asked.words,
            Self::Check(_)
            | Self::Test(_)
            | Self::Diff(_)
            | Self::Show(_)
            | Self::Lint(_)
            | Self::ImportSudoers(_)
            | Self::Schema(_) => &[],
        }
    }

    fn put(&self, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
        match self {
            Self::Check(asked) => checking::status(asked, out, err),
            Self::Why(asked) => {
                let answer = |loaded: &Loaded, names: &dyn Names| why::answer(asked, &loaded.policy, names);
                ask(&asked.common, asked.whose.machine(), answer, out, err)
            }
            Self::WhoCan(asked) => {
                let answer = |loaded: &Loaded, _: &dyn Names| who_can::answer(asked, &loaded.policy);
                ask(&asked.common, Machine::This, answer, out, err)
            }
            Self::Test(asked) => {
                ask(&asked.of.common(), asked.whose.machine(), |loaded, _| Ok(test::answer(loaded)), out, err)
            }
            Self::Diff(asked) => diff::run(asked, out, err),
            Self::Show(asked) => show::run(&asked.of.common(), out, err),
            Self::Lint(asked) => {
                let answer = |loaded: &Loaded, _: &dyn Names| Ok(lint::answer(asked, loaded));
                ask(&asked.of.common(), asked.whose.machine(), answer, out, err)
            }
            Self::ImportSudoers(asked) => import_sudoers::run(asked, out, err),
            Self::Schema(_) => writeln!(out, "{:#}", schema::schema()).map(|()| 0),
        }
    }
}

/// Answers a question to a policy, of which some tests may fail: that may be what the question is about.
fn ask(
    common: &Common,
    machine: Machine,
    answer: impl FnOnce(&Loaded, &dyn Names) -> Result<Answer, Failure>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (paths, review) = (common.policy.as_slice(), Review::of(&Database));
    let (outcome, names): (_, &dyn Names) = match machine {
        Machine::This => (checking::check(paths, &Database, check_untested), &Database),
        Machine::Another => (checking::review(paths, &review), &review),
    };
    let Some(loaded) = &outcome.loaded else {
        checking::tell([&outcome], common.json, out, err)?;
        return Ok(EX_CONFIG);
    };
    match answer(loaded, names) {
        Ok(answer) => tell(&answer, common.json, out),
        Err((status, why)) => writeln!(err, "udsadmin: {}", shown(&why)).map(|()| status),
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
