//! A request's turn: one policy for all of its steps, and whatever it asks for. Starts nothing that this policy refuses.

use super::super::judge::not_run;
use super::super::may_not_connect;
use super::super::order::{Errand, Ordering, Run};
use super::super::running::Running;
use super::{Client, Conversation};
use crate::audit::Event;
use crate::policy::Admission;
use crate::protocol::Tag;
use crate::protocol::decoder::{Ask, Incoming};
use crate::protocol::reply::Final;
use crate::request::Wish;
use crate::transport::{Read, Stream};
use std::os::fd::AsFd;
use std::sync::Arc;

impl Conversation<'_> {
    /// Whether the client has asked for more before it could know that the server ends: it is told that nothing was started.
    pub(super) fn hears_a_last_word(&mut self) -> bool {
        self.client == Client::Talking && matches!(self.take(Stream::read_now), Ok(Read::Octets(_)))
    }

    pub(super) async fn answer_request(&mut self, incoming: Incoming) {
        let Incoming { tag, ask, input } = incoming;
        let tag = tag.as_ref();
        if self.context.draining.is_cancelled() && !matches!(ask, Ask::Quit) {
            let last = Final::draining().field("ms", "0");
            return self.say(tag, &last.text("the service is ending; nothing was started"));
        }
        if !self.is_still_welcome().await {
            self.say(tag, &may_not_connect(&self.judge.peer));
            return self.leave();
        }
        match ask {
            Ask::Run(request, wanted) => {
                let run = Box::new(Run { request, wanted, input });
                self.begin_unless_refused(tag, run).await;
            }
            Ask::Wish(wish) => self.begin_if_granted(tag, wish).await,
            Ask::Quit => {
                self.say(tag, &Final::bye());
                self.leave();
            }
            Ask::Help(_)
            | Ask::Commands
            | Ask::Whoami
            | Ask::Why(_)
            | Ask::Cancel
            | Ask::Ping
            | Ask::Hello(_)
            | Ask::Status
            | Ask::Unserved(_)
            | Ask::Misused { .. } => self.answer(tag, ask).await,
        }
    }

    /// Takes the policy in force, for all the steps of one request; whether it still lets the peer connect.
    async fn is_still_welcome(&mut self) -> bool {
        let Some(judge) = self.judge.renewed(&self.context.followed).await else { return true };
        self.judge = Arc::new(judge);
        match self.judge.policy().admits(&self.judge.peer) {
            Admission::Admitted { .. } => true,
            Admission::Refused(denial) => {
                self.context.trail.note(&Event::refused(&self.judge.peer, &denial)).await;
                false
            }
        }
    }

    async fn begin_unless_refused(&mut self, tag: Option<&Tag>, run: Box<Run>) {
        let octets = run.input.as_ref().map(Vec::len);
        match self.judge.refusal(&run.request, octets, self.context).await {
            Some(why) => self.say(tag, &not_run(&why).field("ms", "0")),
            None => self.begin(tag, Errand::Run(run)),
        }
    }

    async fn begin_if_granted(&mut self, tag: Option<&Tag>, wish: Wish) {
        match self.refusal(wish.builtin(), &wish).await {
            Some(last) => self.say(tag, &last),
            None => self.begin(tag, Errand::Wish(wish)),
        }
    }

    fn begin(&mut self, tag: Option<&Tag>, errand: Errand) {
        self.runs = self.runs.wrapping_add(1);
        let begun = self.stream.as_fd().try_clone_to_owned().map(|client| {
            let (link, judge) = (self.link.take(), Arc::clone(&self.judge));
            let ordering = Ordering::new(self.context, judge, (client, link), self.runs);
            Running::begin(ordering, tag.cloned(), errand)
        });
        match begun {
            Ok(running) => self.running = Some(running),
            Err(error) => {
                tracing::error!("a run can't begin: {error}");
                let last = Final::internal().field("ms", "0");
                self.say(tag, &last.text("nothing was started; try again later"));
            }
        }
    }
}
