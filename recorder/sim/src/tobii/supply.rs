//! What the device takes, and when it arrives: samples and changes of the digital input.

use std::collections::VecDeque;

use crate::rng::Draws;

use super::config::TrackerConfig;
use super::config_parts::Span;
use super::signals::{Signals, Values};
use super::time::{DeviceTime, Moment};

/// So far ahead is planned, in seconds of host time: a pause without an end must not be planned to its end.
const AHEAD_S: f64 = 1.0;

/// Something on its way.
#[derive(Debug, Clone)]
pub(super) struct OnWay<T> {
    pub(super) item: T,
    pub(super) moment: Moment,
    pub(super) arrival_s: f64,
    pub(super) lost: bool,
}

/// Samples by number, as they come off the eyes.
pub(super) type Taken = (u64, Values);
/// Changes of the digital input by number, with the new value.
pub(super) type Changed = (u64, u32);

/// Both kinds of things on their way, in order.
#[derive(Debug)]
pub(super) struct Supply {
    signals: Signals,
    draws: Draws,
    next_sample: u64,
    next_change: u64,
    last_arrival_s: f64,
    pub(super) samples: VecDeque<OnWay<Taken>>,
    pub(super) changes: VecDeque<OnWay<Changed>>,
}

impl Supply {
    pub(super) fn new(config: &TrackerConfig) -> Self {
        Self {
            signals: Signals::new(config.frequency_hz, config.seed),
            draws: Draws::new(config.seed, "tobii/samples"),
            next_sample: 0,
            next_change: 1,
            last_arrival_s: f64::NEG_INFINITY,
            samples: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    /// Plans what is taken up to `host_s`, and after that so much that the next arrival is known,
    /// unless that is long after.
    pub(super) fn plan(&mut self, config: &TrackerConfig, time: &DeviceTime, host_s: f64) {
        loop {
            let planned_s = self.samples.back().map_or(f64::NEG_INFINITY, |last| last.moment.host_s);
            let next = time.at_oscillator(self.next_sample as f64 / config.frequency_hz);
            if planned_s > host_s || next.host_s > host_s + AHEAD_S {
                break;
            }
            self.plan_group(config, time);
        }
        let interval_s = config.sync_port.interval_s;
        while interval_s > 0.0 && self.changes.back().is_none_or(|last| last.moment.host_s <= host_s) {
            let moment = time.at_oscillator(self.next_change as f64 * interval_s);
            let arrival_s = moment.host_s + config.usb.samples.draw_s(&mut self.draws);
            // Another value each time, though not all bits of it.
            let item = (self.next_change, ((self.next_change * 0x35) & 0xff) as u32);
            self.changes.push_back(OnWay { item, moment, arrival_s, lost: false });
            self.next_change += 1;
        }
    }

    /// When the next thing arrives that is known of.
    pub(super) fn next_arrival_s(&self) -> Option<f64> {
        let sample = self.samples.front().map(|next| next.arrival_s);
        let change = self.changes.front().map(|next| next.arrival_s);
        match (sample, change) {
            (Some(sample), Some(change)) => Some(sample.min(change)),
            (one, None) => one,
            (None, one) => one,
        }
    }

    /// One group of samples, which arrive together when the last of them is through.
    fn plan_group(&mut self, config: &TrackerConfig, time: &DeviceTime) {
        let begin = self.samples.len();
        let holds = |spans: &[Span], at_s: f64| spans.iter().any(|span| span.holds(at_s));
        for _ in 0..config.burst {
            let index = self.next_sample;
            self.next_sample += 1;
            let moment = time.at_oscillator(index as f64 / config.frequency_hz);
            let delay_s = config.usb.samples.draw_s(&mut self.draws);
            let lost = self.draws.chance(config.sample_loss);
            let elapsed_s = time.elapsed_s(moment.host_s);
            if holds(&config.paused, elapsed_s) {
                continue;
            }
            let nobody = holds(&config.away, elapsed_s);
            let values = if nobody { Values::default() } else { self.signals.values(index) };
            // The cable keeps the order.
            self.last_arrival_s = self.last_arrival_s.max(moment.host_s + delay_s);
            let arrival_s = self.last_arrival_s;
            self.samples.push_back(OnWay { item: (index, values), moment, arrival_s, lost });
        }
        for sample in self.samples.range_mut(begin..) {
            sample.arrival_s = self.last_arrival_s;
        }
    }
}

/// Takes the first of `queue` if it has arrived by `host_s`.
pub(super) fn pop_arrived<T>(queue: &mut VecDeque<OnWay<T>>, host_s: f64) -> Option<OnWay<T>> {
    queue.pop_front_if(|next| next.arrival_s <= host_s)
}
