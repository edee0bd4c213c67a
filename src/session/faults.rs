//! What a client may not do: answered, put on the record, and the end where what follows can't be trusted. Executes nothing.

use super::conversation::Conversation;
use crate::audit::{Event, Kind};
use crate::protocol::Tag;
use crate::protocol::decoder::SyntaxError;
use crate::protocol::reply::{self, Final};

/// What becomes of a connection that begins with what is no request.
const CLOSED: &str = "; the connection is closed";

/// Why a connection ends after a line that could have announced an input.
const CLOSING: &str = "; closing, as an input may follow, which must not be taken for requests";

impl Conversation<'_> {
    pub(super) async fn answer_malformed(&mut self, error: &SyntaxError) {
        let ends = self.is_fresh || error.desynchronised;
        let fate = if ends && !error.desynchronised { CLOSED } else { closing(error.desynchronised) };
        self.say(error.tag.as_ref(), &Final::syntax(error.column).text(format!("{}{fate}", error.message)));
        self.note_protocol_error(&format!("column {}: {}", error.column, error.message), ends).await;
        if ends {
            self.leave();
        }
    }

    pub(super) async fn answer_too_long(&mut self, desynchronised: bool, tag: Option<&Tag>) {
        let limits = "a line has at most 8192 octets, an input at most 1048576";
        self.say(tag, &Final::too_long().text(format!("{limits}{}", closing(desynchronised))));
        if desynchronised {
            self.note_protocol_error("a line too long that may have announced an input", true).await;
            self.leave();
        }
    }

    pub(super) async fn answer_http(&mut self) {
        self.out.writer().extend_from_slice(reply::http_refusal());
        self.note_protocol_error("the session began like one of HTTP", true).await;
        self.leave();
    }

    /// A descriptor came with what the client wrote, or no credentials did.
    pub(super) async fn end_for_a_descriptor(&mut self) {
        self.note_protocol_error("a descriptor came with it", true).await;
        self.say(None, &Final::syntax(1).text("this socket takes no descriptors"));
        self.leave();
    }

    async fn note_protocol_error(&mut self, what: &str, ends: bool) {
        let fate = if ends { CLOSED } else { "" };
        let event = Event::new(Kind::ProtocolError, format!("{}: no request: {what}{fate}", self.judge.peer));
        self.context.trail.note(&event.peer(&self.judge.peer).field("UDSADMIN_REASON", what)).await;
    }

    /// Octets of another user end the session at once; what runs was the connector's own wish, and goes on.
    pub(super) async fn end_for_another_sender(&mut self, uid: u32, pid: i32) {
        let message =
            format!("{}: written to by uid {uid} (pid {pid}); the connection is closed", self.judge.peer);
        let event = Event::new(Kind::SenderMismatch, message)
            .peer(&self.judge.peer)
            .field("UDSADMIN_SENDER_UID", uid)
            .field("UDSADMIN_SENDER_PID", pid);
        self.context.trail.note(&event).await;
        if let Err(error) = self.stream.end() {
            tracing::debug!("the connection had ended: {error}");
        }
        self.forget_client();
    }
}

const fn closing(desynchronised: bool) -> &'static str {
    if desynchronised { CLOSING } else { "" }
}
