//! The seam between the two programs: orders and descriptors one way, reports the other. The side with the privilege
//! believes nothing that comes over it about who asks.

mod client;
mod door;
mod packets;
mod quota;
mod run;
mod service;
mod wire;

pub use client::{Connection, OpenError};
pub use door::{Doors, Foreign};
pub use packets::{Packet, Packets, accept};
pub use quota::Quotas;
pub use run::{order_places, places};
pub use service::Service;
pub use wire::{NotRun, Order, Report};
