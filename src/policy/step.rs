//! The path of a decision, step by step, for `why`. Records what the evaluator saw; decides nothing itself.

use super::condition::Matched;
use super::decision::{Denial, Refusal};
use super::kind::ArgumentSpec;
use super::origin::Origin;
use super::time::During;
use crate::request::Value;
use std::time::SystemTime;

/// How a request would be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was looked at, in order. A command that is not the peer's to run looks like one that doesn't exist.
    pub steps: Vec<Step>,
    /// Whether it would run.
    pub permitted: bool,
}

/// One step: names and values, in the order of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step(Vec<(&'static str, String)>);

impl Step {
    /// The row: `step` and its name first, then what was looked at and the `result`, and at last where the policy says so.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        self.0.clone()
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.push((name, value));
        self
    }

    fn of(step: &str, fields: impl IntoIterator<Item = (&'static str, String)>, result: &str) -> Self {
        let first = ("step", step.to_owned());
        Self([first].into_iter().chain(fields).chain([("result", result.to_owned())]).collect())
    }

    /// A deny applies.
    pub(super) fn deny(matched: &Matched<'_>) -> Self {
        Self::of("deny", matched.fields(), "yes")
    }

    /// The gate at connect refuses.
    pub(super) fn connect(result: &str) -> Self {
        Self::of("connect", [], result)
    }

    /// The command is there for this peer.
    pub(super) fn command_found(name: &str, at: &Origin) -> Self {
        Self::of("command", [("name", name.to_owned()), ("at", at.short())], "found")
    }

    /// The command is not there, as far as this peer is concerned.
    pub(super) fn command_missing(name: &str) -> Self {
        Self::of("command", [("name", name.to_owned())], "not-found")
    }

    /// A built-in was looked at; where a rule is about it, that one.
    pub(super) fn builtin(name: &str, at: Option<&Origin>, result: &str) -> Self {
        let at = at.map(|at| ("at", at.short()));
        Self::of("builtin", [("name", name.to_owned())].into_iter().chain(at), result)
    }

    /// A rule of the command is for this peer.
    pub(super) fn allow(matched: &Matched<'_>) -> Self {
        Self::of("allow", matched.fields(), "yes").with("at", matched.origin.short())
    }

    /// A rule that permits at some times alone was looked at, or one that always permits, after such.
    pub(super) fn during(during: &During, now: SystemTime, at: &Origin) -> Self {
        let result = if during.holds(now) { "yes" } else { "no" };
        let named = if during.is_always() { "always".to_owned() } else { during.to_string() };
        let clock = (!during.is_always()).then(|| ("at-time", during.clock(now)));
        Self::of("during", [("during", named)].into_iter().chain(clock), result).with("at", at.short())
    }

    /// An argument's value, if it has one, was looked at; where it was refused, what it must be.
    pub(super) fn value(spec: &ArgumentSpec, value: Option<&Value>, refused: Option<&Denial>) -> Self {
        let result = if refused.is_some() { "no" } else { "yes" };
        let value = value.filter(|_| !spec.is_secret()).map(|value| ("value", shown(value)));
        let step = Self::of("argument", [("name", spec.name.to_string())].into_iter().chain(value), result);
        match refused.map(|denial| (denial.refusal(), denial.rule())) {
            Some((Refusal::BadArgument { text, .. }, rule)) => {
                step.with("reason", text.clone()).with("at", rule.short())
            }
            Some((Refusal::Denied | Refusal::NotNow(_), _)) | None => step,
        }
    }

    /// An argument could not be matched with a value.
    pub(super) fn argument(name: &str, result: &str) -> Self {
        Self::of("argument", [("name", name.to_owned())], result)
    }
}

/// The value as text; what is no text is escaped, octet by octet.
fn shown(value: &Value) -> String {
    value.as_text().map_or_else(|| value.as_bytes().escape_ascii().to_string(), str::to_owned)
}

/// Takes down steps where someone wants them.
pub(super) struct Steps(Option<Vec<Step>>);

impl Steps {
    /// Nobody asked why.
    pub(super) const fn unrecorded() -> Self {
        Self(None)
    }

    /// Somebody did.
    pub(super) const fn recorded() -> Self {
        Self(Some(Vec::new()))
    }

    /// Takes down a step, which is made only if it is wanted.
    pub(super) fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Some(steps) = &mut self.0 {
            steps.push(step());
        }
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Step> {
        self.0.unwrap_or_default()
    }
}
