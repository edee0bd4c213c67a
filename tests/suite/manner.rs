//! In what manner a program runs: each key of a policy as the program sees it, and no start where one of them can't be had.

use crate::client::Answer;
use crate::execution::{OTHER, status};
use crate::process::is_root;
use crate::world::World;
use nix::unistd::User;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use udsadmin::execution::JobId;

/// A policy whose one command is a shell's script, with these keys.
fn policy(keys: &str, script: &str) -> String {
    format!(
        "[allow]\nusers = [\"USER\"]\n[commands.try]\nexec = [\"/bin/sh\", \"-c\", '''{script}''']\n{keys}\n\
         [[commands.try.allow]]\nusers = [\"USER\"]\n"
    )
}

/// What the script's run comes to.
fn run(keys: &str, script: &str) -> Answer {
    World::with(&policy(keys, script)).client().ask("try")
}

/// What the script writes, which has to end well.
fn seen(keys: &str, script: &str) -> Vec<String> {
    let answer = run(keys, script);
    assert_eq!(answer.code(), 200, "{keys}: {answer:?}");
    answer.output()
}

/// A run that does not start, for this reason.
fn refused(keys: &str, errno: i32, words: &str) {
    let world = World::with(&policy(keys, ": > FOLDER/ran"));
    let answer = world.client().ask("try");
    assert_eq!((answer.code(), answer.field("errno")), (502, errno.to_string()), "{keys}: {answer:?}");
    assert!(String::from_utf8_lossy(&answer.last.text).contains(words), "{words} in {answer:?}");
    world.broker().line_with(&["finished", &answer.field("job"), words]);
    assert!(!world.folder.file("ran").exists());
}

/// The five sets of capabilities.
fn sets(answer: &Answer) -> [String; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| status(answer, set))
}

/// `run-as` of another user.
const OTHERS: &str = "run-as = \"daemon\"";

const STATUS: &str = "exec /bin/cat /proc/self/status";

#[test]
fn groups_of_the_policy_take_the_place_of_the_users_own() {
    if !is_root() {
        return;
    }
    let answer = run("run-as = { user = \"daemon\", group = \"adm\", groups = [\"disk\", 61111] }", STATUS);
    let user = User::from_name(OTHER).unwrap().unwrap().uid;
    let gid = |name| nix::unistd::Group::from_name(name).unwrap().unwrap().gid;
    assert_eq!(status(&answer, "Uid"), format!("{user} {user} {user} {user}"));
    assert_eq!(status(&answer, "Gid"), [gid("adm").to_string().as_str(); 4].join(" "));
    assert_eq!(status(&answer, "Groups"), format!("{} 61111", gid("disk")));
    assert_eq!(status(&run("run-as = { user = \"daemon\", groups = [] }", STATUS), "Groups"), "");
}

#[test]
fn another_user_has_exactly_the_capabilities_that_it_is_given() {
    if !is_root() {
        return;
    }
    let kept = "0000000000000400";
    let keys = format!("{OTHERS}\ncapabilities = {{ ambient = [\"CAP_NET_BIND_SERVICE\"] }}");
    assert_eq!(sets(&run(&keys, STATUS)), [kept; 5]);
    let keys = format!(
        "{OTHERS}\ncapabilities = {{ ambient = [\"net-bind-service\"], bounding = [\"kill\", \"net-bind-service\"] }}"
    );
    assert_eq!(sets(&run(&keys, STATUS)), [kept, kept, kept, "0000000000000420", kept]);
    assert_eq!(sets(&run(OTHERS, STATUS)), ["0000000000000000"; 5]);
}

#[test]
fn root_has_what_the_bounding_set_leaves_to_it() {
    if !is_root() {
        return;
    }
    let [none, kept] = ["0000000000000000", "0000000000000021"];
    let keys = "run-as = \"root\"\ncapabilities = { bounding = [\"chown\", \"kill\"] }";
    assert_eq!(sets(&run(keys, STATUS)), [none, kept, kept, kept, none]);
}

#[test]
fn a_capability_that_the_broker_lacks_is_no_start() {
    if !is_root() {
        return;
    }
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let bounding = own.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap();
    let has_resource = u64::from_str_radix(bounding.trim(), 16).unwrap() >> 24 & 1 == 1;
    if has_resource {
        return;
    }
    let lacked = "capabilities = { bounding = [\"sys-resource\"] }";
    refused(lacked, libc::EPERM, "the bounding capabilities: Operation not permitted");
    let lacked =
        format!("{OTHERS}\nno-new-privileges = false\ncapabilities = {{ ambient = [\"sys-resource\"] }}");
    refused(&lacked, libc::EPERM, "the capabilities: Operation not permitted");
}

#[test]
fn new_privileges_are_as_the_policy_says() {
    if !is_root() {
        return;
    }
    for (keys, expected) in [
        (OTHERS.to_owned(), "1"),
        (format!("{OTHERS}\nno-new-privileges = false"), "0"),
        (String::new(), "0"),
        ("no-new-privileges = true".to_owned(), "1"),
    ] {
        assert_eq!(status(&run(&keys, STATUS), "NoNewPrivs"), expected, "{keys}");
    }
}

