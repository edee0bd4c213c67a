//! Runs that outlive their client, their session or the server: named, looked at, followed, ended, and never run twice.

use crate::client::{Answer, Client};
use crate::process::{STRANGER, as_user, is_root};
use crate::world::World;
use rustix::process::Signal;
use std::fs;
use std::os::unix::net::UnixStream;

const POLICY: &str = include_str!("jobs.toml");

fn world() -> World {
    World::with(POLICY)
}

/// How often something ran that leaves a mark.
fn marks(world: &World) -> usize {
    fs::read_to_string(world.folder.file("marks")).map_or(0, |text| text.lines().count())
}

/// Starts a run that waits at the gate, and nobody waits for.
fn detached(client: &mut Client) -> String {
    let answer = client.ask("gate detach=yes");
    assert_eq!((answer.code(), &*answer.last.name), (202, "accepted"));
    answer.field("job")
}

/// The only row, or the last one.
fn row(answer: &Answer) -> Vec<(String, String)> {
    answer.rows().pop().expect("a row")
}

fn fact(answer: &Answer, name: &str) -> String {
    row(answer).into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

/// Follows a run to its end, which comes; then its state is known.
fn followed(client: &mut Client, job: &str) -> Answer {
    let answer = client.ask(&format!("job {job} follow"));
    assert_eq!(answer.code(), 200);
    assert_eq!(fact(&answer, "state"), "ended");
    answer
}

fn kill_server(world: &mut World) {
    world.server().signal(Signal::KILL);
    world.server.as_mut().unwrap().wait();
    world.server = None;
}

fn kill_broker(world: &mut World) {
    world.broker().signal(Signal::KILL);
    world.broker.as_mut().unwrap().wait();
    world.broker = None;
}

#[test]
fn a_detached_run_is_accepted_and_its_end_and_output_are_told_later() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    let job = detached(&mut client);
    let running = world.client().ask(&format!("job {job}"));
    assert_eq!((running.code(), &*fact(&running, "state"), &*fact(&running, "exit")), (200, "running", ""));
    gate.open();
    let over = followed(&mut client, &job);
    assert_eq!(over.output(), ["ready", "open"]);
    for (name, value) in [("exit", "3"), ("command", "gate"), ("request", "gate")] {
        assert_eq!(fact(&over, name), value);
    }
    let looked = client.ask(&format!("job {job}"));
    assert_eq!(
        (looked.output(), &*fact(&looked, "exit")),
        (vec!["ready".to_owned(), "open".to_owned()], "3")
    );
    world.broker().line_with(&["finished", &job, "EXIT=3", "DETACHED=yes"]);
}

#[test]
fn a_detached_run_takes_an_input() {
    let world = world();
    let answer = world.client().send("cat detach=yes <6\nabcdef").answer();
    assert_eq!(answer.code(), 202);
    let over = followed(&mut world.client(), &answer.field("job"));
    assert_eq!(over.output(), ["abcdef"]);
}

#[test]
fn what_can_not_be_started_is_not_accepted() {
    let world = world();
    assert_eq!(world.client().ask("flood 0 detach=yes").code(), 422);
    assert_eq!(world.client().ask("nothing detach=yes").code(), 403);
    assert_eq!(world.client().ask("jobs").rows().len(), 0);
}

#[test]
fn jobs_lists_what_runs_and_what_is_over_in_its_order() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    assert_eq!(client.ask("mark one").code(), 200);
    let job = detached(&mut client);
    let states = |answer: &Answer| -> Vec<String> {
        let value = |row: &Vec<(String, String)>, name: &str| {
            row.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        answer.rows().iter().map(|row| format!("{} {}", value(row, "request"), value(row, "state"))).collect()
    };
    assert_eq!(states(&client.ask("jobs")), ["mark one ended", "gate running"]);
    gate.open();
    followed(&mut client, &job);
    assert_eq!(states(&client.ask("jobs")), ["mark one ended", "gate ended"]);
}

