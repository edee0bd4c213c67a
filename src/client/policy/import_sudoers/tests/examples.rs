//! Imports of the texts in tests/sudoers, with what becomes of them beside them, and of generated ones.

use super::super::properties::{Anywhere, any_sudoers_text_is_imported_whole_or_refused};
use super::super::report::people;
use super::super::{Choice, Imported, import};
use crate::policy::Source;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of texts with what becomes of them.
fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sudoers");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "sudoers")).collect();
    files.sort();
    files
}

/// With `UDSADMIN_BLESS` set, what comes out is written down as what is expected.
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn expect_file(path: &Path, text: &str) {
    if std::env::var_os("UDSADMIN_BLESS").is_some() {
        fs::write(path, text).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, expected, "{}", path.display());
}

#[test]
fn every_example_comes_out_as_written_down() {
    let examples = examples();
    assert!(examples.len() >= 12, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).unwrap();
        any_sudoers_text_is_imported_whole_or_refused(&text).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(Imported { policy, rows }) =
            import(Source { name, text }, &Anywhere::default(), Choice { follow: false, wide: false })
        else {
            panic!("{}", path.display());
        };
        expect_file(&path.with_extension("toml"), &policy);
        expect_file(&path.with_extension("report"), &people(&rows));
    }
}

/// Pieces of which sudoers texts are made.
const PIECES: [&str; 60] = [
    "alice",
    "%ops",
    "#1000",
    "%#50",
    "+net",
    "%:x",
    "ALL",
    "!",
    "OPS",
    "WEB",
    "=",
    ":",
    ",",
    " ",
    "\t",
    "\\\n",
    "\n",
    "\n",
    "NOPASSWD:",
    "NOEXEC:",
    "SETENV:",
    "TIMEOUT=9",
    "CWD=/",
    "(root)",
    "(ALL:ALL)",
    "(",
    ")",
    "(a,b:c)",
    "\"",
    "\"\"",
    "/bin/ls",
    "/bin/ls -l",
    "/bin/",
    "/bin/*",
    "*",
    "?",
    "[a-z]",
    "[",
    "]",
    "\\*",
    "\\,",
    "\\",
    "..",
    "sudoedit",
    "list",
    "sha256:ab",
    "^a$",
    "User_Alias OPS = alice\n",
    "Cmnd_Alias WEB = /bin/ls x",
    "Host_Alias H = h",
    "Runas_Alias R = r",
    "Defaults ",
    "Defaults!",
    "env_keep",
    "+=",
    "# x",
    "@include x\n",
    "alice ALL = /bin/ls {x}\n",
    "\u{1}",
    "ö",
];

/// Lines with a place for control characters in each kind of word.
const HOLLOW: [&str; 24] = [
    "al~ice ALL = NOPASSWD: /bin/ls -l",
    "%op~s ALL = NOPASSWD: /bin/ls -l",
    "\"%op ~s\" ALL = NOPASSWD: /bin/ls -l",
    "a, +net~ ALL = NOPASSWD: /bin/ls -l",
    "%:un~ix ALL = NOPASSWD: /bin/ls -l",
    "a we~b1 = NOPASSWD: /bin/ls -l",
    "a w~* = NOPASSWD: /bin/ls -l",
    "a ALL = (b~c, d) NOPASSWD: /bin/ls -l",
    "a ALL = (b : c~d) NOPASSWD: /bin/ls -l",
    "a ALL = NOPASSWD: /bin/l~s -l",
    "a ALL = NOPASSWD: /bin/ls -~l",
    "a ALL = NOPASSWD: /bin/ls -l ~",
    "a ALL = NOPASSWD: /bin/ls x*[a~b]?~",
    "a ALL = NOPASSWD: /bin/ls ^a~b$",
    "a ALL = TIMEOUT=1~m NOPASSWD: /bin/ls -l",
    "a ALL = CWD=/t~mp NOPASSWD: /bin/ls -l",
    "a ALL = sudoedit /etc/m~otd",
    "a ALL = NOPASSWD: /bin/ls -l # x~y",
    "# x~y",
    "User_Alias A = b~c\nA ALL = NOPASSWD: /bin/ls -l",
    "Defaults:a~b secure_path=\"/b~in\", env_keep += P~ATH",
    "Defaults!/bin/l~s noexec\na ALL = NOPASSWD: /bin/ls -l",
    "@include x~y",
    "a ALL ~ = /bin/ls -l",
];

/// Every control character, as it is and as an escape; and others that change how a line looks.
fn unseen() -> impl Strategy<Value = String> {
    let control = prop_oneof![0_u8..0x20, Just(0x7f), 0x80_u8..0xa0].prop_map(char::from);
    let escape = (0_u8..0x80).prop_map(|octet| format!("\\x{octet:02x}"));
    let other = prop::sample::select(vec!["\u{202e}", "\u{2028}", "\u{feff}", "\u{200b}"]);
    let one =
        prop_oneof![4 => control.prop_map(String::from), 1 => escape, 1 => other.prop_map(str::to_owned)];
    prop_oneof![one.clone(), (one, 1_usize..60).prop_map(|(one, count)| one.repeat(count))]
}

proptest! {
    #[test]
    fn any_unseen_character_in_any_word_is_imported_whole_or_refused(
        lines in prop::collection::vec((prop::sample::select(HOLLOW.to_vec()), unseen()), 1..4),
    ) {
        let text: String = lines.iter().map(|(line, unseen)| line.replace('~', unseen) + "\n").collect();
        any_sudoers_text_is_imported_whole_or_refused(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_mixture_of_pieces_is_imported_whole_or_refused(chosen in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = chosen.iter().map(|index| PIECES[*index]).collect();
        any_sudoers_text_is_imported_whole_or_refused(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_text_is_imported_whole_or_refused(text in ".{0,80}") {
        any_sudoers_text_is_imported_whole_or_refused(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_commands_behind_good_users_are_imported_whole_or_refused(chosen in prop::collection::vec(0..PIECES.len(), 1..12)) {
        let text: String = chosen.iter().flat_map(|index| [PIECES[*index], " "]).collect();
        any_sudoers_text_is_imported_whole_or_refused(&format!("alice ALL = {text}\n")).map_err(TestCaseError::fail)?;
    }
}
