//! Tests on real files in a directory of their own, as root or as anyone.

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat, stat};
use rustix::process::{geteuid, getpid};
use std::fs::{Permissions, create_dir, metadata, set_permissions, write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let name = format!("udsadmin-files-{test}-{}", getpid().as_raw_nonzero());
        let path = std::env::temp_dir().join(name);
        create_dir(&path).unwrap();
        set_mode(&path, 0o755);
        Self(path.canonicalize().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        write(&path, text).unwrap();
        set_mode(&path, 0o644);
        path
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        create_dir(&path).unwrap();
        set_mode(&path, 0o755);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn policy(path: &Path) -> Result<Vec<String>, String> {
    let sources = read_policy(path, Trust::CallingUser).map_err(|error| error.to_string())?;
    Ok(sources.into_iter().map(|source| source.text).collect())
}

fn program(path: &Path) -> Result<(), String> {
    check_program(path, Trust::CallingUser).map_err(|error| error.to_string())
}

fn refused<T>(path: &Path, fact: &str) -> Result<T, String> {
    Err(format!("{}: {fact}", path.display()))
}

#[test]
fn drop_ins_follow_the_policy_in_the_order_of_their_names() {
    let scratch = Scratch::new("order");
    let main = scratch.file("policy.toml", "main");
    assert_eq!(policy(&main).unwrap(), ["main"]);
    scratch.directory("policy.d");
    for name in ["b.toml", "a.toml", "10.toml", "b.toml~", ".#a.toml", "a.toml.dpkg-old", "README"] {
        scratch.file(&format!("policy.d/{name}"), name);
    }
    assert_eq!(policy(&main).unwrap(), ["main", "10.toml", "a.toml", "b.toml"]);
    let sources = read_directory(&scratch.path("policy.d"), Trust::CallingUser).unwrap();
    assert_eq!(sources[1].name, scratch.path("policy.d/a.toml").display().to_string());
}

#[test]
fn a_policy_that_others_may_write_is_refused() {
    let scratch = Scratch::new("writable");
    let main = scratch.file("policy.toml", "");
    for (mode, fact) in [
        (0o664, "writable by group; chmod g-w it"),
        (0o646, "writable by others; chmod o-w it"),
        (0o666, "writable by others; chmod o-w it"),
    ] {
        set_mode(&main, mode);
        assert_eq!(policy(&main), refused(&main, fact));
    }
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    let scratch = Scratch::new("parent");
    let (outer, inner) = (scratch.directory("outer"), scratch.directory("outer/inner"));
    let main = scratch.file("outer/inner/policy.toml", "");
    for directory in [inner, outer] {
        set_mode(&directory, 0o775);
        assert_eq!(policy(&main), refused(&directory, "writable by group; chmod g-w it"));
        set_mode(&directory, 0o755);
    }
    let beside = scratch.directory("outer/inner/policy.d");
    set_mode(&beside, 0o757);
    assert_eq!(policy(&main), refused(&beside, "writable by others; chmod o-w it"));
}

#[test]
fn a_sticky_directory_is_for_those_who_decide_for_themselves() {
    let scratch = Scratch::new("sticky");
    let shared = scratch.directory("shared");
    set_mode(&shared, 0o1777);
    let main = scratch.file("shared/policy.toml", "x");
    assert_eq!(policy(&main).unwrap(), ["x"]);
    let refused = read_policy(&main, Trust::RootOnly).unwrap_err();
    assert!(matches!(refused.fault(), Fault::OthersWritable | Fault::Owner(_)), "{refused}");
}

#[test]
fn a_policy_of_a_stranger_is_refused() {
    let scratch = Scratch::new("owner");
    let main = scratch.file("policy.toml", "");
    let (trust, owner) = if geteuid().is_root() {
        chown(&main, Some(12345), None).unwrap();
        (Trust::CallingUser, 12345)
    } else {
        (Trust::RootOnly, geteuid().as_raw())
    };
    let refused = check_file(&main, &stat(&main).unwrap(), trust).unwrap_err();
    assert_eq!(refused.to_string(), format!("{}: owned by uid {owner}; chown it to root", main.display()));
}

#[test]
fn only_regular_files_are_policies() {
    let scratch = Scratch::new("regular");
    let main = scratch.file("policy.toml", "");
    scratch.directory("policy.d");
    let odd = scratch.path("policy.d/odd.toml");
    mknodat(CWD, &odd, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    assert_eq!(policy(&main), refused(&odd, "not a regular file"));
    std::fs::remove_file(&odd).unwrap();
    create_dir(&odd).unwrap();
    assert_eq!(policy(&main), refused(&odd, "not a regular file"));
    std::fs::remove_dir(&odd).unwrap();
    symlink(&main, &odd).unwrap();
    assert_eq!(policy(&main), refused(&odd, "a symbolic link; put the file itself in its place"));
}

#[test]
fn the_directory_of_drop_ins_is_no_symbolic_link_and_no_file() {
    let scratch = Scratch::new("beside");
    let main = scratch.file("policy.toml", "");
    scratch.directory("elsewhere");
    let beside = scratch.path("policy.d");
    symlink("elsewhere", &beside).unwrap();
    assert_eq!(policy(&main), refused(&beside, "a symbolic link; put the file itself in its place"));
    std::fs::remove_file(&beside).unwrap();
    scratch.file("policy.d", "");
    assert_eq!(policy(&main), refused(&beside, "not a directory"));
}

#[test]
fn a_missing_policy_is_an_error() {
    let scratch = Scratch::new("missing");
    let main = scratch.path("policy.toml");
    assert_eq!(policy(&main), refused(&main, "does not exist"));
    assert!(read_file(&main, Trust::CallingUser).unwrap_err().is_missing());
}

#[test]
fn an_octet_that_is_not_utf_8_is_told_with_its_place() {
    let scratch = Scratch::new("utf8");
    let main = scratch.file("policy.toml", b"a\n\xc3\xb6\xff");
    let refused = read_policy(&main, Trust::CallingUser).unwrap_err();
    assert_eq!(refused.to_string(), format!("{}:2:2: not UTF-8; save it in that encoding", main.display()));
    assert_eq!(refused.place(), Some((2, 2)));
}

#[test]
fn a_policy_is_at_most_4_mib() {
    let scratch = Scratch::new("large");
    let main = scratch.file("policy.toml", "#".repeat(4 << 20));
    assert_eq!(policy(&main).unwrap()[0].len(), 4 << 20);
    write(&main, "#".repeat((4 << 20) + 1)).unwrap();
    assert_eq!(policy(&main), refused(&main, "larger than 4 MiB; divide it into files of policy.d"));
}

#[test]
fn a_directory_above_may_be_a_symbolic_link_that_is_checked_too() {
    let scratch = Scratch::new("links");
    let real = scratch.directory("real");
    scratch.file("real/policy.toml", "x");
    symlink("real/../real", scratch.path("one")).unwrap();
    symlink(scratch.path("one"), scratch.path("two")).unwrap();
    let main = scratch.path("two/policy.toml");
    assert_eq!(policy(&main).unwrap(), ["x"]);
    set_mode(&real, 0o775);
    assert_eq!(policy(&main), refused(&real, "writable by group; chmod g-w it"));
}

#[test]
fn symbolic_links_in_a_circle_end() {
    let scratch = Scratch::new("circle");
    symlink("two", scratch.path("one")).unwrap();
    symlink("one", scratch.path("two")).unwrap();
    let circle = scratch.path("one");
    assert!(program(&circle).unwrap_err().ends_with(": too many symbolic links on the way"));
    assert!(policy(&circle.join("x")).unwrap_err().ends_with(": too many symbolic links on the way"));
}

#[test]
fn the_programs_of_the_system_are_trusted() {
    assert_eq!(check_program(Path::new("/bin/sh"), Trust::RootOnly), Ok(()));
}

#[test]
fn a_program_is_checked_through_its_symbolic_links() {
    let scratch = Scratch::new("program");
    let directory = scratch.directory("bin");
    let real = scratch.file("bin/real", "");
    let link = scratch.path("link");
    symlink("bin/real", &link).unwrap();
    assert_eq!(program(&link), refused(&real, "not executable; chmod +x it"));
    set_mode(&real, 0o755);
    assert_eq!(program(&link), Ok(()));
    set_mode(&real, 0o775);
    assert_eq!(program(&link), refused(&real, "writable by group; chmod g-w it"));
    set_mode(&real, 0o755);
    set_mode(&directory, 0o777);
    assert_eq!(program(&link), refused(&directory, "writable by others; chmod o-w it"));
}

#[test]
fn a_program_is_a_regular_file_with_an_absolute_path() {
    let scratch = Scratch::new("shape");
    let directory = scratch.directory("bin");
    assert_eq!(program(&directory), refused(&directory, "not a regular file"));
    assert_eq!(program(Path::new("bin/sh")), refused(Path::new("bin/sh"), "not an absolute path"));
    let missing = scratch.path("nothing");
    assert_eq!(program(&missing), refused(&missing, "does not exist"));
    assert!(metadata(&missing).is_err());
}

/// Only root can give files away: as anyone else, this test has nothing to look at.
#[test]
fn a_stranger_on_the_way_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new("stranger");
    let directory = scratch.directory("directory");
    let main = scratch.file("directory/policy.toml", "");
    let link = scratch.path("link");
    symlink("directory", &link).unwrap();
    assert_eq!(policy(&link.join("policy.toml")).unwrap(), [""]);
    std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
    let fact = "owned by uid 12345; chown it to root";
    assert_eq!(policy(&link.join("policy.toml")), refused(&link, fact));
    chown(&directory, Some(12345), None).unwrap();
    assert_eq!(policy(&main), refused(&directory, fact));
}

/// The texts of what a path stands for, checked and unchecked.
fn named(path: &Path) -> [Result<Vec<String>, String>; 2] {
    [read_named(path, Trust::CallingUser), read_unchecked(path)].map(|read| {
        let sources = read.map_err(|error| error.to_string())?;
        Ok(sources.into_iter().map(|source| source.text).collect())
    })
}

#[test]
fn a_directory_that_is_named_stands_for_what_is_installed_there_or_for_its_policies() {
    let scratch = Scratch::new("layouts");
    let fact = "holds no policy: no policy.toml, no policy.d, no *.toml";
    let told = |texts: &[&str]| Ok(texts.iter().copied().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(named(&scratch.0), [refused(&scratch.0, fact), refused(&scratch.0, fact)]);
    scratch.directory("policy.d");
    assert_eq!(named(&scratch.0), [refused(&scratch.0, fact), refused(&scratch.0, fact)]);
    scratch.file("web.toml", "web");
    assert_eq!(named(&scratch.0), [told(&["web"]), told(&["web"])]);
    scratch.file("policy.d/a.toml", "a");
    assert_eq!(named(&scratch.0), [told(&["a"]), told(&["a"])]);
    scratch.file("policy.toml", "main");
    assert_eq!(named(&scratch.0), [told(&["main", "a"]), told(&["main", "a"])]);
    let directory = scratch.path("policy.d");
    assert_eq!(named(&directory), [told(&["a"]), told(&["a"])]);
    assert_eq!(named(&scratch.path("web.toml")), [told(&["web"]), told(&["web"])]);
}

#[test]
fn a_policy_of_another_machine_is_read_whoever_can_change_it() {
    let scratch = Scratch::new("unchecked");
    let main = scratch.file("a.toml", "a");
    set_mode(&main, 0o666);
    set_mode(&scratch.0, 0o777);
    symlink("a.toml", scratch.path("b.toml")).unwrap();
    let [checked, unchecked] = named(&scratch.0);
    assert!(checked.is_err());
    assert_eq!(unchecked.unwrap(), ["a", "a"]);
}

#[test]
fn a_policy_of_another_machine_comes_out_of_a_pipe_and_no_larger_than_any() {
    let (reader, writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)));
    std::io::Write::write_all(&mut &writer, b"text").unwrap();
    drop(writer);
    assert_eq!(read_unchecked(&path).unwrap()[0].text, "text");
    assert_eq!(read_unchecked(Path::new("/dev/zero")).unwrap_err().fault(), Fault::TooLarge);
}
