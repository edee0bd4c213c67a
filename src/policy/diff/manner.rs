//! In what manner a command runs, compared: what of it is another thing, and what is more. Where neither is less, both are told.

use super::super::command::Command;
use super::super::terms::manner::{CapabilitySet, IoPriority, Manner, Resource};
use crate::identity::Uid;
use std::path::PathBuf;

/// What is neither more nor less, and not the same.
pub(super) fn others(old: &Manner, new: &Manner) -> impl Iterator<Item = &'static str> {
    let cwd = (old.cwd != new.cwd).then_some("cwd");
    let environment = (old.environment != new.environment).then_some("environment");
    cwd.into_iter().chain(environment)
}

/// What the new command has more of.
pub(super) fn wider(old: &Command, new: &Command) -> Vec<String> {
    let manners = [&old.terms.manner, &new.terms.manner];
    let mut told: Vec<String> = capabilities(manners).into_iter().collect();
    let guarded = [old, new].map(is_guarded);
    told.extend(is_off("no-new-privileges", guarded));
    told.extend(is_off("private-tmp", manners.map(|manner| manner.walls.private_tmp)));
    told.extend(writable(manners));
    told.extend(is_off("network = false", manners.map(|manner| !manner.walls.network)));
    told.extend(umask(manners));
    told.extend(Resource::ALL.into_iter().filter_map(|resource| limit(resource, manners)));
    told.extend(priorities(manners));
    told
}

fn is_guarded(command: &Command) -> bool {
    command.terms.manner.no_new_privileges.unwrap_or(command.run_as.uid != Uid::ROOT)
}

fn is_off(what: &str, [was, is]: [bool; 2]) -> Option<String> {
    (was && !is).then(|| format!("no {what}"))
}

fn capabilities(manners: [&Manner; 2]) -> Option<String> {
    let [was, is] = manners.map(|manner| manner.ambient);
    if !was.holds(is) {
        return Some(format!("capabilities {is} instead of {was}"));
    }
    let [was, is] = manners.map(|manner| manner.bounding);
    let was = was.filter(|was| !is.is_some_and(|is| was.holds(is)))?;
    let is = is.map_or("any".to_owned(), |is| CapabilitySet::to_string(&is));
    Some(format!("capabilities within {is} instead of {was}"))
}

fn writable(manners: [&Manner; 2]) -> Option<String> {
    let [was, is] = manners.map(|manner| manner.walls.read_only.as_ref());
    let (was, Some(is)) = (was?, is) else { return Some("no read-only".to_owned()) };
    let is_new = |path: &&PathBuf| !was.iter().any(|held| path.starts_with(held));
    let more: Vec<String> = is.iter().filter(is_new).map(|path| path.display().to_string()).collect();
    (!more.is_empty()).then(|| format!("writes to {}", more.join(", ")))
}

fn umask(manners: [&Manner; 2]) -> Option<String> {
    let [was, is] = manners.map(|manner| manner.umask);
    (was & !is != 0).then(|| format!("umask {is:04o} instead of {was:04o}"))
}

