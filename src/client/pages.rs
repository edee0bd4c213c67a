//! `udsadmin pages`: the manual pages and completions that a package installs, made of the command line itself. Says nothing that
//! `--help` does not.

use super::Cli;
use super::exit::unwritten;
use clap::{Command, CommandFactory};
use clap_complete::{Generator, Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// The program's name.
const PROGRAM: &str = "udsadmin";

/// What the footer of each page names.
const SOURCE: &str = concat!("udsadmin ", env!("CARGO_PKG_VERSION"));

/// Write the manual pages and the shells' completions, for a package
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    /// The directory that they are written to
    directory: PathBuf,
}

/// A file's name, and what is in it.
type Page = (String, Vec<u8>);

/// Writes them all.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let write = |(name, text): &Page| fs::write(arguments.directory.join(name), text);
    match pages().and_then(|pages| pages.iter().try_for_each(write)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

fn pages() -> io::Result<Vec<Page>> {
    let mut program = visible();
    let mut pages: Vec<Page> =
        [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| completion(shell, &mut program)).into();
    program.build();
    add_pages(&program, &mut pages)?;
    Ok(pages)
}

fn completion(shell: Shell, program: &mut Command) -> Page {
    let mut text = Vec::new();
    generate(shell, program, PROGRAM, &mut text);
    (shell.file_name(PROGRAM), text)
}

/// The command line without what is hidden in it: completions would offer that.
fn visible() -> Command {
    let whole = Cli::command().disable_help_subcommand(true);
    let shown: Vec<_> = whole.get_subcommands().filter(|one| !one.is_hide_set()).cloned().collect();
    let bare = Command::new(PROGRAM).version(env!("CARGO_PKG_VERSION")).subcommand_required(true);
    let bare = bare.disable_help_subcommand(true).subcommands(shown);
    let after = whole.get_after_help().cloned().unwrap_or_default();
    bare.about(whole.get_about().cloned().unwrap_or_default()).after_help(after)
}

/// The page of a command, and those of the commands below it.
fn add_pages(command: &Command, to: &mut Vec<Page>) -> io::Result<()> {
    to.push((format!("{}.1", name(command)), page(command)?));
    command.get_subcommands().try_for_each(|below| add_pages(below, to))
}

/// `udsadmin-policy-why`, as it is known once the command line is built.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).title(name(command).to_uppercase()).source(SOURCE).manual("udsadmin");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    after_help(&after).to_writer(&mut page)?;
    see_also(command).to_writer(&mut page)?;
    Ok(page)
}

/// What follows the options in `--help`: examples line by line, everything else in paragraphs.
fn after_help(text: &str) -> Roff {
    let mut roff = Roff::new();
    let (mut is_headed, mut is_literal) = (false, false);
    for line in text.lines() {
        if is_literal != line.starts_with("  ") {
            is_literal = !is_literal;
            roff.control(if is_literal { "nf" } else { "fi" }, []);
        }
        let (heading, rest) = split_heading(line, is_headed);
        is_headed = true;
        roff.extend([heading.map(section).unwrap_or_default()]);
        match rest.trim_end() {
            "" if heading.is_none() => roff.control("PP", []),
            "" => &mut roff,
            words => roff.text([roman(words)]),
        };
    }
    if is_literal {
        roff.control("fi", []);
    }
    roff
}

/// The section that a line begins, and what else it says.
fn split_heading(line: &str, is_headed: bool) -> (Option<&'static str>, &str) {
    if line == "Examples:" {
        return (Some("EXAMPLES"), "");
    }
    match line.strip_prefix("Exit status: ") {
        Some(rest) => (Some("EXIT STATUS"), rest),
        None if is_headed => (None, line),
        None => (Some("NOTES"), line),
    }
}

fn section(heading: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    roff
}

fn see_also(command: &Command) -> Roff {
    let is_program = command.get_display_name().is_none_or(|name| name == PROGRAM);
    let program = if is_program { "" } else { "udsadmin(1), " };
    let mut roff = section("SEE ALSO");
    roff.text([roman(format!("{program}udsadmin-policy(5), udsadmin-protocol(7), udsadmind(8)"))]);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What is written to the file of this name.
    fn written(file: &str) -> String {
        let (_, text) = pages().unwrap().into_iter().find(|(name, _)| name == file).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn names(command: &Command, to: &mut BTreeSet<String>) {
        to.insert(format!("{}.1", name(command)));
        command.get_subcommands().filter(|one| !one.is_hide_set()).for_each(|one| names(one, to));
    }

    #[test]
    fn every_command_that_help_lists_has_a_page_and_no_other() {
        let mut whole = Cli::command().disable_help_subcommand(true);
        whole.build();
        let mut expected = BTreeSet::new();
        names(&whole, &mut expected);
        assert!(expected.contains("udsadmin-policy-why.1"));
        let pages = pages().unwrap().into_iter().map(|(file, _)| file);
        assert_eq!(pages.filter(|file| file.ends_with(".1")).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn a_page_has_the_options_the_examples_and_what_an_exit_status_means() {
        let run = written("udsadmin-run.1");
        for piece in [
            "\\-\\-detach",
            "\n.SH EXAMPLES\n.nf\n  udsadmin run restart nginx.service\n",
            "\n.fi\n.PP\n.SH \"EXIT STATUS\"\nthe command",
            "\n.SH \"SEE ALSO\"\nudsadmin(1), ",
        ] {
            assert!(run.contains(piece), "{piece:?} is not in {run}");
        }
    }

    #[test]
    fn completions_offer_every_command_and_nothing_hidden() {
        for shell in ["udsadmin.bash", "_udsadmin", "udsadmin.fish"] {
            let text = written(shell);
            assert!(text.contains("import-sudoers") && text.contains("cancel"), "{shell}");
            assert!(!text.contains("activated") && !text.contains("pages"), "{shell}");
        }
    }
}
