//! Paths as values: how they are spelt, and under which roots. Opens nothing: what is there is for the run to prove.

use super::either;
use std::fmt;

/// What must be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A regular file or a directory.
    Either,
    /// Nothing, in a directory that is there.
    Nothing,
}

/// The paths that an argument takes.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Paths {
    /// Directories, each in its canonical spelling; never the root directory itself.
    pub(in crate::policy) roots: Vec<String>,
    pub(in crate::policy) target: Target,
    /// Whether the program gets what was proven, and not its path.
    pub(in crate::policy) handed: bool,
}

impl Paths {
    /// The root that the path is under, and the rest of it. None for a path that is spelt otherwise than canonically.
    pub(in crate::policy) fn split<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let below = |root: &'a String| Some((&**root, path.strip_prefix(&**root)?.strip_prefix('/')?));
        self.roots.iter().find_map(below).filter(|_| is_canonical(path))
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots: Vec<&str> = self.roots.iter().map(String::as_str).collect();
        let what = match self.target {
            Target::File => "the path of an existing file",
            Target::Directory => "the path of an existing directory",
            Target::Either => "the path of an existing file or directory",
            Target::Nothing => "the path of something new, in an existing directory,",
        };
        write!(f, "{what} under {}", either(&roots))
    }
}

/// Whether the path is absolute and its own one spelling: no empty component, no `.`, no `..`, and no control character,
/// which no name in a policy's care needs and many programs split lists by.
pub(in crate::policy) fn is_canonical(path: &str) -> bool {
    let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(char::is_control);
    path.strip_prefix('/').is_some_and(|names| names.split('/').all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path, PathBuf};

    #[test]
    fn a_canonical_path_has_one_spelling() {
        for good in ["/a", "/a/b", "/...", "/.a", "/a b", "/-", "/ö/~", "/a/..b"] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "a",
            "a/b",
            "//",
            "//a",
            "/a/",
            "/a//b",
            "/.",
            "/..",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/./a",
            "/a\n",
            "/a\tb",
            "/a\u{7f}",
            "/a\u{85}b",
        ] {
            assert!(!is_canonical(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_goes_down_from_its_root_by_plain_names(path in "(/r|/|)[/.ar\n]{0,9}") {
            let paths = Paths { roots: vec!["/r".to_owned()], target: Target::File, handed: false };
            if let Some((root, below)) = paths.split(&path) {
                let names: Vec<_> = Path::new(below).components().collect();
                prop_assert!(!names.is_empty());
                prop_assert!(names.iter().all(|name| matches!(name, Component::Normal(_))));
                let respelt: PathBuf = names.iter().collect();
                prop_assert_eq!(respelt.to_str(), Some(below));
                prop_assert_eq!(format!("{root}/{below}"), path);
            }
        }
    }

    #[test]
    fn a_path_is_under_a_root_by_whole_components() {
        let roots = ["/var/www", "/srv/a b"].map(str::to_owned).to_vec();
        let paths = Paths { roots, target: Target::File, handed: false };
        assert_eq!(paths.split("/var/www/x/y"), Some(("/var/www", "x/y")));
        assert_eq!(paths.split("/srv/a b/c"), Some(("/srv/a b", "c")));
        for bad in
            ["/var/www", "/var/www/", "/var/wwwx", "/var/wwwx/a", "/var", "/srv/a", "/var/www/../x", "/"]
        {
            assert_eq!(paths.split(bad), None, "{bad}");
        }
    }
}
