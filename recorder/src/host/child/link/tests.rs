//! A child's end, with the other end in the same process.

use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use lockstep_platform::child::set_nonblocking;

use super::*;
use crate::host::child::frame::Frames;

struct Ends {
    link: Arc<Link>,
    reader: PipeReader,
    frames: Frames,
}

impl Ends {
    /// With a stream 1 of two channels of int16, a stream 2 of strings, and a clock 1.
    fn new() -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        set_nonblocking(&writer).expect("a flag");
        set_nonblocking(&reader).expect("a flag");
        let link = Link::new("it", File::from(OwnedFd::from(writer)));
        let known = |label: &str, format| Known { label: label.to_owned(), format, channel_count: 2 };
        link.streams[0].set(known("n", ChannelFormat::Int16)).expect("free");
        link.streams[1].set(known("t", ChannelFormat::String)).expect("free");
        link.clocks[0].set("c".to_owned()).expect("free");
        link.open();
        Self { link: Arc::new(link), reader, frames: Frames::default() }
    }

    /// Read all there is; what `take` makes of each frame.
    fn read<T>(&mut self, mut take: impl FnMut(FromChild<'_>) -> T) -> Vec<T> {
        let mut taken = Vec::new();
        while let Ok(read) = self.reader.read(self.frames.room()) {
            self.frames.filled(read);
            while let Some(frame) = self.frames.next_frame().expect("a frame") {
                taken.push(take(FromChild::decode(frame).expect("a child's")));
            }
        }
        taken
    }

    fn shown(&mut self) -> Vec<String> {
        self.read(|said| format!("{said:?}"))
    }
}

