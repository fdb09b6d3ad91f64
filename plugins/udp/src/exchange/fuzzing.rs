//! Answers of strangers to questions of ours, with what has to hold of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use super::client::Client;
use crate::layout::{ExchangePlan, StampPlan};
use crate::options::{ClockKind, ExchangeKind, Stamped};
use crate::stamp::Timeline;

/// The first byte says which protocol and what counter; then, for each question, whether it is asked, how late the
/// answer comes, and the answer.
pub fn judge_all(data: &[u8]) {
    let Some((&choice, mut rest)) = data.split_first() else { return };
    let kind = if choice & 1 == 0 { ExchangeKind::Echo } else { ExchangeKind::Ntp };
    let bits = if choice & 2 == 0 { 32 } else { 64 };
    let ticks_per_s = if choice & 4 == 0 { 1_000_000 } else { 1_000_000_000 };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let stamp = StampPlan {
        clock: ClockKind::Device,
        ticks_per_s,
        bits,
        per_datagram: false,
        stamps: Stamped::First,
        resolution_s: 1.0 / ticks_per_s as f64,
        stamp: lockstep_plugin_api::Stamp::Floor,
    };
    let line = Arc::new(Mutex::new(Timeline::new(ticks_per_s, bits)));
    let plan = ExchangePlan { kind, address };
    let Ok(mut client) = Client::open(plan, stamp, line, Arc::default()) else { return };
    let mut now_ns = 1_000_000_000_i64;
    while let [flags, late, more @ ..] = rest {
        let bytes = if kind == ExchangeKind::Ntp { 48 } else { 32 };
        let (packet, after) = more.split_at(more.len().min(bytes));
        rest = after;
        let mut packet = packet.to_vec();
        let id = client.expect_for_fuzzing();
        // Most answers are to the question.
        let place = if kind == ExchangeKind::Ntp { 24..32 } else { 4..8 };
        let id = if kind == ExchangeKind::Ntp {
            id.to_be_bytes().to_vec()
        } else {
            id.to_le_bytes()[..4].to_vec()
        };
        if let Some(place) = packet.get_mut(place).filter(|_| flags & 1 == 0) {
            place.copy_from_slice(&id);
        }
        let from = if flags & 2 == 0 { address } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 10)) };
        let t3_ns = now_ns + i64::from(*late) * 1_000_000;
        for _ in 0..1 + (flags >> 2 & 1) {
            if let Ok(Some((t1_s, t2_s, _))) = client.judge(&packet, from, now_ns, t3_ns) {
                assert!(t1_s.is_finite() && t2_s.is_finite() && from == address);
                assert!(t2_s - t1_s <= f64::from(*late) * 1e-3 * 1.01 + 1e-3, "{t1_s} {t2_s} {late}");
            }
        }
        now_ns = t3_ns + 1_000_000_000;
    }
}
