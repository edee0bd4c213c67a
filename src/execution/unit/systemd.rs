//! The line to systemd: its private socket, as root, or else the system bus. Sends what it is told to, and reads answers; decides
//! nothing.

use super::watched::Watched;
use super::{JobId, PREFIX, SUFFIX, job_of, private};
use futures_core::Stream;
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use zbus::connection::Builder;
use zbus::connection::socket::BoxedSplit;
use zbus::message::Type as Kind;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, ObjectPath, OwnedVariant, Type, fdo};

/// How long systemd may take for one answer.
const ANSWERING: Duration = Duration::from_secs(25);

/// For how long, and after which pauses, a line that broke is laid again: systemd lets go of all of them when it executes itself
/// anew, and has many units to take along.
const INSISTING: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);

/// For how long a private socket that refuses is tried: as it does while systemd executes itself anew. The bus has then lost
/// systemd, too.
const REFUSING: Duration = Duration::from_secs(5);

/// A folder that is there where systemd runs the machine (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// The name, the object and the interfaces of org.freedesktop.systemd1(5).
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(super) const SERVICE: &str = "org.freedesktop.systemd1.Service";
const OBJECT: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// systemd, as far as it runs our units. Clones are the same line.
#[derive(Clone, Debug)]
pub struct Systemd {
    line: Arc<Mutex<Option<Connection>>>,
    /// The broker's own program, which a unit's process is until it becomes the job's.
    pub(super) program: Arc<Path>,
    pub(super) watched: Arc<Watched>,
}

/// A failed call.
#[derive(Debug)]
pub(super) enum Failed {
    /// systemd says no; with the name of the error, and its words.
    Refused(String, String),
    /// The line broke, or there is none: what became of the call is not known.
    Broken(io::Error),
}

impl Failed {
    /// Whether it is this error of `org.freedesktop.systemd1`.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused(refused, _) if refused.strip_prefix(SYSTEMD).is_some_and(|rest| rest == format!(".{name}")))
    }
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(name, words) => Self::other(format!("systemd: {name}: {words}")),
            Failed::Broken(error) => error,
        }
    }
}

impl Systemd {
    /// A line that is laid when it is first needed. `program` is the broker's own, with an absolute path.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        Self { line: Arc::default(), program: program.into(), watched: Arc::default() }
    }

    /// Whether there is one that would start units for the calling user, as far as can be told without asking it
    /// (`sd_booted(3)`).
    #[must_use]
    pub fn may_be_there() -> bool {
        geteuid().is_root() && Path::new(BOOTED).is_dir()
    }

    /// The jobs that have units, running or ended.
    ///
    /// # Errors
    /// The line to systemd broke.
    pub async fn list(&self) -> io::Result<Vec<JobId>> {
        /// One unit of `ListUnitsByPatterns`.
        type Listed = (
            String,
            String,
            String,
            String,
            String,
            String,
            zbus::OwnedObjectPath,
            u32,
            String,
            zbus::OwnedObjectPath,
        );
        let none: [&str; 0] = [];
        let pattern = format!("{PREFIX}*{SUFFIX}");
        let units: Vec<Listed> = self.ask("ListUnitsByPatterns", &(&none[..], &[pattern][..])).await?;
        Ok(units.iter().filter_map(|unit| job_of(&unit.0)).collect())
    }

    /// Asks until there is an answer, over as many lines as it takes: for what may be asked twice.
    pub(super) async fn ask<A: DeserializeOwned + Type>(
        &self,
        method: &str,
        arguments: &(impl Serialize + DynamicType),
    ) -> Result<A, Failed> {
        self.insist(OBJECT, MANAGER, method, arguments).await
    }

    /// A property of the unit.
    pub(super) async fn get<P>(&self, job: &JobId, interface: &str, property: &str) -> Result<P, Failed>
    where
        P: TryFrom<OwnedVariant>,
    {
        let answer: OwnedVariant =
            self.insist(&object_of(job), PROPERTIES, "Get", &(interface, property)).await?;
        P::try_from(answer)
            .map_err(|_| Failed::Broken(io::Error::other(format!("systemd has another type for {property}"))))
    }

    /// Calls the manager once.
    pub(super) async fn call(
        &self,
        method: &str,
        arguments: &(impl Serialize + DynamicType),
    ) -> Result<Message, Failed> {
        let line = self.line().await.map_err(Failed::Broken)?;
        on(&line, OBJECT, MANAGER, method, arguments).await
    }

    async fn insist<A: DeserializeOwned + Type>(
        &self,
        object: &str,
        interface: &str,
        method: &str,
        arguments: &(impl Serialize + DynamicType),
    ) -> Result<A, Failed> {
        let began = Instant::now();
        loop {
            let answer = match self.line().await {
                Ok(line) => on(&line, object, interface, method, arguments).await,
                Err(error) => Err(Failed::Broken(error)),
            };
            match answer {
                Err(Failed::Broken(_)) if began.elapsed() < INSISTING => sleep(PAUSE).await,
                Ok(answer) => return answer.body().deserialize().map_err(broken),
                Err(failed) => return Err(failed),
            }
        }
    }

    /// The line, laid anew where it broke.
    ///
    /// # Errors
    /// The calling user is not root, or systemd does not run this machine.
    pub(super) async fn line(&self) -> io::Result<Connection> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| !line.is_closed()) {
            return Ok(line.clone());
        }
        let fresh = timeout(ANSWERING, lay()).await??;
        let rule = MatchRule::builder().msg_type(Kind::Signal).path_namespace(OBJECT).build();
        let signals =
            MessageStream::for_match_rule(rule.map_err(io_error)?, &fresh, None).await.map_err(io_error)?;
        tokio::spawn(pass_on(signals, Arc::clone(&self.watched)));
        match on(&fresh, OBJECT, MANAGER, "Subscribe", &()).await {
            Err(Failed::Broken(error)) => return Err(error),
            Ok(_) | Err(Failed::Refused(..)) => {}
        }
        *line = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Lays a line: to systemd itself, or to it by way of the bus.
