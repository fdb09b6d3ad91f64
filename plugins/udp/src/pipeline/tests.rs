//! Tests of the whole way of a datagram, with a list in place of the recorder.

use std::time::Duration;

use lockstep_plugin_api::State;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::layout::tests::plan;

const MS: i64 = 1_000_000;
const S: i64 = 1000 * MS;

#[derive(Debug, Default)]
struct List {
    /// Stamps and values of each push, values as f64.
    pushes: Vec<(Vec<f64>, Vec<f64>)>,
    texts: Vec<(f64, String)>,
    gaps: Vec<(Option<u64>, String)>,
    resets: Vec<String>,
    events: Vec<(String, Value)>,
    states: Vec<(State, String)>,
    warnings: Vec<String>,
}

impl List {
    fn stamps(&self) -> Vec<f64> {
        self.pushes.iter().flat_map(|(stamps, _)| stamps.clone()).collect()
    }

    fn values(&self) -> Vec<f64> {
        self.pushes.iter().flat_map(|(_, values)| values.clone()).collect()
    }

    fn lost(&self) -> u64 {
        self.gaps.iter().filter_map(|(lost, _)| *lost).sum()
    }
}

impl Sink for List {
    fn numbers(&mut self, stamps_s: &[f64], values: &[u8]) -> Result<Pushed, Error> {
        let doubles = values.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().expect("8")));
        self.pushes.push((stamps_s.to_vec(), doubles.collect()));
        Ok(Pushed::Queued)
    }

    fn texts(&mut self, stamps_s: &[f64], values: &[&str]) -> Result<Pushed, Error> {
        self.texts.extend(stamps_s.iter().copied().zip(values.iter().map(|&text| text.to_owned())));
        Ok(Pushed::Queued)
    }

    fn gap(&mut self, lost_samples: Option<u64>, reason: &str) -> Result<(), Error> {
        self.gaps.push((lost_samples, reason.to_owned()));
        Ok(())
    }

    fn clock_reset(&mut self, reason: &str) -> Result<(), Error> {
        self.resets.push(reason.to_owned());
        Ok(())
    }

    fn event(&mut self, name: &str, details: &Value) -> Result<(), Error> {
        self.events.push((name.to_owned(), details.clone()));
        Ok(())
    }

    fn state(&mut self, state: State, reason: &str) {
        self.states.push((state, reason.to_owned()));
    }

    fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }
}

struct Rig {
    pipeline: Pipeline,
    list: List,
    from: SocketAddr,
    kernel_drops: u64,
}

impl Rig {
    fn new(options: Value) -> Self {
        let plan = plan(options).expect("good options");
        let stamp = plan.stamp.map_or((1, 64), |stamp| (stamp.ticks_per_s, stamp.bits));
        let line = Arc::new(Mutex::new(Timeline::new(stamp.0, stamp.1)));
        Self {
            pipeline: Pipeline::new(&plan, line),
            list: List::default(),
            from: ([192, 168, 1, 5], 1234).into(),
            kernel_drops: 0,
        }
    }

    fn receive(&mut self, at_ns: i64, bytes: impl AsRef<[u8]>) {
        let arrival = Arrival { from: self.from, at_ns, truncated: false, kernel_drops: self.kernel_drops };
        self.pipeline.datagram(bytes.as_ref(), &arrival, &mut self.list).expect("the list takes all");
    }

    fn idle(&mut self, at_ns: i64) {
        self.pipeline.idle(at_ns, &mut self.list).expect("the list takes all");
    }

    fn finish(mut self) -> (List, Counters) {
        let counters = self.pipeline.finish(1000 * S, &mut self.list).expect("the list takes all");
        (self.list, counters)
    }
}

/// Lines of sequence, stamp in us, value.
fn csv(per: &str) -> Value {
    json!({
        "payload": "csv",
        "fields": [{"name": "seq"}, {"name": "t"}, {"name": "x"}],
        "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        "sequence": {"field": "seq", "per": per},
    })
}

