//! When to measure a device clock: bursts of exchanges, dense at the start,
//! then at an interval, and one more at the stop.

use std::time::{Duration, Instant};

use crate::clock::{Clock, Exchange};
use crate::error::Error;
use crate::host::{Host, LogLevel};
use crate::stop::Stop;

/// How often a clock is to be measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeSettings {
    /// Seconds between the starts of two bursts.
    pub interval_s: f64,
    /// Exchanges in a burst.
    pub probes_per_burst: u32,
}

impl Default for ProbeSettings {
    /// 8 exchanges every 5 s, as LSL's clients measure.
    fn default() -> Self {
        Self { interval_s: 5.0, probes_per_burst: 8 }
    }
}

/// Times of the first bursts, in seconds after the start: a short recording
/// gets enough of them, and a drift shows early.
const FIRST_BURSTS_S: [f64; 5] = [0.0, 1.0, 2.0, 5.0, 10.0];

/// Seconds between two exchanges of a burst, before dither (LSL's wave spacing).
const SPACING_S: f64 = 0.064;

/// The times of bursts and exchanges, as pure arithmetic.
///
/// The gaps between exchanges are dithered by a quarter either way along a
/// golden-ratio sequence, so that a device clock that counts in coarse steps is
/// read at ever new phases of its step, and a periodic delay is not always met
/// at the same point.
#[derive(Debug, Clone)]
pub struct ProbeSchedule {
    settings: ProbeSettings,
    next_burst_s: f64,
    /// Where the dense bursts are counted from.
    dense_from_s: f64,
    dither: f64,
}

impl ProbeSchedule {
    /// A schedule that starts at 0 s. Intervals below 0.1 s are taken as 0.1 s,
    /// bursts of no exchange as bursts of one.
    pub fn new(settings: ProbeSettings) -> Self {
        let interval_s = if settings.interval_s.is_finite() { settings.interval_s.max(0.1) } else { 5.0 };
        let settings = ProbeSettings { interval_s, probes_per_burst: settings.probes_per_burst.max(1) };
        Self { settings, next_burst_s: 0.0, dense_from_s: 0.0, dither: 0.0 }
    }

    /// Exchanges in each burst.
    pub fn probes_per_burst(&self) -> u32 {
        self.settings.probes_per_burst
    }

    /// When the next burst is due, in seconds after the start.
    pub fn next_burst_s(&self) -> f64 {
        self.next_burst_s
    }

    /// A burst has begun `elapsed_s` seconds after the start: plan the next one.
    /// Bursts that were missed meanwhile are not made up for.
    pub fn burst_begun(&mut self, elapsed_s: f64) {
        let from = elapsed_s.max(self.next_burst_s);
        let regular = from + self.settings.interval_s;
        let early = FIRST_BURSTS_S.into_iter().map(|t| self.dense_from_s + t).find(|&t| t > from);
        self.next_burst_s = early.map_or(regular, |t| t.min(regular));
    }

    /// The clock starts anew `elapsed_s` seconds after the start (the device was
    /// restarted, or its clock jumped): a burst is due now, and those that follow
    /// are as dense as at the start. For a plugin that runs its own loop.
    pub fn restart(&mut self, elapsed_s: f64) {
        if elapsed_s.is_finite() {
            (self.next_burst_s, self.dense_from_s) = (elapsed_s, elapsed_s);
        }
    }

    /// Seconds to wait before the next exchange of the running burst.
    pub fn gap_s(&mut self) -> f64 {
        const GOLDEN: f64 = 0.618_033_988_749_894_8;
        self.dither = (self.dither + GOLDEN).fract();
        let widest = 0.8 * self.settings.interval_s / f64::from(self.settings.probes_per_burst);
        SPACING_S.min(widest) * (0.75 + 0.5 * self.dither)
    }
}

/// Longest wait for one answer. With [`LAST_BURST`] it stays below the half
/// second in which a source has to stop.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);
/// The same, in the burst at the stop, which has to be quick.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_millis(60);
/// Longest time for the burst at the stop as a whole.
const LAST_BURST: Duration = Duration::from_millis(200);
/// Gap between exchanges of the burst at the stop.
const LAST_GAP: Duration = Duration::from_millis(6);
/// Say so when this many bursts in a row brought nothing.
const SILENT_BURSTS: u32 = 2;

