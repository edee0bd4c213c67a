//! The demands of a grant, proven just before its run. Lets nothing through that it could not look at.

use crate::accounts;
use crate::files::{FileError, open_beneath};
use crate::identity::DatabaseGroups;
use crate::policy::{Demand, Denial, Grant, Need, PathNeed, UserNeed};
use crate::sys::Sealed;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The name of a secret's file in memory.
const SECRET: &str = "udsadmin-secret";

/// A grant whose every demand is met, with what its program is handed. Only [`prove`] makes one:
///
/// ```compile_fail,E0451
/// # use udsadmin::{execution::Proven, policy::Grant};
/// fn unproven(grant: std::sync::Arc<Grant>) -> Proven {
///     Proven { grant, handed: Vec::new(), input: None, secrets: Vec::new() }
/// }
/// ```
#[derive(Debug)]
pub struct Proven {
    pub(super) grant: Arc<Grant>,
    /// From descriptor 3 on.
    pub(super) handed: Vec<OwnedFd>,
    /// The standard input, where it is the policy that says what it is.
    pub(super) input: Option<OwnedFd>,
    /// The secrets among them, to be overwritten when the program has ended.
    pub(super) secrets: Vec<Sealed>,
}

impl Proven {
    /// The grant.
    #[must_use]
    pub const fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    fn take(&mut self, gift: Gift) -> io::Result<()> {
        match gift {
            Gift::Nothing => {}
            Gift::Descriptor(descriptor) => self.handed.push(descriptor),
            Gift::Secret(secret) => {
                self.handed.push(secret.descriptor()?);
                self.secrets.push(secret);
            }
            Gift::Input(secret) => {
                self.input = Some(secret.descriptor()?);
                self.secrets.push(secret);
            }
        }
        Ok(())
    }
}

/// Why a grant is not proven.
#[derive(Debug)]
pub enum NotProven {
    /// A demand is not met: the request is refused after all.
    Unmet(Box<Denial>),
    /// A secret could not be laid out for the program.
    Failed(io::Error),
}

/// What stands against a demand, for the record and for administrators.
#[derive(Debug)]
pub enum Obstacle {
    /// It is not so.
    Not(String),
    /// It could not be seen, for lack of permission.
    Hidden(String),
    /// What was to be made could not be.
    Failed(io::Error),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(why) | Self::Hidden(why) => f.write_str(why),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// What a demand that is met gives to the program.
#[derive(Debug)]
pub enum Gift {
    /// Nothing: that it is met is enough.
    Nothing,
    /// Its next descriptor.
    Descriptor(OwnedFd),
    /// A secret, by its next descriptor.
    Secret(Sealed),
    /// A secret, as its standard input.
    Input(Sealed),
}

/// Proves every demand of the grant. Blocks: on file systems and on the user database.
///
/// # Errors
/// The first demand that is not met.
pub fn prove(grant: Arc<Grant>) -> Result<Proven, NotProven> {
    let mut proven = Proven { grant, handed: Vec::new(), input: None, secrets: Vec::new() };
    let grant = Arc::clone(&proven.grant);
    for demand in grant.demands() {
        let taken = look(demand).and_then(|gift| proven.take(gift).map_err(Obstacle::Failed));
        match taken {
            Ok(()) => {}
            Err(Obstacle::Failed(error)) => return Err(NotProven::Failed(error)),
            Err(obstacle) => {
                return Err(NotProven::Unmet(Box::new(grant.unmet(demand, &obstacle.to_string()))));
            }
        }
    }
    Ok(proven)
}

/// Looks whether one demand is met.
///
/// # Errors
/// [`Obstacle`].
pub fn look(demand: &Demand) -> Result<Gift, Obstacle> {
    match demand.need() {
        Need::Path(path) => at(path).map_err(|error| obstructed(&error)),
        Need::User(user) => known(user),
        Need::Group(name) => match accounts::find_group(name) {
            Ok(Some(_)) => Ok(Gift::Nothing),
            Ok(None) => Err(Obstacle::Not("no such group".to_owned())),
            Err(failed) => Err(Obstacle::Not(failed.to_string())),
        },
        Need::Memory(secret) => {
            Sealed::new(SECRET, secret.reveal()).map(Gift::Secret).map_err(Obstacle::Failed)
        }
        Need::Input(secret) => {
            Sealed::new(SECRET, secret.reveal()).map(Gift::Input).map_err(Obstacle::Failed)
        }
    }
}

fn at(path: &PathNeed) -> Result<Gift, FileError> {
    let opened = open_beneath(&path.root, &path.below, path.target)?;
    Ok(if path.handed { Gift::Descriptor(opened) } else { Gift::Nothing })
}

/// The fact alone: the value is on the record where it may be.
fn obstructed(error: &FileError) -> Obstacle {
    let fact = error.fault().to_string();
    if error.is_hidden() { Obstacle::Hidden(fact) } else { Obstacle::Not(fact) }
}

fn known(wanted: &UserNeed) -> Result<Gift, Obstacle> {
    let no = |why: &str| Err(Obstacle::Not(why.to_owned()));
    let uid = match accounts::find_user(&wanted.name) {
        Ok(Some(uid)) if uid.raw() < wanted.min_uid => return no(&format!("the uid is {uid}")),
        Ok(Some(uid)) => uid,
        Ok(None) => return no("no such user"),
        Err(failed) => return no(&failed.to_string()),
    };
    let Some(among) = &wanted.groups else { return Ok(Gift::Nothing) };
    match accounts::groups_of(uid) {
        DatabaseGroups::Known(groups) if among.iter().any(|group| groups.contains(group)) => {
            Ok(Gift::Nothing)
        }
        DatabaseGroups::Known(_) => no("in none of the groups"),
        DatabaseGroups::NotAsked | DatabaseGroups::Unavailable => no("the groups are unknown"),
    }
}
