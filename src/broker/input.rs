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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sealed;
    use crate::sys::take_lease;

    #[test]
    fn nobodys_lease_on_an_input_holds_the_broker_up() {
        let file = sealed("input", b"some").unwrap();
        let passed =
            open(format!("/proc/self/fd/{}", file.as_raw_fd()), OFlags::RDONLY, Mode::empty()).unwrap();
        take_lease(&passed).unwrap();
        let error = stdin(Some(passed)).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_input_is_read_from_its_beginning_wherever_the_server_stands_in_it_and_reading_waits() {
        let passed = sealed("input", b"some").unwrap();
        rustix::fs::seek(&passed, rustix::fs::SeekFrom::Start(2)).unwrap();
        let input = stdin(Some(passed)).unwrap();
        assert_eq!(input.read().unwrap(), b"some");
        assert_eq!(input.octets, Some(4));
        assert!(!rustix::fs::fcntl_getfl(&input.file).unwrap().contains(OFlags::NONBLOCK));
    }
}
