//! What a run takes from outside of the policy: what must be so there, and what the program is handed. Proves nothing itself.

use super::bind::Given;
use super::kind::{ArgumentSpec, Kind, Pass, Target};
use super::origin::Origin;
use crate::identity::Gid;
use crate::request::{ArgumentName, Value};
use std::fmt;
use std::path::PathBuf;

/// The number of the first descriptor that a program is handed, after its three streams.
const FIRST: usize = 3;

/// Descriptors that a program is handed at most. The broker holds them while it starts a run, of which a user may have many
/// under way (`LimitNOFILE=` of udsadmin-broker.service).
pub(super) const HANDED_MAX: usize = 32;

/// A value that is the program's alone to know: it has no text, and its `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Value);

impl Secret {
    /// The octets, for the program.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A path below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathNeed {
    /// The declared root, absolute.
    pub root: PathBuf,
    /// The way from there, at least one name.
    pub below: PathBuf,
    /// What must be there.
    pub target: Target,
    /// Whether the program is handed what was proven: the file, or for something new the directory that it will be in.
    pub handed: bool,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserNeed {
    /// The name, exactly as the user database has it.
    pub name: String,
    /// The least id.
    pub min_uid: u32,
    /// In one of these groups, where there is a list.
    pub groups: Option<Vec<Gid>>,
}

/// What is needed for one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// That the path is so.
    Path(PathNeed),
    /// That there is such a user.
    User(UserNeed),
    /// That there is a group of this name.
    Group(String),
    /// That the program is handed this as a file in memory.
    Memory(Secret),
    /// That this is the program's standard input.
    Input(Secret),
}

impl Need {
    const fn is_handed(&self) -> bool {
        match self {
            Self::Path(path) => path.handed,
            Self::Memory(_) => true,
            Self::User(_) | Self::Group(_) | Self::Input(_) => false,
        }
    }
}

/// One demand of a grant, for one value of one argument. Only the policy makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub(super) argument: ArgumentName,
    pub(super) must: String,
    pub(super) declared: Origin,
    need: Need,
}

/// How many descriptors an argument can come to hand to the program.
pub(super) fn handed_at_most(spec: &ArgumentSpec) -> usize {
    let is_path = matches!(&spec.kind, Kind::Path(paths) if paths.handed);
    if is_path || matches!(spec.kind, Kind::Secret(_, Pass::Memory)) {
        spec.repeat.map_or(1, |repeat| repeat.max)
    } else {
        0
    }
}

impl Demand {
    /// The argument.
    #[must_use]
    pub const fn argument(&self) -> &ArgumentName {
        &self.argument
    }

    /// What the value must be, for people: it tells nothing of what is there.
    #[must_use]
    pub fn must(&self) -> &str {
        &self.must
    }

    /// The file and line that declare the argument.
    #[must_use]
    pub const fn declared(&self) -> &Origin {
        &self.declared
    }

    /// What is needed.
    #[must_use]
    pub const fn need(&self) -> &Need {
        &self.need
    }

    fn of(spec: &ArgumentSpec, value: &Value) -> Option<Self> {
        let need = need(&spec.kind, value)?;
        let must = format!("must be {}", spec.kind);
        Some(Self { argument: spec.name.clone(), must, declared: spec.place.origin(), need })
    }

    /// What stands for the value in the argument vector, where it isn't the value itself: the name of the descriptor.
    fn handle(&self, number: usize) -> Option<Vec<u8>> {
        let descriptor = format!("/proc/self/fd/{number}");
        let handle = match &self.need {
            Need::Path(PathNeed { target: Target::Nothing, below, .. }) => {
                PathBuf::from(descriptor).join(below.file_name()?)
            }
            Need::Path(_) | Need::Memory(_) | Need::User(_) | Need::Group(_) | Need::Input(_) => {
                PathBuf::from(descriptor)
            }
        };
        self.need.is_handed().then(|| handle.into_os_string().into_encoded_bytes())
    }
}

fn need(kind: &Kind, value: &Value) -> Option<Need> {
    let text = value.as_text()?;
    match kind {
        Kind::Path(paths) => {
            let (root, below) = paths.split(text)?;
            let (target, handed) = (paths.target, paths.handed);
            Some(Need::Path(PathNeed { root: root.into(), below: below.into(), target, handed }))
        }
        Kind::User(users) => {
            let groups = users.groups.as_ref().map(|groups| groups.iter().map(|group| group.id).collect());
            Some(Need::User(UserNeed { name: text.to_owned(), min_uid: users.min_uid, groups }))
        }
        Kind::Group => Some(Need::Group(text.to_owned())),
        Kind::Secret(_, Pass::Memory) => Some(Need::Memory(Secret(value.clone()))),
        Kind::Secret(_, Pass::Input) => Some(Need::Input(Secret(value.clone()))),
        Kind::OneOf(_)
        | Kind::Pattern(..)
        | Kind::Integer(..)
        | Kind::Text(..)
        | Kind::Boolean
        | Kind::Duration(..)
        | Kind::Hostname
        | Kind::Unit(_) => None,
    }
}

/// The texts of an argument's values, as they stand in the argument vector.
pub(super) type Texts = (ArgumentName, Vec<Vec<u8>>);

/// The texts of all values, and the demands in the same order. What is handed over has its numbers in that order, too, from
/// 3 on and without a gap.
pub(super) fn lay_out(given: &[Given<'_>]) -> (Vec<Texts>, Vec<Demand>) {
    let mut demands: Vec<Demand> = Vec::new();
    let mut number = FIRST;
    let mut text = |spec: &ArgumentSpec, value: &Value| {
        let demand = Demand::of(spec, value);
        let handle = demand.as_ref().and_then(|demand| demand.handle(number));
        number += usize::from(handle.is_some());
        demands.extend(demand);
        handle.unwrap_or_else(|| if spec.is_secret() { Vec::new() } else { value.as_bytes().to_vec() })
    };
    let texts = given
        .iter()
        .map(|Given { spec, values }| {
            (spec.name.clone(), values.iter().map(|value| text(spec, value)).collect())
        })
        .collect();
    (texts, demands)
}
