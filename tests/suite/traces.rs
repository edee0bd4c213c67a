//! What both programs keep of a secret once they have answered: nothing, however it came. Looks into their whole memory.

use crate::process::{Daemon, command, is_root};
use crate::world::World;
use memchr::memmem::Finder;
use rustix::process::Pid;
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use udsadmin::execution::JobId;

/// The commands of these tests. `USER` is the caller, `FOLDER` the private folder.
const POLICY: &str = include_str!("traces.toml");

/// How often a secret says its word. What a freed piece of memory is used for next may hide some of them, and not all.
const TIMES: usize = 24;

/// Octets read at once.
const BLOCK: usize = 1 << 20;

/// A word that nobody else has.
fn new_word() -> String {
    format!("p{}", JobId::draw().unwrap())
}

fn world() -> World {
    let world = World::prepare(POLICY);
    let mut install = command("install");
    install.args(["-m", "755", "/dev/null"]).arg(world.folder.file("program"));
    assert!(install.status().unwrap().success());
    world.started()
}

fn memory_of(pid: Pid) -> io::Result<File> {
    File::open(format!("/proc/{}/mem", pid.as_raw_nonzero()))
}

/// The mappings that a process may write to: where its values are.
fn writable(pid: Pid) -> Vec<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero())).unwrap();
    let range = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let bounds = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        rest.starts_with("rw").then_some(bounds)
    };
    maps.lines().filter_map(range).collect()
}

/// How often the word is in the memory of the process.
fn found(daemon: &Daemon, word: &str) -> usize {
    let (memory, finder) = (memory_of(daemon.pid()).unwrap(), Finder::new(word));
    let mut block = vec![0; BLOCK];
    let mut count = 0;
    for (start, end) in writable(daemon.pid()) {
        let mut at = start;
        while at < end {
            let room = usize::try_from(end - at).unwrap().min(BLOCK);
            let Ok(octets @ 1..) = memory.read_at(&mut block[..room], at) else { break };
            count += finder.find_iter(&block[..octets]).count();
            at += u64::try_from(octets).unwrap();
        }
    }
    count
}

/// Every way for a secret to come that is thought of here: well or badly. A client may shut its side after it.
fn requests(word: &str) -> Vec<Vec<u8>> {
    let value = [word; TIMES].join("-");
    let escaped: String =
        value.bytes().flat_map(|octet| format!("\\x{octet:02x}").into_bytes()).map(char::from).collect();
    let filler = "x ".repeat(5000);
    [
        format!("keep {value}\n"),
        format!("keep pw={value}\n"),
        format!("keep \"{value}\"\nkeep '{value}'\n"),
        format!("keep \"{escaped}\"\n"),
        format!("feed {value}\n"),
        format!("feed {value} <3\nabc"),
        format!("gone {value}\n"),
        format!("forbidden {value}\n"),
        format!("keep {value} {value}\n"),
        format!("keep {value}{value}\n"),
        format!("keep {word}.{word}={word}\n"),
        format!("why keep {value}\n"),
        format!("ping {word}\ncancel {value}\nreload confirm={word}\n"),
        format!("unknown {value} {word}.{word}={word} {word}=\"{value}\"\n"),
        format!("{{\"run\":\"keep\",\"args\":{{\"pw\":\"{value}\"}}}}\n"),
        format!("ping\n{{\"run\":\"keep\",\"args\":{{\"pw\":\"{value}\"}}}}\n"),
        format!("keep \"{value}\n"),
        format!("keep '{value}'{value}\n"),
        format!("keep {value}\\\n"),
        format!("keep \"\\x00{value}\"\n"),
        format!("keep {value}"),
        format!("keep {value}{filler}{value}\n"),
        format!("keep {value}{filler}{value}"),
        format!("run \"{value}\"\nhelp {word}\nhello 1 mode={word}\n"),
        format!("GET /{value} HTTP/1.1\n"),
    ]
    .map(String::into_bytes)
    .into()
}

/// Sends a request in two pieces, or in one, and waits until the server has said everything. What comes next over the seam comes
/// behind all that there was to do for it.
fn send(world: &World, request: &[u8], cut: usize) {
    let mut client = world.client();
    client.send(&request[..cut]);
    if cut > 0 {
        // Answered by the server when it has read the first piece, though it is on another connection.
        assert_eq!(world.client().ask("ping").code(), 200);
    }
    // A server that has turned the client away reads no more.
    drop(io::Write::write_all(&mut client.stream, &request[cut..]));
    drop(client.stream.shutdown(std::net::Shutdown::Write));
    client.rest();
}

#[test]
fn no_secret_is_in_the_memory_of_either_program_once_it_has_answered() {
    if !is_root() {
        return;
    }
    let world = world();
    for daemon in [world.server(), world.broker()] {
        assert!(found(daemon, "Waits for the test to open the gate") > 0, "the search finds nothing at all");
    }
    let mut left = Vec::new();
    for (case, is_cut) in (0..requests("").len()).flat_map(|case| [(case, false), (case, true)]) {
        let secret = new_word();
        let request = requests(&secret).swap_remove(case);
        send(&world, &request, if is_cut { request.len() / 2 } else { 0 });
        assert_eq!(world.client().ask("keep other").code(), 200);
        let counts = [world.server(), world.broker()].map(|daemon| found(daemon, &secret));
        if counts != [0, 0] {
            left.push((counts, is_cut, String::from_utf8_lossy(&request).replace(&secret, "W")));
        }
    }
    assert!(left.is_empty(), "so often in the server, so often in the broker: {left:#?}");
}

#[test]
fn a_secret_is_overwritten_when_its_command_has_ended_though_another_process_has_it_open() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("wait four\n");
    let pid = String::from_utf8(client.line().unwrap()).unwrap().replace("| ", "");
    let held = File::options().read(true).write(true).open(format!("/proc/{pid}/fd/3")).unwrap();
    let mut octets = [1; 4];
    assert_eq!((held.read_at(&mut octets, 0).unwrap(), &octets), (4, b"four"));
    assert!(held.write_at(b"x", 0).is_err());
    gate.open();
    assert_eq!(client.answer().code(), 200);
    assert_eq!((held.read_at(&mut octets, 0).unwrap(), &octets), (4, &[0; 4]));
}

#[test]
fn no_other_process_of_the_same_user_reads_the_memory_of_either_program() {
    if is_root() {
        // Neither the programs nor this thread may look at every process: what is left is what any user may.
        remove_capability_from_bounding_set(CapabilitySet::SYS_PTRACE).unwrap();
    }
    let world = world();
    let mut sleeper = command("sleep").arg("120").spawn().unwrap();
    let mut mine = capabilities(None).unwrap();
    mine.effective.remove(CapabilitySet::SYS_PTRACE);
    set_capabilities(None, mine).unwrap();
    let of_another = memory_of(Pid::from_child(&sleeper)).map(drop);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    of_another.expect("what is not protected is read");
    for daemon in [world.server(), world.broker()] {
        assert_eq!(memory_of(daemon.pid()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
