//! The tables of the policy language that say in what manner a command runs. Data alone.

use super::super::size;
use super::super::terms::manner::{CAPABILITY_NAMES, IO_FORM};
use super::tables::key;
use super::{Key, Names, Needs, Section, Shape};

pub(super) const RUN_AS: Key = key(
    "run-as",
    "The user as whom it runs; root, if nothing else is said. A table names its groups, too.",
    Shape::Either(&[Shape::Text, Shape::Table(&RUN_AS_TABLE)]),
);

/// `run-as`, as a table.
pub(in crate::policy) const RUN_AS_TABLE: Section = Section {
    of: "run-as",
    keys: &[
        key("user", "The user, by name.", Shape::Text),
        key("group", "The primary group, instead of the user's own.", Shape::Principal),
        key(
            "groups",
            "The supplementary groups, instead of those that the user database gives the user.",
            Shape::List(&Shape::Principal),
        ),
    ],
    needs: Needs::All(&["user"]),
};

pub(super) const CAPABILITIES_KEY: Key = key(
    "capabilities",
    "The capabilities (capabilities(7)) that it has; none for other users than root, if nothing else is said, and all for root.",
    Shape::Table(&CAPABILITIES),
);

/// `capabilities`.
pub(in crate::policy) const CAPABILITIES: Section = Section {
    of: "capabilities",
    keys: &[
        key(
            "ambient",
            "Those that another user than root has: exactly these. \"net-bind-service\", or \"CAP_NET_BIND_SERVICE\".",
            Shape::List(&CAPABILITY),
        ),
        key("bounding", "Those that no program can give it more than.", Shape::List(&CAPABILITY)),
    ],
    needs: Needs::Nothing,
};

const CAPABILITY: Shape = Shape::Either(&[Shape::Word(&CAPABILITY_NAMES), Shape::Form("^CAP_[A-Z_]+$")]);

pub(super) const NO_NEW_PRIVILEGES: Key = key(
    "no-new-privileges",
    "Whether setuid programs and the like are without effect for it; they are for all but root, if nothing else is said.",
    Shape::Truth,
);

pub(super) const UMASK: Key = key(
    "umask",
    "The file mode creation mask, in octal: \"0027\"; \"0022\", if nothing else is said.",
    Shape::Form("^0?[0-7]{3}$"),
);

pub(super) const CWD: Key = key(
    "cwd",
    "The directory in which it starts, absolute; the root directory, if nothing else is said.",
    Shape::Form("^/"),
);

pub(super) const ENVIRONMENT_KEY: Key = key(
    "environment",
    "What its environment has beside what every command's has.",
    Shape::Table(&ENVIRONMENT),
);

/// `environment`.
pub(in crate::policy) const ENVIRONMENT: Section = Section {
    of: "environment",
    keys: &[
        key(
            "set",
            "Values by the names of variables. They count more than what every command's environment has.",
            Shape::Named(Names::Variables, &Shape::Text),
        ),
        key(
            "from-arg",
            "Arguments by the names of variables, which have their values. None that a loader, a shell or an interpreter obeys.",
            Shape::Named(Names::Variables, &Shape::Text),
        ),
    ],
    needs: Needs::Nothing,
};

pub(super) const LIMITS_KEY: Key = key(
    "limits",
    "Its limits of resources (setrlimit(2)): a value, or { soft =, hard = }; \"infinity\" is none.",
    Shape::Table(&LIMITS),
);

/// `limits`.
pub(in crate::policy) const LIMITS: Section = Section {
    of: "limits",
    keys: &[
        key("as", "Its address space: octets, or \"2GiB\".", OCTETS),
        key("core", "A core file: octets, or \"64MiB\".", OCTETS),
        key("cpu", "Time of the processor, in whole seconds: \"60s\".", SECONDS),
        key("data", "Its data segment: octets, or \"1GiB\".", OCTETS),
        key("fsize", "A file that it writes: octets, or \"1GiB\".", OCTETS),
        key("memlock", "Memory that it locks: octets, or \"64KiB\".", OCTETS),
        key("msgqueue", "POSIX message queues of its user: octets, or \"800KiB\".", OCTETS),
        key("nofile", "Its open descriptors.", THINGS),
        key("nproc", "Processes of its user; root has no such limit.", THINGS),
        key("rtprio", "The real-time priority that it may take.", THINGS),
        key("sigpending", "Signals that wait for its user.", THINGS),
        key("stack", "Its stack: octets, or \"8MiB\".", OCTETS),
    ],
    needs: Needs::Nothing,
};

/// Both ends of a limit.
pub(in crate::policy) const BOUNDS: Section = Section {
    of: "a limit",
    keys: &[
        key("soft", "What counts, which the program may raise as far as hard.", Shape::Value),
        key("hard", "The most that it may have.", Shape::Value),
    ],
    needs: Needs::All(&["soft", "hard"]),
};

const OCTETS: Shape = Shape::Either(&[
    Shape::Integer(0, i64::MAX),
    Shape::Form(size::FORM),
    Shape::Word(&["infinity"]),
    Shape::Table(&BOUNDS),
]);

const SECONDS: Shape =
    Shape::Either(&[Shape::Form("^(infinity|( *[0-9]+ *[A-Za-zµ]+)+ *)$"), Shape::Table(&BOUNDS)]);

const THINGS: Shape =
    Shape::Either(&[Shape::Integer(0, i64::MAX), Shape::Word(&["infinity"]), Shape::Table(&BOUNDS)]);

pub(super) const NICE: Key = key(
    "nice",
    "Its niceness, from -20, the first to run, to 19; 0, if nothing else is said.",
    Shape::Integer(-20, 19),
);

pub(super) const IO: Key = key(
    "io",
    "Its priority of input and output: \"idle\", \"best-effort\", \"best-effort:7\", \"realtime:0\".",
    Shape::Form(IO_FORM),
);

pub(super) const PRIVATE_TMP: Key = key(
    "private-tmp",
    "Whether it has a /tmp and a /var/tmp of its own, empty and gone when it ends.",
    Shape::Truth,
);

pub(super) const READ_ONLY_KEY: Key = key(
    "read-only",
    "Whether every file system is read-only for it; { except = [...] } names directories that are not.",
    Shape::Either(&[Shape::Truth, Shape::Table(&READ_ONLY)]),
);

/// `read-only`, as a table.
pub(in crate::policy) const READ_ONLY: Section = Section {
    of: "read-only",
    keys: &[key(
        "except",
        "Directories that stay as writable as they are.",
        Shape::List(&Shape::Form("^/.")),
    )],
    needs: Needs::Nothing,
};

pub(super) const NETWORK: Key = key(
    "network",
    "Whether it has the machine's network; false leaves it a loopback interface of its own, and no abstract Unix socket.",
    Shape::Truth,
);
