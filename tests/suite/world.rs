//! Both daemons in a private folder, with a policy of the test's own. Leaves neither process nor file behind.

use crate::client::Client;
use crate::process::{Daemon, PATIENCE, command};
use command_fds::{CommandFdExt, FdMapping};
use nix::sys::stat::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use udsadmin::broker::{Order, Packets, Passing, Report, Version};
use udsadmin::execution::{JobId, Streams, Tail};

/// The program that plays both daemons.
pub(crate) const UDSADMIN: &str = env!("CARGO_BIN_EXE_udsadmin");

/// The policy of most tests. `USER` is the caller, `FOLDER` the private folder.
pub(crate) const POLICY: &str = include_str!("policy.toml");

/// A private folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let id = JobId::draw().unwrap();
        let path = std::env::temp_dir().join(format!("udsadmin-suite-{id}"));
        DirBuilder::new().mode(0o711).create(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let text = text.replace("USER", &user()).replace("FOLDER", self.0.to_str().unwrap());
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The caller's name.
pub(crate) fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().expect("the caller has a name").name
}

/// One of the two programs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Server,
    Broker,
}

impl Part {
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Server => ("server", "line"),
            Self::Broker => ("broker", "broker"),
        }
    }
}

/// A program that is given its socket the way systemd gives it.
pub(crate) fn activated(folder: &Folder, part: Part, socket: impl Into<OwnedFd>) -> Command {
    activated_by(command(UDSADMIN), folder, part, socket)
}

/// The same, of a command that ends in becoming `udsadmin` with the arguments that follow.
pub(crate) fn activated_by(
    mut started: Command,
    folder: &Folder,
    part: Part,
    socket: impl Into<OwnedFd>,
) -> Command {
    let (word, name) = part.words();
    started.args(["activated", word, "--", "--demo", "--policy"]).arg(folder.file("policy.toml"));
    match part {
        Part::Server => started.arg("--broker").arg(folder.file("broker.sock")),
        Part::Broker => {
            started.arg("--door").arg(folder.file("udsadmin.sock")).arg("--state").arg(folder.file("state"))
        }
    };
    started.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name).env("NOTIFY_SOCKET", folder.file("notify"));
    started.env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM");
    started.fd_mappings(vec![FdMapping { parent_fd: socket.into(), child_fd: 3 }]).unwrap();
    started
}

pub(crate) fn listen_for_packets(path: &Path) -> OwnedFd {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 64).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
    socket
}

/// Two connected ends.
pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

/// Says of the first run that it starts, as the broker does; it writes nothing.
pub(crate) async fn say_that_it_starts(packets: &Packets, job: JobId) {
    let (streams, _ends) = Streams::make(0).unwrap();
    let tail = Tail::new(0).unwrap();
    let report = Report::Starts { run: 1, job, passing: Passing::default() };
    let passed = [streams.stdout.as_fd(), streams.stderr.as_fd(), tail.as_fd()];
    packets.send(&report, &passed).await.unwrap();
}

/// Which policy is in force at the broker that listens there.
pub(crate) fn version_at(broker: &Path) -> Version {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let packets = Packets::connect(broker).unwrap();
            packets.send(&Order::Follow, &[]).await.unwrap();
            packets.receive().await.unwrap().expect("a report").value
        })
    };
    // In a thread of its own: the caller's may have a runtime already.
    let told = std::thread::scope(|scope| scope.spawn(ask).join().unwrap());
    let Report::InForce(standing) = told else { panic!("{told:?}") };
    standing.version
}

pub(crate) fn listen_for_lines(path: &Path) -> UnixListener {
    let listener = UnixListener::bind(path).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
    listener
}

/// The programs at work. They end in the order of the fields.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Option<Daemon>,
    pub(crate) broker: Option<Daemon>,
    pub(crate) line: UnixListener,
    packets: Option<OwnedFd>,
    notices: Notices,
    pub(crate) folder: Folder,
}

/// What the programs tell systemd, read as it comes: it would hold them up.
#[derive(Debug)]
struct Notices {
    ready: Receiver<()>,
    socket: UnixDatagram,
}

impl Notices {
    fn hear(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let (heard, (tell, ready)) = (socket.try_clone().unwrap(), channel());
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(octets @ 1..) = heard.recv(&mut message) {
                let is_ready = message[..octets].starts_with(b"READY=1");
                // A test that has ended hears nothing.
                if is_ready && tell.send(()).is_err() {
                    return;
                }
            }
        });
        Self { ready, socket }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.socket.shutdown(Shutdown::Read).unwrap();
    }
}

impl World {
    /// Both programs, with the policy of most tests.
    pub(crate) fn start() -> Self {
        Self::with(POLICY)
    }

    pub(crate) fn with(policy: &str) -> Self {
        Self::prepare(policy).started()
    }

    /// Both programs, for what was prepared.
    pub(crate) fn started(mut self) -> Self {
        self.start_broker();
        self.start_server();
        self
    }

    /// Nothing runs yet.
    pub(crate) fn prepare(policy: &str) -> Self {
        let folder = Folder::new();
        folder.write("policy.toml", policy);
        nix::unistd::mkfifo(&folder.file("gate"), Mode::from_bits_truncate(0o600)).unwrap();
        let notices = Notices::hear(&folder.file("notify"));
        let line = listen_for_lines(&folder.file("udsadmin.sock"));
        Self { server: None, broker: None, line, packets: None, notices, folder }
    }

    pub(crate) fn start_server(&mut self) {
        let socket = self.line.try_clone().unwrap();
        self.server = Some(Daemon::start(activated(&self.folder, Part::Server, socket)));
        self.await_ready();
    }

    /// Starts the broker; on the same listening socket where there was one before, as systemd does.
    pub(crate) fn start_broker(&mut self) {
        let make = || listen_for_packets(&self.folder.file("broker.sock"));
        let socket = self.packets.get_or_insert_with(make).try_clone().unwrap();
        self.broker = Some(Daemon::start(activated(&self.folder, Part::Broker, socket)));
        self.await_ready();
    }

    fn await_ready(&self) {
        self.notices.ready.recv_timeout(PATIENCE).expect("the program is ready in time");
    }

    pub(crate) fn server(&self) -> &Daemon {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn broker(&self) -> &Daemon {
        self.broker.as_ref().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.folder.file("udsadmin.sock"))
    }

    /// The lock of the command `gate`, which says `ready` and then waits for it.
    pub(crate) fn gate(&self) -> Gate {
        Gate(File::options().read(true).write(true).open(self.folder.file("gate")).unwrap())
    }
}

/// The lock of the command `gate`. Opens when dropped, so that no job outlives its test.
#[derive(Debug)]
pub(crate) struct Gate(File);

impl Gate {
    pub(crate) fn open(&mut self) {
        self.0.write_all(b"open\n").unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
