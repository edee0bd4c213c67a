//! What a command's program does with values and input of somebody else's choice. Judges by what is free, and opens no file.

use super::super::command::Command;
use super::super::kind::Kind;
use super::super::origin::Place;
use super::argv::{Element, Slot, elements, end_of_options, operands};
use super::input::own_operands;
use super::programs::{self, Input, Power, Program};
use super::reach::takes;
use super::words::Words;
use super::{Finding, Id, Level, Surroundings, input, obeyed};
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

/// A program with what follows it.
#[derive(Clone, Copy)]
pub(super) struct Run<'e, 'a> {
    pub(super) name: &'e str,
    pub(super) program: &'static Program,
    pub(super) place: &'e Place,
    pub(super) rest: &'e [Element<'a>],
}

/// Everything that can be said of what the command runs.
pub(super) fn findings(command: &Command, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut judge = Judge { command, around, found: Vec::new() };
    let elements = elements(command);
    if let Some((first, rest)) = elements.split_first() {
        judge.program(&command.program.to_string_lossy(), first.place, rest);
    }
    judge.found
}

struct Judge<'c> {
    command: &'c Command,
    around: &'c Surroundings<'c>,
    found: Vec<Finding>,
}

impl Judge<'_> {
    /// Notes a finding. What is gained as another user than root is less.
    fn say(&mut self, (id, level): (Id, Level), place: &Place, message: &str) {
        let level = if self.command.run_as.uid == Uid::ROOT { level } else { level.lowered() };
        self.found.push(Finding::new(id, level, place, message).about(self.command));
    }

    fn program(&mut self, path: &str, place: &Place, rest: &[Element<'_>]) {
        self.file(path, place);
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some(program) = programs::find(name) else { return self.values(name, None, rest, 0) };
        let run = Run { name, program, place, rest };
        self.input(&run);
        if let Some(at) = module_at(&run) {
            self.module(&run, at);
        } else if let Some(code) = code_at(&run) {
            self.code(&run, code);
        } else if program.wraps {
            self.wrapper(&run);
        } else if program.script {
            self.script(&run);
        } else {
            self.ordinary(&run);
        }
        self.obeyed(&run);
    }

    /// A program that is another one by an option: `python3 -m pip`.
    fn module(&mut self, run: &Run<'_, '_>, at: usize) {
        let (before, from) = run.rest.split_at(at);
        self.values(run.name, Some(run.program), before, 0);
        match from.split_first() {
            Some((module, rest)) if module.open().is_empty() => {
                self.program(module.literal().unwrap_or_default(), module.place, rest);
            }
            Some(_) => self.any_program(run, from),
            None => {}
        }
    }

    /// Tells what is wrong with the file of a program or script.
    fn file(&mut self, path: &str, place: &Place) {
        if path.starts_with('/') {
            for (id, level, message) in (self.around.program)(Path::new(path)) {
                self.say((id, level), place, &message);
            }
        }
    }

    /// Tells where others than root may write the files that the program obeys or unpacks.
    fn obeyed(&mut self, run: &Run<'_, '_>) {
        for (element, path) in obeyed::paths(run) {
            let is_told =
                |one: &Finding| one.id == Id::WRITABLE_SCRIPT && one.place.order() == element.place.order();
            let Some(why) = obeyed::others(&path, self.around) else { continue };
            if !self.found.iter().any(is_told) {
                let message = self.words(&path, run.name).file_of_others(&why);
                self.say((Id::FILE_OF_OTHERS, Level::Danger), element.place, &message);
            }
        }
    }

    /// Whom and what a finding is about.
    fn words<'w>(&'w self, value: &'w str, name: &'w str) -> Words<'w> {
        Words { value, name, whose: &self.command.run_as.name }
    }

    fn input(&mut self, run: &Run<'_, '_>) {
        let Some(input) = input::of(run, self.command.hears_client()) else { return };
        let id = match input {
            Input::Commands => Id::COMMANDS_FROM_INPUT,
            Input::Files => Id::FILES_FROM_INPUT,
        };
        let message = self.words("", run.name).input(input, run.program);
        self.say((id, Level::Danger), run.place, &message);
    }

    /// The program that another one runs.
    fn wrapper(&mut self, run: &Run<'_, '_>) {
        let Some(at) = inner_at(run) else { return self.any_program(run, run.rest) };
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
                    let message = self.words(slot.name(), run.name).any_program();
                    self.say((Id::ANY_PROGRAM, Level::Danger), element.place, &message);
                } else {
                    self.value(run.name, Some(run.program), element, slot);
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
            for element in after {
                self.shell_argument(run.name, element);
            }
        } else if !run.program.script {
            let rest = Run { rest: after, ..*run };
            match code_option_at(&rest, after.len()) {
                Some(code) => self.code(&rest, code),
                None => self.ordinary(&rest),
            }
        }
    }

    fn spliced(&mut self, name: &str, place: &Place, slot: Slot<'_>) {
        let reach = slot.reach;
        let harmful = reach.special || reach.anywhere || reach.dash;
        let level = if harmful { Level::Danger } else { Level::Warning };
        let message = self.words(slot.name(), name).code();
        self.say((Id::CODE_FROM_VALUE, level), place, &message);
    }

    fn shell_argument(&mut self, name: &str, element: &Element<'_>) {
        for slot in element.open() {
            let message = self.words(slot.name(), name).shell_argument();
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
            for element in run.rest {
                self.unit(run.name, element);
            }
        }
        let free = operands(run.rest)
            .next()
            .and_then(|(at, first)| Some((at, first, free_verb(run.program, first)?)));
        if let Some((_, element, slot)) = free {
            let message = self.words(slot.name(), run.name).verb();
            self.say((Id::FREE_VALUE, Level::Danger), element.place, &message);
        }
        let skipped = free.map_or(0, |(at, ..)| at + 1);
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
            let message = self.words(slot.name(), name).unit(unit);
            self.say((Id::ANY_UNIT, Level::Warning), element.place, &message);
        }
    }

    /// The values in the elements, but for the first ones.
    fn values(&mut self, name: &str, program: Option<&Program>, elements: &[Element<'_>], skipped: usize) {
        let end = end_of_options(elements);
        for (at, element) in elements.iter().enumerate().skip(skipped) {
            for mut slot in element.open() {
                slot.reach.dash &= at < end;
                self.value(name, program, element, slot);
            }
        }
    }

    fn value(&mut self, name: &str, program: Option<&Program>, element: &Element<'_>, slot: Slot<'_>) {
        let words = self.words(slot.name(), name);
        let (kind, message) = if slot.first && slot.reach.dash {
            let level = if program.is_some() { Level::Danger } else { Level::Warning };
            ((Id::OPTION_VALUE, level), words.option())
        } else if slot.climbs() {
            let shows = program.is_none_or(|program| program.can == Power::Read);
            let level = if shows { Level::Warning } else { Level::Danger };
            ((Id::LEAVES_DIRECTORY, level), words.leaves(slot.before))
        } else {
            let Some(program) = program else { return };
            let Some(kind) = reached(program, &slot) else { return };
            (kind, words.reached(kind.0, program, slot.spec))
        };
        self.say(kind, element.place, &message);
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

/// Where the name is of the program that this one becomes.
pub(super) fn module_at(run: &Run<'_, '_>) -> Option<usize> {
    let option = run.program.module.as_deref()?;
    let end = operands(run.rest).next().map_or(run.rest.len(), |(at, _)| at);
    let said = run.rest.iter().take(end).position(|element| element.literal() == Some(option));
    said.map(|at| at + 1)
}

/// Where the code is that the program is given as an argument.
pub(super) fn code_at(run: &Run<'_, '_>) -> Option<usize> {
    let first = operands(run.rest).next().map(|(at, _)| at);
    let inner = if run.program.wraps { inner_at(run) } else { None };
    let end = if run.program.script { first } else { inner };
    code_option_at(run, end.unwrap_or(run.rest.len())).or_else(|| {
        let takes_operand = run.program.code.iter().any(|option| option == "operand");
        let in_a_file = run.rest.iter().any(|element| says(run, element, &["-f", "--file"]));
        first.filter(|_| takes_operand && !in_a_file)
    })
}

fn says(run: &Run<'_, '_>, element: &Element<'_>, options: &[&str]) -> bool {
    options.iter().any(|option| element.says(option, run.program))
}

/// Where the code is that an option introduces, before that element.
fn code_option_at(run: &Run<'_, '_>, end: usize) -> Option<usize> {
    let options: Vec<&str> =
        run.program.code.iter().map(String::as_str).filter(|option| *option != "operand").collect();
    let at = run.rest.iter().take(end).position(|element| says(run, element, &options))?;
    let holds_it = |element: &Element<'_>| element.literal().is_none_or(|text| text.contains('='));
    Some(if run.rest.get(at).is_some_and(holds_it) { at } else { at + 1 })
}

/// Where the program is that a wrapper runs: one that the table knows, or else the first absolute path.
pub(super) fn inner_at(run: &Run<'_, '_>) -> Option<usize> {
    let operands = || own_operands(run).into_iter().skip(run.program.skips);
    let is_known = |text: &str| text.rsplit('/').next().and_then(programs::find).is_some();
    let known = operands().find(|(_, element)| element.literal().is_some_and(is_known));
    let is_absolute = |element: &Element<'_>| element.literal().is_some_and(|text| text.starts_with('/'));
    known.or_else(|| operands().find(|(_, element)| is_absolute(element))).map(|(at, _)| at)
}

/// The value by which somebody chooses what the program does, if nobody has listed it.
fn free_verb<'a>(program: &Program, first: &Element<'a>) -> Option<Slot<'a>> {
    first.open().into_iter().find(|slot| slot.first && !program.verbs.is_empty())
}

/// Whether one of the program's grave verbs is among its operands, by itself or as a value.
fn names_verb(run: &Run<'_, '_>) -> bool {
    let is_verb = |text: &str| run.program.verbs.iter().any(|verb| verb == text);
    let is_listed = |slot: &Slot<'_>| matches!(&slot.spec.kind, Kind::OneOf(values) if values.iter().any(|value| is_verb(value)));
    operands(run.rest)
        .any(|(_, element)| element.literal().is_some_and(is_verb) || element.slots().iter().any(is_listed))
}
