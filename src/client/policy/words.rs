//! The words behind a command's name. Takes no option that stands among them for an argument in silence.

use super::super::exit::USAGE;
use super::super::run::Failure;
use std::ffi::OsString;

/// The options of the questions with words.
const OPTIONS: [&str; 5] = ["--json", "--at", "--as", "--policy", "--elsewhere"];

/// Ends the options.
const END: &str = "--";

/// Refuses words of which one looks like an option, unless a `--` of the command line says that it is none.
pub(super) fn check(words: &[OsString], line: &[OsString]) -> Result<(), Failure> {
    let before = line.len().saturating_sub(words.len());
    let is_ended = line.iter().take(before).any(|word| word == END);
    let mut open = words.iter().take_while(|word| *word != END).filter(|_| !is_ended);
    if !open.any(is_option) {
        return Ok(());
    }
    let why = "options stand before the command; write -- before arguments that look like them";
    Err((USAGE, why.to_owned()))
}

fn is_option(word: &OsString) -> bool {
    let word = word.to_string_lossy();
    let name = word.split_once('=').map_or(&*word, |(name, _)| name);
    OPTIONS.contains(&name)
}
