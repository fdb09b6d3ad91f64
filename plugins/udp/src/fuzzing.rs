//! The whole way of what strangers send, with what has to hold of it: for the fuzz targets, and no interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use lockstep_plugin_api::{Error, Pushed, State};
use serde_json::Value;

use crate::exchange::fuzzing::judge_all;
use crate::layout::Plan;
use crate::options::Options;
use crate::pipeline::{Arrival, Pipeline};
use crate::sink::Sink;
use crate::stamp::Timeline;

/// Layouts that between them use every decoder and every option of time and order.
const LAYOUTS: [&str; 8] = [
    r#"{"listen":"1","payload":"json","fields":[{"name":"t"},{"name":"n"},{"name":"c","count":3,"scale":0.5},{"name":"d"}],
       "timestamp":{"field":"t","unit":"us","clock":"device","wrap_bits":32},
       "sequence":{"field":"n","per":"datagram","wrap_bits":16},"nominal_rate_hz":100}"#,
    r#"{"listen":"1","payload":"json","fields":[{"name":"a"}],"format":"string"}"#,
    r#"{"listen":"1","payload":"csv","fields":[{"name":"t"},{"name":"n"},{"name":"a"},{"name":"b","offset":1}],
       "timestamp":{"field":"t","unit":"s","clock":"unix"},"sequence":{"field":"n","per":"sample","wrap_bits":8},
       "format":"float32"}"#,
    r#"{"listen":"1","payload":"csv","fields":[{"name":"a"},{"name":"b"}],"format":"int16","separator":"semicolon"}"#,
    r#"{"listen":"1","payload":"binary","magic":"4C4B","skip_bytes":1,"endian":"big","nominal_rate_hz":1000,
       "header":[{"name":"n","type":"u16"},{"name":"t","type":"u32"}],
       "fields":[{"name":"a","type":"i16"},{"name":"b","type":"f32"}],
       "timestamp":{"field":"t","unit":"us","clock":"device","stamps":"last"},
       "sequence":{"field":"n","per":"sample"}}"#,
    r#"{"listen":"1","payload":"binary","format":"double64",
       "fields":[{"name":"n","type":"u8"},{"name":"t","type":"u64"},{"name":"v","type":"u64","count":2}],
       "timestamp":{"field":"t","unit":"ns","clock":"monotonic"},"sequence":{"field":"n","per":"datagram"}}"#,
    r#"{"listen":"1","payload":"marker","silence_s":0.1}"#,
    r#"{"listen":"1","payload":"binary","reorder_ms":0,"fields":[{"name":"n","type":"u32"},{"name":"f","type":"f64"}],
       "timestamp":{"field":"f","unit":"s","clock":"device"},"sequence":{"field":"n","per":"sample"},
       "channels":["f"]}"#,
];

fn plans() -> &'static [Plan] {
    static PLANS: OnceLock<Vec<Plan>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let plan = |text: &str| {
            let options: Options = serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            Plan::new(&options).unwrap_or_else(|e| panic!("{text}: {e}"))
        };
        LAYOUTS.iter().map(|text| plan(text)).collect()
    })
}

/// Counts in place of the recorder.
#[derive(Debug, Default)]
struct Count {
    sample_bytes: usize,
    samples: usize,
}

impl Sink for Count {
    fn numbers(&mut self, stamps_s: &[f64], values: &[u8]) -> Result<Pushed, Error> {
        assert_eq!(stamps_s.len() * self.sample_bytes, values.len(), "a stamp for each sample");
        assert!(stamps_s.iter().all(|stamp_s| stamp_s.is_finite()), "stamps are times: {stamps_s:?}");
        self.samples += stamps_s.len();
        Ok(Pushed::Queued)
    }

    fn texts(&mut self, stamps_s: &[f64], values: &[&str]) -> Result<Pushed, Error> {
        assert!(stamps_s.iter().all(|stamp_s| stamp_s.is_finite()), "stamps are times: {stamps_s:?}");
        assert!(!stamps_s.is_empty() && values.len().is_multiple_of(stamps_s.len()));
        self.samples += stamps_s.len();
        Ok(Pushed::Queued)
    }

    fn gap(&mut self, _: Option<u64>, reason: &str) -> Result<(), Error> {
        assert!(reason.len() < 1000, "what is told is short: {reason}");
        Ok(())
    }

    fn clock_reset(&mut self, reason: &str) -> Result<(), Error> {
        assert!(reason.len() < 1000);
        Ok(())
    }

    fn event(&mut self, _: &str, details: &Value) -> Result<(), Error> {
        assert!(details.to_string().len() < 10_000, "what is told is short");
        Ok(())
    }

    fn state(&mut self, _: State, _: &str) {}

    fn warn(&mut self, text: &str) {
        assert!(text.len() < 2000, "what is told is short: {text}");
    }
}

/// Datagrams for one of the layouts: the first byte chooses it; then for each datagram its length, how long after
/// the one before it came, and its bytes.
pub fn datagrams(data: &[u8]) {
    let Some((&choice, mut rest)) = data.split_first() else { return };
    let Some(plan) = plans().get(usize::from(choice) % LAYOUTS.len()) else { return };
    let stamp = plan.stamp.map_or((1, 64), |stamp| (stamp.ticks_per_s, stamp.bits));
    let mut pipeline = Pipeline::new(plan, Arc::new(Mutex::new(Timeline::new(stamp.0, stamp.1))));
    let mut count = Count { sample_bytes: plan.sample_bytes(), samples: 0 };
    let (mut at_ns, mut number) = (1_000_000_000, 0);
    while let [length, pause, more @ ..] = rest {
        let (datagram, after) = more.split_at(more.len().min(usize::from(*length)));
        rest = after;
        at_ns += i64::from(*pause) * i64::from(*pause) * 100_000;
        number += 1;
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 5000 + u16::from(*pause == 254)));
        let arrival = Arrival { from, at_ns, truncated: *pause == 255, kernel_drops: u64::from(pause / 250) };
        pipeline.datagram(datagram, &arrival, &mut count).expect("the sink refuses nothing");
        if pause & 7 == 7 {
            pipeline.idle(at_ns, &mut count).expect("the sink refuses nothing");
        }
    }
    let counters = pipeline.finish(at_ns, &mut count).expect("the sink refuses nothing");
    assert_eq!(counters.datagrams, number);
    assert_eq!(counters.samples, count.samples as u64, "what is recorded is counted");
    assert!(counters.malformed_total() <= number);
    assert!(count.samples <= data.len(), "a sample has at least a byte");
}

/// Answers to clock exchanges.
pub fn clock_answers(data: &[u8]) {
    judge_all(data);
}

/// Options, as a configuration may give them.
pub fn options(text: &str) {
    if let Ok(options) = serde_json::from_str::<Options>(text) {
        let _ = Plan::new(&options);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_datagrams_and_answers_are_accounted_for(
            data in proptest::collection::vec(any::<u8>(), 0..600)
        ) {
            super::datagrams(&data);
            super::clock_answers(&data);
        }
    }
}
