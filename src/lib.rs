//! udsadmin runs a fixed set of privileged operations for peers that the kernel names and one policy admits.
//!
//! The modules are floors: each imports only from those below it (`docs/architecture.md`).

pub mod accounts;
pub mod audit;
pub mod broker;
#[cfg(feature = "client")]
pub mod client;
pub mod execution;
pub mod files;
pub mod identity;
pub mod limits;
pub mod policy;
pub mod protocol;
pub mod request;
pub mod server;
pub mod session;
pub mod sys;
pub mod transport;
