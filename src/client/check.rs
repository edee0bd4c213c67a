//! `udsadmin check`: what is wrong with a policy, before a daemon reads it. Changes nothing and connects to nothing.

use crate::accounts::Database;
use crate::files::{self, FileError, POLICY, Trust};
use crate::policy::{Diagnostic, Loaded, Names, Policy, Severity, Source};
use clap::Args;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit status for a configuration that can't be used (`EX_CONFIG`, sysexits.h).
pub const EX_CONFIG: u8 = 78;

const EXAMPLES: &str = "\
Examples:
  udsadmin check                              the installed policy with its policy.d
  udsadmin check policy.toml policy.d         one policy of a file and a directory
  udsadmin check --json web.toml | jq '.[0]'  the first finding, for a program

Exit status: 0 if the policy can be used, 78 if it can't, 64 for a mistake on the command line.
Warnings change nothing: they tell of lines without effect, such as a user who doesn't exist.";

/// Tell what is wrong with a policy, with file, line and column
///
/// A policy is checked as the daemons do when they start: its text, the users and groups that it names, and
/// that nobody but root (or you) can change the files, the programs, or a directory above them.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files, and directories with *.toml in them, that make one policy
    ///
    /// Without any, /etc/udsadmin/policy.toml and the *.toml in /etc/udsadmin/policy.d. A file that is named
    /// alone is checked alone, so name the file with the commands together with one that only adds rules to
    /// them.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

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
            text: format!("{found}\n{}", found.picture()),
        }
    }
}

impl From<&FileError> for Finding {
    fn from(error: &FileError) -> Self {
        let (file, message) = (error.path().display().to_string(), error.fault().to_string());
        let (line, column) = error.place().unzip();
        let place = error.place().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let text = format!("{file}{place}: error: {message}");
        Self { level: Severity::Error.to_string(), file, line, column, message, text }
    }
}

/// What a check comes to.
struct Outcome {
    findings: Vec<Finding>,
    /// The number of commands of a policy that can be used.
    commands: Option<usize>,
}

impl Outcome {
    fn unusable<'a, T: 'a>(errors: impl IntoIterator<Item = &'a T>) -> Self
    where
        Finding: From<&'a T>,
    {
        Self { findings: errors.into_iter().map(Finding::from).collect(), commands: None }
    }
}

/// Checks a policy. Findings go to `err` and the result to `out`; with `--json`, everything to `out`.
///
/// # Errors
/// Writing failed.
pub fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitCode> {
    run_with(args, &Database, out, err)
}

fn run_with(
    args: &CheckArgs,
    names: &dyn Names,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitCode> {
    let outcome = check(&args.files, names);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &outcome.findings)?;
        writeln!(out)?;
    } else {
        for finding in &outcome.findings {
            writeln!(err, "{}", finding.text)?;
        }
        summarise(&args.files, &outcome, out, err)?;
    }
    Ok(outcome.commands.map_or(ExitCode::from(EX_CONFIG), |_| ExitCode::SUCCESS))
}

fn check(files: &[PathBuf], names: &dyn Names) -> Outcome {
    let sources = match read(files) {
        Ok(sources) => sources,
        Err(error) => return Outcome::unusable([&error]),
    };
    match Policy::parse(&sources, names) {
        Ok(loaded) => check_programs(&loaded),
        Err(errors) => Outcome::unusable(&errors),
    }
}

fn check_programs(loaded: &Loaded) -> Outcome {
    let fault = |program: &Path| files::check_program(program, Trust::CallingUser).err();
    let errors = loaded.policy.program_errors(|program| fault(program).map(|error| error.to_string()));
    let mut outcome = Outcome::unusable(loaded.warnings.iter().chain(&errors));
    outcome.commands = errors.is_empty().then(|| loaded.policy.commands().count());
    outcome
}

fn read(files: &[PathBuf]) -> Result<Vec<Source>, FileError> {
    if files.is_empty() {
        return files::read_policy(Path::new(POLICY), Trust::CallingUser);
    }
    let sources: Result<Vec<_>, _> = files.iter().map(|path| read_one(path)).collect();
    Ok(sources?.concat())
}

fn read_one(path: &Path) -> Result<Vec<Source>, FileError> {
    if path.is_dir() {
        files::read_directory(path, Trust::CallingUser)
    } else {
        files::read_file(path, Trust::CallingUser).map(|source| vec![source])
    }
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
    counts.extend(outcome.commands.map(|commands| "ok, ".to_owned() + &counted(commands, "command")));
    counts.extend((errors > 0).then(|| counted(errors, "error")));
    counts.extend((warnings > 0).then(|| counted(warnings, "warning")));
    let line = format!("{}: {}", title(files), counts.join(", "));
    if outcome.commands.is_some() { writeln!(out, "{line}") } else { writeln!(err, "{line}") }
}

