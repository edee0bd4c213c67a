//! What in the manner of a command gives more than it seems: variables, capabilities, masks, and walls that do not hold.

use super::super::command::Command;
use super::super::terms::manner::is_loaders;
use super::{Finding, Id, Level, Surroundings, obeyed};
use crate::identity::Uid;

/// Capabilities by which a process comes to be root, or to all that is root's (capabilities(7)).
const AS_ROOT: [&str; 12] = [
    "chown",
    "dac-override",
    "fowner",
    "mknod",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys-admin",
    "sys-module",
    "sys-ptrace",
    "sys-rawio",
];

/// The bit by which others than the group may write.
const WRITABLE_FOR_ALL: u32 = 0o002;

/// Everything that can be said of the manner.
pub(super) fn findings(command: &Command, around: &Surroundings<'_>) -> Vec<Finding> {
    let found = [capability(command), mask(command), walls(command)].into_iter().flatten();
    found.chain(variables(command)).chain(search_path(command, around)).collect()
}

fn say(command: &Command, (id, level): (Id, Level), message: &str) -> Finding {
    Finding::new(id, level, &command.place, message).about(command)
}

fn capability(command: &Command) -> Option<Finding> {
    let kept: Vec<&str> =
        command.terms.manner.ambient.names().filter(|name| AS_ROOT.contains(name)).collect();
    let message = format!(
        "{} makes {} as good as root to whatever the program does; leave it out, or run the command as root and say so",
        kept.join(", "),
        command.run_as.name
    );
    (!kept.is_empty()).then(|| say(command, (Id::AS_GOOD_AS_ROOT, Level::Warning), &message))
}

fn mask(command: &Command) -> Option<Finding> {
    let mask = command.terms.manner.umask;
    let message =
        format!("with umask {mask:04o} everybody may write to what it makes; \"0022\" is the default");
    (mask & WRITABLE_FOR_ALL == 0).then(|| say(command, (Id::LOOSE_UMASK, Level::Warning), &message))
}

/// Root starts what it likes through the system manager, and mounts what it likes.
fn walls(command: &Command) -> Option<Finding> {
    let manner = &command.terms.manner;
    let message = "private-tmp, read-only and network = false keep root from mistakes, and from nothing that it wants: root can \
                   mount, trace and ask the system manager; let another user run the command";
    (manner.walls.stand() && command.run_as.uid == Uid::ROOT)
        .then(|| say(command, (Id::WALLS_AROUND_ROOT, Level::Note), message))
}

fn variables(command: &Command) -> impl Iterator<Item = Finding> {
    let names = command.terms.manner.environment.set.keys().filter(|name| is_loaders(name));
    names.map(move |name| {
        let message = format!(
            "{name} has the loader take code from where it says, into this program and every one that it starts; whoever may \
             write there chooses what runs"
        );
        say(command, (Id::LOADER_VARIABLE, Level::Warning), &message)
    })
}

/// Programs are looked up in each directory of PATH, in an empty or relative one wherever the command happens to be.
fn search_path(command: &Command, around: &Surroundings<'_>) -> Vec<Finding> {
    let path = command.terms.manner.environment.set.get("PATH");
    let why = |directory: &str| {
        if directory.starts_with('/') {
            obeyed::others(directory, around)
        } else {
            Some("it depends on the directory that a program is in".to_owned())
        }
    };
    let unsafe_ones = path.into_iter().flat_map(|path| path.split(':')).filter_map(|directory| {
        let message = format!("PATH has {directory:?}: {}; others choose what runs", why(directory)?);
        Some(say(command, (Id::OPEN_SEARCH_PATH, Level::Danger), &message))
    });
    unsafe_ones.collect()
}
