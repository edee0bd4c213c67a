//! The properties of systemd units that a policy may set for a command. Refuses what it does not know, and what would break
//! the promises about a run.

mod network;
mod table;
mod value;

use super::super::language::{Key, Section, Shape};
use super::super::nearest::did_you_mean;
use super::super::reader::{Item, Reader};
use table::{KNOWN, REFUSED};
use toml::Spanned;
use toml::de::DeString;

/// A property of a unit, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name in unit files, and in a policy.
    pub name: &'static str,
    /// Its name on D-Bus.
    pub wire: &'static str,
    /// Its value, typed as D-Bus has it.
    pub setting: Setting,
}

/// A value of a property. The signature of each is that of org.freedesktop.systemd1(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `b`.
    Truth(bool),
    /// `s`.
    Text(String),
    /// `as`.
    Texts(Vec<String>),
    /// `t`: octets, a number of tasks, a weight or microseconds; the largest is no limit.
    Unsigned(u64),
    /// `i`.
    Signed(i32),
    /// `(bas)`: whether the list permits, and the list.
    Filter(bool, Vec<String>),
    /// `a(ss)`.
    Pairs(Vec<(String, String)>),
    /// `a(ssbt)`: source, destination, whether a missing source is passed over, flags of `mount(2)`.
    Binds(Vec<(String, String, bool, u64)>),
    /// `a(iayu)`: address families, addresses and lengths of prefixes.
    Networks(Vec<(i32, Vec<u8>, u32)>),
}

/// How a property is written, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Truth,
    /// A truth value or one of these words.
    TruthOr(&'static [&'static str]),
    Word(&'static [&'static str]),
    /// Absolute paths; `-` before one passes over a missing one, `+` is relative to the root of the unit.
    Paths,
    /// Names of directories below the one that the property is about.
    Directories,
    /// `/path:options`.
    Mounts,
    /// `source:destination:options`.
    Binds,
    Words,
    /// Words; a `~` before the first turns the list around.
    Filter,
    /// A truth value, or the kinds of namespaces.
    Namespaces,
    Octets,
    Tasks,
    Weight,
    Percent,
    Signed(i32, i32),
    /// `/dev/node rwm`.
    Devices,
    Networks,
    Slice,
}

/// A property that a policy may set.
struct Known {
    name: &'static str,
    page: &'static str,
    form: Form,
}

/// `unit` of a command.
pub(in crate::policy) const SECTION: Section =
    Section { of: "unit of a command", keys: &KEYS, needs: super::super::language::Needs::Nothing };

const KEYS: [Key; KNOWN.len()] = keys();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which has no iterators there")]
const fn keys() -> [Key; KNOWN.len()] {
    let mut keys = [const { Key { name: "", about: "", shape: Shape::Truth } }; KNOWN.len()];
    let mut at = 0;
    while at < KNOWN.len() {
        let Known { name, page, form } = KNOWN[at];
        keys[at] = Key { name, about: page, shape: form.shape() };
        at += 1;
    }
    keys
}

const TEXTS: Shape = Shape::Some(&Shape::Text);
const AMOUNT: Shape = Shape::Form("^([0-9]+[KMGTPE]?|infinity)$");

impl Form {
    /// The shape of its values; what can't be said so is for the reader to say.
    const fn shape(self) -> Shape {
        match self {
            Self::Truth => Shape::Truth,
            Self::TruthOr(_) => Shape::Either(&[Shape::Truth, Shape::Text]),
            Self::Word(words) => Shape::Word(words),
            Self::Paths
            | Self::Directories
            | Self::Mounts
            | Self::Binds
            | Self::Words
            | Self::Filter
            | Self::Devices
            | Self::Networks => TEXTS,
            Self::Namespaces => Shape::Either(&[Shape::Truth, TEXTS]),
            Self::Octets | Self::Tasks => Shape::Either(&[Shape::Integer(1, i64::MAX), AMOUNT]),
            Self::Weight => Shape::Integer(1, WEIGHT_MAX),
            Self::Percent => Shape::Form("^[0-9]+%$"),
            #[expect(clippy::as_conversions, reason = "From is not const")]
            Self::Signed(first, last) => Shape::Integer(first as i64, last as i64),
            Self::Slice => Shape::Form("^[A-Za-z0-9_-]+\\.slice$"),
        }
    }
}

/// The largest weight (systemd.resource-control(5), `CPUWeight=`).
const WEIGHT_MAX: i64 = 10_000;

impl Reader<'_> {
    /// Reads the table of properties, in the order of their names; `None` where one has an error.
    pub(super) fn properties(&mut self, item: &Item<'_>) -> Option<Vec<Property>> {
        let table = self.table(item)?;
        let properties: Vec<_> = table.iter().filter_map(|(name, item)| self.property(name, item)).collect();
        (properties.len() == table.len()).then_some(properties)
    }

    fn property(&mut self, name: &Spanned<DeString<'_>>, item: &Item<'_>) -> Option<Property> {
        let text: &str = name.get_ref();
        let Some(known) = KNOWN.iter().find(|known| known.name == text) else {
            self.error(&name.span(), &unknown(text));
            return None;
        };
        let setting = self.setting(known.form, item)?;
        Some(Property { name: known.name, wire: wire(known), setting })
    }
}

/// The name on D-Bus, where it is another one (systemd.resource-control(5) and org.freedesktop.systemd1(5)).
const fn wire(known: &Known) -> &'static str {
    if matches!(known.form, Form::Percent) { "CPUQuotaPerSecUSec" } else { known.name }
}

/// Why a property is none that a policy may set.
fn unknown(name: &str) -> String {
    let is_meant =
        |refused: &str| refused.strip_suffix('*').map_or(name == refused, |front| name.starts_with(front));
    let refused = REFUSED.iter().find(|(names, _)| names.iter().any(|refused| is_meant(refused)));
    if let Some((_, why)) = refused {
        return format!("property {name:?} is not the policy's to set: {why}");
    }
    let close = did_you_mean(name, KNOWN.iter().map(|known| known.name));
    let close = if close.is_empty() { "; config/policy.toml lists those that are" } else { &close };
    format!("{name:?} is no property of a unit that a policy may set{close}")
}

#[cfg(test)]
mod tests;
