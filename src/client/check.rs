//! `udsadmin check`: what is wrong with a policy, before a daemon reads it. Changes nothing and connects to nothing.

use super::exit::shown;
use crate::accounts::{self, Database};
use crate::files::{self, Fault, FileError, POLICY, Reader, Trust};
use crate::identity::DatabaseGroups;
use crate::policy::{Diagnostic, Loaded, Names, Policy, Severity, Source};
use crate::server::{self, options::SERVER_USER, start::EX_CONFIG};
use clap::Args;
use rustix::process::geteuid;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  udsadmin check                              the installed policy with its policy.d
  udsadmin check policy.toml policy.d         one policy of a file and a directory
  sed s/web1/web2/ policy.toml | udsadmin check -    standard input; <(...) of a shell will do, too
  udsadmin check --json web.toml | jq '.[0]'  the first finding, for a program

Exit status: 0 the policy can be used, 78 it can't, 64 a mistake on the command line.
Warnings change nothing: they tell of lines without effect, such as a user who doesn't exist.";

/// Where descriptors of the calling process have names (fd(4)), which a shell makes of `<(...)`.
const OPENED: &str = "/dev/fd";

/// The name of standard input, which is also written `-`.
const STANDARD_INPUT: &str = "/dev/stdin";

/// Follows "does not exist" where no file was named.
const NOT_INSTALLED: &str = "; install udsadmin, or name a file: udsadmin check FILE";

/// Tell what is wrong with a policy, with file, line and column
///
/// A policy is checked as the daemons do when they start: its text, the users and groups that it names, and
/// that nobody but root (or you) can change the files, the programs, or a directory above them. For root, also that
/// the user udsadmin, as whom one of the daemons runs, can read the installed policy.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files, and directories with *.toml or a policy.d in them, that make one policy
    ///
    /// Without any, /etc/udsadmin/policy.toml and the *.toml in /etc/udsadmin/policy.d. A file that is named
    /// alone is checked alone, so name the file with the commands together with one that only adds rules to
    /// them.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The same as FILE, as the questions of `udsadmin policy` have it
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub policy: Option<PathBuf>,

    /// Print a JSON list of findings instead, each with level, file, line, column and message
    #[arg(long)]
    pub json: bool,
}

/// One finding, as programs get it.
#[derive(Debug, Serialize)]
struct Finding {
    level: String,
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    /// The lines for people.
    #[serde(skip)]
    text: String,
}

impl From<&Diagnostic> for Finding {
    fn from(found: &Diagnostic) -> Self {
        Self {
            level: found.severity().to_string(),
            file: found.file().to_owned(),
            line: Some(found.line()),
            column: Some(found.column()),
            message: found.message().to_owned(),
            text: format!("{}\n{}", shown(&found.to_string()), found.picture()),
        }
    }
}

impl From<&FileError> for Finding {
    fn from(error: &FileError) -> Self {
        let (file, message) = (error.path().display().to_string(), error.fault().to_string());
        let (line, column) = error.place().unzip();
        let place = error.place().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let text = shown(&format!("{file}{place}: error: {message}"));
        Self { level: Severity::Error.to_string(), file, line, column, message, text }
    }
}

/// What a check comes to.
pub(super) struct Outcome {
    findings: Vec<Finding>,
    /// The policy, where it can be used.
    pub(super) loaded: Option<Loaded>,
    /// Its files.
    pub(super) sources: Vec<Source>,
}

impl Outcome {
    /// Where nothing is installed, what to do is not to be seen from what is missing.
    fn not_installed(missing: &FileError) -> Self {
        let mut finding = Finding::from(missing);
        for text in [&mut finding.message, &mut finding.text] {
            text.push_str(NOT_INSTALLED);
        }
        Self { findings: vec![finding], loaded: None, sources: Vec::new() }
    }

    fn unusable<'a, T: 'a>(errors: impl IntoIterator<Item = &'a T>) -> Self
    where
        Finding: From<&'a T>,
    {
        Self { findings: errors.into_iter().map(Finding::from).collect(), loaded: None, sources: Vec::new() }
    }
}

/// Tells the findings: people on `err`, programs in one list on `out`.
///
/// # Errors
/// Writing failed.
pub(super) fn tell<'a>(
    outcomes: impl IntoIterator<Item = &'a Outcome>,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let findings: Vec<&Finding> = outcomes.into_iter().flat_map(|outcome| &outcome.findings).collect();
    if as_json {
        serde_json::to_writer_pretty(&mut *out, &findings)?;
        return writeln!(out);
    }
    findings.iter().try_for_each(|finding| writeln!(err, "{}", finding.text))
}

/// Checks a policy. Findings go to `err` and the result to `out`; with `--json`, everything to `out`.
///
/// # Errors
/// Writing failed.
pub fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitCode> {
    status(args, out, err).map(ExitCode::from)
}

/// The same, with the exit status as a number.
pub(super) fn status(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    run_with(args, &Database, out, err)
}

fn run_with(args: &CheckArgs, names: &dyn Names, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let files = if args.files.is_empty() { args.policy.as_slice() } else { &args.files };
    let outcome = check(files, names, server::policy::check);
    tell([&outcome], args.json, out, err)?;
    if !args.json {
        summarise(files, &outcome, out, err)?;
    }
    Ok(if outcome.loaded.is_some() { 0 } else { EX_CONFIG })
}

