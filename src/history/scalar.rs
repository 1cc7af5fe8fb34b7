//! The open ends of a counter or a gauge.

use super::block::Block;
use super::gorilla::Word;
use super::head::Head;
use super::rollup::{COLUMNS, KINDS, Rolling};
use super::series::{Past, Turn};
use super::staged::{MOST, Staged};
use super::tier::{Cursor, Tier};

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
    /// The sample before those that are staged; a counter's growth is counted from it.
    before: Option<u64>,
}

impl Scalar {
    pub(super) fn new(measure: Measure) -> Self {
        let rolling = [Rolling::default(); 2];
        Self { measure, ticks: None, fine: None, rolled: [None, None], rolling, before: None }
    }

    /// Whether it never got a sample.
    pub(super) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Whether any of its samples are to be seen, besides those in closed blocks.
    pub(super) fn shows_any(&self) -> bool {
        self.ticks.is_some() || self.fine.is_some() || self.rolled.iter().any(Option::is_some)
    }

    /// Adds samples to all tiers. True if it takes another amount of memory now.
    pub(super) fn add(&mut self, staged: &Staged, turn: &mut Turn<'_>, past: &mut Past) -> bool {
        let before = turn.closed.len();
        let mut grew = false;
        if turn.tiers.keep(Tier::Tick) > 0 {
            for (tick, word) in (staged.first()..).zip(staged.words()) {
                grew |= self.push_tick(tick, *word, turn, past);
            }
        }
        let words = staged.words();
        let mut times = [turn.now; MOST + 1];
        let known = turn.timeline.since(staged.first()).take(words.len());
        times.iter_mut().zip(known).for_each(|(to, time)| *to = time);
        grew |= self.fill_fine(&times, words, turn, past);
        grew |= self.fill_rollups(&times, words, turn, past);
        grew || turn.closed.len() > before
    }

    fn push_tick(&mut self, tick: u64, word: u64, turn: &mut Turn<'_>, past: &mut Past) -> bool {
        let kinds = [self.measure.word()];
        let limit = turn.limit(Tier::Tick);
        // Of one that comes and goes, a run must not outlive its ticks' times.
        let full = |head: &mut Head<1>| {
            let long = tick.saturating_sub(head.first()) >= 4 * Tier::Tick.samples() as u64;
            !head.takes(tick) || head.count() >= limit || long
        };
        let mut size = 0;
        if let Some(head) = self.ticks.take_if(full) {
            size = head.size() + head.size() / 8;
            past.add(Tier::Tick, head.to_block(), turn);
        }
        self.ticks.get_or_insert_with(|| Head::after(size, tick)).push(tick, [word], kinds)
    }

    /// Closes the run of ticks.
    pub(super) fn close_ticks(&mut self, turn: &mut Turn<'_>, past: &mut Past) {
        if let Some(head) = self.ticks.take() {
            past.add(Tier::Tick, head.to_block(), turn);
        }
    }

    /// Adds the last sample of every step. Behind the samples' times is that of what follows.
    fn fill_fine(
        &mut self,
        times: &[u64],
        words: &[u64],
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) -> bool {
        let mut step = Cursor::new(turn.tiers, Tier::Fine);
        let mut grew = false;
        for ((time, next), word) in times.iter().zip(times.iter().skip(1)).zip(words) {
            step.follow(*time);
            if *next > step.end {
                grew |= self.push_fine(step.position, *word, turn, past);
            }
        }
        grew
    }

    fn fill_rollups(
        &mut self,
        times: &[u64],
        words: &[u64],
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) -> bool {
        let (word, is_counter) = (self.measure.word(), self.measure.is_counter());
        let (mut before, mut minutes) = (self.before.or(turn.base), self.rolling[0]);
        let mut step = Cursor::new(turn.tiers, Tier::Minutes);
        let mut rolled = false;
        for (time, sample) in times.iter().zip(words) {
            step.follow(*time);
            if minutes.position != step.position {
                rolled |= self.roll_minutes(minutes, turn, past);
                minutes = Rolling::new(step.position);
            }
            let value = word.to_f64(*sample);
            let amount = match before.replace(*sample) {
                _ if !is_counter => value,
                before => before.map_or(0.0, |before| growth(word, before, *sample)),
            };
            minutes.add(value, amount);
        }
        (self.before, self.rolling[0]) = (before, minutes);
        rolled
    }

    /// Moves minutes that were rolled up into their tier, and adds them to the hours.
    fn roll_minutes(&mut self, minutes: Rolling, turn: &mut Turn<'_>, past: &mut Past) -> bool {
        if minutes.count == 0 {
            return false;
        }
        self.roll(0, minutes, turn, past);
        let time = turn.tiers.time(Tier::Minutes, minutes.position);
        let position = turn.tiers.position(Tier::Hours, time);
        if self.rolling[1].position != position {
            self.roll(1, self.rolling[1], turn, past);
            self.rolling[1] = Rolling::new(position);
        }
        self.rolling[1].add_all(&minutes);
        true
    }

    /// Closes rollups whose time is over. True if there were any.
    pub(super) fn roll_over(&mut self, turn: &mut Turn<'_>, past: &mut Past) -> bool {
        let tiers = *turn.tiers;
        let mut rolled = false;
        if self.rolling[0].position < tiers.position(Tier::Minutes, turn.now) {
            let minutes = std::mem::take(&mut self.rolling[0]);
            rolled |= self.roll_minutes(minutes, turn, past);
        }
        if self.rolling[1].position < tiers.position(Tier::Hours, turn.now) {
            let hours = std::mem::take(&mut self.rolling[1]);
            self.roll(1, hours, turn, past);
            rolled |= hours.count > 0;
        }
        rolled
    }

    fn push_fine(
        &mut self,
        position: u64,
        word: u64,
        turn: &mut Turn<'_>,
        past: &mut Past,
    ) -> bool {
        let kinds = [self.measure.word()];
        let limit = turn.limit(Tier::Fine);
        if self.fine.as_ref().is_some_and(|head| position < head.end()) {
            return false;
        }
        let full = |head: &mut Head<1>| !head.takes(position) || head.count() >= limit;
        let mut size = 0;
        if let Some(head) = self.fine.take_if(full) {
            size = head.size();
            past.add(Tier::Fine, head.to_block(), turn);
        }
        self.fine.get_or_insert_with(|| Head::after(size, position)).push(position, [word], kinds)
    }

    /// Moves what was rolled up into its tier.
    fn roll(&mut self, index: usize, rolling: Rolling, turn: &mut Turn<'_>, past: &mut Past) {
        let (position, tier) = (rolling.position, ROLLUPS[index]);
        let limit = turn.limit(tier);
        let head = &mut self.rolled[index];
        if rolling.count == 0 || head.as_ref().is_some_and(|head| position < head.end()) {
            return;
        }
        let full = |head: &mut Box<Head<COLUMNS>>| !head.takes(position) || head.count() >= limit;
        let mut size = 0;
        if let Some(head) = head.take_if(full) {
            size = head.size();
            past.add(tier, head.to_block(), turn);
        }
        let head = head.get_or_insert_with(|| Box::new(Head::after(size, position)));
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
            Tier::Tick => self.ticks = Head::resume(block, kinds),
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
