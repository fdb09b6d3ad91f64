//! The recorder's time base: the monotonic clock of this machine, the one that
//! LSL's `local_clock()` reads, which is C++'s `steady_clock`.

/// What `steady_clock` reads, and so LSL.
#[cfg(all(unix, not(target_os = "macos")))]
const STEADY: nix::time::ClockId = nix::time::ClockId::CLOCK_MONOTONIC;
/// What `steady_clock` reads, and so LSL.
#[cfg(target_os = "macos")]
const STEADY: nix::time::ClockId = nix::time::ClockId::from_raw(nix::libc::CLOCK_MONOTONIC_RAW);

/// Nanoseconds of the monotonic clock.
#[cfg(unix)]
pub fn monotonic_ns() -> i64 {
    read(STEADY)
}

/// Nanoseconds of the UTC clock since 1970.
#[cfg(target_os = "linux")]
fn realtime_ns() -> i64 {
    read(nix::time::ClockId::CLOCK_REALTIME)
}

/// Nanoseconds of the UTC clock since 1970.
#[cfg(not(target_os = "linux"))]
fn realtime_ns() -> i64 {
    let ns = |d: std::time::Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => ns(since),
        Err(before) => -ns(before.duration()),
    }
}

/// The monotonic and the UTC clock at one instant, in nanoseconds, as well as
/// two clocks can be read together.
pub fn monotonic_and_utc_ns() -> (i64, i64) {
    paired(monotonic_ns, realtime_ns)
}

/// Readings of one clock on both sides of the other's are at most this far
/// apart, unless the thread was interrupted between them.
const BRACKET_NS: i64 = 20_000;
/// Readings after the first one, for a better bracket.
const RETRIES: u32 = 3;

/// `inner` between two readings of `outer`, and the middle of these two. Of the
/// brackets that were too wide, the narrowest is taken.
fn paired(mut outer: impl FnMut() -> i64, mut inner: impl FnMut() -> i64) -> (i64, i64) {
    let mut narrowest = None;
    for _ in 0..=RETRIES {
        let (before, between, after) = (outer(), inner(), outer());
        let width = after.saturating_sub(before);
        if narrowest.is_none_or(|(least, _, _)| width < least) {
            narrowest = Some((width, before + width / 2, between));
        }
        if width <= BRACKET_NS {
            break;
        }
    }
    narrowest.map_or((0, 0), |(_, middle, between)| (middle, between))
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
    crate::seconds(monotonic_ns())
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
    fn clocks_are_paired_in_the_narrowest_bracket() {
        let pair = |outer: &[i64]| {
            let (mut outer, mut inner) = (outer.iter().copied(), 100..);
            let mut read = 0;
            let paired = paired(
                || {
                    read += 1;
                    outer.next().expect("no more readings than needed")
                },
                || inner.next().expect("endless"),
            );
            (paired, read)
        };
        assert_eq!(pair(&[1_000, 2_000]), ((1_500, 100), 2));
        // Interrupted once, then not.
        assert_eq!(pair(&[0, 90_000, 100_000, 100_010]), ((100_005, 101), 4));
        // Interrupted each time: the third is the narrowest of four.
        let busy = [0, 50_000, 100_000, 160_000, 200_000, 230_000, 300_000, 340_000];
        assert_eq!(pair(&busy), ((215_000, 102), 8));
    }
}
