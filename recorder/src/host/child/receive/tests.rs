//! What one child has added, and what the next one of its source goes on with.

use std::sync::atomic::Ordering::Relaxed;

use lockstep_plugin_api::sys;

use super::*;
use crate::host::child::frame::{Frames, Numbers};
use crate::host::testing::source;
use crate::recording::notice::Notice;

struct Source {
    receiver: Receiver,
    shown: crossbeam_channel::Receiver<Notice>,
}

fn clock(name: &str) -> ClockWords {
    ClockWords { domain: 1, stamp: 1, resolution_s: 0.0, interval_s: 0.0, name: name.to_owned() }
}

fn stream(name: &str) -> StreamWords {
    StreamWords {
        format: sys::INT16,
        channel_count: 1,
        clock: 0,
        nominal_rate_hz: 0.0,
        may_be_silent: false,
        name: name.to_owned(),
        kind: String::new(),
        source_id: String::new(),
        label: String::new(),
        desc_xml: String::new(),
        origin_xml: String::new(),
        channels: None,
        synchronization: None,
    }
}

impl Source {
    fn new() -> Self {
        let (_, intake, shown) = source();
        Self { receiver: Receiver::new(intake), shown }
    }

    /// What is answered, as text.
    fn ask(&mut self, said: FromChild<'_>) -> String {
        let mut answers = Vec::new();
        self.receiver.take(said, &mut answers);
        let mut frames = Frames::default();
        frames.room()[..answers.len()].copy_from_slice(&answers);
        frames.filled(answers.len());
        let frame = frames.next_frame().expect("a frame").expect("an answer");
        let FromParent::Answer { call: 7, answer } = FromParent::decode(frame).expect("a parent's") else {
            panic!("another call");
        };
        format!("{answer:?}")
    }

    fn add(&mut self, words: StreamWords) -> String {
        self.ask(FromChild::AddStream { call: 7, words: Box::new(words) })
    }

    fn add_clock(&mut self, words: ClockWords) -> String {
        self.ask(FromChild::AddClock { call: 7, words })
    }

    fn push(&mut self, stream: u32, stamp_s: f64) {
        let stamps_s = stamp_s.to_ne_bytes();
        let said = FromChild::Numbers { stream, stamps_s: Numbers::of_bytes(&stamps_s), data: &[1, 0] };
        self.receiver.take(said, &mut Vec::new());
    }

    fn labels(&self) -> Vec<&str> {
        self.receiver.intake.streams.iter().map(|s| s.spec.label.as_str()).collect()
    }

    fn told(&self) -> Vec<String> {
        self.shown.try_iter().map(|n| n.text).collect()
    }
}

#[test]
fn what_is_the_same_goes_on_and_what_is_another_gets_a_name_of_its_own() {
    let mut it = Source::new();
    assert_eq!(it.add_clock(clock("c")), "Number(1)");
    assert_eq!(it.add(stream("a")), "Number(1)");
    assert_eq!(it.add(StreamWords { clock: 1, ..stream("b") }), "Number(2)");
    assert!(it.add(stream("a")).contains("already one of this name"), "twice of one child");
    it.push(1, 1.0);
    it.receiver.begin();
    // In another order, and one of them of another format.
    assert_eq!(it.add_clock(clock("c")), "Number(1)");
    assert_eq!(it.add(StreamWords { clock: 1, ..stream("b") }), "Number(2)");
    assert_eq!(it.add(StreamWords { format: sys::INT32, ..stream("a") }), "Number(3)");
    it.push(2, 1.0);
    assert_eq!(it.labels(), ["a", "b", "a 2"]);
    assert!(it.told().iter().any(|t| t.contains("stream a is another than before the restart")));
    // The next child may have the first one again, or both.
    it.receiver.begin();
    assert_eq!(it.add(stream("a")), "Number(1)");
    it.receiver.begin();
    assert_eq!(it.add(StreamWords { format: sys::INT32, ..stream("a") }), "Number(3)");
    assert_eq!(it.add_clock(ClockWords { domain: 2, ..clock("c") }), "Number(2)");
    let names: Vec<&str> = it.receiver.intake.clocks.iter().map(|c| c.spec.name.as_str()).collect();
    assert_eq!(names, ["c", "c 2"]);
}

