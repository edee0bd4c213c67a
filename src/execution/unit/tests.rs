//! The names of units, and what systemd is told of a service.

use super::*;
