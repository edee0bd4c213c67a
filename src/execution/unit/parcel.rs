//! What the broker gives to the process of a unit, on its standard input: what to become, with which descriptors, and a line on
//! which to say why not. systemd carries it unopened.

use crate::files::sealed;
use crate::sys::Manner;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Seek};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The form of a parcel. A broker and the file of its program may be of two versions, in the middle of an upgrade.
const FORM: u8 = 1;

/// The name of the file in memory that the text is in.
const NAME: &str = "udsadmin-unit";

/// Descriptors of one parcel at most: the line, the text, the three streams, and what a program is handed (`SCM_MAX_FD`, unix(7)).
const DESCRIPTORS_MAX: usize = 64;

/// What to become.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Text {
    /// Absolute path of the program.
    program: Vec<u8>,
    /// Arguments, the program's own name first.
    pub(super) argv: Vec<Vec<u8>>,
    /// The whole environment.
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// As whom, where, and within which bounds.
    pub(super) manner: Manner,
}

impl Text {
    pub(super) fn new(
        program: &Path,
        argv: Vec<Vec<u8>>,
        environment: &[(OsString, OsString)],
        manner: Manner,
    ) -> Self {
        let octets =
            |(name, value): &(OsString, OsString)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let environment = environment.iter().map(octets).collect();
        Self { program: program.as_os_str().as_bytes().to_vec(), argv, environment, manner }
    }

    pub(super) fn program(&self) -> PathBuf {
        OsString::from_vec(self.program.clone()).into()
    }

    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let own = |octets: &Vec<u8>| OsString::from_vec(octets.clone());
        self.environment.iter().map(|(name, value)| (own(name), own(value))).collect()
    }
}

/// What to become, and with what.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) text: Text,
    /// Closed without a word when the process has become the program.
    pub(super) line: OwnedFd,
    /// Descriptors 0, 1 and 2.
    pub(super) stdio: [OwnedFd; 3],
    /// Descriptors from 3 on.
    pub(super) handed: Vec<OwnedFd>,
}

impl Parcel {
    /// Posts it; gives what systemd is to make the standard input of the process.
    ///
    /// # Errors
    /// Those of sockets and of files in memory.
    pub(super) fn post(&self) -> io::Result<OwnedFd> {
        let text = sealed(NAME, &postcard::to_stdvec(&self.text).map_err(io::Error::other)?)?;
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let all: Vec<BorrowedFd<'_>> =
            [&self.line, &text].into_iter().chain(&self.stdio).chain(&self.handed).map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut along = SendAncillaryBuffer::new(&mut space);
        if !along.push(SendAncillaryMessage::ScmRights(&all)) {
            return Err(ErrorKind::InvalidInput.into());
        }
        sendmsg(&ours, &[IoSlice::new(&[FORM])], &mut along, SendFlags::NOSIGNAL)?;
        Ok(theirs)
    }

    /// Takes what was posted.
    ///
    /// # Errors
    /// It is no parcel, or one of another form.
    pub(super) fn take(from: BorrowedFd<'_>) -> io::Result<Self> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let mut form = [0];
        recvmsg(
            from,
            &mut [IoSliceMut::new(&mut form)],
            &mut along,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        )?;
        let mut all = along.drain().flat_map(|part| match part {
            RecvAncillaryMessage::ScmRights(list) => list.collect::<Vec<_>>(),
            RecvAncillaryMessage::ScmCredentials(_) | _ => Vec::new(),
        });
        let mut next = || all.next().filter(|_| form == [FORM]).ok_or(ErrorKind::InvalidData);
        let (line, text, stdio) = (next()?, next()?, [next()?, next()?, next()?]);
        Ok(Self { text: read(text.into())?, line, stdio, handed: all.collect() })
    }
}

fn read(mut file: File) -> io::Result<Text> {
    let mut octets = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut octets)?;
    postcard::from_bytes(&octets).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_parcel_arrives_as_it_was_posted_with_every_descriptor_in_its_place() {
        let text = || {
            let argv = vec![b"a".to_vec(), vec![0xff], vec![b'x'; 1 << 20]];
            Text::new(Path::new("/bin/a"), argv, &[("A".into(), "$B %h".into())], Manner::default())
        };
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            let (reader, writer) = io::pipe().unwrap();
            readers.push(reader);
            writers.push(OwnedFd::from(writer));
        }
        let mut next = || writers.remove(0);
        let parcel = Parcel {
            text: text(),
            line: next(),
            stdio: [next(), next(), next()],
            handed: vec![next(), next()],
        };
        let carried = parcel.post().unwrap();
        drop(parcel);
        let Parcel { text: arrived, line, stdio, handed } = Parcel::take(carried.as_fd()).unwrap();
        assert_eq!(arrived, text());
        let all = std::iter::once(line).chain(stdio).chain(handed);
        for (number, writer) in all.enumerate() {
            write!(File::from(writer), "{number}").unwrap();
        }
        for (number, mut reader) in readers.into_iter().enumerate() {
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            assert_eq!(read, number.to_string());
        }
    }

    #[test]
    fn what_is_no_parcel_is_not_taken() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::send(&ours, &[FORM], SendFlags::NOSIGNAL).unwrap();
        assert_eq!(Parcel::take(theirs.as_fd()).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(Parcel::take(theirs.as_fd()).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(Parcel::take(File::open("/dev/null").unwrap().as_fd()).is_err());
    }
}
