//! `udsadmin demo`: both programs, a policy for the calling user, a socket to try. Needs neither root nor systemd, whose
//! part it plays, and leaves nothing behind.

use super::demo_session::show;
use crate::accounts;
use crate::identity::Uid;
use command_fds::{CommandFdExt, FdMapping};
use listenfd::ListenFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

/// How long both programs may take to be ready.
const STARTING: Duration = Duration::from_secs(20);

/// What it can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// End after the short session, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

/// Runs the demonstration.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match Demo::start().and_then(|demo| demo.present(arguments.once)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell.
            drop(writeln!(io::stderr(), "udsadmin demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder, and everything in it; removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let id = crate::execution::JobId::draw()?;
        let path = std::env::temp_dir().join(format!("udsadmin-demo-{id}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writable for its owner alone, whatever the umask: the programs believe no other policy.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(self.file(name))?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{}: {error}", self.0.display());
        }
    }
}

/// A program under way; told to end, and awaited, when dropped.
#[derive(Debug)]
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = kill_process(Pid::from_child(&self.0), Signal::TERM) {
            tracing::debug!("a program had ended by itself: {error}");
        }
        // A program that has been waited for already has ended.
        drop(self.0.wait());
    }
}

/// Both programs at work. They end before their folder goes.
#[derive(Debug)]
struct Demo {
    programs: [Program; 2],
    socket: PathBuf,
    _folder: Folder,
}

impl Demo {
    fn start() -> io::Result<Self> {
        let folder = Folder::make()?;
        folder.write("policy.toml", &policy()?)?;
        let ready = UnixDatagram::bind(folder.file("notify"))?;
        ready.set_read_timeout(Some(STARTING))?;
        let broker = listen_for_packets(&folder.file("broker.sock"))?;
        let line = line_socket(&folder)?;
        let socket = path_of(&line)?;
        let programs = [
            start(&folder, "broker", ("broker", broker), ("--door", &socket))?,
            start(&folder, "server", ("line", line.into()), ("--broker", &folder.file("broker.sock")))?,
        ];
        let mut demo = Self { programs, socket, _folder: folder };
        demo.await_both(&ready)?;
        Ok(demo)
    }

    /// Waits until both have said that they are ready (`sd_notify(3)`).
    fn await_both(&mut self, ready: &UnixDatagram) -> io::Result<()> {
        let mut seen = 0;
        while seen < self.programs.len() {
            let mut message = [0; 512];
            let octets = ready
                .recv(&mut message)
                .map_err(|_| io::Error::other("a program did not start; see above"))?;
            if message.get(..octets).unwrap_or_default().starts_with(b"READY=1") {
                seen += 1;
            }
        }
        Ok(())
    }

    fn present(self, once: bool) -> io::Result<()> {
        let signals = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _context = signals.enter();
        let told_to_end = crate::server::start::told_to_end()?;
        show(&self.socket, &mut io::stdout())?;
        if !once {
            invite(&self.socket)?;
            signals.block_on(told_to_end);
        }
        Ok(())
    }
}

fn invite(socket: &Path) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\nTry it yourself, in another terminal:\n")?;
    for request in ["help", "restart nginx.service", "count 3"] {
        writeln!(out, "  echo '{request}' | socat - UNIX-CONNECT:{}", socket.display())?;
    }
    writeln!(out, "\nServing until Ctrl-C; the audit trail follows.")?;
    out.flush()
}

fn listen_for_packets(path: &Path) -> io::Result<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

/// The socket that clients connect to: the one that systemfd or systemd-socket-activate passed, if one did, or our own.
fn line_socket(folder: &Folder) -> io::Result<UnixListener> {
    match ListenFd::from_env().take_unix_listener(0)? {
        Some(passed) => Ok(passed),
        None => UnixListener::bind(folder.file("udsadmin.sock")),
    }
}

fn path_of(socket: &UnixListener) -> io::Result<PathBuf> {
    let address = socket.local_addr()?;
    address.as_pathname().map(Path::to_owned).ok_or_else(|| io::Error::other("the passed socket has no file"))
}

/// Starts one program with its socket as descriptor 3, named as systemd names it.
fn start(
    folder: &Folder,
    program: &str,
    (name, socket): (&str, OwnedFd),
    (option, file): (&str, &Path),
) -> io::Result<Program> {
    #[expect(clippy::disallowed_methods, reason = "starts this same program, which plays both parts")]
    let mut command = Command::new("/proc/self/exe");
    command.args(["activated", program, "--", "--demo", "--policy"]).arg(folder.file("policy.toml"));
    command.arg(option).arg(file);
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name).env("NOTIFY_SOCKET", folder.file("notify"));
    command.env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM");
    command.fd_mappings(vec![FdMapping { parent_fd: socket, child_fd: 3 }]).map_err(io::Error::other)?;
    Ok(Program(command.spawn()?))
}

fn policy() -> io::Result<String> {
    let uid = Uid::new(geteuid().as_raw()).map_err(io::Error::other)?;
    let name = accounts::user_name(uid);
    if name == uid.to_string() {
        return Err(io::Error::other(format!(
            "uid {uid} has no name in the user database, so no policy can name it"
        )));
    }
    Ok(POLICY.replace("USER", &name.escape_default().to_string()))
}

/// The demonstration's policy. Nothing in it changes anything.
const POLICY: &str = r#"# Who may connect at all.
[allow]
users = ["USER"]

[commands.restart]
summary = "Pretend to restart a web service"
exec = ["/bin/echo", "restarting", "{unit}"]
args = [{ name = "unit", one-of = ["nginx.service", "php-fpm.service"] }]
run-as = "USER"
timeout = "30s"
[[commands.restart.allow]]
users = ["USER"]

[commands.count]
summary = "List that many numbers"
exec = ["/usr/bin/seq", "{to}"]
args = [{ name = "to", integer = { min = 1, max = 100 }, default = "10" }]
run-as = "USER"
[[commands.count.allow]]
users = ["USER"]

[commands.environment]
summary = "Show what a command runs with"
exec = ["/usr/bin/env"]
run-as = "USER"
[[commands.environment.allow]]
users = ["USER"]
"#;
