//! What starts a command: the broker itself, or systemd on its behalf. Starts nothing.

use super::super::kind::{ArgumentSpec, Kind, Pass};
use super::super::reader::{Item, Reader};
use super::property::Property;
use toml::de::DeTable;

/// What starts a command, and keeps watch over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runner {
    /// The broker: a child of its own, which ends with it.
    #[default]
    Direct,
    /// systemd: a transient service with these properties, which outlives the broker.
    Unit(Vec<Property>),
}

impl Runner {
    /// How a policy calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Unit(_) => "unit",
        }
    }
}

impl Reader<'_> {
    /// Reads `runner` and `unit` of a command.
    pub(super) fn runner(&mut self, table: &DeTable<'_>) -> Option<Runner> {
        let is_unit = table.get("runner").map_or(Some(false), |item| self.is_unit(item));
        let Some(item) = table.get("unit") else {
            return is_unit.map(|is_unit| if is_unit { Runner::Unit(Vec::new()) } else { Runner::Direct });
        };
        let properties = self.properties(item);
        if is_unit == Some(false) {
            self.error(&item.span(), "unit has the properties of a unit; they need runner = \"unit\"");
            return None;
        }
        is_unit.and(properties).map(Runner::Unit)
    }

    fn is_unit(&mut self, item: &Item<'_>) -> Option<bool> {
        let word = self.word(item)?;
        match &*word.text {
            "unit" => Some(true),
            "direct" => Some(false),
            other => {
                self.error(&word.span, &format!("{other:?} is no runner; \"direct\" or \"unit\""));
                None
            }
        }
    }

    /// Notes every argument that a unit can't be given: systemd hands on no descriptors but three.
    pub(in crate::policy) fn fits_runner(&mut self, runner: &Runner, arguments: &[ArgumentSpec]) {
        for spec in arguments.iter().filter(|_| *runner != Runner::Direct) {
            let (is_handed, mend) = match &spec.kind {
                Kind::Path(paths) => (paths.handed, "pass = \"path\""),
                Kind::Secret(_, pass) => (*pass == Pass::Memory, "pass = \"stdin\""),
                Kind::OneOf(_)
                | Kind::Pattern(..)
                | Kind::Integer(..)
                | Kind::Text(..)
                | Kind::Boolean
                | Kind::Duration(..)
                | Kind::Hostname
                | Kind::Unit(_)
                | Kind::User(_)
                | Kind::Group => (false, ""),
            };
            if is_handed {
                let name = spec.name.as_str();
                self.error_at(
                    spec,
                    &format!("argument {name:?} comes as a descriptor, which runner = \"unit\" can't hand on; {mend} can be"),
                );
            }
        }
    }
}
