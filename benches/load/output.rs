//! The output of a job, from the job to the client's last octet, beside the same program on a bare socket. Counts no
//! transfer whose content was not told back exactly.

use crate::decode;
use crate::figure::{Figure, Round, Subject, Unit};
use crate::servers::{CAT, Udsadmin};
use crate::spread::number;
use crate::stand::Stand;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// MiB in each transfer.
const SIZE: usize = 64;

/// Octets that the client reads at once.
const BLOCK: usize = 256 * 1024;

/// How long a server may be silent in a transfer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The figure of this kind of content, `text` or `binary`.
///
/// # Errors
/// Those of a first transfer, whose content is compared and whose time is not taken.
pub(crate) fn figure<'a>(name: &'static str, stand: &Stand, servers: &'a Udsadmin) -> io::Result<Figure<'a>> {
    let file = stand.file(name);
    let content = if name == "text" { lines() } else { noise() };
    fs::write(&file, &content)?;
    let carried = compare(&servers.socket, name, &content)?;
    let growth = number(carried) / number(content.len());
    Ok(Figure {
        name,
        what: format!("{SIZE} MiB of {name} from a job to its client, as {growth:.2} times as many octets"),
        unit: Unit::Seconds,
        rate: Some("MiB"),
        subjects: vec![
            Subject::new("udsadmin", |_| timed(|block| ask(&servers.socket, name, block))),
            Subject::new("cat", move |_| timed(|block| cat(&file, block))),
        ],
    })
}

fn timed(transfer: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Round> {
    let mut block = vec![0; BLOCK];
    let begin = Instant::now();
    transfer(&mut block)?;
    let took = begin.elapsed();
    Ok(Round { values: vec![took.as_secs_f64()], clients: 1, done: SIZE, took })
}

/// Asks, and says that there will be no more: the server then closes after its final line.
fn request(socket: &Path, request: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    writeln!(stream, "{request}")?;
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}

/// Takes the whole reply and looks at its final line alone: the comparison has vouched for the rest.
fn ask(socket: &Path, name: &str, block: &mut [u8]) -> io::Result<()> {
    let mut stream = request(socket, name)?;
    let mut tail = Vec::new();
    loop {
        let octets = stream.read(block)?;
        let Some(read) = block.get(..octets).filter(|read| !read.is_empty()) else { break };
        tail.extend_from_slice(read.get(read.len().saturating_sub(256)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(256));
    }
    let last = tail.trim_ascii_end().rsplit(|octet| *octet == b'\n').next().unwrap_or_default();
    is_success(last)
}

fn is_success(last: &[u8]) -> io::Result<()> {
    if last.starts_with(b"200 exit code=0") && !last.windows(7).any(|part| part == b"output=") {
        return Ok(());
    }
    Err(io::Error::other(format!("a transfer ended with {}", last.escape_ascii())))
}

fn cat(file: &Path, block: &mut [u8]) -> io::Result<()> {
    let (mut ours, theirs) = UnixStream::pair()?;
    #[expect(clippy::disallowed_methods, reason = "what udsadmin's own way of passing on is held against")]
    let mut child = Command::new(CAT).arg(file).stdout(OwnedFd::from(theirs)).spawn()?;
    let mut size = 0;
    loop {
        match ours.read(block)? {
            0 => break,
            octets => size += octets,
        }
    }
    let status = child.wait()?;
    let whole = status.success() && size == SIZE << 20;
    whole.then_some(()).ok_or_else(|| io::Error::other(format!("{CAT}: {status}, {size} octets")))
}

/// Transfers once and compares what the reply tells with what the file holds; how many octets the reply took.
fn compare(socket: &Path, name: &str, content: &[u8]) -> io::Result<usize> {
    let mut reply = Vec::new();
    request(socket, name)?.read_to_end(&mut reply)?;
    let (told, last) = decode::stdout(&reply)
        .ok_or_else(|| io::Error::other("a reply that is none of udsadmin-protocol(7)"))?;
    is_success(last)?;
    if told != content {
        return Err(io::Error::other(format!("{name}: {} octets came of {}", told.len(), content.len())));
    }
    Ok(reply.len())
}

/// Lines like those of a log, 30 to 130 octets each.
fn lines() -> Vec<u8> {
    let mut text = Vec::with_capacity((SIZE << 20) + 256);
    let mut random = Random(1);
    while text.len() < SIZE << 20 {
        let [number, size, ..] = random.next();
        let words = "the quick brown fox jumps over the lazy dog, again; ".repeat(3);
        let words = words.get(..usize::from(size % 100)).unwrap_or_default();
        text.extend_from_slice(format!("12:00:{number:02} unit[{size}]: started {words}\n").as_bytes());
    }
    text.truncate(SIZE << 20);
    text
}

fn noise() -> Vec<u8> {
    let mut random = Random(1);
    (0..SIZE << 17).flat_map(|_| random.next()).collect()
}

/// xorshift64 (Marsaglia 2003): the same octets in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> [u8; 8] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()
    }
}
