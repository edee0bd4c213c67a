//! The files that a program obeys or unpacks, and whether others than root may write them. Opens none: the machine is asked.

use super::super::kind::{ArgumentSpec, Kind};
use super::Surroundings;
use super::argv::Element;
use super::exec::{Run, code_at, module_at};
use super::input::{is_bundled, is_given, own_operands};
use super::language::Language;
use std::path::Path;

/// Directories in which users write, on every machine (file-hierarchy(7)).
const OF_USERS: [&str; 5] = ["/tmp", "/var/tmp", "/dev/shm", "/home", "/run/user"];

/// The elements that name what the program obeys or unpacks, as it is called here.
pub(super) fn elements<'e, 'a>(run: &Run<'e, 'a>) -> Vec<&'e Element<'a>> {
    let program = run.program;
    let asked = program.obeys_when.is_empty() || program.obeys_when.iter().any(|word| is_given(run, word));
    let is_script = program.script && code_at(run).is_none() && module_at(run).is_none();
    let implied = is_script.then_some("first");
    let listed = program.obeys.iter().map(String::as_str).filter(|_| asked);
    listed.chain(implied).flat_map(|what| named(run, what)).collect()
}

/// What an operand is, or the value of an option: in its own element or in the next one.
fn named<'e, 'a>(run: &Run<'e, 'a>, what: &str) -> Vec<&'e Element<'a>> {
    let operands = || own_operands(run).into_iter().map(|(_, element)| element);
    match what {
        "first" => operands().take(1).collect(),
        "operands" => operands().collect(),
        option => {
            let says = |at: usize, element: &Element<'_>| {
                element.says(option, run.program) || at == 0 && is_bundled(run, option)
            };
            let said = run.rest.iter().enumerate().filter(|(at, element)| says(*at, element));
            said.flat_map(|(at, element)| [Some(element), run.rest.get(at + 1)]).flatten().collect()
        }
    }
}

/// The paths that the program obeys, as far as their author wrote them: files, or directories of them.
pub(super) fn paths<'e, 'a>(run: &Run<'e, 'a>) -> Vec<(&'e Element<'a>, String)> {
    let of_element =
        |element: &'e Element<'a>| paths_in(element).into_iter().map(move |path| (element, path));
    let mut all: Vec<_> = elements(run).into_iter().flat_map(of_element).collect();
    let mut seen = Vec::new();
    all.retain(|(element, path)| {
        let key = (element.place.order(), path.clone());
        let is_new = !seen.contains(&key);
        seen.push(key);
        is_new
    });
    all
}

fn paths_in(element: &Element<'_>) -> Vec<String> {
    let slots = element.slots();
    let before = slots.first().map_or_else(|| element.literal().unwrap_or_default(), |slot| slot.before);
    match (path_in(before), slots.first()) {
        (Some(path), _) => vec![path.to_owned()],
        (None, Some(slot)) if slot.leads() => roots(slot.spec),
        (None, _) => Vec::new(),
    }
}

/// The path that stands there alone or as the value of an option.
fn path_in(text: &str) -> Option<&str> {
    let attached = || text.get(2..).unwrap_or_default();
    let of_option = || text.split_once('=').map_or_else(attached, |(_, value)| value);
    let value = if text.starts_with('-') { of_option() } else { text };
    value.starts_with('/').then_some(value)
}

/// Where the values of the argument lie, if it says.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other types hold no path, or any")]
fn roots(spec: &ArgumentSpec) -> Vec<String> {
    let all = match &spec.kind {
        Kind::OneOf(values) => values.clone(),
        Kind::Path(paths) => paths.roots.clone(),
        Kind::Pattern(_, written) => vec![Language::of(written).beginning()],
        _ => Vec::new(),
    };
    all.into_iter().filter(|path| path.len() > 1 && path.starts_with('/')).collect()
}

/// Why others than root may write there or below it, if they may.
pub(super) fn others(path: &str, around: &Surroundings<'_>) -> Option<String> {
    let path = Path::new(path);
    let of_users = OF_USERS.into_iter().find(|directory| path.starts_with(directory));
    of_users.map(|directory| format!("{directory} is where users write")).or_else(|| (around.others)(path))
}
