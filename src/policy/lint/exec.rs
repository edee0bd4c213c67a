//! What a command's program does with values and input of somebody else's choice. Judges by what is free, and opens no file.

use super::super::command::Command;
use super::super::kind::Kind;
use super::super::origin::Place;
use super::argv::{Element, Slot, elements, end_of_options, in_bundle, operands};
use super::programs::{self, Input, Power, Program};
use super::reach::takes;
use super::{Finding, Id, Level};
use crate::identity::Uid;
use std::path::Path;

/// Units that are not meant for everyone: a shell without a password, the end of all other work, the way in
/// (systemd.special(7), systemd-debug-generator(8)).
const UNITS: [&str; 6] = [
    "debug-shell.service",
    "rescue.target",
    "emergency.target",
    "poweroff.target",
    "debug-shell",
    "sshd.service",
];

/// What a file is that the machine knows.
type Disk<'a> = &'a dyn Fn(&Path) -> Vec<(Id, Level, String)>;

/// A program with what follows it.
#[derive(Clone, Copy)]
struct Run<'e, 'a> {
    name: &'e str,
    program: &'static Program,
    place: &'e Place,
    rest: &'e [Element<'a>],
}

/// Everything that can be said of what the command runs.
pub(super) fn findings(command: &Command, disk: Disk<'_>) -> Vec<Finding> {
    let mut judge = Judge { command, disk, found: Vec::new() };
    let elements = elements(command);
    if let Some((first, rest)) = elements.split_first() {
        judge.program(&command.program.to_string_lossy(), first.place, rest);
    }
    judge.found
}

struct Judge<'c> {
    command: &'c Command,
    disk: Disk<'c>,
    found: Vec<Finding>,
}

