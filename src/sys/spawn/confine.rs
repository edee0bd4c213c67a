//! Namespaces of a new process: its own mounts, and its own network. What happens in them comes to light nowhere else.

use super::called;
use super::step::{At, NotStarted, Step};
use crate::policy::EXCEPT_MAX;
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString, c_uint, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a program sees less of than other processes of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// A /tmp and a /var/tmp of its own, empty.
    pub private_tmp: bool,
    /// Everything read-only but these directories and a private /tmp; at most [`EXCEPT_MAX`] of them.
    pub read_only: Option<Vec<PathBuf>>,
    /// No network but a loopback interface of its own.
    pub no_network: bool,
}

/// The same, laid out before the fork.
pub(super) struct Walls {
    private_tmp: bool,
    read_only: Option<Vec<CString>>,
    no_network: bool,
}

impl Walls {
    pub(super) fn of(confinement: &Confinement) -> io::Result<Self> {
        let path = |path: &PathBuf| CString::new(path.as_os_str().as_bytes());
        let writable = |paths: &Vec<PathBuf>| paths.iter().map(path).collect::<Result<Vec<_>, _>>();
        let read_only = confinement.read_only.as_ref().map(writable).transpose()?;
        if read_only.as_ref().is_some_and(|paths| paths.len() > EXCEPT_MAX) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { private_tmp: confinement.private_tmp, read_only, no_network: confinement.no_network })
    }

    /// Goes behind the walls. Mounts are private before any is changed, writable directories are taken aside as they are
    /// before all is read-only, and put back on the very directories that were looked at.
    pub(super) fn enter(&self) -> Result<(), NotStarted> {
        let own_mounts = self.private_tmp || self.read_only.is_some();
        self.unshare(own_mounts).at(Step::Namespaces)?;
        if own_mounts {
            mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE).at(Step::Namespaces)?;
        }
        if let Some(writable) = &self.read_only {
            make_read_only(writable)?;
        }
        if self.private_tmp {
            mount_tmp(c"/tmp").and_then(|()| mount_tmp(c"/var/tmp")).at(Step::PrivateTmp)?;
        }
        if self.no_network { raise_loopback().at(Step::Network) } else { Ok(()) }
    }

    fn unshare(&self, own_mounts: bool) -> io::Result<()> {
        let mounts = if own_mounts { libc::CLONE_NEWNS } else { 0 };
        let network = if self.no_network { libc::CLONE_NEWNET } else { 0 };
        // SAFETY: numbers, no memory; this process has one thread.
        called(unsafe { libc::unshare(mounts | network) }.into()).map(drop)
    }
}

/// A mount, or a change of one where there is no data.
fn mount(source: &CStr, target: &CStr, data: Option<&CStr>, flags: c_ulong) -> io::Result<()> {
    let data = data.map_or(std::ptr::null(), |data| data.as_ptr().cast());
    // SAFETY: NUL-terminated text, alive during the call; the type is read only for a new mount.
    let status = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), source.as_ptr(), flags, data) };
    called(status.into()).map(drop)
}

/// So much fits into each: what a job leaves there is memory until it ends.
const TMP: &CStr = c"mode=1777,size=256m,nr_inodes=65536";

fn mount_tmp(path: &CStr) -> io::Result<()> {
    mount(c"tmpfs", path, Some(TMP), libc::MS_NOSUID | libc::MS_NODEV)
}

/// A directory that stays writable: where it is, and what is to be mounted there.
struct Aside {
    place: OwnedFd,
    tree: OwnedFd,
}

fn make_read_only(writable: &[CString]) -> Result<(), NotStarted> {
    let mut kept: [Option<Aside>; EXCEPT_MAX] = [const { None }; EXCEPT_MAX];
    for (slot, path) in kept.iter_mut().zip(writable) {
        *slot = Some(aside(path).at(Step::Except)?);
    }
    seal().at(Step::ReadOnly)?;
    kept.iter().flatten().try_for_each(put_back).at(Step::Except)
}

/// `struct open_how` (linux/openat2.h).
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// The directory, through no symbolic link, and a copy of the mounts from it down, as writable as they are.
fn aside(path: &CStr) -> io::Result<Aside> {
    /// `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_SYMLINKS` (linux/openat2.h).
    const NO_LINKS: u64 = 0x02 | 0x04;
    /// `OPEN_TREE_CLONE` and `OPEN_TREE_CLOEXEC` (linux/mount.h; the second is `O_CLOEXEC`).
    const CLONE: c_uint = 1 | libc::O_CLOEXEC.unsigned_abs();
    let flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC).unsigned_abs().into();
    let how = How { flags, mode: 0, resolve: NO_LINKS };
    // SAFETY: a NUL-terminated path and a structure of that size, both alive during the call.
    let place = owned(unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of::<How>())
    })?;
    let flags = CLONE | (libc::AT_RECURSIVE | libc::AT_EMPTY_PATH).unsigned_abs();
    // SAFETY: an empty NUL-terminated path; no memory is written.
    let tree = owned(unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) })?;
    Ok(Aside { place, tree })
}

fn put_back(kept: &Aside) -> io::Result<()> {
    /// `MOVE_MOUNT_F_EMPTY_PATH` and `MOVE_MOUNT_T_EMPTY_PATH` (linux/mount.h).
    const BOTH_OPEN: c_uint = 0x04 | 0x40;
    let (tree, place, none) = (kept.tree.as_raw_fd(), kept.place.as_raw_fd(), c"".as_ptr());
    // SAFETY: empty NUL-terminated paths; no memory is written.
    called(unsafe { libc::syscall(libc::SYS_move_mount, tree, none, place, none, BOTH_OPEN) }).map(drop)
}

/// `struct mount_attr` (linux/mount.h).
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Makes every mount read-only.
fn seal() -> io::Result<()> {
    /// `MOUNT_ATTR_RDONLY` (linux/mount.h).
    const READ_ONLY: u64 = 1;
    let attributes = MountAttributes { set: READ_ONLY, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: a NUL-terminated path and a structure of that size, both alive during the call.
    let status = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    called(status).map(drop)
}

/// `struct ifreq` with flags (netdevice(7)).
#[repr(C)]
struct InterfaceFlags {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    rest: [u8; 22],
}

/// Brings up the loopback interface, which has its addresses by that.
fn raise_loopback() -> io::Result<()> {
    /// `IFF_UP` (linux/if.h).
    const UP: i16 = 1;
    // SAFETY: numbers, no memory.
    let socket =
        owned(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into())?;
    let mut request = InterfaceFlags { name: [0; libc::IFNAMSIZ], flags: UP, rest: [0; 22] };
    for (place, octet) in request.name.iter_mut().zip(b"lo") {
        *place = *octet;
    }
    // SAFETY: a `struct ifreq` of the kernel's size, alive during the call, which reads it.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    called(status.into()).map(drop)
}

/// The descriptor that a system call made.
fn owned(status: libc::c_long) -> io::Result<OwnedFd> {
    let number = called(status)?;
    let number = RawFd::try_from(number).map_err(|_| io::Error::from_raw_os_error(libc::EMFILE))?;
    // SAFETY: the kernel just gave it, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
