//! What rules and commands limit, with real runs: how often, how many at once, when, from where.

use crate::client::{Answer, Client};
use crate::process::{STRANGER, as_stranger, command, is_root};
use crate::trail::{Inside, Link, order, report};
use crate::world::{POLICY, UDSADMIN, World, version_at};
use rustix::thread::{
    CapabilitySet, Gid, remove_capability_from_bounding_set, set_thread_groups, set_thread_res_gid,
};
use std::cell::Cell;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use udsadmin::broker::{NotRun, Order, Packets, Report};
use udsadmin::protocol::reply::Part;

thread_local! {
    static START: Instant = Instant::now();
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock that stands still until it is moved, of this test's thread alone.
fn clock() -> Instant {
    START.with(|start| *start) + PASSED.get()
}

fn pass(seconds: u64) {
    PASSED.set(PASSED.get() + Duration::from_secs(seconds));
}

/// The policy of most tests, with these keys for one of its commands.
fn with(name: &str, keys: &str) -> String {
    let header = format!("[commands.{name}]\n");
    assert!(POLICY.contains(&header));
    POLICY.replace(&header, &format!("{header}{keys}\n"))
}

async fn runs(packets: &Link, number: u32, command: &str) {
    order(packets, number, command).await;
    assert!(matches!(report(packets).await, Report::Starts { .. }));
    assert!(matches!(report(packets).await, Report::Ended { .. }));
}

async fn refusal(packets: &Link, number: u32, command: &str) -> NotRun {
    order(packets, number, command).await;
    let answer = report(packets).await;
    let Report::NotRun { run, why } = answer else { panic!("{answer:?}") };
    assert_eq!(run, number);
    why
}

fn used_up(retry_after: u64) -> NotRun {
    NotRun::Rate { rate: "2/min".to_owned(), retry_after }
}

#[tokio::test]
async fn a_rate_that_is_used_up_starts_nothing_and_says_when_there_is_a_turn() {
    let inside = Inside::with(&with("cat", "rate = \"2/min\""), clock);
    let packets = inside.open().await;
    runs(&packets, 1, "cat").await;
    pass(10);
    runs(&packets, 2, "cat").await;
    assert_eq!(refusal(&packets, 3, "cat").await, used_up(50));
    PASSED.set(PASSED.get() + Duration::from_millis(49_001));
    assert_eq!(refusal(&packets, 4, "cat").await, used_up(1), "rounded up");
    runs(&packets, 5, "echo").await;
    PASSED.set(Duration::from_secs(60));
    runs(&packets, 6, "cat").await;
    let names = inside.trail().names();
    let expected = ["started", "finished", "started", "finished", "denied", "denied", "started", "finished"];
    assert_eq!(names[..8], expected);
    let refused = &inside.trail().events()[4];
    let field = |name: &str| {
        let found = refused.fields().iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).unwrap_or_default()
    };
    assert_eq!(
        (field("UDSADMIN_LIMIT"), field("UDSADMIN_RETRY_AFTER")),
        ("rate".to_owned(), "50".to_owned())
    );
    assert_eq!(
        (field("UDSADMIN_COMMAND"), field("UDSADMIN_DECISION")),
        ("cat".to_owned(), "deny".to_owned())
    );
    assert_eq!(field("UDSADMIN_REASON"), "its rate of 2/min is used up; there is a turn in 50 s");
    assert!(field("UDSADMIN_RULE").contains("policy.toml:"));
}

#[tokio::test]
async fn a_run_that_is_refused_for_another_reason_costs_no_turn() {
    let policy =
        with("end", "rate = \"1/day\"").replace("code\", integer", "code\", optional = true, integer");
    let inside = Inside::with(&policy, clock);
    let packets = inside.open().await;
    assert_eq!(refusal(&packets, 1, "forbidden").await, NotRun::Denied);
    let places: Vec<_> = std::iter::from_fn(|| inside.service.runs.take(inside.service.admit)).collect();
    for number in 2..5 {
        assert_eq!(refusal(&packets, number, "end").await, NotRun::Busy);
    }
    drop(places);
    inside.trail().break_now();
    for number in 5..8 {
        assert_eq!(refusal(&packets, number, "end").await, NotRun::AuditUnavailable);
    }
}

