//! Both programs under a tracer, started again whenever they end, as systemd does it; and one request after the other, during
//! which one of them is killed. Judges nothing.

use super::tracer::{Event, Role, Tracer};
use crate::process::command;
use crate::world::{Folder, Part, UDSADMIN, activated_by, listen_for_lines, listen_for_packets};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Writes to the witness file when it begins and when it ends, and says something in between.
pub(super) const POLICY: &str = r#"
[allow]
users = ["USER"]
[commands.witness]
exec = ["/bin/sh", "-c", "echo began $0 $UDSADMIN_JOB >> FOLDER/witness; echo heard $0; echo ended $0 $UDSADMIN_JOB >> FOLDER/witness", "{round}"]
args = [{ name = "round", integer = { min = 0, max = 1000000 } }]
keep = { time = "0s" }
run-as = "USER"
[[commands.witness.allow]]
users = ["USER"]
[commands.lasting]
exec = ["/bin/sh", "-c", "echo began $0 $UDSADMIN_JOB >> FOLDER/witness; echo heard $0; exec sleep inf", "{round}"]
args = [{ name = "round", integer = { min = 0, max = 1000000 } }]
keep = { time = "0s" }
on-disconnect = "term"
run-as = "USER"
[[commands.lasting.allow]]
users = ["USER"]
"#;

/// What a run becomes that ends with its client and not before.
const LASTS: &str = "sleep\0inf\0";

/// Seconds that all kills of one scene may take. None waits for it when all is well.
const PATIENCE: &str = "300";

/// How a run is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Detached,
    /// With a token, by which it can be asked for again.
    Named,
    /// Both.
    NamedDetached,
    /// And cancelled in the same breath.
    Cancelled,
    /// Of what never ends by itself, but with its client. Whoever was to be killed is so at last when there is no further step.
    Lasting,
}

impl Form {
    fn request(self, number: usize) -> String {
        match self {
            Self::Plain => format!("witness {number}\n"),
            Self::Detached => format!("witness {number} detach=yes\n"),
            Self::Named => format!("witness {number} id=token-{number}\n"),
            Self::NamedDetached => format!("witness {number} detach=yes id=token-{number}\n"),
            Self::Lasting => format!("lasting {number}\n"),
            Self::Cancelled => format!("@run witness {number}\n@end cancel @run\n"),
        }
    }
}

/// Who is killed, and when: at the so-manieth stop of the clock's after the client has begun. There are two at each system call:
/// before it and behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) clock: Role,
    pub(super) victim: Role,
    pub(super) step: usize,
}

/// What came of one request.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) number: usize,
    pub(super) form: Form,
    /// What the client was told before, where this asks for the same again.
    pub(super) before: Option<String>,
    /// Stops of the clock's until the kill; all of them where there was none.
    pub(super) steps: usize,
    pub(super) killed: bool,
    /// What the client was told.
    pub(super) told: String,
    /// Whether the kill was between two steps of the job's.
    pub(super) is_exact: bool,
}

/// A job that became a program.
#[derive(Clone, Debug)]
pub(super) struct Became {
    pub(super) round: usize,
    pub(super) job: String,
    /// Whether its start was on the record by then.
    pub(super) is_recorded: bool,
}

/// Everything that is at work.
pub(super) struct Scene {
    tracer: Tracer,
    line: UnixListener,
    packets: OwnedFd,
    rounds: usize,
    alarm: Pid,
    /// What the kernel saw run, of all rounds: who asked may be gone before it begins.
    pub(super) became: Vec<Became>,
    folder: Folder,
}

impl Scene {
    pub(super) fn new(clock: Role, policy: &str) -> Self {
        let folder = Folder::new();
        folder.write("policy.toml", policy);
        folder.write("witness", "");
        let line = listen_for_lines(&folder.file("udsadmin.sock"));
        let packets = listen_for_packets(&folder.file("broker.sock"));
        let mut tracer = Tracer::new(clock);
        let alarm = spawn(command("sleep").arg(PATIENCE).stdin(Stdio::null()));
        tracer.know(alarm, Role::Client);
        let mut scene = Self { tracer, line, packets, rounds: 0, alarm, became: Vec::new(), folder };
        scene.start(Role::Broker);
        scene.start(Role::Server);
        scene
    }

