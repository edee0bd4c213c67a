//! The system calls that no crate wraps, and the one place with `unsafe`. Decides nothing.
#![expect(unsafe_code, reason = "the one module that may; each block argues its safety")]

mod activation;
#[cfg(test)]
mod lease;
mod sealed;
mod socket;
mod spawn;
mod users;
mod watch;

pub use activation::{NotPassed, Passed, take_passed_sockets};
#[cfg(test)]
pub use lease::take_lease;
pub use sealed::Sealed;
pub use socket::{peer_groups, peer_label, socket_file};
pub use spawn::{
    Capabilities, Child, Confinement, Credentials, Held, Launch, Limit, Manner, NotStarted, READY, Step,
    TOLD, become_here, errno, hold, is_mere_fork, verdict,
};
pub use users::listed_users;
pub use watch::watch;
