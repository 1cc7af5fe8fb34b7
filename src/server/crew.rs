//! Threads for work that may take long, so that the thread that talks to clients never waits for
//! it: a few, started when they are first needed, with a queue that has an end.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::clock;
use crate::sync::{Condvar, Mutex};
use crate::thread::Worker;

type Job = Box<dyn FnOnce() + Send>;

/// The threads and their queue. Dropping it lets them end when they are done, and does not wait.
pub(super) struct Crew {
    name: &'static str,
    most: usize,
    waiting: usize,
    desk: Arc<Desk>,
    workers: Mutex<Vec<Worker>>,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Crew {
    /// At most so many threads, and so many jobs that wait for one.
    pub(super) fn new(name: &'static str, most: usize, waiting: usize) -> Self {
        Self { name, most, waiting, desk: Arc::default(), workers: Mutex::default() }
    }

    /// Has the job done soon. Gives it back when too many wait already, or there is no thread for
    /// it and the system refuses one.
    pub(super) fn submit(&self, job: Job) -> Result<(), Job> {
        let mut workers = self.workers.lock();
        let mut state = self.desk.state.lock();
        if state.closed || state.jobs.len() >= self.waiting {
            return Err(job);
        }
        if state.jobs.len() >= state.idle && workers.len() < self.most {
            let desk = Arc::clone(&self.desk);
            match Worker::spawn(self.name, move |_| desk.work()) {
                Ok(worker) => workers.push(worker),
                Err(_) if workers.is_empty() => return Err(job),
                // Another will come to it.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.desk.changed.notify_one();
        Ok(())
    }

    /// Ends the threads and waits for them until then. Jobs that nobody has begun are dropped.
    pub(super) fn stop(&self, deadline: Instant) -> bool {
        self.close();
        let workers = std::mem::take(&mut *self.workers.lock());
        let left = || deadline.saturating_duration_since(clock::now());
        let mut all = true;
        workers.into_iter().for_each(|worker| all &= worker.join(left()));
        all
    }

    fn close(&self) {
        let mut state = self.desk.state.lock();
        state.closed = true;
        let unbegun = std::mem::take(&mut state.jobs);
        drop(state);
        // Without the lock: what a job holds may do anything as it goes.
        drop(unbegun);
        self.desk.changed.notify_all();
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Desk {
    fn work(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let Some(job) = state.jobs.pop_front() else {
                state.idle += 1;
                self.changed.wait(&mut state);
                state.idle -= 1;
                continue;
            };
            drop(state);
            // Whoever waits for the job learns of a panic by the answer that never comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
            state = self.state.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_queue_has_an_end_and_panics_end_one_job() {
        let crew = Crew::new("nissa-test", 1, 1);
        let (release, held) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        crew.submit(Box::new(move || {
            began.send(()).unwrap();
            let _ = held.recv();
            panic!("as the test wants it");
        }))
        .unwrap_or_else(|_| panic!("nobody waits yet"));
        begun.recv_timeout(SOON).unwrap();
        let (tell, told) = mpsc::channel();
        let second = tell.clone();
        assert!(crew.submit(Box::new(move || second.send(2).unwrap())).is_ok());
        assert!(crew.submit(Box::new(move || tell.send(3).unwrap())).is_err());
        drop(release);
        assert_eq!(told.recv_timeout(SOON), Ok(2));
        assert!(crew.stop(clock::after(SOON)));
        assert!(told.recv_timeout(SOON).is_err(), "the third was never begun");
        assert!(crew.submit(Box::new(|| ())).is_err());
    }

    #[test]
    fn two_jobs_run_at_once() {
        let crew = Crew::new("nissa-test", 2, 8);
        let (to_first, from_second) = mpsc::channel();
        let (to_second, from_first) = mpsc::channel();
        let (done, finished) = mpsc::channel();
        let also_done = done.clone();
        let first = move || {
            to_second.send(()).unwrap();
            from_second.recv_timeout(SOON).unwrap();
            done.send(()).unwrap();
        };
        let second = move || {
            to_first.send(()).unwrap();
            from_first.recv_timeout(SOON).unwrap();
            also_done.send(()).unwrap();
        };
        assert!(crew.submit(Box::new(first)).is_ok());
        assert!(crew.submit(Box::new(second)).is_ok());
        finished.recv_timeout(SOON).unwrap();
        finished.recv_timeout(SOON).unwrap();
    }
}
