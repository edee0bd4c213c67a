//! `udsadmin policy import-sudoers`: a policy of sudoers rules, with a report. Runs no other program, and carries over
//! nothing that would permit more than sudo does.

mod carry;
mod command;
mod cursor;
mod defaults;
mod gather;
mod glob;
mod leaf;
mod list;
mod parse;
#[cfg(any(test, fuzzing))]
mod properties;
mod report;
mod resolve;
mod syntax;
mod who;
mod world;
mod write;

#[cfg(any(test, fuzzing))]
pub use properties::any_sudoers_text_is_imported_whole_or_refused;

use super::super::exit::{DATA, IO, NO_INPUT, SOFTWARE, USAGE, shown};
use crate::policy::{Diagnostic, Names, Policy, Source};
use gather::{Failed, Gathered, gather};
use report::{Row, Status};
use resolve::Sudoers;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use write::Draft;

const EXAMPLES: &str = "\
Examples:
  udsadmin policy import-sudoers /etc/sudoers                   the policy, and below it the report
  udsadmin policy import-sudoers /etc/sudoers >new.toml         the policy into a file, the report on the terminal
  udsadmin policy import-sudoers --host web1 --output new.toml sudoers
                                                                what web1 makes of it, into a file that isn't there yet
  ssh web1 sudo cat /etc/sudoers | udsadmin policy import-sudoers --host web1 --no-include -
  udsadmin policy import-sudoers --json sudoers | jq '.report[] | select(.status == \"not carried\")'

What is carried over permits the same or less, but for the password, which udsadmin never asks for. What isn't certain isn't
carried over. The report has a row for every command of every rule, for every setting, and for what is unsafe where it stands.
Then: udsadmin check new.toml, and udsadmin policy lint --policy new.toml

Where FILE or what it includes is wrong, no policy is written, and the report is of what stands before the error; by --json, the
policy is then null.

Exit status: 0 everything is carried over, 1 something is not, or was unsafe before; 65 FILE is no sudoers text, 66 it can't be
read, or something that it includes; 64 a mistake on the command line, or --output names a file that is there already; 74 the
policy can't be written, as where --output names a directory that isn't there.";

/// Make a policy of sudoers rules, and tell what became of each
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The sudoers file; - is standard input
    file: PathBuf,

    /// Write the policy to this file, which must not be there yet [standard output]
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Print one JSON object with policy and report
    #[arg(long, conflicts_with = "output")]
    json: bool,

    /// Which machine's rules to take [this one's]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Carry a command that names no arguments, which is with any, with any: options of the program too. Dangerous
    #[arg(long)]
    wide: bool,

    /// Don't read what @include and @includedir name
    #[arg(long)]
    no_include: bool,
}

/// What surrounds a sudoers text: the user database, the file system, the machine's name.
trait Surroundings: Names {
    /// The machine's name.
    fn host(&self) -> &str;
    /// What is wrong with a program, and whether it is only that there is none.
    fn fault(&self, program: &Path) -> Option<(bool, String)>;
    /// The text of a file, or why it can't be had.
    fn text(&self, path: &Path) -> Result<String, String>;
    /// The names of a directory's files; `None` where there is no such directory.
    fn names_in(&self, directory: &Path) -> Result<Option<Vec<String>>, String>;
}

/// What the caller chose.
#[derive(Clone, Copy, Debug)]
struct Choice {
    /// To read what the text includes.
    follow: bool,
    /// To carry a command that says nothing of its arguments with any.
    wide: bool,
}

/// A policy, and what became of each piece of the text.
struct Imported {
    policy: String,
    rows: Vec<Row>,
}

/// What ends an import.
enum End {
    /// The text can't be read to its end; what became of the pieces before.
    Input(Failed, Vec<Row>),
    /// The policy is none: a fault of this program.
    Fault(Vec<Diagnostic>),
}

/// Imports a text.
fn import(source: Source, world: &dyn Surroundings, choice: Choice) -> Result<Imported, End> {
    let name = source.name.clone();
    let Gathered { entries, mut rows, order, failed, .. } = gather(source, world, choice.follow);
    let (sudoers, twice) = Sudoers::new(entries);
    let failed = if twice.is_empty() { failed } else { Some(Failed::Wrong(twice)) };
    rows.extend(defaults::rows(&sudoers));
    let mut draft = Draft::default();
    rows.extend(carry::carry(&sudoers, (world, choice.wide), &mut draft));
    if failed.is_none() {
        rows.extend(defaults::missing(&sudoers, &name));
        rows.extend(unused(&sudoers));
    }
    report::sort(&mut rows, &order);
    match failed {
        Some(failed) => Err(End::Input(failed, rows)),
        None => Ok(Imported { policy: made(&draft.text(&title(&name)), world)?, rows }),
    }
}

