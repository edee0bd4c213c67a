//! The policy language: which keys there are, what each holds and what it is for. Reads nothing; the reader, its errors and the
//! JSON schema all follow it.

mod argument;
mod manner;
mod tables;

pub(super) use argument::{
    ARGUMENT, ARGUMENT_TYPES, DURATION, INTEGER, PATH, REPEAT, SECRET, TEXT, UNIT, USER,
};
pub(super) use manner::{BOUNDS, CAPABILITIES, ENVIRONMENT, LIMITS, READ_ONLY, RUN_AS_TABLE};
pub(super) use tables::{
    BUILTIN, BUILTIN_RULE, COMMAND, COMMAND_RULE, DENY, GATE, KEEP, ROLE, TEST, TEST_PEER,
};

use super::kind::UNIT_TYPES;
use crate::request::{Builtin, NAME_MAX};

pub use tables::POLICY;

/// A table of the language.
#[derive(Debug)]
pub struct Section {
    /// What it describes, for people: `an argument`.
    pub of: &'static str,
    /// The keys that it may have.
    pub keys: &'static [Key],
    /// What its keys must be together.
    pub needs: Needs,
}

/// What is asked of the keys of a section together.
#[derive(Debug)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// All of these.
    All(&'static [&'static str]),
    /// At least one of these.
    SomeOf(&'static [&'static str]),
    /// The first, and exactly one of the others.
    And(&'static str, &'static [&'static str]),
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// How it is written.
    pub name: &'static str,
    /// What it is for: a sentence or two.
    pub about: &'static str,
    /// What it holds.
    pub shape: Shape,
}

/// What a key holds.
#[derive(Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// Text that matches a regular expression, which says of its form what can be said so.
    Form(&'static str),
    /// One of these texts.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Truth,
    /// `true`, and never `false`: to be left out instead.
    True,
    /// An integer from the first to the last.
    Integer(i64, i64),
    /// Text, an integer or a truth value: a value of an argument.
    Value,
    /// The name of a user or a group, or its number.
    Principal,
    /// A list, of which each element has this shape.
    List(&'static Self),
    /// A list, like `List`, that may not be empty.
    Some(&'static Self),
    /// A table, or a list of such tables.
    OneOrSeveral(&'static Section),
    /// A table.
    Table(&'static Section),
    /// A table of which the keys are names, and each value has this shape.
    Named(Names, &'static Self),
    /// One of these shapes.
    Either(&'static [Self]),
}

/// What the keys of a table are that the author names.
#[derive(Debug)]
pub enum Names {
    /// Names of commands or of arguments.
    Free,
    /// Built-ins that need a grant.
    Builtins,
    /// Variables of an environment.
    Variables,
}

impl Names {
    /// The names, where they are known; else the pattern that they match (`name` of udsadmin-protocol(7)).
    ///
    /// # Errors
    /// The pattern: a regular expression, anchored.
    pub fn known(&self) -> Result<Vec<&'static str>, String> {
        match self {
            Self::Free => Err(format!("^[A-Za-z][A-Za-z0-9._-]{{0,{}}}$", NAME_MAX - 1)),
            Self::Variables => Err("^[A-Za-z_][A-Za-z0-9_]*$".to_owned()),
            Self::Builtins => {
                let granted = Builtin::ALL.iter().filter(|(builtin, _)| builtin.is_grantable());
                Ok(granted.map(|(_, verb)| *verb).collect())
            }
        }
    }
}

/// Each word for a type of unit.
const UNIT_WORD: Shape = Shape::Word(&UNIT_TYPES);

impl Section {
    /// Whether this is the name of one of its keys.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name)
    }

    /// The names of its keys.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}