#[test]
fn a_setuid_program_gives_nothing_without_new_privileges() {
    if !is_root() {
        return;
    }
    let ask = |keys: &str| {
        let world = World::prepare(&policy(keys, "FOLDER/id -u"));
        let program = world.folder.file("id");
        let copied =
            crate::process::command("cp").args(["/usr/bin/id".as_ref(), program.as_os_str()]).status();
        assert!(copied.unwrap().success());
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
        world.started().client().ask("try").output()
    };
    let daemon = User::from_name(OTHER).unwrap().unwrap().uid.to_string();
    assert_eq!(ask(OTHERS), [daemon]);
    assert_eq!(ask(&format!("{OTHERS}\nno-new-privileges = false")), ["0"]);
}

#[test]
fn the_mask_and_the_directory_are_those_of_the_policy() {
    let keys = "umask = \"0027\"\ncwd = \"FOLDER\"";
    let world = World::with(&policy(keys, "umask; pwd"));
    let folder = world.folder.file("").to_str().unwrap().trim_end_matches('/').to_owned();
    assert_eq!(world.client().ask("try").output(), ["0027".to_owned(), folder]);
    refused("cwd = \"FOLDER/none\"", libc::ENOENT, "the working directory: No such file or directory");
    refused("cwd = \"/etc/passwd\"", libc::ENOTDIR, "the working directory: Not a directory");
}

#[test]
fn a_directory_is_entered_with_the_users_own_rights() {
    if is_root() {
        refused(
            &format!("{OTHERS}\ncwd = \"/root\""),
            libc::EACCES,
            "the working directory: Permission denied",
        );
    }
}

#[test]
fn variables_are_set_and_have_the_values_of_arguments() {
    let text = policy("", "echo $LANG-$HOME-$MODE-${{MODE+given}}").replacen(
        "[[",
        "environment = { set = { LANG = \"C\", HOME = \"/x y\" }, from-arg = { MODE = \"mode\" } }\n\
         args = [{ name = \"mode\", text = { max-length = 40 }, optional = true }]\n[[",
        1,
    );
    let world = World::with(&text);
    assert_eq!(world.client().ask("try \"a $(id) b\"").output(), ["C-/x y-a $(id) b-given"]);
    assert_eq!(world.client().ask("try").output(), ["C-/x y--"]);
}

#[test]
fn limits_are_set_and_can_not_be_raised() {
    let keys = "limits = { nofile = { soft = 20, hard = 30 }, core = 0, cpu = \"2min\", fsize = \"1MiB\", stack = \"4MiB\" }";
    let script = "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -t; ulimit -s; ulimit -f";
    assert_eq!(seen(keys, script), ["20", "30", "0", "120", "4096", "2048"]);
    let raise = "ulimit -Sn 30 && ulimit -n 31 2>/dev/null || ulimit -Sn";
    let others = if is_root() { OTHERS } else { "" };
    assert_eq!(seen(&format!("{others}\n{keys}"), raise), ["30"]);
}

#[test]
fn a_limit_beyond_the_brokers_own_is_no_start() {
    // No process may have more descriptors than fs.nr_open, whatever it is permitted.
    let keys = "limits = { nofile = \"infinity\" }";
    refused(keys, libc::EPERM, "the limit nofile: Operation not permitted");
}

#[test]
fn priorities_are_those_of_the_policy_or_of_everyone() {
    let script = "exec /usr/bin/cut -d ' ' -f 19 /proc/self/stat";
    assert_eq!(seen("nice = 7", script), ["7"]);
    assert_eq!(seen("", script), ["0"]);
    let ionice = std::path::Path::new("/usr/bin/ionice");
    if ionice.exists() {
        for (keys, expected) in [
            ("io = \"idle\"", "idle"),
            ("io = \"best-effort:7\"", "best-effort: prio 7"),
            ("", "none: prio 0"),
        ] {
            assert_eq!(seen(keys, "ionice"), [expected], "{keys}");
        }
    }
}

#[test]
fn a_private_tmp_is_empty_writable_and_gone_afterwards() {
    if !is_root() {
        return refused("private-tmp = true", libc::EPERM, "the namespaces: Operation not permitted");
    }
    let name = format!("udsadmin-manner-{}", JobId::draw().unwrap());
    let script = format!(
        "ls -A /tmp /var/tmp; echo mine > /tmp/{name}; cat /tmp/{name}; stat -c %a /tmp; \
         grep -c 'tmp tmpfs rw,nosuid,nodev' /proc/self/mounts"
    );
    let keys = format!("private-tmp = true\n{OTHERS}");
    assert_eq!(seen(&keys, &script), ["/tmp:", "", "/var/tmp:", "mine", "1777", "2"]);
    assert!(!std::path::Path::new("/tmp").join(&name).exists());
}

