//! What must hold for any octets: one set of bodies, for the property tests and for the fuzz targets.

use super::decoder::{Ask, Decoder, INPUT_MAX, Incoming, Item, LINE_MAX};
use super::reply::{
    Final, Kind, PIECE_MAX, Part, ReplyLine, StreamWriter, final_line, info, parse_reply_line, row,
};
use super::word::{Word, Words, check, write_word};
use super::write_request;
use crate::request::{Request, Wanted};

/// Octets that a decoder may hold beside one line and one input: an end line, an end word, the end of a long line.
const ALLOWANCE: usize = 256;

/// A word is read as the octets that it was written from.
///
/// # Panics
/// Where it is not.
pub fn words_survive(octets: &[u8]) {
    let mut line = Vec::new();
    write_word(octets, &mut line);
    assert_clean(&line);
    assert_eq!(check(&line), Ok(()));
    let mut words = Words::new(&line);
    let word = words.next_word();
    assert!(matches!(&word, Ok(Some(Word { key: None, octets: read, .. })) if read == octets), "{word:?}");
    assert_eq!(words.next_word(), Ok(None));
}

/// A request is read as the one that was written, wherever the line is short enough to be accepted.
///
/// # Panics
/// Where it is not.
pub fn requests_survive(request: &Request) {
    let mut line = Vec::new();
    write_request(request, &mut line);
    assert_clean(&line);
    assert!(!line.contains(&b'\n'));
    line.push(b'\n');
    if line.len() <= LINE_MAX {
        let incoming = Incoming { tag: None, ask: Ask::Run(request.clone(), Wanted::default()), input: None };
        assert_eq!(items(&line, line.len()), [Item::Request(incoming)]);
    }
}

/// What a client's octets come to does not depend on how they are chopped, and each request in them survives.
///
/// # Panics
/// Where it does, and where more is held than promised.
pub fn chopping_changes_nothing(octets: &[u8], size: usize) {
    let whole = items(octets, octets.len());
    assert_eq!(items(octets, size), whole);
    for item in &whole {
        if let Item::Request(Incoming { ask: Ask::Run(request, _) | Ask::Why(request), .. }) = item {
            requests_survive(request);
        }
    }
}

fn items(octets: &[u8], size: usize) -> Vec<Item> {
    let mut decoder = Decoder::new();
    let mut items = Vec::new();
    for mut chunk in octets.chunks(size.max(1)) {
        while let Some(item) = decoder.next(&mut chunk) {
            items.push(item);
        }
        assert!(chunk.is_empty());
        assert!(decoder.held() <= LINE_MAX + INPUT_MAX + ALLOWANCE);
    }
    items.extend(decoder.finish());
    assert_eq!((decoder.finish(), decoder.held()), (None, 0));
    items
}

/// A job's output is told back octet by octet, however it is chopped and whenever it is flushed.
///
/// # Panics
/// Where it is not, and where a line is longer or dirtier than promised.
pub fn output_survives(octets: &[u8], size: usize, flush_every: usize) {
    let mut writer = StreamWriter::new(Kind::Stderr, None);
    let mut out = Vec::new();
    for (nth, chunk) in octets.chunks(size.max(1)).enumerate() {
        writer.push(chunk, &mut out);
        if nth % flush_every.max(1) == 0 {
            writer.flush(&mut out);
        }
    }
    writer.flush(&mut out);
    assert!(!writer.holds());
    assert_clean(&out);
    assert_eq!(told_back(&out), octets);
}

fn told_back(lines: &[u8]) -> Vec<u8> {
    let mut told = Vec::new();
    for line in lines.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or_default();
        let read = parse_reply_line(line);
        let Ok(ReplyLine { tag: None, part: Part::Stream { kind: Kind::Stderr, partial, octets } }) = read
        else {
            unreachable!("{read:?}");
        };
        assert!(octets.len() <= PIECE_MAX);
        told.extend_from_slice(&octets);
        if !partial {
            told.push(b'\n');
        }
    }
    told
}

/// A row, an information line and a final line are read as what they were written from, and end where they should.
///
/// # Panics
/// Where they are not.
pub fn replies_survive(value: &[u8], text: &str) {
    let mut out = Vec::new();
    row(None, &[("value", value)], &mut out);
    info(None, text, &mut out);
    let reply = Final::denied().field("value", value).text(text);
    final_line(None, &reply, &mut out);
    assert_clean(&out);
    let lines: Vec<_> = out.split(|octet| *octet == b'\n').collect();
    let read: Vec<_> = lines.iter().map(|line| parse_reply_line(line).ok().map(|line| line.part)).collect();
    let expected = [
        Some(Part::Row(vec![("value".to_owned(), value.to_vec())])),
        Some(Part::Info(text.as_bytes().to_vec())),
        Some(Part::Final(reply)),
        None,
    ];
    assert_eq!(read, expected);
}

