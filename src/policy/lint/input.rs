//! Whether a program, as it is called, obeys its standard input or takes files from it. Reads nothing.

use super::super::kind::Kind;
use super::argv::{Element, in_bundle, operands};
use super::exec::{Run, code_at, inner_at};
use super::obeyed;
use super::programs::Input;

/// What the program takes from its standard input, as it is called here, where that is a client's choice. A secret is the
/// input of whoever sends it.
pub(super) fn of(run: &Run<'_, '_>, hears_client: bool) -> Option<Input> {
    let is_secret =
        |element: &Element<'_>| element.slots().iter().any(|slot| matches!(slot.spec.kind, Kind::Secret(..)));
    let is_input = |element: &Element<'_>| hears_client && element.is_stdin();
    let obeyed = || obeyed::elements(run).into_iter().any(|element| is_input(element) || is_secret(element));
    let usual = run.program.stdin;
    usual
        .filter(|_| hears_client && reads_input(run))
        .or_else(|| obeyed().then(|| usual.unwrap_or(Input::Commands)))
}

fn reads_input(run: &Run<'_, '_>) -> bool {
    let program = run.program;
    let any = |conditions: &[String]| conditions.iter().any(|condition| is_given(run, condition));
    let named = run.rest.iter().any(Element::is_stdin);
    let asked = program.when.is_empty() || any(&program.when);
    asked && (named || !any(&program.unless))
}

/// Whether the program is called so: with an option or a word, or with so many operands.
pub(super) fn is_given(run: &Run<'_, '_>, condition: &str) -> bool {
    match condition {
        "bare" => own_operands(run).is_empty() && code_at(run).is_none(),
        "single" => own_operands(run).len() < 2 && inner_at(run).is_none(),
        "two" => own_operands(run).len() > 1,
        option => run.rest.iter().any(|element| element.says(option, run.program)) || is_bundled(run, option),
    }
}

/// The operands without the values of options.
pub(super) fn own_operands<'e, 'a>(run: &Run<'e, 'a>) -> Vec<(usize, &'e Element<'a>)> {
    let takes_next = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| run.rest.get(before)?.literal());
        before.is_some_and(|text| run.program.values.iter().any(|option| option == text))
    };
    operands(run.rest).filter(|(at, _)| !takes_next(*at)).collect()
}

/// Whether the first element holds the option in letters without a dash.
pub(super) fn is_bundled(run: &Run<'_, '_>, option: &str) -> bool {
    let first = run.rest.first().and_then(Element::literal).filter(|text| !text.starts_with('-'));
    let letter = option
        .strip_prefix('-')
        .filter(|rest| rest.chars().count() == 1)
        .and_then(|rest| rest.chars().next());
    run.program.bundled && first.zip(letter).is_some_and(|(bundle, letter)| in_bundle(bundle, letter))
}
