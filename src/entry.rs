//! One series: its labels and its cells, in one allocation and one word to point at it.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::Unit;
use triomphe::ThinArc;

use crate::buckets::Buckets;
use crate::cells::{self, CellId, Layout, Row};
use crate::key::{self, Labels};
use crate::sync::{AtomicU8, Ordering};

/// What a metric measures, in Prometheus's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// A distribution, shown as buckets.
    Histogram,
    /// A distribution, shown as quantiles.
    Summary,
}

impl Kind {
    /// The word that `# TYPE` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// A metric's unit and help text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) unit: Option<Unit>,
    pub(crate) help: Box<str>,
}

/// What all series of a family share.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) name: Box<str>,
    pub(crate) layout: &'static Layout,
    /// The first description wins, so it is written once.
    pub(crate) description: OnceLock<Description>,
}

impl Descriptor {
    pub(crate) fn kind(&self) -> Kind {
        match self.layout {
            Layout::Counter | Layout::FloatCounter => Kind::Counter,
            Layout::Gauge => Kind::Gauge,
            Layout::Histogram(buckets) if buckets.quantiles().is_some() => Kind::Summary,
            Layout::Histogram(_) => Kind::Histogram,
        }
    }

    pub(crate) fn buckets(&self) -> Option<&'static Buckets> {
        match self.layout {
            Layout::Histogram(buckets) => Some(buckets),
            _ => None,
        }
    }
}

/// A counted pointer to a series: 28 bytes and the labels' text. Which metric it is of, whoever
/// holds it knows.
/// Its cells are given back when the last pointer goes.
///
/// Behind the text stand four bytes that say when it was made: in the head, alignment would make
/// eight of them.
#[derive(Clone, Debug)]
pub(crate) struct Entry(ThinArc<Head, u8>);

#[derive(Debug)]
struct Head {
    row: Row,
    state: AtomicU8,
    /// How many `Observed` have something to show.
    shown: AtomicU8,
    labels: u8,
    flags: u8,
}

/// When a series was made, in sixteenths of a second by the registry's clock: a `u32`.
type Born = [u8; 4];

/// States of a series. In the output;
const LIVE: u8 = 0;
/// idle for longer than the registry keeps, and not in the output until it is used again;
const DORMANT: u8 = 1;
/// out of its registry for good, so that nothing may wake it, or the registry itself is gone.
const GONE: u8 = 2;

/// The labels can be compared with unescaped ones byte by byte.
const PLAIN: u8 = 1;
/// Every Prometheus version accepts the label names.
const LEGAL_NAMES: u8 = 2;
/// The series or its registry may go away, so handles must keep it.
const MORTAL: u8 = 4;
/// It takes a place under the limits.
const COUNTED: u8 = 8;
/// Made for an `Observed`, which says itself when there is nothing to show.
const OBSERVED: u8 = 16;

/// How a series comes and goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// It or its registry may go away.
    pub(crate) mortal: bool,
    /// It takes a place under the limits.
    pub(crate) counted: bool,
    /// It goes when its `Observed` goes, and is out of sight until that has a value.
    pub(crate) observed: bool,
}

impl Entry {
    pub(crate) fn new(row: Row, labels: &Labels, nature: Nature, born: Duration) -> Self {
        // Beyond 254 labels the count cannot vouch for a comparison of bytes.
        let plain = labels.plain && labels.count < usize::from(u8::MAX);
        let flag = |flag, on| if on { flag } else { 0 };
        let head = Head {
            row,
            state: AtomicU8::new(LIVE),
            shown: AtomicU8::new(0),
            labels: u8::try_from(labels.count).unwrap_or(u8::MAX),
            flags: flag(PLAIN, plain)
                | flag(LEGAL_NAMES, labels.legal_names)
                | flag(MORTAL, nature.mortal || nature.observed)
                | flag(COUNTED, nature.counted)
                | flag(OBSERVED, nature.observed),
        };
        let text = labels.text.as_bytes();
        let length = text.len() + size_of::<Born>();
        // On the stack, so that a new series is one allocation.
        let mut few = [0; 256];
        let mut many = Vec::new();
        let bytes = few.get_mut(..length).unwrap_or_else(|| {
            many.resize(length, 0);
            &mut many
        });
        let (room, born_room) = bytes.split_at_mut(text.len());
        room.copy_from_slice(text);
        born_room.copy_from_slice(&sixteenths(born).to_ne_bytes());
        Self(ThinArc::from_header_and_slice(head, bytes))
    }

    /// The text, and when it was made.
    #[inline]
    fn parts(&self) -> (&[u8], Born) {
        match self.0.slice.split_last_chunk() {
            Some((text, born)) => (text, *born),
            None => (&[], [0; 4]),
        }
    }

    #[inline]
    fn has(&self, flag: u8) -> bool {
        self.0.header.header.flags & flag != 0
    }

    /// Whether it takes a place under the limits.
    pub(crate) fn is_counted(&self) -> bool {
        self.has(COUNTED)
    }

    /// Whether handles must keep this series from going away.
    #[inline]
    pub(crate) fn is_mortal(&self) -> bool {
        self.has(MORTAL)
    }

