//! What a request to run says beside the command's own arguments: `detach=` and `id=`. Checks no argument of a command.

use super::ask::{Ask, Checked, Given, arguments, label, misuse};
use crate::request::{Argument, CommandName, Request, Value, Wanted};

/// The word that a run is wanted so.
const YES: &[u8] = b"yes";

/// The request to run a command.
pub(super) fn run(command: CommandName, given: Vec<Given>) -> Checked<Ask> {
    let (wanted, rest) = apart(given)?;
    Ok(Ask::Run(Request { command, arguments: arguments(rest) }, wanted))
}

/// The request to explain how one would be decided. However it would be wanted, the decision is the same.
pub(super) fn why(command: CommandName, given: Vec<Given>) -> Checked<Ask> {
    let (_, rest) = apart(given)?;
    Ok(Ask::Why(Request { command, arguments: arguments(rest) }))
}

/// Takes what is not for the command out of its arguments. No argument of a command has one of these names.
fn apart(given: Vec<Given>) -> Checked<(Wanted, Vec<Given>)> {
    let (mut wanted, mut rest) = (Wanted::default(), Vec::new());
    let mut seen = Vec::new();
    for one in given {
        let name = label(&one).to_owned();
        match &one.argument {
            Argument::Named(_, value) if matches!(&*name, "detach" | "id") => {
                if seen.contains(&name) {
                    return misuse(&name, "given twice");
                }
                take(&name, value, &mut wanted)?;
                seen.push(name);
            }
            Argument::Named(..) | Argument::Positional(_) => rest.push(one),
        }
    }
    Ok((wanted, rest))
}

fn take(name: &str, value: &Value, wanted: &mut Wanted) -> Checked<()> {
    if name == "detach" {
        wanted.detach = value.as_bytes() == YES;
        return if matches!(value.as_bytes(), b"yes" | b"no") {
            Ok(())
        } else {
            misuse(name, "must be yes or no")
        };
    }
    match value.as_text().unwrap_or_default().parse() {
        Ok(token) => wanted.token = Some(token),
        Err(error) => return misuse(name, format!("{error}")),
    }
    Ok(())
}