#[test]
fn a_run_of_another_session_is_followed_from_its_beginning_and_no_octet_is_missing() {
    let world = world();
    let mut gate = world.gate();
    let mut runner = world.client();
    runner.send("gate\n");
    assert!(runner.line().unwrap().starts_with(b"| ready"));
    let mut follower = world.client();
    let job = fact(&follower.ask("jobs"), "job");
    follower.send(format!("job {job} follow\n"));
    assert!(follower.line().unwrap().starts_with(b"* job="));
    assert_eq!(follower.line().unwrap(), b"| ready");
    gate.open();
    assert_eq!(follower.answer().output(), ["open"]);
    assert_eq!(runner.answer().code(), 210);
}

#[test]
fn cancel_ends_the_following_and_not_what_is_followed() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    let job = detached(&mut client);
    client.send(format!("job {job} follow\ncancel\n"));
    assert_eq!((client.answer().code(), client.answer().code()), (200, 200));
    assert_eq!(fact(&client.ask(&format!("job {job}")), "state"), "running");
    gate.open();
    followed(&mut client, &job);
}

#[test]
fn cancel_while_the_first_run_of_a_token_is_waited_for_ends_that_run() {
    let world = world();
    let (mut client, mut again) = (world.client(), world.client());
    for client in [&mut client, &mut again] {
        client.send("gate id=t\n");
        assert!(client.line().unwrap().starts_with(b"| ready"));
    }
    again.send("cancel\n");
    assert_eq!((again.answer().code(), client.answer().code(), marks(&world)), (213, 213, 1));
}

#[test]
fn a_run_is_ended_by_its_id_from_another_session_on_record() {
    let world = world();
    let mut runner = world.client();
    runner.send("gate\n");
    assert!(runner.line().unwrap().starts_with(b"| ready"));
    let mut other = world.client();
    let job = fact(&other.ask("jobs"), "job");
    assert_eq!(other.ask(&format!("cancel job={job}")).code(), 200);
    assert_eq!(
        (runner.answer().code(), &*fact(&other.ask(&format!("job {job}")), "exit")),
        (213, "cancelled")
    );
    world.broker().line_with(&["job-cancelled", &job, "COMMAND=gate"]);
    let again = other.ask(&format!("cancel job={job}"));
    assert_eq!((again.code(), &*again.field("name")), (422, "job"));
    assert_eq!(other.ask("cancel job=000000000000").code(), 422);
}

/// Another user's connection.
fn connect_as(world: &World, uid: u32) -> Client {
    let door = world.folder.file("udsadmin.sock");
    let connect = move || UnixStream::connect(&door).unwrap();
    Client::of(as_user(uid, connect))
}

#[test]
fn another_user_can_not_tell_a_run_from_none_and_an_administrator_sees_all_on_record() {
    if !is_root() {
        return;
    }
    let world = world();
    let job = detached(&mut world.client());
    let ask = |uid: u32, line: &str| {
        let mut client = connect_as(&world, uid);
        as_user(uid, || client.ask(line))
    };
    for line in [format!("job {job}"), format!("cancel job={job}")] {
        let (his, none) = (ask(STRANGER, &line), ask(STRANGER, &line.replace(&job, "000000000000")));
        assert_eq!((his.code(), his.last.text), (422, none.last.text));
        world.broker().line_with(&["denied", &line, "DECISION=deny"]);
    }
    assert_eq!((ask(STRANGER, "jobs").rows().len(), ask(STRANGER, "jobs all").code()), (0, 403));
    assert_eq!(ask(61_235, "jobs").rows().len(), 0);
    assert_eq!(fact(&ask(61_235, "jobs all"), "job"), job);
    assert_eq!(fact(&ask(61_235, &format!("job {job}")), "state"), "running");
    world.broker().line_with(&["job-read", &job, "UID=61235", "JOB_UID=0"]);
    assert_eq!(ask(61_235, &format!("cancel job={job}")).code(), 200);
    world.broker().line_with(&["job-cancelled", &job, "UID=61235"]);
    world.broker().line_with(&["finished", &job, "EXIT=cancelled"]);
}

#[test]
fn what_runs_goes_on_without_its_client_and_all_that_it_writes_can_be_read() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    drop(client);
    let mut other = world.client();
    let job = fact(&other.ask("jobs"), "job");
    gate.open();
    assert_eq!(followed(&mut other, &job).output(), ["ready", "open"]);
    world.broker().line_with(&["finished", &job, "EXIT=3"]);
}

