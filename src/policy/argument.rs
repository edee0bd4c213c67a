//! Reads `args`: each argument has one name and exactly one type. Refuses defaults that the type would refuse.

pub(super) mod outside;
mod pattern;

use super::kind::{ArgumentSpec, Bound, Kind, UNIT_TYPES, VALUE_MAX, duration, either};
use super::language::{self, ARGUMENT_TYPES};
use super::nearest::did_you_mean;
use super::reader::{Item, Reader, Word};
use crate::request::{ArgumentName, Value};
use outside::Repetition;
pub(super) use pattern::may_begin_with_dash;
use regex::Regex;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Names that the protocol itself gives to what comes with a request (udsadmin-protocol(7)): no argument has one.
pub const TAKEN_NAMES: [&str; 3] = ["detach", "id", "stdin"];

impl Reader<'_> {
    /// Reads the list of arguments; `None` where one of them has an error.
    pub(super) fn arguments(&mut self, item: &Item<'_>) -> Option<Vec<ArgumentSpec>> {
        let list = self.list(item);
        let mut specs: Vec<ArgumentSpec> = Vec::new();
        for element in list {
            let Some(spec) = self.argument(element) else { continue };
            if specs.iter().any(|earlier| earlier.name == spec.name) {
                self.error(&element.span(), &format!("argument {:?} is declared twice", spec.name.as_str()));
            }
            specs.push(spec);
        }
        (specs.len() == list.len() && item.get_ref().is_array()).then_some(specs)
    }

    fn argument(&mut self, item: &Item<'_>) -> Option<ArgumentSpec> {
        let table = self.table(item)?;
        self.known_keys(table, &language::ARGUMENT);
        let name = self.argument_name(table, &item.span());
        let dash = table.get("dash").map_or(Some(false), |dash| self.truth(dash));
        let kind = self.kind(table, &item.span(), dash.unwrap_or(false));
        let optional = table.get("optional").map_or(Some(false), |optional| self.truth(optional));
        let (name, kind, dash, optional) = (name?, kind?, dash?, optional?);
        let repeat =
            table.get("repeat").map_or(Some(Repetition(None)), |repeat| self.repeat(repeat, &kind))?.0;
        let place = self.place(&item.span());
        let spec = ArgumentSpec { name, kind, dash, default: None, optional, repeat, place };
        match table.get("default") {
            Some(default) => self.with_default(spec, default),
            None => Some(spec),
        }
    }

    fn with_default(&mut self, spec: ArgumentSpec, item: &Item<'_>) -> Option<ArgumentSpec> {
        if spec.optional {
            self.error(&item.span(), "an argument is optional or has a default, not both");
            return None;
        }
        if spec.is_secret() {
            self.error(&item.span(), "a secret in a policy is none: it has no default");
            return None;
        }
        if spec.repeat.is_some_and(|repeat| repeat.min > 1) {
            self.error(&item.span(), "a default is one value, and repeat asks for more");
            return None;
        }
        let default = Some(self.value(item, &spec)?);
        Some(ArgumentSpec { default, ..spec })
    }

    fn argument_name(&mut self, table: &DeTable<'_>, span: &Range<usize>) -> Option<ArgumentName> {
        let Some(item) = table.get("name") else {
            self.error(span, "an argument needs a name");
            return None;
        };
        let word = self.word(item)?;
        if TAKEN_NAMES.contains(&word.text.as_str()) {
            self.error(&word.span, &format!("the protocol itself uses {:?}; choose another name", word.text));
            return None;
        }
        let name = word.text.parse();
        name.map_err(|error| self.error(&word.span, &format!("{:?} is no name: {error}", word.text))).ok()
    }

    fn kind(&mut self, table: &DeTable<'_>, span: &Range<usize>, dash: bool) -> Option<Kind> {
        let given: Vec<&str> = ARGUMENT_TYPES.into_iter().filter(|key| table.contains_key(*key)).collect();
        let [key] = *given else {
            self.error(span, &type_count_error(&given));
            return None;
        };
        let item = table.get(key)?;
        match key {
            "one-of" => self.alternatives(item),
            "pattern" => self.pattern(item, dash),
            "integer" => self.bounds(item, dash),
            "boolean" => self.chosen(item, "boolean").then_some(Kind::Boolean),
            "duration" => self.durations(item),
            "hostname" => self.chosen(item, "hostname").then_some(Kind::Hostname),
            "unit" => self.unit(item).map(Kind::Unit),
            "path" => self.path(item),
            "user" => self.users(item),
            "group" => self.chosen(item, "group").then_some(Kind::Group),
            "secret" => self.secret(item),
            _ => self.length(item),
        }
    }

    fn alternatives(&mut self, item: &Item<'_>) -> Option<Kind> {
        let words = self.words(item);
        if words.is_empty() {
            self.error(&item.span(), "one-of needs at least one value");
            return None;
        }
        self.each_once(&words);
        for word in &words {
            self.not_too_long(word);
        }
        Some(Kind::OneOf(words.into_iter().map(|word| word.text).collect()))
    }

    fn each_once(&mut self, words: &[Word]) {
        let mut seen = BTreeSet::new();
        for word in words {
            if !seen.insert(word.text.as_str()) {
                self.error(&word.span, &format!("{:?} is listed twice", word.text));
            }
        }
    }

    fn not_too_long(&mut self, word: &Word) {
        if word.text.len() > VALUE_MAX {
            self.error(&word.span, &format!("a value has at most {VALUE_MAX} octets"));
        }
    }

    fn pattern(&mut self, item: &Item<'_>, dash: bool) -> Option<Kind> {
        let word = self.word(item)?;
        let regex = pattern::anchored(&word.text).map_err(|message| self.error(&word.span, &message)).ok()?;
        if regex.is_match("") {
            self.warning(&word.span, "the pattern matches the empty value too");
        }
        if !dash && may_begin_with_dash(&word.text) {
            let message =
                "the pattern matches values that begin with '-'; without dash = true they are refused";
            self.warning(&word.span, message);
        }
        Some(Kind::Pattern(regex, word.text))
    }

    /// Without `min`, negative integers need `dash = true` like everything that begins with a dash.
    fn bounds(&mut self, item: &Item<'_>, dash: bool) -> Option<Kind> {
        let table = self.table(item)?;
        self.known_keys(table, &language::INTEGER);
        let lowest = if dash { i64::MIN } else { 0 };
        let min = table.get("min").map_or(Some(lowest), |min| self.integer(min));
        let max = table.get("max").map_or(Some(i64::MAX), |max| self.integer(max));
        let (min, max) = (min?, max?);
        if min > max {
            self.error(&item.span(), &format!("no integer is from {min} to {max}"));
            return None;
        }
        Some(Kind::Integer(min, max))
    }

    fn length(&mut self, item: &Item<'_>) -> Option<Kind> {
        let table = self.table(item)?;
        self.known_keys(table, &language::TEXT);
        let class = table.get("characters").map_or(Some(None), |class| self.characters(class).map(Some));
        let longest = self.max_length(table, item, "text");
        Some(Kind::Text(longest?, class?))
    }

    fn characters(&mut self, item: &Item<'_>) -> Option<(Regex, String)> {
        let word = self.word(item)?;
        let regex = pattern::of_characters(&word.text).map_err(|message| self.error(&word.span, &message));
        Some((regex.ok()?, word.text))
    }

    /// Reads the `true` of a type that has no more to say.
    fn chosen(&mut self, item: &Item<'_>, key: &str) -> bool {
        let chosen = self.truth(item);
        if chosen == Some(false) {
            self.error(&item.span(), &format!("{key} is true, or is left out"));
        }
        chosen == Some(true)
    }

    fn durations(&mut self, item: &Item<'_>) -> Option<Kind> {
        let table = self.table(item)?;
        self.known_keys(table, &language::DURATION);
        let min = table.get("min").map_or(Some(None), |min| self.bound(min).map(Some));
        let max = table.get("max").map_or(Some(None), |max| self.bound(max).map(Some));
        let (min, max) = (min?, max?);
        if let (Some(min), Some(max)) = (&min, &max)
            && min.length > max.length
        {
            self.error(&item.span(), &format!("no duration is from {} to {}", min.written, max.written));
            return None;
        }
        Some(Kind::Duration(min, max))
    }

    fn bound(&mut self, item: &Item<'_>) -> Option<Bound> {
        let word = self.word(item)?;
        if let Some(length) = duration(&word.text) {
            return Some(Bound { length, written: word.text });
        }
        self.error(&word.span, &format!("{:?} is no duration; write \"30s\" or \"10min\"", word.text));
        None
    }

    fn unit(&mut self, item: &Item<'_>) -> Option<Vec<&'static str>> {
        let Some(table) = item.get_ref().as_table() else {
            let any = item.get_ref().as_bool() == Some(true);
            if !any {
                self.error(&item.span(), "unit is true, or says which: { types = [\"service\"] }");
            }
            return any.then(|| UNIT_TYPES.to_vec());
        };
        self.known_keys(table, &language::UNIT);
        table.get("types").map_or_else(|| Some(UNIT_TYPES.to_vec()), |types| self.unit_types(types))
    }

    fn unit_types(&mut self, item: &Item<'_>) -> Option<Vec<&'static str>> {
        let words = self.words(item);
        if words.is_empty() {
            self.error(&item.span(), "types needs at least one type of unit");
            return None;
        }
        self.each_once(&words);
        words.iter().map(|word| self.unit_type(word)).collect()
    }

    fn unit_type(&mut self, word: &Word) -> Option<&'static str> {
        let known = UNIT_TYPES.into_iter().find(|known| *known == word.text);
        if known.is_none() {
            let close = did_you_mean(&word.text, UNIT_TYPES);
            self.error(&word.span, &format!("{:?} is no type of unit{close}", word.text));
        }
        known
    }

    /// Reads a value of the argument, which must be one that a peer could give.
    pub(super) fn value(&mut self, item: &Item<'_>, spec: &ArgumentSpec) -> Option<Value> {
        let text = match (&spec.kind, item.get_ref()) {
            (Kind::Integer(..), DeValue::Integer(_)) => self.integer(item)?.to_string(),
            (Kind::Boolean, DeValue::Boolean(truth)) => truth.to_string(),
            _ => self.word(item)?.text,
        };
        let value = Value::try_from(text.as_str()).ok()?;
        let Err(allowed) = spec.check(&value) else { return Some(value) };
        self.error(
            &item.span(),
            &format!("{text:?} is no value of argument {:?}: it {allowed}", spec.name.as_str()),
        );
        None
    }
}

fn type_count_error(given: &[&str]) -> String {
    if given.is_empty() {
        format!("an argument needs a type: {}", either(&ARGUMENT_TYPES))
    } else {
        format!("an argument has one type, and this has {}", given.join(" and "))
    }
}
