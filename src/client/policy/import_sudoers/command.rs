//! One command of sudoers as a command of a policy. Refuses what a policy can't say, and what would permit more than it did.

use super::Surroundings;
use super::glob::{self, Word};
use super::leaf::{Leaf, before_wildcard, has_wildcard};
use super::resolve::Sudoers;
use super::syntax::{Cmnd, Member, User, What, Words};
use super::who;
use super::write::{Argument, Command, Kind};
use crate::policy::{TAKEN_NAMES, TIMEOUT_MAX, VALUE_MAX};
use crate::request::ArgumentName;
use std::path::{Component, Path, PathBuf};

/// Octets of an argument's name at most, before its number.
const ARGUMENT_STEM_MAX: usize = 26;

/// Why a command that is `ALL` stays out.
const ALL: &str = "every command with any arguments is a root shell, which no policy here can say; name the commands that \
                   are needed, and keep a root login for the rest";

/// Why `sudoedit` stays out.
const EDIT: &str = "sudoedit edits files, and udsadmin only runs commands; declare one that puts a checked file in its place";

/// Why a command with a digest stays out.
const DIGEST: &str = "sudo checks the digest of the program, which udsadmin does not; see that only root can change it, and \
                      declare it without";

/// Why a command that says nothing of its arguments stays out.
const ANY: &str = "any arguments whatever may follow it; declare those that are needed, or write \"\" behind it where none are, \
                   or carry it with all by --wide";

/// Why a command that runs as nobody in particular stays out.
const CALLER: &str =
    "it runs as the caller, which needs no privilege, or with another group, which no policy can say";

/// What is to be told of a command with quotes among its arguments.
const QUOTES: &str = "quotes among its arguments are characters like others, for sudo as well: they hold nothing together, \
                      and only who gives them is let pass; see whether that was meant";

/// The name of an argument that is all that the caller gives.
const ARGUMENTS: &str = "arguments";

/// A command as a policy has it, and what to tell of it.
pub(super) struct Translated {
    pub(super) commands: Vec<Command>,
    /// What it permits less than sudo did.
    pub(super) narrower: Vec<String>,
}

/// Translates the command of a leaf.
///
/// # Errors
/// Why it can't be said in a policy.
pub(super) fn translate(
    leaf: &Leaf,
    sudoers: &Sudoers,
    (world, wide): (&dyn Surroundings, bool),
) -> Result<Translated, String> {
    let cmnd = leaf.cmnd.as_ref().map_err(Clone::clone)?;
    let (path, words) = program(cmnd, wide)?;
    let mut narrower = Vec::new();
    let run_as = run_as(leaf, sudoers, world, &mut narrower)?;
    let timeout = timeout(leaf, sudoers)?;
    let (mut exec, mut arguments) = elements(path, words, &mut narrower)?;
    if matches!(&cmnd.what, What::Program(_, Words::Any)) {
        exec.push(format!("{{{ARGUMENTS}}}"));
        arguments.push((ARGUMENTS.to_owned(), Kind::Anything));
        narrower.push("with any arguments, but 64 at most".to_owned());
    }
    let fault = world.fault(Path::new(path));
    if let Some((_, fault)) = fault.filter(|(is_missing, _)| !is_missing) {
        return Err(format!("udsadmin refuses to start it: {fault}"));
    }
    let stem = stem(path, words);
    let command = |run_as: String| Command {
        stem: stem.clone(),
        exec: exec.clone(),
        arguments: arguments.clone(),
        run_as,
        timeout,
    };
    Ok(Translated { commands: run_as.into_iter().map(command).collect(), narrower })
}

/// The program and what follows it, of a command that is one program.
fn program(cmnd: &Cmnd, wide: bool) -> Result<(&str, &[String]), String> {
    let refused = |why: &str| Err(why.to_owned());
    let (path, words) = match &cmnd.what {
        What::Program(path, words) => (path, words),
        What::All => return refused(ALL),
        What::Edit => return refused(EDIT),
        What::List => return refused("listing is no command; udsadmin shows everyone what they may run"),
        What::Alias(name) => return Err(format!("no Cmnd_Alias {name} is defined")),
        What::Directory => return refused("every program of a directory; name those that are needed"),
        What::Regex => return refused("a program by a regular expression; name the programs"),
    };
    if cmnd.digest {
        return refused(DIGEST);
    }
    plain_path(path)?;
    match words {
        Words::None => Ok((path, &[])),
        Words::These(words) => Ok((path, words)),
        Words::Any if wide => Ok((path, &[])),
        Words::Any => refused(ANY),
        Words::Regex => {
            refused("its arguments are a regular expression; declare them one by one, each with a pattern")
        }
    }
}