/// What makes a policy of its text, or tells what is wrong with it.
pub(super) type Load = fn(&[Source], &dyn Names, Trust) -> Result<Loaded, Vec<Diagnostic>>;

/// Checks the policy of these files; of none, the installed one.
pub(super) fn check(files: &[PathBuf], names: &dyn Names, load: Load) -> Outcome {
    if files.is_empty() {
        return check_installed(Path::new(POLICY), server().as_ref(), names, load);
    }
    match gathered(files, read) {
        Ok(sources) => check_text(&sources, None, names, load),
        Err(error) => Outcome::unusable([&error]),
    }
}

/// Reads the policy of these files for what its text says alone: it is for another machine, or to be compared with another.
/// Who can change the files does not matter to that, nor what programs are here.
pub(super) fn review(files: &[PathBuf], names: &dyn Names) -> Outcome {
    let sources = match gathered(files, |path| files::read_unchecked(place(path))) {
        Ok(sources) => sources,
        Err(error) => return Outcome::unusable([&error]),
    };
    match Policy::parse(&sources, names) {
        Ok(loaded) => Outcome { findings: Vec::new(), loaded: Some(loaded), sources },
        Err(found) => Outcome::unusable(&found),
    }
}

/// Reads what is named. What the caller hands over opened is the caller's own, whatever it is.
fn read(path: &Path) -> Result<Vec<Source>, FileError> {
    let path = place(path);
    if path.starts_with(OPENED) || path == Path::new(STANDARD_INPUT) {
        return files::read_unchecked(path);
    }
    files::read_named(path, Trust::CallingUser)
}

/// The path of what is named.
fn place(named: &Path) -> &Path {
    if named == Path::new("-") { Path::new(STANDARD_INPUT) } else { named }
}

/// The files together. One of several directories may be empty, as policy.d is at first; all of them together may not.
fn gathered(
    files: &[PathBuf],
    read: impl Fn(&Path) -> Result<Vec<Source>, FileError>,
) -> Result<Vec<Source>, FileError> {
    let mut sources = Vec::new();
    let mut without = None;
    for path in files {
        match read(path) {
            Ok(read) => sources.extend(read),
            Err(error) if error.fault() == Fault::NoPolicy => without = without.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    let nothing = without.filter(|_| sources.is_empty());
    nothing.map_or(Ok(sources), Err)
}

/// Checks a policy with its drop-ins, and that this reader can read it and get to its programs.
fn check_installed(path: &Path, reader: Option<&Reader>, names: &dyn Names, load: Load) -> Outcome {
    let sources = match files::read_policy(path, Trust::CallingUser) {
        Ok(sources) => sources,
        Err(error) if error.is_missing() => return Outcome::not_installed(&error),
        Err(error) => return Outcome::unusable([&error]),
    };
    let hidden = reader.map_or_else(Vec::new, |reader| files::unreadable(path, reader));
    if hidden.is_empty() { check_text(&sources, reader, names, load) } else { Outcome::unusable(&hidden) }
}

/// The user as whom udsadmind reads the policy, if root asks: anyone else sees no more than that user does.
fn server() -> Option<Reader> {
    let uid = Database.uid_of(SERVER_USER).ok().flatten().filter(|_| geteuid().is_root())?;
    match accounts::groups_of(uid) {
        DatabaseGroups::Known(groups) => Some(Reader { name: SERVER_USER, uid, groups }),
        DatabaseGroups::NotAsked | DatabaseGroups::Unavailable => None,
    }
}

fn check_text(sources: &[Source], reader: Option<&Reader>, names: &dyn Names, load: Load) -> Outcome {
    let loaded = match load(sources, names, Trust::CallingUser) {
        Ok(loaded) => loaded,
        Err(found) => return Outcome::unusable(&found),
    };
    let fault = |program: &Path| Some((Severity::Error, files::unreachable(program, reader?)?.to_string()));
    let faults = loaded.policy.program_faults(fault);
    let roots = loaded.policy.root_faults(root_fault);
    let findings = faults.iter().chain(&loaded.warnings).chain(&roots).map(Finding::from).collect();
    Outcome { findings, loaded: faults.is_empty().then_some(loaded), sources: sources.to_vec() }
}

/// Why no path under this directory will be taken. What the caller may not see counts for nothing.
fn root_fault(root: &Path) -> Option<String> {
    let error = files::open_root(root).err().filter(|error| !error.is_hidden())?;
    Some(format!("{error}; no path under it is taken"))
}

fn summarise(
    files: &[PathBuf],
    outcome: &Outcome,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    let count = |level: Severity| outcome.findings.iter().filter(|f| f.level == level.to_string()).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut counts = Vec::new();
    counts.extend(
        outcome
            .loaded
            .as_ref()
            .map(|loaded| format!("ok, {}", counted(loaded.policy.commands().len(), "command"))),
    );
    counts.extend((errors > 0).then(|| counted(errors, "error")));
    counts.extend((warnings > 0).then(|| counted(warnings, "warning")));
    let line = format!("{}: {}", title(files), counts.join(", "));
    if outcome.loaded.is_some() { writeln!(out, "{line}") } else { writeln!(err, "{line}") }
}

/// What was checked: the first file, and how many more.
fn title(files: &[PathBuf]) -> String {
    let first = files.first().map_or(POLICY.into(), |path| shown(&path.to_string_lossy()));
    match files.len() {
        0 | 1 => first,
        number => format!("{first} and {} more", number - 1),
    }
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests;
