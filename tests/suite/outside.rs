//! Arguments that mean something on the machine: paths, accounts, secrets. What is proven, what is handed over, what stays unseen.

use crate::process::command;
use crate::world::{UDSADMIN, World, user};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

/// The commands of these tests. `USER` is the caller, `FOLDER` the private folder.
const POLICY: &str = include_str!("outside.toml");

/// A value that must not be found anywhere.
const PASSWORD: &str = "hunter2-K7q";

/// A user who is not root, and is in every system.
const OTHER: &str = "daemon";

/// The programs, and a site with a page in a folder, and another page outside of it.
fn world() -> World {
    let world = World::prepare(&POLICY.replace("OTHER", OTHER));
    for folder in ["site", "site/a", "other"] {
        fs::create_dir(world.folder.file(folder)).unwrap();
    }
    world.folder.write("site/a/page", "ours\n");
    world.folder.write("other/page", "theirs\n");
    world.started()
}

fn path(world: &World, below: &str) -> String {
    world.folder.file(below).to_str().unwrap().to_owned()
}

/// Everything that both programs wrote, once they have ended.
fn everything_written(world: &mut World) -> String {
    let daemons = [world.server.take().unwrap(), world.broker.take().unwrap()];
    let written = daemons.map(|mut daemon| {
        daemon.signal(Signal::TERM);
        assert!(daemon.wait().success());
        daemon.all_lines().join("\n")
    });
    written.join("\n")
}

/// What a command reads that waits at the gate while the folder on its way becomes a symbolic link to another.
fn read_after_swap(name: &str) -> Vec<u8> {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send(format!("{name} {}\n", path(&world, "site/a/page")));
    assert_eq!(client.line().unwrap(), b"| ready");
    fs::rename(world.folder.file("site/a"), world.folder.file("site/before")).unwrap();
    symlink(world.folder.file("other"), world.folder.file("site/a")).unwrap();
    gate.open();
    client.answer().stdout()
}

#[test]
fn a_path_that_is_swapped_after_its_proof_does_not_matter_to_a_program_that_is_handed_the_file() {
    assert_eq!(read_after_swap("read-handed"), b"ours\n");
}

#[test]
fn a_program_that_gets_the_path_alone_follows_the_swap() {
    assert_eq!(read_after_swap("read-path"), b"theirs\n");
}

#[test]
fn something_new_is_a_link_where_another_puts_one_first() {
    let world = world();
    let mut gate = world.gate();
    let mut client = world.client();
    client.send(format!("write-new {}\n", path(&world, "site/a/new")));
    assert_eq!(client.line().unwrap(), b"| ready");
    symlink(world.folder.file("other/planted"), world.folder.file("site/a/new")).unwrap();
    gate.open();
    assert_eq!(client.answer().code(), 200);
    assert!(world.folder.file("other/planted").is_file(), "then config/policy.toml need not warn of it");
}

