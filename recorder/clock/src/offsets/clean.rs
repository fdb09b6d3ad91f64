//! Which offsets of a file are measurements, and when they were measured.

use crate::{History, Offset};

/// Mean time from the measurement of a cached offset to its being written, in seconds.
///
/// liblsl probes every 2 s: 8 probes 64 ms apart, evaluated 640 ms after the first. A value read at a
/// random time is thus 0.19 to 2.64 s old, 1.42 s in the mean, and the recorder needs a moment more.
pub(super) const STALENESS_S: f64 = 1.44;
/// Sigma of the mean staleness of one file. Reading every 5 s what changes every 2 s meets two phases
/// only, one second apart; how old they are together varies by a second, evenly, unless timers drift.
pub(super) const STALENESS_SIGMA_S: f64 = 0.29;
/// No clock of a lab is this far from another: not a measurement.
const LARGEST_S: f64 = 1e12;
/// Jumps above this are resets: nothing is continuous across.
pub(super) const RESET_S: f64 = 0.3;

/// The offsets that can be used.
#[derive(Debug, Clone, Default)]
pub(super) struct Clean {
    /// In order of host time, at the device time at which they were measured.
    pub offsets: Vec<Offset>,
    /// They were cached values, and their times are guessed.
    pub stale: bool,
    /// What was left out.
    pub remarks: Vec<String>,
}

/// Leave out what was not measured, and what was written twice.
pub(super) fn clean(history: &History) -> Clean {
    let mut remarks = Vec::new();
    let mut garbage = 0;
    let possible = |v: f64| v.is_finite() && v.abs() < LARGEST_S && (v == 0.0 || v.abs() > f64::MIN_POSITIVE);
    let mut offsets: Vec<Offset> = Vec::with_capacity(history.offsets.len());
    for offset in &history.offsets {
        let round_trip = offset.round_trip_s.is_none_or(|r| r.is_finite() && r.abs() < LARGEST_S);
        if possible(offset.offset_s) && possible(offset.device_time_s) && round_trip {
            offsets.push(*offset);
        } else {
            garbage += 1;
        }
    }
    garbage += keep_in_order(&mut offsets);
    garbage += drop_excursions(&mut offsets);
    if garbage > 0 {
        remarks.push(format!(
            "{garbage} of {} clock offsets are no measurements (not finite, out of order, or far from the \
             values on both sides) and were left out",
            history.offsets.len()
        ));
    }
    let before = offsets.len();
    // A clock that always is where it was is no clock of its own: repeats say nothing there.
    let repeated = |a: &Offset, b: &Offset| a.offset_s == b.offset_s;
    let repeats = offsets.windows(2).filter(|w| repeated(&w[0], &w[1])).count();
    let stale = history.stale_stamps || (looks_cached(&offsets, repeats));
    if stale {
        offsets.dedup_by(|b, a| repeated(a, b));
        for offset in &mut offsets {
            offset.device_time_s -= STALENESS_S;
        }
        remarks.push(format!(
            "the clock offsets are cached values whose age was not recorded (LabRecorder); {STALENESS_S} s were \
             taken off their times, and {} repeated values were left out",
            before - offsets.len()
        ));
    } else {
        offsets.dedup_by(|b, a| repeated(a, b) && a.device_time_s == b.device_time_s);
    }
    Clean { offsets, stale, remarks }
}

/// Repeated values at LabRecorder's 5 s: measured offsets are never equal to the last digit.
fn looks_cached(offsets: &[Offset], repeats: usize) -> bool {
    let n = offsets.len();
    if repeats < 2 || repeats * 200 < n || repeats * 2 > n {
        return false;
    }
    let mut gaps: Vec<f64> = offsets.windows(2).map(|w| host_s(&w[1]) - host_s(&w[0])).collect();
    (4.9..5.5).contains(&median(&mut gaps))
}

/// Host time at which an offset was written or measured.
pub(super) fn host_s(offset: &Offset) -> f64 {
    offset.device_time_s + offset.offset_s
}

/// Whatever the device's clock does, the host's runs on: keep the longest sequence that agrees.
fn keep_in_order(offsets: &mut Vec<Offset>) -> usize {
    let before = offsets.len();
    // Longest non-decreasing subsequence: ends[k] is the smallest end of one of length k + 1.
    let mut ends: Vec<usize> = Vec::new();
    let mut parent = vec![usize::MAX; before];
    let host: Vec<f64> = offsets.iter().map(host_s).collect();
    for i in 0..before {
        let k = ends.partition_point(|&e| host[e] <= host[i]);
        if k > 0 {
            parent[i] = ends[k - 1];
        }
        if k == ends.len() {
            ends.push(i);
        } else {
            ends[k] = i;
        }
    }
    let mut kept = vec![false; before];
    let mut at = ends.last().copied().unwrap_or(usize::MAX);
    while at != usize::MAX {
        kept[at] = true;
        at = parent[at];
    }
    let mut i = 0;
    offsets.retain(|_| {
        i += 1;
        kept[i - 1]
    });
    before - offsets.len()
}

/// By how much two offsets can differ without a reset between them.
pub(super) fn continuous(a: &Offset, b: &Offset) -> bool {
    let passed_s = host_s(b) - host_s(a);
    (b.offset_s - a.offset_s).abs() <= RESET_S + 1e-3 * passed_s.clamp(0.0, 600.0)
}

/// One or two values far from what is before and after them, which agree: what was written after a
/// time-out, not a reset.
fn drop_excursions(offsets: &mut Vec<Offset>) -> usize {
    let before = offsets.len();
    let mut kept: Vec<Offset> = Vec::with_capacity(before);
    let mut i = 0;
    while i < before {
        if let Some(last) = kept.last()
            && !continuous(last, &offsets[i])
            && let Some(back) = (i + 1..before.min(i + 3)).find(|&j| continuous(last, &offsets[j]))
        {
            i = back;
            continue;
        }
        kept.push(offsets[i]);
        i += 1;
    }
    // A first value that was never measured is 0.
    if kept.len() > 2 && kept[0].offset_s == 0.0 && !continuous(&kept[0], &kept[1]) {
        kept.remove(0);
    }
    *offsets = kept;
    before - offsets.len()
}

/// The middle one; NaN of none. Sorts.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => values[n / 2],
        _ => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}
