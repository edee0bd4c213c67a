//! One of the demonstration's programs, started the way systemd starts it: `LISTEN_PID` is its own. Makes no socket.

use crate::server;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Which program, and its own options.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which of the two
    program: Which,
    /// `LISTEN_PID` is this process's already
    #[arg(long)]
    activated: bool,
    /// The program's options
    #[arg(last = true)]
    options: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    Server,
    Broker,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.activated {
        return take_activation(arguments);
    }
    let options = arguments.options.iter().cloned();
    match arguments.program {
        Which::Server => server::daemon::main_with(options),
        Which::Broker => server::broker::main_with(options),
    }
}

/// Becomes the program: the same process, which by then knows its own id, and which ends when the demonstration does.
fn take_activation(arguments: &Arguments) -> ExitCode {
    let name = match arguments.program {
        Which::Server => "server",
        Which::Broker => "broker",
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::debug!("this process may outlive the demonstration: {error}");
    }
    #[expect(clippy::disallowed_methods, reason = "starts nothing: the same process goes on")]
    let mut command = Command::new("/proc/self/exe");
    command.args(["activated", name, "--activated", "--"]).args(&arguments.options);
    drop(command.env("LISTEN_PID", std::process::id().to_string()).exec());
    ExitCode::FAILURE
}
