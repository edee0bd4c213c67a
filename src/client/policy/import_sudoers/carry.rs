//! Carries commands over, one by one, each with what is to be told of it. What is not certain stays out.

use super::Surroundings;
use super::command::{Translated, translate};
use super::glob::is_wild;
use super::leaf::{Leaf, has_wildcard, leaves, may_be_same};
use super::report::{Row, Status};
use super::resolve::Sudoers;
use super::syntax::{Cmnd, Member, Scope, Setting, What, Words};
use super::who::{Place, Principals};
use super::write::Draft;
use std::collections::BTreeMap;

/// Options that restrict a command, or change what it means, in a way that no policy can say.
const LOST_OPTIONS: [(&str, &str); 9] = [
    ("APPARMOR_PROFILE", "it runs under an AppArmor profile, and would run without"),
    ("CHROOT", "it runs in another root directory, and would run in this one"),
    ("CWD", "it runs in another directory, which a policy can't say"),
    ("LIMITPRIVS", "it runs with fewer privileges, and would run with all"),
    (
        "NOTAFTER",
        "it ends to be permitted at a time, which would be forgotten; leave it out when that time has come",
    ),
    ("NOTBEFORE", "it begins to be permitted at a time; import it when that time has come"),
    ("PRIVS", "it runs with chosen privileges, and would run with all"),
    ("ROLE", "it runs in an SELinux role, and would run in another"),
    ("TYPE", "it runs with an SELinux type, and would run with another"),
];

/// Tags by which sudo records what a command reads or writes, each with the settings that do so where it isn't given.
const RECORDING: [(&str, &[&str]); 2] = [
    ("LOG_INPUT", &["log_input", "log_stdin", "log_ttyin"]),
    ("LOG_OUTPUT", &["log_output", "log_stderr", "log_stdout", "log_ttyout"]),
];

/// Everything that carrying over looks at.
struct Carrier<'c> {
    sudoers: &'c Sudoers,
    world: &'c dyn Surroundings,
    wide: bool,
    leaves: &'c [Leaf],
    /// Those of the leaves that may take back what an earlier one permits, with their numbers: by the last part of their
    /// program's path, where that tells them apart.
    overriding: BTreeMap<Option<&'c str>, Vec<(usize, &'c Leaf)>>,
    restrictions: Vec<Restriction<'c>>,
}

/// A setting that restricts commands.
struct Restriction<'c> {
    setting: &'c Setting,
    /// Which; `None` is every one, or can't be told.
    commands: Option<Vec<What>>,
}

impl<'c> Restriction<'c> {
    fn new(setting: &'c Setting, sudoers: &Sudoers) -> Self {
        let members = match &*setting.scope {
            Scope::Commands(list) => sudoers.commands_of(list).ok(),
            Scope::Everything | Scope::Some => None,
        };
        let whats = |members: Vec<Member<Cmnd>>| members.into_iter().map(|member| member.what.what).collect();
        Self { setting, commands: members.map(whats) }
    }

    /// Whether it may be for the command; it is, where that can't be told.
    fn is_for(&self, leaf: &Leaf) -> bool {
        if self.setting.name == "noexec" && leaf.tag("EXEC") == Some(true) {
            return false;
        }
        let (Some(commands), Ok(cmnd)) = (&self.commands, &leaf.cmnd) else { return true };
        commands.iter().any(|restricted| may_be_same(restricted, &cmnd.what))
    }
}

/// Carries over what can be. A row for the outcome of each command, and one for each danger in it.
/// With `wide`, what says nothing of its arguments is carried with any.
pub(super) fn carry(
    sudoers: &Sudoers,
    (world, wide): (&dyn Surroundings, bool),
    draft: &mut Draft,
) -> Vec<Row> {
    let leaves = leaves(sudoers, world);
    let mut overriding: BTreeMap<Option<&str>, Vec<(usize, &Leaf)>> = BTreeMap::new();
    for (number, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.overrides()) {
        overriding.entry(leaf.program_name()).or_default().push((number, leaf));
    }
    let restricting = sudoers.settings.iter().filter(|setting| setting.restricts());
    let restrictions = restricting.map(|setting| Restriction::new(setting, sudoers)).collect();
    let carrier = Carrier { sudoers, world, wide, leaves: &leaves, overriding, restrictions };
    let mut rows = Vec::new();
    for (number, leaf) in carrier.leaves.iter().enumerate() {
        let (status, message) = carrier.outcome(number, leaf, draft);
        rows.push(Row::new(&leaf.at, &leaf.what, status, &message));
        if *leaf.place != Place::Elsewhere && !leaf.who.is_root() {
            let dangers = carrier.dangers(leaf);
            rows.extend(dangers.iter().map(|danger| Row::new(&leaf.at, &leaf.what, Status::Unsafe, danger)));
        }
    }
    rows
}

