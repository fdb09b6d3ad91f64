//! Work that may take its time, beside a thread that must stop at once.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Nobody waits longer.
const FAR: Duration = Duration::from_secs(86_400);

/// Do `work` on a thread of its own, which is left behind when `stop` is given: names that are looked up and
/// connections that are made cannot be called off. `None`: it was told to stop, or there is no thread. The work must
/// not call the host, for it may go on after the source has stopped.
pub fn unless_stopped<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    within(Duration::MAX, stop, Duration::ZERO, work)
}

/// Do `work` on a thread of its own, which is left behind when it takes longer than `patience`, or longer than
/// `at_stop` once `stop` is given: `None` then.
pub fn within<T: Send + 'static>(
    patience: Duration,
    stop: &Stop,
    at_stop: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = sync_channel(1);
    let thread = std::thread::Builder::new().name("source-beside".to_owned());
    thread.spawn(move || drop(done.send(work()))).ok()?;
    let far = Instant::now() + FAR;
    let mut until = Instant::now().checked_add(patience).map_or(far, |until| until.min(far));
    let mut is_stopped = false;
    loop {
        if stop.is_set() && !is_stopped {
            is_stopped = true;
            until = until.min(Instant::now() + at_stop);
        }
        let left = until.saturating_duration_since(Instant::now());
        match result.recv_timeout(left.min(LOOK)) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Timeout) if left > LOOK => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_work_or_with_the_stop() {
        let stop = Stop::new();
        assert_eq!(unless_stopped(&stop, || 3), Some(3));
        stop.signal();
        let begun = std::time::Instant::now();
        let never = unless_stopped(&stop, || std::thread::sleep(Duration::from_secs(5)));
        assert!(never.is_none() && begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn work_that_takes_too_long_is_left_behind() {
        let (stop, ms) = (Stop::new(), Duration::from_millis);
        let sleep = |time: Duration| move || std::thread::sleep(time);
        assert_eq!(within(ms(20_000), &stop, ms(1), || 3), Some(3));
        assert_eq!(within(ms(20), &stop, ms(1), sleep(ms(5000))), None);
        stop.signal();
        assert_eq!(within(ms(20_000), &stop, ms(20), sleep(ms(5000))), None);
        assert_eq!(within(ms(20_000), &stop, ms(4000), || 3), Some(3));
    }
}
