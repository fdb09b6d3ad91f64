//! Work that may take its time, beside a thread that must stop at once.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

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

/// Do `work` on a thread of its own, which is left behind when it takes longer than `patience`: `None` then.
pub fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = sync_channel(1);
    let thread = std::thread::Builder::new().name("neon-connect".to_owned());
    thread.spawn(move || drop(done.send(work()))).ok()?;
    result.recv_timeout(patience).ok()
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
}
