//! `udsadmin policy why`: the decision on one request, step by step. Takes the word of whoever asks for who they are.

use super::super::run::{Failure, request_of};
use super::at::Moment;
use super::demands::outside;
use super::peer::{Principal, caller};
use super::table::aligned;
use super::{Answer, Common, Whose};
use crate::policy::{Explanation, Names, Policy, demands, why, why_builtin};
use crate::protocol;
use crate::request::{Builtin, CommandName};
use crate::server::clock;
use serde_json::{Map, Value, json};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  udsadmin policy why restart nginx.service                      would it run for me?
  udsadmin policy why --as alice restart nginx.service           for alice, after her next login
  udsadmin policy why --as 1234:webops restart nginx.service     for user 1234 with this group and no other
  udsadmin policy why --at '2026-12-24 20:00' restart nginx.service   on Christmas Eve, by this machine's clock
  udsadmin policy why --policy new/ --json restart nginx.service | jq .decision
  udsadmin policy why --policy web7/ --elsewhere --as alice:webops restart nginx.service   on another machine

What must be so on this machine when it runs (a file, a user) is looked at as you, a step \"demand\" each; what you may not
see, or what is on another machine, is \"unseen\", and counts for nothing here. For a secret write any word: its value decides nothing.

Exit status: 0 it is permitted, 1 it is denied, 78 the policy can't be used, 64 a mistake on the command line.";

/// Tell whether a request would run, and why, step by step
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,

    #[command(flatten)]
    pub(super) whose: Whose,

    /// For whom: a user with the groups of the user database, or with exactly these. Names or numbers
    #[arg(long = "as", value_name = "USER[:GROUP,...]")]
    principal: Option<Principal>,

    /// At which moment, like '2026-11-23 12:00 Europe/Berlin' (now, if nothing is said)
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// The command's name
    name: CommandName,

    /// Its arguments, in the order declared; or NAME=VALUE
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

pub(super) fn answer(arguments: &Arguments, policy: &Policy, names: &dyn Names) -> Result<Answer, Failure> {
    let peer = arguments.principal.as_ref().map_or_else(caller, |principal| principal.peer(names))?;
    let request = request_of(&arguments.name, &arguments.words)?;
    let now = arguments.at.map_or_else(clock::now, |Moment(at)| at);
    let (explanation, asked) = match Builtin::from_verb(arguments.name.as_str()) {
        Some(builtin) => (why_builtin(policy, &peer, builtin, now), builtin.verb().to_owned()),
        None => (why(policy, &peer, &request, now), protocol::spell(policy.shown(&request).request())),
    };
    let demanded = if explanation.permitted { demands(policy, &peer, &request) } else { Vec::new() };
    let (demands, are_met) = outside(&demanded, arguments.whose.machine());
    let yes = explanation.permitted && are_met;
    let decision = if yes { "permit" } else { "deny" };
    let steps = [steps(&explanation), demands].concat();
    let rows: Vec<_> = steps.iter().map(row).collect();
    let title = format!("{peer}: {asked}: {decision}\n");
    let missing = policy.no_such_command(&request.command).map(|why| why + "\n");
    Ok(Answer {
        people: title + &aligned(&rows) + &missing.unwrap_or_default(),
        json: json!({ "decision": decision, "user": peer.user(), "uid": peer.uid.raw(), "steps": steps }),
        yes,
    })
}

fn steps(explanation: &Explanation) -> Vec<Map<String, Value>> {
    let fields = |step: &crate::policy::Step| {
        step.fields().into_iter().map(|(name, value)| (name.to_owned(), value.into()))
    };
    explanation.steps.iter().map(|step| fields(step).collect()).collect()
}

/// What was looked at, what came of it, where the policy says so, and what would be right.
fn row(step: &Map<String, Value>) -> [String; 5] {
    let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let subject = ["user", "group", "during"].iter().find(|kind| step.contains_key(**kind));
    let what = match (subject, step.get("value")) {
        (Some(&"during"), _) => text("during"),
        (Some(kind), _) if step.contains_key("role") => {
            format!("{kind} {} (role {})", text(kind), text("role"))
        }
        (Some(kind), _) => format!("{kind} {}", text(kind)),
        (None, Some(_)) => format!("{}={}", text("name"), text("value")),
        (None, None) => text("name"),
    };
    let time = step.get("at-time").map(|_| format!("it is {}", text("at-time")));
    [format!("  {}", text("step")), what, text("result"), text("at"), time.unwrap_or_else(|| text("reason"))]
}
