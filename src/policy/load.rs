//! Makes one policy of its files. Refuses it whole where one thing in one file is wrong.

use super::case::Case;
use super::condition::{Condition, Principals};
use super::diagnostic::{Diagnostic, Severity};
use super::kind::ArgumentSpec;
use super::language;
use super::lookup::Asked;
use super::nearest::{did_you_mean, meant};
use super::origin::{Document, Place, Source};
use super::principal::{Names, Purpose};
use super::reader::{Item, Reader, is_of_tables};
use super::role::Roles;
use super::syntax;
use super::terms::Enforcement;
use super::{Loaded, Policy};
use crate::request::{Builtin, CommandName};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable};

/// What is taken of each file before the next pass over all of them.
type Pass = fn(&mut Draft, &mut Reader<'_>, &DeTable<'_>);

/// A file that is TOML.
type Parsed<'i> = (Arc<Document>, DeTable<'i>);

/// Reads the roles of every file, then all but the rules, then these, which may stand in another file than their command.
pub(super) fn load(sources: &[Source], names: &dyn Names) -> Result<Loaded, Vec<Diagnostic>> {
    let files = parse_all(sources)?;
    let names = &Asked::new(names);
    let (mut draft, mut roles, mut findings) = (Draft::default(), Roles::default(), Vec::new());
    for (_, table) in &files {
        roles.note_denied(table);
    }
    let passes: [Pass; 3] = [|_, reader, table| take_roles(reader, table), Draft::sections, Draft::all_rules];
    for pass in passes {
        for (document, table) in &files {
            let mut reader = Reader { document, names, roles: &mut roles, findings: &mut findings };
            pass(&mut draft, &mut reader, table);
        }
    }
    let broken = findings.iter().any(|finding| finding.severity() == Severity::Error);
    if !broken {
        draft.unused_commands(&mut findings);
        roles.unused(&mut findings);
    }
    findings.sort_by_key(Diagnostic::order);
    if broken {
        return Err(findings);
    }
    draft.spread_enforcement();
    draft.policy.settle();
    Ok(Loaded { policy: draft.policy, warnings: findings, tests: draft.tests })
}

fn parse_all(sources: &[Source]) -> Result<Vec<Parsed<'_>>, Vec<Diagnostic>> {
    let parsed = sources.iter().enumerate().map(|(rank, source)| parse(source, rank));
    let (files, broken): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
    if broken.is_empty() {
        Ok(files.into_iter().flatten().collect())
    } else {
        Err(broken.into_iter().filter_map(Result::err).collect())
    }
}

/// Parses TOML.
fn parse(source: &Source, rank: usize) -> Result<Parsed<'_>, Diagnostic> {
    let document = Arc::new(Document::new(source, rank));
    let (table, errors) = DeTable::parse_recoverable(source.text());
    match syntax::first(errors) {
        None => Ok((document, table.into_inner())),
        Some(error) => {
            let place = Place::new(&document, &error.span().unwrap_or(0..0));
            Err(Diagnostic::new(Severity::Error, place, &syntax::told(&error, source.text())))
        }
    }
}

/// A policy in the making.
#[derive(Default)]
struct Draft {
    policy: Policy,
    tests: Vec<Case>,
    /// Every name that some file defines, also where the definition has errors.
    defined: BTreeMap<CommandName, Place>,
    /// What some file says of cgroup-limits, and where.
    enforcement: Option<(Enforcement, Place)>,
}

impl Draft {
    /// Takes everything of one file except for its roles and the rules of commands.
    fn sections(&mut self, reader: &mut Reader<'_>, table: &DeTable<'_>) {
        reader.known_keys(table, &language::POLICY);
        if let Some(item) = table.get("allow") {
            self.policy.allow.extend(gates(reader, item));
        }
        if let Some(item) = table.get("deny") {
            self.policy.deny.extend(deny(reader, item));
        }
        if let Some(item) = table.get("audit") {
            audit(reader, item);
        }
        if let Some(item) = table.get("cgroup-limits") {
            self.enforcement(reader, item);
        }
        if let Some(item) = table.get("test") {
            self.tests.extend(reader.cases(item));
        }
        for (key, item) in entries(reader, table.get("builtins")) {
            self.builtin(reader, key, item);
        }
        for (key, item) in entries(reader, table.get("commands")) {
            self.command(reader, key, item);
        }
    }

    /// Takes what counts for the cgroup limits of all commands: a file may say it, and another may not say otherwise.
    fn enforcement(&mut self, reader: &mut Reader<'_>, item: &Item<'_>) {
        let Some(said) = reader.enforcement(item) else { return };
        let (first, place) = self.enforcement.get_or_insert_with(|| (said, reader.place(&item.span())));
        if *first != said {
            reader.error(
                &item.span(),
                &format!("cgroup-limits are said to be otherwise at {}", place.origin()),
            );
        }
    }

    /// Tells every command what counts for its cgroup limits.
    fn spread_enforcement(&mut self) {
        let Some((enforcement, _)) = self.enforcement else { return };
        for command in self.policy.commands.values_mut() {
            Arc::make_mut(&mut command.terms).ceilings.enforcement = enforcement;
        }
    }

