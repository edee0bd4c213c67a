//! The tables of the policy language, one entry a key. Data alone.

use super::super::size;
use super::super::terms::{ENFORCEMENTS, SHARE, TASKS_LIMIT, UNIT_OF_COMMAND, WAYS};
use super::argument::ARGUMENT;
use super::{Key, Names, Needs, Section, Shape, manner};

/// A whole file of a policy.
pub const POLICY: Section = Section {
    of: "a policy",
    keys: &[
        key("allow", "Who may connect at all. Without it nobody may.", Shape::OneOrSeveral(&GATE)),
        key("deny", "Whom no other line can let in: a deny always wins.", Shape::Table(&DENY)),
        key(
            "roles",
            "Users and groups under one name, for rules to share.",
            Shape::Named(Names::Free, &Shape::Table(&ROLE)),
        ),
        key(
            "builtins",
            "Who may use the built-ins of the protocol that need a grant.",
            Shape::Named(Names::Builtins, &Shape::Table(&BUILTIN)),
        ),
        key(
            "commands",
            "What there is to run, by name. A file may also only add allow rules to a command of another file.",
            Shape::Named(Names::Free, &Shape::Table(&COMMAND)),
        ),
        key("audit", "Nothing runs without its record in the journal.", Shape::Word(&["required"])),
        key(
            "cgroup-limits",
            "What becomes of a run whose memory-max, tasks-max or cpu-max can't be set: it does not start (if nothing else is \
             said), or it runs without and its record says so.",
            Shape::Word(&ENFORCEMENTS),
        ),
        key(
            "test",
            "What the author expects of the policy. A test that fails refuses the whole policy.",
            Shape::List(&Shape::Table(&TEST)),
        ),
    ],
    needs: Needs::Nothing,
};

/// `[allow]`. It has no times: a connection would outlast them.
pub(in crate::policy) const GATE: Section = Section {
    of: "allow",
    keys: &[USERS, GROUPS, ROLES, GROUPS_FROM, FOREIGN_NAMESPACE],
    needs: Needs::Nothing,
};

/// `[deny]`.
pub(in crate::policy) const DENY: Section =
    Section { of: "deny", keys: &[USERS, GROUPS, ROLES], needs: Needs::Nothing };

/// `[roles.NAME]`.
pub(in crate::policy) const ROLE: Section =
    Section { of: "a role", keys: &[USERS, GROUPS], needs: Needs::SomeOf(&["users", "groups"]) };

const USERS: Key = key("users", "Users, by name or number.", Shape::List(&Shape::Principal));

const GROUPS: Key = key("groups", "Groups, by name or number.", Shape::List(&Shape::Principal));

const ROLES: Key = key("roles", "Roles, by name: whoever is in one.", Shape::List(&Shape::Text));

const GROUPS_FROM: Key = key(
    "groups-from",
    "Whose word counts for groups: the kernel's, of the process that connects (if nothing else is said), or the user \
     database's, where a membership counts before the next login.",
    Shape::Word(&["kernel", "database"]),
);

const FOREIGN_NAMESPACE: Key = key(
    "foreign-namespace",
    "Whether it is also for peers in another user namespace, such as a container's root.",
    Shape::Truth,
);

const DURING: Key = key(
    "during",
    "When the rule permits: \"Mon..Fri 08:00-18:00 Europe/Berlin\", or a list of such.",
    Shape::Either(&[Shape::Text, Shape::Some(&Shape::Text)]),
);

/// `[builtins.NAME]`.
pub(in crate::policy) const BUILTIN: Section = Section {
    of: "a built-in",
    keys: &[key("allow", "Who may use it.", Shape::List(&Shape::Table(&BUILTIN_RULE)))],
    needs: Needs::Nothing,
};

/// `[[builtins.NAME.allow]]`.
pub(in crate::policy) const BUILTIN_RULE: Section = Section {
    of: "an allow rule of a built-in",
    keys: &[USERS, GROUPS, ROLES, GROUPS_FROM, FOREIGN_NAMESPACE, DURING],
    needs: SOMEONE,
};

/// `[[commands.NAME.allow]]`.
pub(in crate::policy) const COMMAND_RULE: Section = Section {
    of: "an allow rule of a command",
    keys: &[
        USERS,
        GROUPS,
        ROLES,
        GROUPS_FROM,
        FOREIGN_NAMESPACE,
        DURING,
        key(
            "when",
            "The values to which the rule narrows an argument, by the argument's name.",
            Shape::Named(Names::Free, &Shape::Some(&Shape::Value)),
        ),
    ],
    needs: SOMEONE,
};

const SOMEONE: Needs = Needs::SomeOf(&["users", "groups", "roles"]);

