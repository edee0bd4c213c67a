//! The other processes of this program: an echo server as a yardstick, or the way into a server that systemd would start.
//! Each ends when the load generator does.

use rustix::process::{Signal, set_parent_process_death_signal};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The first word of the command line of such a process.
pub(crate) const VERB: &str = "part";

/// The part that becomes a server.
pub(crate) const ACTIVATED: &str = "activated";

/// The echo servers: a thread for each connection; all connections on one event loop.
pub(crate) const STD_ECHO: &str = "std-echo";
/// The second of them.
pub(crate) const TOKIO_ECHO: &str = "tokio-echo";

/// Octets that an echo server reads at once: as many as udsadmind.
const BLOCK: usize = 16 * 1024;

/// Plays the part named first.
///
/// # Errors
/// Whatever ends it.
pub(crate) fn play(mut words: impl Iterator<Item = String>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let (part, next) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match part.as_str() {
        ACTIVATED => Err(activate(&next, words)),
        STD_ECHO => echo_in_threads(&listener(&next)?),
        TOKIO_ECHO => echo_on_one_loop(listener(&next)?),
        _ => Err(io::Error::other(format!("there is no part {part}"))),
    }
}

/// Becomes the program, with `LISTEN_PID` (`sd_listen_fds(3)`), which only this process itself can know.
fn activate(program: &str, options: impl Iterator<Item = String>) -> io::Error {
    #[expect(clippy::disallowed_methods, reason = "starts nothing: the same process goes on")]
    let mut command = Command::new(program);
    command.args(options).env("LISTEN_PID", std::process::id().to_string()).exec()
}

/// Standard input is the listening socket, as with inetd; says that it is ready, as a service of systemd would.
fn listener(notify: &str) -> io::Result<UnixListener> {
    let listener = UnixListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    UnixDatagram::unbound()?.send_to(b"READY=1", notify)?;
    Ok(listener)
}

fn echo_in_threads(listener: &UnixListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        // A client that is gone ends its thread, and nothing else.
        drop(thread::spawn(move || echo(stream)));
    }
}

fn echo(mut stream: UnixStream) -> io::Result<()> {
    let mut block = [0; BLOCK];
    loop {
        let octets = stream.read(&mut block)?;
        match block.get(..octets) {
            Some([]) | None => return Ok(()),
            Some(octets) => stream.write_all(octets)?,
        }
    }
}

fn echo_on_one_loop(listener: UnixListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            drop(tokio::spawn(echo_there(stream)));
        }
    })
}

async fn echo_there(mut stream: tokio::net::UnixStream) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        let octets = stream.read(&mut block).await?;
        match block.get(..octets) {
            Some([]) | None => return Ok(()),
            Some(octets) => stream.write_all(octets).await?,
        }
    }
}
