//! Secrets for a request: from the terminal, unseen, or from a file. Never from the command line, where every process reads them.

use super::exit::USAGE;
use super::run::Failure;
use crate::policy::VALUE_MAX;
use crate::request::{Argument, ArgumentName, Value};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use zeroize::Zeroizing;

/// `NAME`, or `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    name: ArgumentName,
    file: Option<PathBuf>,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
        let name = name.parse().map_err(|error| format!("{name:?}: {error}"))?;
        if file == Some("") {
            return Err("a file is missing after the =".to_owned());
        }
        Ok(Self { name, file: file.map(PathBuf::from) })
    }
}

impl Source {
    pub(super) fn is_standard_input(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// The argument, with its value read.
    pub(super) fn argument(&self) -> Result<Argument, Failure> {
        let octets = match &self.file {
            None => ask(&self.name),
            // Not by way of `Stdin`, which keeps what it read.
            Some(_) if self.is_standard_input() => {
                io::stdin().as_fd().try_clone_to_owned().and_then(|input| read(&mut File::from(input)))
            }
            Some(file) => File::open(file).and_then(|mut file| read(&mut file)),
        };
        let octets = octets.map_err(|error| (USAGE, format!("secret {}: {error}", self.name)))?;
        let value = Value::try_from(octets.to_vec())
            .map_err(|error| (USAGE, format!("secret {}: {error}", self.name)))?;
        Ok(Argument::Named(self.name.clone(), value))
    }
}

/// Room for a secret, its line's end, and an octet too many: what grows leaves copies of itself behind.
const ROOM: usize = VALUE_MAX + 2;

/// The octets of a secret.
type Octets = Zeroizing<Vec<u8>>;

/// Everything to the end, without the end of its last line.
fn read(from: &mut dyn Read) -> io::Result<Octets> {
    let mut octets = Zeroizing::new(vec![0; ROOM]);
    let mut length = 0;
    while let Some(left @ [_, ..]) = octets.get_mut(length..) {
        match from.read(left) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    octets.truncate(length);
    if octets.last() == Some(&b'\n') {
        octets.pop();
    }
    within_limit(octets)
}

fn within_limit(octets: Octets) -> io::Result<Octets> {
    if octets.len() > VALUE_MAX {
        Err(io::Error::other(format!("longer than {VALUE_MAX} octets")))
    } else {
        Ok(octets)
    }
}

/// A terminal that shows nothing of what is typed. Dropped, it is as it was before.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    /// Characters come as they are typed, those that end programs too: ended by one, this would leave the terminal silent.
    fn hush(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes &=
            !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        drop(tcsetattr(&self.terminal, OptionalActions::Flush, &self.before).map_err(io::Error::from));
        drop(self.terminal.write_all(b"\n"));
    }
}

fn ask(name: &ArgumentName) -> io::Result<Octets> {
    let none = |_| io::Error::other("there is no terminal to ask on; name a file: NAME=FILE");
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(none)?;
    write!(terminal, "{name}: ")?;
    let silent = Silent::hush(terminal)?;
    typed(&mut &silent.terminal)
}

/// One line, as it is typed: backspace takes back a character and ^U all of them; ^C and ^D give it up.
fn typed(from: &mut dyn Read) -> io::Result<Octets> {
    let mut octets = Zeroizing::new(Vec::with_capacity(ROOM));
    let mut next = [0];
    while from.read(&mut next)? == 1 {
        match next {
            [b'\r' | b'\n'] => return within_limit(octets),
            [0x03 | 0x04] => return Err(io::ErrorKind::Interrupted.into()),
            [0x08 | 0x7f] => take_back(&mut octets),
            [0x15] => octets.clear(),
            [octet] if octets.len() < ROOM => octets.push(octet),
            [_] => {}
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Takes back the last character, with all its octets.
fn take_back(octets: &mut Vec<u8>) {
    while octets.pop().is_some_and(|octet| octet & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_asked_for_or_comes_from_a_file() {
        let read = |text: &str| text.parse::<Source>().map(|source| (source.name.to_string(), source.file));
        assert_eq!(read("pw"), Ok(("pw".to_owned(), None)));
        assert_eq!(read("pw=a=b"), Ok(("pw".to_owned(), Some("a=b".into()))));
        assert!("pw=-".parse::<Source>().unwrap().is_standard_input());
        for bad in ["", "=a", "1a=b", "pw=", "a b"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_end_of_the_last_line_of_a_file_is_no_part_of_the_secret() {
        for (text, expected) in [("a", "a"), ("a\n", "a"), ("a\n\n", "a\n"), ("", "")] {
            assert_eq!(read(&mut text.as_bytes()).unwrap().as_slice(), expected.as_bytes());
        }
        assert_eq!(read(&mut [&[b'x'; 4096][..], b"\n"].concat().as_slice()).unwrap().len(), 4096);
        assert!(read(&mut io::repeat(b'x')).is_err());
    }

    #[test]
    fn what_is_typed_can_be_taken_back_and_given_up() {
        let line = |text: &str| {
            typed(&mut text.as_bytes()).map(|octets| String::from_utf8(octets.to_vec()).unwrap())
        };
        assert_eq!(line("ab\rc").unwrap(), "ab");
        assert_eq!(line("aö\u{7f}b\u{8}\u{8}\u{8}c\n").unwrap(), "c");
        assert_eq!(line("wrong\u{15}right\n").unwrap(), "right");
        for given_up in ["a\u{3}\n", "a\u{4}\n", "a"] {
            assert!(line(given_up).is_err());
        }
    }
}
