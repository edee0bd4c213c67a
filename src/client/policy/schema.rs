//! `udsadmin policy schema`: the policy language as a JSON Schema, for editors. Made of the tables that the parser reads by.

use crate::policy::language::{Key, Names, Needs, POLICY, Section, Shape};
use serde_json::{Map, Value, json};

/// The dialect that editors' TOML servers know.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// Where the schema is installed, and what it is for.
const ABOUT: &str = "\
A policy of udsadmin. In the first line of a file, this names the schema to an editor: \
#:schema file:///usr/share/udsadmin/policy.schema.json";

const EXAMPLES: &str = "\
The schema is installed as /usr/share/udsadmin/policy.schema.json. The first line of a policy names it to an editor with a
TOML language server, which then completes keys and marks what is misspelt:
  #:schema file:///usr/share/udsadmin/policy.schema.json

It knows keys and shapes. What only the parser can tell (does the user exist, is the program safe), udsadmin check tells.";

/// Print the JSON Schema of the policy language, for editors
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {}

/// The whole schema.
pub(super) fn schema() -> Value {
    let mut definitions = Map::new();
    let root = section(&POLICY, &mut definitions);
    let Value::Object(root) = root else { return root };
    let first =
        json!({ "$schema": DIALECT, "type": "object", "title": "policy of udsadmin", "description": ABOUT });
    let last = json!({ "definitions": definitions });
    [first, Value::Object(root), last]
        .into_iter()
        .filter_map(|part| part.as_object().cloned())
        .flatten()
        .collect()
}

fn section(section: &Section, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<_, _> =
        section.keys.iter().map(|key| (key.name.to_owned(), property(key, definitions))).collect();
    let object = json!({ "additionalProperties": false, "properties": properties });
    match section.needs {
        Needs::Nothing => object,
        Needs::All(keys) => with(object, "required", json!(keys)),
        Needs::SomeOf(keys) => with(object, "anyOf", alternatives(keys)),
        Needs::And(first, others) => {
            with(with(object, "required", json!([first])), "oneOf", alternatives(others))
        }
    }
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object.as_object_mut().map(|object| object.insert(key.to_owned(), value));
    object
}

fn alternatives(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

fn property(key: &Key, definitions: &mut Map<String, Value>) -> Value {
    with(shape(&key.shape, definitions), "description", json!(key.about))
}

fn shape(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Form(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::True => json!({ "enum": [true] }),
        Shape::Integer(first, last) => integer(*first, *last),
        Shape::Value => json!({ "type": ["string", "integer", "boolean"] }),
        Shape::Principal => json!({ "type": ["string", "integer"], "minimum": 0 }),
        Shape::List(each) => json!({ "type": "array", "items": self::shape(each, definitions) }),
        Shape::Some(each) => {
            json!({ "type": "array", "minItems": 1, "items": self::shape(each, definitions) })
        }
        Shape::Table(section) => reference(section, definitions),
        Shape::OneOrSeveral(section) => {
            let one = reference(section, definitions);
            with(with(one.clone(), "type", json!(["object", "array"])), "items", one)
        }
        Shape::Named(names, each) => named(names, &self::shape(each, definitions)),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|one| self::shape(one, definitions)).collect::<Vec<_>>() })
        }
    }
}

/// A bound that 64 bits set anyway is none.
fn integer(first: i64, last: i64) -> Value {
    let integer = json!({ "type": "integer" });
    let integer = if first == i64::MIN { integer } else { with(integer, "minimum", json!(first)) };
    if last == i64::MAX { integer } else { with(integer, "maximum", json!(last)) }
}

/// A table of the section, whose definition says nothing of other types than tables. The reference stands in a list of its own:
/// beside a bare one, a description would be ignored (draft 7, section 8.3).
fn reference(of: &Section, definitions: &mut Map<String, Value>) -> Value {
    let name = of.of.replace(' ', "-");
    if !definitions.contains_key(&name) {
        let definition = section(of, definitions);
        definitions.insert(name.clone(), definition);
    }
    json!({ "type": "object", "allOf": [{ "$ref": format!("#/definitions/{name}") }] })
}

