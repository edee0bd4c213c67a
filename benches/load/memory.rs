//! The memory of idle connections: what a server's processes grow by while clients are connected and say nothing.

use crate::client::{Client, Dialogue};
use crate::figure::{Figure, Subject, Unit};
use crate::servers::{Echo, Udsadmin};
use crate::spread::number;
use crate::stand::Stand;
use std::fs;
use std::io;
use std::path::PathBuf;

/// Connections: what one user may have is 64, and one is there before, so that what a first client costs is not counted.
const CONNECTIONS: usize = 60;

/// The figure, with clients that have sent this request once.
pub(crate) fn figure<'a>(name: &'static str, request: &'static str, stand: &'a Stand) -> Figure<'a> {
    let ours = move || {
        let servers = Udsadmin::start(stand)?;
        let dialogue = Dialogue::new(servers.socket.clone(), request, "200");
        growth(&dialogue, &[servers.server.id(), servers.broker.id()])
    };
    let theirs = move || {
        let echo = Echo::on_one_loop(stand)?;
        let dialogue = Dialogue::new(PathBuf::new(), request, "200").echoed_by(echo.socket.clone());
        growth(&dialogue, &[echo.program.id()])
    };
    Figure {
        name,
        what: format!(
            "KiB of each of {CONNECTIONS} idle connections after one {request:?}, of all processes"
        ),
        unit: Unit::Kibibytes,
        rate: None,
        subjects: vec![Subject::once("udsadmin", ours), Subject::once("tokio echo", theirs)],
    }
}

fn growth(dialogue: &Dialogue, processes: &[u32]) -> io::Result<f64> {
    let all = || processes.iter().map(|pid| resident(*pid)).sum::<io::Result<f64>>();
    let _first = Client::of(dialogue.clone())?;
    let before = all()?;
    let clients = (0..CONNECTIONS).map(|_| Client::of(dialogue.clone())).collect::<io::Result<Vec<_>>>()?;
    let after = all()?;
    drop(clients);
    Ok((after - before) / number(CONNECTIONS))
}

/// KiB that are resident (`/proc/PID/smaps_rollup`, which counts exactly what `/proc/PID/status` estimates).
fn resident(pid: u32) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let size =
        text.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB")?.trim().parse().ok());
    size.ok_or_else(|| io::Error::other("smaps_rollup has no Rss"))
}