/// A line that reads as part of a reply is written again as one that reads the same.
///
/// # Panics
/// Where it is not.
pub fn reply_lines_survive(line: &[u8]) {
    let Ok(read) = parse_reply_line(line) else { return };
    let mut again = Vec::new();
    let tag = read.tag.as_ref();
    match &read.part {
        Part::Stream { octets, .. } => return output_survives(octets, PIECE_MAX, 2),
        Part::Row(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
            row(tag, &fields, &mut again);
        }
        Part::Info(text) => match std::str::from_utf8(text) {
            Ok(text) => info(tag, text, &mut again),
            Err(_) => return,
        },
        Part::Final(reply) => final_line(tag, reply, &mut again),
    }
    assert_clean(&again);
    assert_eq!(parse_reply_line(again.strip_suffix(b"\n").unwrap_or_default()), Ok(read));
}

/// Nothing that a terminal would obey.
fn assert_clean(out: &[u8]) {
    let text = std::str::from_utf8(out).unwrap_or("\0");
    assert!(text.chars().all(|found| !found.is_control() || matches!(found, '\n' | '\t')), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Argument, ArgumentName, CommandName, Value};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let octets = prop_oneof![
            vec(1..=255_u8, 0..40),
            "[a-z=<\"'\\\\ \t\n@#{}é\u{202e}]{0,12}".prop_map(String::into_bytes),
        ];
        octets.prop_map(|octets| Value::try_from(octets).unwrap())
    }

    fn requests() -> impl Strategy<Value = Request> {
        let names = "[a-zA-Z][a-zA-Z0-9_.-]{0,31}";
        let commands = prop_oneof![4 => names, 1 => "(run|status|why|GET|POST)"];
        let argument = prop_oneof![
            values().prop_map(Argument::Positional),
            (names, values())
                .prop_map(|(name, value)| Argument::Named(name.parse::<ArgumentName>().unwrap(), value)),
        ];
        (commands, vec(argument, 0..6)).prop_map(|(name, arguments)| Request {
            command: name.parse::<CommandName>().unwrap(),
            arguments,
        })
    }

    /// Pieces from which sound, torn and malformed lines are likely to come up.
    fn conversations() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "(run|why|restart|hello|ping|@t1|@|\\{|#) ?".prop_map(String::into_bytes),
            "( |\t|\n|\r\n|\r|\"|'|\\\\|=|unit=| <3\n| <0\n|<<END\n|END\n|END\r\n| <99999999999\n|GET )"
                .prop_map(String::into_bytes),
            vec(any::<u8>(), 0..6),
            (8000..9000_usize).prop_map(|length| vec![b'x'; length]),
        ];
        vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn outputs() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 0..200),
            ".{0,60}\n?".prop_map(String::into_bytes),
            (4090..4100_usize, any::<u8>()).prop_map(|(length, octet)| vec![octet; length]),
        ];
        vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_word_is_read_as_it_was_written(octets in vec(any::<u8>(), 0..64)) {
            words_survive(&octets);
        }

        #[test]
        fn any_request_is_read_as_it_was_written(request in requests()) {
            requests_survive(&request);
        }

        #[test]
        fn any_conversation_means_the_same_however_it_is_chopped(
            octets in conversations(), size in 1..64_usize,
        ) {
            chopping_changes_nothing(&octets, size);
        }

        #[test]
        fn any_output_is_told_back(octets in outputs(), size in 1..9000_usize, flush_every in 1..50_usize) {
            output_survives(&octets, size, flush_every);
        }

        #[test]
        fn any_fact_is_told_back(value in vec(any::<u8>(), 0..64), text in "\\PC{0,20}|.{0,40}|[\0-\u{ff}]{0,20}") {
            replies_survive(&value, &text);
        }

        #[test]
        fn any_readable_reply_is_written_again(
            line in "(@t1 )?(\\|[ ~]|![ ~]|# |\\* |200 ok |403 denied )[a-z =:\"'\\\\x0-9é]{0,30}",
        ) {
            reply_lines_survive(line.as_bytes());
        }
    }
}