    fn builtin(&mut self, reader: &mut Reader<'_>, key: &Spanned<DeString<'_>>, item: &Item<'_>) {
        let Some(builtin) = granted_builtin(reader, key) else { return };
        let Some(table) = reader.section(item) else { return };
        reader.known_keys(table, &language::BUILTIN);
        let Some(allow) = table.get("allow") else { return };
        let rules = reader.grants(allow);
        self.policy.builtins.extend(rules.into_iter().map(|who| (builtin, who)));
    }

    fn command(&mut self, reader: &mut Reader<'_>, key: &Spanned<DeString<'_>>, item: &Item<'_>) {
        let Some(table) = reader.section(item) else { return };
        let Some(name) = reader.command_name(key) else { return };
        if adds_rules_only(table) {
            return;
        }
        if let Some(first) = self.defined.get(&name) {
            let message = format!("command {:?} is already defined at {}", name.as_str(), first.origin());
            reader.error(&key.span(), &message);
            return;
        }
        self.defined.insert(name.clone(), reader.place(&key.span()));
        if let Some(command) = reader.definition(name.clone(), item) {
            self.policy.has_secrets |= command.arguments.iter().any(ArgumentSpec::is_secret);
            self.policy.argument_names.extend(command.arguments.iter().map(|spec| spec.name.clone()));
            self.policy.commands.insert(name, command);
        }
    }

    /// Takes the rules of commands of one file.
    fn all_rules(&mut self, reader: &mut Reader<'_>, table: &DeTable<'_>) {
        let Some(commands) = table.get("commands").and_then(|item| item.get_ref().as_table()) else { return };
        for (key, item) in commands {
            let Some(allow) = item.get_ref().as_table().and_then(|table| table.get("allow")) else {
                continue;
            };
            let Ok(name) = key.get_ref().parse::<CommandName>() else { continue };
            self.rules(reader, (key, &name), allow);
        }
    }

    fn rules(
        &mut self,
        reader: &mut Reader<'_>,
        (key, name): (&Spanned<DeString<'_>>, &CommandName),
        allow: &Item<'_>,
    ) {
        let command = self.policy.commands.get_mut(name);
        let rules = reader.rules(allow, command.as_ref().map(|command| &*command.arguments));
        if let Some(command) = command {
            command.rules.extend(rules);
        } else if !self.defined.contains_key(name) && Builtin::from_verb(name.as_str()).is_none() {
            let close = did_you_mean(name.as_str(), self.defined.keys().map(CommandName::as_str));
            reader.error(&key.span(), &format!("no file defines command {:?}{close}", name.as_str()));
        }
    }

    /// Warns of commands that nobody may run.
    fn unused_commands(&self, findings: &mut Vec<Diagnostic>) {
        for command in self.policy.commands.values().filter(|command| command.rules.is_empty()) {
            let message = format!("nobody may run {:?}: it has no allow rule", command.name.as_str());
            findings.push(Diagnostic::new(Severity::Warning, command.place.clone(), &message));
        }
    }
}

/// Has the reader take the roles of one file.
fn take_roles(reader: &mut Reader<'_>, table: &DeTable<'_>) {
    for (key, item) in entries(reader, table.get("roles")) {
        reader.role(key, item);
    }
}

/// Reads `[allow]`, or each `[[allow]]`.
fn gates(reader: &mut Reader<'_>, item: &Item<'_>) -> Vec<Condition> {
    let list = item.get_ref().as_array().filter(|list| is_of_tables(list));
    let tables = list.map_or_else(|| vec![item], |list| list.iter().collect());
    let tables: Vec<_> = tables.into_iter().filter_map(|item| reader.table(item)).collect();
    tables.into_iter().map(|table| reader.condition(table, &language::GATE)).collect()
}

/// Reads `[deny]`.
fn deny(reader: &mut Reader<'_>, item: &Item<'_>) -> Principals {
    let Some(table) = reader.section(item) else { return Principals::default() };
    reader.known_keys(table, &language::DENY);
    reader.principals(table, Purpose::Deny)
}

/// Reads `audit`, which has one value: nothing runs without its record.
fn audit(reader: &mut Reader<'_>, item: &Item<'_>) {
    let Some(word) = reader.word(item) else { return };
    if word.text != "required" {
        reader.error(&word.span, &format!("audit is \"required\", not {:?}", word.text));
    }
}

/// The entries of a section that is a table of tables.
fn entries<'t, 'i>(
    reader: &mut Reader<'_>,
    section: Option<&'t Item<'i>>,
) -> Vec<(&'t Spanned<DeString<'i>>, &'t Item<'i>)> {
    section.and_then(|item| reader.table(item)).map_or_else(Vec::new, |table| table.iter().collect())
}

fn granted_builtin(reader: &mut Reader<'_>, key: &Spanned<DeString<'_>>) -> Option<Builtin> {
    let text: &str = key.get_ref();
    let message = match Builtin::from_verb(text) {
        Some(builtin) if builtin.is_grantable() => return Some(builtin),
        Some(_) => format!("built-in {text:?} is open to everyone who may connect; leave it out"),
        None => {
            let grantable = Builtin::ALL.iter().filter(|(builtin, _)| builtin.is_grantable());
            let verbs: Vec<&str> = grantable.map(|(_, verb)| *verb).collect();
            format!("no such built-in: {text:?}{}", meant(text, &verbs))
        }
    };
    reader.error(&key.span(), &message);
    None
}

/// Whether the table of a command only adds to who may run it: the definition then stands in another file.
fn adds_rules_only(table: &DeTable<'_>) -> bool {
    table.contains_key("allow") && table.len() == 1
}
