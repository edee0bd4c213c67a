//! Reads who may run a command and with which values. Refuses a rule that could never match as written.

use super::command::Rule;
use super::condition::Condition;
use super::kind::ArgumentSpec;
use super::language;
use super::reader::{Item, Reader};
use crate::request::{ArgumentName, Value};

impl Reader<'_> {
    /// Reads the allow rules of a command; without its arguments (their declaration has an error) only whom
    /// they name.
    pub(super) fn rules(&mut self, item: &Item<'_>, arguments: Option<&[ArgumentSpec]>) -> Vec<Rule> {
        self.rule_list(item).iter().filter_map(|rule| self.rule(rule, arguments)).collect()
    }

    fn rule(&mut self, item: &Item<'_>, arguments: Option<&[ArgumentSpec]>) -> Option<Rule> {
        let table = self.table(item)?;
        self.names_someone(table, &item.span());
        let condition = self.condition(table, &language::COMMAND_RULE);
        let when = match (table.get("when"), arguments) {
            (Some(when), Some(arguments)) => self.when(when, arguments),
            _ => Vec::new(),
        };
        Some(Rule { condition, when, origin: self.origin(&item.span()), place: self.place(&item.span()) })
    }

    /// Reads the allow rules of a built-in.
    pub(super) fn grants(&mut self, item: &Item<'_>) -> Vec<Condition> {
        self.rule_list(item).iter().filter_map(|rule| self.grant(rule)).collect()
    }

    fn grant(&mut self, item: &Item<'_>) -> Option<Condition> {
        let table = self.table(item)?;
        self.names_someone(table, &item.span());
        Some(self.condition(table, &language::BUILTIN_RULE))
    }

    fn rule_list<'t, 'i>(&mut self, item: &'t Item<'i>) -> &'t [Item<'i>] {
        if item.get_ref().is_table() {
            self.error(&item.span(), "allow rules are a list: write them with double brackets, [[ and ]]");
            return &[];
        }
        self.list(item)
    }

    fn when(&mut self, item: &Item<'_>, arguments: &[ArgumentSpec]) -> Vec<(ArgumentName, Vec<Value>)> {
        let Some(table) = self.table(item) else { return Vec::new() };
        let narrowed = table.iter().filter_map(|(key, values)| {
            let spec = self.declared(key.get_ref(), &key.span(), arguments)?;
            if spec.is_secret() {
                self.error(&key.span(), "a rule can't narrow a secret: it would stand in the policy");
                return None;
            }
            Some((spec.name.clone(), self.when_values(values, spec)))
        });
        narrowed.collect()
    }

    fn when_values(&mut self, item: &Item<'_>, spec: &ArgumentSpec) -> Vec<Value> {
        let list = self.list(item);
        if list.is_empty() && item.get_ref().is_array() {
            self.error(&item.span(), "when needs at least one value");
        }
        list.iter().filter_map(|value| self.value(value, spec)).collect()
    }
}