fn arrival_stamped(rate_hz: f64) -> Value {
    json!({"payload": "csv", "fields": [{"name": "x"}], "nominal_rate_hz": rate_hz})
}

#[test]
fn a_datagram_becomes_one_push_with_its_own_stamps() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(100 * S, "7,1000000,1\n8,1010000,2\n");
    rig.idle(100 * S + 60 * MS);
    rig.receive(101 * S, "9,1020000,3\n");
    let (list, counters) = rig.finish();
    assert_eq!(list.pushes, [(vec![1.0, 1.01], vec![1.0, 2.0]), (vec![1.02], vec![3.0])]);
    assert_eq!((counters.datagrams, counters.samples), (2, 3));
    assert_eq!(list.states, [(State::Streaming, "from 192.168.1.5:1234".to_owned())]);
    assert_eq!((list.gaps, list.events, list.warnings), (vec![], vec![], vec![]));
}

#[test]
fn arrival_time_goes_to_the_last_sample_and_the_rate_spaces_the_others() {
    let mut rig = Rig::new(arrival_stamped(100.0));
    rig.receive(S, "1\n2\n3\n");
    // It comes early: stamps may not go back.
    rig.receive(S + 5 * MS, "4\n5\n");
    let (list, _) = rig.finish();
    assert_eq!(list.stamps(), [0.98, 0.99, 1.0, 1.0, 1.005]);
    let mut rig = Rig::new(arrival_stamped(0.0));
    rig.receive(S, "1\n2\n3\n");
    assert_eq!(rig.finish().0.stamps(), [1.0, 1.0, 1.0]);
}

#[test]
fn one_stamp_for_several_samples_is_spaced_by_the_rate() {
    for (stamps, expected) in [("first", [2.0, 2.01, 2.02]), ("last", [1.98, 1.99, 2.0])] {
        let mut rig = Rig::new(json!({
            "payload": "binary",
            "header": [{"name": "t", "type": "u16"}],
            "fields": [{"name": "x", "type": "f64"}],
            "timestamp": {"field": "t", "unit": "ms", "clock": "device", "stamps": stamps},
            "nominal_rate_hz": 100.0,
        }));
        let mut datagram = 2000_u16.to_le_bytes().to_vec();
        datagram.extend([1.0_f64, 2.0, 3.0].into_iter().flat_map(f64::to_le_bytes));
        rig.receive(S, datagram);
        assert_eq!(rig.finish().0.stamps(), expected);
    }
}

#[test]
fn lost_numbers_are_reported_as_samples() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(0, "1,10,1");
    rig.receive(60 * MS, "2,20,2");
    rig.receive(61 * MS, "6,60,6");
    rig.idle(111 * MS);
    let (list, counters) = rig.finish();
    assert_eq!(list.values(), [1.0, 2.0, 6.0]);
    assert_eq!(list.gaps, [(Some(3), "network: sequence 3..5 missing".to_owned())]);
    assert_eq!((counters.lost, counters.samples), (3, 3));
}

#[test]
fn a_device_that_skips_numbers_within_a_datagram_has_a_gap_there() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(0, "1,10,1");
    rig.receive(60 * MS, "2,20,2\n3,30,3\n5,50,5");
    let (list, _) = rig.finish();
    assert_eq!(list.values(), [1.0, 2.0, 3.0, 5.0]);
    assert_eq!(list.gaps, [(Some(1), "network: sequence 4 missing".to_owned())]);
}

