//! A job's output into lines of a reply. Adds and loses no octet, and holds back no more than one piece.

use super::tag::Tag;
use super::{printable, reply, text};

/// Octets of output in one line of a reply at most, before they are escaped (udsadmin-protocol(7)).
pub const PIECE_MAX: usize = 4096;

/// Which of a job's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Standard output, `|`.
    Stdout,
    /// Standard error, `!`.
    Stderr,
}

impl Kind {
    /// The octet that begins its lines.
    #[must_use]
    pub const fn mark(self) -> u8 {
        match self {
            Self::Stdout => b'|',
            Self::Stderr => b'!',
        }
    }
}

/// Writes one stream of one job.
#[derive(Debug)]
pub struct StreamWriter {
    tag: Option<Tag>,
    whole: Vec<u8>,
    partial: Vec<u8>,
    held: Vec<u8>,
}

impl StreamWriter {
    /// At the start of a stream of the request with this tag.
    #[must_use]
    pub fn new(kind: Kind, tag: Option<&Tag>) -> Self {
        let prefix = |end| {
            let mut prefix = Vec::new();
            Tag::write_prefix(tag, &mut prefix);
            prefix.extend_from_slice(&[kind.mark(), end]);
            prefix
        };
        Self { tag: tag.cloned(), whole: prefix(b' '), partial: prefix(b'~'), held: Vec::new() }
    }

    /// Writes the lines that these octets end, and the pieces of a line that grows too long; keeps the rest back.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        out.reserve(octets.len() + octets.len() / 4);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', octets) {
            self.end_line(octets.get(start..end).unwrap_or_default(), out);
            start = end + 1;
        }
        let last = self.write_pieces(octets.get(start..).unwrap_or_default(), out);
        self.held.extend_from_slice(last);
    }

    /// Whether a part of a line is kept back.
    #[must_use]
    pub const fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Writes what is kept back, as a piece without a line end: for the end of the stream, and for a client that waits.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if self.holds() {
            write(&self.partial, &self.held, out);
            self.held.clear();
        }
    }

    /// Writes what is kept back, and then something that is to be known of the stream.
    pub fn note(&mut self, text: &str, out: &mut Vec<u8>) {
        self.flush(out);
        reply::info(self.tag.as_ref(), text, out);
    }

    fn end_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let last = self.write_pieces(line, out);
        if self.held.is_empty() {
            write(&self.whole, last, out);
        } else {
            self.held.extend_from_slice(last);
            write(&self.whole, &self.held, out);
            self.held.clear();
        }
    }

    /// Writes pieces until what is held and what it returns together fit in one.
    fn write_pieces<'a>(&mut self, octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = octets;
        while self.held.len() + rest.len() > PIECE_MAX {
            if self.holds() {
                let (fill, after) = rest.split_at_checked(PIECE_MAX - self.held.len()).unwrap_or((rest, &[]));
                self.held.extend_from_slice(fill);
                self.write_held_piece(out);
                rest = after;
            } else {
                let start = rest.get(..PIECE_MAX).unwrap_or(rest);
                let (piece, after) = rest.split_at_checked(boundary(start)).unwrap_or((rest, &[]));
                write(&self.partial, piece, out);
                rest = after;
            }
        }
        rest
    }

    fn write_held_piece(&mut self, out: &mut Vec<u8>) {
        let cut = boundary(&self.held);
        write(&self.partial, self.held.get(..cut).unwrap_or_default(), out);
        self.held.drain(..cut);
    }
}

fn write(prefix: &[u8], octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(prefix);
    text::write_text(octets, out);
    out.push(b'\n');
}

/// Where to cut so that no UTF-8 sequence is parted: before the last one where it is not all there.
fn boundary(octets: &[u8]) -> usize {
    let is_cut = |back: &usize| {
        let lead = octets.len().checked_sub(*back).and_then(|at| octets.get(at));
        lead.is_some_and(|lead| printable::sequence_width(*lead) > *back)
    };
    octets.len() - (1..4).find(is_cut).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> (StreamWriter, Vec<u8>) {
        (StreamWriter::new(Kind::Stdout, None), Vec::new())
    }

    fn text(out: &[u8]) -> &str {
        std::str::from_utf8(out).unwrap()
    }

    #[test]
    fn whole_lines_are_written_at_once_and_the_rest_is_kept_back() {
        let (mut writer, mut out) = writer();
        writer.push(b"Stopping nginx\ndo", &mut out);
        assert_eq!((text(&out), writer.holds()), ("| Stopping nginx\n", true));
        writer.push(b"ne\n\n", &mut out);
        assert_eq!((text(&out), writer.holds()), ("| Stopping nginx\n| done\n| \n", false));
    }

    #[test]
    fn a_flushed_piece_says_that_no_line_ended() {
        let (mut writer, mut out) = writer();
        writer.flush(&mut out);
        assert_eq!(text(&out), "");
        writer.push(b"Password: ", &mut out);
        writer.flush(&mut out);
        assert_eq!((text(&out), writer.holds()), ("|~Password: \n", false));
        writer.push(b"\n", &mut out);
        assert_eq!(text(&out), "|~Password: \n| \n");
    }

    #[test]
    fn standard_error_and_tags_are_marked() {
        let mut out = Vec::new();
        let tag = "t-1".parse().unwrap();
        StreamWriter::new(Kind::Stderr, Some(&tag)).push(b"no\x1b\n", &mut out);
        assert_eq!(text(&out), "@t-1 ! no\\x1b\n");
    }

    #[test]
    fn a_line_of_4096_octets_is_whole_and_a_longer_one_is_not() {
        let (mut writer, mut out) = writer();
        let full = "x".repeat(PIECE_MAX);
        writer.push(format!("{full}\n{full}y\n").as_bytes(), &mut out);
        assert_eq!(text(&out), format!("| {full}\n|~{full}\n| y\n"));
    }

    #[test]
    fn how_the_output_is_chopped_changes_no_piece() {
        let line = [&vec![b'a'; 9000][..], b"\n", &vec![0xc3; 5000], b"\nend"].concat();
        let (mut writer, mut whole) = writer();
        writer.push(&line, &mut whole);
        for size in [1, 7, 4095, 4096, 4097] {
            let mut out = Vec::new();
            let mut writer = StreamWriter::new(Kind::Stdout, None);
            line.chunks(size).for_each(|chunk| writer.push(chunk, &mut out));
            assert!(out == whole, "{size}");
        }
    }

    #[test]
    fn no_character_is_cut() {
        for character in ["ä", "中", "🎉"] {
            for indent in 1..4 {
                let (mut writer, mut out) = writer();
                let line = format!("{}{}\n", "x".repeat(indent), character.repeat(3000));
                writer.push(line.as_bytes(), &mut out);
                assert!(!text(&out).contains("\\x"), "{character} {indent}");
            }
        }
    }

    #[test]
    fn no_more_than_a_piece_is_kept_back() {
        let (mut writer, mut out) = writer();
        for _ in 0..100 {
            writer.push(&[b'x'; 1000], &mut out);
            assert!(writer.held.len() <= PIECE_MAX && writer.held.capacity() <= 2 * PIECE_MAX);
        }
    }
}
