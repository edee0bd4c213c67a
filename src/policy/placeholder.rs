//! Looks at how `exec` uses the arguments: each in its place, and none where the program would read it as something else.

use super::argument::may_begin_with_dash;
use super::demand::{HANDED_MAX, handed_at_most};
use super::diagnostic::{Diagnostic, Severity};
use super::kind::{ArgumentSpec, Kind, Pass};
use super::reader::Reader;
use super::template::Template;
use crate::request::ArgumentName;
use std::collections::BTreeSet;
use std::ops::Range;

/// An element of `exec`, and its place.
pub(super) type Element = (Template, Range<usize>);

impl Reader<'_> {
    /// Checks the elements against the declared arguments, some of which are used elsewhere.
    pub(super) fn placeholders(
        &mut self,
        elements: &[Element],
        arguments: &[ArgumentSpec],
        elsewhere: &BTreeSet<&str>,
    ) {
        for (element, span) in elements {
            let found: Vec<_> = element
                .placeholders()
                .filter_map(|name| self.declared(name.as_str(), span, arguments))
                .collect();
            self.element_fits(&found, span);
        }
        self.unused(elements, arguments, elsewhere);
        self.one_input(arguments);
        self.few_descriptors(arguments);
        self.read_as_options(elements, arguments);
        self.lone_flags(elements, arguments);
        self.empty_names(elements, arguments);
    }

    fn element_fits(&mut self, used: &[&ArgumentSpec], span: &Range<usize>) {
        if let Some(spec) = used.iter().find(|spec| comes_by_input(spec)) {
            self.error(
                span,
                &format!("secret {:?} comes by standard input, and not in exec", spec.name.as_str()),
            );
        }
        if let Some(spec) = used.iter().find(|spec| spec.repeat.is_some() && used.len() > 1) {
            let message =
                format!("an element with {{{}}}, which is repeated, has no other placeholder", spec.name);
            self.error(span, &message);
        }
    }

    fn unused(&mut self, elements: &[Element], arguments: &[ArgumentSpec], elsewhere: &BTreeSet<&str>) {
        let used: BTreeSet<&ArgumentName> =
            elements.iter().flat_map(|(element, _)| element.placeholders()).collect();
        let is_used = |spec: &&ArgumentSpec| {
            used.contains(&spec.name) || elsewhere.contains(spec.name.as_str()) || comes_by_input(spec)
        };
        for spec in arguments.iter().filter(|spec| !is_used(spec)) {
            self.error_at(spec, &format!("argument {:?} is never used in exec", spec.name.as_str()));
        }
    }

    fn one_input(&mut self, arguments: &[ArgumentSpec]) {
        for spec in arguments.iter().filter(|spec| comes_by_input(spec)).skip(1) {
            self.error_at(spec, "a command has one standard input, and another secret comes by it already");
        }
    }

    fn few_descriptors(&mut self, arguments: &[ArgumentSpec]) {
        let mut before = 0;
        for spec in arguments {
            let all = before + handed_at_most(spec);
            if before <= HANDED_MAX && all > HANDED_MAX {
                let message =
                    format!("a program is handed {HANDED_MAX} descriptors at most, and this makes {all}");
                self.error_at(spec, &message);
            }
            before = all;
        }
    }

    fn error_at(&mut self, spec: &ArgumentSpec, message: &str) {
        self.findings.push(Diagnostic::new(Severity::Error, spec.place.clone(), message));
    }

    /// Warns of values that the program would take for its own options.
    fn read_as_options(&mut self, elements: &[Element], arguments: &[ArgumentSpec]) {
        let is_open = |(element, _): &&Element| element.text() != Some("--");
        for (element, span) in
            elements.iter().take_while(is_open).filter(|(element, _)| element.prefix().is_empty())
        {
            let first = element.placeholders().next().and_then(|name| named(arguments, name));
            if let Some(spec) = first.filter(|spec| may_lead_with_dash(spec)) {
                let (name, fact) = (&spec.name, "would be read as an option if it began with a dash");
                self.warning(
                    span,
                    &format!("{{{name}}} {fact}; put \"--\" before it, if the program knows that"),
                );
            }
        }
    }

    /// Warns of options that lose their value with an argument that is left out.
    fn lone_flags(&mut self, elements: &[Element], arguments: &[ArgumentSpec]) {
        for ((before, _), (element, span)) in elements.iter().zip(elements.iter().skip(1)) {
            let flag = before.text().filter(|text| text.starts_with('-') && !matches!(*text, "-" | "--"));
            let optional =
                element.alone().and_then(|name| named(arguments, name)).filter(|spec| spec.optional);
            if let (Some(flag), Some(spec)) = (flag, optional) {
                let (name, between) = (&spec.name, if flag.starts_with("--") { "=" } else { "" });
                let together = format!("write \"{flag}{between}{{{name}}}\", if the program takes that");
                self.warning(
                    span,
                    &format!("without {{{name}}}, {flag:?} stays and takes what comes next; {together}"),
                );
            }
        }
    }

    /// Warns of an element that names a directory when its value is empty.
    fn empty_names(&mut self, elements: &[Element], arguments: &[ArgumentSpec]) {
        for (element, span) in elements.iter().filter(|(element, _)| element.prefix().ends_with('/')) {
            let mut names = element.placeholders();
            let only =
                names.next().filter(|_| names.next().is_none()).and_then(|name| named(arguments, name));
            if let Some(spec) = only.filter(|spec| element.ends_with_placeholder() && spec.kind.has("")) {
                let message = format!(
                    "an empty {{{}}} leaves {:?} itself; use a type without an empty value",
                    spec.name,
                    element.prefix()
                );
                self.warning(span, &message);
            }
        }
    }
}

fn named<'a>(arguments: &'a [ArgumentSpec], name: &ArgumentName) -> Option<&'a ArgumentSpec> {
    arguments.iter().find(|spec| spec.name == *name)
}

const fn comes_by_input(spec: &ArgumentSpec) -> bool {
    matches!(spec.kind, Kind::Secret(_, Pass::Input))
}

/// Whether it takes values of anybody's own making that begin with a dash.
fn may_lead_with_dash(spec: &ArgumentSpec) -> bool {
    match &spec.kind {
        Kind::Text(_, class) => spec.dash && class.as_ref().is_none_or(|(class, _)| class.is_match("-")),
        Kind::Pattern(_, written) => spec.dash && may_begin_with_dash(written),
        Kind::Unit(_) => spec.dash,
        Kind::Integer(first, _) => *first < 0,
        Kind::OneOf(_)
        | Kind::Boolean
        | Kind::Duration(..)
        | Kind::Hostname
        | Kind::Path(_)
        | Kind::User(_)
        | Kind::Group
        | Kind::Secret(..) => false,
    }
}