/// A limit that is there and was not may be more than the machine's own.
fn limit(resource: Resource, manners: [&Manner; 2]) -> Option<String> {
    let of = |manner: &Manner| {
        manner.limits.iter().find(|(known, _)| *known == resource).map(|(_, bounds)| *bounds)
    };
    let [was, is] = manners.map(of);
    let is_less = match (was, is) {
        (Some(was), Some(is)) => is.soft <= was.soft && is.hard <= was.hard,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let shown =
        |bounds: Option<super::super::Bounds>| bounds.map_or("none".to_owned(), |bounds| bounds.to_string());
    (!is_less).then(|| format!("limit {} {} instead of {}", resource.name(), shown(is), shown(was)))
}

fn priorities(manners: [&Manner; 2]) -> Option<String> {
    let [was, is] = manners.map(|manner| manner.nice.unwrap_or(0));
    if is < was {
        return Some(format!("nice {is} instead of {was}"));
    }
    let [was, is] = manners.map(|manner| rank(manner.io));
    (is < was).then(|| "io before more others".to_owned())
}

/// The smaller, the sooner its turn. What says nothing is in the middle of best effort.
fn rank(priority: Option<IoPriority>) -> u8 {
    match priority {
        Some(IoPriority::Realtime(level)) => level,
        Some(IoPriority::BestEffort(level)) => 8 + level,
        None => 8 + 4,
        Some(IoPriority::Idle) => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::policy;
    use super::super::diff;

    fn text(keys: &str) -> String {
        let rule = "[[commands.c.allow]]\nusers = [\"alice\"]\n";
        format!("[allow]\nusers = [\"alice\"]\n[commands.c]\nexec = [\"/bin/c\"]\n{keys}\n{rule}")
    }

    /// What is gained, and what is lost, by these keys in the place of those.
    fn changes(old: &str, new: &str) -> [Vec<String>; 2] {
        let difference = diff(&policy(&text(old)), &policy(&text(new)));
        [difference.gains, difference.losses].map(|changes| changes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_wider_is_a_gain_and_what_is_narrower_a_loss() {
        for (narrow, wide, note) in [
            ("private-tmp = true", "", "no private-tmp"),
            ("network = false", "network = true", "no network = false"),
            ("read-only = true", "read-only = false", "no read-only"),
            (
                "read-only = { except = [\"/a\"] }",
                "read-only = { except = [\"/a/b\", \"/c\"] }",
                "writes to /c",
            ),
            ("no-new-privileges = true", "", "no no-new-privileges"),
            ("umask = \"0077\"", "", "umask 0022 instead of 0077"),
            ("nice = 5", "", "nice 0 instead of 5"),
            ("io = \"idle\"", "", "io before more others"),
            ("io = \"best-effort:7\"", "io = \"realtime:7\"", "io before more others"),
            ("limits.nofile = 5", "limits.nofile = 6", "limit nofile 6 instead of 5"),
            ("capabilities.bounding = [\"kill\"]", "", "capabilities within any instead of kill"),
            (
                "run-as = \"bob\"\ncapabilities.ambient = []",
                "run-as = \"bob\"\ncapabilities.ambient = [\"kill\"]",
                "capabilities kill instead of none",
            ),
        ] {
            let [gains, losses] = changes(narrow, wide);
            assert!(gains.len() == 1 && gains[0].ends_with(&format!("({note})")), "{wide}: {gains:?}");
            let [less, lost] = changes(wide, narrow);
            assert_eq!(lost.len(), 1, "{narrow}: {lost:?}");
            let only_one_way = !note.starts_with("writes to");
            assert!(!only_one_way || losses.is_empty() && less.is_empty(), "{losses:?} {less:?}");
        }
    }

    #[test]
    fn another_directory_environment_or_group_is_something_else() {
        for (keys, word) in [
            ("cwd = \"/x\"", "cwd"),
            ("environment.set.A = \"b\"", "environment"),
            ("run-as = { user = \"root\", group = \"wheel\" }", "run-as"),
        ] {
            let changes = changes("", keys);
            let told = |told: &Vec<String>| {
                told.len() == 1 && told[0].contains(&format!("runs something else ({word})"))
            };
            assert!(changes.iter().all(told), "{changes:?}");
        }
    }

    #[test]
    fn a_limit_that_was_not_there_may_be_more_than_the_machines_own() {
        let [gains, losses] = changes("", "limits.nofile = 5");
        assert!(gains[0].ends_with("(limit nofile 5 instead of none)"), "{gains:?}");
        assert!(losses[0].ends_with("(limit nofile none instead of 5)"), "{losses:?}");
    }

    #[test]
    fn what_is_said_and_what_goes_without_saying_are_the_same() {
        for keys in [
            "umask = \"022\"\ncwd = \"/\"",
            "nice = 0\nio = \"best-effort:4\"",
            "network = true\nread-only = false",
        ] {
            assert_eq!(changes("", keys), [Vec::<String>::new(), Vec::new()], "{keys}");
        }
    }
}
