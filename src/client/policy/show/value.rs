//! Values of TOML as text, for people and for the parser, and as JSON. Changes none of them, and writes no comments.

use super::tree::in_order;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Columns up to which a list is written on one line.
const WIDTH: usize = 100;

/// The value as it stands behind its key.
pub(super) fn text(value: &DeValue<'_>) -> String {
    let Some(elements) = value.as_array() else { return inline(value) };
    list(&elements.iter().map(Spanned::get_ref).collect::<Vec<_>>())
}

/// A list, on one line where that is not too long. Several tables have a line each.
pub(super) fn list(elements: &[&DeValue<'_>]) -> String {
    let words: Vec<String> = elements.iter().map(|one| inline(one)).collect();
    let line = format!("[{}]", words.join(", "));
    let tables = elements.iter().filter(|one| one.is_table()).count();
    if line.chars().count() <= WIDTH && tables < 2 {
        return line;
    }
    let lines = words.iter().fold(String::new(), |lines, word| lines + "    " + word + ",\n");
    format!("[\n{lines}]")
}

fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => {
            integer(number).map_or_else(|| number.as_str().to_owned(), |it| it.to_string())
        }
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(list) => {
            let words: Vec<String> = list.iter().map(|one| inline(one.get_ref())).collect();
            format!("[{}]", words.join(", "))
        }
        DeValue::Table(table) => table_inline(table),
    }
}

fn table_inline(table: &DeTable<'_>) -> String {
    let pairs: Vec<String> =
        in_order(table).map(|(name, item)| format!("{} = {}", key(name), inline(item.get_ref()))).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A key: bare, or quoted where it has to be.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { basic(name) }
}

/// Text between quotes: in its own letters between single ones, where double ones would need escapes for them.
fn quoted(text: &str) -> String {
    let literal = text.contains(['\\', '"']) && !text.contains('\'') && text.chars().all(is_seen);
    if literal { format!("'{text}'") } else { basic(text) }
}

fn basic(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        seen if is_seen(seen) => seen.to_string(),
        other => format!("\\U{:08x}", u32::from(other)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Whether a reader sees the character as what it is.
fn is_seen(c: char) -> bool {
    matches!(c, '\'' | '"' | '\\') || c.escape_debug().count() == 1
}

/// The value as JSON. What JSON has no word for is text.
pub(super) fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => integer(number).map_or_else(|| number.as_str().into(), Into::into),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Float(_) | DeValue::Datetime(_) => inline(value).into(),
        DeValue::Array(list) => list.iter().map(|one| json(one.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            in_order(table).map(|(name, item)| (name.to_owned(), json(item.get_ref()))).collect(),
        ),
    }
}
