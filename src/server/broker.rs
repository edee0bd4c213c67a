//! udsadmin-broker: serves the server's sessions. Listens to nobody else.

use super::accept::accept_all;
use super::activation::Expected;
use super::make_way::Way;
use super::options::BROKER_PROGRAM;
use super::start::{self, Beginning, Ending, Failure, hang_ups, told_to_end};
use super::{clock, notify, policy};
use crate::accounts::Database;
use crate::audit::Trail;
use crate::broker::{self, Doors, Fresh, Policies, Service, Setup};
use crate::execution::{Delegation, Surroundings, unit};
use crate::identity::Uid;
use crate::limits::Places;
use crate::policy::Names;
use crate::sys;
use rustix::net::{SocketFlags, SocketType, accept_with};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::signal::unix::Signal;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long runs may go on after the broker was told to end. `TimeoutStopSec=` of the unit leaves room for it.
const DRAINING: Duration = Duration::from_secs(30);

/// Connections of the server at once: more than it has clients.
const CONNECTIONS: usize = 1024;

/// The whole program; or the first act of a unit's process, which is to become another one.
#[must_use]
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == unit::BECOME) {
        return unit::become_program(std::env::vars_os());
    }
    main_with(std::env::args_os().skip(1))
}

/// The whole program, with this command line.
#[must_use]
pub fn main_with(words: impl Iterator<Item = OsString>) -> ExitCode {
    let left = Some(broker::STORED);
    let expected = Expected { name: "broker", socket_type: SocketType::SEQPACKET, left };
    start::main(&BROKER_PROGRAM, words, expected, serve)
}

async fn serve(mut beginning: Beginning) -> Result<Ending, Failure> {
    let trail = Arc::new(beginning.trail(&BROKER_PROGRAM));
    let path = &beginning.options.policy;
    let mut fresh =
        policy::load(path, beginning.trust()).inspect_err(|_| turn_all_away(&beginning.sockets))?;
    let surroundings = Surroundings {
        delegation: Delegation::of_this_process(),
        descriptors: beginning.descriptors,
        systemd: unit::Systemd::new(&std::env::current_exe()?),
    };
    policy::look_for_limits(&mut fresh.loaded, &surroundings);
    let policies = policies(&beginning, fresh, (&trail, &surroundings)).await?;
    let store = broker::Store::of(std::mem::take(&mut beginning.left));
    let service = service(&beginning, (surroundings, store), Arc::new(policies), trail)?;
    Ok(serve_all(Arc::new(service), beginning.sockets, beginning.way).await?)
}

/// Puts the policy in force that the broker begins with.
async fn policies(
    beginning: &Beginning,
    fresh: Fresh,
    (trail, surroundings): (&Arc<Trail>, &Surroundings),
) -> io::Result<Policies> {
    let (path, trust) = (beginning.options.policy.clone(), beginning.trust());
    let surroundings = surroundings.clone();
    let warnings = broker::Told::of(&fresh.loaded.warnings);
    let setup = Setup {
        path: path.clone(),
        read: Arc::new(move || policy::read(&path, trust)),
        check: Arc::new(move |sources| {
            let mut loaded = policy::check_here(sources, trust)?;
            policy::look_for_limits(&mut loaded, &surroundings);
            Ok(loaded)
        }),
        trail: Arc::clone(trail),
        clock: clock::now,
    };
    let policies = Policies::new(fresh, setup)?;
    trail.note(&broker::in_force(&beginning.options.policy, &policies.now(), "", &warnings)).await;
    Ok(policies)
}

fn service(
    beginning: &Beginning,
    (surroundings, store): (Surroundings, broker::Store),
    policies: Arc<Policies>,
    trail: Arc<Trail>,
) -> io::Result<Service> {
    let options = &beginning.options;
    Ok(Service {
        policies,
        trail,
        doors: doors(beginning),
        admit: admitted(beginning)?,
        trust: beginning.trust(),
        surroundings,
        clock: clock::now,
        runs: broker::places(),
        orders: broker::order_places(),
        quotas: broker::Quotas::new(Instant::now),
        jobs: broker::Jobs::default(),
        tokens: broker::Tokens::open(options.state().as_deref(), broker::Uptime::of_this_machine()?)?,
        units: broker::Units::open(options.state().as_deref())?,
        store,
        tasks: TaskTracker::new(),
        busy: TaskTracker::new(),
        draining: CancellationToken::new(),
        ending: CancellationToken::new(),
    })
    .inspect(|_| tracing::debug!("clients connect to {}", options.door.display()))
}

