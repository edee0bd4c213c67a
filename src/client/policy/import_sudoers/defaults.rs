//! What becomes of each setting of `Defaults`. A setting that restricts commands keeps them out of the policy.

use super::report::{Row, Status};
use super::resolve::Sudoers;
use super::syntax::{Scope, Setting};

/// What a setting, switched on, is to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bearing {
    /// About the password prompt.
    Password,
    /// About sudo's own log.
    Log,
    /// Records what a command reads or writes.
    Records,
    /// About how sudo itself works.
    Sudo,
    /// udsadmin does so anyway.
    Always,
    /// What udsadmin does not do, and what permits nobody more.
    Lost,
    /// What keeps a command from doing something: without it, the command could do more.
    Restricts,
    /// Passes on variables of the caller's environment.
    Keeps,
    /// Taken into account for each command.
    Counted,
}

/// Beginnings of names; the longest that fits counts.
const KNOWN: [(&str, Bearing); 96] = [
    ("admin_flag", Bearing::Sudo),
    ("always_query_group_plugin", Bearing::Sudo),
    ("always_set_home", Bearing::Always),
    ("apparmor_profile", Bearing::Restricts),
    ("askpass", Bearing::Password),
    ("authenticate", Bearing::Password),
    ("authfail_message", Bearing::Password),
    ("badpass_message", Bearing::Password),
    ("case_insensitive_", Bearing::Sudo),
    ("closefrom", Bearing::Always),
    ("cmddenial_message", Bearing::Sudo),
    ("command_timeout", Bearing::Counted),
    ("compress_io", Bearing::Log),
    ("editor", Bearing::Sudo),
    ("env_check", Bearing::Keeps),
    ("env_delete", Bearing::Always),
    ("env_editor", Bearing::Sudo),
    ("env_file", Bearing::Lost),
    ("env_keep", Bearing::Keeps),
    ("env_reset", Bearing::Always),
    ("exec_background", Bearing::Sudo),
    ("exempt_group", Bearing::Password),
    ("fast_glob", Bearing::Sudo),
    ("fdexec", Bearing::Sudo),
    ("fqdn", Bearing::Sudo),
    ("group_plugin", Bearing::Lost),
    ("group_source", Bearing::Sudo),
    ("ignore_", Bearing::Sudo),
    ("insults", Bearing::Password),
    ("intercept", Bearing::Restricts),
    ("intercept_allow_setid", Bearing::Sudo),
    ("intercept_authenticate", Bearing::Sudo),
    ("intercept_type", Bearing::Sudo),
    ("intercept_verify", Bearing::Sudo),
    ("iolog_", Bearing::Log),
    ("lecture", Bearing::Password),
    ("limitprivs", Bearing::Restricts),
    ("listpw", Bearing::Password),
    ("log_", Bearing::Log),
    ("log_input", Bearing::Records),
    ("log_output", Bearing::Records),
    ("log_stderr", Bearing::Records),
    ("log_stdin", Bearing::Records),
    ("log_stdout", Bearing::Records),
    ("log_ttyin", Bearing::Records),
    ("log_ttyout", Bearing::Records),
    ("logfile", Bearing::Log),
    ("loglinelen", Bearing::Log),
    ("long_otp_prompt", Bearing::Password),
    ("mail", Bearing::Log),
    ("match_group_by_gid", Bearing::Sudo),
    ("maxseq", Bearing::Log),
    ("netgroup_tuple", Bearing::Sudo),
    ("noexec", Bearing::Restricts),
    ("noexec_file", Bearing::Sudo),
    ("noninteractive_auth", Bearing::Password),
    ("pam_", Bearing::Password),
    ("passprompt", Bearing::Password),
    ("passwd_", Bearing::Password),
    ("path_info", Bearing::Sudo),
    ("preserve_groups", Bearing::Lost),
    ("privs", Bearing::Restricts),
    ("pwfeedback", Bearing::Password),
    ("requiretty", Bearing::Lost),
    ("restricted_env_file", Bearing::Lost),
    ("rlimit_", Bearing::Lost),
    ("role", Bearing::Restricts),
    ("root_sudo", Bearing::Sudo),
    ("rootpw", Bearing::Password),
    ("runas_allow_unknown_id", Bearing::Sudo),
    ("runas_check_shell", Bearing::Sudo),
    ("runas_default", Bearing::Counted),
    ("runaspw", Bearing::Password),
    ("runchroot", Bearing::Restricts),
    ("runcwd", Bearing::Lost),
    ("secure_path", Bearing::Always),
    ("selinux", Bearing::Sudo),
    ("set_home", Bearing::Always),
    ("set_logname", Bearing::Always),
    ("set_utmp", Bearing::Log),
    ("setenv", Bearing::Keeps),
    ("shell_noargs", Bearing::Sudo),
    ("stay_setuid", Bearing::Sudo),
    ("sudoedit_", Bearing::Sudo),
    ("sudoers_locale", Bearing::Sudo),
    ("syslog", Bearing::Log),
    ("targetpw", Bearing::Password),
    ("timestamp", Bearing::Password),
    ("tty_tickets", Bearing::Password),
    ("type", Bearing::Restricts),
    ("umask", Bearing::Lost),
    ("umask_override", Bearing::Sudo),
    ("use_loginclass", Bearing::Lost),
    ("use_netgroups", Bearing::Sudo),
    ("use_pty", Bearing::Sudo),
    ("user_command_timeouts", Bearing::Sudo),
];

