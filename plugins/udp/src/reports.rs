//! Gaps as they are told to the recorder: at once when they are rare, summed up when they flood.

use lockstep_plugin_api::Error;
use serde_json::json;

use crate::limiter::{Limiter, Pending};
use crate::sink::Sink;

/// Gaps in the sequence that are reported one by one, in each second.
const GAPS_TOLD: u32 = 10;

/// The kinds of gaps, each thinned by itself.
#[derive(Debug)]
pub struct Reports {
    has_sequence: bool,
    sequence: Limiter,
    unusable: Limiter,
    drops: Limiter,
    kernel_drops: u64,
}

impl Reports {
    /// For a source with or without sequence numbers.
    pub fn new(has_sequence: bool) -> Self {
        Self {
            has_sequence,
            sequence: Limiter::new(GAPS_TOLD),
            unusable: Limiter::new(1),
            drops: Limiter::new(1),
            kernel_drops: 0,
        }
    }

    /// Numbers are missing in the sequence.
    pub fn gap(
        &mut self,
        lost: Option<u64>,
        reason: &str,
        now_ns: i64,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        if self.sequence.now(now_ns, lost) { sink.gap(lost, reason) } else { Ok(()) }
    }

    /// A datagram arrived that cannot be recorded.
    pub fn unusable(
        &mut self,
        samples: Option<u64>,
        reason: &str,
        now_ns: i64,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        if self.unusable.now(now_ns, samples) { sink.gap(samples, reason) } else { Ok(()) }
    }

    /// The kernel threw datagrams away, `so_far` of them since the start.
    pub fn kernel_drops(
        &mut self,
        samples: Option<u64>,
        so_far: u64,
        now_ns: i64,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        self.kernel_drops = so_far;
        if !self.drops.now(now_ns, samples) {
            return Ok(());
        }
        let known = samples.unwrap_or(0);
        self.tell_drops(&Pending { reports: 1, known, unknown: samples.is_none() }, sink)
    }

    /// Tell what was held back long enough.
    pub fn due(&mut self, now_ns: i64, sink: &mut impl Sink) -> Result<(), Error> {
        let (gaps, unusable, drops) =
            (self.sequence.due(now_ns), self.unusable.due(now_ns), self.drops.due(now_ns));
        self.tell(gaps, unusable, drops, sink)
    }

    /// Tell all that was held back.
    pub fn flush(&mut self, sink: &mut impl Sink) -> Result<(), Error> {
        let (gaps, unusable, drops) = (self.sequence.flush(), self.unusable.flush(), self.drops.flush());
        self.tell(gaps, unusable, drops, sink)
    }

    fn tell(
        &self,
        gaps: Option<Pending>,
        unusable: Option<Pending>,
        drops: Option<Pending>,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        if let Some(sum) = gaps {
            tell_sum(&sum, &format!("network: {} more gaps in the sequence", sum.reports), sink)?;
        }
        if let Some(sum) = unusable {
            tell_sum(&sum, &format!("{} more datagrams that cannot be recorded", sum.reports), sink)?;
        }
        drops.map_or(Ok(()), |sum| self.tell_drops(&sum, sink))
    }

    /// With a sequence what the kernel dropped is missing there too: told, but not counted twice.
    fn tell_drops(&self, sum: &Pending, sink: &mut impl Sink) -> Result<(), Error> {
        if self.has_sequence {
            return sink.event("udp kernel drops", &json!({"datagrams_so_far": self.kernel_drops}));
        }
        tell_sum(sum, "the kernel dropped datagrams: the receive buffer was full", sink)
    }
}

fn tell_sum(sum: &Pending, reason: &str, sink: &mut impl Sink) -> Result<(), Error> {
    if sum.known > 0 {
        sink.gap(Some(sum.known), reason)?;
    }
    if sum.unknown { sink.gap(None, reason) } else { Ok(()) }
}
