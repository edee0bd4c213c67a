//! The servers: udsadmin's two programs as they are installed, started the way systemd starts them, and the echo servers
//! that they are held against.

use crate::part::{ACTIVATED, STD_ECHO, TOKIO_ECHO};
use crate::stand::{Launch, Program, Stand};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use udsadmin::accounts;
use udsadmin::identity::Uid;
use udsadmin::policy::Source;

/// Both programs of udsadmin at work.
#[derive(Debug)]
pub(crate) struct Udsadmin {
    /// udsadmind. It ends before the broker.
    pub(crate) server: Program,
    /// udsadmin-broker.
    pub(crate) broker: Program,
    /// Where clients connect.
    pub(crate) socket: PathBuf,
    /// How long udsadmind took until it was ready.
    pub(crate) server_took: Duration,
    /// How long udsadmin-broker took.
    pub(crate) broker_took: Duration,
}

impl Udsadmin {
    /// Starts both.
    ///
    /// # Errors
    /// Those of starting them.
    pub(crate) fn start(stand: &Stand) -> io::Result<Self> {
        Self::start_with(stand, &[])
    }

    /// Starts both, with these files beside the policy.
    ///
    /// # Errors
    /// Those of starting them.
    pub(crate) fn start_with(stand: &Stand, beside: &[Source]) -> io::Result<Self> {
        let room = stand.room()?;
        let (policy, socket, orders) =
            (room.join("policy.toml"), room.join("udsadmin.sock"), room.join("broker.sock"));
        write(&policy, &policy_text(stand)?)?;
        fs::DirBuilder::new().mode(0o700).create(policy.with_extension("d"))?;
        beside.iter().try_for_each(|source| write(&room.join(&source.name), &source.text))?;
        let (packets, lines) = (listen_for_packets(&orders)?, UnixListener::bind(&socket)?);
        let (broker, broker_took) = stand.start(Launch {
            words: activated(env!("CARGO_BIN_EXE_udsadmin-broker"), &policy, ["--door", &text(&socket)]),
            notify: &room.join("broker-notify"),
            listener: packets,
            passed_as: Some("broker"),
        })?;
        let (server, server_took) = stand.start(Launch {
            words: activated(env!("CARGO_BIN_EXE_udsadmind"), &policy, ["--broker", &text(&orders)]),
            notify: &room.join("server-notify"),
            listener: lines.into(),
            passed_as: Some("line"),
        })?;
        Ok(Self { server, broker, socket, server_took, broker_took })
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn activated(program: &str, policy: &Path, option: [&str; 2]) -> Vec<String> {
    let options = ["--demo", "--policy", &text(policy)].map(str::to_owned);
    [ACTIVATED, program]
        .map(str::to_owned)
        .into_iter()
        .chain(options)
        .chain(option.map(str::to_owned))
        .collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn listen_for_packets(path: &Path) -> io::Result<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

/// An echo server: every line comes back as it is.
#[derive(Debug)]
pub(crate) struct Echo {
    /// Its process.
    pub(crate) program: Program,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    /// How long it took until it was ready.
    pub(crate) took: Duration,
}

impl Echo {
    /// Starts the one of std's threads.
    ///
    /// # Errors
    /// Those of starting it.
    pub(crate) fn in_threads(stand: &Stand) -> io::Result<Self> {
        Self::start(stand, STD_ECHO)
    }

    /// Starts the one of tokio's event loop.
    ///
    /// # Errors
    /// Those of starting it.
    pub(crate) fn on_one_loop(stand: &Stand) -> io::Result<Self> {
        Self::start(stand, TOKIO_ECHO)
    }

    fn start(stand: &Stand, part: &str) -> io::Result<Self> {
        let room = stand.room()?;
        let (socket, notify) = (room.join("echo.sock"), room.join("notify"));
        let (program, took) = stand.start(Launch {
            words: vec![part.to_owned(), text(&notify)],
            notify: &notify,
            listener: UnixListener::bind(&socket)?.into(),
            passed_as: None,
        })?;
        Ok(Self { program, socket, took })
    }
}

/// What a job runs, and what it runs beside: nothing, and a file on standard output.
pub(crate) const TRUE: &str = "/usr/bin/true";
/// The second of them.
pub(crate) const CAT: &str = "/usr/bin/cat";

/// The policy: the calling user alone, and what the figures ask for.
fn policy_text(stand: &Stand) -> io::Result<String> {
    let uid = Uid::new(geteuid().as_raw()).map_err(io::Error::other)?;
    let user = accounts::user_name(uid);
    let mut text = format!("[allow]\nusers = [{user:?}]\n[[builtins.reload.allow]]\nusers = [{user:?}]\n");
    let command = |name: &str, exec: &[&str]| {
        format!(
            "\n[commands.{name}]\nsummary = \"For the load generator\"\nexec = {exec:?}\nrun-as = {user:?}\n\
             [[commands.{name}.allow]]\nusers = [{user:?}]\n"
        )
    };
    text.push_str(&command("nothing", &[TRUE]));
    for name in ["text", "binary"] {
        text.push_str(&command(name, &[CAT, &stand.file(name).display().to_string()]));
    }
    Ok(text)
}
