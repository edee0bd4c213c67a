//! The steps at which systemd gives up before a program runs, as systemd.exec(5) numbers them. Guesses nothing.

use super::NotStarted;

/// Status, name and nearest error of each step ("Process Exit Codes" of systemd.exec(5)).
const STEPS: [(i32, &str, i32); 41] = [
    (200, "CHDIR", libc::ENOENT),
    (201, "NICE", libc::EPERM),
    (202, "FDS", libc::EBADF),
    (203, "EXEC", libc::ENOEXEC),
    (204, "MEMORY", libc::ENOMEM),
    (205, "LIMITS", libc::EPERM),
    (206, "OOM_ADJUST", libc::EPERM),
    (207, "SIGNAL_MASK", libc::EINVAL),
    (208, "STDIN", libc::EBADF),
    (209, "STDOUT", libc::EBADF),
    (210, "CHROOT", libc::ENOENT),
    (211, "IOPRIO", libc::EPERM),
    (212, "TIMERSLACK", libc::EINVAL),
    (213, "SECUREBITS", libc::EPERM),
    (214, "SETSCHEDULER", libc::EPERM),
    (215, "CPUAFFINITY", libc::EINVAL),
    (216, "GROUP", libc::EPERM),
    (217, "USER", libc::EPERM),
    (218, "CAPABILITIES", libc::EPERM),
    (219, "CGROUP", libc::EIO),
    (220, "SETSID", libc::EPERM),
    (221, "CONFIRM", libc::ECANCELED),
    (222, "STDERR", libc::EBADF),
    (224, "PAM", libc::EACCES),
    (225, "NETWORK", libc::EPERM),
    (226, "NAMESPACE", libc::EPERM),
    (227, "NO_NEW_PRIVILEGES", libc::EPERM),
    (228, "SECCOMP", libc::ENOSYS),
    (229, "SELINUX_CONTEXT", libc::EPERM),
    (230, "PERSONALITY", libc::EINVAL),
    (231, "APPARMOR_PROFILE", libc::EPERM),
    (232, "ADDRESS_FAMILIES", libc::EAFNOSUPPORT),
    (233, "RUNTIME_DIRECTORY", libc::EACCES),
    (235, "CHOWN", libc::EPERM),
    (236, "SMACK_PROCESS_LABEL", libc::EPERM),
    (237, "KEYRING", libc::EPERM),
    (238, "STATE_DIRECTORY", libc::EACCES),
    (239, "CACHE_DIRECTORY", libc::EACCES),
    (240, "LOGS_DIRECTORY", libc::EACCES),
    (241, "CONFIGURATION_DIRECTORY", libc::EACCES),
    (245, "BPF", libc::ENOSYS),
];

/// Why a program never ran, by the status of the process that was to become it; `None` where it is no step of systemd's.
pub(super) fn cause(status: i32, unit: &str) -> Option<NotStarted> {
    let (_, name, errno) = STEPS.iter().find(|(step, _, _)| *step == status)?;
    let why =
        format!("systemd gave up at {status}/{name} (systemd.exec(5)); the journal of {unit} says more");
    Some(NotStarted::failed(*errno, why))
}
