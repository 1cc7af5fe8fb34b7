//! The open ends of a counter or a gauge.

use super::block::Block;
use super::gorilla::Word;
use super::head::Head;
use super::rollup::{COLUMNS, KINDS, Rolling};
use super::series::{Past, Turn};
use super::tier::Tier;

const ROLLUPS: [Tier; 2] = [Tier::Minutes, Tier::Hours];

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// A counter of integers.
    Counter,
    /// A counter of a quantity that has fractions.
    FloatCounter,
    Gauge,
}

impl Measure {
    pub(super) fn word(self) -> Word {
        match self {
            Self::Counter => Word::Integer,
            Self::FloatCounter | Self::Gauge => Word::Float,
        }
    }

    pub(super) fn is_counter(self) -> bool {
        self != Self::Gauge
    }
}

#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) measure: Measure,
    ticks: Option<Head<1>>,
    fine: Option<Head<1>>,
    /// Few have any, and not for the first minutes.
    rolled: [Option<Box<Head<COLUMNS>>>; 2],
    rolling: [Rolling; 2],
    /// The sample before those in `ticks`; a counter's growth is counted from it.
    before: Option<u64>,
}

impl Scalar {
    pub(super) fn new(measure: Measure) -> Self {
        let rolling = [Rolling::default(); 2];
        Self { measure, ticks: None, fine: None, rolled: [None, None], rolling, before: None }
    }

    /// Adds a tick's sample. True if that took memory.
    #[inline]
    pub(super) fn push(
        &mut self,
        tick: u64,
        word: u64,
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) -> bool {
        let kinds = [self.measure.word()];
        if let Some(head) = &mut self.ticks {
            if head.takes(tick) && head.count() < turn.limit(Tier::Tick) {
                return head.push(tick, [word], kinds);
            }
        }
        let before = self.ticks.as_ref().map_or(0, |head| head.size() + head.size() / 8);
        self.close_ticks(turn, past);
        // Rollups that this sample is too late for must not wait for the next run: the samples they
        // are made of may be gone by then.
        self.roll_ended(turn, past);
        self.ticks.insert(Head::after(before, tick)).push(tick, [word], kinds);
        true
    }

    /// Closes the run of ticks, and fills the coarser tiers from it.
    pub(super) fn close_ticks(&mut self, turn: &mut Turn<'_>, past: &mut Past) {
        let Some(head) = self.ticks.take() else { return };
        let [words] = head.columns([self.measure.word()]);
        let block = head.to_block();
        let times: Vec<u64> = turn.times(block.positions()).collect();
        past.add(Tier::Tick, block, turn);
        self.cascade(&times, &words, turn, past);
    }

    /// Fills the coarser tiers from samples that follow those before.
    pub(super) fn cascade(
        &mut self,
        times: &[u64],
        words: &[u64],
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) {
        let (word, is_counter) = (self.measure.word(), self.measure.is_counter());
        let following = times.iter().skip(1).copied().chain([turn.now]);
        // If any times are not known any more, they are the first.
        let words = words.get(words.len().saturating_sub(times.len())..).unwrap_or_default();
        for ((time, sample), next) in times.iter().zip(words).zip(following) {
            let position = turn.tiers.position(Tier::Fine, *time);
            if turn.tiers.position(Tier::Fine, next) != position {
                self.push_fine(position, *sample, turn, past);
            }
            let value = word.to_f64(*sample);
            let amount = match self.before.replace(*sample) {
                _ if !is_counter => value,
                before => match before.or(turn.base) {
                    Some(before) => growth(word, before, *sample),
                    None => 0.0,
                },
            };
            for (index, tier) in ROLLUPS.into_iter().enumerate() {
                let position = turn.tiers.position(tier, *time);
                if self.rolling[index].position != position {
                    self.roll(index, turn, past);
                    self.rolling[index] = Rolling::new(position);
                }
                self.rolling[index].add(value, amount);
            }
        }
    }

    /// Closes rollups whose time is over.
    fn roll_ended(&mut self, turn: &mut Turn<'_>, past: &mut Past) {
        for (index, tier) in ROLLUPS.into_iter().enumerate() {
            if self.rolling[index].position < turn.tiers.position(tier, turn.now) {
                self.roll(index, turn, past);
            }
        }
    }

    /// Closes rollups whose time is over, of a series that gets no more samples.
    pub(super) fn roll_over(&mut self, turn: &mut Turn<'_>, past: &mut Past) {
        if self.ticks.is_none() {
            self.roll_ended(turn, past);
        }
    }

