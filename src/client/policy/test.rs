//! `udsadmin policy test`: the tests that a policy carries, each with its outcome. Runs none of the commands.

use super::table::aligned;
use super::{Answer, Of, Whose};
use crate::policy::{Case, Loaded};
use crate::server::policy::failure;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  udsadmin policy test                          the tests of the installed policy
  udsadmin policy test --policy new/            those of a policy to come, say in its review
  udsadmin policy test --policy web7/ --elsewhere   those of another machine's policy

A test is a [[test]] of the policy, with peer, request and expect. The daemons refuse a policy of which a test fails.

Exit status: 0 all pass, 1 one fails, 78 the policy can't be used, 64 a mistake on the command line.";

/// Tell which of its own tests a policy passes
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) of: Of,

    #[command(flatten)]
    pub(super) whose: Whose,
}

pub(super) fn answer(loaded: &Loaded) -> Answer {
    let told = |case: &Case| failure(&loaded.policy, case).map(|found| found.message().to_owned());
    let outcomes: Vec<(&Case, Option<String>)> = loaded.tests.iter().map(|case| (case, told(case))).collect();
    let failed = outcomes.iter().filter(|(_, why)| why.is_some()).count();
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let passed = outcomes.len() - failed;
    Answer {
        people: format!("{}{passed} passed, {failed} failed\n", aligned(&rows)),
        json: outcomes.iter().map(object).collect(),
        yes: failed == 0,
    }
}

fn row((case, why): &(&Case, Option<String>)) -> [String; 3] {
    let word = if why.is_some() { "FAILED" } else { "ok" };
    [word.to_owned(), case.origin().to_string(), why.clone().unwrap_or_else(|| case.request.clone())]
}

fn object((case, why): &(&Case, Option<String>)) -> Value {
    let expect = if case.expects_permit { "permit" } else { "deny" };
    let (at, passed) = (case.origin().to_string(), why.is_none());
    json!({ "at": at, "request": case.request, "expect": expect, "passed": passed, "message": why })
}
