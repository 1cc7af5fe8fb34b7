//! From name and labels to a series.

use std::sync::{Arc, OnceLock};

use super::cache::{self, ByName, Full, Query};
use super::family::Family;
use super::own::{is_own, own_names};
use super::{Families, Inner};
use crate::buckets::Buckets;
use crate::cells::{self, Layout, Row, gate};
use crate::entry::{Descriptor, Entry, Kind, Nature};
use crate::escape;
use crate::instrument::Handle;
use crate::key::{self, Labels, NAME_BYTES, Rules};
use crate::notice::Notice;
use crate::sync::{AtomicUsize, Ordering};

/// What a caller takes a metric for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Counter,
    FloatCounter,
    Gauge,
    Histogram,
}

impl Shape {
    #[inline]
    pub(crate) fn fits(self, layout: &Layout) -> bool {
        matches!(
            (self, layout),
            (Self::Counter, Layout::Counter)
                | (Self::FloatCounter, Layout::FloatCounter)
                | (Self::Gauge, Layout::Gauge)
                | (Self::Histogram, Layout::Histogram(_))
        )
    }

    fn kind(self) -> Kind {
        match self {
            Self::Counter | Self::FloatCounter => Kind::Counter,
            Self::Gauge => Kind::Gauge,
            Self::Histogram => Kind::Histogram,
        }
    }
}

/// Where an update goes.
pub(super) enum Found {
    Series(Arc<Family>, Entry),
    Overflow(Overflow),
    /// For good: a filter, a kind or a name forbids it.
    Refused,
    /// A limit refused the labels, and what would be shown adds nothing to a sum: the registry's own
    /// series that counts it.
    Unshown(Option<Entry>),
    /// For now: there is no room, or another kind has the name and may give it up.
    NotNow,
}

/// A limit refused the labels.
pub(crate) struct Overflow {
    /// The family's series that takes the update.
    entry: Entry,
    /// The registry's own that counts it, unless the user has taken its name for something else.
    counted: Option<Entry>,
}

/// What a lookup came to.
pub(crate) struct Resolved {
    pub(crate) handle: Handle,
    pub(crate) overflow: Option<Overflow>,
    /// Whether the same lookup would come to the same as long as the registry lives.
    pub(crate) lasting: bool,
}

impl Resolved {
    fn noop() -> Self {
        Self { handle: Handle::NOOP, overflow: None, lasting: false }
    }
}

impl Found {
    /// Counts an overflow, for which the gate must be open: the thread may need a page.
    fn count_and_resolve(self) -> Resolved {
        let (entry, overflow) = match self {
            Self::Series(_, entry) => (entry, None),
            Self::Overflow(overflow) => {
                if let Some(counted) = &overflow.counted {
                    cells::add(counted.cell(), 1);
                }
                (overflow.entry.clone(), Some(overflow))
            }
            Self::Refused => return Resolved { lasting: true, ..Resolved::noop() },
            Self::Unshown(_) | Self::NotNow => return Resolved::noop(),
        };
        Resolved { handle: Handle::to(&entry), lasting: overflow.is_none(), overflow }
    }
}

impl Inner {
    /// A handle to the series of this name and labels. Sorts the labels in place.
    #[inline]
    pub(crate) fn handle(&self, shape: Shape, name: &str, labels: &mut [(&str, &str)]) -> Handle {
        key::sort(labels);
        let query = ByName { shape, name, labels };
        cache::find(self.id, &query).unwrap_or_else(|| self.resolve(&query, &query).handle)
    }

    /// Looks up what is not remembered, and remembers it as the answer to `memory`.
    #[cold]
    #[inline(never)]
    pub(crate) fn resolve(&self, query: &ByName<'_>, memory: &impl Query) -> Resolved {
        if let Some(handle) = cache::missed(self.id, memory) {
            return Resolved { handle, overflow: None, lasting: false };
        }
        let Some(gate) = gate::enter() else {
            self.notices.count(Notice::Recursion, query.name);
            return Resolved::noop();
        };
        let found = self.find_or_add(query.shape, query.name, query.labels, false);
        if let Found::Series(family, entry) = &found {
            // Labels that were adjusted are not found again by comparing.
            if entry.matches(query.labels) {
                cache::remember(self.id, memory, &family.descriptor, entry.clone());
            }
        }
        drop(gate);
        found.count_and_resolve()
    }

    /// A handle for a call site of the global registry to keep, and whether it may.
    pub(crate) fn resolve_site(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
    ) -> (Handle, bool) {
        let Some(gate) = gate::enter() else {
            self.notices.count(Notice::Recursion, name);
            return (Handle::NOOP, false);
        };
        let found = self.find_or_add(shape, name, labels, false);
        if let Found::Series(_, entry) = &found {
            self.pinned.lock().push(entry.clone());
        }
        drop(gate);
        let resolved = found.count_and_resolve();
        (resolved.handle, resolved.lasting)
    }

