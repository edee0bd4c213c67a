//! The command line, `udsadmin`. Asks the daemons, checks their policy, shows them at work; holds no privilege.

mod about;
mod activated;
mod asking;
pub mod check;
mod demo;
mod demo_session;
mod demo_trail;
mod exit;
mod interrupt;
mod jobs;
mod pages;
mod policy;
mod reload;
mod run;
mod secret;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use policy::any_sudoers_text_is_imported_whole_or_refused;

use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::ExitCode;

/// What `udsadmin --help` ends with.
const AFTER_HELP: &str = "\
Any program that can write a line to the socket is a client, too:
  echo 'help' | socat - UNIX-CONNECT:/run/udsadmin/udsadmin.sock

Manual: udsadmin-protocol(7). Policy: /etc/udsadmin/policy.toml.";

/// Runs a fixed set of privileged operations for groups of people, each request proven by the kernel.
#[derive(Debug, Parser)]
#[command(name = "udsadmin", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Run(run::Arguments),
    Commands(about::CommandsArgs),
    Whoami(about::WhoamiArgs),
    Status(about::StatusArgs),
    Jobs(jobs::JobsArgs),
    Job(jobs::JobArgs),
    Cancel(jobs::CancelArgs),
    Check(check::CheckArgs),
    Policy(policy::Arguments),
    Reload(reload::ReloadArgs),
    Confirm(reload::ConfirmArgs),
    /// Show both programs at work, for the calling user: no root, no systemd, nothing left behind
    Demo(demo::Arguments),
    /// Start one of the demonstration's programs with its socket, as systemd would
    #[command(hide = true)]
    Activated(activated::Arguments),
    #[command(hide = true)]
    Pages(pages::Arguments),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { task }) => task.perform(),
        Err(error) => {
            complain(&error);
            if error.use_stderr() {
                ExitCode::from(crate::server::start::EX_USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

impl Task {
    fn perform(&self) -> ExitCode {
        match self {
            Self::Check(arguments) => check(arguments),
            Self::Run(arguments) => run::run(arguments),
            Self::Commands(arguments) => about::commands(arguments),
            Self::Whoami(arguments) => about::whoami(arguments),
            Self::Status(arguments) => about::status(arguments),
            Self::Jobs(arguments) => jobs::jobs(arguments),
            Self::Job(arguments) => jobs::job(arguments),
            Self::Cancel(arguments) => jobs::cancel(arguments),
            Self::Policy(arguments) => policy::run(arguments),
            Self::Reload(arguments) => reload::reload(arguments),
            Self::Confirm(arguments) => reload::confirm(arguments),
            Self::Demo(arguments) => demo::run(arguments),
            Self::Activated(arguments) => activated::run(arguments),
            Self::Pages(arguments) => pages::run(arguments),
        }
    }
}

fn check(arguments: &check::CheckArgs) -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let status = check::run(arguments, &mut out, &mut err);
    let flushed = status.and_then(|status| out.flush().map(|()| status));
    flushed.unwrap_or_else(|error| exit::unwritten(&error))
}

/// Prints what is wrong with the command line. Its words come from somebody else: what a terminal would obey is escaped.
fn complain(error: &clap::Error) {
    let text = error.render().to_string();
    let safe: Vec<String> = text.lines().map(exit::shown).collect();
    // A closed standard error is no reason to fail differently.
    if text.lines().eq(&safe) {
        drop(error.print());
    } else {
        drop(writeln!(io::stderr(), "{}", safe.join("\n")));
    }
}
