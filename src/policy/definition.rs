//! Reads what one command is: its program, arguments and user. Refuses what it doesn't know, place by place.

use super::command::{Command, NamedGroup, RunAs};
use super::kind::ArgumentSpec;
use super::language;
use super::nearest::did_you_mean;
use super::placeholder::Element;
use super::reader::{Item, Reader, Word};
use super::template::Template;
use super::terms::manner::in_environment;
use crate::request::{Builtin, CommandName, HTTP_METHODS};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable};

/// `in` begins a line of the protocol's frame mode (udsadmin-protocol(7)).
const FRAME_INPUT: &str = "in";

/// What `exec` says: the program, its place, and every element of the argument vector.
struct Exec {
    program: PathBuf,
    elements: Vec<Element>,
}

impl Reader<'_> {
    /// Reads the name of a command: none that the protocol already uses.
    pub(super) fn command_name(&mut self, key: &Spanned<DeString<'_>>) -> Option<CommandName> {
        let text: &str = key.get_ref();
        let taken = Builtin::from_verb(text).is_some() || HTTP_METHODS.contains(&text) || text == FRAME_INPUT;
        let name = text.parse().map_err(|error| format!("{text:?} is no name: {error}"));
        let name =
            if taken { Err(format!("the protocol itself uses {text:?}; choose another name")) } else { name };
        name.map_err(|message| self.error(&key.span(), &message)).ok()
    }

    /// Reads the definition of a command, without its rules; `None` where it has an error.
    pub(super) fn definition(&mut self, name: CommandName, item: &Item<'_>) -> Option<Command> {
        let table = item.get_ref().as_table()?;
        self.known_keys(table, &language::COMMAND);
        let summary = table.get("summary").map_or(Some(String::new()), |item| self.summary(item));
        let arguments = table.get("args").map_or(Some(Vec::new()), |item| self.arguments(item));
        let run_as = table.get("run-as").map_or(Some(RunAs::root()), |item| self.run_as(item));
        let terms = self.terms(table);
        let exec = self.required_exec(table, &item.span());
        let accepted = table.get("accept").map_or_else(Vec::new, |item| self.accepted(item));
        let (arguments, exec, run_as) = (arguments?, exec?, run_as?);
        self.placeholders(&exec.elements, &arguments, &in_environment(table));
        self.fit(table, &run_as, &arguments);
        self.no_second_input(table, &arguments);
        let program_place = self.place(&exec.elements.first()?.1);
        Some(Command {
            name,
            summary: summary?,
            program: exec.program,
            element_places: exec.elements.iter().map(|(_, span)| self.place(span)).collect(),
            exec: exec.elements.into_iter().map(|(element, _)| element).collect(),
            arguments,
            run_as,
            terms: Arc::new(terms?),
            rules: Vec::new(),
            place: self.place(&item.span()),
            program_place,
            accepted,
        })
    }

    fn summary(&mut self, item: &Item<'_>) -> Option<String> {
        let word = self.word(item)?;
        if word.text.chars().any(char::is_control) {
            self.error(&word.span, "a summary is one line, without control characters");
            return None;
        }
        Some(word.text)
    }

    fn run_as(&mut self, item: &Item<'_>) -> Option<RunAs> {
        let Some(table) = item.get_ref().as_table() else {
            return self.user(item).map(|(name, uid)| RunAs::user(&name, uid));
        };
        self.known_keys(table, &language::RUN_AS_TABLE);
        let group = self.term(table, "group", Self::group);
        let groups = self.term(table, "groups", Self::each_group);
        let Some(user) = table.get("user") else {
            self.error(&item.span(), "run-as needs a user");
            return None;
        };
        let (name, uid) = self.user(user)?;
        Some(RunAs { name, uid, group: group?, groups: groups? })
    }

    fn each_group(&mut self, item: &Item<'_>) -> Option<Vec<NamedGroup>> {
        let list = self.list(item);
        let groups: Vec<_> = list.iter().filter_map(|group| self.group(group)).collect();
        (groups.len() == list.len() && item.get_ref().is_array()).then_some(groups)
    }

    fn required_exec(&mut self, table: &DeTable<'_>, span: &Range<usize>) -> Option<Exec> {
        let Some(item) = table.get("exec") else {
            self.error(span, "a command needs exec: the program's absolute path, then its arguments");
            return None;
        };
        if let Some(line) = item.get_ref().as_str() {
            self.error(
                &item.span(),
                &format!("exec is a list, each argument an element of its own: {}", split(line)),
            );
            return None;
        }
        let list = self.list(item);
        let words: Vec<Word> = list.iter().filter_map(|element| self.word(element)).collect();
        let Some(first) = words.first().filter(|_| words.len() == list.len()) else {
            self.empty_exec(item);
            return None;
        };
        let program = self.program(first);
        let elements: Vec<_> = words.iter().filter_map(|word| self.element(word)).collect();
        (elements.len() == words.len()).then_some(Exec { program: program?, elements })
    }

    fn empty_exec(&mut self, item: &Item<'_>) {
        if item.get_ref().as_array().is_some_and(|list| list.is_empty()) {
            self.error(&item.span(), "exec is empty; it begins with the program's absolute path");
        }
    }

    fn element(&mut self, word: &Word) -> Option<Element> {
        let template =
            Template::parse(&word.text).map_err(|error| self.error(&word.span, &error.to_string()));
        template.ok().map(|template| (template, word.span.clone()))
    }

    fn program(&mut self, word: &Word) -> Option<PathBuf> {
        let Ok(template) = Template::parse(&word.text) else { return None };
        let path = Path::new(template.prefix());
        let message = if template.text().is_none() {
            "the program is fixed: no placeholder in its path"
        } else if !path.is_absolute() {
            "the program's path is absolute: it begins with '/'"
        } else if !is_plain(path) {
            "the program's path has no \".\" or \"..\" and ends with the program's name"
        } else {
            return Some(path.to_owned());
        };
        self.error(&word.span, message);
        None
    }

    /// The argument of that name; notes an error where there is none.
    pub(super) fn declared<'s>(
        &mut self,
        name: &str,
        span: &Range<usize>,
        arguments: &'s [ArgumentSpec],
    ) -> Option<&'s ArgumentSpec> {
        let found = arguments.iter().find(|spec| spec.name.as_str() == name);
        if found.is_none() {
            let close = did_you_mean(name, arguments.iter().map(|spec| spec.name.as_str()));
            self.error(span, &format!("no argument {name:?} is declared in args{close}"));
        }
        found
    }
}

/// A command line as the list that was meant, as far as blanks tell.
fn split(line: &str) -> String {
    format!("{:?}", line.split_whitespace().collect::<Vec<_>>())
}

/// Whether the path is its own shortest spelling: what is checked is then what is written.
pub(super) fn is_plain(path: &Path) -> bool {
    let respelt: PathBuf = path.components().collect();
    let goes_up = path.components().any(|component| component == Component::ParentDir);
    !goes_up && path.file_name().is_some() && respelt.as_os_str() == path.as_os_str()
}