    /// Lets the calling thread refuse further labels of a full metric by itself.
    ///
    /// Only where no series ever goes, so that full stays full, and only if every series is in
    /// sight: one that is being registered right now is not yet, and the next refusal will do.
    pub(crate) fn remember_full(
        &self,
        query: &ByName<'_>,
        site: usize,
        overflow: Overflow,
        remember: impl FnOnce(Full, &[Entry]),
    ) {
        let Some(_gate) = gate::enter() else { return };
        if self.config.idle_timeout.is_some()
            || self.config.filters_labels()
            || cache::knows_full(self.id, site)
        {
            return;
        }
        let Ok(family) = self.family(query.shape, query.name) else { return };
        if !self.rules(&family).keep(query.labels) {
            return;
        }
        let entries = family.entries();
        // All that count, and the overflow series.
        let live = family.live.load(Ordering::Relaxed);
        let complete = entries.len() == live + 1;
        let is_full = live >= self.config.series_per_family
            || self.series.load(Ordering::Relaxed) >= self.config.series;
        let Some(counted) = overflow.counted else { return };
        if !complete || !is_full || entries.len() > cache::MOST_FULL {
            return;
        }
        let full = Full {
            registry: self.id,
            site,
            overflow: overflow.entry,
            counted: counted.cell(),
            value_bytes: self.config.label_value_bytes,
        };
        remember(full, &entries);
    }

    /// `observed` says for whom the series is made, if it is new.
    pub(super) fn find_or_add(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
        observed: bool,
    ) -> Found {
        if !self.config.admits(name, labels) {
            self.notices.count(Notice::Filtered, name);
            return Found::Refused;
        }
        self.find_or_add_admitted(shape, name, labels, observed)
    }

    /// Past the filters, for what they let through and for the registry's own metrics.
    pub(super) fn find_or_add_admitted(
        &self,
        shape: Shape,
        name: &str,
        labels: &[(&str, &str)],
        observed: bool,
    ) -> Found {
        let family = match self.family(shape, name) {
            Ok(family) => family,
            Err(refusal) => return refusal,
        };
        if observed {
            family.watch_hidden();
        }
        let note = |notice| self.notices.count(notice, name);
        let labels = Labels::new(labels, self.rules(&family), note);
        if let Some(entry) = family.table.find(labels.text.as_bytes()) {
            return Found::Series(family, entry);
        }
        let counted = !is_own(name);
        let mortal = !self.immortal || self.config.idle_timeout.is_some();
        let nature = Nature { mortal, counted, observed };
        let make = || {
            if counted && !reserve(&family.live, self.config.series_per_family) {
                return Err(Notice::FamilyFull);
            }
            if counted && !reserve(&self.series, self.config.series) {
                family.live.fetch_sub(1, Ordering::Relaxed);
                return Err(Notice::RegistryFull);
            }
            self.make(&family, &labels, nature)
        };
        match family.table.find_or_add(labels.text.as_bytes(), make) {
            Ok(entry) => Found::Series(family, entry),
            Err(Notice::NoRoom) => Found::NotNow,
            Err(why) if observed => {
                self.notices.log_once(why, name);
                Found::Unshown(self.own_notice(why))
            }
            Err(why) => self.overflow(&family, why),
        }
    }

