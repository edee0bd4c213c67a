//! What a finding about a program says to people: what could happen, and what to do instead. Decides nothing.

use super::super::kind::ArgumentSpec;
use super::programs::{Input, Power, Program};
use super::{Id, reach};

/// Whom and what a sentence is about.
#[derive(Clone, Copy)]
pub(super) struct Words<'w> {
    /// The argument.
    pub(super) value: &'w str,
    /// The program, by its file name.
    pub(super) name: &'w str,
    /// The user as whom it runs.
    pub(super) whose: &'w str,
}

impl Words<'_> {
    pub(super) fn input(self, input: Input, program: &Program) -> String {
        let Self { name, whose, .. } = self;
        let source = program.source;
        match input {
            Input::Commands => format!(
                "{name} obeys its standard input ({source}), which whoever runs the command can send: they can do anything as \
                 {whose}; give {name} its commands in exec, or run a program that does this one thing"
            ),
            Input::Files => format!(
                "{name} takes what it works on from its standard input ({source}), which whoever runs the command can send; have it \
                 read a file that belongs to {whose}"
            ),
        }
    }

    /// Of a path in place of a value: why others than root may write there.
    pub(super) fn file_of_others(self, why: &str) -> String {
        let Self { value: path, name, whose } = self;
        format!(
            "{name} obeys or unpacks what it is given from {path:?}, and others than root may write there ({why}): who does \
             chooses what {name} does as {whose}; take the file from a directory in which only root may write"
        )
    }

    pub(super) fn any_program(self) -> String {
        let Self { value, name, whose } = self;
        format!(
            "the value of {value:?} can be the program that {name} runs as {whose}, or an option of {name}; write the program in \
             exec, and list the values with one-of"
        )
    }

    pub(super) fn code(self) -> String {
        let Self { value, name, whose } = self;
        format!(
            "the value of {value:?} becomes part of code that {name} runs as {whose}; list the values with one-of, or hand the \
             value to a program that takes it as data"
        )
    }

    pub(super) fn shell_argument(self) -> String {
        let Self { value, name, .. } = self;
        format!(
            "a script of {name} gets the value of {value:?} as $0, $1, ...: it must write it in double quotes, \"$1\", each time, or \
             {name} splits it and expands its wildcards; better run the program itself, without a shell"
        )
    }

    pub(super) fn verb(self) -> String {
        let Self { value, name, whose } = self;
        format!("the value of {value:?} chooses what {name} does as {whose}; list the values with one-of")
    }

    pub(super) fn unit(self, unit: &str) -> String {
        let Self { value, name, .. } = self;
        format!(
            "the value of {value:?} can be any unit that {name} knows, {unit} for one; list the units with one-of, or with a \
             pattern that fits yours alone"
        )
    }

    pub(super) fn option(self) -> String {
        let Self { value, name, .. } = self;
        format!(
            "the value of {value:?} can begin with '-', and {name} reads it as an option; put \"--\" before it in exec, or leave out \
             dash = true"
        )
    }

    pub(super) fn leaves(self, directory: &str) -> String {
        let value = self.value;
        format!(
            "the value of {value:?} can hold \"..\" and so leave {directory:?}; use a type or a pattern that does not match it"
        )
    }

    /// What comes of a value that is too free for what the program can do.
    pub(super) fn reached(self, id: Id, program: &Program, spec: &ArgumentSpec) -> String {
        let Self { value, name, whose } = self;
        let root = if reach::takes_root(spec) { ", root among them" } else { "" };
        let source = program.source;
        let (fact, advice) = match (id, program.can) {
            (Id::INSTALLS_ANY, _) => (
                format!("chooses what {name} installs, with scripts that run as {whose}"),
                "list the values with one-of",
            ),
            (Id::CHANGES_ACCOUNTS, _) => {
                (format!("chooses whom {name} changes{root}"), "list the values with one-of")
            }
            (_, Power::Shell) => (
                format!("is too free for {name}, which can run any program as {whose}"),
                "list the values with one-of, or narrow them by a pattern",
            ),
            (_, Power::Read) => (
                format!("can be any file, which {name} then shows as {whose}"),
                "list the files with one-of, or write their directory before the value",
            ),
            _ => (
                format!("is too free for {name}, which writes files as {whose}"),
                "list the values with one-of, or write their directory before the value",
            ),
        };
        format!("the value of {value:?} {fact} ({source}); {advice}")
    }
}
