//! Every command of every user specification, one by one, aliases unfolded. Leaves none out.

use super::Surroundings;
use super::resolve::Sudoers;
use super::syntax::{At, Cmnd, Member, Permission, Spec, Terms, What, Words};
use super::who::{Place, Who};
use std::rc::Rc;

/// The characters that fnmatch(3) takes for more than themselves.
const WILDCARDS: [char; 4] = ['*', '?', '[', '\\'];

/// One command of one specification.
pub(super) struct Leaf {
    /// The specification's place.
    pub(super) at: At,
    pub(super) who: Rc<Who>,
    pub(super) place: Rc<Place>,
    pub(super) terms: Rc<Terms>,
    pub(super) negated: bool,
    /// The command, as the specification or the last alias has it; or why its alias can't be unfolded.
    pub(super) cmnd: Result<Cmnd, String>,
    /// What a row calls it.
    pub(super) what: String,
}

/// Unfolds them all, in the order of the text.
pub(super) fn leaves(sudoers: &Sudoers, world: &dyn Surroundings) -> Vec<Leaf> {
    sudoers.specs.iter().flat_map(|spec| of_spec(spec, sudoers, world)).collect()
}

fn of_spec(spec: &Spec, sudoers: &Sudoers, world: &dyn Surroundings) -> Vec<Leaf> {
    let who = Rc::new(Who::new(&spec.users, sudoers, world));
    let mut leaves = Vec::new();
    for share in &spec.shares {
        let place = Rc::new(Place::new(&share.hosts, sudoers, world.host()));
        for permission in &share.permissions {
            leaves.extend(of_permission(permission, sudoers, (&who, &place)));
        }
    }
    leaves
}

fn of_permission(
    permission: &Permission,
    sudoers: &Sudoers,
    (who, place): (&Rc<Who>, &Rc<Place>),
) -> Vec<Leaf> {
    let terms = Rc::new(permission.terms.clone());
    let written = &permission.cmnd;
    let leaf = |negated, cmnd: Result<Cmnd, String>, what| Leaf {
        at: permission.at.clone(),
        who: Rc::clone(who),
        place: Rc::clone(place),
        terms: Rc::clone(&terms),
        negated,
        cmnd,
        what,
    };
    match sudoers.commands_of(std::slice::from_ref(written)) {
        Err(why) => vec![leaf(written.negated, Err(why), written.what.text.clone())],
        Ok(members) => {
            let one = |Member { negated, what }| {
                let shown = shown(&what, negated, &written.what);
                leaf(negated, Ok(what), shown)
            };
            members.into_iter().map(one).collect()
        }
    }
}

fn shown(cmnd: &Cmnd, negated: bool, written: &Cmnd) -> String {
    let sign = if negated { "!" } else { "" };
    let by = if cmnd.text == written.text { String::new() } else { format!(" (by {})", written.text) };
    format!("{sign}{}{by}", cmnd.text)
}

impl Leaf {
    /// Whether a tag is on, off, or not given.
    pub(super) fn tag(&self, name: &str) -> Option<bool> {
        self.terms.tags.get(name).copied()
    }

    /// Whether it may decide about a command of an earlier one: the last that matches counts.
    pub(super) fn overrides(&self) -> bool {
        let is_restricting = self.tag("EXEC") == Some(false)
            || self.tag("INTERCEPT") == Some(true)
            || !self.terms.options.is_empty();
        (self.negated || is_restricting) && *self.place != Place::Elsewhere
    }

    /// The last part of its program's path, where that is plain: others are then other programs.
    pub(super) fn program_name(&self) -> Option<&str> {
        match &self.cmnd.as_ref().ok()?.what {
            What::Program(path, _) => Some(last_part(path)).filter(|name| !has_wildcard(name)),
            What::All | What::Edit | What::List | What::Alias(_) | What::Directory | What::Regex => None,
        }
    }

    /// Whether some request may be meant by both.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let commands = match (&self.cmnd, &other.cmnd) {
            (Ok(ours), Ok(theirs)) => may_be_same(&ours.what, &theirs.what),
            _ => true,
        };
        commands && self.who.may_meet(&other.who)
    }
}

/// Whether both may be the same program with the same arguments. Paths may be links to each other, but not with different
/// last parts: sudo compares these first.
pub(super) fn may_be_same(one: &What, other: &What) -> bool {
    match (one, other) {
        (What::Program(one, ours), What::Program(other, theirs)) => {
            may_be_same_path(one, other) && may_be_same_words(ours, theirs)
        }
        (What::Edit, What::Program(..) | What::List) | (What::Program(..) | What::List, What::Edit) => false,
        _ => true,
    }
}

fn may_be_same_path(one: &str, other: &str) -> bool {
    let (one, other) = (last_part(one), last_part(other));
    one == other || has_wildcard(one) || has_wildcard(other)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn may_be_same_words(one: &Words, other: &Words) -> bool {
    match (words_text(one), words_text(other)) {
        (Some(one), Some(other)) => {
            let (ours, theirs) = (before_wildcard(&one), before_wildcard(&other));
            let is_fixed = |text: &str, start: &str| start.len() == text.len();
            match (is_fixed(&one, ours), is_fixed(&other, theirs)) {
                (true, true) => one == other,
                (true, false) => ours.starts_with(theirs),
                (false, true) => theirs.starts_with(ours),
                (false, false) => ours.starts_with(theirs) || theirs.starts_with(ours),
            }
        }
        _ => true,
    }
}

/// What follows a program, as one text; `None` where it may be anything.
fn words_text(words: &Words) -> Option<String> {
    match words {
        Words::Any | Words::Regex => None,
        Words::None => Some(String::new()),
        Words::These(words) => Some(words.join(" ")),
    }
}

/// The text before the first wildcard.
pub(super) fn before_wildcard(text: &str) -> &str {
    let end = text.find(WILDCARDS).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Whether fnmatch(3) takes it for more than its own text.
pub(super) fn has_wildcard(text: &str) -> bool {
    text.contains(WILDCARDS)
}
