//! A time stamp in seconds for every sample of a batch.

use std::sync::{Mutex, PoisonError};

use crate::decode::Batch;
use crate::layout::{Plan, StampPlan};
use crate::options::{ClockKind, Stamped};
use crate::stamp::{JumpWatch, Timeline};

/// Stamps batches.
#[derive(Debug)]
pub struct Placing {
    stamp: Option<StampPlan>,
    rate_hz: f64,
    watch: JumpWatch,
    /// The sender started anew: look whether its clock did too.
    sender_restarted: bool,
    /// Last stamp given, in arrival time.
    last_s: f64,
}

impl Placing {
    /// For this plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            stamp: plan.stamp,
            rate_hz: plan.stream.nominal_rate_hz,
            watch: JumpWatch::default(),
            sender_restarted: false,
            last_s: f64::NEG_INFINITY,
        }
    }

    /// The sender started anew; its clock may have, or not.
    pub fn sender_restarted(&mut self) {
        self.sender_restarted = true;
    }

    /// Give `stamps_s` a stamp for each sample of `batch`. When the device's clock started a new
    /// time line with it, the reason.
    pub fn place(
        &mut self,
        batch: &Batch,
        arrival_ns: i64,
        line: &Mutex<Timeline>,
        stamps_s: &mut Vec<f64>,
    ) -> Option<String> {
        stamps_s.clear();
        let Some(plan) = self.stamp else {
            self.by_arrival(batch, arrival_ns, stamps_s);
            return None;
        };
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        self.by_field(plan, batch, arrival_ns, &mut line, stamps_s);
        let (&first_s, &last_s) = stamps_s.first().zip(stamps_s.last())?;
        if plan.clock == ClockKind::Monotonic {
            return None;
        }
        let reason = if std::mem::take(&mut self.sender_restarted) {
            let restarted = self.watch.restarted(first_s, arrival_ns);
            self.watch.forget(line.epoch());
            restarted.then(|| "the sender started anew, and its clock with it".to_owned())
        } else {
            let jump_s = self.watch.check(first_s, last_s, arrival_ns, line.epoch());
            jump_s.map(|jump_s| format!("the device's clock jumped by {jump_s:+.3} s"))
        };
        if reason.is_some() {
            line.restart();
            stamps_s.clear();
            self.by_field(plan, batch, arrival_ns, &mut line, stamps_s);
            self.watch.forget(line.epoch());
        }
        if let Some((&first_s, &last_s)) = stamps_s.first().zip(stamps_s.last()) {
            self.watch.see(first_s.max(last_s), arrival_ns);
        }
        reason
    }

    /// The last sample of a datagram when it arrived, those before it spaced by the rate. Stamps of
    /// one stream may not go back, so where that would lead behind the last stamp, it stays there.
    fn by_arrival(&mut self, batch: &Batch, arrival_ns: i64, stamps_s: &mut Vec<f64>) {
        let arrival_s = lockstep_platform::seconds(arrival_ns);
        let (_, after) = batch.elsewhere;
        for index in 0..batch.samples {
            let behind = after + batch.samples - 1 - index;
            let stamp_s = arrival_s - self.spaced_s(behind);
            self.last_s = self.last_s.max(stamp_s);
            stamps_s.push(self.last_s);
        }
    }

    fn by_field(
        &self,
        plan: StampPlan,
        batch: &Batch,
        arrival_ns: i64,
        line: &mut Timeline,
        stamps_s: &mut Vec<f64>,
    ) {
        if !plan.per_datagram {
            stamps_s.extend(batch.stamps.iter().map(|&stamp| line.place_s(stamp, arrival_ns)));
            return;
        }
        // One stamp for the datagram.
        let Some(&stamp) = batch.stamps.first() else { return };
        let stamp_s = line.place_s(stamp, arrival_ns);
        let (before, after) = batch.elsewhere;
        stamps_s.extend((0..batch.samples).map(|index| match plan.stamps {
            Stamped::First => stamp_s + self.spaced_s(before + index),
            Stamped::Last => stamp_s - self.spaced_s(after + batch.samples - 1 - index),
        }));
    }

    /// Seconds that `samples` take at the nominal rate; 0 for irregular streams.
    fn spaced_s(&self, samples: usize) -> f64 {
        if samples == 0 || self.rate_hz <= 0.0 { 0.0 } else { samples as f64 / self.rate_hz }
    }
}
