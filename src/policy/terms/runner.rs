//! What starts a command: the broker itself, or systemd on its behalf. Starts nothing.

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

/// Keys of a command, and the properties that set the same.
const SAME: [(&str, &str); 3] =
    [("memory-max", "MemoryMax"), ("tasks-max", "TasksMax"), ("cpu-max", "CPUQuota")];

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
        self.no_limit_twice(table, item);
        is_unit.and(properties).map(Runner::Unit)
    }

    fn no_limit_twice(&mut self, command: &DeTable<'_>, unit: &Item<'_>) {
        let properties = unit.get_ref().as_table();
        for (key, property) in SAME {
            let said = properties.and_then(|properties| properties.get(property));
            if let Some(said) = said.filter(|_| command.contains_key(key)) {
                self.error(
                    &said.span(),
                    &format!("{property} and {key} set the same; leave one of them out"),
                );
            }
        }
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
}
