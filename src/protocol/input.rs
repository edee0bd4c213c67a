//! The octets that follow a request as its input. Never keeps more than one input's worth, however many come.

use zeroize::Zeroize;

/// Octets of input kept for one request at most: 1 MiB.
pub const INPUT_MAX: usize = 1 << 20;

/// Octets in the word that ends an input at most (`input` of udsadmin-protocol(7)).
pub(super) const END_WORD_MAX: usize = 32;

/// An end word with CR and LF.
const END_LINE_MAX: usize = END_WORD_MAX + 2;

/// Where an input ends.
#[derive(Debug)]
pub(super) enum End {
    /// After that many octets more.
    After(u64),
    /// After the line that holds the word alone.
    At { word: Vec<u8>, line: LineStart },
}

impl End {
    /// The end at a word.
    pub(super) fn at(word: &[u8]) -> Self {
        Self::At { word: word.to_vec(), line: LineStart::default() }
    }
}

/// As much of the current line as could be an end line, and one octet more.
#[derive(Debug, Default)]
pub(super) struct LineStart(Vec<u8>);

impl LineStart {
    fn push(&mut self, piece: &[u8]) {
        let room = END_LINE_MAX + 1 - self.0.len();
        self.0.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// Whether the line is the word alone, with LF or CR LF.
    fn is(&self, word: &[u8]) -> bool {
        let line = self.0.strip_suffix(b"\n").unwrap_or(&self.0);
        line.strip_suffix(b"\r").unwrap_or(line) == word
    }
}

/// An input on its way in.
#[derive(Debug)]
pub(super) struct Input {
    end: End,
    kept: Vec<u8>,
    too_long: bool,
}

impl Input {
    /// Nothing of it is there yet.
    pub(super) fn new(end: End) -> Self {
        let too_long = matches!(end, End::After(octets) if usize::try_from(octets).map_or(true, |octets| octets > INPUT_MAX));
        Self { end, kept: Vec::new(), too_long }
    }

    /// Whether it needs no octet at all.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.end, End::After(0))
    }

    /// Octets held.
    pub(super) fn held(&self) -> usize {
        let line = match &self.end {
            End::After(_) => 0,
            End::At { word, line } => word.len() + line.0.len(),
        };
        self.kept.len() + line
    }

    /// Octets of memory reserved for what is kept.
    #[cfg(test)]
    pub(super) const fn reserved(&self) -> usize {
        self.kept.capacity()
    }

    /// Takes what is its own off the start of the octets; true at its end.
    pub(super) fn take(&mut self, octets: &mut &[u8]) -> bool {
        match &mut self.end {
            End::After(left) => {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(octets.len());
                let piece = split_off_start(octets, wanted);
                *left -= u64::try_from(piece.len()).unwrap_or(*left);
                let done = *left == 0;
                self.keep(piece);
                done
            }
            End::At { .. } => self.take_lines(octets),
        }
    }

    fn take_lines(&mut self, octets: &mut &[u8]) -> bool {
        while !octets.is_empty() {
            let end = memchr::memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
            let piece = split_off_start(octets, end);
            self.keep(piece);
            let End::At { word, line } = &mut self.end else { return false };
            line.push(piece);
            if piece.ends_with(b"\n") {
                let start = std::mem::take(line);
                if start.is(word) {
                    self.kept.truncate(self.kept.len().saturating_sub(start.0.len()));
                    return true;
                }
            }
        }
        false
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.too_long {
            return;
        }
        if self.kept.len() + piece.len() > INPUT_MAX + END_LINE_MAX {
            self.too_long = true;
            self.kept = Vec::new();
        } else {
            extend_bounded(&mut self.kept, piece, INPUT_MAX + END_LINE_MAX);
        }
    }

    /// Whether it is already longer than any input may be.
    pub(super) const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The whole input; `None` where it is too long.
    pub(super) fn into_octets(self) -> Option<Vec<u8>> {
        (!self.too_long && self.kept.len() <= INPUT_MAX).then_some(self.kept)
    }
}

/// Takes at most `wanted` octets off the start.
pub(super) fn split_off_start<'a>(octets: &mut &'a [u8], wanted: usize) -> &'a [u8] {
    let (start, rest) = octets.split_at_checked(wanted).unwrap_or((octets, &[]));
    *octets = rest;
    start
}

/// Appends, and reserves no more than `limit` octets in all. Where it has to move what is kept, nothing of it is left behind.
pub(super) fn extend_bounded(kept: &mut Vec<u8>, piece: &[u8], limit: usize) {
    let needed = kept.len() + piece.len();
    if needed > kept.capacity() {
        let wanted = needed.max(kept.capacity().saturating_mul(2).min(limit));
        let mut moved = Vec::new();
        moved.reserve_exact(wanted);
        moved.extend_from_slice(kept);
        std::mem::replace(kept, moved).zeroize();
    }
    kept.extend_from_slice(piece);
}
