//! What is done with each datagram, from its bytes to the recorder. No sockets and no clock of its
//! own: bytes, addresses and times come in with each call.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use lockstep_plugin_api::{Error, Format, Pushed};
use serde_json::json;

use crate::counters::Counters;
use crate::decode::{Batch, Decoder, Fault, Malformed};
use crate::layout::{Plan, SequencePlan};
use crate::liveness::{Liveness, News};
use crate::options::Counted;
use crate::placing::Placing;
use crate::reports::Reports;
use crate::sequence::{Limits, Rejected, Step, Tracker};
use crate::sink::Sink;
use crate::stamp::Timeline;
use lockstep_plugin_api::wrap;

/// Datagrams that wait for an overtaken one at the most.
const HELD: usize = 32;
/// Malformed datagrams that are logged in full.
const LOGGED: u64 = 5;
/// Bytes of a malformed datagram that are shown.
const EXCERPT_BYTES: usize = 32;
/// Senders that are told one by one.
const SENDERS_TOLD: usize = 16;

/// What is known of a datagram beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Who sent it.
    pub from: SocketAddr,
    /// When it arrived, in nanoseconds of the recorder's time.
    pub at_ns: i64,
    /// Whether its end is missing.
    pub truncated: bool,
    /// Datagrams the kernel has thrown away so far.
    pub kernel_drops: u64,
}

/// Turns datagrams into samples.
#[derive(Debug)]
pub struct Pipeline {
    decoder: Decoder,
    format: Format,
    channel_count: usize,
    sample_bytes: usize,
    allow_from: Vec<IpAddr>,
    sequence: Option<(SequencePlan, Tracker<Batch>)>,
    line: Arc<Mutex<Timeline>>,
    placing: Placing,
    counters: Counters,
    liveness: Liveness,
    reports: Reports,
    /// Samples in each datagram, as long as all have had the same number.
    samples_per_datagram: Option<Option<u64>>,
    sender: Option<SocketAddr>,
    sender_changes: usize,
    foreign: Vec<IpAddr>,
    // Buffers that are used again.
    spare: Vec<Batch>,
    steps: Vec<Step<Batch>>,
    stamps_s: Vec<f64>,
}

impl Pipeline {
    /// For this plan; `line` is shared with the clock exchanges.
    pub fn new(plan: &Plan, line: Arc<Mutex<Timeline>>) -> Self {
        let window_ns = i64::try_from(plan.reorder.as_nanos()).unwrap_or(i64::MAX);
        let limits = Limits { window_ns, held: HELD };
        Self {
            decoder: Decoder::new(plan),
            format: plan.stream.format,
            channel_count: plan.stream.channels.len(),
            sample_bytes: plan.sample_bytes(),
            allow_from: plan.allow_from.clone(),
            sequence: plan.sequence.map(|sequence| (sequence, Tracker::new(sequence.bits, limits))),
            line,
            placing: Placing::new(plan),
            counters: Counters::default(),
            liveness: Liveness::new(plan.silence),
            reports: Reports::new(plan.sequence.is_some()),
            samples_per_datagram: None,
            sender: None,
            sender_changes: 0,
            foreign: Vec::new(),
            spare: Vec::new(),
            steps: Vec::new(),
            stamps_s: Vec::new(),
        }
    }

    /// When [`Self::idle`] has something to do, at the latest.
    pub fn deadline_ns(&self) -> Option<i64> {
        self.sequence.as_ref()?.1.deadline_ns()
    }

    /// A datagram arrived.
    ///
    /// # Errors
    /// Those of the sink. What is wrong with the datagram is counted and reported instead.
    pub fn datagram(&mut self, bytes: &[u8], arrival: &Arrival, sink: &mut impl Sink) -> Result<(), Error> {
        self.counters.datagrams += 1;
        self.kernel_drops(arrival, sink)?;
        if !self.allow_from.is_empty() && !self.allow_from.contains(&arrival.from.ip().to_canonical()) {
            return self.foreign(arrival.from.ip(), sink);
        }
        let mut batch = self.spare.pop().unwrap_or_default();
        let read = if arrival.truncated {
            Err(Malformed::new(Fault::Truncated, "its end is missing"))
        } else {
            self.decoder.decode(bytes, &mut batch)
        };
        if let Err(malformed) = read {
            self.spare.push(batch);
            self.malformed(bytes, &malformed, arrival, sink)?;
        } else {
            self.sender(arrival.from, sink)?;
            self.offer(batch, arrival.at_ns, sink)?;
            tell(self.liveness.data(arrival.at_ns, arrival.from), sink);
        }
        self.reports.due(arrival.at_ns, sink)
    }

