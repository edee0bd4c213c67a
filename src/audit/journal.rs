//! The trail in systemd's journal: its native protocol over a datagram socket, within a time limit. Buffers nothing.

use super::Event;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

/// Where journald listens (systemd's "Native Journal Protocol").
const SOCKET: &str = "/run/systemd/journal/socket";

/// How long one record may take before the trail counts as broken.
const LIMIT: Duration = Duration::from_secs(2);

/// `LOG_AUTHPRIV` of syslog(3), as a number: security messages not for everybody's eyes.
const FACILITY: &str = "10";

/// Fields that journald takes of one event; an event with more it drops whole, and says so to nobody
/// (`ENTRY_FIELD_COUNT_MAX`, 1024, of systemd's src/libsystemd/sd-journal/journal-importer.h).
const FIELDS_MAX: usize = 1024;

/// Fields that every event has besides its own.
const COMMON: usize = 6;

/// A trail that ends in journald.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    identifier: &'static str,
    socket: Mutex<Option<Arc<UnixDatagram>>>,
}

impl Journal {
    /// The machine's journal, for a program of this name.
    #[must_use]
    pub fn new(identifier: &'static str) -> Self {
        Self::at(SOCKET.into(), identifier)
    }

    /// A journal that listens elsewhere.
    #[must_use]
    pub fn at(path: PathBuf, identifier: &'static str) -> Self {
        Self { path, identifier, socket: Mutex::new(None) }
    }

    pub(super) async fn send(&self, event: &Event) -> io::Result<()> {
        if event.fields().len() + COMMON > FIELDS_MAX {
            return Err(io::Error::other("journald takes no event with so many fields"));
        }
        let datagram = encode(event, self.identifier);
        match timeout(LIMIT, self.deliver(&datagram)).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "journald takes nothing")),
        }
    }

    /// Sends; connects anew, once, where journald was restarted since the last event.
    async fn deliver(&self, datagram: &[u8]) -> io::Result<()> {
        if let Some(socket) = self.connected()
            && transmit(&socket, datagram).await.is_ok()
        {
            return Ok(());
        }
        let socket = Arc::new(UnixDatagram::unbound()?);
        socket.connect(&self.path)?;
        transmit(&socket, datagram).await?;
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
        Ok(())
    }

    fn connected(&self) -> Option<Arc<UnixDatagram>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn transmit(socket: &UnixDatagram, datagram: &[u8]) -> io::Result<()> {
    match socket.send(datagram).await {
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => transmit_sealed(socket, datagram).await,
        sent => sent.map(drop),
    }
}

/// What is too large for a datagram goes as a sealed file in memory.
async fn transmit_sealed(socket: &UnixDatagram, datagram: &[u8]) -> io::Result<()> {
    let memory = sealed(datagram)?;
    socket.async_io(Interest::WRITABLE, || pass(socket, &memory)).await
}

