//! The few options of the two daemons. Guesses nothing: what it does not know is an error.

use crate::files::Trust;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the broker listens (systemd/udsadmin-broker.socket).
pub const BROKER: &str = "/run/udsadmin/broker.sock";

/// Where clients connect (systemd/udsadmin.socket).
pub const DOOR: &str = "/run/udsadmin/udsadmin.sock";

/// Where the broker keeps what outlives it (`StateDirectory=` of systemd/udsadmin-broker.service).
pub const STATE: &str = "/var/lib/udsadmin-broker";

/// The user that the server runs as (systemd/udsadmin.sysusers).
pub const SERVER_USER: &str = "udsadmin";

/// What a daemon was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `--policy`.
    pub policy: PathBuf,
    /// `--broker`.
    pub broker: PathBuf,
    /// `--door`.
    pub door: PathBuf,
    /// `--admit`.
    pub admit: String,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--demo`.
    pub demo: bool,
}

/// What a command line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Serve like this.
    Serve(Options),
    /// Look whether the policy could come into force, and serve nobody.
    Check(Options),
    /// Print this and end well.
    Print(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: crate::files::POLICY.into(),
            broker: BROKER.into(),
            door: DOOR.into(),
            admit: SERVER_USER.to_owned(),
            state: None,
            demo: false,
        }
    }
}

/// One of the daemons: its name, what it is, and the options that it takes.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The program's name.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its options, with what follows each and what each means.
    pub options: &'static [(&'static str, &'static str, &'static str)],
}

impl Program {
    /// Reads a command line, the program's own name not among it.
    ///
    /// # Errors
    /// What is wrong with it, as one line.
    pub fn parse(&self, mut words: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
        let (mut options, mut checks) = (Options::default(), false);
        while let Some(word) = words.next() {
            let name = word.to_str().unwrap_or_default();
            match name {
                "--help" | "-h" => return Ok(Parsed::Print(self.help())),
                "--version" | "-V" => {
                    return Ok(Parsed::Print(format!("{} {}\n", self.name, env!("CARGO_PKG_VERSION"))));
                }
                _ if !self.options.iter().any(|(known, ..)| *known == name) => {
                    return Err(format!("unknown option {}; --help lists them", word.display()));
                }
                "--demo" => options.demo = true,
                "--check" => checks = true,
                _ => {
                    let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
                    options.set(name, value)?;
                }
            }
        }
        Ok(if checks { Parsed::Check(options) } else { Parsed::Serve(options) })
    }

    fn help(&self) -> String {
        let mut text = format!(
            "{}: {}\n\nIt takes its sockets from systemd; start the .socket unit.\n\n",
            self.name, self.about
        );
        for (name, value, meaning) in self.options {
            text.extend([format!("  {:22} {meaning}\n", format!("{name} {value}"))]);
        }
        text
    }
}

impl Options {
    /// Whose policy and programs are believed.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        if self.demo { Trust::CallingUser } else { Trust::RootOnly }
    }

    /// Where the broker keeps what outlives it. A demonstration that is told nothing keeps nothing.
    #[must_use]
    pub fn state(&self) -> Option<PathBuf> {
        self.state.clone().or_else(|| (!self.demo).then(|| STATE.into()))
    }

    fn set(&mut self, name: &str, value: OsString) -> Result<(), String> {
        match name {
            "--policy" => self.policy = value.into(),
            "--broker" => self.broker = value.into(),
            "--door" => self.door = value.into(),
            "--state" => self.state = Some(value.into()),
            _ => self.admit = value.into_string().map_err(|_| "--admit takes a user's name".to_owned())?,
        }
        Ok(())
    }
}

/// The server, udsadmind.
pub const SERVER: Program = Program {
    name: "udsadmind",
    about: "talks to udsadmin's clients; holds no privilege",
    options: &[
        ("--policy", "FILE", "the policy [/etc/udsadmin/policy.toml]"),
        ("--broker", "SOCKET", "where the broker listens [/run/udsadmin/broker.sock]"),
        ("--check", "", "only say whether the policy could come into force"),
        ("--demo", "", "serve the calling user: trust its policy, audit to the terminal"),
    ],
};

/// The broker, udsadmin-broker.
pub const BROKER_PROGRAM: Program = Program {
    name: "udsadmin-broker",
    about: "decides and runs what udsadmin's clients ask for; talks to udsadmind alone",
    options: &[
        ("--policy", "FILE", "the policy [/etc/udsadmin/policy.toml]"),
        ("--door", "SOCKET", "where clients connect [/run/udsadmin/udsadmin.sock]"),
        ("--admit", "USER", "the user that udsadmind runs as [udsadmin]"),
        ("--state", "FOLDER", "what outlives the broker [/var/lib/udsadmin-broker]"),
        ("--check", "", "only say whether the policy could come into force"),
        ("--demo", "", "serve the calling user: trust its policy and programs, audit to the terminal"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Parsed, String> {
        BROKER_PROGRAM.parse(words.iter().map(OsString::from))
    }

    #[test]
    fn options_replace_what_is_installed() {
        let expected =
            Options { policy: "p".into(), admit: "alice".to_owned(), demo: true, ..Options::default() };
        assert_eq!(parse(&["--policy", "p", "--demo", "--admit", "alice"]), Ok(Parsed::Serve(expected)));
    }

    #[test]
    fn an_option_of_the_other_program_or_without_its_value_is_an_error() {
        assert!(parse(&["--broker", "x"]).unwrap_err().contains("unknown option --broker"));
        assert!(parse(&["--policy"]).unwrap_err().contains("needs a value"));
        assert!(parse(&["policy"]).unwrap_err().contains("unknown option policy"));
    }
}
