//! What is written is what is read, whole or in pieces; and whatever comes, it is answered.

use proptest::prelude::*;

use super::*;
use crate::host::describe::{ClockWords, StreamWords};
use crate::recording::header::{ChannelInfo, SyncInfo};

fn words() -> StreamWords {
    StreamWords {
        format: 1,
        channel_count: 2,
        clock: 3,
        nominal_rate_hz: 0.1,
        may_be_silent: true,
        name: "größe".to_owned(),
        kind: "EEG".to_owned(),
        source_id: String::new(),
        label: "l".to_owned(),
        desc_xml: "<a/>".to_owned(),
        origin_xml: "<b/>".to_owned(),
        channels: Some(vec![
            ChannelInfo { label: "x".to_owned(), unit: "m".to_owned(), kind: String::new() };
            2
        ]),
        synchronization: Some(SyncInfo {
            offset_mean_s: Some(-0.25),
            can_drop_samples: Some(false),
            ..SyncInfo::default()
        }),
    }
}

/// One of each.
fn all(stamps: &[u8]) -> Vec<FromChild<'_>> {
    let stamps_s = Numbers::of_bytes(stamps);
    let bare = StreamWords { channels: None, synchronization: None, ..words() };
    let clock = ClockWords { domain: 1, stamp: 2, resolution_s: 1e-6, interval_s: 0.0, name: "c".to_owned() };
    vec![
        FromChild::Hello(Hello { protocol: PROTOCOL, id: "udp", version: "0.1", schema: Some("{}") }),
        FromChild::Hello(Hello { protocol: 0, id: "", version: "", schema: None }),
        FromChild::CannotLoad("why"),
        FromChild::Created(Creation::Ready),
        FromChild::Created(Creation::BadOptions(vec![("/a", "b"), ("", "")])),
        FromChild::Created(Creation::Failed("why")),
        FromChild::Started(None),
        FromChild::Started(Some("why")),
        FromChild::Stopped(Some("why")),
        FromChild::Beat,
        FromChild::AddClock { call: 7, words: clock },
        FromChild::AddStream { call: 8, words: Box::new(words()) },
        FromChild::AddStream { call: u32::MAX, words: Box::new(bare) },
        FromChild::AddSideFile { call: 1, what: "scene", suffix: "h264" },
        FromChild::AppendSideFile { call: 1, file: 2, bytes: stamps },
        FromChild::Numbers { stream: 1, stamps_s, data: &[1, 2, 3] },
        FromChild::Strings { stream: 1, stamps_s, values: vec![b"a", b"", b"\xff"] },
        FromChild::Exchanges { clock: 1, stamps_s: Numbers::of_bytes(&stamps[..stamps.len() / 32 * 32]) },
        FromChild::ClockReset { clock: 1, reason: "r" },
        FromChild::Gap { stream: 0, lost: None, reason: "" },
        FromChild::Gap { stream: 1, lost: Some(u64::MAX), reason: "r" },
        FromChild::State { stream: 1, state: 6, reason: "r" },
        FromChild::Event { stream: 1, name: "n", json: "{}" },
        FromChild::Log { level: 3, text: "t" },
        FromChild::Refused { stream: 1, samples: 2 },
        FromChild::RefusedExchanges { clock: 1, count: 2 },
        FromChild::Dropped { stream: 1, samples: 2 },
        FromChild::DroppedExchanges { clock: 1, count: 2 },
        FromChild::Unsaid { count: 2 },
    ]
}

fn answers() -> Vec<FromParent<'static>> {
    let answer = |answer| FromParent::Answer { call: 5, answer };
    vec![
        FromParent::Create { options_json: "{\"a\":1}", probes: 8, interval_s: 5.0 },
        FromParent::Start,
        FromParent::Stop,
        answer(Answer::Number(9)),
        answer(Answer::File(1, "rec_scene.h264")),
        answer(Answer::Offset(None)),
        answer(Answer::Offset(Some(1 << 40))),
        answer(Answer::Refused(-6, "no more")),
    ]
}

fn feed(frames: &mut Frames, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = frames.room();
        let fits = rest.len().min(room.len());
        room[..fits].copy_from_slice(&rest[..fits]);
        frames.filled(fits);
        rest = &rest[fits..];
    }
}

#[test]
fn what_is_written_is_read_in_pieces_of_any_size() {
    let stamps: Vec<u8> = (0..40u8).flat_map(|n| f64::from(n).to_ne_bytes()).collect();
    let (said, replies) = (all(&stamps), answers());
    let mut bytes = Vec::new();
    said.iter().for_each(|s| s.encode(&mut bytes).expect("short"));
    let of_child = bytes.len();
    replies.iter().for_each(|s| s.encode(&mut bytes).expect("short"));
    for piece in [1, 2, 7, 4096, bytes.len()] {
        let mut frames = Frames::default();
        let (mut first, mut second) = (said.iter(), replies.iter());
        for part in bytes[..of_child].chunks(piece) {
            feed(&mut frames, part);
            while let Some(frame) = frames.next_frame().expect("a frame") {
                assert_eq!(Some(&FromChild::decode(frame).expect("a child's")), first.next());
                assert!(FromParent::decode(frame).is_err());
            }
        }
        for part in bytes[of_child..].chunks(piece) {
            feed(&mut frames, part);
            while let Some(frame) = frames.next_frame().expect("a frame") {
                assert_eq!(Some(&FromParent::decode(frame).expect("a parent's")), second.next());
                assert!(FromChild::decode(frame).is_err());
            }
        }
        assert_eq!((first.next(), second.next(), frames.incomplete_bytes()), (None, None, 0));
        assert_eq!(read_all(&bytes, piece), Ok(said.len() + replies.len()));
    }
}

