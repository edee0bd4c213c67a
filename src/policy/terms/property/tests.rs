//! What properties are read as, and which are refused in which words.

use super::*;
use crate::policy::Runner;
use crate::policy::tests::{parse, policy};

fn findings(text: &str) -> Vec<String> {
    parse(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn command(unit: &str) -> String {
    format!("[commands.a]\nexec = [\"/bin/a\"]\nrunner = \"unit\"\nunit = {{ {unit} }}\n")
}

/// The one property of a unit.
fn read(unit: &str) -> Property {
    let policy = policy(&command(unit));
    let command = policy.commands().next().unwrap();
    let Runner::Unit(properties) = &command.terms().runner else { panic!("{unit}") };
    let [property] = properties.as_slice() else { panic!("{properties:?}") };
    property.clone()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn each_form_becomes_the_type_that_systemd_has_for_it() {
    let any = vec![(2, vec![0; 4], 0), (10, vec![0; 16], 0)];
    for (unit, expected) in [
        ("PrivateTmp = true", Setting::Truth(true)),
        ("ProtectSystem = \"strict\"", Setting::Text("strict".to_owned())),
        ("ProtectSystem = true", Setting::Text("yes".to_owned())),
        ("ProtectProc = \"invisible\"", Setting::Text("invisible".to_owned())),
        ("ReadWritePaths = [\"-/var/lib/x\", \"+/run\"]", Setting::Texts(texts(&["-/var/lib/x", "+/run"]))),
        ("StateDirectory = [\"x/y\"]", Setting::Texts(texts(&["x/y"]))),
        (
            "SystemCallFilter = [\"@system-service\", \"keyctl\"]",
            Setting::Filter(true, texts(&["@system-service", "keyctl"])),
        ),
        ("SystemCallFilter = [\"~@mount\"]", Setting::Filter(false, texts(&["@mount"]))),
        ("RestrictNamespaces = true", Setting::Unsigned(0)),
        ("RestrictNamespaces = [\"net\", \"ipc\"]", Setting::Unsigned(0x4800_0000)),
        ("RestrictNamespaces = [\"~net\"]", Setting::Unsigned(0x3e02_0000)),
        ("MemoryMax = \"512M\"", Setting::Unsigned(512 << 20)),
        ("MemoryMax = 4096", Setting::Unsigned(4096)),
        ("TasksMax = \"infinity\"", Setting::Unsigned(u64::MAX)),
        ("CPUWeight = 100", Setting::Unsigned(100)),
        ("CPUQuota = \"150%\"", Setting::Unsigned(1_500_000)),
        ("OOMScoreAdjust = -5", Setting::Signed(-5)),
        ("DeviceAllow = [\"/dev/fuse rw\"]", Setting::Pairs(vec![("/dev/fuse".to_owned(), "rw".to_owned())])),
        ("TemporaryFileSystem = [\"/var:ro\"]", Setting::Pairs(vec![("/var".to_owned(), "ro".to_owned())])),
        (
            "BindPaths = [\"-/a:/b:norbind\", \"/c\"]",
            Setting::Binds(vec![
                ("/a".to_owned(), "/b".to_owned(), true, 0),
                ("/c".to_owned(), "/c".to_owned(), false, 0x4000),
            ]),
        ),
        ("IPAddressDeny = [\"any\"]", Setting::Networks(any)),
        ("IPAddressAllow = [\"10.0.0.0/8\"]", Setting::Networks(vec![(2, vec![10, 0, 0, 0], 8)])),
        ("Slice = \"jobs.slice\"", Setting::Text("jobs.slice".to_owned())),
    ] {
        assert_eq!(read(unit).setting, expected, "{unit}");
    }
    assert_eq!(
        (read("CPUQuota = \"5%\"").wire, read("MemoryMax = 1").wire),
        ("CPUQuotaPerSecUSec", "MemoryMax")
    );
}

#[test]
fn what_systemd_would_refuse_when_it_runs_is_refused_when_it_loads() {
    for (unit, about) in [
        ("PrivateTmp = \"yes\"", "expected true or false"),
        ("ProtectSystem = \"strickt\"", "did you mean \"strict\""),
        ("ReadWritePaths = [\"var\"]", "absolute"),
        ("ReadWritePaths = [\"/a/../b\"]", "absolute"),
        ("ReadWritePaths = []", "empty list"),
        ("ReadWritePaths = \"/a\"", "put brackets around it"),
        ("StateDirectory = [\"/x\"]", "no '/' in front"),
        ("SystemCallFilter = [\"a\", \"~b\"]", "before the first alone"),
        ("RestrictNamespaces = [\"network\"]", "no kind of namespace"),
        ("MemoryMax = \"512MB\"", "no amount"),
        ("MemoryMax = \"50%\"", "no amount"),
        ("MemoryMax = \"99999999999E\"", "no amount"),
        ("MemoryMax = 0", "it is from 1"),
        ("CPUWeight = 10001", "it is from 1 to 10000"),
        ("CPUQuota = \"0%\"", "no share"),
        ("OOMScoreAdjust = 1001", "from -1000 to 1000"),
        ("DeviceAllow = [\"/etc/passwd rw\"]", "no device"),
        ("DeviceAllow = [\"/dev/null x\"]", "no device"),
        ("BindPaths = [\"/a:b\"]", "absolute"),
        ("BindPaths = [\"/a:/b:ro\"]", "neither"),
        ("IPAddressDeny = [\"10.0.0.0/33\"]", "no network"),
        ("IPAddressDeny = [\"example.org\"]", "no network"),
        ("Slice = \"x.service\"", "no slice"),
    ] {
        let found = findings(&command(unit));
        assert!(found.iter().any(|line| line.contains("error") && line.contains(about)), "{unit}: {found:?}");
    }
}

#[test]
fn a_property_that_would_break_what_a_run_promises_is_refused_with_the_reason() {
    for (unit, about) in [
        ("ExecStartPre = [\"/bin/a\"]", "exec says what runs"),
        ("Type = \"forking\"", "has to see how it ends"),
        ("KillMode = \"none\"", "has to see how it ends"),
        ("Restart = \"always\"", "has to see how it ends"),
        ("User = \"alice\"", "run-as"),
        ("DynamicUser = true", "run-as"),
        ("StandardOutput = \"journal\"", "are the client's"),
        ("Environment = [\"A=B\"]", "the environment of a command"),
        ("RuntimeMaxSec = 5", "timeout says"),
        ("LimitNOFILE = 5", "a key of its own"),
        ("RootDirectory = \"/x\"", "this machine's own root"),
        ("Delegate = true", "has to see how it ends"),
    ] {
        let found = findings(&command(unit));
        assert!(
            found.iter().any(|line| line.contains("is not the policy's to set") && line.contains(about)),
            "{unit}: {found:?}"
        );
    }
    let found = findings(&command("PrivateTemp = true"));
    assert!(found.iter().any(|line| line.contains("did you mean \"PrivateTmp\"?")), "{found:?}");
}

#[test]
fn no_property_is_known_and_refused_and_each_stands_once_in_order() {
    let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
    for page in ["As in systemd.exec(5).", "As in systemd.resource-control(5).", "As in systemd.service(5)."]
    {
        let of_page: Vec<&str> =
            KNOWN.iter().filter(|known| known.page == page).map(|known| known.name).collect();
        assert!(of_page.windows(2).all(|pair| pair[0] < pair[1]), "{of_page:?}");
    }
    for name in names {
        assert!(!unknown(name).contains("is not the policy's to set"), "{name}");
    }
}

#[test]
fn a_table_of_properties_needs_the_runner_that_has_them() {
    let direct = command("PrivateTmp = true").replace("runner = \"unit\"\n", "");
    assert!(
        findings(&direct).iter().any(|line| line.contains("they need runner = \"unit\"")),
        "{:?}",
        findings(&direct)
    );
    let other = command("").replace("\"unit\"\n", "\"docker\"\n");
    assert!(
        findings(&other).iter().any(|line| line.contains("\"docker\" is no runner")),
        "{:?}",
        findings(&other)
    );
}
