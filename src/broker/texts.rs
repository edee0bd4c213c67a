//! A policy's files in one piece of sealed memory, to be handed to who follows. Understands none of them.

use crate::files;
use crate::policy::Source;
use rustix::fs::fstat;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// Puts the files into sealed memory.
///
/// # Errors
/// Those of `memfd_create(2)` and `write(2)`.
pub(super) fn seal(sources: &[Source]) -> io::Result<OwnedFd> {
    let files: Vec<(&str, &str)> = sources.iter().map(|file| (&*file.name, &*file.text)).collect();
    let octets = postcard::to_stdvec(&files).map_err(io::Error::other)?;
    files::sealed("udsadmin-policy", &octets)
}

/// The files. Reads by position: others may read the same memory at the same time.
///
/// # Errors
/// Those of `pread(2)`; `InvalidData` where it holds no such files.
pub(super) fn unseal(memory: OwnedFd) -> io::Result<Vec<Source>> {
    let length = usize::try_from(fstat(&memory)?.st_size).map_err(io::Error::other)?;
    let mut octets = vec![0; length];
    File::from(memory).read_exact_at(&mut octets, 0)?;
    let files: Vec<(String, String)> = postcard::from_bytes(&octets)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was passed is no policy"))?;
    Ok(files.into_iter().map(|(name, text)| Source { name, text }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_read_by_everybody_and_written_by_nobody() {
        let sources = [("a.toml", "x".repeat(3 << 20)), ("b.toml", String::new())];
        let sources = sources.map(|(name, text)| Source { name: name.to_owned(), text });
        let memory = seal(&sources).unwrap();
        let file = File::from(memory.try_clone().unwrap());
        assert!(file.write_at(b"y", 20).is_err() && file.set_len(0).is_err());
        for _ in 0..2 {
            assert_eq!(unseal(memory.try_clone().unwrap()).unwrap(), sources);
        }
    }
}
