//! How files of `/proc` and `/sys` are read: held open, one `pread` each, nothing allocated.

mod beat;
mod held;
mod root;
pub(super) mod scan;
mod show;

pub(super) use beat::Beat;
pub(super) use held::{Buffer, HeldFile, SharedBuffer};
pub(super) use root::Root;
pub(super) use show::{made, show_counts, show_numbers};

use std::path::Path;
use std::time::Duration;

use crate::cells;
use crate::collect::Failures;
use crate::collect::facts::Facts;
use crate::registry::Registry;

/// What collectors of one thread have in common.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// Where `/proc` and `/sys` are.
    pub(super) root: &'p Path,
    pub(super) interval: Duration,
    pub(super) facts: &'p Facts,
    pub(super) buffer: &'p SharedBuffer,
}

/// The kernel tells times in hundredths of a second on every machine Rust runs on.
pub(super) const TICKS: f64 = 100.0;

/// What is shown of one file.
pub(super) trait Source: Send {
    /// Shows what the text says; what it does not say is cleared. False if nothing in it is
    /// understood.
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool;

    /// Takes everything out of the output.
    fn clear(&mut self);

    /// Says what of the text was left out for being too much.
    fn report_left_out(&mut self, _: &mut Failures) {}
}

/// A file and what is shown of it.
#[derive(Debug)]
pub(super) struct Watched<S: ?Sized> {
    name: &'static str,
    file: HeldFile,
    pub(super) source: S,
}

impl<S: Source + 'static> Watched<S> {
    pub(super) fn new(name: &'static str, file: HeldFile, source: S) -> Self {
        Self { name, file, source }
    }

    /// Reads and shows. What is not there, or not known to this kernel, is absent without being a
    /// failure.
    pub(super) fn collect(
        &mut self,
        buffer: &mut Buffer,
        registry: &Registry,
        failures: &mut Failures,
    ) {
        let any: &mut Watched<dyn Source> = self;
        any.read_and_show(buffer, registry, failures);
    }
}

impl Watched<dyn Source> {
    /// See [`Watched::collect`]. The same code for all of them, which is out of the caches each
    /// time.
    #[inline(never)]
    pub(super) fn read_and_show(
        &mut self,
        buffer: &mut Buffer,
        registry: &Registry,
        failures: &mut Failures,
    ) {
        // What is shown comes from memory while the kernel works.
        let source = std::ptr::from_ref(&self.source).cast::<u8>();
        for line in (0..size_of_val(&self.source)).step_by(64) {
            cells::prefetch(source.wrapping_add(line));
        }
        let understood = match self.file.read(buffer) {
            Ok(Some(text)) => self.source.show(text, registry),
            Ok(None) => return self.source.clear(),
            Err(error) => {
                failures.add(self.name, error);
                return self.source.clear();
            }
        };
        self.source.report_left_out(failures);
        if !understood {
            self.source.clear();
            failures.add(self.name, "nothing in it is understood");
        }
    }
}