fn sealed(octets: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create("udsadmin-audit", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(octets)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

fn pass(socket: &UnixDatagram, memory: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let passed = [memory.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&passed));
    sendmsg(socket, &[IoSlice::new(&[])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn encode(event: &Event, identifier: &str) -> Vec<u8> {
    let kind = event.kind();
    let mut datagram = Vec::with_capacity(1024);
    let common: [(&str, &str); COMMON] = [
        ("MESSAGE", event.message()),
        ("MESSAGE_ID", kind.message_id()),
        ("PRIORITY", kind.priority()),
        ("SYSLOG_FACILITY", FACILITY),
        ("SYSLOG_IDENTIFIER", identifier),
        ("UDSADMIN_EVENT", kind.name()),
    ];
    for (name, value) in common {
        put(&mut datagram, name, value.as_bytes());
    }
    for (name, value) in event.fields() {
        put(&mut datagram, name, value);
    }
    datagram
}

/// Always by length, so that no value can end its field.
fn put(datagram: &mut Vec<u8>, name: &str, value: &[u8]) {
    datagram.extend_from_slice(name.as_bytes());
    datagram.push(b'\n');
    let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
    datagram.extend_from_slice(&length.to_le_bytes());
    datagram.extend_from_slice(value);
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Kind, Trail};
    use crate::request::Value;

    fn fields(mut datagram: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        while !datagram.is_empty() {
            let end = datagram.iter().position(|octet| *octet == b'\n').unwrap();
            let name = String::from_utf8(datagram[..end].to_vec()).unwrap();
            let length = u64::from_le_bytes(datagram[end + 1..end + 9].try_into().unwrap());
            let value = &datagram[end + 9..][..usize::try_from(length).unwrap()];
            all.push((name, value.to_vec()));
            datagram = &datagram[end + 10 + value.len()..];
        }
        all
    }

    #[test]
    fn a_value_with_a_newline_forges_no_field() {
        let value = Value::try_from("a\nUDSADMIN_DECISION=permit\n").unwrap();
        let event = Event::new(Kind::Denied, "x").arguments(&[("unit".parse().unwrap(), value.clone())]);
        let all = fields(&encode(&event, "test"));
        assert!(all.contains(&("UDSADMIN_ARG_UNIT".to_owned(), value.as_bytes().to_vec())));
        assert!(all.iter().all(|(name, _)| name != "UDSADMIN_DECISION"));
    }

    struct Journald {
        folder: PathBuf,
        socket: UnixDatagram,
    }

    impl Journald {
        fn start(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("udsadmin-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let socket = UnixDatagram::bind(folder.join("socket")).unwrap();
            Self { folder, socket }
        }

        fn trail(&self) -> Trail {
            Trail::Journal(Journal::at(self.folder.join("socket"), "test"))
        }

        fn restart(&mut self) {
            std::fs::remove_file(self.folder.join("socket")).unwrap();
            self.socket = UnixDatagram::bind(self.folder.join("socket")).unwrap();
        }

        async fn next(&self) -> Vec<(String, Vec<u8>)> {
            let mut room = vec![0; 65_536];
            let octets = self.socket.recv(&mut room).await.unwrap();
            fields(&room[..octets])
        }
    }

    impl Drop for Journald {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }

    #[tokio::test]
    async fn every_value_of_the_longest_request_leaves_an_event_that_journald_takes() {
        let journald = Journald::start("many");
        let values = vec![("unit".parse().unwrap(), Value::try_from("a").unwrap()); 4096];
        let event = Event::new(Kind::Started, "x").arguments(&values);
        let _recorded = journald.trail().record(&event).await.unwrap();
        let all = journald.next().await;
        assert!(all.len() < FIELDS_MAX / 2, "{}", all.len());
        assert!(all.contains(&("UDSADMIN_VALUES_MORE".to_owned(), b"3840".to_vec())));
    }

    #[tokio::test]
    async fn an_event_that_journald_would_drop_is_a_broken_trail() {
        let journald = Journald::start("too-many");
        let with =
            |fields: usize| (0..fields).fold(Event::new(Kind::Started, "x"), |event, _| event.field("A", 1));
        let most = FIELDS_MAX - COMMON;
        assert!(journald.trail().record(&with(most)).await.is_ok());
        assert!(journald.trail().record(&with(most + 1)).await.is_err());
        assert_eq!(journald.next().await.len(), FIELDS_MAX);
    }

    #[tokio::test]
    async fn a_restarted_journald_is_found_again() {
        let mut journald = Journald::start("restarted");
        let trail = journald.trail();
        for round in ["first", "second"] {
            let _recorded = trail.record(&Event::new(Kind::Started, round)).await.unwrap();
            assert!(journald.next().await.contains(&("MESSAGE".to_owned(), round.as_bytes().to_vec())));
            journald.restart();
        }
    }

    #[tokio::test]
    async fn a_journald_that_is_gone_or_takes_nothing_is_a_broken_trail() {
        let journald = Journald::start("full");
        let trail = journald.trail();
        let event = Event::new(Kind::Started, "x".repeat(60_000));
        tokio::time::pause();
        let mut taken = 0;
        while trail.record(&event).await.is_ok() {
            taken += 1;
            assert!(taken < 10_000, "a queue without an end");
        }
        assert!(taken > 0);
        drop(journald);
        assert!(trail.record(&event).await.is_err());
    }
}