fn named(names: &Names, each: &Value) -> Value {
    let (keys, held): (_, Map<_, _>) = match names.known() {
        Ok(known) => ("properties", known.into_iter().map(|name| (name.to_owned(), each.clone())).collect()),
        Err(pattern) => ("patternProperties", [(pattern, each.clone())].into_iter().collect()),
    };
    json!({ "type": "object", "additionalProperties": false, keys: held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::{Path, PathBuf};

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    /// What the schema finds wrong with a policy's text.
    fn faults(text: &str) -> Vec<String> {
        let policy: Value = toml::from_str(text).unwrap();
        let judge = jsonschema::draft7::new(&schema()).unwrap();
        judge.iter_errors(&policy).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn policies(directory: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(Path::new(HERE).join(directory)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect()
    }

    #[test]
    fn the_shipped_schema_is_the_one_that_the_parser_reads_by() {
        let shipped = fs::read_to_string(Path::new(HERE).join("config/policy.schema.json")).unwrap();
        let mend = "cargo run -- policy schema > config/policy.schema.json";
        assert_eq!(shipped, format!("{:#}\n", schema()), "the shipped schema is old: {mend}");
    }

    #[test]
    fn the_schema_is_one_by_the_rules_of_its_dialect() {
        assert!(jsonschema::draft7::meta::is_valid(&schema()));
    }

    #[test]
    fn every_policy_that_loads_fits_the_schema() {
        let all = ["config", "config/examples", "tests/policies", "tests/suite", "tests/system/inside"]
            .map(policies)
            .concat();
        assert!(all.len() >= 8, "{all:?}");
        for path in all {
            assert_eq!(faults(&fs::read_to_string(&path).unwrap()), [""; 0], "{}", path.display());
        }
    }

    #[test]
    fn the_files_that_are_shipped_name_the_schema_where_it_is_installed() {
        let installs = fs::read_to_string(Path::new(HERE).join("packaging/stage")).unwrap();
        assert!(installs.contains("place 0644 usr/share/udsadmin config/policy.schema.json"));
        for path in ["config", "config/examples"].map(policies).concat() {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().next(), Some("#:schema file:///usr/share/udsadmin/policy.schema.json"));
        }
    }

    #[test]
    fn the_schema_marks_what_is_misspelt_or_of_the_wrong_shape() {
        for (text, at) in [
            ("[alow]", ""),
            ("[allow]\ngroups = \"a\"", "/allow/groups"),
            ("[allow]\ngroups = [-1]", "/allow/groups/0"),
            ("[[allow]]\ngroup = [\"a\"]", "/allow/0"),
            ("[commands.a]\nsummary = \"x\"", "/commands/a"),
            ("[commands.a]\nexec = []", "/commands/a/exec"),
            ("[commands.\"a b\"]\nexec = [\"/a\"]", "/commands"),
            ("[builtins.help]\n", "/builtins"),
            ("[[commands.a.allow]]\nwhen.x = [\"y\"]", "/commands/a/allow/0"),
            ("[commands.a]\nexec = [\"/a\"]\nargs = [{ name = \"x\" }]", "/commands/a/args/0"),
            (
                "[commands.a]\nexec = [\"/a\"]\nargs = [{ name = \"x\", boolean = true, unit = true }]",
                "/commands/a/args/0",
            ),
            (
                "[commands.a]\nexec = [\"/a\"]\nargs = [{ name = \"x\", boolean = false }]",
                "/commands/a/args/0/boolean",
            ),
            (
                "[commands.a]\nexec = [\"/a\"]\nargs = [{ name = \"x\", text = {} }]",
                "/commands/a/args/0/text",
            ),
            ("[commands.a]\nexec = [\"/a\"]\ntimeout = \"30\"", "/commands/a/timeout"),
            ("[commands.a]\nexec = [\"/a\"]\nrate = \"5/m\"", "/commands/a/rate"),
            ("[[test]]\nrequest = \"a\"\nexpect = \"permit\"", "/test/0"),
        ] {
            let found = faults(text);
            assert!(found.iter().any(|fault| fault.starts_with(&format!("{at}: "))), "{text}: {found:?}");
        }
    }

    /// The keys of a section and of all below it that this knows nothing of.
    fn unknown(section: &Section, knows: &dyn Fn(&str) -> bool) -> Vec<String> {
        let lacking = |key: &Key| (!knows(key.name)).then(|| format!("{} of {}", key.name, section.of));
        let keys = section.keys.iter();
        keys.flat_map(|key| lacking(key).into_iter().chain(unknown_inside(&key.shape, knows))).collect()
    }

    fn unknown_inside(shape: &Shape, knows: &dyn Fn(&str) -> bool) -> Vec<String> {
        match shape {
            Shape::Table(section) | Shape::OneOrSeveral(section) => unknown(section, knows),
            Shape::List(each) | Shape::Some(each) | Shape::Named(_, each) => unknown_inside(each, knows),
            Shape::Either(shapes) => shapes.iter().flat_map(|one| unknown_inside(one, knows)).collect(),
            Shape::Text
            | Shape::Form(_)
            | Shape::Word(_)
            | Shape::Truth
            | Shape::True
            | Shape::Integer(..)
            | Shape::Value
            | Shape::Principal => Vec::new(),
        }
    }

    #[test]
    fn every_key_is_in_the_reference_that_is_shipped() {
        let text = fs::read_to_string(Path::new(HERE).join("config/policy.toml")).unwrap();
        assert_eq!(unknown(&POLICY, &|name| text.contains(name)), [""; 0]);
    }

    #[test]
    fn every_key_is_in_the_manual_page_of_the_policy() {
        let page = fs::read_to_string(Path::new(HERE).join("docs/udsadmin-policy.5")).unwrap();
        let commands = page.lines().filter(|line| line.starts_with('.') && line.contains("Cm "));
        let words: Vec<_> = commands.flat_map(str::split_whitespace).collect();
        let named = |name: &str| words.iter().any(|word| word.trim_end_matches('.') == name);
        assert_eq!(unknown(&POLICY, &named), [""; 0]);
    }
}