/// Measure `clock` until `stop`: the loop of a thread that does nothing else.
///
/// `exchange` asks the device and waits for the answer no longer than the given
/// time; it gives what was measured: an `Option`, or a `Vec` where it asks more
/// than once (a device that has just answered is awake and answers sooner). When `stop` is given while it waits,
/// it does well to return soon: the time until the source has stopped is then
/// spent on a last burst, of 200 ms at the most. Each burst is pushed when it is
/// complete. An error of `exchange` ends one burst, not the loop: it is logged
/// once until exchanges work again.
///
/// # Errors
/// Those of pushing: the source was stopped, or the clock is not the host's.
pub fn probe_until_stopped<E: IntoIterator<Item = Exchange>>(
    host: Host,
    clock: &Clock,
    stop: &Stop,
    mut exchange: impl FnMut(Duration) -> Result<E, Error>,
) -> Result<(), Error> {
    let mut schedule = ProbeSchedule::new(host.probe_settings());
    let started_s = host.now_s();
    let mut burst = Vec::new();
    let mut silent_bursts = 0;
    while !stop.wait_s(started_s + schedule.next_burst_s() - host.now_s()) {
        schedule.burst_begun(host.now_s() - started_s);
        let mut failure = None;
        for probe in 0..schedule.probes_per_burst() {
            if probe > 0 && stop.wait_s(schedule.gap_s()) {
                break;
            }
            match exchange(ANSWER_TIMEOUT) {
                Ok(answer) => burst.extend(answer),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        silent_bursts = if burst.is_empty() { silent_bursts + 1 } else { 0 };
        if silent_bursts == SILENT_BURSTS {
            let why = failure.map_or_else(|| "no answer".to_owned(), |e| e.to_string());
            host.log(LogLevel::Warn, &format!("clock exchanges bring nothing: {why}"));
        }
        flush(clock, &mut burst)?;
    }
    let begun = Instant::now();
    last_burst(schedule.probes_per_burst(), || begun.elapsed(), std::thread::sleep, exchange, &mut burst);
    flush(clock, &mut burst)
}

/// As many of `probes` exchanges as there is time for before the source must
/// have stopped. `elapsed` counts from the call; `pause` waits.
fn last_burst<E: IntoIterator<Item = Exchange>>(
    probes: u32,
    elapsed: impl Fn() -> Duration,
    mut pause: impl FnMut(Duration),
    mut exchange: impl FnMut(Duration) -> Result<E, Error>,
    burst: &mut Vec<Exchange>,
) {
    for probe in 0..probes {
        if probe > 0 {
            pause(LAST_GAP.min(LAST_BURST.saturating_sub(elapsed())));
        }
        let left = LAST_BURST.saturating_sub(elapsed());
        if left.is_zero() {
            return;
        }
        let before = burst.len();
        burst.extend(exchange(LAST_ANSWER_TIMEOUT.min(left)).into_iter().flatten());
        if burst.len() == before {
            return;
        }
    }
}

fn flush(clock: &Clock, burst: &mut Vec<Exchange>) -> Result<(), Error> {
    if !burst.is_empty() {
        // A burst for which there was no room is counted by the recorder.
        let _ = clock.push_exchanges(burst)?;
        burst.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bursts(settings: ProbeSettings, count: usize) -> Vec<f64> {
        let mut schedule = ProbeSchedule::new(settings);
        (0..count)
            .map(|_| {
                let at = schedule.next_burst_s();
                schedule.burst_begun(at);
                at
            })
            .collect()
    }

    #[test]
    fn the_first_bursts_are_dense_and_then_regular() {
        let settings = ProbeSettings { interval_s: 60.0, probes_per_burst: 4 };
        assert_eq!(bursts(settings, 8), [0.0, 1.0, 2.0, 5.0, 10.0, 70.0, 130.0, 190.0]);
        let settings = ProbeSettings { interval_s: 2.0, probes_per_burst: 8 };
        assert_eq!(bursts(settings, 8), [0.0, 1.0, 2.0, 4.0, 5.0, 7.0, 9.0, 10.0]);
    }

    #[test]
    fn missed_bursts_are_not_made_up_for() {
        let mut schedule = ProbeSchedule::new(ProbeSettings::default());
        schedule.burst_begun(1000.3);
        assert_eq!(schedule.next_burst_s(), 1005.3);
    }

    #[test]
    fn a_restart_makes_bursts_dense_again() {
        let mut schedule = ProbeSchedule::new(ProbeSettings { interval_s: 60.0, probes_per_burst: 4 });
        for _ in 0..6 {
            schedule.burst_begun(schedule.next_burst_s());
        }
        schedule.restart(100.5);
        let mut due = Vec::new();
        for _ in 0..7 {
            due.push(schedule.next_burst_s());
            schedule.burst_begun(schedule.next_burst_s());
        }
        assert_eq!(due, [100.5, 101.5, 102.5, 105.5, 110.5, 170.5, 230.5]);
        schedule.restart(f64::NAN);
        assert_eq!(schedule.next_burst_s(), 290.5);
    }

    /// How long the last burst takes and what it brings, when each answer takes `round_trip`.
    fn last(probes: u32, round_trip: Duration) -> (Duration, usize) {
        let (now, mut burst) = (std::cell::Cell::new(Duration::ZERO), Vec::new());
        let answer = Exchange { t0_s: 0.0, t1_s: 0.0, t2_s: 0.0, t3_s: 0.0 };
        let exchange = |timeout: Duration| {
            now.set(now.get() + round_trip.min(timeout));
            Ok((round_trip <= timeout).then_some(answer))
        };
        last_burst(probes, || now.get(), |pause| now.set(now.get() + pause), exchange, &mut burst);
        (now.get(), burst.len())
    }

    #[test]
    fn the_last_burst_has_as_many_exchanges_as_there_is_time_for() {
        let ms = Duration::from_millis;
        assert_eq!(last(8, ms(1)), (ms(8 + 7 * 6), 8));
        assert_eq!(last(8, ms(50)), (ms(200), 3));
        assert_eq!(last(8, ms(61)), (ms(60), 0), "it does not answer: no more questions");
    }

    proptest! {
        #[test]
        fn the_last_burst_never_takes_longer_than_it_may(probes in 0u32..10_000, round_trip_us in 0u64..300_000) {
            let (took, answers) = last(probes, Duration::from_micros(round_trip_us));
            prop_assert!(took <= LAST_BURST);
            prop_assert!(answers <= probes as usize);
        }

        #[test]
        fn bursts_never_overlap_and_gaps_are_dithered(interval_s in 0.0f64..100.0, probes in 0u32..64) {
            let mut schedule =
                ProbeSchedule::new(ProbeSettings { interval_s, probes_per_burst: probes });
            let gaps: Vec<f64> = (1..schedule.probes_per_burst()).map(|_| schedule.gap_s()).collect();
            prop_assert!(gaps.iter().sum::<f64>() < interval_s.max(0.1));
            prop_assert!(gaps.windows(2).all(|w| w[0] != w[1]));
            prop_assert!(gaps.iter().all(|&g| g > 0.0 && g <= 0.08));
        }
    }
}
