//! The standard input of a run. Reads none of it, and hands on nothing that anybody can still write.

use rustix::fs::{Mode, OFlags, SealFlags, fcntl_get_seals, fcntl_setfl, fstat, open};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// What a run reads.
pub(super) struct Stdin {
    pub(super) file: OwnedFd,
    /// Its length, where it is the client's.
    pub(super) octets: Option<usize>,
}

impl Stdin {
    /// What the client gives, whole.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; self.octets.unwrap_or(0)];
        File::from(self.file.try_clone()?).read_exact_at(&mut octets, 0)?;
        Ok(octets)
    }
}

/// What a run reads: the file in memory that was passed, which must be sealed; `/dev/null` where none was.
pub(super) fn stdin(passed: Option<OwnedFd>) -> io::Result<Stdin> {
    let Some(passed) = passed else {
        return Ok(Stdin { file: File::open("/dev/null")?.into(), octets: None });
    };
    let sealed = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    if !fcntl_get_seals(&passed).is_ok_and(|seals| seals.contains(sealed)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a passed input is no sealed file in memory",
        ));
    }
    // A description of its own, to be read from its beginning: that of the passed one is the server's, too.
    // Nor does the server's lease on it (fcntl(2)) hold us up.
    let path = format!("/proc/self/fd/{}", passed.as_raw_fd());
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    fcntl_setfl(&file, OFlags::empty())?;
    let octets = usize::try_from(fstat(&file)?.st_size).map_err(io::Error::other)?;
    Ok(Stdin { file, octets: Some(octets) })
}
