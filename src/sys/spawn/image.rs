//! What `execve(2)` takes, laid out before the fork. Searches no path, and hands nothing to a shell.

use super::Launch;
use std::ffi::{CString, OsString, c_char};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// A program with its arguments and its environment.
pub(super) struct Image {
    program: CString,
    argv: Words,
    environment: Words,
}

/// Words, and the list of their addresses that ends with a null.
struct Words {
    addresses: Vec<*const c_char>,
    _words: Vec<CString>,
}

// SAFETY: the addresses are of heap memory that `_words` owns and nobody changes; a `Words` may be dropped and read anywhere.
unsafe impl Send for Words {}
// SAFETY: as above; there is no way to change it.
unsafe impl Sync for Words {}

impl Words {
    fn new(words: impl Iterator<Item = Vec<u8>>) -> io::Result<Self> {
        let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let addresses = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { addresses, _words: words })
    }
}

impl Image {
    pub(super) fn of(launch: &Launch) -> io::Result<Self> {
        let assignment =
            |(name, value): &(OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
        Ok(Self {
            program: CString::new(launch.program.as_os_str().as_bytes())?,
            argv: Words::new(launch.argv.iter().cloned())?,
            environment: Words::new(launch.environment.iter().map(assignment))?,
        })
    }

    /// Becomes the program: the kernel's own call, since `execvp(3)` hands to a shell what is no program. Returns only why not.
    pub(super) fn execute(&self) -> io::Error {
        let (argv, environment) = (self.argv.addresses.as_ptr(), self.environment.addresses.as_ptr());
        // SAFETY: all three are NUL-terminated text and null-terminated lists of it, alive in `self`.
        unsafe { libc::execve(self.program.as_ptr(), argv, environment) };
        io::Error::last_os_error()
    }
}
