//! The first line of a script, which names its interpreter. Reads no more of a file, and runs nothing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Octets of a first line that the kernel looks at (`BINPRM_BUF_SIZE`, linux/binfmts.h).
const FIRST_LINE_MAX: u64 = 256;

/// What runs a script (execve(2), "Interpreter scripts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path.
    pub path: PathBuf,
    /// What follows the path, which the interpreter gets as one argument.
    pub argument: Option<String>,
}

/// The interpreter of a file, if it is a script.
///
/// # Errors
/// The file can't be read.
pub fn interpreter(path: &Path) -> io::Result<Option<Interpreter>> {
    let mut head = Vec::new();
    File::open(path)?.take(FIRST_LINE_MAX).read_to_end(&mut head)?;
    Ok(named(&head))
}

fn named(head: &[u8]) -> Option<Interpreter> {
    let line = head.strip_prefix(b"#!")?.split(|octet| *octet == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
    let (path, argument) = line.split_at_checked(end)?;
    let argument = String::from_utf8_lossy(argument.trim_ascii()).into_owned();
    (!path.is_empty()).then(|| Interpreter {
        path: OsStr::from_bytes(path).into(),
        argument: Some(argument).filter(|argument| !argument.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        for (head, expected) in [
            ("#!/bin/x\nexit", Some(("/bin/x", None))),
            ("#! /bin/x -e -u \n", Some(("/bin/x", Some("-e -u")))),
            ("#!/usr/bin/env x", Some(("/usr/bin/env", Some("x")))),
            ("#!\n/bin/x", None),
            ("", None),
            ("\u{7f}ELF", None),
            (" #!/bin/x\n", None),
        ] {
            let found = named(head.as_bytes());
            let found = found.as_ref().map(|it| (it.path.to_str().unwrap(), it.argument.as_deref()));
            assert_eq!(found, expected, "{head:?}");
        }
    }
}
