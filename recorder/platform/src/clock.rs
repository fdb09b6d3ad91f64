//! The recorder's time base: the monotonic clock of this machine, which is also
//! what LSL's `local_clock()` reads.

/// Nanoseconds of the monotonic clock.
#[cfg(unix)]
pub fn monotonic_ns() -> i64 {
    read(nix::time::ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds of the UTC clock since 1970.
#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) fn realtime_ns() -> i64 {
    read(nix::time::ClockId::CLOCK_REALTIME)
}

#[cfg(unix)]
fn read(clock: nix::time::ClockId) -> i64 {
    #[allow(clippy::unnecessary_cast)] // the fields are 32 bits wide on some systems
    let ns = |t: nix::sys::time::TimeSpec| t.tv_sec() as i64 * 1_000_000_000 + t.tv_nsec() as i64;
    // These two clocks exist on every system this is built for, so the call cannot fail.
    clock.now().map_or(0, ns)
}

/// Nanoseconds of the performance counter.
#[cfg(windows)]
pub fn monotonic_ns() -> i64 {
    use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
    let (mut count, mut per_s) = (0i64, 0i64);
    // SAFETY: both only write the i64 they are given, and never fail since Windows XP.
    unsafe {
        QueryPerformanceCounter(&mut count);
        QueryPerformanceFrequency(&mut per_s);
    }
    (i128::from(count) * 1_000_000_000 / i128::from(per_s.max(1))) as i64
}

/// Seconds of the monotonic clock.
pub fn monotonic_s() -> f64 {
    seconds(monotonic_ns())
}

/// Nanoseconds as seconds, rounded once.
pub fn seconds(ns: i64) -> f64 {
    // Exact for |ns| < 2^53 (104 days of uptime); one rounding of 1 ns or less above.
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_advances_and_agrees_with_std() {
        let (first, std_first) = (monotonic_ns(), std::time::Instant::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (second, std_second) = (monotonic_ns(), std::time::Instant::now());
        let std_ns = (std_second - std_first).as_nanos() as i64;
        assert!((second - first) >= std_ns - 5_000_000, "both are read within a few milliseconds");
        assert!(second > first);
    }

    #[test]
    fn seconds_are_rounded_once() {
        assert_eq!(seconds(1_234_567_890_123_456), 1_234_567.890_123_456);
    }
}
