//! Starts the client.

use clap::Parser;
use std::process::ExitCode;
use udsadmin::client::check;

#[derive(Parser)]
#[command(version, about)]
enum Cli {
    Check(check::CheckArgs),
}

/// The exit status for a mistake on the command line (`EX_USAGE`, sysexits.h).
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    match Cli::try_parse() {
        Ok(Cli::Check(args)) => check::run(&args, &mut out, &mut err).unwrap_or(ExitCode::FAILURE),
        Err(told) => {
            let code = if told.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
            told.print().map_or(ExitCode::FAILURE, |()| code)
        }
    }
}