#[test]
fn lost_datagrams_are_lost_samples_while_all_hold_as_many() {
    let mut rig = Rig::new(csv("datagram"));
    rig.receive(0, "1,10,1\n1,11,2");
    rig.receive(60 * MS, "3,30,3\n3,31,4");
    rig.idle(200 * MS);
    rig.receive(210 * MS, "5,50,5");
    rig.idle(300 * MS);
    let (list, counters) = rig.finish();
    assert_eq!(list.values(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    let numbers: Vec<_> = list.gaps.iter().map(|(lost, _)| *lost).collect();
    assert_eq!(numbers, [Some(2), None]);
    assert_eq!(counters.lost, 2);
}

#[test]
fn duplicates_are_recorded_once_and_late_ones_stay_lost() {
    let mut rig = Rig::new(csv("sample"));
    for (at_ms, line) in [(0, "1,10,1"), (60, "2,20,2"), (61, "2,20,2"), (62, "4,40,4")] {
        rig.receive(at_ms * MS, line);
    }
    rig.idle(200 * MS);
    rig.receive(201 * MS, "3,30,3");
    let (list, counters) = rig.finish();
    assert_eq!(list.values(), [1.0, 2.0, 4.0]);
    assert_eq!((counters.lost, list.lost()), (1, 1));
    assert_eq!(counters.rejected, Rejected { duplicate: 1, late: 1, stray: 0 });
}

#[test]
fn many_gaps_are_summed_up_and_none_is_forgotten() {
    let mut rig = Rig::new(csv("sample"));
    for number in 0..1000 {
        rig.receive(i64::from(number) * 2 * MS, format!("{},{},1", number * 2, number * 20));
    }
    let (list, counters) = rig.finish();
    assert_eq!((list.lost(), counters.lost), (999, 999));
    assert!(list.gaps.len() < 40, "{}", list.gaps.len());
}

#[test]
fn a_restart_of_the_device_is_a_gap_and_a_new_time_line() {
    let mut rig = Rig::new(csv("sample"));
    for n in 0..100 {
        rig.receive(i64::from(n) * 10 * MS, format!("{},{},1", n + 5000, 60_000_000 + n * 10_000));
    }
    for n in 0..5 {
        rig.receive(3 * S + i64::from(n) * 10 * MS, format!("{n},{},2", n * 10_000));
    }
    let (list, counters) = rig.finish();
    assert_eq!((counters.samples, counters.restarts, counters.clock_resets), (105, 1, 1));
    assert_eq!(list.stamps()[99..102], [60.99, 0.0, 0.01]);
    let reason = "the sender started anew: sequence 0 came where 5100 was due";
    assert_eq!(list.gaps, [(None, reason.to_owned())]);
    assert_eq!(list.resets, ["the sender started anew, and its clock with it"]);
}

#[test]
fn a_program_that_starts_anew_keeps_its_clock() {
    let mut rig = Rig::new(csv("sample"));
    for n in 0..200 {
        rig.receive(i64::from(n) * 10 * MS, format!("{n},{},1", n * 10_000));
    }
    for n in 0..5 {
        rig.receive(5 * S + i64::from(n) * 10 * MS, format!("{n},{},2", 5_000_000 + n * 10_000));
    }
    let (list, counters) = rig.finish();
    assert_eq!((counters.restarts, counters.clock_resets), (1, 0));
    assert!(list.resets.is_empty());
    assert!(list.stamps().is_sorted());
}

#[test]
fn without_a_sequence_a_clock_that_goes_back_is_a_new_time_line() {
    let mut options = csv("sample");
    options.as_object_mut().expect("object").remove("sequence");
    let mut rig = Rig::new(options);
    rig.receive(S, "1,60000000,1");
    // A little back is recorded as it is.
    rig.receive(2 * S, "2,59900000,2");
    rig.receive(3 * S, "3,100,3");
    let (list, _) = rig.finish();
    assert_eq!(list.stamps(), [60.0, 59.9, 0.0001]);
    assert_eq!(list.resets, ["the device's clock jumped by -59.900 s"]);
}

#[test]
fn malformed_datagrams_are_counted_logged_five_times_and_reported_by_the_second() {
    let mut rig = Rig::new(arrival_stamped(0.0));
    for n in 0..1000 {
        rig.receive(i64::from(n) * 3 * MS, "x");
    }
    rig.receive(4 * S, "5");
    let (list, counters) = rig.finish();
    assert_eq!(counters.malformed_total(), 1000);
    assert_eq!(list.warnings.len(), 5);
    assert!(list.warnings[0].contains("[1 bytes: 78]"), "{}", list.warnings[0]);
    assert!(list.gaps.len() <= 5, "{:?}", list.gaps);
    assert_eq!(list.values(), [5.0]);
    let states: Vec<State> = list.states.iter().map(|(state, _)| *state).collect();
    assert_eq!(states, [State::Degraded, State::Streaming]);
}

#[test]
fn with_a_sequence_unreadable_samples_are_not_lost_twice() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(0, "1,10,1");
    rig.receive(60 * MS, "2,20,oops");
    rig.receive(61 * MS, "3,30,3");
    let (list, counters) = rig.finish();
    assert_eq!((counters.malformed_total(), list.lost()), (1, 1));
    assert_eq!(list.gaps.len(), 1);
}

#[test]
fn a_long_excerpt_is_cut() {
    assert_eq!(excerpt(&[0xAB; 3]), "3 bytes: ab ab ab");
    assert!(excerpt(&[0; 100]).ends_with("00 ..."));
    assert_eq!(excerpt(&[0; 100]).matches("00").count(), 33); // one of them in "100 bytes"
}

#[test]
fn kernel_drops_are_gaps_unless_a_sequence_counts_them() {
    let mut rig = Rig::new(json!({"payload": "marker"}));
    rig.receive(0, "a");
    rig.kernel_drops = 3;
    rig.receive(MS, "b");
    rig.kernel_drops = 5;
    rig.receive(2 * MS, "c");
    let (list, counters) = rig.finish();
    assert_eq!((list.lost(), counters.kernel_drops, counters.samples), (5, 5, 3));
    assert_eq!(list.texts, [(0.0, "a".into()), (0.001, "b".into()), (0.002, "c".into())]);

    let mut rig = Rig::new(csv("sample"));
    rig.kernel_drops = 2;
    rig.receive(0, "1,10,1");
    let (list, _) = rig.finish();
    assert_eq!(list.gaps, []);
    assert_eq!(list.events, [("udp kernel drops".to_owned(), json!({"datagrams_so_far": 2}))]);
}

#[test]
fn foreign_senders_are_ignored_and_told_once_each() {
    let mut options = arrival_stamped(0.0);
    options["allow_from"] = json!(["192.168.1.5"]);
    let mut rig = Rig::new(options);
    rig.receive(0, "1");
    rig.from = ([10, 0, 0, 9], 5).into();
    rig.receive(MS, "2");
    rig.receive(2 * MS, "3");
    // The allowed one, as a socket of both IP versions shows it.
    rig.from = "[::ffff:192.168.1.5]:1234".parse().expect("address");
    rig.receive(3 * MS, "4");
    let (list, counters) = rig.finish();
    assert_eq!(list.values(), [1.0, 4.0]);
    assert_eq!(counters.foreign, 2);
    assert_eq!(list.events[0], ("udp foreign sender".to_owned(), json!({"address": "10.0.0.9"})));
}

#[test]
fn a_second_sender_is_told() {
    let mut rig = Rig::new(arrival_stamped(0.0));
    rig.receive(0, "1");
    rig.from = ([10, 0, 0, 9], 5).into();
    rig.receive(MS, "2");
    rig.receive(2 * MS, "3");
    let details = json!({"before": "192.168.1.5:1234", "now": "10.0.0.9:5"});
    assert_eq!(rig.finish().0.events, [("udp sender changed".to_owned(), details)]);
}

#[test]
fn silence_is_told_and_its_end_too() {
    let mut rig = Rig::new(arrival_stamped(100.0));
    rig.receive(S, "1");
    rig.idle(S + 900 * MS);
    rig.idle(2 * S + 100 * MS);
    rig.receive(3 * S, "2");
    let states = rig.finish().0.states;
    assert_eq!(states[1], (State::Lost, "nothing for 1.1 s".to_owned()));
    assert_eq!(states.len(), 3);
}

#[test]
fn what_is_held_is_recorded_at_the_stop() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(0, "1,10,1");
    rig.receive(60 * MS, "2,20,2");
    rig.receive(61 * MS, "4,40,4");
    assert_eq!(rig.list.values(), [1.0, 2.0]);
    let (list, _) = rig.finish();
    assert_eq!(list.values(), [1.0, 2.0, 4.0]);
    assert_eq!(list.lost(), 1);
}