/// Variables by which a caller has a program load or run something else; each a name or the beginning of one.
const DANGEROUS: [&str; 22] = [
    "*",
    "LD_",
    "PATH",
    "IFS",
    "ENV",
    "BASH_",
    "SHELLOPTS",
    "PS4",
    "PYTHON",
    "PERL",
    "RUBY",
    "NODE_",
    "JAVA_",
    "CLASSPATH",
    "TERMINFO",
    "TERMCAP",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "LESS",
    "GIT_",
    "HOME",
];

/// What becomes of a setting that passes variables on.
const NO_VARIABLE: &str = "no variable of the caller reaches a command";

fn bearing(name: &str) -> Option<Bearing> {
    let fitting = KNOWN.iter().filter(|(known, _)| {
        if known.ends_with('_')
            || matches!(
                *known,
                "mail" | "syslog" | "lecture" | "timestamp" | "passprompt" | "closefrom" | "loglinelen"
            )
        {
            name.starts_with(known)
        } else {
            name == *known
        }
    });
    fitting.max_by_key(|(known, _)| known.len()).map(|(_, bearing)| *bearing)
}

impl Setting {
    /// Whether it restricts commands that it is for.
    pub(super) fn restricts(&self) -> bool {
        let chosen_by_user = self.name.starts_with("run") && self.value.as_deref() == Some("*");
        !self.off && bearing(&self.name) == Some(Bearing::Restricts) && !chosen_by_user
    }

    /// Whether it is for everything.
    pub(super) fn is_global(&self) -> bool {
        matches!(*self.scope, Scope::Everything)
    }

    fn verdict(&self) -> (Status, &'static str) {
        use Status::{Carried, Narrower, NotCarried, Noted, Wider};
        let Some(bearing) = bearing(&self.name) else {
            return (NotCarried, "a setting that is not known here");
        };
        let is_timeout = self.name == "command_timeout" && self.is_global();
        match bearing {
            Bearing::Keeps if self.off || self.removes => (Noted, NO_VARIABLE),
            Bearing::Keeps => (Narrower, NO_VARIABLE),
            Bearing::Password => (Noted, "about the password, which udsadmin never asks for"),
            Bearing::Log => (Noted, "about sudo's log; udsadmin records every request in the journal"),
            Bearing::Sudo => (Noted, "about sudo itself"),
            Bearing::Always => {
                (Noted, "udsadmin starts every command with a fixed environment, and nothing else open")
            }
            Bearing::Restricts | Bearing::Records | Bearing::Lost | Bearing::Counted if self.off => {
                (Noted, "switched off")
            }
            Bearing::Restricts if self.restricts() => {
                (NotCarried, "commands that it restricts stay out, as nothing here restricts them so")
            }
            Bearing::Restricts => (Narrower, "the caller has no choice here"),
            Bearing::Records => (Wider, "sudo records what commands read or write, udsadmin that they ran"),
            Bearing::Lost => (NotCarried, "udsadmin has no such setting"),
            Bearing::Counted if is_timeout => (Carried, "the timeout of each command without one of its own"),
            Bearing::Counted => (NotCarried, "commands that do not say as whom, or how long, stay out"),
        }
    }

    fn danger(&self) -> Option<&'static str> {
        let bad_variable = |value: &str| {
            value.split_whitespace().any(|variable| DANGEROUS.iter().any(|bad| variable.starts_with(bad)))
        };
        match (self.name.as_str(), self.off) {
            ("authenticate", true) => Some("nobody is asked for a password"),
            ("env_reset", true) => Some("commands get the caller's environment"),
            ("secure_path", true) => Some("programs look for others along the caller's PATH"),
            ("setenv", false) => Some("the caller may set any variable of a command's environment"),
            ("visiblepw", false) => Some("passwords may be typed in sight"),
            ("env_keep" | "env_check", false)
                if !self.removes && self.value.as_deref().is_some_and(bad_variable) =>
            {
                Some("through such a variable the caller has a program load or run what they like")
            }
            ("runas_allow_unknown_id", false) => Some("commands run as ids that nobody has"),
            _ => None,
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        let (status, message) = self.verdict();
        let danger = self.danger().map(|danger| Row::new(&self.at, &self.text, Status::Unsafe, danger));
        [Row::new(&self.at, &self.text, status, message)].into_iter().chain(danger)
    }
}

/// A row for each setting, and one more for each that is dangerous.
pub(super) fn rows(sudoers: &Sudoers) -> Vec<Row> {
    sudoers.settings.iter().flat_map(Setting::rows).collect()
}

/// What is missing among the settings where they are a whole configuration.
pub(super) fn missing(sudoers: &Sudoers, name: &str) -> Option<Row> {
    let is_set = sudoers.settings.iter().any(|setting| setting.name == "secure_path" && !setting.off);
    let message = "without it, programs that commands look for are found along the caller's PATH";
    (!is_set && name.rsplit('/').next() == Some("sudoers"))
        .then(|| Row::of_file(name, "Defaults secure_path", Status::Unsafe, message))
}