#[test]
fn a_program_that_is_not_there_costs_no_turn() {
    let policy = "[allow]\nusers = [\"USER\"]\n[commands.gone]\nexec = [\"FOLDER/gone\"]\nrun-as = \"USER\"\n\
                  rate = \"1/day\"\n[[commands.gone.allow]]\nusers = [\"USER\"]\n";
    let world = World::with(policy);
    let mut client = world.client();
    assert_eq!([client.ask("gone").code(), client.ask("gone").code()], [502, 502]);
}

#[test]
fn a_rate_outlives_the_server_and_its_client_is_told_to_try_again() {
    let mut world = World::with(&with("echo", "rate = \"1/day\""));
    assert_eq!(world.client().ask("echo").code(), 200);
    let answer = world.client().ask("echo");
    assert_eq!((answer.code(), answer.last.name.as_ref()), (429, "rate"));
    assert!((1..=86_400).contains(&answer.field("retry-after").parse::<u32>().unwrap()));
    assert!(answer.field("job").is_empty() && !answer.field("ms").is_empty());
    drop(world.server.take());
    world.start_server();
    assert_eq!(world.client().ask("echo").code(), 429);
    world.broker().line_with(&["audit: denied: ", "COMMAND=echo", "LIMIT=rate", "RETRY_AFTER="]);
    let socket = world.folder.file("udsadmin.sock");
    let output = command(UDSADMIN).args(["run", "--socket"]).arg(socket).arg("echo").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(75), "{told}");
    assert!(told.starts_with("udsadmin: rate: you may run this 1/day; try again in "), "{told}");
}

#[test]
fn so_many_of_a_command_run_at_once_and_no_more() {
    let world = World::with(&with("gate", "max-running = 2"));
    let mut gate = world.gate();
    let mut clients: Vec<_> = (0..2).map(|_| world.client()).collect();
    for client in &mut clients {
        client.send("gate\n");
        assert!(client.line().unwrap().starts_with(b"| ready"));
    }
    let answer = world.client().ask("gate");
    assert_eq!((answer.code(), answer.last.name.as_ref()), (409, "busy"));
    let text = String::from_utf8(answer.last.text.clone()).unwrap();
    assert_eq!(text, "at most 2 of this command run at once; wait for one to end");
    world.broker().line_with(&["audit: denied: ", "COMMAND=gate", "LIMIT=max-running", "DECISION=deny"]);
    assert_eq!(world.client().ask("echo").code(), 200, "other commands run");
    gate.open();
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().code(), 200);
    }
    let mut again = world.client();
    again.send("gate\n");
    assert!(again.line().unwrap().starts_with(b"| ready"));
    gate.open();
    assert_eq!(again.answer().code(), 200);
}

/// Three limits, which can't be set where the tests run: there is no cgroup for jobs.
const BOUNDS: &str = "memory-max = \"64MiB\"\ntasks-max = 8\ncpu-max = \"50%\"";

#[test]
fn nothing_runs_without_its_limits() {
    let world = World::with(&with("echo", BOUNDS));
    let answer = world.client().ask("echo");
    assert_eq!((answer.code(), answer.field("errno")), (502, libc::EOPNOTSUPP.to_string()));
    let text = String::from_utf8(answer.last.text.clone()).unwrap();
    let lacking = |limit: &str| format!("{limit} can't be set: no cgroup is delegated to the broker here");
    let all = ["memory-max", "tasks-max", "cpu-max"].map(lacking).join("; ");
    assert_eq!(text, format!("{all}; the policy has nothing run without its limits"));
    assert_eq!(answer.stdout(), Vec::<u8>::new());
    let job = format!("JOB={}", answer.field("job"));
    world.broker().line_with(&["audit: finished: ", &job, "EXIT=exec-failed:95", "REASON=memory-max can"]);
}

#[test]
fn what_may_run_without_its_limits_does_and_the_record_says_so() {
    let policy =
        format!("cgroup-limits = \"best-effort\"\n{}", with("echo", "tasks-max = 8\ncpu-max = \"50%\""));
    let world = World::with(&policy);
    assert_eq!(world.client().ask("echo").code(), 200);
    world.broker().line_with(&[
        "audit: started: ",
        "COMMAND=echo",
        "UNBOUNDED=tasks-max",
        "UNBOUNDED=cpu-max",
    ]);
}

#[test]
fn that_limits_can_not_be_set_is_told_when_the_policy_is_loaded() {
    let world = World::with(&with("echo", BOUNDS));
    let warned =
        ["audit: policy-loaded: ", "WARNING=", "policy.toml:", "memory-max can", "; this command can"];
    world.broker().line_with(&warned);
}

