//! udsadmin runs a fixed set of privileged operations for peers that the kernel names and one policy admits.
//!
//! The modules are floors: each imports only from those below it (`docs/architecture.md`).

pub mod accounts;
#[cfg(feature = "client")]
pub mod client;
pub mod files;
pub mod identity;
pub mod policy;
pub mod request;