fn plain_path(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    let respelt: PathBuf = path.components().collect();
    let goes_up = path.components().any(|component| component == Component::ParentDir);
    if has_wildcard(text) && !glob::is_wild(text) {
        Err("an escaped wildcard in the program's path; name a program by plain characters".to_owned())
    } else if has_wildcard(text) {
        Err("a wildcard in the program's path; name the programs".to_owned())
    } else if goes_up || respelt.as_os_str() != path.as_os_str() {
        Err("the program's path has \".\", \"..\" or \"//\" in it; write it plainly".to_owned())
    } else {
        passable(text)
    }
}

/// Refuses what no element of an argument vector, and no line of a policy, should be.
fn passable(word: &str) -> Result<(), String> {
    if who::has_control(word) {
        Err("a control character in it".to_owned())
    } else if word.len() > VALUE_MAX {
        Err(format!("a word of more than {VALUE_MAX} octets"))
    } else {
        Ok(())
    }
}

/// The elements of `exec` with the arguments that they mention.
fn elements(
    path: &str,
    words: &[String],
    narrower: &mut Vec<String>,
) -> Result<(Vec<String>, Vec<Argument>), String> {
    let mut exec = vec![doubled(path)];
    let mut arguments: Vec<Argument> = Vec::new();
    for text in words {
        passable(text)?;
        exec.push(element(glob::word(text)?, &mut arguments));
    }
    if !arguments.is_empty() {
        let less = "each wildcard is one argument: not empty, no blank, no '/', no \"..\", no '-' in front";
        narrower.push(less.to_owned());
    }
    if words.iter().any(|word| word.contains([' ', '\t'])) {
        narrower.push("a blank within an argument stays within it".to_owned());
    }
    if words.iter().any(|word| word.contains(['"', '\''])) {
        narrower.push(QUOTES.to_owned());
    }
    Ok((exec, arguments))
}

fn element(word: Word, arguments: &mut Vec<Argument>) -> String {
    match word {
        Word::Plain(word) => doubled(&word),
        Word::Wild { before, pattern, behind } => {
            let name = argument_name(&before, arguments);
            let element = format!("{}{{{name}}}{}", doubled(&before), doubled(&behind));
            arguments.push((name, Kind::Pattern(pattern)));
            element
        }
    }
}

