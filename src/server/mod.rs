//! Stub.
pub mod accept;
pub mod activation;
pub mod log;
pub mod notify;
