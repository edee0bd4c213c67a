//! Replies, as lines. Writes no octet that a terminal obeys, and no line that could be taken for another.

pub use super::parse::{Part, ReplyLine, Unreadable, parse_reply_line};
pub use super::stream::{Kind, PIECE_MAX, StreamWriter};

use super::decoder::VERSION;
use super::tag::Tag;
use super::text::write_text;
use super::word::write_word;
use std::borrow::Cow;
use std::fmt::Display;

/// The one line that ends the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    /// Three digits (the table of udsadmin-protocol(7)).
    pub code: u16,
    /// The fact, as a name.
    pub name: Cow<'static, str>,
    /// What is to be known of it, by name.
    pub fields: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The same for a person; empty for none.
    pub text: Vec<u8>,
}

impl Final {
    const fn of(code: u16, name: &'static str) -> Self {
        Self { code, name: Cow::Borrowed(name), fields: Vec::new(), text: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((Cow::Borrowed(name), value.as_ref().to_vec()));
        self
    }

    /// Says it in words.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into().into_bytes();
        self
    }

    fn shown(self, name: &'static str, value: impl Display) -> Self {
        self.field(name, value.to_string())
    }

    /// `202 accepted`: it was started, and goes on by itself.
    #[must_use]
    pub const fn accepted() -> Self {
        Self::of(202, "accepted")
    }

    /// 200: a built-in is done.
    #[must_use]
    pub const fn ok() -> Self {
        Self::of(200, "ok")
    }

    /// 200 for exit code 0, 210 for any other.
    #[must_use]
    pub fn exit(code: i32) -> Self {
        Self::of(if code == 0 { 200 } else { 210 }, "exit").shown("code", code)
    }

    /// 211: ended by a signal, named without its `SIG`.
    #[must_use]
    pub fn signal(name: impl Display) -> Self {
        Self::of(211, "signal").shown("name", name)
    }

    /// 212: ended by its time limit.
    #[must_use]
    pub const fn timeout() -> Self {
        Self::of(212, "timeout")
    }

    /// 213: ended because somebody wanted so.
    #[must_use]
    pub const fn cancelled() -> Self {
        Self::of(213, "cancelled")
    }

    /// 214: ended by its output limit.
    #[must_use]
    pub const fn capped() -> Self {
        Self::of(214, "capped")
    }

    /// 220: the answer to `hello`, with the server's version and whom the kernel named.
    #[must_use]
    pub fn hello(version: impl Display, user: impl AsRef<[u8]>, uid: impl Display) -> Self {
        let hello = Self::of(220, "hello").shown("proto", VERSION).shown("version", version);
        hello.field("user", user).shown("uid", uid)
    }

    /// 221: the answer to `quit`.
    #[must_use]
    pub const fn bye() -> Self {
        Self::of(221, "bye")
    }

    /// 400: not a request, with the octet at fault, the first being 1.
    #[must_use]
    pub fn syntax(column: usize) -> Self {
        Self::of(400, "syntax").shown("column", column)
    }

    /// 403: refused, or no such command.
    #[must_use]
    pub const fn denied() -> Self {
        Self::of(403, "denied")
    }

    /// 409: its limit of simultaneous runs is reached.
    #[must_use]
    pub const fn busy() -> Self {
        Self::of(409, "busy")
    }

    /// 413: a line or an input past its limit.
    #[must_use]
    pub const fn too_long() -> Self {
        Self::of(413, "too-long")
    }

    /// 422: an argument of this name has a value that it may not have.
    #[must_use]
    pub fn bad_argument(name: impl Display) -> Self {
        Self::of(422, "bad-argument").shown("name", name)
    }

    /// 426: not a version that this server speaks.
    #[must_use]
    pub const fn version() -> Self {
        Self::of(426, "version")
    }

    /// 429: too often; with the seconds until it is no longer so.
    #[must_use]
    pub fn rate(retry_after: u64) -> Self {
        Self::of(429, "rate").shown("retry-after", retry_after)
    }

    /// 500: the server failed before anything was started.
    #[must_use]
    pub const fn internal() -> Self {
        Self::of(500, "internal")
    }

    /// 502: the program could not be started; its errno, by number or by name.
    #[must_use]
    pub fn exec_failed(errno: impl Display) -> Self {
        Self::of(502, "exec-failed").shown("errno", errno)
    }

    /// 503: the server is about to end.
    #[must_use]
    pub const fn draining() -> Self {
        Self::of(503, "draining")
    }

    /// 503: nothing runs without its record.
    #[must_use]
    pub const fn audit_unavailable() -> Self {
        Self::of(503, "audit-unavailable")
    }

    /// 503: the privileged half does not answer.
    #[must_use]
    pub const fn broker_unavailable() -> Self {
        Self::of(503, "broker-unavailable")
    }

    /// 599: started, and its end is unknown.
    #[must_use]
    pub fn unknown_outcome(job: impl Display) -> Self {
        Self::of(599, "unknown-outcome").shown("job", job)
    }
}