#[test]
fn the_end_of_a_run_gives_its_place_back_however_it_ends() {
    let world = World::with(&with("gate", "max-running = 1"));
    let _gate = world.gate();
    let mut client = world.client();
    for end in ["cancel\n", "cancel\n"] {
        client.send("gate\n");
        assert!(client.line().unwrap().starts_with(b"| ready"));
        assert_eq!(world.client().ask("gate").code(), 409);
        client.send(end);
        assert_eq!([client.answer().code(), client.answer().code()], [213, 200]);
    }
}

/// The fields of each row, as `NAME=VALUE`.
fn rows(answer: &Answer) -> Vec<Vec<String>> {
    let rows = answer.parts.iter().filter_map(|line| match &line.part {
        Part::Row(fields) => Some(fields),
        Part::Stream { .. } | Part::Info(_) | Part::Final(_) => None,
    });
    let field = |(name, value): &(String, Vec<u8>)| format!("{name}={}", String::from_utf8_lossy(value));
    rows.map(|fields| fields.iter().map(field).collect()).collect()
}

/// A year that no clock of a machine shows.
const NEVER: &str = "2199-12-31";

#[test]
fn what_is_for_other_times_is_seen_and_refused_with_the_times() {
    let never = format!("{NEVER} UTC");
    let policy = with("echo", "").replace(
        "[[commands.echo.allow]]\nusers = [\"USER\"]",
        &format!("[[commands.echo.allow]]\nusers = [\"USER\"]\nduring = [\"{NEVER} 08:00-18:00 UTC\", \"{NEVER} 20:00-21:00 UTC\"]"),
    ) + &format!("\n[[builtins.status.allow]]\nusers = [\"USER\"]\nduring = \"{never}\"\n");
    let world = World::with(&policy);
    let mut client = world.client();
    let times = format!("{NEVER} 08:00-18:00 UTC; {NEVER} 20:00-21:00 UTC");
    let answer = client.ask("echo");
    let text = String::from_utf8(answer.last.text.clone()).unwrap();
    assert_eq!((answer.code(), text), (403, format!("only during {times}")));
    world.server().line_with(&["audit: denied: ", "COMMAND=echo", "REASON=", "permitted only during"]);
    for (asked, name, during) in [
        ("commands", "echo", &*times),
        ("help", "echo", &*times),
        ("help echo", "echo", &*times),
        ("help", "status", &*never),
        ("help status", "status", &*never),
    ] {
        let rows = rows(&client.ask(asked));
        let (name, during) = (format!("name={name}"), format!("during={during}"));
        let row = rows.iter().find(|row| row.contains(&name)).unwrap();
        assert!(row.contains(&during), "{asked}: {row:?}");
    }
    let status = client.ask("status");
    let text = String::from_utf8(status.last.text.clone()).unwrap();
    assert_eq!((status.code(), text), (403, format!("only during {never}")));
    let recorded = ["audit: denied: ", "COMMAND=status", "RULE=/", "policy.toml:", "permitted only during"];
    world.server().line_with(&recorded);
    assert_eq!(client.ask("why echo").field("decision"), "deny");
    assert_eq!(client.ask("cat").code(), 200, "others run at any time");
}

/// A command in a user namespace of its own, in which the caller has no name. `None` where this machine makes none.
fn elsewhere(program: &str) -> Option<Command> {
    let made = command("unshare").args(["--user", "true"]).status().is_ok_and(|status| status.success());
    let mut started = command("unshare");
    started.args(["--user", program]);
    made.then_some(started)
}

/// The policy of most tests, with `foreign-namespace = true` for `[allow]`, and for the rule of `echo`.
fn foreign(in_allow: bool, in_rule: bool) -> String {
    let yes = |said: bool| if said { "foreign-namespace = true\n" } else { "" };
    let (line, rule) = ("[allow]\nusers = [\"USER\"]\n", "[[commands.echo.allow]]\nusers = [\"USER\"]\n");
    let policy = POLICY.replace(line, &format!("{line}{}", yes(in_allow)));
    policy.replace(rule, &format!("{rule}{}", yes(in_rule)))
}

#[test]
fn a_peer_of_another_user_namespace_runs_what_is_for_it() {
    let world = World::with(&foreign(true, true));
    for (name, status) in [("echo", 0), ("cat", 77)] {
        let Some(mut asked) = elsewhere(UDSADMIN) else { return };
        asked.args(["run", "--socket"]).arg(world.folder.file("udsadmin.sock")).arg(name);
        assert_eq!(asked.output().unwrap().status.code(), Some(status), "{name}");
    }
}

