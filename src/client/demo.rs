//! `udsadmin demo`: both programs, a policy for the calling user, a socket to try. Needs neither root nor systemd, whose
//! part it plays, and leaves nothing behind.

use super::demo_session::{OURS, Script, YOURS, show};
use super::demo_trail::Trail;
use crate::accounts;
use crate::identity::Uid;
use crate::sys;
use command_fds::{CommandFdExt, FdMapping};
use listenfd::ListenFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process, pidfd_open};
use std::fmt::Display;
use std::fs;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// How long both programs may take to be ready.
const STARTING: Duration = Duration::from_secs(20);

/// The socket that clients connect to, in the folder: the longest of the names there.
const SOCKET: &str = "udsadmin.sock";

/// What it can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// End after the short session, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Serve this policy instead of the demonstration's, to try it before it is installed. What it permits you really runs, as
    /// far as your own rights go: as root, all of it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Arguments {
    /// The text of the policy, and what is shown of it.
    fn policy(&self) -> io::Result<(String, &'static Script)> {
        let Some(path) = &self.policy else { return Ok((policy()?, &OURS)) };
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        Ok((text, &YOURS))
    }
}

/// Runs the demonstration.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(demonstrate(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed standard output has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell.
            drop(writeln!(io::stderr(), "udsadmin demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(arguments: &Arguments) -> io::Result<()> {
    // First, so that there is nothing yet that a signal could leave behind.
    let told_to_end = told_to_end()?;
    let (policy, script) = arguments.policy()?;
    let mut demo = Demo::start(&policy)?;
    let folder = demo.folder.0.clone();
    let outcome = tokio::select! {
        biased;
        () = told_to_end => Ok(()),
        () = nobody_reads() => Err(ErrorKind::BrokenPipe.into()),
        outcome = demo.present(script, arguments.once) => outcome,
    };
    drop(demo);
    outcome?;
    if folder.exists() {
        return Err(io::Error::other(format!("{} could not be removed", folder.display())));
    }
    // A terminal that was closed is no failure.
    drop(writeln!(io::stdout(), "\nended; nothing is left behind"));
    Ok(())
}

/// Resolves at Ctrl-C and the like, or when the terminal is closed.
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let kinds = [SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.into_iter().map(signal).collect::<io::Result<Vec<_>>>()?;
    Ok(poll_fn(move |context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    }))
}

/// Resolves when standard output is a pipe that nobody reads any more.
async fn nobody_reads() {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    match stdout.and_then(|stdout| sys::watch(stdout, Interest::ERROR)) {
        Ok(stdout) => drop(stdout.ready(Interest::ERROR).await),
        // A file, which can't be waited for.
        Err(_) => pending().await,
    }
}

/// The folder, and everything in it; removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let id = crate::execution::JobId::draw()?;
        let parent = std::env::temp_dir();
        let path = parent.join(format!("udsadmin-demo-{id}"));
        let unfit = |why: &dyn Display| {
            let why = format!("no folder can be made in {}: {why}; TMPDIR chooses another", parent.display());
            io::Error::other(why)
        };
        SocketAddr::from_pathname(path.join(SOCKET))
            .map_err(|_| unfit(&"the path of a socket in it is too long"))?;
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| unfit(&error))?;
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