impl Judge<'_> {
    /// Notes a finding. What is gained as another user than root is less.
    fn say(&mut self, (id, level): (Id, Level), place: &Place, message: &str) {
        let level = if self.command.run_as.uid == Uid::ROOT { level } else { level.lowered() };
        self.found.push(Finding::new(id, level, place, message).about(self.command));
    }

    /// As whom the program runs, for people.
    fn whose(&self) -> &str {
        &self.command.run_as.name
    }

    fn program(&mut self, path: &str, place: &Place, rest: &[Element<'_>]) {
        self.file(path, place);
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some(program) = programs::find(name) else { return self.values(name, None, rest, 0) };
        let run = Run { name, program, place, rest };
        self.input(&run);
        if program.wraps {
            self.wrapper(&run);
        } else if let Some(code) = code_at(&run) {
            self.code(&run, code);
        } else if program.script {
            self.script(&run);
        } else {
            self.ordinary(&run);
        }
    }

    /// Tells what is wrong with the file of a program or script.
    fn file(&mut self, path: &str, place: &Place) {
        if path.starts_with('/') {
            for (id, level, message) in (self.disk)(Path::new(path)) {
                self.say((id, level), place, &message);
            }
        }
    }

    fn input(&mut self, run: &Run<'_, '_>) {
        let Some(input) = run.program.stdin.filter(|_| reads_input(run)) else { return };
        let (name, whose) = (run.name, self.whose());
        let (id, message) = match input {
            Input::Commands => (
                Id::COMMANDS_FROM_INPUT,
                format!(
                    "{name} obeys its standard input, which whoever runs the command can send: they can do anything as {whose}; \
                         give {name} its commands in exec"
                ),
            ),
            Input::Files => (
                Id::FILES_FROM_INPUT,
                format!(
                    "{name} takes what it works on from its standard input, which whoever runs the command can send; have it \
                         read a file that belongs to {whose}"
                ),
            ),
        };
        self.say((id, Level::Danger), run.place, &message);
    }

    /// The program that another one runs.
    fn wrapper(&mut self, run: &Run<'_, '_>) {
        let Some(at) = inner_at(run.rest) else { return self.any_program(run, run.rest) };
        let (before, from) = run.rest.split_at(at);
        self.any_program(run, before);
        if let Some((inner, rest)) = from.split_first() {
            self.program(inner.literal().unwrap_or_default(), inner.place, rest);
        }
    }

    fn any_program(&mut self, run: &Run<'_, '_>, elements: &[Element<'_>]) {
        for element in elements {
            for slot in element.open() {
                if slot.first {
                    let (value, name, whose) = (slot.spec.name.as_str(), run.name, self.whose());
                    let message = format!(
                        "the value of {value:?} can be the program that {name} runs as {whose}, or an option of \
                                           {name}; write the program in exec, and list the values with one-of"
                    );
                    self.say((Id::ANY_PROGRAM, Level::Danger), element.place, &message);
                } else {
                    self.value(run.name, Some(run.program), element, (slot, false));
                }
            }
        }
    }

    /// A program that is given code: the element at that index, with what is around it.
    fn code(&mut self, run: &Run<'_, '_>, at: usize) {
        let (before, from) = run.rest.split_at(at);
        self.values(run.name, Some(run.program), before, 0);
        let Some((code, after)) = from.split_first() else { return };
        for slot in code.open() {
            self.spliced(run.name, code.place, slot);
        }
        if run.program.quotes {
            after.iter().for_each(|element| self.shell_argument(element));
        } else if !run.program.script {
            self.ordinary(&Run { rest: after, ..*run });
        }
    }

    fn spliced(&mut self, name: &str, place: &Place, slot: Slot<'_>) {
        let reach = slot.reach;
        let level =
            if reach.special || reach.anywhere || reach.dash { Level::Danger } else { Level::Warning };
        let message = format!(
            "the value of {:?} becomes part of code that {name} runs as {}; list the values with one-of, or hand \
                               the value to a program that takes it as data",
            slot.spec.name.as_str(),
            self.whose()
        );
        self.say((Id::CODE_FROM_VALUE, level), place, &message);
    }

    fn shell_argument(&mut self, element: &Element<'_>) {
        for slot in element.open() {
            let message = format!(
                "a shell's script gets the value of {:?} as $0, $1, ...: it must write it in double quotes, \"$1\", each \
                                   time, or the shell splits it and expands its wildcards; better run the program itself, \
                                   without a shell",
                slot.spec.name.as_str()
            );
            self.say((Id::SHELL_ARGUMENT, Level::Warning), element.place, &message);
        }
    }

    /// A program whose first operand is a script; what follows that is the script's.
    fn script(&mut self, run: &Run<'_, '_>) {
        let first = operands(run.rest).next();
        let end = first.map_or(run.rest.len(), |(at, _)| at + 1);
        self.values(run.name, Some(run.program), run.rest.get(..end).unwrap_or_default(), 0);
        if let Some((path, element)) = first.and_then(|(_, element)| Some((element.literal()?, element))) {
            self.file(path, element.place);
        }
    }

    /// A program that takes options and operands.
    fn ordinary(&mut self, run: &Run<'_, '_>) {
        if run.program.units {
            run.rest.iter().for_each(|element| self.unit(run.name, element));
        }
        let free = operands(run.rest).next().filter(|(_, element)| has_free_verb(run.program, element));
        if let Some((_, element)) = free {
            let message = format!(
                "a value chooses what {} does as {}; list the values with one-of",
                run.name,
                self.whose()
            );
            self.say((Id::FREE_VALUE, Level::Danger), element.place, &message);
        }
        let skipped = free.map_or(0, |(at, _)| at + 1);
        let acts = run.program.verbs.is_empty() || names_verb(run);
        self.values(run.name, acts.then_some(run.program), run.rest, skipped);
    }

    fn unit(&mut self, name: &str, element: &Element<'_>) {
        for slot in element.open() {
            let fits = |unit: &&&str| {
                let middle = unit.strip_prefix(slot.before).and_then(|rest| rest.strip_suffix(slot.after));
                middle.is_some_and(|middle| takes(slot.spec, middle))
            };
            let Some(unit) = UNITS.iter().find(fits) else { continue };
            let message = format!(
                "the value of {:?} can be any unit that {name} knows, {unit} for one; list the units with one-of, or \
                                   with a pattern that fits yours alone",
                slot.spec.name.as_str()
            );
            self.say((Id::ANY_UNIT, Level::Warning), element.place, &message);
        }
    }

    /// The values in the elements, but for the first ones.
    fn values(
        &mut self,
        name: &str,
        program: Option<&'static Program>,
        elements: &[Element<'_>],
        skipped: usize,
    ) {
        let end = end_of_options(elements);
        for (at, element) in elements.iter().enumerate().skip(skipped) {
            for slot in element.open() {
                self.value(name, program, element, (slot, at > end));
            }
        }
    }

    /// One value, which is behind `--` or is not.
    fn value(
        &mut self,
        name: &str,
        program: Option<&'static Program>,
        element: &Element<'_>,
        (slot, ended): (Slot<'_>, bool),
    ) {
        let value = slot.spec.name.as_str();
        let power = program.map(|program| program.can);
        let (kind, message) = if slot.first && slot.reach.dash && !ended {
            let level = if program.is_some() { Level::Danger } else { Level::Warning };
            let message = format!(
                "the value of {value:?} can begin with '-', and {name} reads it as an option; put \"--\" before it in \
                                   exec, or leave out dash = true"
            );
            ((Id::OPTION_VALUE, level), message)
        } else if slot.climbs() {
            let level =
                if matches!(power, None | Some(Power::Read)) { Level::Warning } else { Level::Danger };
            let message = format!(
                "the value of {value:?} can hold \"..\" and so leave {:?}; use a type or a pattern that does not \
                                   match it",
                slot.before
            );
            ((Id::LEAVES_DIRECTORY, level), message)
        } else {
            let Some(kind) = program.and_then(|program| reached(program, &slot)) else { return };
            (kind, format!("the value of {value:?} {}", self.consequence(kind.0, power, name)))
        };
        self.say(kind, element.place, &message);
    }

    /// What comes of a value that is too free, and what to do.
    fn consequence(&self, id: Id, power: Option<Power>, name: &str) -> String {
        let whose = self.whose();
        match (id, power) {
            (Id::READS_ANY_FILE, _) => format!(
                "can be any file, which {name} then shows as {whose}; list the files with one-of, or \
                                                 write their directory before the value"
            ),
            (Id::INSTALLS_ANY, _) => format!(
                "chooses what {name} installs, and software is installed with scripts that run as {whose}; list \
                                               the values with one-of"
            ),
            (Id::CHANGES_ACCOUNTS, _) => {
                format!("chooses whom {name} changes, root among them; list the values with one-of")
            }
            (_, Some(Power::Shell)) => format!(
                "is too free for {name}, which can run any program as {whose}; list the values with \
                                                one-of, or narrow them by a pattern"
            ),
            _ => format!(
                "can be any file, and {name} writes as {whose}; list the values with one-of, or write their directory \
                          before the value"
            ),
        }
    }
}

/// How the program's power is reached by the value, if it is.
fn reached(program: &Program, slot: &Slot<'_>) -> Option<(Id, Level)> {
    let id = match program.can {
        Power::Shell | Power::Write => Id::FREE_VALUE,
        Power::Read => Id::READS_ANY_FILE,
        Power::Install => Id::INSTALLS_ANY,
        Power::Account => Id::CHANGES_ACCOUNTS,
    };
    let worst = if program.can == Power::Read { Level::Warning } else { Level::Danger };
    let special = program.can == Power::Shell && slot.reach.special && slot.leads();
    let narrow = program.narrow.filter(|_| slot.leads());
    let level = if slot.is_any_file() { Some(worst) } else { narrow.or(special.then_some(Level::Warning)) };
    level.map(|level| (id, level))
}

/// Whether the program reads commands or files from standard input, as it is called here.
fn reads_input(run: &Run<'_, '_>) -> bool {
    let program = run.program;
    let is_given = |condition: &String| match condition.as_str() {
        "bare" => operands(run.rest).next().is_none() && code_at(run).is_none(),
        option => run.rest.iter().any(|element| element.says(option, program)) || is_bundled(run, option),
    };
    let named = run.rest.iter().any(Element::is_stdin);
    let asked = program.when.is_empty() || program.when.iter().any(is_given);
    asked && (named || !program.unless.iter().any(is_given))
}

/// Whether the first element holds the option in letters without a dash.
fn is_bundled(run: &Run<'_, '_>, option: &str) -> bool {
    let first = run.rest.first().and_then(Element::literal).filter(|text| !text.starts_with('-'));
    let letter = option
        .strip_prefix('-')
        .filter(|rest| rest.chars().count() == 1)
        .and_then(|rest| rest.chars().next());
    run.program.bundled && first.zip(letter).is_some_and(|(bundle, letter)| in_bundle(bundle, letter))
}

/// Where the code is that the program is given as an argument.
fn code_at(run: &Run<'_, '_>) -> Option<usize> {
    let says = |element: &Element<'_>, options: &[&str]| {
        options.iter().any(|option| element.says(option, run.program))
    };
    let options: Vec<&str> =
        run.program.code.iter().map(String::as_str).filter(|option| *option != "operand").collect();
    let end = if run.program.script {
        operands(run.rest).next().map_or(run.rest.len(), |(at, _)| at)
    } else {
        run.rest.len()
    };
    let option = run.rest.iter().take(end).position(|element| says(element, &options));
    if let Some(at) = option {
        let whole = run.rest.get(at).is_some_and(|element| {
            element.slots().is_empty() && !element.literal().unwrap_or_default().contains('=')
        });
        return Some(if whole { at + 1 } else { at });
    }
    let in_a_file = run.rest.iter().any(|element| says(element, &["-f", "--file"]));
    let first = operands(run.rest).next().map(|(at, _)| at);
    first.filter(|_| run.program.code.len() > options.len() && !in_a_file)
}

/// Where the program is that a wrapper runs: one that the table knows, or else the first absolute path.
fn inner_at(elements: &[Element<'_>]) -> Option<usize> {
    let is_known = |text: &str| text.rsplit('/').next().and_then(programs::find).is_some();
    let known = operands(elements).find(|(_, element)| element.literal().is_some_and(is_known));
    let is_absolute = |element: &Element<'_>| element.literal().is_some_and(|text| text.starts_with('/'));
    known.or_else(|| operands(elements).find(|(_, element)| is_absolute(element))).map(|(at, _)| at)
}

/// Whether a value that nobody listed chooses what the program does.
fn has_free_verb(program: &Program, first: &Element<'_>) -> bool {
    !program.verbs.is_empty() && first.open().iter().any(|slot| slot.first)
}

/// Whether one of the program's grave verbs is among its operands, by itself or as a value.
fn names_verb(run: &Run<'_, '_>) -> bool {
    let is_verb = |text: &str| run.program.verbs.iter().any(|verb| verb == text);
    let is_listed = |slot: &Slot<'_>| matches!(&slot.spec.kind, Kind::OneOf(values) if values.iter().any(|value| is_verb(value)));
    operands(run.rest)
        .any(|(_, element)| element.literal().is_some_and(is_verb) || element.slots().iter().any(is_listed))
}
