//! The built-ins, and the refusals that need no broker. Tells a peer nothing that its credentials do not permit.

use super::conversation::Conversation;
use super::judge::{NO_SUCH, not_run};
use super::listing::{Field, Listing, fields_of, timed};
use crate::audit::Event;
use crate::policy::{ArgumentSpec, why};
use crate::protocol::Tag;
use crate::protocol::decoder::{Ask, Hello, Mode, VERSION};
use crate::protocol::reply::{self, Final};
use crate::request::{Builtin, CommandName, Request};
use std::fmt::Display;
use std::sync::Arc;
use std::time::SystemTime;

/// What each served built-in is for, and how it is written.
const SERVED: [(&str, &str, &str); 14] = [
    ("help", "help [NAME]", "what there is, or how one command is used"),
    ("commands", "commands", "the commands that you may run"),
    ("whoami", "whoami", "who the kernel says you are"),
    ("why", "why NAME [ARG...]", "how a request would be decided; nothing runs"),
    ("run", "run NAME [ARG...]", "runs a command; so does NAME [ARG...] alone"),
    (
        "jobs",
        "jobs [all]",
        "what you have run and is still known; all: what everyone has, where the policy grants it",
    ),
    ("job", "job ID [follow]", "how a job is, and the end of its output; follow: to its end"),
    ("cancel", "cancel [job=ID]", "ends the command that runs, or a job"),
    ("ping", "ping", "answers"),
    ("hello", "hello 1", "agrees on the version of the protocol"),
    ("quit", "quit", "ends the session"),
    ("status", "status", "how the server is, where the policy grants it"),
    (
        "reload",
        "reload [confirm=TIME]",
        "reads the policy again; with a time, only until then unless confirmed",
    ),
    ("confirm", "confirm", "keeps the policy that is on trial"),
];