impl Program {
    /// Its end, which nobody wanted.
    async fn end(&self) -> io::Result<()> {
        let process = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty())?;
        drop(sys::watch(process, Interest::READABLE)?.readable().await?);
        Err(io::Error::other("a program ended by itself; see above"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = kill_process(Pid::from_child(&self.0), Signal::TERM) {
            tracing::debug!("a program had ended by itself: {error}");
        }
        // A program that has been waited for already has ended.
        drop(self.0.wait());
    }
}

/// Both programs at work. They end before their last words are passed on, and before their folder goes.
#[derive(Debug)]
struct Demo {
    programs: [Program; 2],
    trail: Trail,
    notices: UnixDatagram,
    socket: PathBuf,
    folder: Folder,
}

impl Demo {
    fn start(policy: &str) -> io::Result<Self> {
        let folder = Folder::make()?;
        folder.write("policy.toml", policy)?;
        let notices = UnixDatagram::bind(folder.file("notify"))?;
        let broker = listen_for_packets(&folder.file("broker.sock"))?;
        let line = line_socket(&folder)?;
        let socket = path_of(&line)?;
        let (held, written) = io::pipe()?;
        let trail = Trail::hold(held);
        let programs = [
            start(program(&folder, "broker", ("--door", &socket)), ("broker", broker), &written)?,
            start(
                program(&folder, "server", ("--broker", &folder.file("broker.sock"))),
                ("line", line.into()),
                &written,
            )?,
        ];
        Ok(Self { programs, trail, notices, socket, folder })
    }

    /// Shows the session and then, unless that is to be all, serves.
    async fn present(&mut self, script: &Script, once: bool) -> io::Result<()> {
        let Self { programs: [first, second], trail, notices, socket, .. } = self;
        let shown = async {
            timeout(STARTING, await_both(notices)).await??;
            show(socket, script.session, &mut io::stdout())?;
            if once {
                return writeln!(io::stdout(), "\nWhat is on record of it:\n");
            }
            invite(socket, script.to_try)?;
            trail.follow();
            loop {
                notice(notices).await?;
            }
        };
        tokio::select! {
            biased;
            ended = first.end() => ended,
            ended = second.end() => ended,
            outcome = shown => outcome,
        }
    }
}

/// Waits until both have said that they are ready (`sd_notify(3)`).
async fn await_both(notices: &UnixDatagram) -> io::Result<()> {
    let mut ready = 0;
    while ready < 2 {
        ready += usize::from(notice(notices).await?);
    }
    Ok(())
}

/// Takes a notice of one of the programs, which would wait for it to be taken; whether that one is ready.
async fn notice(notices: &UnixDatagram) -> io::Result<bool> {
    let mut message = [0; 512];
    let octets = notices.recv(&mut message).await?;
    Ok(message.get(..octets).unwrap_or_default().starts_with(b"READY=1"))
}

fn invite(socket: &Path, to_try: &[&str]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\nTry it yourself, in another terminal:\n")?;
    for request in to_try {
        writeln!(out, "  echo '{request}' | socat - UNIX-CONNECT:{}", socket.display())?;
    }
    writeln!(out, "\nServing until Ctrl-C; what is on record so far, and what comes, follows.\n")?;
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
        None => UnixListener::bind(folder.file(SOCKET)),
    }
}

fn path_of(socket: &UnixListener) -> io::Result<PathBuf> {
    let address = socket.local_addr()?;
    address.as_pathname().map(Path::to_owned).ok_or_else(|| io::Error::other("the passed socket has no file"))
}

/// One of the programs, to be started. Signals of the terminal don't reach it: its end is left to us.
fn program(folder: &Folder, program: &str, (option, file): (&str, &Path)) -> Command {
    #[expect(clippy::disallowed_methods, reason = "starts this same program, which plays both parts")]
    let mut command = Command::new("/proc/self/exe");
    command.args(["activated", program, "--", "--demo", "--policy"]).arg(folder.file("policy.toml"));
    command.arg(option).arg(file).env("NOTIFY_SOCKET", folder.file("notify"));
    command.env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM").process_group(0);
    command
}

/// Starts one program with its socket as descriptor 3, named as systemd names it.
fn start(mut command: Command, (name, socket): (&str, OwnedFd), written: &PipeWriter) -> io::Result<Program> {
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name).stderr(written.try_clone()?);
    command.fd_mappings(vec![FdMapping { parent_fd: socket, child_fd: 3 }]).map_err(io::Error::other)?;
    Ok(Program(command.spawn()?))
}

fn policy() -> io::Result<String> {
    let unfit = |why| io::Error::other(format!("no policy can be for the calling user: {why}"));
    let uid = Uid::new(geteuid().as_raw()).map_err(unfit)?;
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