/// What was checked: the first file, and how many more.
fn title(files: &[PathBuf]) -> String {
    let first = files.first().map_or(POLICY.into(), |path| path.display().to_string());
    match files.len() {
        0 | 1 => first,
        number => format!("{first} and {} more", number - 1),
    }
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    const COMMANDS: &str = "\
[allow]
users = [\"root\"]
[commands.one]
exec = [\"/bin/sh\"]
[[commands.one.allow]]
users = [\"root\"]
[commands.two]
exec = [\"/bin/sh\"]
";
    const RULES: &str = "[[commands.two.allow]]\ngroups = [\"no such group\"]\n";

    /// A directory that goes when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("udsadmin-check-{test}-{}", std::process::id()));
            create_dir(&path).unwrap();
            set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            Self(path.canonicalize().unwrap())
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            path
        }

        /// What a check says of these files on each of the two streams, without the directory's name, and its
        /// status.
        fn check(&self, files: &[&Path], json: bool) -> (ExitCode, String, String) {
            let files = files.iter().map(|path| path.to_path_buf()).collect();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let code = run(&CheckArgs { files, json }, &mut out, &mut err).unwrap();
            let [out, err] = [out, err].map(|octets| {
                String::from_utf8(octets).unwrap().replace(&format!("{}/", self.0.display()), "")
            });
            (code, out, err)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn several_files_make_one_policy() {
        let scratch = Scratch::new("several");
        let (commands, rules) = (scratch.file("commands.toml", COMMANDS), scratch.file("rules.toml", RULES));
        let (code, out, err) = scratch.check(&[&rules, &commands], false);
        assert_eq!(
            (code, out.as_str()),
            (ExitCode::SUCCESS, "rules.toml and 1 more: ok, 2 commands, 1 warning\n")
        );
        let picture = "  |\n2 | groups = [\"no such group\"]\n  |           ^^^^^^^^^^^^^^^\n";
        let line = "rules.toml:2:11: warning: no such group: \"no such group\"; this matches nobody\n";
        assert_eq!(err, line.to_owned() + picture);
        let (code, out, err) = scratch.check(&[&rules], false);
        assert_eq!((code, out.as_str()), (ExitCode::from(EX_CONFIG), ""));
        assert!(err.contains("rules.toml:1:12: error: no file defines command \"two\"\n"), "{err}");
        assert!(err.ends_with("rules.toml: 1 error, 1 warning\n"), "{err}");
    }

    #[test]
    fn a_directory_stands_for_its_policies() {
        let scratch = Scratch::new("directory");
        scratch.file("commands.toml", COMMANDS);
        scratch.file("rules.toml", RULES);
        scratch.file("notes.txt", "not a policy");
        let (code, out, _) = scratch.check(&[&scratch.0], false);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(out.ends_with(": ok, 2 commands, 1 warning\n"), "{out}");
    }

    #[test]
    fn a_program_that_can_not_run_is_an_error_in_the_policy() {
        let scratch = Scratch::new("program");
        let policy = scratch.file("p.toml", &COMMANDS.replacen("/bin/sh", "/no/such/program", 1));
        let (code, _, err) = scratch.check(&[&policy], false);
        assert_eq!(code, ExitCode::from(EX_CONFIG));
        assert!(err.contains("p.toml:4:9: error: /no: does not exist\n"), "{err}");
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let scratch = Scratch::new("writable");
        let policy = scratch.file("p.toml", COMMANDS);
        set_permissions(&policy, Permissions::from_mode(0o666)).unwrap();
        let told = "p.toml: error: writable by others; chmod o-w it\np.toml: 1 error\n".to_owned();
        assert_eq!(scratch.check(&[&policy], false), (ExitCode::from(EX_CONFIG), String::new(), told));
    }

    #[test]
    fn programs_get_a_list() {
        let scratch = Scratch::new("json");
        let broken = scratch.file("p.toml", "[allow]\nusers = \"\u{1b}\"\n");
        let (code, out, err) = scratch.check(&[&broken], true);
        assert_eq!((code, err.as_str()), (ExitCode::from(EX_CONFIG), ""));
        let list: serde_json::Value = serde_json::from_str(&out).unwrap();
        let message = "invalid basic string, expected non-double-quote visible characters, `\\`";
        let expected = serde_json::json!([
            { "level": "error", "file": "p.toml", "line": 2, "column": 10, "message": message }
        ]);
        assert_eq!(list, expected);
        let missing = scratch.0.join("missing.toml");
        let (_, out, _) = scratch.check(&[&missing], true);
        let list: serde_json::Value = serde_json::from_str(&out).unwrap();
        let expected = serde_json::json!([
            { "level": "error", "file": "missing.toml", "line": null, "column": null, "message": "does not exist" }
        ]);
        assert_eq!(list, expected);
        let good = scratch.file("good.toml", "");
        assert_eq!(scratch.check(&[&good], true), (ExitCode::SUCCESS, "[]\n".to_owned(), String::new()));
    }
}
