//! The client. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    udsadmin::client::main()
}
