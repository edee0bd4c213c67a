//! A file in memory with a secret in it: read by whoever is handed it, written by nobody, and overwritten when its time is over.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::{NonNull, null_mut};
use zeroize::Zeroize;

/// The file. Dropped, its octets are zero for everybody who still has it.
#[derive(Debug)]
pub struct Sealed {
    descriptor: OwnedFd,
    /// The one way to change it, from before it was sealed.
    _octets: Mapping,
}

impl Sealed {
    /// A file with these octets, of which there is at least one. The name is for whoever looks into /proc.
    ///
    /// # Errors
    /// Those of `memfd_create(2)`, `write(2)`, `mmap(2)` and `F_ADD_SEALS` (fcntl(2)); `InvalidInput` where there are none.
    pub fn new(name: &str, octets: &[u8]) -> io::Result<Self> {
        let length = NonZeroUsize::new(octets.len()).ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.set_len(u64::try_from(length.get()).map_err(io::Error::other)?)?;
        let mapped = Mapping::of(&file, length)?;
        file.write_all(octets)?;
        io::Seek::rewind(&mut file)?;
        let fixed = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE;
        fcntl_add_seals(&file, fixed)?;
        Ok(Self { descriptor: file.into(), _octets: mapped })
    }

    /// The same file once more, for the program: they share where they read.
    ///
    /// # Errors
    /// Those of `fcntl(2)`.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }
}

/// A file's octets, shared with everybody who has it.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

// SAFETY: a `Mapping` owns its pages and is not bound to a thread.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference nothing can be read or written; only `drop` does that, and it is exclusive.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, length: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the place, where nothing else of ours is.
        let start = unsafe { mmap(null_mut(), length.get(), access, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let length = self.length.get();
        // SAFETY: `length` octets are mapped there, writable; the file can't shrink below them once it is sealed, and before
        // that nobody else has it. There is no other reference into them, and other processes can't write.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), length) }.zeroize();
        // SAFETY: these pages are this value's own, and nobody uses them after it.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), length) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours could not be undone: {unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_sealed_file_is_read_by_everybody_written_by_nobody_and_zero_in_the_end() {
        let sealed = Sealed::new("test", b"hunter2").unwrap();
        let file = File::from(sealed.descriptor().unwrap());
        assert_eq!(io::read_to_string(&file).unwrap(), "hunter2");
        assert!(file.write_at(b"y", 0).is_err() && file.set_len(0).is_err() && file.set_len(9).is_err());
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let reopened = File::options().read(true).write(true).open(&path);
        assert!(reopened.and_then(|file| file.write_at(b"y", 0)).is_err());
        // SAFETY: no place is given; it is only to fail.
        let again = unsafe { mmap(null_mut(), 7, ProtFlags::WRITE, MapFlags::SHARED, &file, 0) };
        assert!(again.is_err() && fcntl_add_seals(&file, SealFlags::WRITE).is_err());
        drop(sealed);
        let mut left = [1; 8];
        assert_eq!((file.read_at(&mut left, 0).unwrap(), &left[..7]), (7, &[0; 7][..]));
    }
}
