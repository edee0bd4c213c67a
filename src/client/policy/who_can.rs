//! `udsadmin policy who-can`: every user of the database who may run a command, and by which rule.

use super::super::run::{Failure, request_of};
use super::at::Moment;
use super::demands::are_met;
use super::peer::everyone;
use super::table::aligned;
use super::{Answer, Common};
use crate::policy::{Policy, demands, who_can, who_can_use};
use crate::request::{Builtin, CommandName};
use serde_json::{Value, json};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  udsadmin policy who-can restart                      with some values at least
  udsadmin policy who-can restart nginx.service        with these
  udsadmin policy who-can --at '2026-12-24 20:00' restart
  udsadmin policy who-can --json restart | jq -r '.[].user'

Every user whom `getent passwd` lists is asked about, with the groups that a login would give. Who logged in before they left
a group still has it until they log out. With values, what must be so on this machine (a file, a user) is looked at as by
`udsadmin policy why`; without any it is not.

Exit status: 0 somebody may, 1 nobody may, 78 the policy can't be used, 64 a mistake on the command line.";

/// Tell which users may run a command, and by which rule
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,

    /// At which moment; without one, whoever may at some time is listed, with the times
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// The command's name
    name: CommandName,

    /// Its arguments; without any, whoever may run it with some values counts
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

pub(super) fn answer(arguments: &Arguments, policy: &Policy) -> Result<Answer, Failure> {
    let request = request_of(&arguments.name, &arguments.words)?;
    let at = arguments.at.map(|Moment(at)| at);
    let able = match Builtin::from_verb(arguments.name.as_str()) {
        Some(builtin) => who_can_use(policy, everyone(), builtin, at),
        None => who_can(policy, everyone(), &request, at),
    };
    let able: Vec<[String; 3]> = able
        .into_iter()
        .filter(|able| request.arguments.is_empty() || are_met(&demands(policy, &able.peer, &request)))
        .map(|able| [able.peer.user(), able.rule.to_string(), able.hours.unwrap_or_default()])
        .collect();
    let nobody = || {
        let missing = policy.no_such_command(&request.command);
        missing.unwrap_or_else(|| format!("nobody may run {}", request.command)) + "\n"
    };
    Ok(Answer {
        people: if able.is_empty() { nobody() } else { aligned(&able) },
        json: able.iter().map(object).collect(),
        yes: !able.is_empty(),
    })
}

/// Who, by which rule, and when, if only at some times.
fn object([user, rule, during]: &[String; 3]) -> Value {
    let mut object = json!({ "user": user, "rule": rule });
    if let Some(fields) = object.as_object_mut().filter(|_| !during.is_empty()) {
        fields.insert("during".to_owned(), json!(during));
    }
    object
}
