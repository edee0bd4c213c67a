//! Texts that are refused, and texts of several files.

use super::super::gather::Failed;
use super::super::properties::Anywhere;
use super::super::report::{Row, Status};
use super::super::{Choice, End, Imported, import};
use crate::policy::{Diagnostic, Source};

/// What is wrong with a text, each with its place.
fn errors(text: &str) -> Vec<String> {
    let source = Source { name: "s".to_owned(), text: text.to_owned() };
    match import(source, &Anywhere::default(), Choice { follow: true, wide: false }) {
        Err(End::Input(Failed::Wrong(found), _)) => found.iter().map(Diagnostic::to_string).collect(),
        Ok(Imported { policy, .. }) => panic!("{text}\n{policy}"),
        Err(End::Fault(_) | End::Input(Failed::Unreadable(_), _)) => panic!("{text}"),
    }
}

#[test]
fn a_line_that_is_wrong_is_refused_with_its_place() {
    for (text, expected) in [
        ("a ALL /bin/ls\n", "s:1:7: error: '=' is expected here"),
        ("\na ALL = ls\n", "s:2:9: error: a command is an absolute path, an alias, sudoedit, list or ALL"),
        ("a ALL =\n", "s:1:8: error: a command is an absolute path"),
        ("a ALL = (b /bin/ls\n", "s:1:12: error: ')' is expected here"),
        ("a ALL = \\\n  ls\n", "s:2:3: error: a command"),
        ("User_Alias ops = a\n", "s:1:12: error: the name of an alias"),
        ("User_Alias A = \"b\n", "s:1:16: error: this quote has no end"),
        ("Defaults\tx=\n", "s:1:12: error: a value is expected here"),
        ("@include \n", "s:1:10: error: a path is expected here"),
        ("User_Alias A = a\nUser_Alias A = b\n", "s:2:12: error: alias A is already defined at s:1"),
        ("a ALL = /bin/ls ^x\n", "s:1:17: error: this regular expression does not end"),
        (
            "a ALL = NOPASSWD: CWD=/x /bin/ls\n",
            "s:1:19: error: options such as CWD= and TIMEOUT= stand before tags",
        ),
        ("a ALL = NOPASSWD: CWD= /bin/ls\n", "s:1:19: error: options such as CWD="),
        ("a ALL = NOPASSWD: (b) /bin/ls\n", "s:1:19: error: as whom it runs is said before options and tags"),
        (
            "a ALL = /bin/ls [[:alpha:]]*\n",
            "s:1:25: error: '=' is expected here; a ':' that belongs to the command before is written \"\\:\"",
        ),
        (
            "Cmnd_Alias A = /bin/ls [[:alpha:]]*\n",
            "s:1:27: error: the name of an alias is of capital letters, digits and '_', and begins with a letter; a ':'",
        ),
        ("#99999999999 ALL = /bin/ls\n", "s:1:1: error: this is no id"),
        ("a ALL = sha256: , /bin/ls\n", "s:1:17: error: the digest is missing"),
        ("a, ALL = /bin/ls\n", "s:1:8: error: a host is expected here"),
    ] {
        let found = errors(text);
        assert!(found.first().is_some_and(|it| it.starts_with(expected)), "{text}\n{found:?}");
    }
    assert_eq!(errors("a ALL ls\nb ALL = /bin/ls -l\nc d\n").len(), 2, "each wrong line once");
}

#[test]
fn included_files_are_read_in_their_order_and_others_told() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = vec![
        file("b", "b ALL = NOPASSWD: /bin/ls 2\n"),
        file("a", "@include web1\na ALL = NOPASSWD: /bin/ls 1\n"),
        file("web1", "c ALL = NOPASSWD: /bin/ls 0\n"),
        file("x.rpmsave", "nonsense"),
        file("x~", "nonsense"),
    ];
    let world = Anywhere { files };
    let run = |text: &str, follow| {
        import(
            Source { name: "dir.sudoers".to_owned(), text: text.to_owned() },
            &world,
            Choice { follow, wide: false },
        )
    };
    let Ok(found) = run("@includedir dir\n#include dir/%h\n", true) else { panic!() };
    let at: Vec<String> = found.rows.iter().map(Row::at).collect();
    assert_eq!(
        at,
        [&["dir.sudoers:1"; 2][..], &["dir/web1:1", "dir/a:2", "dir/b:1", "dir/web1:1", "dir/web1:1"]]
            .concat()
    );
    let Ok(alone) = run("@includedir dir\n", false) else { panic!() };
    assert_eq!(alone.rows.iter().map(|row| row.status).collect::<Vec<_>>(), [Status::NotCarried]);
    assert!(matches!(run("@include dir/none\n", true), Err(End::Input(Failed::Unreadable(_), _))));
    assert!(run("@includedir nowhere\n", true).is_ok());
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let world = Anywhere { files: vec![("a".to_owned(), "@include a\n".to_owned())] };
    let source = Source { name: "s".to_owned(), text: "@include dir/a\n".to_owned() };
    let Err(End::Input(Failed::Wrong(found), _)) =
        import(source, &world, Choice { follow: true, wide: false })
    else {
        panic!()
    };
    assert!(found.first().unwrap().message().contains("without end"));
}

#[test]
fn rows_come_in_the_order_in_which_files_are_read() {
    let line = |number: u8| format!("a ALL = NOPASSWD: /bin/ls {number}\n");
    let files = vec![("a".to_owned(), line(2)), ("z".to_owned(), line(4))];
    let text = [
        line(1),
        "@include dir/a\n".to_owned(),
        line(3),
        "@include dir/z\n@include dir/a\n".to_owned(),
        line(5),
    ];
    let source = Source { name: "middle".to_owned(), text: text.concat() };
    let Ok(found) = import(source, &Anywhere { files }, Choice { follow: true, wide: false }) else {
        panic!()
    };
    let what: Vec<&str> = found.rows.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(what, [1, 2, 3, 4, 2, 5].map(|number| format!("/bin/ls {number}")));
}

#[test]
fn what_stands_before_an_error_is_in_the_report() {
    let good = "User_Alias B = b\nDefaults env_reset\na ALL = NOPASSWD: /bin/ls 1\n";
    for bad in
        ["a ALL ls\na ALL = NOPASSWD: /bin/ls 2\n", "@include dir/none\n", "User_Alias B = c\nx y = ALL\n"]
    {
        let source = Source { name: "s".to_owned(), text: format!("{good}{bad}") };
        let Err(End::Input(_, rows)) =
            import(source, &Anywhere::default(), Choice { follow: true, wide: false })
        else {
            panic!("{bad}")
        };
        let what: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
        assert_eq!(what, ["Defaults env_reset", "/bin/ls 1"], "{bad}");
    }
}
