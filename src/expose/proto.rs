//! Protobuf fields, written into room that was made beforehand.
//!
//! A message stands behind its length, which is known only when the message is written. So the
//! place for the length is guessed, and where the guess was wrong the message is moved by a byte or
//! two.

use super::line::{Output, copy};

/// The wire type of what has a length, and of a double.
const BYTES: u8 = 2;
const DOUBLE: u8 = 1;

/// The key of a field (at most 15) that has a length: text or a message.
pub(super) const fn bytes(field: u8) -> u8 {
    field << 3 | BYTES
}

/// The key of a field that is a double.
pub(super) const fn double(field: u8) -> u8 {
    field << 3 | DOUBLE
}

/// The key of a field that is an integer.
pub(super) const fn integer(field: u8) -> u8 {
    field << 3
}

/// Bytes of the longest integer.
pub(super) const LONGEST: usize = 10;

/// Where a message is written.
pub(super) struct Message<'a> {
    room: &'a mut [u8],
    pub(super) at: usize,
}

/// A message that has begun: where its length belongs, and how much was left for it.
#[derive(Clone, Copy)]
#[must_use]
pub(super) struct Open {
    at: usize,
    left: usize,
}

impl<'a> Message<'a> {
    /// Goes on with a page that has room for `most` further bytes.
    #[inline]
    pub(super) fn on(page: &'a mut Output<'_>, most: usize) -> Self {
        let (room, at) = page.room(most);
        Self { room, at }
    }

    /// A message in room that is no page's.
    pub(super) fn alone(room: &'a mut [u8]) -> Self {
        Self { room, at: 0 }
    }

    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(room) = self.room.get_mut(self.at..).and_then(|room| room.first_chunk_mut()) {
            *room = bytes;
            self.at += N;
        }
    }

    /// A number as it is, without a key.
    #[inline]
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put([value as u8 | 0x80]);
            value >>= 7;
        }
        self.put([value as u8]);
    }

    #[inline]
    pub(super) fn integer(&mut self, key: u8, value: u64) {
        self.put([key]);
        self.varint(value);
    }

    /// A number that may be negative, as `sint32` and `sint64` have it: zigzag.
    #[inline]
    pub(super) fn signed(&mut self, key: u8, value: i64) {
        self.integer(key, zigzag(value));
    }

    #[inline]
    pub(super) fn double(&mut self, key: u8, value: f64) {
        self.put(double_field(key, value));
    }

    /// The first of some bytes that are written already. What stands behind is written over
    /// later, so copying all of them, which takes no call, does no harm.
    #[inline]
    pub(super) fn first<const N: usize>(&mut self, bytes: [u8; N], length: usize) {
        self.put(bytes);
        self.at -= N - length.min(N);
    }

    /// Bytes that are written already.
    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room.get_mut(self.at..self.at + bytes.len()) {
            copy(room, bytes);
            self.at += bytes.len();
        }
    }

    #[inline]
    pub(super) fn text(&mut self, key: u8, text: &[u8]) {
        self.integer(key, text.len() as u64);
        self.raw(text);
    }

    /// A label: `LabelPair { name = 1, value = 2 }` in field 1.
    pub(super) fn label(&mut self, name: &[u8], value: &[u8]) {
        let pair = self.open(Self::LABEL, 4 + name.len() + value.len());
        self.text(Self::NAME, name);
        self.text(Self::VALUE, value);
        self.close(pair);
    }

    const LABEL: u8 = bytes(1);
    const NAME: u8 = bytes(1);
    const VALUE: u8 = bytes(2);

    /// A label as canonical text without escapes: `name="value`, the name being so long.
    #[inline]
    pub(super) fn label_of_text(&mut self, text: &[u8], name: usize) {
        let (Some(value), length) = (text.len().checked_sub(name + 2), 2 + text.len()) else {
            return;
        };
        if length >= 0x80 {
            return self.label(&text[..name], &text[name + 2..]);
        }
        // Each length takes one byte, as with nearly all labels: then the key and length of the
        // value take the place of the two characters between name and value.
        self.put([Self::LABEL, length as u8, Self::NAME, name as u8]);
        let between = self.at + name;
        self.raw(text);
        if let Some(room) = self.room.get_mut(between..).and_then(|room| room.first_chunk_mut()) {
            *room = [Self::VALUE, value as u8];
        }
    }

    /// Begins a message of about so many bytes.
    #[inline]
    pub(super) fn open(&mut self, key: u8, guess: usize) -> Open {
        self.put([key]);
        self.open_bare(guess)
    }

    /// Begins a message that has a length and no key.
    #[inline]
    pub(super) fn open_bare(&mut self, guess: usize) -> Open {
        let open = Open { at: self.at, left: varint_len(guess) };
        self.at += open.left;
        open
    }

    /// Ends a message: writes its length.
    #[inline]
    pub(super) fn close(&mut self, open: Open) {
        let length = self.at - open.at - open.left;
        let needed = varint_len(length);
        if needed != open.left {
            self.shift(open, needed);
        }
        let end = std::mem::replace(&mut self.at, open.at);
        self.varint(length as u64);
        self.at = if needed == open.left { end } else { open.at + needed + length };
    }

    #[cold]
    fn shift(&mut self, open: Open, needed: usize) {
        let begins = open.at + open.left;
        // There is room: each message's caller leaves some for a length of any size.
        self.room.copy_within(begins..self.at, open.at + needed);
    }
}

/// A double and its key.
#[inline]
pub(super) fn double_field(key: u8, value: f64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [key, a, b, c, d, e, f, g, h]
}

#[inline]
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// How many bytes a length takes: seven bits each.
#[inline]
fn varint_len(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// The place of a byte in text.
#[inline]
pub(super) fn find(text: &[u8], byte: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xFF;
    let pattern = ONES * u64::from(byte);
    let mut at = 0;
    while let Some(word) = text.get(at..).and_then(|text| text.first_chunk()) {
        let differs = u64::from_le_bytes(*word) ^ pattern;
        // The lowest of these bits is where the first byte is that does not differ.
        let hits = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    text.get(at..)?.iter().position(|there| *there == byte).map(|offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn find_is_position(text in "[a-c=\"]{0,40}|[\\x00-\\xff]{0,40}", byte in any::<u8>()) {
            for byte in [byte, b'=', b'"', b'a'] {
                let naive = text.bytes().position(|there| there == byte);
                prop_assert_eq!(find(text.as_bytes(), byte), naive);
            }
        }

        /// Whatever was guessed, the length is right and the message stands behind it.
        #[test]
        fn a_wrong_guess_changes_nothing(
            guess in prop_oneof![0usize..300, 16_000usize..17_000, Just(usize::MAX >> 8)],
            length in prop_oneof![0usize..300, 16_300usize..16_500],
        ) {
            let mut out = Vec::new();
            let mut page = Output::new(&mut out);
            let mut message = Message::on(&mut page, length + 64);
            let open = message.open(bytes(1), guess);
            let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
            message.raw(&body);
            message.close(open);
            page.len = message.at;
            drop(page);
            let mut expected = vec![bytes(1)];
            let mut rest = length;
            while rest >= 0x80 {
                expected.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            expected.push(rest as u8);
            expected.extend(body);
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn lengths_of_integers(value in any::<usize>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut naive = 1;
            let mut rest = value >> 7;
            while rest > 0 {
                naive += 1;
                rest >>= 7;
            }
            prop_assert_eq!(varint_len(value), naive);
        }
    }

    #[test]
    fn zigzag_interleaves() {
        assert_eq!([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
        assert_eq!(zigzag(i64::MIN), u64::MAX);
    }
}