/// Writes a final line.
pub fn final_line(tag: Option<&Tag>, reply: &Final, out: &mut Vec<u8>) {
    Tag::write_prefix(tag, out);
    out.extend_from_slice(format!("{:03} ", reply.code).as_bytes());
    write_name(&reply.name, out);
    for (name, value) in &reply.fields {
        write_field(name, value, out);
    }
    if !reply.text.is_empty() {
        out.extend_from_slice(b" : ");
        write_text(&reply.text, out);
    }
    out.push(b'\n');
}

/// Writes a row. A row without a field is no row: it writes nothing.
pub fn row<V: AsRef<[u8]>>(tag: Option<&Tag>, fields: &[(&str, V)], out: &mut Vec<u8>) {
    if fields.is_empty() {
        return;
    }
    Tag::write_prefix(tag, out);
    out.push(b'*');
    for (name, value) in fields {
        write_field(name, value.as_ref(), out);
    }
    out.push(b'\n');
}

/// Writes an information line, which every client may ignore.
pub fn info(tag: Option<&Tag>, text: &str, out: &mut Vec<u8>) {
    Tag::write_prefix(tag, out);
    out.extend_from_slice(b"# ");
    write_text(text.as_bytes(), out);
    out.push(b'\n');
}

/// The whole answer to a session that opened like one of HTTP (RFC 9112 section 4).
#[must_use]
pub const fn http_refusal() -> &'static [u8] {
    b"HTTP/1.1 400 Bad Request\r\n\
      Content-Type: text/plain\r\n\
      Content-Length: 33\r\n\
      Connection: close\r\n\
      \r\n\
      This socket does not speak HTTP.\n"
}

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.push(b' ');
    write_name(name, out);
    out.push(b'=');
    write_word(value, out);
}

/// Writes a name; what no name can hold becomes `_`, so that no caller's mistake breaks a line.
fn write_name(name: &str, out: &mut Vec<u8>) {
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    out.extend(name.bytes().map(|octet| if sound(octet) { octet } else { b'_' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reply: &Final) -> String {
        let mut out = Vec::new();
        final_line(None, reply, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn finals_read_as_the_protocol_says() {
        for (reply, expected) in [
            (Final::ok(), "200 ok\n"),
            (Final::ok().field("decision", "deny"), "200 ok decision=deny\n"),
            (Final::exit(0).field("ms", "412").field("job", "7f3a"), "200 exit code=0 ms=412 job=7f3a\n"),
            (Final::exit(3), "210 exit code=3\n"),
            (Final::signal("TERM"), "211 signal name=TERM\n"),
            (Final::timeout(), "212 timeout\n"),
            (Final::cancelled(), "213 cancelled\n"),
            (Final::capped(), "214 capped\n"),
            (Final::hello("0.1.0", "alice", 1000), "220 hello proto=1 version=0.1.0 user=alice uid=1000\n"),
            (Final::bye(), "221 bye\n"),
            (Final::syntax(7).text("close the quote"), "400 syntax column=7 : close the quote\n"),
            (Final::denied(), "403 denied\n"),
            (Final::busy(), "409 busy\n"),
            (Final::too_long(), "413 too-long\n"),
            (
                Final::bad_argument("unit").field("ms", "0").text("must be one of a, b"),
                "422 bad-argument name=unit ms=0 : must be one of a, b\n",
            ),
            (Final::version(), "426 version\n"),
            (Final::rate(12), "429 rate retry-after=12\n"),
            (Final::internal(), "500 internal\n"),
            (Final::exec_failed(2), "502 exec-failed errno=2\n"),
            (Final::draining(), "503 draining\n"),
            (Final::audit_unavailable(), "503 audit-unavailable\n"),
            (Final::broker_unavailable(), "503 broker-unavailable\n"),
            (Final::unknown_outcome("7f3a"), "599 unknown-outcome job=7f3a\n"),
        ] {
            assert_eq!(line(&reply), expected);
        }
    }

    #[test]
    fn no_value_breaks_out_of_its_line() {
        let forged = "x\n200 ok\x1b[31m";
        let reply = Final::denied().field("job", forged).text(forged);
        let expected = "403 denied job=\"x\\n200 ok\\x1b[31m\" : x\\x0a200 ok\\x1b[31m\n";
        assert_eq!(line(&reply), expected);
        let mut out = Vec::new();
        info(None, forged, &mut out);
        row(None, &[("a b\n", forged)], &mut out);
        let expected = "# x\\x0a200 ok\\x1b[31m\n* a_b_=\"x\\n200 ok\\x1b[31m\"\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn every_line_carries_its_tag() {
        let tag: Tag = "a1".parse().unwrap();
        let mut out = Vec::new();
        row(Some(&tag), &[("user", "alice"), ("groups", "")], &mut out);
        info(Some(&tag), "running ms=400", &mut out);
        final_line(Some(&tag), &Final::ok(), &mut out);
        let expected = "@a1 * user=alice groups=\"\"\n@a1 # running ms=400\n@a1 200 ok\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_row_has_a_field() {
        let mut out = Vec::new();
        row::<&str>(None, &[], &mut out);
        assert_eq!(out, b"");
    }

    #[test]
    fn the_refusal_of_http_has_the_length_that_it_says() {
        let refusal = std::str::from_utf8(http_refusal()).unwrap();
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
