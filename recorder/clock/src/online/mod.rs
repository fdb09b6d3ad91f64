//! The causal map: what is known of a device clock now, for displays and live use.
//!
//! A Kalman filter that is given one wave (a burst of exchanges) at a time. How far a wave can be trusted
//! follows from the fastest delay seen so far, which the next wave may correct: the waves among the last 512
//! exchanges are therefore filtered again with each new one.

mod filter;
mod monotone;
#[cfg(test)]
mod tests;
mod wander;
mod wave;

use std::collections::VecDeque;

use self::filter::State;
pub use self::monotone::Monotone;
use self::wander::Wander;
use self::wave::{Delays, Offset, Wave};
use crate::{Estimate, Exchange, Reading};

/// Exchanges that are remembered.
const MEMORY: usize = 512;
/// Squared innovation, in units of its variance, above which a wave contradicts the prediction.
const CONTRADICTION: f64 = 25.0;
/// Waves in a row that contradict the prediction, and each other, before the last is believed.
const PATIENCE: usize = 4;
/// Sigma of the interval's ends: this part of the lowest tenth of the round trips' spread ...
const EDGE: f64 = 0.15;
/// ... and, over their number, this part of half the lowest.
const FEW: f64 = 1.5;
/// Offsets can't be resolved better than this: timer readings.
const FLOOR_S: f64 = 0.15e-6;

/// What happened between the last two waves.
#[derive(Debug, Clone, Copy)]
struct Event {
    at: Offset,
    waves_since: usize,
}

/// Map from device time to host time that is corrected with each wave of exchanges.
#[derive(Debug, Clone)]
pub struct OnlineMap {
    reading: Reading,
    resolution_s: f64,
    round_trips_s: VecDeque<f64>,
    delays: Delays,
    /// Before the oldest wave that is remembered.
    base: Option<State>,
    waves: VecDeque<Wave>,
    exchanges: usize,
    /// After the newest wave.
    state: Option<State>,
    wander: Wander,
    /// The intensity in use, s^2/s^3.
    q: f64,
    /// Waves that contradict the prediction and are not believed yet.
    held: Vec<Wave>,
    event: Option<Event>,
    backwards: usize,
}

impl OnlineMap {
    /// A map that knows nothing yet of a clock that is read like this.
    pub fn new(reading: Reading) -> Self {
        let resolution_s = Some(reading.resolution_s).filter(|r| (0.0..1.0).contains(r)).unwrap_or(0.0);
        Self {
            reading: Reading { resolution_s, ..reading },
            resolution_s,
            round_trips_s: VecDeque::with_capacity(MEMORY),
            delays: Delays::default(),
            base: None,
            waves: VecDeque::new(),
            exchanges: 0,
            state: None,
            wander: Wander::default(),
            q: Wander::default().q(),
            held: Vec::new(),
            event: None,
            backwards: 0,
        }
    }

    /// Host time of the newest wave that was used; `None` before the first.
    pub fn newest_s(&self) -> Option<f64> {
        self.state.map(|state| state.host_s)
    }

    /// Host time of a device time as predicted from the waves so far. Before the first wave it is the device
    /// time itself, with infinite errors.
    pub fn at(&self, device_time_s: f64) -> Estimate {
        let Some(state) = &self.state else {
            return Estimate {
                host_time_s: device_time_s,
                relative_s: f64::INFINITY,
                total_s: f64::INFINITY,
                bound_s: f64::INFINITY,
                flagged: false,
            };
        };
        let device_passed_s = device_time_s - (state.host_s - state.offset_s);
        // d offset / d device = f / (1 - f).
        let passed_s = device_passed_s / (1.0 - state.frequency);
        let host_time_s = device_time_s + (state.offset_s + passed_s * state.frequency);
        let end_point_s = 0.3 * self.delays.edge_s;
        let variance_s2 = state.at(state.host_s + passed_s, self.q).p.0.max(0.0);
        let relative_s = variance_s2.sqrt().hypot(end_point_s).hypot(FLOOR_S);
        let bound_s = self.delays.fastest_s + 0.5 * self.resolution_s;
        Estimate {
            host_time_s,
            relative_s,
            total_s: relative_s.hypot(crate::asymmetry::usual_sigma_s(bound_s, false, 0.0)),
            bound_s: bound_s + 4.0 * relative_s,
            flagged: !self.held.is_empty() || self.event.is_some_and(|e| e.waves_since < 2),
        }
    }

