//! How the manner of a command is read, and what of it is refused.

use super::super::super::tests::{parse, peer, policy, request};
use super::*;
use crate::policy::{Decision, Grant, decide};
use std::time::SystemTime;

/// A command that runs as bob, with these keys and an argument of each kind that matters.
fn text(keys: &str) -> String {
    format!(
        "[allow]\nusers = [\"alice\"]\n[commands.c]\nexec = [\"/bin/c\", \"{{mode}}\", \"{{key}}\", \"{{many}}\"]\n{keys}\nargs = [\
         {{ name = \"mode\", one-of = [\"a\", \"b\"], optional = true }}, \
         {{ name = \"key\", secret = {{ max-length = 9 }}, optional = true }}, \
         {{ name = \"many\", one-of = [\"x\"], repeat = true, optional = true }}]\n\
         [[commands.c.allow]]\nusers = [\"alice\"]\n"
    )
}

fn grant(keys: &str, line: &str) -> Grant {
    let policy = policy(&text(keys));
    let decision = decide(&policy, &peer("alice", &[]), &request(line), SystemTime::UNIX_EPOCH);
    let Decision::Permit(grant) = decision else { panic!("{decision:?}") };
    grant
}

fn manner(keys: &str) -> Manner {
    grant(keys, "c").terms().manner.clone()
}

/// The errors of these keys, without their places.
fn errors(keys: &str) -> Vec<String> {
    let errors = parse(&text(keys)).map_or_else(|errors| errors, |_| Vec::new());
    errors.iter().map(|error| error.message().to_owned()).collect()
}

fn refused(keys: &str, part: &str) {
    let errors = errors(keys);
    assert!(errors.len() == 1 && errors[0].contains(part), "{keys}: {errors:?}");
}

#[test]
fn a_command_that_says_nothing_runs_in_the_manner_of_all() {
    let manner = manner("");
    assert_eq!((manner.umask, manner.cwd.to_str(), manner.no_new_privileges), (0o022, Some("/"), None));
    assert!(manner.ambient.is_empty() && manner.bounding.is_none() && manner.limits.is_empty());
    assert!(!manner.walls.stand());
    assert_eq!((manner.nice, manner.io), (None, None));
}

#[test]
fn run_as_names_groups_or_numbers_of_them() {
    let run_as =
        grant("run-as = { user = \"bob\", group = \"dba\", groups = [\"wheel\", 7] }", "c").run_as().clone();
    assert_eq!((run_as.uid.raw(), run_as.group.as_ref().unwrap().gid.raw()), (1002, 2003));
    let groups: Vec<_> =
        run_as.groups.iter().flatten().map(|group| (group.gid.raw(), group.is_number)).collect();
    assert_eq!(groups, [(10, false), (7, true)]);
    assert_eq!(run_as.to_string(), "bob:dba+wheel+7");
    assert_eq!(grant("run-as = { user = \"bob\", groups = [] }", "c").run_as().groups, Some(Vec::new()));
    refused("run-as = { group = \"dba\" }", "run-as needs a user");
    refused("run-as = { user = \"bob\", group = \"ghosts\" }", "no such group: \"ghosts\"");
    refused("run-as = { user = \"bob\", group = \"nogroup\" }", "whoever is not mapped");
    refused("run-as = { user = \"bob\", groups = [65534] }", "id 65534 names nobody");
    refused("run-as = { user = \"bob\", groups = [4294967295] }", "id 4294967295 names nobody");
    refused("run-as = { user = 1002 }", "a user with a name");
}

#[test]
fn capabilities_are_known_by_both_spellings_and_shown_by_one() {
    let keys = "run-as = \"bob\"\ncapabilities = { ambient = [\"net-bind-service\", \"CAP_CHOWN\"], bounding = [\"chown\", \"net-bind-service\", \"kill\"] }";
    let both = manner(keys);
    assert_eq!(both.ambient.to_string(), "chown, net-bind-service");
    assert_eq!((both.ambient.bits(), both.bounding.map(CapabilitySet::bits)), (0x401, Some(0x421)));
    refused(
        "run-as = \"bob\"\ncapabilities = { ambient = [\"net_bind_servic\"] }",
        "did you mean \"net-bind-service\"?",
    );
    refused(
        "run-as = \"bob\"\ncapabilities = { ambient = [\"kill\"], bounding = [] }",
        "must be in bounding",
    );
    refused("capabilities = { ambient = [\"kill\"] }", "ambient is for other users");
    assert_eq!(manner("capabilities = { bounding = [] }").bounding, Some(CapabilitySet::default()));
}

