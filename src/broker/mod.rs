//! The seam between the two programs: orders and descriptors one way, reports the other. The side with the privilege
//! believes nothing that comes over it about who asks.

mod ask_jobs;
mod bounds;
mod changes;
mod client;
mod door;
mod draft;
mod drain;
mod finish;
mod follow;
mod force;
mod input;
mod jobs;
mod ledger;
mod packets;
mod quota;
mod record;
mod reload;
mod run;
mod service;
mod stop;
mod store;
mod texts;
mod tokens;
mod units;
mod uptime;
mod wire;
mod wish;

pub use changes::Told;
pub use client::{Connection, OpenError};
pub use door::{Doors, Foreign};
pub use draft::Unfit;
pub use follow::{AnyNames, Followed};
pub use force::{InForce, Refused, Standing, State, Version};
pub use jobs::Jobs;
pub use packets::{FORM, Packet, Packets, accept};
pub use quota::Quotas;
pub use record::in_force;
pub use reload::{By, Check, Fresh, Policies, Read, Setup};
pub use run::{order_places, places};
pub use service::Service;
pub use store::{PREFIX as STORED, Store};
pub use tokens::Tokens;
pub use units::Units;
pub use uptime::Uptime;
pub use wire::{Answer, NotRun, Order, Passing, Report, Row};