    fn start(&mut self, role: Role) {
        let (part, socket) = match role {
            Role::Broker => (Part::Broker, self.packets.try_clone().unwrap()),
            Role::Server => (Part::Server, self.line.try_clone().unwrap().into()),
            Role::Client | Role::Job => return,
        };
        // It stands still until it is followed.
        let mut started = command("sh");
        started.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\"", UDSADMIN]);
        let mut started = activated_by(started, &self.folder, part, socket);
        let record = File::options().create(true).append(true).open(self.folder.file("record")).unwrap();
        started.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).stderr(record);
        self.tracer.follow(spawn(&mut started), role);
    }

    /// One request, during which somebody may be killed; whoever ends is started again.
    pub(super) fn play(&mut self, form: Form, fault: Option<Fault>) -> Round {
        self.rounds += 1;
        self.perform(self.rounds, form, fault)
    }

    /// The same request again, undisturbed.
    pub(super) fn again(&mut self, round: &Round) -> Round {
        let again = self.perform(round.number, round.form, None);
        Round { before: Some(round.told.clone()), ..again }
    }

    fn perform(&mut self, number: usize, form: Form, fault: Option<Fault>) -> Round {
        let is_exact = fault.is_none_or(|fault| fault.clock == Role::Job);
        let told = String::new();
        let mut round = Round { number, form, before: None, steps: 0, killed: false, told, is_exact };
        let client = self.ask(&form.request(number));
        let (mut is_told, mut held) = (false, None);
        while !is_told || held.is_some() || self.tracer.process(Role::Job).is_some() {
            match self.tracer.next() {
                Event::Step(role, thread) => {
                    if let Some(victim) = self.due(role, fault, &mut round, client) {
                        kill(victim, Signal::SIGKILL).unwrap();
                        held = Some((thread, victim));
                    } else {
                        self.tracer.go_on(thread);
                    }
                }
                Event::Became(process) if lasts(process) => {
                    if let Some(victim) = self.due_at_last(fault, &mut round, client) {
                        kill(victim, Signal::SIGKILL).unwrap();
                    }
                    self.tracer.go_on(process);
                }
                Event::Became(process) => {
                    self.became.push(self.became(process));
                    self.tracer.go_on(process);
                }
                Event::Ended(role, process) => {
                    assert_ne!(process, self.alarm, "patience ended: {round:?}");
                    is_told |= process == client;
                    if let Some((thread, _)) = held.take_if(|(_, victim)| *victim == process) {
                        self.tracer.go_on(thread);
                    }
                    self.start(role);
                }
            }
        }
        round.told = self.read("told");
        round
    }

    /// Whom to kill at this stop, if anybody.
    fn due(&self, role: Role, fault: Option<Fault>, round: &mut Round, client: Pid) -> Option<Pid> {
        let fault = fault.filter(|fault| fault.clock == role && !round.killed)?;
        round.steps += 1;
        if round.steps < fault.step {
            return None;
        }
        let victim = self.victim(fault, client);
        round.killed = round.steps == fault.step && victim.is_some();
        victim.filter(|_| round.killed)
    }

    /// Whom to kill where there will be no further stop, if anybody: a client once, and whoever is started again as often as it
    /// takes.
    fn due_at_last(&self, fault: Option<Fault>, round: &mut Round, client: Pid) -> Option<Pid> {
        let is_due = |fault: &Fault| !round.killed || fault.victim != Role::Client;
        let victim = self.victim(fault.filter(is_due)?, client);
        round.killed |= victim.is_some();
        victim
    }

    fn victim(&self, fault: Fault, client: Pid) -> Option<Pid> {
        match fault.victim {
            Role::Client => Some(client),
            role @ (Role::Server | Role::Broker | Role::Job) => self.tracer.process(role),
        }
    }

    /// A client of its own kind: it asks once, and writes down what it is told.
    fn ask(&mut self, request: &str) -> Pid {
        let request = self.folder.write("request", request);
        let mut client = command("nc");
        client.args(["-N", "-U"]).arg(self.folder.file("udsadmin.sock"));
        client.stdin(File::open(request).unwrap()).stdout(File::create(self.folder.file("told")).unwrap());
        let client = spawn(client.stderr(Stdio::null()));
        self.tracer.know(client, Role::Client);
        client
    }

    /// The job that became this program, and whether its start is on the record.
    fn became(&self, process: Pid) -> Became {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap();
        let (environment, argv, record) = (read("environ"), read("cmdline"), self.read("record"));
        let job = environment.split('\0').find_map(|one| one.strip_prefix("UDSADMIN_JOB=")).unwrap();
        let round = argv.trim_end_matches('\0').rsplit('\0').next().unwrap();
        let is_recorded = record.lines().any(|line| is_about(line, "started", job));
        Became { round: round.parse().unwrap(), job: job.to_owned(), is_recorded }
    }

    /// How many descriptors the two programs have open.
    pub(super) fn descriptors(&self) -> usize {
        let open =
            |role| fs::read_dir(format!("/proc/{}/fd", self.tracer.process(role).unwrap())).unwrap().count();
        open(Role::Server) + open(Role::Broker)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tracer.end();
    }
}

/// Whether a process has become what has no end of its own.
fn lasts(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap() == LASTS
}

/// Whether a line of the record is an event of this kind about this job.
pub(super) fn is_about(line: &str, event: &str, job: &str) -> bool {
    line.starts_with(&format!("audit: {event}: ")) && line.contains(&format!(" JOB={job}"))
}

#[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
fn spawn(command: &mut Command) -> Pid {
    let child = command.spawn().unwrap();
    Pid::from_raw(child.id().try_into().unwrap())
}