fn doubled(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// `file` of `--file=`; else `value`.
fn argument_name(before: &str, taken: &[Argument]) -> String {
    let option = before.strip_suffix('=').map(|option| option.trim_start_matches('-'));
    let usable = |name: &&str| {
        name.len() < ARGUMENT_STEM_MAX && name.parse::<ArgumentName>().is_ok() && !TAKEN_NAMES.contains(name)
    };
    let name = option.filter(usable).unwrap_or("value");
    let numbered = (1..=taken.len() + 1).map(|number| match number {
        1 => name.to_owned(),
        number => format!("{name}-{number}"),
    });
    let is_free = |name: &String| !taken.iter().any(|(taken, _)| taken == name);
    numbered.into_iter().find(is_free).unwrap_or_default()
}

fn stem(path: &str, words: &[String]) -> String {
    let base = path.rsplit('/').next().unwrap_or_default();
    let last = |word: &String| {
        let word = before_wildcard(word).trim_end_matches('/');
        word.rsplit('/').next().unwrap_or_default().replace(".service", "")
    };
    let words: Vec<String> = words.iter().map(last).collect();
    format!("{base} {}", words.join(" "))
}

/// The users as whom it may run; a policy's command has exactly one.
fn run_as(
    leaf: &Leaf,
    sudoers: &Sudoers,
    world: &dyn Surroundings,
    narrower: &mut Vec<String>,
) -> Result<Vec<String>, String> {
    let Some(runas) = &leaf.terms.runas else { return usual(sudoers) };
    if runas.users.is_empty() {
        return Err(CALLER.to_owned());
    }
    if !runas.groups.is_empty() {
        narrower.push("the caller has no choice of a group".to_owned());
    }
    let users = sudoers.runas_of(&runas.users)?;
    if users.iter().any(|user| user.negated) {
        return Err("its run-as users are all but some, which is all too many; name the one that is needed"
            .to_owned());
    }
    if users.iter().any(|user| user.what == User::All) {
        narrower.push("as root, and as no other user".to_owned());
        return Ok(vec!["root".to_owned()]);
    }
    accounts(&users, world, narrower)
}

/// Those of the users as whom a policy can have a command run, of whom there is at least one.
fn accounts(
    users: &[Member<User>],
    world: &dyn Surroundings,
    narrower: &mut Vec<String>,
) -> Result<Vec<String>, String> {
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for user in users {
        match account(user, world) {
            Ok(name) => names.push(name),
            Err(why) => faults.push(why),
        }
    }
    if names.is_empty() {
        return Err(faults.join("; "));
    }
    narrower.extend(faults.iter().map(|why| format!("one of its run-as users is left out: {why}")));
    names.sort();
    names.dedup();
    Ok(names)
}

/// As whom a command runs that does not say so.
fn usual(sudoers: &Sudoers) -> Result<Vec<String>, String> {
    match sudoers.settings.iter().find(|setting| setting.name == "runas_default" && !setting.off) {
        None => Ok(vec!["root".to_owned()]),
        Some(setting) => {
            Err(format!("as whom it runs is said by runas_default at {}; write it here", setting.at))
        }
    }
}

fn account(Member { what, .. }: &Member<User>, world: &dyn Surroundings) -> Result<String, String> {
    let name = match what {
        User::Name(name) => name,
        User::Uid(0) => return Ok("root".to_owned()),
        User::Uid(uid) => return Err(format!("it runs as uid {uid}; write the user's name")),
        User::Group(_) | User::Gid(_) | User::Foreign(_) | User::All => {
            return Err("it runs as whichever user of a group the caller likes; name one".to_owned());
        }
    };
    if who::has_control(name) {
        return Err(format!("it runs as {}, which has a control character in its name", name.escape_debug()));
    }
    match world.uid_of(name) {
        _ if who::is_nobody(name) => Err(format!("it runs as {name}, who stands for whoever is not mapped")),
        Ok(Some(_)) => Ok(name.clone()),
        Ok(None) => Err(format!("it runs as {name}, and there is no such user here")),
        Err(failed) => Err(format!("it runs as {name}, who can't be looked up: {failed}")),
    }
}

fn timeout(leaf: &Leaf, sudoers: &Sudoers) -> Result<Option<u64>, String> {
    let scoped =
        sudoers.settings.iter().find(|setting| setting.name == "command_timeout" && !setting.is_global());
    let global = sudoers.settings.iter().rfind(|setting| setting.name == "command_timeout");
    let text = match (leaf.terms.options.get("TIMEOUT"), scoped, global) {
        (Some(own), ..) => own,
        (None, Some(setting), _) => {
            return Err(format!(
                "how long it may take is said at {} for some; write TIMEOUT= here",
                setting.at
            ));
        }
        (None, None, Some(setting)) if !setting.off => setting.value.as_deref().unwrap_or_default(),
        (None, None, _) => return Ok(None),
    };
    let limit = seconds(text).filter(|limit| (1..=TIMEOUT_MAX.as_secs()).contains(limit));
    limit.map(Some).ok_or_else(|| format!("its timeout, {text:?}, is none that a policy can have"))
}

/// Seconds of `90`, or of `7d8h30m10s`.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| !character.is_ascii_digit()) {
        let (number, behind) = rest.split_at_checked(at)?;
        let mut behind = behind.chars();
        let unit: u64 = match behind.next()?.to_ascii_lowercase() {
            'd' => 24 * 60 * 60,
            'h' => 60 * 60,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = behind.as_str();
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_spelt_as_sudo_spells_them() {
        for (text, expected) in [
            ("90", Some(90)),
            ("7d8h30m10s", Some(635_410)),
            ("2H", Some(7200)),
            ("1h5", None),
            ("", None),
            ("5w", None),
            ("h", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(seconds(text).filter(|_| !text.is_empty()), expected, "{text}");
        }
    }

    #[test]
    fn an_argument_is_named_after_its_option() {
        let taken = [("file".to_owned(), Kind::Anything)];
        assert_eq!(argument_name("--file=", &[]), "file");
        assert_eq!(argument_name("--file=", &taken), "file-2");
        assert_eq!(argument_name("/dev/", &taken), "value");
        assert_eq!(argument_name("--id=", &taken), "value");
    }
}