#[test]
fn what_nobody_has_read_of_a_run_that_is_over_is_kept_though_the_server_dies() {
    let mut world = world();
    let mut client = world.client();
    client.send("full\n");
    world.broker().line_with(&["finished", "full", "EXIT=0"]);
    let mut other = world.client();
    let job = fact(&other.ask("jobs"), "job");
    let mut kept = || other.ask(&format!("job {job}")).stdout().len();
    // What the server takes it keeps before it answers anybody; it takes no more, as nobody reads.
    let mut taken = kept();
    while kept() != taken {
        taken = kept();
    }
    assert!(taken < 180_000, "the rest is in the pipe");
    kill_server(&mut world);
    world.start_server();
    let mut next = world.client();
    // The broker may hear of the server's end after this client's request.
    let mut is_whole = || next.ask(&format!("job {job}")).stdout().len() == 180_000;
    assert!((0..1000).any(|_| is_whole()), "the end of its output is lost");
}

#[test]
fn what_is_not_to_go_on_without_its_client_is_ended() {
    let world = world();
    let mut client = world.client();
    client.send("heed\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    drop(client);
    world.broker().line_with(&["finished", "heed", "EXIT=cancelled"]);
}

#[test]
fn a_server_that_dies_ends_its_clients_at_once_and_no_run_that_is_to_go_on() {
    let mut world = world();
    let mut gate = world.gate();
    let (mut client, mut heeding) = (world.client(), world.client());
    for (client, line) in [(&mut client, "gate\n"), (&mut heeding, "heed\n")] {
        client.send(line);
        assert!(client.line().unwrap().starts_with(b"| ready"));
    }
    let over = world.client().ask("flood 3 detach=yes").field("job");
    kill_server(&mut world);
    client.expect_end();
    heeding.expect_end();
    world.broker().line_with(&["finished", "heed", "EXIT=cancelled"]);
    world.start_server();
    let mut next = world.client();
    let rows = next.ask("jobs").rows();
    assert_eq!(rows.len(), 3);
    gate.open();
    assert_eq!(followed(&mut next, &over).stdout(), [0; 3]);
    let first = rows[0].iter().find(|(name, _)| name == "job").unwrap().1.clone();
    assert_eq!(followed(&mut next, &first).output(), ["ready", "open"]);
}

#[test]
fn of_much_output_the_end_is_kept_and_the_rest_is_counted() {
    let world = world();
    let answer = world.client().ask("flood 100000 detach=yes");
    let job = answer.field("job");
    let mut client = world.client();
    followed(&mut client, &job);
    client.send(format!("@t job {job}\nquit\n"));
    let text = client.rest();
    assert!(text.contains("@t # 98976 octets of stdout are not kept\n"), "{text}");
    assert_eq!(text.matches("\\x00").count(), 1024);
}

#[test]
fn a_result_is_kept_no_longer_than_its_policy_says() {
    let world = world();
    let answer = world.client().ask("brief");
    assert_eq!(world.client().ask(&format!("job {}", answer.field("job"))).code(), 422);
    assert_eq!(world.client().ask("jobs").rows().len(), 0);
}

#[test]
fn a_run_past_its_output_limit_is_ended_and_not_an_octet_more_is_passed_on() {
    let world = world();
    for request in ["capped", "capped detach=yes"] {
        let mut answer = world.client().ask(request);
        let job = answer.field("job");
        if answer.code() == 202 {
            answer = followed(&mut world.client(), &job);
            assert_eq!(fact(&answer, "exit"), "capped");
            assert!(answer.stdout().len() + answer.stderr().len() > 10_000);
        } else {
            assert_eq!((answer.code(), &*answer.last.name), (214, "capped"));
            let text = [answer.stdout(), answer.stderr()].concat();
            assert_eq!(text.iter().filter(|octet| matches!(octet, b'x' | b'y')).count(), 10_000);
        }
        world.broker().line_with(&["finished", &job, "EXIT=capped"]);
    }
}

#[test]
fn a_client_that_reads_nothing_for_too_long_counts_as_gone() {
    let world = world();
    let mut client = world.client();
    client.send("patient\n");
    world.broker().line_with(&["finished", "patient", "EXIT=0"]);
    assert_eq!(marks(&world), 1);
    assert!(!client.rest().contains("exit code="), "its connection ended before its answer");
}

#[test]
fn the_same_token_again_tells_of_the_first_run_and_runs_no_second() {
    let world = world();
    let mut client = world.client();
    let first = client.ask("mark one id=t-1");
    let again = client.ask("mark one id=t-1");
    assert_eq!((first.code(), again.code(), marks(&world)), (200, 200, 1));
    assert_eq!((first.field("job"), first.field("ms")), (again.field("job"), again.field("ms")));
    assert_eq!(again.output(), ["one"]);
    let other = client.ask("mark two id=t-1");
    assert_eq!((other.code(), &*other.field("name"), marks(&world)), (422, "id", 1));
    assert_eq!((client.ask("mark one id=t-2").code(), marks(&world)), (200, 2));
    let later = client.ask("mark one id=t-1 detach=yes");
    assert_eq!((later.code(), later.field("job"), marks(&world)), (202, first.field("job"), 2));
}

#[test]
fn the_same_token_while_the_first_runs_waits_for_its_end() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate id=t\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    let mut again = world.client();
    again.send("gate id=t\n");
    assert_eq!(again.line().unwrap(), b"| ready");
    gate.open();
    let (first, second) = (client.answer(), again.answer());
    assert_eq!((first.code(), second.code(), marks(&world)), (210, 210, 1));
    assert_eq!(first.field("job"), second.field("job"));
}