async fn lay() -> io::Result<Connection> {
    if !geteuid().is_root() {
        let why = "only root can have systemd run a command (runner = \"unit\")";
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    let without_bus = match private_socket().await {
        Ok((socket, id)) => {
            let line = Builder::authenticated_socket(socket, id.as_str()).p2p().method_timeout(ANSWERING);
            return line.build().await.map_err(io_error);
        }
        Err(error) => error,
    };
    Builder::system().method_timeout(ANSWERING).build().await.map_err(|error| {
        let why =
            format!("systemd can't be reached: {}: {without_bus}; the system bus: {error}", private::PATH);
        io::Error::new(ErrorKind::NotConnected, why)
    })
}

/// systemd's own socket, which may be gone for a moment.
async fn private_socket() -> io::Result<(BoxedSplit, String)> {
    let began = Instant::now();
    loop {
        match private::connect().await {
            Err(error) if is_passing(&error) && began.elapsed() < REFUSING => sleep(PAUSE).await,
            connected => return connected,
        }
    }
}

/// Whether it is what systemd's own socket answers with while systemd executes itself anew.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}

async fn on(
    line: &Connection,
    object: &str,
    interface: &str,
    method: &str,
    arguments: &(impl Serialize + DynamicType),
) -> Result<Message, Failed> {
    match line.call_method(Some(SYSTEMD), object, Some(interface), method, arguments).await {
        Ok(answer) => Ok(answer),
        Err(zbus::Error::MethodError(name, words, _)) => {
            Err(Failed::Refused(name.to_string(), words.unwrap_or_default()))
        }
        Err(zbus::Error::FDO(error)) if !line.is_closed() && !is_the_buss(&error) => {
            Err(Failed::Refused("org.freedesktop.DBus.Error".to_owned(), error.to_string()))
        }
        Err(error) => Err(broken(error)),
    }
}

/// Whether it is the bus that says no, and not systemd: what became of the call is then not known.
const fn is_the_buss(error: &fdo::Error) -> bool {
    matches!(
        error,
        fdo::Error::NoReply(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::ServiceUnknown(_)
            | fdo::Error::SpawnChildExited(_)
            | fdo::Error::SpawnFailed(_)
            | fdo::Error::Disconnected(_)
            | fdo::Error::NoServer(_)
            | fdo::Error::Timeout(_)
            | fdo::Error::TimedOut(_)
            | fdo::Error::LimitsExceeded(_)
            | fdo::Error::ZBus(_)
    )
}

fn broken(error: zbus::Error) -> Failed {
    Failed::Broken(io_error(error))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn io_error(error: zbus::Error) -> io::Error {
    if let zbus::Error::InputOutput(error) = &error {
        return io::Error::new(error.kind(), error.to_string());
    }
    io::Error::other(error.to_string())
}

/// Tells whoever waits for a unit that there is news of it, until the line ends; then everyone.
async fn pass_on(mut signals: MessageStream, watched: Arc<Watched>) {
    while let Some(signal) = poll_fn(|context| Pin::new(&mut signals).poll_next(context)).await {
        if let Ok(signal) = signal {
            tell(&signal, &watched);
        }
    }
    watched.all_changed();
}

fn tell(signal: &Message, watched: &Watched) {
    let header = signal.header();
    match header.member().map(zbus::names::MemberName::as_str) {
        Some("PropertiesChanged") => {
            if let Some(unit) = header.path().and_then(unit_of) {
                watched.changed(&unit);
            }
        }
        Some("JobRemoved") => {
            if let Ok((_, _, unit, result)) = signal.body().deserialize::<(u32, ObjectPath<'_>, &str, &str)>()
            {
                watched.job_removed(unit, result);
            }
        }
        Some("UnitRemoved") => {
            if let Ok((unit, _)) = signal.body().deserialize::<(&str, ObjectPath<'_>)>() {
                watched.changed(unit);
            }
        }
        _ => {}
    }
}

/// Where systemd has the object of a job's unit: whatever is no letter or digit is its octet in hexadecimal
/// (`sd_bus_path_encode(3)`).
fn object_of(job: &JobId) -> String {
    format!("{OBJECT}/unit/udsadmin_2djob_2d{job}_2eservice")
}

fn unit_of(object: &ObjectPath<'_>) -> Option<String> {
    let name = object.as_str().strip_prefix(OBJECT)?.strip_prefix("/unit/udsadmin_2djob_2d")?;
    Some(format!("{PREFIX}{}{SUFFIX}", name.strip_suffix("_2eservice")?))
}

/// A variant of any value, by the name of a property.
pub(super) type Assigned<'a> = (&'static str, zbus::Variant<'a>);