    /// Nothing has arrived up to `now_ns`, and nothing waits in the socket.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn idle(&mut self, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        if let Some((_, tracker)) = &mut self.sequence {
            tracker.expire(now_ns, &mut self.steps);
            self.take_steps(now_ns, sink)?;
        }
        tell(self.liveness.tick(now_ns), sink);
        self.reports.due(now_ns, sink)
    }

    /// Nothing more will arrive: record what is held, report what was held back; all the counts.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self, now_ns: i64, sink: &mut impl Sink) -> Result<Counters, Error> {
        if let Some((_, tracker)) = &mut self.sequence {
            tracker.finish(&mut self.steps);
            self.counters.reordered = tracker.reordered();
            self.take_steps(now_ns, sink)?;
        }
        self.reports.flush(sink)?;
        Ok(self.counters)
    }

    /// Put the samples of a datagram into their place in the sequence, and record what is due.
    fn offer(&mut self, mut batch: Batch, at_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        let samples = batch.samples as u64;
        self.samples_per_datagram = match self.samples_per_datagram {
            None => Some(Some(samples)),
            Some(before) => Some(before.filter(|&before| before == samples)),
        };
        let Some((plan, tracker)) = &mut self.sequence else {
            return self.record(batch, at_ns, 0, sink);
        };
        loop {
            let run = match plan.per {
                Counted::Datagram => batch.samples,
                Counted::Sample => batch.consecutive(plan.bits),
            };
            let rest = (run < batch.samples).then(|| batch.split_off(run));
            let numbers = if plan.per == Counted::Datagram { 1 } else { batch.samples };
            let reading = batch.sequence.first().copied().unwrap_or_default();
            tracker.offer(reading, u32::try_from(numbers).unwrap_or(u32::MAX), at_ns, batch, &mut self.steps);
            match rest {
                Some(rest) => batch = rest,
                None => break,
            }
        }
        self.take_steps(at_ns, sink)
    }

    fn take_steps(&mut self, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        let mut steps = std::mem::take(&mut self.steps);
        let mut result = Ok(());
        for step in steps.drain(..) {
            if result.is_ok() {
                result = self.take_step(step, now_ns, sink);
            }
        }
        self.steps = steps;
        result
    }

    fn take_step(&mut self, step: Step<Batch>, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        match step {
            Step::Gap(from, to) => self.gap(from, to, now_ns, sink),
            Step::Deliver { item, arrival_ns, skip, .. } => {
                self.reject(skip, now_ns, sink)?;
                self.record(item, arrival_ns, usize::try_from(skip.total()).unwrap_or(usize::MAX), sink)
            }
            Step::Reject { item, why } => {
                self.spare(item);
                self.reject(why, now_ns, sink)
            }
            Step::Restart { expected, found } => {
                self.counters.restarts += 1;
                self.placing.sender_restarted();
                let bits = self.sequence.as_ref().map_or(64, |(plan, _)| plan.bits);
                let (found, expected) = (wrap::first(found, bits), wrap::first(expected, bits));
                let reason =
                    format!("the sender started anew: sequence {found} came where {expected} was due");
                sink.gap(None, &reason)
            }
        }
    }

    /// Give samples to the recorder, without the first `skip`.
    fn record(
        &mut self,
        batch: Batch,
        arrival_ns: i64,
        skip: usize,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        if let Some(reason) = self.placing.place(&batch, arrival_ns, &self.line, &mut self.stamps_s) {
            self.counters.clock_resets += 1;
            sink.clock_reset(&reason)?;
        }
        let stamps_s = self.stamps_s.get(skip..).unwrap_or_default();
        if !stamps_s.is_empty() {
            let pushed = if self.format == Format::String {
                let texts: Vec<&str> = batch.texts.iter().skip(skip * self.channel_count).collect();
                sink.texts(stamps_s, &texts)?
            } else {
                sink.numbers(stamps_s, batch.values.get(skip * self.sample_bytes..).unwrap_or_default())?
            };
            let count = stamps_s.len() as u64;
            self.counters.samples += count;
            if pushed == Pushed::Dropped {
                self.counters.queue_dropped += count;
            }
        }
        self.spare(batch);
        Ok(())
    }

    /// Keep the buffers of a batch for the next datagram.
    fn spare(&mut self, batch: Batch) {
        if self.spare.len() <= HELD {
            self.spare.push(batch);
        }
    }

    fn gap(&mut self, from: i64, to: i64, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        let Some((plan, _)) = &self.sequence else { return Ok(()) };
        let numbers = to.abs_diff(from);
        self.counters.lost += numbers;
        let lost_samples = match plan.per {
            Counted::Sample => Some(numbers),
            Counted::Datagram => self.samples_per_datagram.flatten().map(|each| each.saturating_mul(numbers)),
        };
        let shown = |number: i64| wrap::first(number, plan.bits);
        let which = match numbers {
            1 => shown(from).to_string(),
            _ => format!("{}..{}", shown(from), shown(to.saturating_sub(1))),
        };
        self.reports.gap(lost_samples, &format!("network: sequence {which} missing"), now_ns, sink)
    }

    /// Count numbers that were received and are not recorded.
    fn reject(&mut self, why: Rejected, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        if why == Rejected::default() {
            return Ok(());
        }
        let rejected = &mut self.counters.rejected;
        rejected.duplicate += why.duplicate;
        rejected.late += why.late;
        rejected.stray += why.stray;
        // Repeated ones are recorded already, and late ones are in the gap that was reported.
        if why.stray == 0 {
            return Ok(());
        }
        let reason = "a datagram with a sequence number far from all others was not recorded";
        self.reports.unusable(None, reason, now_ns, sink)
    }

    fn malformed(
        &mut self,
        bytes: &[u8],
        malformed: &Malformed,
        arrival: &Arrival,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        *self.counters.malformed.entry(malformed.kind).or_default() += 1;
        let total = self.counters.malformed_total();
        if total <= LOGGED {
            let last = if total == LOGGED { "; more of them will only be counted" } else { "" };
            sink.warn(&format!(
                "malformed datagram from {} ({}): {} [{}]{last}",
                arrival.from,
                malformed.kind.name(),
                malformed.detail,
                excerpt(bytes)
            ));
        }
        tell(self.liveness.malformed(arrival.from, &malformed.detail), sink);
        if self.sequence.is_some() {
            return Ok(()); // there its samples are missing already
        }
        let reason = format!("malformed datagram ({})", malformed.kind.name());
        self.reports.unusable(malformed.samples, &reason, arrival.at_ns, sink)
    }

    fn kernel_drops(&mut self, arrival: &Arrival, sink: &mut impl Sink) -> Result<(), Error> {
        let new = arrival.kernel_drops.saturating_sub(self.counters.kernel_drops);
        if new == 0 {
            return Ok(());
        }
        self.counters.kernel_drops += new;
        let samples = match self.samples_per_datagram {
            Some(Some(1)) => Some(new),
            _ => None,
        };
        self.reports.kernel_drops(samples, self.counters.kernel_drops, arrival.at_ns, sink)
    }

    fn foreign(&mut self, from: IpAddr, sink: &mut impl Sink) -> Result<(), Error> {
        self.counters.foreign += 1;
        if self.foreign.len() >= SENDERS_TOLD || self.foreign.contains(&from) {
            return Ok(());
        }
        self.foreign.push(from);
        sink.event("udp foreign sender", &json!({"address": from.to_string()}))
    }

    /// Two devices that send to one port would be mixed into one stream: say so.
    fn sender(&mut self, from: SocketAddr, sink: &mut impl Sink) -> Result<(), Error> {
        let before = self.sender.replace(from);
        match before {
            Some(before) if before != from && self.sender_changes < SENDERS_TOLD => {
                self.sender_changes += 1;
                let details = json!({"before": before.to_string(), "now": from.to_string()});
                sink.event("udp sender changed", &details)
            }
            _ => Ok(()),
        }
    }
}

fn tell(news: News, sink: &mut impl Sink) {
    if let Some((state, reason)) = news {
        sink.state(state, &reason);
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(EXCERPT_BYTES).map(|byte| format!("{byte:02x}"));
    let more = if bytes.len() > EXCERPT_BYTES { " ..." } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), shown.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