/// `[commands.NAME]`.
pub(in crate::policy) const COMMAND: Section = Section {
    of: "a command",
    keys: &[
        key("summary", "What it does, in one line, for help.", Shape::Text),
        key(
            "exec",
            "The program's absolute path, then its arguments. There is no shell. \"{NAME}\" is replaced by the value of that \
             argument and always stays one argument; \"{{\" and \"}}\" are plain braces.",
            Shape::Some(&Shape::Text),
        ),
        key(
            "args",
            "Its arguments, in the order of positional values.",
            Shape::List(&Shape::Table(&ARGUMENT)),
        ),
        manner::RUN_AS,
        manner::CAPABILITIES_KEY,
        manner::NO_NEW_PRIVILEGES,
        manner::UMASK,
        manner::CWD,
        manner::ENVIRONMENT_KEY,
        manner::LIMITS_KEY,
        manner::NICE,
        manner::IO,
        manner::PRIVATE_TMP,
        manner::READ_ONLY_KEY,
        manner::NETWORK,
        key(
            "timeout",
            "How long it may take: \"30s\", \"10min\" (if nothing else is said), \"2h\", or \"infinity\".",
            LIMIT,
        ),
        key(
            "rate",
            "How often one user may run it: \"5/min\"; N from 1 to 1000, per s, min, h or day.",
            Shape::Form("^[0-9]+/(s|min|h|day)$"),
        ),
        key(
            "runner",
            "What starts it: the broker itself (\"direct\", if nothing else is said), or systemd, as a transient service that \
             outlives the broker.",
            Shape::Word(&["direct", "unit"]),
        ),
        key(
            "unit",
            "Properties of that service, which runner = \"unit\" has.",
            Shape::Table(&UNIT_OF_COMMAND),
        ),
        key(
            "stdin",
            "What a client may give as its standard input: \"none\" (if nothing else is said), or \"bytes\", which are whole before \
             it starts.",
            Shape::Word(&["none", "bytes"]),
        ),
        key(
            "input-limit",
            "How long an input may be: \"64KiB\"; 1MiB at most, and if nothing else is said.",
            SIZE,
        ),
        key("max-running", "How many of it may run at once, whoever asked.", Shape::Integer(1, 1000)),
        key(
            "kill-after",
            "How long it may take to end when it is told to, before it is killed: \"5s\", if nothing else is said; 20s at most.",
            SPAN,
        ),
        key(
            "memory-max",
            "All its memory: \"512MiB\"; \"infinity\", if nothing else is said.",
            Shape::Either(&[SIZE, Shape::Word(&["infinity"])]),
        ),
        key("tasks-max", "All its processes and threads at once.", Shape::Integer(1, TASKS_LIMIT)),
        key(
            "cpu-max",
            "All its time of the processors, in percent of one: \"50%\", \"200%\".",
            Shape::Form(SHARE),
        ),
        key(
            "output-limit",
            "How much it may write, both streams together, before it is ended: \"10MiB\"; \"infinity\", if nothing else is said.",
            Shape::Either(&[SIZE, Shape::Word(&["infinity"])]),
        ),
        key(
            "stall-timeout",
            "How long its client may read nothing of what there is to read, before it counts as gone: \"30s\"; \"infinity\", if \
             nothing else is said.",
            LIMIT,
        ),
        key(
            "on-disconnect",
            "What becomes of it when its client is gone: it goes on to its end (if nothing else is said), or is told to end.",
            Shape::Word(&WAYS),
        ),
        key("keep", "What is kept of a run that is over, for job ID.", Shape::Table(&KEEP)),
        key(
            "accept",
            "Findings of udsadmin policy lint about it that the author takes, each with a reason: \"NAME: why\" takes those of one \
             name, any other text takes all.",
            Shape::Some(&Shape::Text),
        ),
        key("allow", "Who may run it, and with which values.", Shape::List(&Shape::Table(&COMMAND_RULE))),
    ],
    needs: Needs::SomeOf(&["exec", "allow"]),
};

/// A span of time.
pub(super) const SPAN: Shape = Shape::Form("^(0|( *[0-9]+ *[A-Za-zµ]+)+ *)$");

/// A span of time, or none.
const LIMIT: Shape = Shape::Form("^(infinity|( *[0-9]+ *[A-Za-zµ]+)+ *)$");

/// A size in octets.
const SIZE: Shape = Shape::Either(&[Shape::Integer(0, i64::MAX), Shape::Form(size::FORM)]);

/// `keep` of a command.
pub(in crate::policy) const KEEP: Section = Section {
    of: "keep",
    keys: &[
        key("time", "For how long: \"10min\", if nothing else is said; a day at most.", SPAN),
        key("output", "How much of the end of each stream: \"64KiB\", if nothing else is said.", SIZE),
    ],
    needs: Needs::Nothing,
};

/// `[[test]]`.
pub(in crate::policy) const TEST: Section = Section {
    of: "a test",
    keys: &[
        key("peer", "Who asks.", Shape::Table(&TEST_PEER)),
        key("request", "What it asks, as a client writes it.", Shape::Text),
        key("expect", "Whether it is to be permitted.", Shape::Word(&["permit", "deny"])),
        key(
            "at",
            "When: \"2026-11-23 12:00 Europe/Berlin\". Needed where a rule permits at some times only.",
            Shape::Text,
        ),
    ],
    needs: Needs::All(&["peer", "request", "expect"]),
};

/// `peer` of a test.
pub(in crate::policy) const TEST_PEER: Section = Section {
    of: "the peer of a test",
    keys: &[
        key("user", "The user, by name or number.", Shape::Principal),
        key("groups", "The groups, by name or number.", Shape::List(&Shape::Principal)),
        key("namespace", "The user namespace that it lives in.", Shape::Word(&["own", "foreign"])),
    ],
    needs: Needs::Nothing,
};

pub(super) const fn key(name: &'static str, about: &'static str, shape: Shape) -> Key {
    Key { name, about, shape }
}