    /// Take in the exchanges of one wave, in any order. Those that can't be used are left out; a wave that is
    /// older than the last is too.
    pub fn push_wave(&mut self, exchanges: &[Exchange]) {
        let Some(wave) = Wave::new(exchanges, self.reading) else { return };
        if self.newest_s().is_some_and(|newest_s| wave.host_s <= newest_s) {
            self.backwards += 1;
            if self.backwards < 3 {
                return;
            }
            // The host's clock doesn't run backwards: the newest wave was wrong.
            *self = Self::new(self.reading);
        }
        self.backwards = 0;
        self.learn_delays(&wave);
        self.judge(&wave);
        self.filter_again();
        let Some(state) = self.state else {
            self.restart(State::before(&self.measured(&wave, 0.0)), wave);
            return;
        };
        let predicted = state.at(wave.host_s, self.q);
        let measured = self.measured(&wave, predicted.frequency);
        let innovation_s = measured.offset_s - predicted.offset_s;
        let s = predicted.p.0 + measured.variance_s2;
        let g = innovation_s * innovation_s / s;
        if let Some(event) = &mut self.event {
            event.waves_since += 1;
        }
        let margin_s = 5.0 * predicted.p.0.sqrt() + 20e-6 + self.resolution_s;
        let patience = self.held.len() + 1 < PATIENCE;
        let straddles = wave.straddles(predicted.frequency, self.resolution_s);
        if straddles && patience {
            self.hold(wave);
        } else if !straddles && wave.excluding(predicted.offset_s, predicted.frequency, margin_s) >= 2 {
            // Whatever the delays were, two exchanges say that the clock is elsewhere.
            self.accept(&predicted, measured, wave);
        } else if g > CONTRADICTION && innovation_s.abs() > 0.75 * measured.width_s {
            let confirmed = self.held.last().is_some_and(|held| {
                let held = self.measured(held, predicted.frequency);
                let apart_s = (measured.offset_s - held.offset_s).abs();
                let allowed_s = 3.0 * (measured.variance_s2 + held.variance_s2).sqrt()
                    + 1e-3 * (measured.host_s - held.host_s)
                    + 20e-6;
                apart_s < allowed_s
            });
            if confirmed || !patience {
                let before = self.held.last().map(|held| self.measured(held, predicted.frequency));
                if let (Some(at), true) = (before, confirmed) {
                    self.event = Some(Event { at, waves_since: 1 });
                }
                self.accept(&predicted, measured, wave);
            } else {
                self.hold(wave);
            }
        } else {
            self.held.clear();
            self.exchanges += wave.len();
            self.waves.push_back(wave);
            self.filter_again();
        }
    }

    fn measured(&self, wave: &Wave, frequency: f64) -> Offset {
        wave.offset(frequency, self.delays, self.resolution_s)
    }

    fn hold(&mut self, wave: Wave) {
        self.held.push(wave);
    }

    /// The clock was stepped, or a slew began or ended.
    fn accept(&mut self, predicted: &State, measured: Offset, wave: Wave) {
        let mut frequency = predicted.frequency;
        let mut uncertain = predicted.p.2.max((20e-6f64).powi(2));
        // The second in a row: what happened between the two is a frequency.
        if let Some(Event { at, waves_since: 1 }) = self.event {
            let passed_s = measured.host_s - at.host_s;
            let slope = (measured.offset_s - at.offset_s) / passed_s;
            let variance = (measured.variance_s2 + at.variance_s2) / (passed_s * passed_s);
            if slope.abs() < 1e-3 && (slope - frequency).abs() > 5.0 * variance.sqrt().max(4e-6) {
                frequency = slope;
                uncertain += variance;
            }
        }
        self.event = Some(Event { at: measured, waves_since: 0 });
        let base = State { frequency, p: (1.0, 0.0, uncertain), ..State::before(&measured) };
        self.restart(base, wave);
    }

    /// Nothing before this wave matters.
    fn restart(&mut self, base: State, wave: Wave) {
        self.held.clear();
        self.exchanges = wave.len();
        self.base = Some(base);
        self.waves.clear();
        self.waves.push_back(wave);
        self.filter_again();
    }

    fn learn_delays(&mut self, wave: &Wave) {
        self.round_trips_s.extend(wave.round_trips_s());
        while self.round_trips_s.len() > MEMORY {
            self.round_trips_s.pop_front();
        }
        let mut sorted: Vec<f64> = self.round_trips_s.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
        let (fastest_s, n) = (0.5 * at(0), sorted.len().max(1));
        // A sharp edge has many round trips just above the lowest; few round trips have not met the lowest.
        let edge_s = EDGE * (at(n / 10) - at(0));
        let edge_s = edge_s.hypot(FEW * fastest_s / n as f64);
        self.delays = Delays { fastest_s, edge_s };
    }

    /// The state after the remembered waves, for a wander.
    fn filtered(&self, base: State, q: f64) -> State {
        self.waves.iter().fold(base, |state, wave| self.step(state, wave, q))
    }

    fn step(&self, state: State, wave: &Wave, q: f64) -> State {
        let predicted = state.at(wave.host_s, q);
        predicted.with(&self.measured(wave, predicted.frequency))
    }

    /// Choose the wander that has predicted best, this wave included.
    fn judge(&mut self, wave: &Wave) {
        let Some(base) = self.base else { return };
        let mut wander = std::mem::take(&mut self.wander);
        wander.judge(|q| {
            let predicted = self.filtered(base, q).at(wave.host_s, q);
            let measured = self.measured(wave, predicted.frequency);
            (measured.offset_s - predicted.offset_s, predicted.p.0 + measured.variance_s2)
        });
        self.q = wander.q();
        self.wander = wander;
    }

    /// The remembered waves once more, with what is known of the delays now.
    fn filter_again(&mut self) {
        let Some(mut state) = self.base else { return };
        while self.exchanges > MEMORY
            && let Some(oldest) = self.waves.pop_front()
        {
            self.exchanges -= oldest.len();
            state = self.step(state, &oldest, self.q);
        }
        self.base = Some(state);
        self.state = Some(self.filtered(state, self.q));
    }
}