#[test]
fn a_device_that_says_which_it_is_may_describe_itself_otherwise() {
    let mut it = Source::new();
    let words = |id: &str, desc: &str| StreamWords {
        source_id: id.to_owned(),
        desc_xml: desc.to_owned(),
        ..stream("a")
    };
    assert_eq!(it.add(words("sn-1", "<started>1</started>")), "Number(1)");
    it.receiver.begin();
    assert_eq!(it.add(words("sn-1", "<started>2</started>")), "Number(1)");
    it.receiver.begin();
    assert_eq!(it.add(words("sn-2", "<started>2</started>")), "Number(2)", "another device");
    let mut nameless = Source::new();
    assert_eq!(nameless.add(words("", "<started>1</started>")), "Number(1)");
    nameless.receiver.begin();
    assert_eq!(nameless.add(words("", "<started>2</started>")), "Number(2)");
}

#[test]
fn a_child_that_is_gone_leaves_a_gap_in_each_of_its_streams_and_in_no_other() {
    let mut it = Source::new();
    let gaps = |it: &Source| -> Vec<u64> {
        let streams = it.receiver.intake.streams.iter();
        streams.map(|s| s.counters.gaps_of_unknown_size.load(Relaxed)).collect()
    };
    it.receiver.lost("why");
    assert_eq!(it.receiver.intake.unattributed.gaps_of_unknown_size.load(Relaxed), 1, "of no stream");
    it.add(stream("a"));
    it.add(stream("b"));
    it.receiver.lost("why");
    assert_eq!(gaps(&it), [1, 1]);
    it.receiver.begin();
    it.add(stream("b"));
    it.receiver.lost("why");
    assert_eq!(gaps(&it), [1, 2]);
    assert_eq!(it.receiver.intake.state(), (State::Lost, "why".to_owned()));
}

#[test]
fn what_a_child_cannot_know_is_refused_counted_and_told() {
    let mut it = Source::new();
    it.add(stream("a"));
    it.push(1, f64::NAN);
    it.push(9, 1.0);
    let counters = &it.receiver.intake.streams.get(1).expect("a stream").counters;
    assert_eq!(counters.rejected.load(Relaxed), 1);
    let intake = std::sync::Arc::clone(&it.receiver.intake);
    let mut take = |said: FromChild<'_>| it.receiver.take(said, &mut Vec::new());
    take(FromChild::Dropped { stream: 1, samples: 3 });
    take(FromChild::Refused { stream: 1, samples: 4 });
    take(FromChild::Refused { stream: 5, samples: 4 });
    take(FromChild::State { stream: 0, state: 99, reason: "" });
    take(FromChild::Log { level: 99, text: "\u{1b}[2J" });
    take(FromChild::Unsaid { count: 2 });
    let counters = &intake.streams.get(1).expect("a stream").counters;
    assert_eq!((counters.dropped.load(Relaxed), counters.rejected.load(Relaxed)), (3, 5));
    assert_eq!(intake.unattributed.rejected.load(Relaxed), 5);
    assert_eq!(intake.unattributed.gaps_of_unknown_size.load(Relaxed), 1);
    let told = it.told();
    for text in [
        "the timestamp of sample 0",
        "no stream has the number 9",
        "state 99",
        "\u{fffd}[2J",
        "2 states, events",
    ] {
        assert!(told.iter().any(|t| t.contains(text)), "{text}: {told:?}");
    }
}

#[test]
fn refusals_keep_their_status_on_the_way() {
    let mut it = Source::new();
    assert!(it.add(StreamWords { channel_count: 0, ..stream("a") }).starts_with("Refused(-1, "));
    assert!(it.ask(FromChild::AppendSideFile { call: 7, file: 3, bytes: b"x" }).starts_with("Refused(-1, "));
    it.receiver.intake.close();
    assert!(it.add(stream("a")).starts_with("Refused(-5, "));
}