#[test]
fn what_is_read_only_is_so_for_root_and_nothing_of_it_comes_out() {
    if !is_root() {
        return refused("read-only = true", libc::EPERM, "the namespaces: Operation not permitted");
    }
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let world = World::prepare(&policy(
        "read-only = { except = [\"FOLDER/open\"] }",
        "for at in FOLDER /etc /dev/shm /run /proc/sys/kernel; do echo x 2>/dev/null > $at/x && echo wrote $at; done; \
         cd FOLDER/open && echo inside > x && cat x; echo fine > /dev/null && echo null; \
         grep -vc ' ro[ ,]' /proc/self/mounts",
    ));
    std::fs::create_dir(world.folder.file("open")).unwrap();
    let world = world.started();
    let answer = world.client().ask("try");
    assert_eq!(answer.output(), ["inside", "null", "1"]);
    assert_eq!(std::fs::read_to_string(world.folder.file("open/x")).unwrap(), "inside\n");
    let after = std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    assert_eq!(before, after);
}

#[test]
fn a_user_can_not_undo_what_is_read_only() {
    if !is_root() {
        return;
    }
    let script = "mount -o remount,rw / && echo undone; mount -t tmpfs x /tmp && echo mounted; umount /tmp && echo bare; \
                  unshare -Urm mount -o remount,rw,bind / && echo undone; echo x > /var/tmp/x && echo wrote; echo end";
    assert_eq!(seen(&format!("read-only = true\n{OTHERS}"), &format!("exec 2>/dev/null; {script}")), ["end"]);
    let keys = "read-only = true\ncapabilities = { bounding = [\"dac-override\"] }";
    assert_eq!(seen(keys, &format!("exec 2>/dev/null; {script}")), ["end"]);
}

#[test]
fn a_directory_that_is_not_there_or_behind_a_link_is_no_exception() {
    if !is_root() {
        return;
    }
    refused(
        "read-only = { except = [\"FOLDER/none\"] }",
        libc::ENOENT,
        "a directory of read-only.except: No such file or directory",
    );
    let world = World::prepare(&policy("read-only = { except = [\"FOLDER/link\"] }", ": > FOLDER/ran"));
    std::os::unix::fs::symlink("/etc", world.folder.file("link")).unwrap();
    let world = world.started();
    let answer = world.client().ask("try");
    assert_eq!((answer.code(), answer.field("errno")), (502, libc::ELOOP.to_string()), "{answer:?}");
    assert!(!world.folder.file("ran").exists());
}

#[test]
fn without_network_neither_the_machine_nor_an_abstract_socket_is_reached() {
    if !is_root() {
        return refused("network = false", libc::EPERM, "the namespaces: Operation not permitted");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("udsadmin-manner-{}", JobId::draw().unwrap());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let reach = format!(
        "exec 2>/dev/null; cut -s -d: -f1 /proc/net/dev; \
         python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {}))' && echo tcp; \
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(chr(0) + \"{name}\")' && echo abstract; \
         python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); \
         socket.create_connection(s.getsockname()); print(\"loopback\")'; echo end",
        port.local_addr().unwrap().port()
    );
    let path = "environment.set.PATH = \"/usr/bin:/bin:/root/.pyenv/shims\"";
    assert_eq!(seen(&format!("network = false\n{path}"), &reach), ["    lo", "loopback", "end"]);
    let open = seen(path, &reach);
    assert!(open.contains(&"tcp".to_owned()) && open.contains(&"abstract".to_owned()), "{open:?}");
}

#[test]
fn all_of_it_together_holds() {
    if !is_root() {
        return;
    }
    let keys = "run-as = { user = \"daemon\", group = \"adm\", groups = [\"disk\"] }\nprivate-tmp = true\nread-only = true\n\
                network = false\nlimits = { nofile = 16, nproc = 64 }\nnice = 5\nio = \"idle\"\numask = \"0077\"\ncwd = \"/tmp\"\n\
                capabilities = { ambient = [\"net-bind-service\"] }";
    let script = "pwd; umask; echo x > x && stat -c '%a %U %G' x; echo x 2>/dev/null > /var/lib/x || echo sealed; ulimit -n";
    assert_eq!(seen(keys, script), ["/tmp", "0077", "600 daemon adm", "sealed", "16"]);
}

#[test]
fn a_command_that_needs_systemd_says_so_where_there_is_none_and_when_the_policy_is_read() {
    if is_root() && Path::new("/run/systemd/private").exists() {
        return;
    }
    let world = World::with(&policy("runner = \"unit\"", ": > FOLDER/ran"));
    let answer = world.client().ask("try");
    let words = "runner = \"unit\" needs systemd, which can't be reached here";
    assert_eq!(answer.code(), 502);
    assert_eq!(answer.last.text, format!("the program could not be started: {words}").into_bytes());
    world.broker().line_with(&["audit: policy-loaded: ", "WARNING=", "needs systemd", "; this command can"]);
    assert!(!world.folder.file("ran").exists());
}