impl Conversation<'_> {
    /// Answers whatever needs no broker.
    pub(super) async fn answer(&mut self, tag: Option<&Tag>, ask: Ask) {
        let last = match ask {
            Ask::Help(None) => return self.help(tag),
            Ask::Help(Some(name)) => self.help_with(tag, &name),
            Ask::Commands => return self.list(tag, None, Final::ok()),
            Ask::Whoami => self.whoami(tag),
            Ask::Why(request) => self.why(tag, &request),
            Ask::Hello(hello) => self.hello(hello),
            Ask::Status => self.status(tag).await,
            Ask::Unserved(builtin) => self.unserved(builtin).await,
            Ask::Misused { name, text, .. } => Final::bad_argument(name).text(text),
            Ask::Cancel | Ask::Ping | Ask::Run(..) | Ask::Wish(_) | Ask::Quit => Final::ok(),
        };
        self.say(tag, &last);
    }

    fn row<V: AsRef<[u8]>>(&mut self, tag: Option<&Tag>, fields: &[(&str, V)]) {
        reply::row(tag, fields, self.out.writer());
    }

    fn help(&mut self, tag: Option<&Tag>) {
        for (name, usage, summary) in SERVED {
            let Some(builtin) = Builtin::from_verb(name) else { continue };
            let during = self.judge.policy().builtin_hours(&self.judge.peer, builtin);
            if during.is_some() || self.may(builtin) {
                self.row(tag, &served((name, usage, summary), during));
            }
        }
        self.list(tag, Some("command"), Final::ok().text("help NAME tells more of a command"));
    }

    /// Has a row told for each command of the peer, and then this final line.
    fn list(&mut self, tag: Option<&Tag>, kind: Option<&'static str>, last: Final) {
        self.listing = Some(Listing::new(&self.judge, tag, kind, last));
    }

    fn now(&self) -> SystemTime {
        (self.context.clock)()
    }

    fn may(&self, builtin: Builtin) -> bool {
        self.judge.policy().grants_builtin(&self.judge.peer, builtin, self.now())
    }

    fn help_with(&mut self, tag: Option<&Tag>, name: &CommandName) -> Final {
        if let Some((verb, usage, summary)) = SERVED.iter().find(|(verb, ..)| *verb == name.as_str()) {
            let hours = |builtin| self.judge.policy().builtin_hours(&self.judge.peer, builtin);
            let during = Builtin::from_verb(verb).and_then(hours);
            self.row(tag, &served((verb, usage, summary), during));
            return Final::ok();
        }
        let judge = Arc::clone(&self.judge);
        let Some(command) = judge.policy().command(&judge.peer, name) else {
            return Final::denied().text(NO_SUCH);
        };
        let mut fields = fields_of(&judge, command, Some("command"));
        fields.extend(command.terms().input.limit().map(|limit| ("input", limit.to_string())));
        let out = self.out.writer();
        reply::row(tag, &fields, out);
        for argument in command.arguments() {
            argument_row(tag, argument, out);
        }
        Final::ok()
    }

    fn whoami(&mut self, tag: Option<&Tag>) -> Final {
        let peer = &self.judge.peer;
        let (user, uid, gid) = (peer.user(), peer.uid.to_string(), peer.gid.to_string());
        let groups = peer.circumstances.group_names.join(",");
        self.row(
            tag,
            &[("user", &*user), ("uid", &*uid), ("gid", &*gid), ("groups", &*groups), ("source", "kernel")],
        );
        Final::ok()
    }

    fn why(&mut self, tag: Option<&Tag>, request: &Request) -> Final {
        let explanation = why(self.judge.policy(), &self.judge.peer, request, self.now());
        for step in &explanation.steps {
            self.row(tag, &step.fields());
        }
        Final::ok().field("decision", if explanation.permitted { "permit" } else { "deny" })
    }

    fn hello(&self, hello: Hello) -> Final {
        if hello.version != VERSION {
            return Final::version().text(format!("this server speaks version {VERSION}"));
        }
        if hello.mode == Mode::Frame {
            return Final::bad_argument("mode").text("must be text: this version has no frame mode");
        }
        Final::hello(env!("CARGO_PKG_VERSION"), self.judge.peer.user(), self.judge.peer.uid)
            .field("concurrent", "1")
    }

    async fn status(&mut self, tag: Option<&Tag>) -> Final {
        if let Some(last) = self.refusal(Builtin::Status, &Builtin::Status.verb()).await {
            return last;
        }
        for (name, value) in (self.context.status)() {
            self.row(tag, &[(name, value)]);
        }
        Final::ok()
    }

    async fn unserved(&mut self, builtin: Builtin) -> Final {
        let unserved =
            || Final::bad_argument("verb").text(format!("{} is not served by this version", builtin.verb()));
        self.refusal(builtin, &builtin.verb()).await.unwrap_or_else(unserved)
    }

    /// The refusal of a built-in that the policy does not grant at this moment, on the record; `None` where it does.
    pub(super) async fn refusal(
        &mut self,
        builtin: Builtin,
        spelling: &(dyn Display + Sync),
    ) -> Option<Final> {
        let denial = self.judge.policy().judge_builtin(&self.judge.peer, builtin, self.now()).err()?;
        let event = Event::denied_builtin(&self.judge.peer, builtin, spelling, denial.reason());
        self.context.trail.note(&event.decision("deny", denial.rule())).await;
        Some(not_run(&denial.refusal().into()))
    }
}

/// The row of a built-in.
fn served((name, usage, summary): (&str, &str, &str), during: Option<String>) -> Vec<Field> {
    let fields = [("name", name), ("kind", "builtin"), ("usage", usage), ("summary", summary)];
    timed(fields.map(|(field, value)| (field, value.to_owned())), during)
}

/// What an argument takes, and what of it must be given.
fn argument_row(tag: Option<&Tag>, argument: &ArgumentSpec, out: &mut Vec<u8>) {
    let kind = argument.kind();
    let mut fields = vec![("argument", argument.name().as_str().as_bytes()), ("takes", kind.as_bytes())];
    match argument.default() {
        Some(value) => fields.push(("default", value.as_bytes())),
        None if argument.is_required() => fields.push(("required", b"yes")),
        None => fields.push(("optional", b"yes")),
    }
    let times = argument.repeat().map(|repeat| format!("{}-{}", repeat.min, repeat.max));
    fields.extend(times.as_ref().map(|times| ("times", times.as_bytes())));
    reply::row(tag, &fields, out);
}