#[test]
fn a_token_whose_run_was_not_started_is_free() {
    let world = world();
    assert_eq!(world.client().ask("flood 0 id=t").code(), 422);
    assert_eq!(world.client().ask("mark one id=t").code(), 200);
}

#[test]
fn a_token_is_known_though_server_and_broker_were_restarted() {
    let mut world = world();
    let first = world.client().ask("mark one id=t");
    kill_server(&mut world);
    world.start_server();
    let again = world.client().ask("mark one id=t");
    assert_eq!(
        (again.code(), again.field("job"), again.output()),
        (200, first.field("job"), vec!["one".into()])
    );
    kill_broker(&mut world);
    world.start_broker();
    let again = world.client().ask("mark one id=t");
    assert_eq!((again.code(), again.field("job"), marks(&world)), (200, first.field("job"), 1));
}

#[test]
fn a_token_whose_run_nobody_saw_the_end_of_is_unknown_and_runs_no_second() {
    let mut world = world();
    let mut client = world.client();
    client.send("gate id=t\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    kill_broker(&mut world);
    let first = client.answer();
    world.start_broker();
    let again = world.client().ask("gate id=t");
    assert_eq!((first.code(), again.code(), marks(&world)), (599, 599, 1));
    assert_eq!(first.field("job"), again.field("job"));
    world.gate().open();
}

#[test]
fn a_command_that_ends_with_its_client_can_not_be_detached_from_it() {
    let world = world();
    let answer = world.client().ask("heed detach=yes");
    assert_eq!((answer.code(), &*answer.field("name"), marks(&world)), (422, "detach", 0));
}

#[test]
fn the_same_token_with_another_input_is_another_request() {
    let world = world();
    let ask = |input: &str| world.client().send(format!("cat id=t <3\n{input}")).answer();
    assert_eq!(ask("AAA").output(), ["AAA"]);
    assert_eq!((ask("AAA").output(), ask("BBB").code()), (vec!["AAA".to_owned()], 422));
}

#[test]
fn a_request_of_any_length_is_listed_in_short() {
    let world = world();
    let longest = "\u{100000}".repeat(1000);
    assert_eq!(world.client().ask(&format!("say {longest} {longest}")).code(), 200);
    let listed = world.client().ask("jobs");
    assert_eq!((listed.code(), listed.rows().len()), (200, 1));
    assert!(fact(&listed, "request").len() < 2048);
}