    fn rules(&self, family: &Family) -> Rules<'_> {
        Rules {
            value_bytes: if is_own(&family.descriptor.name) {
                usize::MAX
            } else {
                self.config.label_value_bytes
            },
            reserved: match family.descriptor.kind() {
                Kind::Histogram => &["le"],
                Kind::Summary => &["quantile"],
                _ => &[],
            },
            dropped: &self.config.drop_labels,
        }
    }

    /// A new series. Fails when the cells are spent, which takes 2³² of them.
    fn make(&self, family: &Family, labels: &Labels, nature: Nature) -> Result<Entry, Notice> {
        let Some(row) = Row::new(family.descriptor.layout) else {
            if nature.counted {
                family.live.fetch_sub(1, Ordering::Relaxed);
                self.series.fetch_sub(1, Ordering::Relaxed);
            }
            self.notices.count(Notice::NoRoom, &family.descriptor.name);
            return Err(Notice::NoRoom);
        };
        let entry = Entry::new(row, labels, nature, self.config.clock.now());
        family.announce(entry.clone());
        Ok(entry)
    }

    #[cold]
    fn overflow(&self, family: &Family, why: Notice) -> Found {
        self.notices.log_once(why, &family.descriptor.name);
        let labels = Labels::overflow();
        // Counted by no limit, and one a family.
        let mortal = !self.immortal || self.config.idle_timeout.is_some();
        let nature = Nature { mortal, counted: false, observed: false };
        let make = || self.make(family, &labels, nature);
        match family.table.find_or_add(labels.text.as_bytes(), make) {
            Ok(entry) => Found::Overflow(Overflow { entry, counted: self.own_notice(why) }),
            Err(_spent) => Found::NotNow,
        }
    }

    /// The family of this name, made if need be, or why it cannot be used so.
    fn family(&self, shape: Shape, name: &str) -> Result<Arc<Family>, Found> {
        let known = self.families.read().by_name.get(name).cloned();
        let family = match known {
            Some(family) => family,
            None => self.new_family(shape, name)?,
        };
        if !shape.fits(family.descriptor.layout) {
            self.notices.count(Notice::KindConflict, name);
            // Where names are given up, this one may be free for another kind later.
            let for_good = self.config.idle_timeout.is_none();
            return Err(if for_good { Found::Refused } else { Found::NotNow });
        }
        Ok(family)
    }

    fn new_family(&self, shape: Shape, name: &str) -> Result<Arc<Family>, Found> {
        if name.is_empty() || name.len() > NAME_BYTES {
            self.notices.count(Notice::InvalidName, "");
            return Err(Found::Refused);
        }
        if self.series.load(Ordering::Relaxed) >= self.config.series && !is_own(name) {
            self.notices.count(Notice::NoRoom, name);
            return Err(Found::NotNow);
        }
        let mut families = self.families.write();
        if let Some(family) = families.by_name.get(name) {
            return Ok(Arc::clone(family));
        }
        // A metric whose only series is the overflow one counts against no other limit.
        let users = families.by_name.len()
            - own_names().filter(|own| families.by_name.contains_key(*own)).count();
        if users >= self.config.series && !is_own(name) {
            drop(families);
            self.notices.count(Notice::NoRoom, name);
            return Err(Found::NotNow);
        }
        let collides = families.collides(shape, name);
        let Families { by_name, described, buckets, .. } = &mut *families;
        let buckets = buckets.remove(name);
        let mut conflict = buckets.is_some() && shape != Shape::Histogram;
        let descriptor = Descriptor {
            name: name.into(),
            layout: self.layout(shape, name, buckets),
            description: OnceLock::new(),
        };
        match described.remove(name) {
            Some((kind, description)) if kind == shape.kind() => {
                let _ = descriptor.description.set(description);
            }
            Some(_) => conflict = true,
            None => {}
        }
        let family = Arc::new(Family::new(Arc::new(descriptor)));
        by_name.insert(name.into(), Arc::clone(&family));
        drop(families);
        if conflict {
            self.notices.count(Notice::DescriptionConflict, name);
        }
        if collides {
            self.notices.count(Notice::NameCollision, name);
        }
        Ok(family)
    }

    fn layout(&self, shape: Shape, name: &str, chosen: Option<Buckets>) -> &'static Layout {
        match shape {
            Shape::Counter => &Layout::Counter,
            Shape::FloatCounter => &Layout::FloatCounter,
            Shape::Gauge => &Layout::Gauge,
            Shape::Histogram => {
                cells::intern(chosen.as_ref().unwrap_or_else(|| self.config.buckets_for(name)))
            }
        }
    }
}

impl Families {
    /// Whether the text format has to write a new name apart from one that is there, and keeps in
    /// mind what it may write this one as.
    fn collides(&mut self, shape: Shape, name: &str) -> bool {
        let written = escape::underscores(name, key::is_legal_name);
        let taken = self.escaped.contains_key(&*written)
            || (*written != *name && self.by_name.contains_key(&*written));
        const LINES: [&str; 3] = ["_bucket", "_count", "_sum"];
        let is_distribution = |stem: &str| {
            self.by_name.get(stem).is_some_and(|family| family.descriptor.buckets().is_some())
        };
        let stem = LINES.iter().filter_map(|line| name.strip_suffix(line)).any(is_distribution);
        let lines = shape == Shape::Histogram
            && LINES.iter().any(|line| self.by_name.contains_key(&*format!("{name}{line}")));
        if *written != *name {
            *self.escaped.entry(written.into()).or_default() += 1;
        }
        taken || stem || lines
    }

    /// Takes a metric out, and with it what `collides` kept in mind.
    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        let written = escape::underscores(name, key::is_legal_name);
        if let Some(count) = self.escaped.get_mut(&*written).filter(|_| *written != *name) {
            *count -= 1;
            if *count == 0 {
                self.escaped.remove(&*written);
            }
        }
    }
}

/// Takes one of at most `most`.
fn reserve(count: &AtomicUsize, most: usize) -> bool {
    let more = |count: usize| (count < most).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}