/// What the broker says to a client of another user namespace that opens a session, and then to its order of `echo`.
async fn answers_to_a_foreign_client(world: &World) -> Option<(Report, Option<Report>)> {
    let mut client = elsewhere(UDSADMIN)?;
    client.args(["run", "--socket"]).arg(world.folder.file("udsadmin.sock")).arg("echo");
    let mut client = client.stderr(Stdio::null()).spawn().unwrap();
    let accepted = world.line.accept().unwrap().0;
    let broker = world.folder.file("broker.sock");
    let packets = Link { packets: Packets::connect(&broker).unwrap(), version: version_at(&broker) };
    packets.send(&Order::Open, &[accepted.as_fd()]).await.unwrap();
    let opened = report(&packets).await;
    let mut answer = None;
    if opened == Report::Opened {
        order(&packets, 1, "echo").await;
        answer = Some(report(&packets).await);
    }
    drop((packets, accepted));
    client.wait().unwrap();
    Some((opened, answer))
}

#[tokio::test]
async fn the_broker_looks_at_the_namespace_itself_and_both_rules_must_say_so() {
    for (in_allow, in_rule) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::prepare(&foreign(in_allow, in_rule));
        world.start_broker();
        let Some((opened, answer)) = answers_to_a_foreign_client(&world).await else { return };
        assert_eq!(opened == Report::Opened, in_allow);
        let kind = match (in_allow, in_rule) {
            (false, _) => "audit: refused: ",
            (true, false) => "audit: denied: ",
            (true, true) => "audit: started: ",
        };
        let starts = matches!(answer, Some(Report::Starts { .. }));
        assert_eq!(starts, in_allow && in_rule, "{answer:?}");
        let parts = [kind, "the peer is in another user namespace"];
        world.broker().line_with(if starts { &parts[..1] } else { &parts });
    }
}

#[test]
fn a_peer_whose_namespace_the_broker_can_not_look_at_runs_nothing() {
    if !is_root() {
        return;
    }
    let blind = || {
        remove_capability_from_bounding_set(CapabilitySet::SYS_PTRACE).unwrap();
        let world = World::start();
        let mut client = world.client();
        assert_eq!(client.ask("whoami").code(), 200);
        assert_eq!(client.ask("echo a").code(), 403);
        let why = "which user namespace the client lives in can't be told";
        world.broker().line_with(&["audit: refused: ", why]);
    };
    // The programs lack what the thread lacks that starts them, and end with it.
    std::thread::scope(|scope| scope.spawn(blind).join().unwrap());
}

/// Connects as root without any group that the user database gives it.
fn in_a_strange_group(world: &World) -> Client {
    let door = world.folder.file("udsadmin.sock");
    let connect = || {
        let gid = Gid::from_raw(STRANGER);
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        UnixStream::connect(&door).unwrap()
    };
    Client::of(std::thread::scope(|scope| scope.spawn(connect).join().unwrap()))
}

#[test]
fn a_group_of_the_user_database_lets_in_and_permits_where_a_rule_says_so() {
    if !is_root() {
        return;
    }
    let (allow, rule) = ("[allow]\nusers = [\"USER\"]\n", "[[commands.echo.allow]]\nusers = [\"USER\"]\n");
    let by = |from: &str| format!("groups = [\"root\"]\ngroups-from = {from:?}\n");
    let policy = |gate: &str, of_echo: &str| {
        let policy = POLICY.replace(allow, &format!("[allow]\n{}", by(gate)));
        policy.replace(rule, &format!("[[commands.echo.allow]]\n{}", by(of_echo)))
    };
    let world = World::with(&policy("kernel", "database"));
    assert_eq!(in_a_strange_group(&world).answer().code(), 403);
    let world = World::with(&policy("database", "kernel"));
    assert_eq!(in_a_strange_group(&world).ask("echo").code(), 403);
    let world = World::with(&policy("database", "database"));
    for _ in 0..2 {
        let mut member = in_a_strange_group(&world);
        assert_eq!(member.ask("echo").code(), 200);
        let why = rows(&member.ask("why echo"));
        assert!(why.iter().flatten().any(|field| field == "source=database"), "{why:?}");
    }
    let mut stranger =
        Client::of(as_stranger(|| UnixStream::connect(world.folder.file("udsadmin.sock")).unwrap()));
    assert_eq!(stranger.answer().code(), 403);
    stranger.expect_end();
}
