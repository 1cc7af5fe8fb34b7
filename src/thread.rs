//! Threads of our own: named, deaf to signals, stopped by a deadline.
//!
//! The one place that makes threads. A thread that the host's signals could interrupt would run
//! the host's handlers on a stack it knows nothing of, so all signals but those of a fault are
//! blocked before the thread exists. Nobody waits for a thread without a limit: one that does not
//! end in time is left behind and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::Error;
use crate::notice::{self, Notice};
use crate::sync::{Condvar, Mutex};

/// A running thread. Dropping it asks the thread to stop, and waits for nothing.
#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// A forked child has the handle and not the thread.
    process: u32,
}

/// What a thread waits with.
#[derive(Debug)]
pub(crate) struct Pause(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Written by the owner: the thread should end.
    stop: bool,
    /// Written by the owner: the thread should look for work now.
    nudged: bool,
    /// Written by the thread, last of all.
    ended: bool,
}

impl Worker {
    /// Starts a thread. It should return soon after its [`Pause`] says so.
    pub(crate) fn spawn(
        name: &'static str,
        body: impl FnOnce(&Pause) + Send + 'static,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let ends = Ends(Arc::clone(&shared), name);
        let run = move || {
            let pause = Pause(Arc::clone(&ends.0));
            if catch_unwind(AssertUnwindSafe(|| body(&pause))).is_err() {
                notice::process().count(Notice::ThreadPanicked, ends.1);
            }
        };
        let _mask = signals::block();
        let thread = Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::thread(name).because(error))?;
        Ok(Self { name, thread: Some(thread), shared, process: std::process::id() })
    }

    /// Asks the thread to stop, and does not wait.
    pub(crate) fn ask_stop(&self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_all();
    }

    /// Cuts the thread's present [`Pause::until`] short.
    #[allow(dead_code, reason = "depends on the features which stages need it")]
    pub(crate) fn nudge(&self) {
        self.shared.state.lock().nudged = true;
        self.shared.changed.notify_all();
    }

    /// Asks the thread to stop and waits until it has, at most this long. False if it has not: it
    /// is left to itself, and counted.
    pub(crate) fn join(mut self, limit: Duration) -> bool {
        self.ask_stop();
        let Some(thread) = self.thread.take() else { return true };
        let here = std::process::id() == self.process;
        // A stage may be dropped by the thread it runs on.
        if !here || thread.thread().id() == std::thread::current().id() {
            return true;
        }
        let deadline = clock::after(limit);
        let mut state = self.shared.state.lock();
        while !state.ended {
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() && !state.ended {
                notice::process().count(Notice::ThreadDetached, self.name);
                return false;
            }
        }
        drop(state);
        // Only destructors of thread-locals are left, which are ours.
        let _ = thread.join();
        true
    }

    /// Whether the thread is still at work.
    #[allow(dead_code, reason = "depends on the features which stages need it")]
    pub(crate) fn is_running(&self) -> bool {
        self.process == std::process::id() && !self.shared.state.lock().ended
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Locks may be stuck in a forked child.
        if self.process == std::process::id() {
            self.ask_stop();
        }
    }
}

impl Pause {
    /// Waits until then, or until nudged. True, and at once, if the thread is to stop.
    pub(crate) fn until(&self, deadline: Instant) -> bool {
        let mut state = self.0.state.lock();
        while !state.stop && !state.nudged {
            if self.0.changed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.nudged = false;
        state.stop
    }

    /// Whether the thread is to stop.
    #[allow(dead_code, reason = "depends on the features which stages need it")]
    pub(crate) fn stopped(&self) -> bool {
        self.0.state.lock().stop
    }
}

/// Says that a thread has ended, however it did.
struct Ends(Arc<Shared>, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(unix)]
mod signals {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    /// Gives the caller its mask back when dropped.
    pub(super) struct Mask(Option<SigSet>);

    /// Blocks signals in this thread, and so in threads it makes meanwhile.
    pub(super) fn block() -> Mask {
        // What a fault raises cannot wait, and profilers sample by SIGPROF.
        const KEPT: [Signal; 7] = [
            Signal::SIGABRT,
            Signal::SIGBUS,
            Signal::SIGFPE,
            Signal::SIGILL,
            Signal::SIGPROF,
            Signal::SIGSEGV,
            Signal::SIGTRAP,
        ];
        let mut blocked = SigSet::all();
        KEPT.into_iter().for_each(|signal| blocked.remove(signal));
        Mask(blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }

    impl Drop for Mask {
        fn drop(&mut self) {
            if let Some(before) = &self.0 {
                let _ = before.thread_set_mask();
            }
        }
    }
}

#[cfg(not(unix))]
mod signals {
    pub(super) struct Mask;

    pub(super) fn block() -> Mask {
        Mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn never() -> Instant {
        clock::now() + Duration::from_secs(3600)
    }

    #[test]
    fn a_thread_stops_when_asked() {
        let worker = Worker::spawn("nissa-test", |pause| assert!(pause.until(never()))).unwrap();
        assert!(worker.is_running());
        assert!(worker.join(SOON));
    }

    #[test]
    fn a_nudge_ends_one_pause() {
        let (woken, awake) = std::sync::mpsc::channel();
        let worker = Worker::spawn("nissa-test", move |pause| {
            assert!(!pause.until(never()));
            woken.send(()).unwrap();
            assert!(pause.until(never()));
        });
        let worker = worker.unwrap();
        worker.nudge();
        awake.recv_timeout(SOON).unwrap();
        assert!(worker.join(SOON));
    }

    #[test]
    fn a_thread_that_will_not_end_is_left_behind() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let worker = Worker::spawn("nissa-test", move |_| _ = held.recv()).unwrap();
        let before = notice::process().get(Notice::ThreadDetached);
        assert!(!worker.join(Duration::ZERO));
        assert_eq!(notice::process().get(Notice::ThreadDetached), before + 1);
        drop(release);
    }

    #[test]
    fn a_panic_ends_the_thread_and_is_counted() {
        let before = notice::process().get(Notice::ThreadPanicked);
        let worker = Worker::spawn("nissa-test", |_| panic!("as the test wants it")).unwrap();
        assert!(worker.join(SOON));
        assert_eq!(notice::process().get(Notice::ThreadPanicked), before + 1);
    }

    #[cfg(unix)]
    #[test]
    fn signals_are_blocked_there_and_not_here() {
        use nix::sys::signal::{SigSet, Signal};

        let before = SigSet::thread_get_mask().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let worker = Worker::spawn("nissa-test", move |_| {
            tell.send(SigSet::thread_get_mask().unwrap()).unwrap();
        });
        let mask = told.recv_timeout(SOON).unwrap();
        assert!(mask.contains(Signal::SIGTERM) && mask.contains(Signal::SIGUSR1));
        assert!(!mask.contains(Signal::SIGSEGV));
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
        assert!(worker.unwrap().join(SOON));
    }
}