#[test]
fn a_umask_is_octal_text() {
    assert_eq!(manner("umask = \"0027\"").umask, 0o027);
    assert_eq!(manner("umask = \"077\"").umask, 0o077);
    refused("umask = 27", "in octal and in quotes");
    for wrong in ["", "0", "0028", "1777", "00027", "+027", "0o27"] {
        refused(&format!("umask = {wrong:?}"), "is no umask");
    }
}

#[test]
fn directories_are_absolute_and_have_one_spelling() {
    assert_eq!(manner("cwd = \"/var/lib/x\"").cwd, PathBuf::from("/var/lib/x"));
    assert_eq!(manner("cwd = \"/\"").cwd, PathBuf::from("/"));
    for wrong in ["", "x", "/x/", "/x/../y", "/x//y", "/./x", "//"] {
        refused(&format!("cwd = {wrong:?}"), "is no path of a directory");
        refused(&format!("read-only = {{ except = [{wrong:?}] }}"), "is no path of a directory");
    }
    refused("read-only = { except = [\"/\"] }", "is no path of a directory");
}

#[test]
fn limits_have_the_units_of_their_kind() {
    let keys = "run-as = \"postgres\"\nlimits = { nofile = 1024, cpu = \"2min\", fsize = \"1GiB\", as = \"512M\", core = 0, stack = \"8B\", nproc = { soft = 5, hard = \"infinity\" } }";
    let told: Vec<String> = manner(keys)
        .limits
        .iter()
        .map(|(resource, bounds)| format!("{}={bounds}", resource.name()))
        .collect();
    assert_eq!(
        told,
        [
            "as=536870912",
            "core=0",
            "cpu=120",
            "fsize=1073741824",
            "nofile=1024",
            "nproc=5:infinity",
            "stack=8"
        ]
    );
    refused("limits = { cpu = 60 }", "has a unit");
    refused("limits = { cpu = \"1500ms\" }", "whole seconds");
    refused("limits = { fsize = \"1GB\" }", "\"512MiB\"");
    refused("limits = { fsize = \"99999999999TiB\" }", "\"512MiB\"");
    refused("limits = { nofile = \"1K\" }", "without quotes");
    refused("limits = { nofile = -1 }", "0 or more");
    refused("run-as = \"postgres\"\nlimits = { nproc = { soft = 6, hard = 5 } }", "soft is at most hard");
    refused("run-as = \"postgres\"\nlimits = { nproc = { soft = 6 } }", "both soft and hard");
    refused("limits = { nproc = 6 }", "does not bind root");
    refused("limits = { nofiles = 6 }", "did you mean \"nofile\"?");
}

#[test]
fn priorities_are_within_those_of_the_kernel() {
    assert_eq!(manner("nice = -20").nice, Some(-20));
    refused("nice = 20", "nice is from -20");
    for (word, priority) in [
        ("idle", IoPriority::Idle),
        ("best-effort", IoPriority::BestEffort(4)),
        ("best-effort:7", IoPriority::BestEffort(7)),
        ("realtime:0", IoPriority::Realtime(0)),
    ] {
        assert_eq!(manner(&format!("io = {word:?}")).io, Some(priority));
    }
    for wrong in ["idle:1", "best-effort:8", "best-effort:+1", "realtime", "best-effort:", "best"] {
        refused(&format!("io = {wrong:?}"), "is no io priority");
    }
}