#[test]
fn a_truncated_datagram_is_malformed() {
    let mut rig = Rig::new(json!({"payload": "marker"}));
    let arrival = Arrival { from: rig.from, at_ns: 0, truncated: true, kernel_drops: 0 };
    rig.pipeline.datagram(b"cut", &arrival, &mut rig.list).expect("the list takes all");
    assert_eq!(rig.finish().1.malformed.get(&Fault::Truncated), Some(&1));
}

#[test]
fn a_reorder_window_of_zero_records_at_once() {
    let mut options = csv("sample");
    options["reorder_ms"] = json!(0.0);
    let mut rig = Rig::new(options);
    rig.receive(0, "1,10,1");
    assert_eq!(rig.list.values(), [1.0]);
    rig.receive(MS, "3,30,3");
    assert_eq!((rig.list.values(), rig.list.lost()), (vec![1.0, 3.0], 1));
    assert_eq!(rig.pipeline.deadline_ns(), None);
}

#[test]
fn the_summary_has_all_counts() {
    let mut rig = Rig::new(csv("sample"));
    rig.receive(0, "1,10,1");
    rig.receive(MS, "nonsense");
    let (_, counters) = rig.finish();
    let summary = counters.summary(Some("samples"), Some(Default::default()));
    assert_eq!(summary["samples"], 1);
    assert_eq!(summary["malformed_by_reason"], json!({"value": 1}));
    assert_eq!(summary["sequence"]["lost"], 0);
    assert_eq!(summary["exchanges"]["sent"], 0);
    assert!(counters.summary(None, None).get("sequence").is_none());
}