#[test]
fn stamps_are_the_numbers_they_were() {
    let bytes: Vec<u8> = [1.5, -0.0, f64::MAX].iter().flat_map(|n: &f64| n.to_ne_bytes()).collect();
    let mut out = vec![9.0];
    Numbers::of_bytes(&[bytes.as_slice(), b"abc"].concat()).copy_to(&mut out);
    assert_eq!(out.iter().map(|n| n.to_bits()).collect::<Vec<_>>(), [1.5, -0.0, f64::MAX].map(f64::to_bits));
}

#[test]
fn a_frame_that_is_cut_off_anywhere_is_none() {
    let stamps = [0; 64];
    for said in all(&stamps) {
        let mut bytes = Vec::new();
        said.encode(&mut bytes).expect("short");
        let body = &bytes[LENGTH_BYTES..];
        for cut in 0..body.len() {
            // Raw bytes at the end may be fewer and still a frame; nothing else may.
            let is_raw = matches!(
                said,
                FromChild::Numbers { .. } | FromChild::AppendSideFile { .. } | FromChild::Exchanges { .. }
            );
            assert!(is_raw || FromChild::decode(&body[..cut]).is_err(), "{said:?} cut at {cut}");
        }
        if !matches!(said, FromChild::Numbers { .. } | FromChild::AppendSideFile { .. }) {
            assert!(FromChild::decode(&[body, b"x"].concat()).is_err(), "{said:?} with more");
        }
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_before_any_room_is_made() {
    for length in [0, MAX_FRAME_BYTES + 1, u32::MAX as usize] {
        let mut frames = Frames::default();
        feed(&mut frames, &u32::try_from(length).expect("small").to_ne_bytes());
        assert_eq!(frames.next_frame(), Err(BadFrame::Length(length)));
    }
    // Lists and texts of four thousand million entries.
    for kind in 0..=255 {
        let mut body = vec![kind];
        body.extend([0xff; 40]);
        assert!(FromChild::decode(&body).is_err() || matches!(kind, 10), "{kind}");
        assert!(FromParent::decode(&body).is_err(), "{kind}");
    }
    let long = vec![0; MAX_FRAME_BYTES];
    let mut out = vec![1, 2, 3];
    let refused = FromChild::AppendSideFile { call: 1, file: 1, bytes: &long }.encode(&mut out);
    assert!(matches!(refused, Err(BadFrame::Length(_))));
    assert_eq!(out, [1, 2, 3], "nothing of it");
}

#[test]
fn room_for_a_long_frame_is_given_back() {
    let bytes = vec![5; 20 << 20];
    let mut out = Vec::new();
    FromChild::AppendSideFile { call: 1, file: 1, bytes: &bytes }.encode(&mut out).expect("it fits");
    let mut frames = Frames::default();
    feed(&mut frames, &out);
    assert!(frames.next_frame().expect("a frame").is_some_and(|f| f.len() > bytes.len()));
    frames.room();
    assert!(frames.buffer.capacity() <= 2 * KEPT_BYTES, "{}", frames.buffer.capacity());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
        let _ = read_all(&bytes, piece);
        let _ = FromChild::decode(&bytes);
        let _ = FromParent::decode(&bytes);
    }

    #[test]
    fn damaged_frames_are_answered(at in any::<prop::sample::Index>(), to in any::<u8>(), piece in 1usize..50) {
        let stamps = [0x3f; 64];
        let mut bytes = Vec::new();
        all(&stamps).iter().for_each(|s| s.encode(&mut bytes).expect("short"));
        *at.get_mut(&mut bytes) = to;
        let _ = read_all(&bytes, piece);
    }

    #[test]
    fn samples_of_any_size(stream in any::<u32>(), stamps in proptest::collection::vec(any::<f64>(), 0..50),
                           data in proptest::collection::vec(any::<u8>(), 0..500),
                           texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..50)) {
        let raw: Vec<u8> = stamps.iter().flat_map(|s| s.to_ne_bytes()).collect();
        let stamps_s = Numbers::of_bytes(&raw);
        let values = texts.iter().map(Vec::as_slice).collect();
        for said in [
            FromChild::Numbers { stream, stamps_s, data: &data },
            FromChild::Strings { stream, stamps_s, values },
        ] {
            let mut bytes = Vec::new();
            said.encode(&mut bytes).expect("short");
            let mut frames = Frames::default();
            feed(&mut frames, &bytes);
            let frame = frames.next_frame().expect("a frame").expect("a whole one");
            prop_assert_eq!(FromChild::decode(frame), Ok(said));
        }
    }
}