    /// Whether an `Observed` says when there is something to show.
    pub(crate) fn is_observed(&self) -> bool {
        self.has(OBSERVED)
    }

    /// Whether what it shows is not known now. With Acquire: who finds it in sight finds the value
    /// that was stored before it came there.
    pub(crate) fn is_hidden(&self) -> bool {
        self.is_observed() && self.0.header.header.shown.load(Ordering::Acquire) == 0
    }

    /// Brings it into sight, once more. False if 255 have done so already, which none does in
    /// earnest.
    pub(crate) fn show(&self) -> bool {
        let more = |shown: u8| shown.checked_add(1);
        let shown = &self.0.header.header.shown;
        shown.fetch_update(Ordering::Release, Ordering::Relaxed, more).is_ok()
    }

    /// Takes back one [`show`](Self::show).
    pub(crate) fn hide(&self) {
        let less = |shown: u8| shown.checked_sub(1);
        let _ = self.0.header.header.shown.fetch_update(Ordering::Release, Ordering::Relaxed, less);
    }

    #[inline]
    pub(crate) fn cell(&self) -> CellId {
        self.0.header.header.row.cell()
    }

    /// When it was made, by the registry's clock; up to a sixteenth of a second early.
    pub(crate) fn born(&self) -> Duration {
        Duration::from_secs(u64::from(self.born_raw())) / 16
    }

    /// The same, in sixteenths of a second.
    #[inline]
    pub(crate) fn born_raw(&self) -> u32 {
        u32::from_ne_bytes(self.parts().1)
    }

    /// Asks for the memory of a series that will be read soon.
    #[inline]
    fn prefetch(&self) {
        let start = self.0.heap_ptr().cast::<u8>();
        cells::prefetch(start);
        cells::prefetch(start.wrapping_add(64));
    }

    /// The canonical labels.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        self.parts().0
    }

    pub(crate) fn text_str(&self) -> &str {
        std::str::from_utf8(self.text()).unwrap_or_default()
    }

    /// Whether the labels can be compared with unescaped ones byte by byte.
    pub(crate) fn is_plain(&self) -> bool {
        self.has(PLAIN)
    }

    /// Whether every Prometheus version accepts the label names as they are.
    #[inline]
    pub(crate) fn has_legal_names(&self) -> bool {
        self.has(LEGAL_NAMES)
    }

    /// Whether these sorted labels name this series for certain. Labels that need escaping are
    /// never certain; they take the way through their canonical text.
    #[inline]
    pub(crate) fn matches(&self, labels: &[(&str, &str)]) -> bool {
        let head = &self.0.header.header;
        self.has(PLAIN) && key::matches(self.text(), usize::from(head.labels), labels)
    }

    /// Whether these are the values of this series' labels, in the order of their names, which
    /// given by their length. The caller knows that the names are right. False where a value is empty.
    #[inline]
    pub(crate) fn has_values<'v>(
        &self,
        values: impl ExactSizeIterator<Item = (usize, &'v str)>,
    ) -> bool {
        self.has(PLAIN)
            && usize::from(self.0.header.header.labels) == values.len()
            && key::values_match(self.text(), values)
    }

    fn state(&self) -> &AtomicU8 {
        &self.0.header.header.state
    }

    /// Whether it is not in the output, for now or for good.
    pub(crate) fn is_dormant(&self) -> bool {
        self.state().load(Ordering::Relaxed) != LIVE
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state().load(Ordering::Relaxed) == GONE
    }

    /// Puts it to sleep or wakes it. Not for a series that is gone.
    pub(crate) fn set_dormant(&self, dormant: bool) {
        self.state().store(if dormant { DORMANT } else { LIVE }, Ordering::Relaxed);
    }

    pub(crate) fn set_gone(&self) {
        self.state().store(GONE, Ordering::Relaxed);
    }

    /// Whether both point to the same series, not only to one of the same labels.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.heap_ptr(), other.0.heap_ptr())
    }

    /// How many pointers to this series exist. With Acquire, so that whoever finds itself alone
    /// has seen every update made through a pointer that is gone.
    pub(crate) fn holders(&self) -> usize {
        let count = ThinArc::strong_count(&self.0);
        std::sync::atomic::fence(Ordering::Acquire);
        count
    }
}

/// As many as four bytes hold: 8.5 years.
fn sixteenths(time: Duration) -> u32 {
    u32::try_from(time.as_millis() * 16 / 1000).unwrap_or(u32::MAX)
}

/// Visits series in order, asking for the memory of later ones meanwhile: they lie wherever they
/// were registered, and a walk in the order of labels would wait for each.
pub(crate) fn walk(entries: &[Entry]) -> impl ExactSizeIterator<Item = &Entry> + Clone {
    /// Far enough ahead to hide a miss behind the writing of as many lines.
    const AHEAD: usize = 12;
    entries.iter().enumerate().map(move |(index, entry)| {
        if let Some(ahead) = entries.get(index + AHEAD) {
            ahead.prefetch();
        }
        entry
    })
}
