//! Lines of text, written into room that was made beforehand.
//!
//! The longest a series' lines can get is known, so room is made once for all of them and the rest
//! is copying. A scrape is mostly short copies, which as calls of `memcpy` would cost more than
//! the bytes they move; pieces of up to 64 bytes are copied by a few fixed-size moves instead.

use super::names::quoted;
use super::number::{self, LONGEST};
use crate::key;
use crate::snapshot::Distribution;

/// The page being written. The buffer's end holds room that is not written yet.
pub(super) struct Output<'a> {
    out: &'a mut Vec<u8>,
    pub(super) len: usize,
}

/// A metric name with its opening brace: `name{`, or `{"name",` if it must be quoted.
pub(super) struct Name {
    piece: Piece,
    /// Between the braces, which then stay even if there are no labels.
    inside: bool,
}

/// A short text, or a long one.
pub(super) struct Piece {
    short: [u8; Self::SHORT],
    len: usize,
    long: Vec<u8>,
}

/// The lines of one series.
pub(super) struct Line<'a> {
    room: &'a mut [u8],
    pub(super) at: usize,
    /// No labels, so no braces.
    bare: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let len = out.len();
        Self { out, len }
    }

    /// Room for `count` lines of this name, or a shorter one, and labels; and for `more` bytes.
    #[inline]
    pub(super) fn lines(
        &mut self,
        count: usize,
        name: &Name,
        labels: &[u8],
        more: usize,
    ) -> Line<'_> {
        // A label that is not the series' own (`le`) is a number and a short name.
        let longest = name.piece.len + labels.len() + LONGEST + Piece::SHORT + "{,} \n".len();
        let most = count * longest.max(Piece::SHORT) + Piece::SHORT + more;
        let (room, at) = self.room(most);
        Line { room, at, bare: false }
    }

    /// The page and where it goes on, with room for `most` further bytes.
    #[inline]
    pub(super) fn room(&mut self, most: usize) -> (&mut [u8], usize) {
        if self.out.len() - self.len < most {
            self.grow(most);
        }
        (self.out.as_mut_slice(), self.len)
    }

    #[cold]
    fn grow(&mut self, most: usize) {
        // Room is made by zeroing, since only unsafe code may write into what is not initialised.
        // In small steps the zeroes are overwritten while still in the first-level cache; zeroing
        // all capacity of a large buffer at once would cost as much as writing the page.
        const STEP: usize = 16 << 10;
        self.out.resize(self.len + most.max(STEP), 0);
    }

    pub(super) fn put(&mut self, text: &[u8]) {
        self.out.truncate(self.len);
        self.out.extend_from_slice(text);
        self.len = self.out.len();
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.len);
    }
}

impl Name {
    pub(super) fn new(name: &str, suffix: &str) -> Self {
        let name = format!("{name}{suffix}");
        if key::is_legal_name(&name) {
            return Self { piece: Piece::new(&format!("{name}{{")), inside: false };
        }
        Self { piece: Piece::new(&format!("{{{},", quoted(&name))), inside: true }
    }
}

impl Piece {
    /// Copied whole, whatever its length, because that takes no call and no loop.
    const SHORT: usize = 32;
    pub(super) const NONE: Self = Self { short: [0; Self::SHORT], len: 0, long: Vec::new() };

    pub(super) fn new(text: &str) -> Self {
        let mut piece = Self { len: text.len(), ..Self::NONE };
        match piece.short.get_mut(..text.len()) {
            Some(short) => short.copy_from_slice(text.as_bytes()),
            None => piece.long = text.as_bytes().into(),
        }
        piece
    }
}

impl Line<'_> {
    /// `name{labels,more`, up to the closing brace.
    #[inline]
    pub(super) fn start(&mut self, name: &Name, labels: &[u8], more: &Piece) {
        self.piece(&name.piece);
        self.copy(labels);
        if more.len > 0 {
            if !labels.is_empty() {
                self.room[self.at] = b',';
                self.at += 1;
            }
            self.piece(more);
        } else if labels.is_empty() {
            // No braces at all: what `end` writes goes over the opening one, or over the comma.
            self.at -= 1;
            self.bare = !name.inside;
        }
    }

    #[inline]
    pub(super) fn end_u64(&mut self, value: u64) {
        self.end(|room| number::write_u64(room, value));
    }

    #[inline]
    pub(super) fn end_f64(&mut self, value: f64) {
        self.end(|room| number::write_f64(room, value));
    }

    /// `} number\n`. Everything in one piece of room of known size, so that its bounds are checked
    /// once.
    #[inline]
    fn end(&mut self, write: impl FnOnce(&mut [u8; LONGEST]) -> usize) {
        let Some(room) = self.room.get_mut(self.at..).and_then(|room| room.first_chunk_mut())
        else {
            return;
        };
        let room: &mut [u8; LONGEST + 3] = room;
        let close = if std::mem::take(&mut self.bare) { *b"  " } else { *b"} " };
        let number_at = if close[0] == b' ' { 1 } else { 2 };
        room[..2].copy_from_slice(&close);
        let Some(digits) = room[number_at..].first_chunk_mut() else { return };
        let len = write(digits);
        room[number_at + len] = b'\n';
        self.at += number_at + len + 1;
    }

    /// Ends the line with text that the caller asked room for.
    pub(super) fn end_text(&mut self, text: &[u8]) {
        // Braces and space as before any number, then the text over it.
        self.end(|_| 0);
        self.at -= 1;
        self.copy(text);
        self.copy(b"\n");
    }

    /// Adds to the line that was just ended.
    pub(super) fn append(&mut self, text: &str) {
        self.at -= 1;
        self.copy(text.as_bytes());
        self.copy(b"\n");
    }

    /// The lines of these names that there are.
    pub(super) fn sum_and_count(
        &mut self,
        (sum, count): (&Option<Name>, &Option<Name>),
        labels: &[u8],
        distribution: Distribution<'_>,
    ) {
        if let Some(sum) = sum {
            self.start(sum, labels, &Piece::NONE);
            self.end_f64(distribution.sum());
        }
        if let Some(count) = count {
            self.start(count, labels, &Piece::NONE);
            self.end_u64(distribution.count());
        }
    }

    #[inline]
    fn piece(&mut self, piece: &Piece) {
        if piece.len > Piece::SHORT {
            return self.copy(&piece.long);
        }
        // What follows is written later, so writing too much does no harm.
        self.room[self.at..self.at + Piece::SHORT].copy_from_slice(&piece.short);
        self.at += piece.len;
    }

    #[inline]
    fn copy(&mut self, text: &[u8]) {
        let room = &mut self.room[self.at..self.at + text.len()];
        self.at += text.len();
        copy(room, text);
    }
}

/// Copies text into room of the same length: from both ends at once, meeting in the middle.
#[inline]
pub(super) fn copy(room: &mut [u8], text: &[u8]) {
    match text.len() {
        8..=15 => both_ends::<8>(room, text),
        16..=32 => both_ends::<16>(room, text),
        33..=64 => both_ends::<32>(room, text),
        _ => room.copy_from_slice(text),
    }
}

#[inline]
fn both_ends<const N: usize>(room: &mut [u8], text: &[u8]) {
    if let (Some(room), Some(text)) = (room.first_chunk_mut::<N>(), text.first_chunk()) {
        *room = *text;
    }
    if let (Some(room), Some(text)) = (room.last_chunk_mut::<N>(), text.last_chunk()) {
        *room = *text;
    }
}
