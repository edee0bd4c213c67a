//! A policy that is replaced while both programs serve: whole, in both, and for no request halfway.

use crate::client::Client;
use crate::process::{Daemon, is_root};
use crate::world::{Folder, POLICY, UDSADMIN, World};
use rustix::process::Signal;
use udsadmin::broker::{Order, Packets, Report};

/// Lets the caller reload and confirm.
const GRANTS: &str = "
[[builtins.reload.allow]]
users = [\"USER\"]
[[builtins.confirm.allow]]
users = [\"USER\"]
[[builtins.status.allow]]
users = [\"USER\"]
";

/// One command more.
const MORE: &str = "
[commands.more]
exec = [\"/bin/echo\", \"more\"]
run-as = \"USER\"
[[commands.more.allow]]
users = [\"USER\"]
";

/// Nothing but the door.
const LESS: &str = "[allow]\nusers = [\"USER\"]\n";

fn granted(rest: &str) -> String {
    format!("{POLICY}{GRANTS}{rest}")
}

impl World {
    /// Replaces the policy, has the broker read it, and waits until it says this of that.
    fn reload(&self, policy: &str, said: &[&str]) {
        self.folder.write("policy.toml", policy);
        self.broker().signal(Signal::HUP);
        self.broker().line_with(said);
    }
}

/// That the server has taken over another text than it had.
fn followed(server: &Daemon) {
    server.line_with(&["policy-loaded", "as at the broker"]);
}

#[test]
fn a_policy_that_changes_is_in_force_at_its_reload_and_not_before() {
    let world = World::start();
    let mut client = world.client();
    world.folder.write("policy.toml", &granted(MORE));
    assert_eq!(client.ask("more").code(), 403);
    world.reload(&granted(MORE), &["policy-loaded", "by SIGHUP", "GAINS=user "]);
    followed(world.server());
    assert_eq!(client.ask("more").output(), ["more"]);
}

#[test]
fn a_session_that_stays_open_sees_the_commands_of_the_new_policy() {
    let world = World::with(&granted(MORE));
    let mut client = world.client();
    assert!(client.ask("commands").column("name").contains(&"more".to_owned()));
    world.reload(&granted(""), &["by SIGHUP", "LOSSES=user "]);
    followed(world.server());
    let names = client.ask("commands").column("name");
    assert!(!names.contains(&"more".to_owned()) && names.contains(&"echo".to_owned()), "{names:?}");
    assert_eq!(client.ask("help more").code(), 403);
    assert_eq!(client.ask("more").code(), 403);
}

#[test]
fn a_run_under_way_is_finished_under_the_policy_that_permitted_it() {
    let world = World::start();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send("gate\necho after\n");
    assert!(client.line().unwrap().starts_with(b"| ready"));
    world.reload(LESS, &["by SIGHUP"]);
    followed(world.server());
    gate.open();
    let answer = client.answer();
    assert_eq!((answer.code(), answer.output()), (200, vec!["open".to_owned()]));
    assert_eq!(client.answer().code(), 403, "what waited is judged by the policy of its turn");
}

#[test]
fn a_bad_policy_is_refused_whole_with_its_place_and_the_old_one_serves() {
    let world = World::start();
    let mut client = world.client();
    world.reload(
        &format!("{MORE}user = 1\n"),
        &["policy-refused", "policy.toml:7:1", "ERROR=", "stays in force"],
    );
    assert_eq!(client.ask("more").code(), 403);
    assert_eq!(world.client().ask("echo still").output(), ["still"]);
    world.reload(&granted(MORE), &["policy-loaded", "by SIGHUP"]);
    followed(world.server());
    assert_eq!(client.ask("more").code(), 200);
}

#[test]
fn a_policy_of_files_that_others_may_write_is_refused() {
    let world = World::start();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(world.folder.file("policy.toml"), mode).unwrap();
    world.broker().signal(Signal::HUP);
    world.broker().line_with(&["policy-refused", "policy.toml: writable by"]);
    assert_eq!(world.client().ask("echo still").code(), 200);
}

#[test]
fn a_policy_that_fails_its_own_test_is_refused() {
    let world = World::start();
    let test = "[[test]]\npeer = { user = \"USER\" }\nrequest = \"more\"\nexpect = \"deny\"\n";
    world.reload(&granted(&format!("{MORE}{test}")), &["policy-refused", "permitted"]);
    assert_eq!(world.client().ask("more").code(), 403);
}

#[test]
fn reload_tells_what_changes_and_the_next_request_is_judged_by_it() {
    let world = World::with(&granted(""));
    let mut client = world.client();
    world.folder.write("policy.toml", &granted(MORE));
    let answer = client.ask("@r reload");
    assert_eq!((answer.code(), &*answer.field("warnings")), (200, "0"), "{:?}", answer.last);
    let row = answer.rows().concat();
    for (name, value) in [("change", "gain"), ("command", "more")] {
        assert!(row.contains(&(name.to_owned(), value.to_owned())), "{row:?}");
    }
    assert!(answer.tag.is_some() && answer.parts.iter().all(|part| part.tag == answer.tag));
    assert_eq!(client.ask("more").output(), ["more"]);
    world.broker().line_with(&["policy-loaded", "REQUEST=reload", "UID=", "DECISION=permit"]);
}

#[test]
fn reload_says_everything_that_is_wrong_and_where() {
    let world = World::with(&granted(""));
    world.folder.write("policy.toml", &granted("[commands.a]\nexec = [\"relative\"]\nx = 1\n"));
    let mut client = world.client();
    let answer = client.ask("reload");
    assert_eq!((answer.code(), &*answer.field("name")), (422, "policy"));
    let places = answer.column("at");
    assert!(places.len() > 1 && places.iter().all(|at| at.contains("/policy.toml:")), "{places:?}");
    assert_eq!(places.len(), answer.column("message").len());
    assert!(String::from_utf8(answer.last.text).unwrap().contains(&places[0]));
    let status = client.ask("status").rows().concat();
    assert!(
        status.iter().any(|(name, value)| name == "policy-refused" && value.contains(&places[0])),
        "{status:?}"
    );
}

#[test]
fn whoever_is_not_granted_it_neither_reloads_nor_confirms() {
    let world = World::start();
    let mut client = world.client();
    world.folder.write("policy.toml", &granted(MORE));
    for request in ["reload", "reload confirm=60s", "confirm"] {
        assert_eq!(client.ask(request).code(), 403);
    }
    assert_eq!(client.ask("more").code(), 403);
    world.server().line_with(&["denied", "REQUEST=reload"]);
    world.server().line_with(&["denied", "REQUEST=confirm"]);
}

#[test]
fn a_reload_on_trial_is_kept_by_confirm() {
    let world = World::with(&granted(""));
    let (mut client, mut other) = (world.client(), world.client());
    assert_eq!(client.ask("confirm").code(), 422);
    world.folder.write("policy.toml", &granted(MORE));
    let answer = client.ask("reload confirm=1h");
    assert_eq!(answer.code(), 200);
    assert!(answer.field("until").ends_with('Z'), "{:?}", answer.last);
    assert_eq!((client.ask("reload").code(), other.ask("reload confirm=1h").code()), (409, 409));
    assert!(other.ask("status").rows().concat().iter().any(|(name, _)| name == "confirm-until"));
    assert_eq!((other.ask("confirm").code(), client.ask("confirm").code()), (200, 422));
    world.broker().line_with(&["policy-loaded", "is confirmed", "REQUEST=confirm"]);
    assert_eq!(client.ask("reload").code(), 200);
}

#[test]
fn a_policy_that_would_lock_out_its_author_undoes_itself() {
    let world = World::with(&granted(MORE));
    let mut client = world.client();
    world.folder.write("policy.toml", LESS);
    assert_eq!(client.ask("reload confirm=1s").code(), 200);
    assert_eq!(
        (client.ask("confirm").code(), client.ask("more").code()),
        (403, 403),
        "judged by the new policy"
    );
    world.broker().line_with(&["policy-loaded", "not confirmed", "in force again"]);
    while client.ask("more").code() != 200 {}
    assert!(
        client
            .ask("status")
            .rows()
            .concat()
            .contains(&("policy-refused".to_owned(), "not confirmed in time".to_owned()))
    );
}

#[test]
fn a_peer_whom_the_new_policy_does_not_admit_is_told_so_and_let_go() {
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("ping").code(), 200);
    world.reload("[allow]\nusers = [61234]\n", &["by SIGHUP"]);
    followed(world.server());
    assert_eq!(client.ask("whoami").code(), 403);
    client.expect_end();
    world.server().line_with(&["refused", "DECISION=deny"]);
}

#[test]
fn a_deny_of_a_group_that_comes_with_a_reload_counts_for_who_is_connected() {
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("echo a").code(), 200);
    // A group that the caller is not in: the groups of the user database are needed to know that.
    world.reload(&format!("{POLICY}[deny]\ngroups = [61234]\n"), &["by SIGHUP"]);
    followed(world.server());
    assert_eq!(client.ask("echo b").output(), ["b"]);
}

#[test]
fn the_server_follows_a_broker_that_was_replaced() {
    let mut world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("echo a").code(), 200);
    world.broker().signal(Signal::KILL);
    world.broker.as_mut().unwrap().wait();
    world.broker = None;
    assert_eq!(client.ask("whoami").code(), 200);
    world.folder.write("policy.toml", &granted(MORE));
    world.start_broker();
    world.server().signal(Signal::HUP);
    followed(world.server());
    assert_eq!(client.ask("more").output(), ["more"]);
}

#[test]
fn a_hundred_reloads_lose_no_request() {
    let world = World::with(&granted(""));
    let work = |mut client: Client| {
        (0..200).map(|_| client.ask("echo steady").output()).all(|output| output == ["steady"])
    };
    std::thread::scope(|scope| {
        let clients = [world.client(), world.client()].map(|client| scope.spawn(|| work(client)));
        let mut admin = world.client();
        for round in 0..100 {
            world.folder.write("policy.toml", &granted(if round % 2 == 0 { MORE } else { "" }));
            assert_eq!(admin.ask("reload").code(), 200);
            assert_eq!(admin.ask("more").code(), if round % 2 == 0 { 200 } else { 403 });
        }
        assert!(clients.into_iter().all(|client| client.join().unwrap()));
    });
}

/// How the command line's client ends, and what it says on standard output.
fn told_at_the_command_line(world: &World, words: &[&str]) -> (Option<i32>, String) {
    let mut asked = crate::process::command(UDSADMIN);
    let (words, socket) = (words.iter(), world.folder.file("udsadmin.sock"));
    let done = asked.args(words).arg("--socket").arg(socket).output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

#[test]
fn the_client_reloads_and_confirms_and_tells_what_changes() {
    let world = World::with(&granted(""));
    world.folder.write("policy.toml", &granted(MORE));
    let (code, out) = told_at_the_command_line(&world, &["reload", "--confirm", "1h"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("+  user ") && out.contains("  more") && out.contains("`udsadmin confirm`"),
        "{out}"
    );
    assert_eq!(told_at_the_command_line(&world, &["reload"]).0, Some(75));
    assert_eq!(told_at_the_command_line(&world, &["confirm"]).0, Some(0));
    assert_eq!(told_at_the_command_line(&world, &["confirm"]).0, Some(64));
    world.folder.write("policy.toml", "[allow]\nuser = 1\n");
    let (code, out) = told_at_the_command_line(&world, &["reload"]);
    assert_eq!(code, Some(78));
    assert!(out.contains("/policy.toml:2:1: error: "), "{out}");
}

#[test]
fn check_says_whether_the_policy_could_come_into_force() {
    for (program, is_server) in
        [(env!("CARGO_BIN_EXE_udsadmind"), true), (env!("CARGO_BIN_EXE_udsadmin-broker"), false)]
    {
        let folder = Folder::new();
        for (text, code) in [(POLICY, 0), ("[allow]\nuser = 1\n", 78)] {
            let path = folder.write("policy.toml", text);
            let mut checking = crate::process::command(program);
            checking.arg("--check").arg("--demo").arg("--policy").arg(path);
            let mut daemon = Daemon::start(checking);
            assert_eq!(daemon.wait().code(), Some(code), "{is_server}");
            assert_eq!(daemon.all_lines().len(), usize::from(code != 0));
        }
    }
}

#[test]
fn no_server_but_ours_is_told_the_policy() {
    if !is_root() {
        return;
    }
    let world = World::start();
    let path = world.folder.file("broker.sock");
    let told = crate::process::as_stranger(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let packets = Packets::connect(&path).unwrap();
            drop(packets.send(&Order::Follow, &[]).await);
            packets.receive::<Report>().await.ok().flatten().is_some()
        })
    });
    assert!(!told);
    world.broker().line_with(&["refused", "connected to the broker"]);
}