/// A demonstration by a common user can't see the files of sockets, and has no privilege that this would protect.
fn doors(beginning: &Beginning) -> Doors {
    if beginning.options.demo && !rustix::process::geteuid().is_root() {
        Doors::Anywhere
    } else {
        Doors::Files(vec![beginning.options.door.clone()])
    }
}

fn admitted(beginning: &Beginning) -> io::Result<Uid> {
    if beginning.options.demo {
        return Uid::new(rustix::process::geteuid().as_raw()).map_err(io::Error::other);
    }
    let name = &beginning.options.admit;
    match Database.uid_of(name) {
        Ok(Some(uid)) => Ok(uid),
        Ok(None) => Err(io::Error::other(format!("there is no user {name}, whom --admit names"))),
        Err(error) => Err(io::Error::other(format!("user {name} can't be looked up: {}", error.0))),
    }
}

async fn serve_all(service: Arc<Service>, sockets: Vec<OwnedFd>, mut way: Way) -> io::Result<Ending> {
    let (ending, hang_ups) = (told_to_end()?, hang_ups()?);
    service.take_over()?;
    for socket in sockets {
        listen(Arc::clone(&service), socket)?;
    }
    notify::ready(&told(&service.policies));
    let idle = async {
        way.told().await;
        until_spared(&service, &way).await;
    };
    let ending = tokio::select! {
        () = ending => Ending::Stopped,
        () = idle => Ending::MadeWay,
        () = notify::keep_watchdog_quiet() => Ending::Stopped,
        () = reload_at(hang_ups, &service.policies) => Ending::Stopped,
        () = service.policies.undo_in_time() => Ending::Stopped,
        () = tell_systemd(&service.policies) => Ending::Stopped,
        () = service.jobs.forget_in_time() => Ending::Stopped,
    };
    service.draining.cancel();
    if service.policies.watch().borrow().state.until.is_some() {
        tracing::warn!(
            "a policy on trial was not confirmed; the next start reads it from the files all the same"
        );
    }
    tokio::select! { () = drain(&service) => {}, () = notify::keep_watchdog_quiet() => {} }
    Ok(ending)
}

/// Waits until nothing is lost with this process: no client's session, no run that is its child, no policy on trial.
async fn until_spared(service: &Service, way: &Way) {
    let mut ruling = service.policies.watch();
    loop {
        way.is_clear(&service.busy, || service.policies.now().version).await;
        if ruling.borrow_and_update().state.until.is_none() || ruling.changed().await.is_err() {
            return;
        }
    }
}

/// Accepts the server's connections to this socket until no further run may start.
fn listen(service: Arc<Service>, socket: OwnedFd) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let listener = sys::watch(socket, Interest::READABLE)?;
    tokio::spawn(async move {
        let draining = service.draining.clone();
        let places = Places::new(CONNECTIONS, CONNECTIONS);
        let admit = |connection| serve_one(&service, &places, connection);
        accept_all(|| broker::accept(&listener), &draining, admit).await;
    });
    Ok(())
}

/// Reads the policy again at each of root's signals.
async fn reload_at(mut hang_ups: Signal, policies: &Policies) {
    while hang_ups.recv().await.is_some() {
        notify::reloading();
        policies.reload().await;
        notify::ready(&told(policies));
    }
}

/// How things stand, for `systemctl status`.
fn told(policies: &Policies) -> String {
    policies.watch().borrow().state.standing().to_string()
}

async fn tell_systemd(policies: &Policies) {
    let mut ruling = policies.watch();
    while ruling.changed().await.is_ok() {
        notify::status(&told(policies));
        sleep(notify::STATUS_EVERY).await;
    }
}

/// Serves a connection of the server, if there is a place for it: nobody else has one to spend.
fn serve_one(service: &Arc<Service>, places: &Arc<Places>, connection: OwnedFd) {
    let Some(place) = places.take(service.admit) else {
        return tracing::warn!("a connection of the server is closed: it has {CONNECTIONS} already");
    };
    let session = Arc::clone(service).session(connection);
    drop(tokio::spawn(async move {
        session.await;
        drop(place);
    }));
}

/// Lets the runs under way go on for a while, then ends them.
async fn drain(service: &Service) {
    service.tasks.close();
    notify::status(&format!("ends; runs under way: {}", service.runs.count()));
    if tokio::time::timeout(DRAINING, service.tasks.wait()).await.is_err() {
        service.ending.cancel();
        service.tasks.wait().await;
    }
}

fn turn_all_away(sockets: &[OwnedFd]) {
    for socket in sockets {
        if rustix::io::ioctl_fionbio(socket, true).is_ok() {
            while accept_with(socket, SocketFlags::CLOEXEC).is_ok() {}
        }
    }
}