/// The policy, read once more as the daemons read it.
fn made(policy: &str, world: &dyn Surroundings) -> Result<String, End> {
    let source = Source { name: "policy".to_owned(), text: policy.to_owned() };
    Policy::parse(&[source], world).map(|_| policy.to_owned()).map_err(End::Fault)
}

fn title(name: &str) -> String {
    format!(
        "Imported by udsadmin policy import-sudoers from {}. Each command names the line that it comes from.\n\
         sudo gives a command as long as it takes, a terminal, and its caller's working directory; udsadmin gives it 10\n\
         minutes where no timeout says otherwise, and neither terminal nor directory.",
        shown(name)
    )
}

/// Aliases that no rule uses, none of which may be left out in silence.
fn unused(sudoers: &Sudoers) -> Vec<Row> {
    let row = |(at, kind, name): (&syntax::At, &str, &str)| {
        Row::new(at, &format!("{kind} {name}"), Status::Noted, "no rule uses it")
    };
    sudoers.unused().into_iter().map(row).collect()
}

/// Reads, imports, writes. Returns the exit status.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    run_on(arguments, &mut io::stdin(), (out, err))
}

fn run_on(
    arguments: &Arguments,
    input: &mut dyn Read,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> io::Result<u8> {
    let world = world::Machine::new(arguments.host.as_deref());
    let choice = Choice { follow: !arguments.no_include, wide: arguments.wide };
    let imported = match first(&arguments.file, &world, input) {
        Ok(source) => import(source, &world, choice),
        Err(why) => Err(End::Input(Failed::Unreadable(why), Vec::new())),
    };
    match imported {
        Ok(imported) => tell(arguments, &imported, out, err),
        Err(End::Input(failed, rows)) => {
            tell_part(arguments, &rows, out, err)?;
            tell_failed(&failed, err)
        }
        Err(End::Fault(found)) => {
            writeln!(err, "udsadmin: a fault of this program: what it made is no policy; please report it")?;
            pictures(&found, err).map(|()| SOFTWARE)
        }
    }
}

/// The text that was asked for: of a file, or by `-` of standard input.
fn first(file: &Path, world: &dyn Surroundings, input: &mut dyn Read) -> Result<Source, String> {
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), world::text(input))
    } else {
        (file.display().to_string(), world.text(file))
    };
    match text {
        Ok(text) => Ok(Source { name, text }),
        Err(why) => Err(format!("{name}: {why}")),
    }
}

/// Prints what became of the pieces before an error.
fn tell_part(
    arguments: &Arguments,
    rows: &[Row],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    if arguments.json {
        let answer = json!({ "policy": null, "report": report::json(rows) });
        return writeln!(out, "{}", report::object(&answer));
    }
    if rows.is_empty() {
        return Ok(());
    }
    write!(err, "{}", report::people(rows))?;
    writeln!(err, "udsadmin: this is only what stands before an error, and no policy is written:")
}

fn tell_failed(failed: &Failed, err: &mut dyn Write) -> io::Result<u8> {
    match failed {
        Failed::Unreadable(why) => writeln!(err, "udsadmin: {}", shown(why)).map(|()| NO_INPUT),
        Failed::Wrong(found) => pictures(found, err).map(|()| DATA),
    }
}

fn pictures(found: &[Diagnostic], err: &mut dyn Write) -> io::Result<()> {
    found
        .iter()
        .try_for_each(|finding| writeln!(err, "{}\n{}", shown(&finding.to_string()), finding.picture()))
}

fn tell(
    arguments: &Arguments,
    imported: &Imported,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let Imported { policy, rows } = imported;
    let status = u8::from(!report::is_clean(rows));
    if arguments.json {
        let answer = json!({ "policy": policy, "report": report::json(rows) });
        return writeln!(out, "{}", report::object(&answer)).map(|()| status);
    }
    let place = arguments.output.as_ref().map_or("FILE".into(), |path| path.to_string_lossy());
    if let Err(error) = written(arguments.output.as_deref(), policy, out) {
        let code = if error.kind() == ErrorKind::AlreadyExists { USAGE } else { IO };
        return writeln!(err, "udsadmin: {}: {error}", shown(&place)).map(|()| code);
    }
    write!(err, "{}", report::people(rows))?;
    writeln!(err, "now run: udsadmin policy lint --policy {}", shown(&place))?;
    Ok(status)
}

/// Writes the policy out, or to a file that is not there yet.
fn written(path: Option<&Path>, policy: &str, out: &mut dyn Write) -> io::Result<()> {
    let Some(path) = path else {
        out.write_all(policy.as_bytes())?;
        return out.flush();
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(policy.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
