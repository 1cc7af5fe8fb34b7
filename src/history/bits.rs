//! Numbers of any width in bits, one after the other.

/// Bits that are still being written. The last, unfinished word waits in a register's place, so
/// that appending rarely touches the heap.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// The next bits, highest first.
    word: u64,
    /// How many of them there are: fewer than 64.
    used: u32,
}

impl Bits {
    /// Without bits, and with room for this many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), word: 0, used: 0 }
    }

    /// Appends the low `width` bits of `value`; the others must be zero.
    #[inline]
    pub(super) fn push(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 64 && (width == 64 || value >> width == 0));
        let room = 64 - self.used;
        if width < room {
            // Wraps for no bits of an empty word only, and then the value is zero.
            self.word |= value.wrapping_shl(room - width);
            self.used += width;
            return;
        }
        let rest = width - room;
        let full = self.word | value.checked_shr(rest).unwrap_or(0);
        self.bytes.extend_from_slice(&full.to_be_bytes());
        self.word = if rest == 0 { 0 } else { value << (64 - rest) };
        self.used = rest;
    }

    /// Appends what tells how to read a value, and the value.
    #[inline]
    pub(super) fn push_after(&mut self, named: u64, name_width: u32, value: u64, width: u32) {
        if name_width + width <= 64 {
            // A width of 64 has no name before it here.
            return self.push(named.wrapping_shl(width) | value, name_width + width);
        }
        self.push(named, name_width);
        self.push(value, width);
    }

    /// Everything written so far, filled up with zeros to whole bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let tail = self.word.to_be_bytes();
        let tail = tail.get(..self.used.div_ceil(8) as usize).unwrap_or_default();
        let mut bytes = Vec::with_capacity(self.bytes.len() + tail.len());
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(tail);
        bytes
    }

    /// Bytes written.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads what [`Bits`] wrote. Behind the end there are zeros without end, so reading never fails;
/// whoever reads knows how much was written, or asks [`overrun`](Self::overrun).
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next 64 bits, without taking them.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let (byte, bit) = (self.at / 8, self.at as u32 % 8);
        if let Some(nine) = self.bytes.get(byte..byte + 9) {
            let (eight, ninth) = nine.split_at(8);
            let high = eight.try_into().map_or(0, u64::from_be_bytes);
            let low = ninth.first().map_or(0, |byte| u64::from(*byte));
            return (high << bit) | (low >> (8 - bit));
        }
        let mut tail = [0; 16];
        let rest = self.bytes.get(byte..).unwrap_or_default();
        tail.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        (u128::from_be_bytes(tail) << bit >> 64) as u64
    }

    /// Takes this many bits.
    #[inline]
    pub(super) fn skip(&mut self, width: u32) {
        self.at += width as usize;
    }

    /// The next bits, as a number.
    #[inline]
    pub(super) fn take(&mut self, width: u32) -> u64 {
        let value = self.peek().checked_shr(64 - width).unwrap_or(0);
        self.skip(width);
        value
    }

    /// Whether more was read than is there.
    pub(super) fn overrun(&self) -> bool {
        self.at.div_ceil(8) > self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec((any::<u64>(), 0u32..=64), 0..200)) {
            let cut = |(value, width): &(u64, u32)| value & 1u64.checked_shl(*width).unwrap_or(0).wrapping_sub(1);
            let mut bits = Bits::default();
            // The naive twin: one character per bit.
            let mut twin = String::new();
            for number in &numbers {
                bits.push(cut(number), number.1);
                twin.extend((0..number.1).rev().map(|bit| char::from(b'0' + (cut(number) >> bit & 1) as u8)));
            }
            let bytes = bits.to_bytes();
            let mut text: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
            text.truncate(twin.len());
            prop_assert_eq!(text, twin);
            let mut reader = Reader::new(&bytes);
            for number in &numbers {
                prop_assert_eq!(reader.take(number.1), cut(number));
            }
            prop_assert!(!reader.overrun());
            reader.skip(8);
            prop_assert!(reader.overrun());
            prop_assert_eq!(reader.take(64), 0);
        }
    }
}
