//! The properties that a policy may set, each with its form, and those that it may not, with the reason. Data alone.

use super::Form::{
    self, Binds, Devices, Directories, Filter, Mounts, Namespaces, Networks, Octets, Paths, Percent, Signed,
    Slice, Tasks, Truth, TruthOr, Weight, Word, Words,
};
use super::Known;

const EXEC: &str = "As in systemd.exec(5).";
const RESOURCES: &str = "As in systemd.resource-control(5).";
const SERVICE: &str = "As in systemd.service(5).";

/// Every one of them was set in a started unit of systemd 252 and 257.
pub(super) const KNOWN: [Known; 61] = [
    exec("BindPaths", Binds),
    exec("BindReadOnlyPaths", Binds),
    exec("CacheDirectory", Directories),
    exec("ConfigurationDirectory", Directories),
    exec("ExecPaths", Paths),
    exec("InaccessiblePaths", Paths),
    exec("KeyringMode", Word(&["inherit", "private", "shared"])),
    exec("LockPersonality", Truth),
    exec("LogsDirectory", Directories),
    exec("MemoryDenyWriteExecute", Truth),
    exec("MountAPIVFS", Truth),
    exec("NoExecPaths", Paths),
    exec("OOMScoreAdjust", Signed(-1000, 1000)),
    exec("PrivateDevices", Truth),
    exec("PrivateIPC", Truth),
    exec("PrivateMounts", Truth),
    exec("PrivateNetwork", Truth),
    exec("PrivateTmp", Truth),
    exec("ProcSubset", Word(&["all", "pid"])),
    exec("ProtectClock", Truth),
    exec("ProtectControlGroups", Truth),
    exec("ProtectHome", TruthOr(&["read-only", "tmpfs"])),
    exec("ProtectHostname", Truth),
    exec("ProtectKernelLogs", Truth),
    exec("ProtectKernelModules", Truth),
    exec("ProtectKernelTunables", Truth),
    exec("ProtectProc", Word(&["noaccess", "invisible", "ptraceable", "default"])),
    exec("ProtectSystem", TruthOr(&["full", "strict"])),
    exec("ReadOnlyPaths", Paths),
    exec("ReadWritePaths", Paths),
    exec("RemoveIPC", Truth),
    exec("RestrictAddressFamilies", Filter),
    exec("RestrictFileSystems", Filter),
    exec("RestrictNamespaces", Namespaces),
    exec("RestrictRealtime", Truth),
    exec("RestrictSUIDSGID", Truth),
    exec("RuntimeDirectory", Directories),
    exec("StateDirectory", Directories),
    exec("SystemCallArchitectures", Words),
    exec("SystemCallFilter", Filter),
    exec("TemporaryFileSystem", Mounts),
    resources("CPUAccounting", Truth),
    resources("CPUQuota", Percent),
    resources("CPUWeight", Weight),
    resources("DeviceAllow", Devices),
    resources("DevicePolicy", Word(&["auto", "closed", "strict"])),
    resources("IOAccounting", Truth),
    resources("IOWeight", Weight),
    resources("IPAccounting", Truth),
    resources("IPAddressAllow", Networks),
    resources("IPAddressDeny", Networks),
    resources("MemoryAccounting", Truth),
    resources("MemoryHigh", Octets),
    resources("MemoryLow", Octets),
    resources("MemoryMax", Octets),
    resources("MemoryMin", Octets),
    resources("MemorySwapMax", Octets),
    resources("Slice", Slice),
    resources("TasksAccounting", Truth),
    resources("TasksMax", Tasks),
    service("OOMPolicy", Word(&["continue", "stop", "kill"])),
];

/// Names, of which one that ends with `*` is a beginning, and why a policy sets none of them.
pub(super) const REFUSED: [(&[&str], &str); 10] = [
    (&["PrivateUsers"], "a user namespace would lack the ids that run-as gives"),
    (&["ExecStart*", "ExecStop*", "ExecReload*", "ExecCondition"], "exec says what runs"),
    (&["User", "Group", "SupplementaryGroups", "DynamicUser", "PAMName"], "run-as says as whom it runs"),
    (&["Standard*", "TTY*", "Utmp*"], "standard input, output and error are the client's"),
    (
        &["Environment*", "PassEnvironment", "UnsetEnvironment", "SetLoginEnvironment"],
        "the environment of a command is the same for both runners",
    ),
    (&["Timeout*", "RuntimeMax*"], "timeout says how long it may take"),
    (
        &[
            "Type",
            "RemainAfterExit",
            "Restart*",
            "Kill*",
            "SendSIG*",
            "FinalKillSignal",
            "PIDFile",
            "GuessMainPID",
            "NotifyAccess",
            "SuccessExitStatus",
            "CollectMode",
            "Watchdog*",
            "FileDescriptor*",
            "OpenFile",
            "Delegate*",
            "BusName",
            "Sockets",
            "RootDirectoryStartOnly",
            "NonBlocking",
            "On*",
            "Success*",
            "Failure*",
            "Job*",
        ],
        "udsadmin-broker has to see how it ends, and that nothing is left",
    ),
    (
        &[
            "WorkingDirectory",
            "UMask",
            "NoNewPrivileges",
            "CapabilityBoundingSet",
            "AmbientCapabilities",
            "Nice",
            "IOScheduling*",
            "CPUScheduling*",
            "Limit*",
            "IgnoreSIGPIPE",
        ],
        "a command has a key of its own for it, or the same value under both runners",
    ),
    (&["Root*"], "the program was checked where this machine's own root has it"),
    (
        &["Description", "Documentation", "Syslog*", "LogL*", "LogR*", "LogE*", "LogN*", "LogF*"],
        "the record names the unit by its job",
    ),
];

const fn exec(name: &'static str, form: Form) -> Known {
    Known { name, page: EXEC, form }
}

const fn resources(name: &'static str, form: Form) -> Known {
    Known { name, page: RESOURCES, form }
}

const fn service(name: &'static str, form: Form) -> Known {
    Known { name, page: SERVICE, form }
}
