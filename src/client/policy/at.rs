//! `--at`: the moment that a question is about. Looks at no clock.

use crate::accounts::Database;
use crate::policy::moment;
use std::str::FromStr;
use std::time::SystemTime;

/// A moment: `2026-11-23 12:00 Europe/Berlin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) SystemTime);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        moment(text, &Database).map(Self)
    }
}