    fn push_fine(&mut self, position: u64, word: u64, turn: &mut Turn<'_>, past: &mut Past) {
        let kinds = [self.measure.word()];
        let limit = turn.limit(Tier::Fine);
        let full = |head: &Head<1>| !head.takes(position) || head.count() >= limit;
        if self.fine.as_ref().is_some_and(|head| position < head.end()) {
            return;
        }
        if let Some(head) = self.fine.take_if(|head| full(head)) {
            past.add(Tier::Fine, head.pack(kinds), turn);
        }
        self.fine.get_or_insert_with(|| Head::new(position)).push(position, [word], kinds);
    }

    /// Moves what was rolled up into its tier.
    fn roll(&mut self, index: usize, turn: &mut Turn<'_>, past: &mut Past) {
        let rolling = std::mem::take(&mut self.rolling[index]);
        let position = rolling.position;
        let tier = ROLLUPS[index];
        let limit = turn.limit(tier);
        let full = |head: &Head<COLUMNS>| !head.takes(position) || head.count() >= limit;
        let head = &mut self.rolled[index];
        if rolling.count == 0 || head.as_ref().is_some_and(|head| position < head.end()) {
            return;
        }
        if let Some(head) = head.take_if(|head| full(head)) {
            past.add(tier, head.pack(KINDS), turn);
        }
        let head = head.get_or_insert_with(|| Box::new(Head::new(position)));
        head.push(position, rolling.words(), KINDS);
    }

    /// What is open in this tier, as a block.
    pub(super) fn open(&self, tier: Tier) -> Option<Block> {
        match tier {
            Tier::Tick => self.ticks.as_ref().map(Head::to_block),
            Tier::Fine => self.fine.as_ref().map(Head::to_block),
            Tier::Minutes => self.rolled[0].as_ref().map(|head| head.to_block()),
            Tier::Hours => self.rolled[1].as_ref().map(|head| head.to_block()),
        }
    }

    /// The first and last position that are open in this tier.
    pub(super) fn extent(&self, tier: Tier) -> Option<(u64, u64)> {
        match tier {
            Tier::Tick => self.ticks.as_ref().map(|head| (head.first(), head.end() - 1)),
            Tier::Fine => self.fine.as_ref().map(|head| (head.first(), head.end() - 1)),
            Tier::Minutes => self.rolled[0].as_ref().map(|head| (head.first(), head.end() - 1)),
            Tier::Hours => self.rolled[1].as_ref().map(|head| (head.first(), head.end() - 1)),
        }
    }

    /// Forgets what is open in this tier.
    pub(super) fn forget(&mut self, tier: Tier) {
        match tier {
            Tier::Tick => self.ticks = None,
            Tier::Fine => self.fine = None,
            Tier::Minutes => self.rolled[0] = None,
            Tier::Hours => self.rolled[1] = None,
        }
    }

    /// Goes on with what was open; false if it is damaged.
    pub(super) fn resume(&mut self, tier: Tier, block: &Block) -> bool {
        let kinds = [self.measure.word()];
        match tier {
            Tier::Tick => return false,
            Tier::Fine => self.fine = Head::resume(block, kinds),
            Tier::Minutes => self.rolled[0] = Head::resume(block, KINDS).map(Box::new),
            Tier::Hours => self.rolled[1] = Head::resume(block, KINDS).map(Box::new),
        }
        self.extent(tier).is_some()
    }

    /// The rollups that samples are being added to, and the sample before the open ticks.
    pub(super) fn state(&self) -> ([Rolling; 2], Option<u64>) {
        (self.rolling, self.before)
    }

    /// Goes on from a [`state`](Self::state).
    pub(super) fn set_state(&mut self, rolling: [Rolling; 2], before: Option<u64>) {
        (self.rolling, self.before) = (rolling, before);
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        let one = |head: &Option<Head<1>>| head.as_ref().map_or(0, Head::heap);
        let rolled = self.rolled.iter().flatten().map(|head| head.heap() + size_of_val(&**head));
        one(&self.ticks) + one(&self.fine) + rolled.sum::<usize>()
    }
}

/// How much a counter grew from one sample to the next. One that went back started again from
/// nothing.
pub(super) fn growth(word: Word, before: u64, now: u64) -> f64 {
    if word == Word::Integer {
        return now.checked_sub(before).unwrap_or(now) as f64;
    }
    let (before, now) = (f64::from_bits(before), f64::from_bits(now));
    if now < before { now } else { now - before }
}
