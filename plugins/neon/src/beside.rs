//! Work that may take its time, beside a thread that must stop at once.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use lockstep_plugin_api::Stop;

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Do `work` on a thread of its own, which is left behind when `stop` is given: names that are looked up and
/// connections that are made cannot be called off.
///
/// # Errors
/// Those of the work; that it was told to stop; that there is no thread.
pub fn unless_stopped<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (done, result) = sync_channel(1);
    let thread = std::thread::Builder::new().name("neon-connect".to_owned());
    // Nobody listens any more when it was told to stop.
    thread.spawn(move || drop(done.send(work()))).map_err(|error| error.to_string())?;
    loop {
        match result.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if !stop.is_set() => {}
            Err(_) => return Err("it was told to stop".to_owned()),
        }
    }
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
    let thread = std::thread::Builder::new().name("neon-connect".to_owned());
    thread.spawn(move || drop(done.send(work()))).ok()?;
    let mut until = Instant::now() + patience;
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
        assert_eq!(unless_stopped(&stop, || Ok(3)), Ok(3));
        stop.signal();
        let begun = std::time::Instant::now();
        let never = unless_stopped::<()>(&stop, || {
            std::thread::sleep(Duration::from_secs(5));
            Ok(())
        });
        assert!(never.is_err() && begun.elapsed() < Duration::from_secs(3));
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