#[test]
fn a_variable_is_set_or_has_the_value_of_an_argument_that_was_given() {
    let keys =
        "environment = { set = { PATH = \"/opt/bin\", EMPTY = \"\" }, from-arg = { MODE = \"mode\" } }";
    let variables = |line: &str| {
        let grant = grant(keys, line);
        let text = |(name, value): &(String, Vec<u8>)| format!("{name}={}", String::from_utf8_lossy(value));
        grant.variables().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(variables("c mode=b"), ["EMPTY=", "PATH=/opt/bin", "MODE=b"]);
    assert_eq!(variables("c"), ["EMPTY=", "PATH=/opt/bin"]);
}

#[test]
fn an_argument_that_is_in_a_variable_alone_is_used() {
    let text = |used: &str| {
        format!("[commands.c]\nexec = [\"/bin/c\"]\nargs = [{{ name = \"x\", boolean = true }}]\n{used}\n")
    };
    assert!(parse(&text("")).is_err());
    assert!(parse(&text("environment.from-arg.X = \"x\"")).is_ok());
}

#[test]
fn no_value_of_a_peers_is_in_a_variable_that_programs_obey() {
    for name in [
        "LD_PRELOAD",
        "LD_X",
        "PATH",
        "HOME",
        "IFS",
        "BASH_ENV",
        "ENV",
        "PYTHONPATH",
        "PERL5OPT",
        "RUBYLIB",
        "NODE_OPTIONS",
        "GCONV_PATH",
        "LOCPATH",
        "NLSPATH",
        "TZDIR",
        "HOSTALIASES",
        "MALLOC_TRACE",
        "GLIBC_TUNABLES",
        "LC_ALL",
        "GIT_EDITOR",
        "TERMINFO_DIRS",
        "JAVA_TOOL_OPTIONS",
        "SHELLOPTS",
        "PS4",
    ] {
        refused(&format!("environment = {{ from-arg = {{ {name} = \"mode\" }} }}"), "obeys");
        if name != "LD_X" {
            assert_eq!(
                errors(&format!("environment = {{ set = {{ {name} = \"x\" }} }}")),
                Vec::<String>::new()
            );
        }
    }
    refused("environment = { from-arg = { KEY = \"key\" } }", "is a secret");
    refused("environment = { from-arg = { MANY = \"many\" } }", "repeats");
    refused("environment = { from-arg = { MODE = \"mod\" } }", "did you mean \"mode\"?");
    refused("environment = { set = { MODE = \"x\" }, from-arg = { MODE = \"mode\" } }", "either set or from");
}

#[test]
fn what_is_systemds_and_ours_is_nobodys_to_set() {
    for name in ["LISTEN_FDS", "LISTEN_X", "NOTIFY_SOCKET", "WATCHDOG_USEC", "UDSADMIN_UID", "UDSADMIN_"] {
        for key in ["set", "from-arg"] {
            refused(&format!("environment = {{ {key} = {{ {name} = \"mode\" }} }}"), "are taken");
        }
    }
    for name in ["\"\"", "1A", "\"A B\"", "\"A=B\"", "\"Ä\"", "A-B"] {
        refused(&format!("environment = {{ set = {{ {name} = \"x\" }} }}"), "is no name of a variable");
    }
}

#[test]
fn walls_that_an_argument_leads_around_are_refused() {
    let hand = |target: &str| {
        format!(
            "[commands.c]\nexec = [\"/bin/c\", \"{{x}}\"]\nread-only = true\n\
             args = [{{ name = \"x\", path = {{ under = [\"/srv\"], pass = \"fd\"{target} }} }}]\n"
        )
    };
    for target in [", kind = \"directory\"", ", kind = \"any\"", ", exists = false"] {
        let errors = parse(&hand(target)).unwrap_err();
        assert!(errors[0].message().contains("leaves these walls"), "{errors:?}");
        let off = hand(target).replace("read-only = true", "read-only = false\nprivate-tmp = false");
        assert!(parse(&off).is_ok());
    }
    assert!(parse(&hand("")).is_ok());
    refused("private-tmp = true\nread-only = { except = [\"/var/tmp/x\"] }", "private-tmp replaces");
    let many: Vec<String> = (0..33).map(|number| format!("/srv/{number}")).collect();
    refused(&format!("read-only = {{ except = {many:?} }}"), "at most 32");
}