impl Carrier<'_> {
    fn outcome(&self, number: usize, leaf: &Leaf, draft: &mut Draft) -> (Status, String) {
        if *leaf.place == Place::Elsewhere {
            return (Status::Elsewhere, String::new());
        }
        if leaf.who.is_root() && !leaf.negated {
            return (Status::Noted, "root needs no permission to be root".to_owned());
        }
        match self.translated(number, leaf) {
            Ok((principals, translated)) => self.permit(leaf, principals, translated, draft),
            Err(why) => (Status::NotCarried, why),
        }
    }

    fn translated<'l>(&self, number: usize, leaf: &'l Leaf) -> Result<(&'l Principals, Translated), String> {
        if let Place::Unsure(why) = &*leaf.place {
            return Err(why.clone());
        }
        let principals = leaf.who.principals.as_ref().map_err(Clone::clone)?;
        if leaf.negated {
            return Err("a policy permits what it names and nothing else, so nothing is taken out again; what this takes \
                        back is not carried over either"
                .to_owned());
        }
        let translated = translate(leaf, self.sudoers, (self.world, self.wide))?;
        self.unrestricted(leaf)?;
        self.stands(number, leaf)?;
        Ok((principals, translated))
    }

    /// Refuses what runs under a restriction that would be lost.
    fn unrestricted(&self, leaf: &Leaf) -> Result<(), String> {
        if leaf.tag("EXEC") == Some(false) {
            return Err("NOEXEC keeps it from starting other programs, and here it could".to_owned());
        }
        if leaf.tag("INTERCEPT") == Some(true) {
            return Err("INTERCEPT checks each program that it starts, and here none is".to_owned());
        }
        let lost = LOST_OPTIONS.iter().filter(|(name, _)| leaf.terms.options.contains_key(name));
        let lost: Vec<String> = lost.map(|(name, why)| format!("by {name}= {why}")).collect();
        if !lost.is_empty() {
            return Err(lost.join("; "));
        }
        match self.restrictions.iter().find(|restriction| restriction.is_for(leaf)) {
            Some(Restriction { setting: Setting { text, at, .. }, .. }) => {
                Err(format!("{text} at {at} restricts it, and nothing would here"))
            }
            None => Ok(()),
        }
    }

    /// Refuses what a later line may take back: for sudo, the last line that matches counts.
    fn stands(&self, number: usize, leaf: &Leaf) -> Result<(), String> {
        let candidates =
            [None, leaf.program_name()].into_iter().filter_map(|name| self.overriding.get(&name));
        let mut later = candidates.flatten().filter(|(other, _)| *other > number);
        match later.find(|(_, other)| other.may_meet(leaf)) {
            Some((_, other)) => {
                Err(format!("\"{}\" at {} may take it back, or restrict it", other.what, other.at))
            }
            None => Ok(()),
        }
    }

    fn permit(
        &self,
        leaf: &Leaf,
        principals: &Principals,
        translated: Translated,
        draft: &mut Draft,
    ) -> (Status, String) {
        let comment = format!("{}: {}", leaf.at, leaf.what);
        let permit = |command| draft.permit(command, principals, &comment);
        let names: Vec<String> = translated.commands.into_iter().map(permit).collect();
        let wider = self.wider(leaf);
        let narrower = [translated.narrower, leaf.who.notes.clone(), without_variables(leaf)].concat();
        let status = match (wider.is_empty(), narrower.is_empty()) {
            (false, _) => Status::Wider,
            (true, false) => Status::Narrower,
            (true, true) => Status::Carried,
        };
        let told = [vec![format!("as {}", names.join(", "))], wider, narrower].concat();
        (status, told.join("; "))
    }

    /// What sudo does before or beside the command, and udsadmin does not.
    fn wider(&self, leaf: &Leaf) -> Vec<String> {
        let asks = leaf.tag("PASSWD") != Some(false) && !self.asks_nobody();
        let password = asks.then(|| "sudo asks for the password, udsadmin does not".to_owned());
        let record = self
            .records(leaf)
            .then(|| "sudo records what it reads or writes, udsadmin that it ran".to_owned());
        password.into_iter().chain(record).collect()
    }

    /// Whether sudo may record what it reads or writes: by a tag, or else by a setting.
    fn records(&self, leaf: &Leaf) -> bool {
        let is_set = |names: &[&str]| {
            self.sudoers.settings.iter().any(|setting| names.contains(&&*setting.name) && !setting.off)
        };
        RECORDING.iter().any(|(tag, names)| leaf.tag(tag).unwrap_or_else(|| is_set(names)))
    }

    /// Whether passwords are switched off for all.
    fn asks_nobody(&self) -> bool {
        let mut settings = self.sudoers.settings.iter();
        settings.any(|setting| setting.name == "authenticate" && setting.off && setting.is_global())
    }

    /// What is unsafe about it where it stands.
    fn dangers(&self, leaf: &Leaf) -> Vec<String> {
        let mut dangers: Vec<String> = danger_of(leaf).map(str::to_owned).into_iter().collect();
        if leaf.tag("SETENV") == Some(true) && !leaf.negated {
            dangers.push("SETENV: by LD_PRELOAD and its like, the caller runs what they like".to_owned());
        }
        let any = matches!(leaf.cmnd.as_ref().map(|cmnd| &cmnd.what), Ok(What::Program(_, Words::Any)));
        if self.wide && any && !leaf.negated {
            dangers.push("any arguments pass, options too, and by --wide here as well".to_owned());
        }
        dangers.extend(root_excluded(leaf).map(str::to_owned));
        dangers.extend(self.changeable(leaf));
        dangers
    }

    /// The program, where others than root can change it.
    fn changeable(&self, leaf: &Leaf) -> Option<String> {
        let Ok(What::Program(path, _)) = leaf.cmnd.as_ref().map(|cmnd| &cmnd.what) else { return None };
        if has_wildcard(path) {
            return None;
        }
        let (is_missing, fault) = self.world.fault(std::path::Path::new(path))?;
        (!is_missing).then(|| format!("as root, it is what others made of it: {fault}"))
    }
}

