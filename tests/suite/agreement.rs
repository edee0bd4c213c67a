//! That `decide`, `why` and `who-can` say the same of one request. Tells where they differ; asserts nothing itself.

use std::time::SystemTime;
use udsadmin::identity::Peer;
use udsadmin::policy::{Decision, Origin, Policy, Reason, Refusal, Step, who_can, why};
use udsadmin::request::Request;

/// The time of decisions about which nothing else is said.
pub(crate) const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// One request of one peer to one policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) peer: &'a Peer,
    pub(crate) request: &'a Request,
    pub(crate) now: SystemTime,
}

impl Question<'_> {
    /// Where `why`, or `who-can` among these others, tells something else than this decision.
    pub(crate) fn disagreement(
        &self,
        decision: &Decision,
        others: impl Iterator<Item = Peer>,
    ) -> Option<String> {
        self.why_differs(decision).or_else(|| self.who_can_differs(decision, others))
    }

    /// The last step must be the one that decided.
    fn why_differs(&self, decision: &Decision) -> Option<String> {
        let explained = why(self.policy, self.peer, self.request, self.now);
        let last = explained.steps.last()?;
        let (permits, decided) = match decision {
            Decision::Permit(_) => (true, field(last, "result") == "yes" && field(last, "step") != "deny"),
            Decision::Deny(denial) => (false, tells(last, denial.reason())),
        };
        let agrees = explained.permitted == permits && decided;
        (!agrees).then(|| format!("why says {}: {last:?}", explained.permitted))
    }

    /// The peer must be listed if, and only if, it may run the request, and by the rule that permits it. A request without
    /// arguments asks who may run the command with some values at some time at least.
    fn who_can_differs(&self, decision: &Decision, others: impl Iterator<Item = Peer>) -> Option<String> {
        let at = Some(self.now).filter(|_| !self.request.arguments.is_empty());
        let listed = who_can(self.policy, others.chain([self.peer.clone()]), self.request, at);
        let rule = listed.iter().find(|able| is_same(&able.peer, self.peer)).map(|able| &able.rule);
        let agrees = match decision {
            Decision::Permit(grant) => self.is_named_by(rule, grant.rule()),
            Decision::Deny(denial) if self.request.arguments.is_empty() => {
                rule.is_some() == (*denial.refusal() != Refusal::Denied)
            }
            Decision::Deny(_) => rule.is_none(),
        };
        (!agrees).then(|| format!("who-can names {rule:?}"))
    }

    fn is_named_by(&self, rule: Option<&Origin>, permitting: &Origin) -> bool {
        rule.is_some_and(|rule| self.request.arguments.is_empty() || rule == permitting)
    }
}

fn is_same(one: &Peer, other: &Peer) -> bool {
    let facts = |peer: &Peer| (peer.uid, peer.groups.clone(), peer.database_groups.clone(), peer.namespace);
    facts(one) == facts(other)
}

fn field(step: &Step, name: &str) -> String {
    let mut fields = step.fields().into_iter();
    fields.find(|(known, _)| *known == name).map(|(_, value)| value).unwrap_or_default()
}

/// Whether the step tells of this reason.
fn tells(step: &Step, reason: &Reason) -> bool {
    let is = |name: &str, value: &str| field(step, name) == value;
    match reason {
        Reason::BadArgument { name, text } => {
            let told = !is("result", "no") || is("reason", text);
            is("step", "argument") && is("name", name) && !is("result", "yes") && told
        }
        Reason::DeniedUser(name) => is("step", "deny") && is("user", name),
        Reason::DeniedGroup(name) => is("step", "deny") && is("group", name),
        Reason::GroupsUnknown => is("step", "deny") && is("source", "unknown"),
        Reason::NotAdmitted => is("step", "connect") && is("result", "no"),
        Reason::ForeignNamespace => is("result", "foreign-namespace") || is("result", "not-found"),
        Reason::NotGranted => false,
        Reason::NotNow(_) => is("step", "during") && is("result", "no"),
        Reason::NoSuchCommand | Reason::NotForThisPeer => is("step", "command") && is("result", "not-found"),
    }
}
