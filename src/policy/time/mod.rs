//! Times as a policy names them: moments, and windows of time by the clock on a wall. Looks at no clock itself.

mod moment;
mod weekday;
mod window;

pub use moment::moment;
pub(super) use window::{During, Window, listed};
