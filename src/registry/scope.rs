//! Which registry the macros on this thread record into.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::Registry;
use crate::cells;

thread_local! {
    /// Entered registries, innermost last.
    static ENTERED: RefCell<Vec<Registry>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, the macros on this thread record into one registry; see [`Registry::enter`].
///
/// Scopes nest, and must be left in the reverse order, as they are by going out of scope.
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct Scope {
    /// A scope is of the thread that entered it.
    not_send: PhantomData<*const ()>,
}

impl Scope {
    pub(super) fn enter(registry: Registry) -> Self {
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(registry));
        cells::set_scoped(true);
        Self { not_send: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Take it out first: dropping a registry runs code of its own.
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let left = entered.pop();
            (left, entered.is_empty())
        });
        if left.as_ref().is_ok_and(|(_, outermost)| *outermost) {
            cells::set_scoped(false);
        }
        drop(left);
    }
}

/// Calls `f` with the registry that the macros on this thread use. `None` from inside the making
/// of the global registry, as when the allocator counts what that allocates.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Registry) -> R) -> Option<R> {
    match entered() {
        Some(registry) => Some(f(&registry)),
        None => Registry::global_outside_gate().map(f),
    }
}

/// The registry this thread has entered, if any.
#[inline]
fn entered() -> Option<Registry> {
    if !cells::scoped() {
        return None;
    }
    // Taken while the list grows, if the allocator records.
    let innermost = |entered: &RefCell<Vec<Registry>>| entered.try_borrow().ok()?.last().cloned();
    ENTERED.try_with(innermost).ok().flatten()
}
