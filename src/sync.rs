//! The one switch between the real primitives and loom's models of them.
//!
//! Nobody else names an atomic or a lock, but for what `tests/layering.rs` lists. Under
//! `--cfg nissa_loom` only `sync`, `error`, `buckets` and most of `cells` are built, because the rest of the crate keeps its state in statics that loom cannot rewind.

#[cfg(not(nissa_loom))]
mod primitive {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    };

    #[allow(unused_imports, reason = "threads of our own, which a feature brings, wait by it")]
    pub(crate) use parking_lot::{Condvar, MutexGuard};
    pub(crate) use parking_lot::{Mutex, RwLock};
}

#[cfg(nissa_loom)]
mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};

    /// `loom::sync::Mutex` without poisoning, so that both arms have one signature.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }
}

pub(crate) use primitive::*;
pub(crate) use std::sync::atomic::Ordering;
