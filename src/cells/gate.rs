//! The gate before every slow path: what may lock or allocate passes through here.
//!
//! It keeps instrumentation from eating its own tail. An allocator that counts its calls is
//! called by the very table that grows to hold its counter; letting that inner call in would
//! deadlock or recurse. And the child of a `fork` inherits every lock in the state it had at that
//! instant, held by threads the child does not have.

use std::cell::Cell;

use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// How many threads are inside. A child forked while it is zero inherits no lock that is held.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Set in a child forked while a thread was inside: no lock may be waited for ever again.
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// How often the process this is was forked from the one that loaded the library.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Proof that this thread may lock and allocate.
#[derive(Debug)]
pub(crate) struct Gate {
    was_busy: bool,
}

/// Enters a slow path, unless this thread is in one already or the process was forked in the
/// middle of one.
pub(crate) fn enter() -> Option<Gate> {
    if is_busy() { None } else { enter_nested() }
}

/// Whether this thread is inside.
pub(crate) fn is_busy() -> bool {
    BUSY.get()
}

/// Enters from a destructor, which may run inside a slow path: only a fork forbids it.
pub(crate) fn enter_nested() -> Option<Gate> {
    fork::watch();
    if abandoned() {
        return None;
    }
    INSIDE.fetch_add(1, Ordering::SeqCst);
    Some(Gate { was_busy: BUSY.replace(true) })
}

/// Whether this process was forked from one whose locks may be stuck, so that it can only go on
/// with the series it has.
pub(crate) fn abandoned() -> bool {
    ABANDONED.load(Ordering::Relaxed)
}

/// Which process this is: another number in a child than in its parent. A child forked before
/// anybody passed the gate has the parent's.
#[allow(dead_code, reason = "the collectors ask, which a feature brings")]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

impl Drop for Gate {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        BUSY.set(self.was_busy);
    }
}

#[cfg(all(unix, not(miri)))]
mod fork {
    use std::ffi::c_int;
    use std::sync::Once;

    use super::{ABANDONED, FORKS, INSIDE};
    use crate::sync::Ordering;

    type Handler = Option<extern "C" fn()>;

    // SAFETY: POSIX's signature; every libc that std links has it.
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }

    /// Runs in the child before `fork` returns; may only do what a signal handler may.
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        if INSIDE.load(Ordering::SeqCst) > 0 {
            ABANDONED.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn watch() {
        static ONCE: Once = Once::new();
        // SAFETY: the handler is a plain function that lives as long as the program.
        ONCE.call_once(|| unsafe {
            pthread_atfork(None, None, Some(in_child));
        });
    }
}

#[cfg(not(all(unix, not(miri))))]
mod fork {
    /// There is no `fork` here.
    pub(super) fn watch() {}
}
