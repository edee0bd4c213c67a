//! Variables of the environment that loaders, shells, interpreters and libraries obey: whoever chooses one chooses what runs.

/// Names; a `*` at the end stands for any rest. Those of the loader and the C library are in ld.so(8), under secure-execution
/// mode; many of shells and interpreters in the list that sudoers(5) removes and that `sudo -V` shows; the others are named in
/// the manual page of their program.
const OBEYED: &[&str] = &[
    // The loader and the C library.
    "LD_*",
    "_RLD*",
    "LDR_*",
    "DYLD_*",
    "LIBPATH",
    "SHLIB_PATH",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "MALLOC_*",
    "NIS_PATH",
    "NLSPATH",
    "PATH_LOCALE",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "TMP",
    "TEMP",
    // What every command's environment has.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    // Shells.
    "IFS",
    "CDPATH",
    "ENV",
    "BASH*",
    "SHELLOPTS",
    "GLOBIGNORE",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT_COMMAND",
    "FPATH",
    "ZDOTDIR",
    "NULLCMD",
    "READNULLCMD",
    "TMPPREFIX",
    "EXECIGNORE",
    // Interpreters.
    "PYTHON*",
    "PERL*",
    "RUBY*",
    "GEM_*",
    "NODE_*",
    "LUA_*",
    "PHP*",
    "JAVA_*",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "TCLLIBPATH",
    "R_*",
    "AWKPATH",
    "AWKLIBPATH",
    // Terminals, editors and pagers.
    "TERM*",
    "EDITOR",
    "VISUAL",
    "SUDO_*",
    "PAGER",
    "MANPAGER",
    "SYSTEMD_*",
    "LESS*",
    "VIM*",
    "EXINIT",
    "BROWSER",
    // Libraries and programs that read files, or run programs, by their variables.
    "GIT_*",
    "SSH_*",
    "RSYNC_*",
    "TAR_OPTIONS",
    "MAKEFLAGS",
    "MAKEFILES",
    "OPENSSL_*",
    "SSLKEYLOGFILE",
    "KRB5*",
    "XDG_*",
    "DBUS_*",
    "GTK_*",
    "QT_*",
    "GIO_*",
    "AUTHSTATE",
    "PGSERVICEFILE",
    "MYSQL_*",
];

/// Those by which the loader takes code into every program.
const LOADERS: [&str; 3] = ["LD_*", "GLIBC_TUNABLES", "GCONV_PATH"];

/// Whether a program obeys the variable.
pub(super) fn is_obeyed(name: &str) -> bool {
    among(OBEYED, name) || name.ends_with("_EDITOR")
}

/// Whether the loader or the C library takes code by the variable.
pub(in crate::policy) fn is_loaders(name: &str) -> bool {
    among(&LOADERS, name)
}

/// Whether it is one of the names.
pub(super) fn among(names: &[&str], name: &str) -> bool {
    names
        .iter()
        .any(|known| known.strip_suffix('*').map_or(*known == name, |prefix| name.starts_with(prefix)))
}
