//! Telling a source's threads to end, and waiting for them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::host::SourceThread;

/// A stop signal that threads wait on instead of sleeping, and the threads it ends.
///
/// Clones share the signal; only the one that was given threads by
/// [`Stop::guard`] joins them. When that one is dropped with threads that were
/// not joined, it gives the signal and joins them: a source whose `start` fails
/// half-way leaves no thread behind.
#[derive(Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
    threads: Vec<SourceThread>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), threads: Vec::new() }
    }
}

impl Stop {
    /// A signal not yet given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Join this thread in [`Stop::stop_and_join`].
    pub fn guard(&mut self, thread: SourceThread) {
        self.threads.push(thread);
    }

    /// Give the signal and wait for the guarded threads.
    pub fn stop_and_join(&mut self) {
        self.signal();
        for thread in self.threads.drain(..) {
            thread.join();
        }
    }

    /// Give the signal.
    pub fn signal(&self) {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_all();
    }

    /// Whether the signal was given.
    pub fn is_set(&self) -> bool {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for the signal, `timeout` at the most; whether it was given.
    pub fn wait(&self, timeout: Duration) -> bool {
        let stopped = self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.changed.wait_timeout_while(stopped, timeout, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wait for the signal, `timeout_s` seconds at the most; whether it was given.
    /// Anything below zero (or not a number) does not wait.
    pub fn wait_s(&self, timeout_s: f64) -> bool {
        self.wait(Duration::try_from_secs_f64(timeout_s).unwrap_or_default())
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.stop_and_join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_at_the_signal() {
        let stop = Stop::new();
        assert!(!stop.wait_s(0.0));
        assert!(!stop.wait_s(f64::NAN));
        let other = stop.clone();
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        stop.signal();
        assert!(thread.join().expect("no panic"));
        assert!(stop.is_set());
    }

    #[test]
    fn dropping_the_guard_ends_its_threads_and_dropping_a_clone_does_not() {
        let (sender, ended) = std::sync::mpsc::sync_channel(1);
        let mut stop = Stop::new();
        drop(stop.clone());
        let watched = stop.clone();
        assert!(!watched.is_set());
        let waiting = stop.clone();
        stop.guard(SourceThread::from(std::thread::spawn(move || {
            sender.send(waiting.wait(Duration::from_secs(60))).expect("there is room");
        })));
        drop(stop);
        assert!(watched.is_set());
        assert_eq!(ended.try_recv(), Ok(true), "it was joined");
    }

    #[test]
    fn a_guard_that_is_dropped_by_its_own_thread_does_not_wait_for_itself() {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Stop>(1);
        let thread = std::thread::spawn(move || drop(receiver.recv()));
        let mut stop = Stop::new();
        let watched = stop.clone();
        stop.guard(SourceThread::from(thread));
        sender.send(stop).expect("there is room");
        assert!(watched.wait(Duration::from_secs(60)));
    }
}