#[test]
fn before_and_after_nothing_is_taken_but_lines() {
    let mut ends = Ends::new();
    ends.link.close();
    assert_eq!(ends.link.push_numbers(1, &[1.0], &[0; 4]), Err(Refusal::NotRunning));
    assert_eq!(ends.link.set_state(0, State::Streaming, ""), Err(Refusal::NotRunning));
    assert_eq!(ends.link.add_side_file("a", "b"), Err(Refusal::NotRunning));
    ends.link.log(Level::Info, "a line");
    assert_eq!(ends.shown(), [r#"Log { level: 1, text: "a line" }"#]);
}

#[test]
fn what_cannot_be_recorded_is_refused_as_in_the_recorders_process_and_counted() {
    let mut ends = Ends::new();
    let refused = |result: Result<bool, Refusal>| result.expect_err("refused").to_string();
    let link = Arc::clone(&ends.link);
    assert!(refused(link.push_numbers(1, &[1.0, f64::NAN], &[0; 8])).contains("timestamp of sample 1"));
    assert!(refused(link.push_numbers(1, &[1.0], &[0; 3])).contains("must come with 4 bytes, not 3"));
    assert!(refused(link.push_strings(2, &[1.0], &[b"x"])).contains("must come with 2 strings, not 1"));
    assert!(refused(link.push_numbers(3, &[1.0], &[])).contains("no stream has the number 3"));
    let nan = Exchange { t0_s: 0.0, t1_s: f64::NAN, t2_s: 0.0, t3_s: 0.0 };
    assert!(refused(link.push_exchanges(1, &[nan])).contains("clock \"c\""));
    assert!(link.event(0, "e", "{").is_err() && link.report_gap(9, None, "").is_err());
    assert_eq!(
        ends.shown(),
        [
            "Refused { stream: 1, samples: 2 }",
            "Refused { stream: 1, samples: 1 }",
            "Refused { stream: 2, samples: 1 }",
            "RefusedExchanges { clock: 1, count: 1 }",
        ]
    );
}

#[test]
fn large_chunks_go_in_parts_and_come_out_whole() {
    let mut ends = Ends::new();
    let stamps: Vec<f64> = (0..100_000).map(f64::from).collect();
    let data: Vec<u8> = (0..stamps.len() * 4).map(|n| n as u8).collect();
    let long = "x".repeat(3000);
    let texts: Vec<&[u8]> = (0..400).map(|n| if n % 2 == 0 { long.as_bytes() } else { b"" }).collect();
    let (link, all) = (Arc::clone(&ends.link), stamps.clone());
    let (numbers, strings) = (data.clone(), texts.len());
    let pusher = std::thread::spawn(move || {
        let texts: Vec<&[u8]> =
            (0..strings).map(|n| if n % 2 == 0 { long.as_bytes() } else { b"" }).collect();
        let both = (link.push_numbers(1, &all, &numbers), link.push_strings(2, &all[..200], &texts));
        assert_eq!(both, (Ok(true), Ok(true)));
    });
    let (mut got, mut got_stamps, mut got_texts, mut parts) = (Vec::new(), Vec::new(), 0, 0);
    while !pusher.is_finished() || got_texts < 400 {
        ends.read(|said| match said {
            FromChild::Numbers { stream: 1, stamps_s, data } => {
                parts += 1;
                got_stamps.extend(stamps_s.iter());
                got.extend_from_slice(data);
            }
            FromChild::Strings { stream: 2, stamps_s, values } => {
                assert_eq!(values.len(), 2 * stamps_s.count());
                got_texts += values.len();
            }
            other => panic!("{other:?}"),
        });
        std::thread::yield_now();
    }
    pusher.join().expect("pushed");
    assert_eq!((got_stamps, got), (stamps, data));
    assert!(parts > 2 && got_texts == 400, "{parts}");
}

#[test]
fn what_finds_no_room_is_dropped_counted_and_told_with_the_next_frame() {
    let mut ends = Ends::new();
    let (stamps, data) = (vec![0.5; 1000], vec![0; 4000]);
    let mut taken = 0;
    while ends.link.push_numbers(1, &stamps, &data).expect("known") {
        taken += 1;
    }
    assert_eq!(ends.link.push_numbers(1, &stamps, &data), Ok(false));
    ends.link.log(Level::Warning, "unheard");
    let (mut got, mut others) = (0, Vec::new());
    // The rest of a frame of which a part was in the pipe comes first.
    for round in 0..3 {
        ends.read(|said| match said {
            FromChild::Numbers { stamps_s, .. } => got += stamps_s.count(),
            other => others.push(format!("{other:?}")),
        });
        if round < 2 {
            assert!(ends.link.beat());
        }
    }
    assert_eq!(got, taken * 1000);
    let told = ["Dropped { stream: 1, samples: 2000 }", "Unsaid { count: 1 }", "Beat", "Beat"];
    assert_eq!(others, told);
}

#[test]
fn calls_are_answered_each_with_its_own() {
    let ends = Ends::new();
    let (link, asker) = (Arc::clone(&ends.link), Arc::clone(&ends.link));
    let thread = std::thread::spawn(move || {
        (
            asker.add_side_file("scene", "h264"),
            asker.append_side_file(4, b"abc"),
            asker.add_side_file("b", "c"),
        )
    });
    let mut ends = ends;
    let mut answered = 0;
    while answered < 3 {
        for call in ends.read(|said| match said {
            FromChild::AddSideFile { call, what: "scene", .. } => (call, 0),
            FromChild::AppendSideFile { call, file: 4, bytes: b"abc" } => (call, 1),
            FromChild::AddSideFile { call, .. } => (call, 2),
            other => panic!("{other:?}"),
        }) {
            answered += 1;
            link.answer(99, Answer::Number(1));
            match call {
                (call, 0) => link.answer(call, Answer::File(4, "rec_scene.h264")),
                (call, 1) => link.answer(call, Answer::Offset(Some(17))),
                (call, _) => link.answer(call, Answer::Refused(sys::ENOMEM, "no more than 64 files")),
            }
        }
        std::thread::yield_now();
    }
    let answers = thread.join().expect("asked");
    assert_eq!(answers.0, Ok((4, "rec_scene.h264".to_owned())));
    assert_eq!(answers.1, Ok(Some(17)));
    assert_eq!(answers.2, Err(Refusal::NoRoom("no more than 64 files".to_owned())));
}

#[test]
fn without_a_reader_nothing_waits() {
    let Ends { link, reader, .. } = Ends::new();
    drop(reader);
    assert_eq!(link.push_numbers(1, &[1.0], &[0; 4]), Ok(false));
    assert!(!link.beat() && !link.say(&FromChild::Beat));
    assert!(link.add_side_file("a", "b").is_err());
}