proptest! {
    /// Over a network that loses, delays and repeats: what is recorded is in order and once, and
    /// with what is reported lost it is all that was sent.
    #[test]
    fn recorded_and_lost_are_all_that_was_sent(
        fates in proptest::collection::vec(
            (proptest::bool::weighted(0.2), any::<bool>(), 0i64..100, 1i64..4), 1..200),
        window_ms in 0.0f64..120.0,
    ) {
        let mut options = csv("sample");
        options["reorder_ms"] = json!(window_ms);
        let mut rig = Rig::new(options);
        let (mut arrivals, mut number) = (Vec::new(), 0);
        for (index, &(lost, repeated, delay_ms, samples)) in fates.iter().enumerate() {
            let lines: Vec<String> =
                (number..number + samples).map(|n| format!("{n},{},{n}", n * 1000)).collect();
            number += samples;
            let at_ns = (2 * index as i64 + delay_ms) * MS;
            let copies = if lost { 0 } else { 1 + i64::from(repeated) };
            arrivals.extend((0..copies).map(|copy| (at_ns + copy * 5 * MS, lines.join("\n"))));
        }
        arrivals.sort();
        for (at_ns, datagram) in &arrivals {
            rig.receive(*at_ns, datagram);
        }
        let (list, counters) = rig.finish();
        let values = list.values();
        prop_assert!(values.windows(2).all(|w| w[0] < w[1]));
        let stamps: Vec<f64> = values.iter().map(|v| v * 1000.0 / 1e6).collect();
        prop_assert_eq!(list.stamps(), stamps);
        if let (Some(first), Some(last)) = (values.first(), values.last()) {
            prop_assert_eq!(values.len() as f64 + list.lost() as f64, last - first + 1.0);
        }
        prop_assert_eq!(counters.samples, values.len() as u64);
        prop_assert_eq!(counters.lost, list.lost());
        let received: u64 = arrivals.iter().map(|(_, text)| text.lines().count() as u64).sum();
        prop_assert_eq!(received, counters.samples + counters.rejected.total());
    }
}

#[test]
fn defaults_are_as_documented() {
    let plan = plan(json!({"payload": "marker"})).expect("good");
    assert_eq!(plan.reorder, Duration::from_millis(50));
    assert_eq!(plan.receive_buffer_bytes, 4096 * 1024);
    assert_eq!((plan.stream.kind.as_str(), plan.silence), ("Markers", None));
}
