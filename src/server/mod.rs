//! The two daemons: their sockets, their start and their end. Binds, owns and removes no socket.

pub mod accept;
pub mod activation;
pub mod broker;
pub mod clock;
pub mod daemon;
pub mod log;
pub mod make_way;
pub mod notify;
pub mod options;
pub mod policy;
mod rooms;
pub mod start;
