//! Whose a new process is and what it may do by that: ids, groups, capabilities. Gives exactly what is asked for, or fails.

use super::step::{At, NotStarted, Step};
use super::{Manner, called};
use serde::{Deserialize, Serialize};
use std::ffi::{c_int, c_ulong};
use std::io;

/// The ids that the program gets, all three of each kind (`setresuid(2)`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// The capabilities that the program gets, each a bit (linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Those that it begins with and its children inherit: permitted, effective, inheritable and ambient alike. `None` is what
    /// root has by its id.
    pub ambient: Option<u64>,
    /// Those that no program can give it more than; `None` leaves what this process is bound by.
    pub bounding: Option<u64>,
}

/// The bits of a set, by number.
const BITS: u64 = 64;

/// What of the ids and the capabilities is to be taken, in the one order that works: the bounding set while there is the
/// right to shrink it, groups before the group before the user, and capabilities kept over that until they are cut to what
/// is asked for. The old ones are gone for good when this returns.
pub(super) fn take(manner: &Manner) -> Result<(), NotStarted> {
    if manner.credentials.is_some() {
        clear_secure_bits().at(Step::SecureBits)?;
    }
    if let Some(bounding) = manner.capabilities.bounding {
        bind(bounding).at(Step::Bounding)?;
    }
    if let Some(credentials) = &manner.credentials {
        prctl(libc::PR_SET_KEEPCAPS, 1).at(Step::User)?;
        become_user(credentials)?;
        // Its user could otherwise look into the memory that it is a copy of (`fs.suid_dumpable`, proc_sys_fs(5)).
        prctl(libc::PR_SET_DUMPABLE, 0).at(Step::User)?;
    }
    keep(manner.capabilities.ambient).at(Step::Capabilities)?;
    prctl(libc::PR_SET_KEEPCAPS, 0).at(Step::Capabilities).map(drop)
}

fn become_user(credentials: &Credentials) -> Result<(), NotStarted> {
    let Credentials { uid, gid, groups } = credentials;
    // SAFETY: a list of gid_t (u32) of that length, read by the kernel during the call.
    called(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }.into()).at(Step::Groups)?;
    // SAFETY: numbers, no memory.
    called(unsafe { libc::setresgid(*gid, *gid, *gid) }.into()).at(Step::Group)?;
    // SAFETY: numbers, no memory.
    called(unsafe { libc::setresuid(*uid, *uid, *uid) }.into()).at(Step::User).map(drop)
}

/// Root is root by its id again, whatever this process was started with (`SECBIT_NOROOT` and the like, capabilities(7)).
fn clear_secure_bits() -> io::Result<()> {
    if prctl(libc::PR_GET_SECUREBITS, 0)? != 0 {
        prctl(libc::PR_SET_SECUREBITS, 0)?;
    }
    Ok(())
}

/// Drops all but these from the bounding set. One that is not in it any more can't be left to anybody (`EPERM`), one that
/// the kernel does not know neither (`EINVAL`).
fn bind(kept: u64) -> io::Result<()> {
    for number in 0..BITS {
        let is_kept = kept >> number & 1 == 1;
        match (prctl(libc::PR_CAPBSET_READ, number), is_kept) {
            (Err(error), true) => return Err(error),
            (Ok(0), true) => return Err(io::Error::from_raw_os_error(libc::EPERM)),
            (Ok(1), false) => drop(prctl(libc::PR_CAPBSET_DROP, number)?),
            (Ok(_), _) | (Err(_), false) => {}
        }
    }
    Ok(())
}

/// Has exactly these capabilities, or those of root's id and none to inherit.
fn keep(ambient: Option<u64>) -> io::Result<()> {
    let [mut low, mut high] = held()?;
    if let Some((first, second)) = ambient.map(halves) {
        (low, high) = (Half::all(first), Half::all(second));
    } else {
        (low.inheritable, high.inheritable) = (0, 0);
    }
    prctl_ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    hold([low, high])?;
    for number in (0..BITS).filter(|number| ambient.unwrap_or(0) >> number & 1 == 1) {
        prctl_ambient(libc::PR_CAP_AMBIENT_RAISE, number)?;
    }
    Ok(())
}

/// `struct __user_cap_header_struct` (linux/capability.h).
#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

impl Header {
    /// `_LINUX_CAPABILITY_VERSION_3`, and this process.
    const fn new() -> Self {
        Self { version: 0x2008_0522, pid: 0 }
    }
}

/// `struct __user_cap_data_struct` (linux/capability.h): 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Half {
    const fn all(set: u32) -> Self {
        Self { effective: set, permitted: set, inheritable: set }
    }
}

/// The first 32 of a set, and the others.
fn halves(set: u64) -> (u32, u32) {
    let half = |set: u64| u32::try_from(set & u64::from(u32::MAX)).unwrap_or(0);
    (half(set), half(set >> 32))
}

fn held() -> io::Result<[Half; 2]> {
    let (mut header, mut halves) = (Header::new(), [Half::all(0); 2]);
    // SAFETY: a header and the two halves that its version has, both alive during the call.
    called(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) })?;
    Ok(halves)
}

fn hold(halves: [Half; 2]) -> io::Result<()> {
    let mut header = Header::new();
    // SAFETY: as in `held`; the kernel reads the halves.
    called(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) }).map(drop)
}

/// A `prctl(2)` of one number.
fn prctl(option: c_int, number: u64) -> io::Result<c_int> {
    let none: c_ulong = 0;
    // SAFETY: none of the options used here takes an address.
    let status = unsafe { libc::prctl(option, number, none, none, none) };
    called(status.into()).map(|_| status)
}

fn prctl_ambient(what: c_int, number: u64) -> io::Result<()> {
    let (what, none): (c_ulong, c_ulong) = (what.unsigned_abs().into(), 0);
    // SAFETY: numbers, no memory.
    called(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, what, number, none, none) }.into()).map(drop)
}

/// No program gives this process more privileges from here on.
pub(super) fn forgo_new_privileges() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}
