//! The end of a job's output, in a file in memory that both programs hold. Has room for so much, and forgets what came before.

use crate::protocol::reply::Kind;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// The most that is added at once: what is just being overwritten is never more than that.
pub const BLOCK: usize = 64 * 1024;

/// [`BLOCK`], as a length of a file.
const MARGIN: u64 = 64 * 1024;

/// The counts of both streams, 8 octets each, before their rings.
const HEADER: u64 = 16;

/// The end of both streams of a job. Each stream has one writer at a time; anybody who holds the file may read.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// Octets of each ring.
    ring: u64,
}

/// Some of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Octets before it that are not kept.
    pub left_out: u64,
    /// What is kept from there on.
    pub octets: Vec<u8>,
}

impl Tail {
    /// Room for the last `kept` octets of each stream.
    ///
    /// # Errors
    /// Those of `memfd_create(2)`.
    pub fn new(kept: u64) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(memfd_create("udsadmin-tail", flags)?);
        let ring = kept.saturating_add(MARGIN);
        file.set_len(ring.saturating_mul(2).saturating_add(HEADER))?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW)?;
        Ok(Self { file, ring })
    }

    /// The one that somebody else has made.
    ///
    /// # Errors
    /// Those of `fstat(2)`; `InvalidData` for a file that is none.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let size = u64::try_from(fstat(&descriptor)?.st_size).unwrap_or(0);
        let ring = size.saturating_sub(HEADER) / 2;
        if ring < MARGIN {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self { file: descriptor.into(), ring })
    }

    /// Adds at most [`BLOCK`] octets to the end of a stream.
    ///
    /// # Errors
    /// Those of `pwrite(2)`.
    pub fn push(&self, kind: Kind, octets: &[u8]) -> io::Result<()> {
        let written = self.written(kind)?;
        let at = written.checked_rem(self.ring).unwrap_or(0);
        let room = usize::try_from(self.ring - at).unwrap_or(usize::MAX);
        let (first, second) = octets.split_at_checked(room).unwrap_or((octets, &[]));
        self.file.write_all_at(first, self.start(kind) + at)?;
        self.file.write_all_at(second, self.start(kind))?;
        let written = written.wrapping_add(u64::try_from(octets.len()).unwrap_or(0));
        self.file.write_all_at(&written.to_ne_bytes(), count(kind))
    }

    /// All that a stream came to so far, in octets.
    ///
    /// # Errors
    /// Those of `pread(2)`.
    pub fn written(&self, kind: Kind) -> io::Result<u64> {
        let mut octets = [0; 8];
        self.file.read_exact_at(&mut octets, count(kind))?;
        Ok(u64::from_ne_bytes(octets))
    }

    /// At most [`BLOCK`] octets of a stream from this one on, and which one comes after them. While somebody writes, what may
    /// be overwritten is left out.
    ///
    /// # Errors
    /// Those of `pread(2)`.
    pub fn read(&self, kind: Kind, from: u64) -> io::Result<(Piece, u64)> {
        let kept = self.ring - MARGIN;
        let written = self.written(kind)?;
        let first = from.clamp(written.saturating_sub(kept), written);
        let octets = self.copy(kind, first, (written - first).min(MARGIN))?;
        let next = first + u64::try_from(octets.len()).unwrap_or(0);
        let safe = self.written(kind)?.saturating_sub(kept).min(next);
        let torn = usize::try_from(safe.saturating_sub(first)).unwrap_or(usize::MAX);
        let octets = octets.get(torn..).unwrap_or_default().to_vec();
        Ok((Piece { left_out: first.max(safe).saturating_sub(from), octets }, next))
    }

    fn copy(&self, kind: Kind, from: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; usize::try_from(length).unwrap_or(0)];
        let at = from.checked_rem(self.ring).unwrap_or(0);
        let room = usize::try_from(self.ring - at).unwrap_or(usize::MAX).min(octets.len());
        let (first, second) = octets.split_at_mut(room);
        self.file.read_exact_at(first, self.start(kind) + at)?;
        self.file.read_exact_at(second, self.start(kind))?;
        Ok(octets)
    }

    /// Where the ring of a stream begins.
    const fn start(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Stdout => HEADER,
            Kind::Stderr => HEADER + self.ring,
        }
    }
}

impl AsFd for Tail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Where the count of a stream stands.
const fn count(kind: Kind) -> u64 {
    match kind {
        Kind::Stdout => 0,
        Kind::Stderr => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(tail: &Tail, kind: Kind, mut from: u64) -> (u64, Vec<u8>) {
        let (mut left_out, mut all) = (0, Vec::new());
        loop {
            let (piece, next) = tail.read(kind, from).unwrap();
            left_out += piece.left_out;
            all.extend(&piece.octets);
            if next == from || piece.octets.is_empty() {
                return (left_out, all);
            }
            from = next;
        }
    }

    #[test]
    fn a_stream_that_fits_is_kept_whole_and_apart_from_the_other() {
        let tail = Tail::new(10).unwrap();
        tail.push(Kind::Stdout, b"abc").unwrap();
        tail.push(Kind::Stderr, b"xyz").unwrap();
        tail.push(Kind::Stdout, b"defg").unwrap();
        let held = Tail::from_descriptor(tail.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(all(&held, Kind::Stdout, 0), (0, b"abcdefg".to_vec()));
        assert_eq!(all(&held, Kind::Stdout, 5), (0, b"fg".to_vec()));
        assert_eq!(all(&held, Kind::Stderr, 0), (0, b"xyz".to_vec()));
    }

    #[test]
    fn of_a_longer_stream_the_end_is_kept_and_the_rest_counted() {
        let tail = Tail::new(100_000).unwrap();
        let stream: Vec<u8> =
            (0..1_000_000_u32).map(|n| n.to_le_bytes()[usize::try_from(n % 3).unwrap()]).collect();
        for block in stream.chunks(BLOCK) {
            tail.push(Kind::Stderr, block).unwrap();
        }
        assert_eq!(all(&tail, Kind::Stderr, 0), (900_000, stream[900_000..].to_vec()));
        assert_eq!(all(&tail, Kind::Stderr, 950_000), (0, stream[950_000..].to_vec()));
        assert_eq!(all(&tail, Kind::Stderr, 2_000_000), (0, Vec::new()));
        assert_eq!(tail.written(Kind::Stderr).unwrap(), 1_000_000);
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_to_be() {
        let tail = Tail::new(0).unwrap();
        tail.push(Kind::Stdout, b"abc").unwrap();
        assert_eq!(all(&tail, Kind::Stdout, 0), (3, Vec::new()));
    }

    #[test]
    fn a_file_that_is_none_and_a_count_that_lies_do_no_harm() {
        let short = File::from(memfd_create("short", MemfdFlags::CLOEXEC).unwrap());
        assert!(Tail::from_descriptor(short.into()).is_err());
        let tail = Tail::new(10).unwrap();
        tail.file.write_all_at(&u64::MAX.to_ne_bytes(), 0).unwrap();
        tail.push(Kind::Stdout, b"abc").unwrap();
        assert!(tail.read(Kind::Stdout, 0).is_ok());
        assert!(tail.read(Kind::Stdout, u64::MAX).is_ok());
    }
}
