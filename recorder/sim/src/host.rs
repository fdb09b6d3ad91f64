//! The one place where the simulator reads the real clock of the host.

use std::time::Duration;

use tokio::time::Instant;

/// Host time now: CLOCK_MONOTONIC in seconds, the recorder's time base.
pub(crate) fn now_s() -> f64 {
    lockstep_platform::monotonic_s()
}

/// The timer deadline that belongs to the host time `host_s`; a past time is due at once.
///
/// The timer has a granularity of one millisecond, so it wakes up to about that much late, never
/// early by more than the rounding of `f64`.
pub(crate) fn deadline(host_s: f64) -> Instant {
    /// Far enough away for a device that has nothing to do; it is woken by other events.
    const LONGEST_WAIT_S: f64 = 3600.0;
    let wait_s = (host_s - now_s()).clamp(0.0, LONGEST_WAIT_S);
    Instant::now() + Duration::from_secs_f64(wait_s)
}