/// What is unsafe about the command itself.
fn danger_of(leaf: &Leaf) -> Option<&'static str> {
    match &leaf.cmnd.as_ref().ok()?.what {
        _ if leaf.negated => {
            Some("whoever may run other programs as root copies or renames this one and runs the copy")
        }
        What::All if leaf.tag("PASSWD") == Some(false) => {
            Some("whatever gets hold of such an account is root, without a password")
        }
        What::Directory | What::Regex => Some("what is put there one day may be run, too"),
        What::Program(path, words) => dangers_of(path, words),
        What::All | What::Edit | What::List | What::Alias(_) => None,
    }
}

fn without_variables(leaf: &Leaf) -> Vec<String> {
    let setenv = leaf.tag("SETENV") == Some(true);
    setenv.then(|| "the caller can set no variable".to_owned()).into_iter().collect()
}

fn dangers_of(path: &str, words: &Words) -> Option<&'static str> {
    let wild = |words: &[String]| words.iter().any(|word| is_wild(word));
    match words {
        _ if is_wild(path) => Some("what is put where the wildcard matches may be run, too"),
        Words::These(words) if wild(words) => {
            Some("a wildcard matches blanks and '/' too, so any further arguments and other paths pass")
        }
        Words::Any | Words::None | Words::These(_) | Words::Regex => None,
    }
}

/// `(ALL, !root)`, which sudo before 1.8.28 let pass by (CVE-2019-14287).
fn root_excluded(leaf: &Leaf) -> Option<&'static str> {
    let runas = leaf.terms.runas.as_ref()?;
    let negated = runas.users.iter().any(|user| user.negated);
    (negated && !leaf.negated)
        .then_some("as any user but some: these others may own what leads to root (CVE-2019-14287)")
}
