//! The standard input of a run. Reads none of it, and hands on nothing that anybody can still write.

use rustix::fs::{Mode, OFlags, SealFlags, fcntl_get_seals, open};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// What a run reads: the file in memory that was passed, which must be sealed; `/dev/null` where none was.
pub(super) fn stdin(passed: Option<OwnedFd>) -> io::Result<OwnedFd> {
    let Some(passed) = passed else { return Ok(File::open("/dev/null")?.into()) };
    let sealed = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    if !fcntl_get_seals(&passed).is_ok_and(|seals| seals.contains(sealed)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a passed input is no sealed file in memory",
        ));
    }
    // A description of its own, to be read from its beginning: that of the passed one is the server's, too.
    let path = format!("/proc/self/fd/{}", passed.as_raw_fd());
    Ok(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}