#[test]
fn what_is_not_as_declared_is_refused_in_the_same_words_and_starts_nothing() {
    let mut world = world();
    let file = |name: &str| world.folder.file(name);
    symlink(file("other/page"), file("site/link")).unwrap();
    symlink(file("other"), file("site/way")).unwrap();
    symlink("a/page", file("site/inside")).unwrap();
    symlink("/proc/self/fd/0", file("site/magic")).unwrap();
    nix::unistd::mkfifo(&file("site/fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let _socket = UnixListener::bind(file("site/socket")).unwrap();
    let words = format!("must be the path of an existing file under {}", path(&world, "site"));
    let mut client = world.client();
    for name in ["read-handed", "read-path"] {
        for below in ["missing", "link", "way/page", "inside", "magic", "fifo", "socket", "a", "a/page/x"] {
            let answer = client.ask(&format!("{name} {}", path(&world, &format!("site/{below}"))));
            assert_eq!((answer.code(), answer.field("name")), (422, "file".to_owned()), "{name} {below}");
            assert_eq!(String::from_utf8(answer.last.text).unwrap(), words);
        }
    }
    world.broker().line_with(&["audit: denied: ", "site/missing", "DECISION=deny", "does not exist"]);
    world.broker().line_with(&["audit: denied: ", "site/link", "RULE=", "a symbolic link"]);
    assert!(!everything_written(&mut world).contains("audit: started"));
}

#[test]
fn a_root_that_is_a_symbolic_link_lets_nothing_through() {
    let world = world();
    assert_eq!(world.client().ask(&format!("read-handed {}", path(&world, "site/a/page x=y"))).code(), 422);
    fs::rename(world.folder.file("site"), world.folder.file("real")).unwrap();
    symlink(world.folder.file("real"), world.folder.file("site")).unwrap();
    assert_eq!(world.client().ask(&format!("read-handed {}", path(&world, "site/a/page"))).code(), 422);
}

#[test]
fn something_new_is_made_in_the_directory_that_was_proven_and_only_once() {
    let world = world();
    symlink("nowhere", world.folder.file("site/a/dangling")).unwrap();
    symlink(world.folder.file("other"), world.folder.file("site/way")).unwrap();
    let mut client = world.client();
    let mut make = |below: &str| client.ask(&format!("make {}", path(&world, below))).code();
    assert_eq!(make("site/a/new"), 200);
    assert!(world.folder.file("site/a/new").is_file());
    assert_eq!(make("site/top"), 200);
    assert!(world.folder.file("site/top").is_file());
    for taken in
        ["site/a/new", "site/a/dangling", "site/a", "site/missing/new", "site/way/new", "site/a/page/new"]
    {
        assert_eq!(make(taken), 422, "{taken}");
    }
    assert_eq!(fs::read_dir(world.folder.file("other")).unwrap().count(), 1);
}

#[test]
fn a_program_is_handed_its_files_from_three_on_and_nothing_else() {
    let world = world();
    world.folder.write("site/b", "");
    let both = format!("list {} {}", path(&world, "site/a/page"), path(&world, "site/b"));
    let answer = world.client().ask(&both);
    // The last is the program's own, of the folder that it lists.
    assert_eq!(answer.output(), ["/proc/self/fd/3", "/proc/self/fd/4", "0", "1", "2", "3", "4", "5"]);
}

#[test]
fn only_users_and_groups_that_exist_are_taken() {
    let world = world();
    let (user, mut client) = (user(), world.client());
    let group = nix::unistd::Group::from_gid(nix::unistd::getegid()).unwrap().unwrap().name;
    assert_eq!(client.ask(&format!("account {user} {group}")).output(), [user.clone(), group.clone()]);
    for (line, name) in [
        (format!("account no-such-user {group}"), "user"),
        (format!("account {user} no-such-group"), "group"),
        (format!("account {user} nogroup"), "group"),
        (format!("account nobody {group}"), "user"),
        ("person root".to_owned(), "user"),
    ] {
        let answer = client.ask(&line);
        assert_eq!((answer.code(), answer.field("name")), (422, name.to_owned()), "{line}");
    }
}

#[test]
fn several_values_are_an_element_each_and_a_field_each() {
    let world = world();
    let answer = world.client().ask("several one 'two three' ''");
    assert_eq!(answer.stdout(), b"[--word=one][--word=two three][--word=]");
    world.broker().line_with(&["audit: started: ", "ARG_WORD=one", "ARG_WORD=two three", "ARG_WORD= "]);
    assert_eq!(world.client().ask("help several").column("times"), ["1-3"]);
}

#[test]
fn a_secret_comes_to_the_program_as_a_file_that_nobody_can_change() {
    let world = world();
    let answer = world.client().ask(&format!("secret who {PASSWORD}"));
    assert_eq!(answer.code(), 200);
    assert_eq!(answer.output(), [format!("{PASSWORD}/proc/self/fd/3"), PASSWORD.to_owned()]);
    assert!(!answer.stderr().is_empty(), "the attempt to change it went unnoticed");
}

#[test]
fn a_secret_comes_to_the_program_as_its_standard_input_and_nothing_else_does() {
    let world = world();
    let mut client = world.client();
    assert_eq!(client.ask(&format!("feed token={PASSWORD}")).stdout(), PASSWORD.as_bytes());
    let answer = client.send(format!("feed token={PASSWORD} <1\nx")).answer();
    assert_eq!((answer.code(), answer.field("name")), (422, "input".to_owned()));
}

#[test]
fn a_program_of_another_user_reads_what_it_is_handed_and_nothing_that_it_may_not() {
    if !crate::process::is_root() {
        return;
    }
    let world = world();
    for (name, mode) in [("open", 0o644), ("closed", 0o600)] {
        fs::set_permissions(
            world.folder.write(&format!("site/{name}"), "text"),
            PermissionsExt::from_mode(mode),
        )
        .unwrap();
    }
    fs::set_permissions(world.folder.file("site"), PermissionsExt::from_mode(0o700)).unwrap();
    let mut client = world.client();
    let mut lent =
        |name: &str| client.ask(&format!("lend {} {PASSWORD}", path(&world, &format!("site/{name}"))));
    assert_eq!(lent("open").stdout(), format!("text{PASSWORD}").as_bytes());
    assert_eq!(lent("closed").stdout(), PASSWORD.as_bytes());
}

#[test]
fn a_secret_is_nowhere_to_be_seen() {
    let mut world = world();
    let mut client = world.client();
    let shown = client.ask(&format!("look who {PASSWORD}"));
    assert_eq!(shown.code(), 200);
    assert!(!String::from_utf8_lossy(&shown.stdout()).contains(PASSWORD), "argv or environment");
    let long = PASSWORD.repeat(9);
    for line in [
        format!("secret who {PASSWORD}"),
        format!("secret who pw={PASSWORD}"),
        format!("secret who {PASSWORD} {PASSWORD}"),
        format!("secret who {PASSWORD}=x"),
        format!("secret who paw={PASSWORD}"),
        format!("secret who {long}"),
        format!("secret {PASSWORD}! who"),
        format!("set {PASSWORD} {PASSWORD}"),
        format!("set {PASSWORD}! x"),
        format!("maybe {PASSWORD}"),
        format!("maybe {PASSWORD} root"),
        format!("maybe {PASSWORD} root b"),
        format!("once {PASSWORD} root"),
        format!("told {PASSWORD} root <1\nx"),
        format!("account {PASSWORD} {PASSWORD} {PASSWORD}"),
        format!("person {PASSWORD}=1"),
        format!("chown {PASSWORD} root"),
        format!("unknown {PASSWORD} {PASSWORD}=1 user={PASSWORD}"),
        format!("forbidden {PASSWORD} {PASSWORD}=1"),
        format!("feed {PASSWORD} <1\nx"),
        format!("secret who \"{PASSWORD}"),
        format!("why secret who {PASSWORD}"),
        format!("why secret who {long}"),
    ] {
        let answer = world.client().ask(&line);
        let told: String = format!("{:?} {}", answer.rows(), String::from_utf8_lossy(&answer.last.text));
        assert!(!told.contains(PASSWORD), "{line}: {told}");
    }
    let written = everything_written(&mut world);
    assert!(!written.contains(PASSWORD) && !written.contains("hunter2"), "{written}");
    assert!(
        written.contains("ARG_PW=[secret]") && written.contains("REQUEST=secret who [secret]"),
        "{written}"
    );
}

#[test]
fn the_client_reads_a_secret_from_a_file_or_its_input() {
    let world = world();
    let file = world.folder.write("key", &format!("{PASSWORD}\n"));
    let socket = path(&world, "udsadmin.sock");
    let run = |secret: String| {
        let mut started = command(UDSADMIN);
        started.args(["run", "--socket", &socket, "--secret", &secret, "feed"]);
        let mut child = started.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    assert_eq!(run(format!("token={}", file.display())), PASSWORD.as_bytes());
    assert_eq!(run("token=-".to_owned()), PASSWORD.as_bytes());
}
