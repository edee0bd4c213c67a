//! Comparisons of small policies, as a caller asks for them.

use super::super::tests::POLICY;
use super::*;
use clap::Parser;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

/// The status, and both outputs, of a comparison of these two texts.
fn compared(name: &str, texts: [&str; 2], words: &[&str]) -> (u8, String, String) {
    let directory = std::env::temp_dir().join(format!("udsadmin-diff-{name}-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    let paths = ["old", "new"].map(|file| directory.join(file));
    for (path, text) in paths.iter().zip(texts) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    }
    let paths = paths.each_ref().map(|path| path.to_str().unwrap());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let line = ["diff"].into_iter().chain(words.iter().copied()).chain(paths);
    let status = run(&Cli::try_parse_from(line).unwrap().arguments, &mut out, &mut err);
    fs::remove_dir_all(&directory).unwrap();
    let shown = directory.to_str().unwrap().to_owned() + "/";
    let text = |octets| String::from_utf8(octets).unwrap().replace(&shown, "");
    (status.unwrap(), text(out), text(err))
}

#[test]
fn diff_tells_gains_and_losses_to_people() {
    let new = POLICY.replace("when.unit = [\"a\"]", "when.unit = [\"b\"]");
    let (status, out, err) = compared("people", [POLICY, &new], &[]);
    let expected = "+  group 4712  restart  unit=b\n-  group 4712  restart  unit=a\n1 gain, 1 loss\n";
    assert_eq!((status, &*out, &*err), (1, expected, ""));
    let narrower = POLICY.replace("users = [\"root\", 4711]", "users = [4711]");
    let (status, out, _) = compared("loss", [POLICY, &narrower], &[]);
    let expected = "-  user root  (connect)\n-  user root  restart    unit=a,b\nno gains, 2 losses\n";
    assert_eq!((status, &*out), (0, expected));
    assert_eq!(compared("same", [POLICY; 2], &[]), (0, "no gains, no losses\n".to_owned(), String::new()));
}

#[test]
fn diff_answers_programs_in_json() {
    let more = "[commands.log]\nexec = [\"/bin/true\", \"{n}\", \"{p}\"]\n\
                args = [{ name = \"n\", one-of = [\"1\"], default = \"1\" }, \
                { name = \"p\", pattern = \"[a-z]+\", optional = true }]\n\
                [[commands.log.allow]]\ngroups = [\"no such\"]\n";
    let (status, out, _) = compared("json", [POLICY, &format!("{POLICY}{more}")], &["--json"]);
    let expected = serde_json::json!({
        "gains": [{
            "peer": "group no such, if also user root or user 4711 or in group 4712",
            "principals": [
                [{ "kind": "group", "name": "no such", "source": "kernel" }],
                [
                    { "kind": "user", "name": "root", "source": "kernel" },
                    { "kind": "user", "name": "4711", "source": "kernel" },
                    { "kind": "group", "name": "4712", "source": "kernel" },
                ],
            ],
            "command": "log",
            "builtin": false,
            "values": { "n": ["1"], "p": "text that matches [a-z]+" },
            "left-out": { "n": "1", "p": null },
            "times": null,
            "foreign-namespace": false,
            "note": null,
        }],
        "losses": [],
    });
    assert_eq!((status, serde_json::from_str::<Value>(&out).unwrap()), (1, expected));
}

#[test]
fn names_that_this_machine_does_not_know_are_compared_by_name() {
    let with = |user: &str| format!("[allow]\ngroups = [4712]\n[deny]\nusers = [{user}]\n");
    assert_eq!(compared("unknown", [&with("\"no such\""), &with("\"no such\"")], &[]).0, 0);
    let (status, out, _) = compared("others", [&with("\"no such\""), &with("\"nor this\"")], &[]);
    let expected = "+  user no such, if also in group 4712   (connect)\n\
                    -  user nor this, if also in group 4712  (connect)\n1 gain, 1 loss\n";
    assert_eq!((status, &*out), (1, expected));
}

#[test]
fn of_two_policies_the_broken_one_is_named() {
    let (status, out, err) = compared("broken", [POLICY, "[alow]\n"], &[]);
    assert_eq!((status, &*out), (78, ""));
    assert!(err.starts_with("new:1:2: error: unknown key \"alow\""), "{err}");
}

#[test]
fn directories_of_drop_ins_alone_are_compared_by_what_is_in_them() {
    let directory = std::env::temp_dir().join(format!("udsadmin-diff-drop-ins-{}", std::process::id()));
    let narrower = POLICY.replace("when.unit = [\"a\"]", "when.unit = [\"b\"]");
    let sides = [("old", POLICY), ("new", &narrower)].map(|(side, text)| {
        fs::create_dir_all(directory.join(side).join("policy.d")).unwrap();
        fs::write(directory.join(side).join("policy.d/a.toml"), text).unwrap();
        directory.join(side)
    });
    fs::create_dir(directory.join("empty")).unwrap();
    // As in a checkout that a group shares.
    fs::set_permissions(directory.join("new"), PermissionsExt::from_mode(0o775)).unwrap();
    let told = |new: &Path| {
        let (old, new) = (sides[0].clone(), new.to_owned());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = run(&Arguments { old, new, json: false }, &mut out, &mut err).unwrap();
        (status, String::from_utf8([out, err].concat()).unwrap())
    };
    let (changed, empty) = (told(&sides[1]), told(&directory.join("empty")));
    fs::remove_dir_all(&directory).unwrap();
    assert!(changed.0 == 1 && changed.1.ends_with("1 gain, 1 loss\n"), "{changed:?}");
    let fact = "holds no policy: no policy.toml, no policy.d, no *.toml\n";
    assert!(empty.0 == EX_CONFIG && empty.1.ends_with(fact), "{empty:?}");
}
