//! What the source counts, for the event at the end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::decode::Fault;
use crate::sequence::Rejected;

/// Counts of one recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams received, of all kinds.
    pub datagrams: u64,
    /// Samples given to the recorder.
    pub samples: u64,
    /// Of those, samples for which the recorder's queue had no room.
    pub queue_dropped: u64,
    /// Sequence numbers that never came in time. They count what the sequence counts.
    pub lost: u64,
    /// Datagrams that were overtaken and put back in order.
    pub reordered: u64,
    /// Numbers that came again, late or from nowhere.
    pub rejected: Rejected,
    /// Times the sender started anew.
    pub restarts: u64,
    /// Times the device's clock started a new time line, seen in the samples.
    pub clock_resets: u64,
    /// Datagrams that could not be read, by kind of fault.
    pub malformed: BTreeMap<Fault, u64>,
    /// Datagrams of senders that are not allowed.
    pub foreign: u64,
    /// Datagrams the kernel threw away.
    pub kernel_drops: u64,
}

/// Counts of clock exchanges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeCounters {
    /// Questions sent.
    pub sent: u64,
    /// Answers in time and fit to be used.
    pub answered: u64,
    /// Answers after the wait was over.
    pub late: u64,
    /// Answers to a question that was answered already.
    pub duplicate: u64,
    /// Packets of another sender, or to no question of ours.
    pub foreign: u64,
    /// Answers that cannot be used.
    pub rejected: u64,
}

impl Counters {
    /// Datagrams that could not be read.
    pub fn malformed_total(&self) -> u64 {
        self.malformed.values().sum()
    }

    /// The details of the event `udp summary`.
    pub fn summary(&self, counted: Option<&str>, exchanges: Option<ExchangeCounters>) -> Value {
        let malformed: serde_json::Map<String, Value> =
            self.malformed.iter().map(|(fault, count)| (fault.name().to_owned(), json!(count))).collect();
        let mut summary = json!({
            "datagrams": self.datagrams,
            "samples": self.samples,
            "queue_dropped_samples": self.queue_dropped,
            "malformed_datagrams": self.malformed_total(),
            "malformed_by_reason": malformed,
            "foreign_datagrams": self.foreign,
            "kernel_dropped_datagrams": self.kernel_drops,
            "sender_restarts": self.restarts,
            "clock_resets": self.clock_resets,
        });
        if let Some(unit) = counted {
            summary["sequence"] = json!({
                "counts": unit,
                "lost": self.lost,
                "reordered_datagrams": self.reordered,
                "duplicate": self.rejected.duplicate,
                "late_after_their_gap_was_reported": self.rejected.late,
                "stray": self.rejected.stray,
            });
        }
        if let Some(exchanges) = exchanges {
            summary["exchanges"] = json!({
                "sent": exchanges.sent,
                "answered": exchanges.answered,
                "late": exchanges.late,
                "duplicate": exchanges.duplicate,
                "foreign": exchanges.foreign,
                "rejected": exchanges.rejected,
            });
        }
        summary
    }
}
