use super::*;

const BASE_NS: i64 = 1_700_000_000_000_000_000;

fn gaze(n: u16, timestamp: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 99];
    bytes.extend(n.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(7u32.to_be_bytes());
    bytes.extend(f32::from(n).to_be_bytes());
    bytes.extend(2f32.to_be_bytes());
    bytes.push(255);
    bytes
}

fn report(timestamp: u32, unix_ns: i64) -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
    let seconds = (unix_ns / 1_000_000_000 + 2_208_988_800) as u32;
    let fraction = ((unix_ns % 1_000_000_000) << 32) / 1_000_000_000;
    bytes.extend(seconds.to_be_bytes());
    bytes.extend((fraction as u32).to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend([0; 8]);
    bytes
}

fn pipeline() -> Pipeline {
    let gaze = "m=application 0 RTP/AVP 99\r\na=rtpmap:99 com.pupillabs.gaze1/90000\r\n";
    Pipeline::new(Sensor::Gaze, &crate::rtsp::media(gaze)[0])
}

/// Long enough after the first packet that it is known to be the first.
const LATER_NS: i64 = 150_000_000;

/// Number and time after the base of each sample, in microseconds.
fn samples(out: &[Output]) -> Vec<(u16, i64)> {
    let number = |bytes: &[u8]| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as u16;
    out.iter()
        .filter_map(|output| match output {
            Output::Sample(at_ns, bytes) => Some((number(bytes), (at_ns - BASE_NS + 500) / 1000)),
            _ => None,
        })
        .collect()
}

#[test]
fn packets_before_the_first_report_wait_for_it_and_are_placed_then() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for n in 0..10u16 {
        assert!(pipeline.rtp(&gaze(n, u32::from(n) * 450), i64::from(n) * 5_000_000, &mut out));
    }
    assert!(!pipeline.rtp(b"junk", 0, &mut out));
    pipeline.wait(LATER_NS, &mut out);
    assert_eq!((out.len(), pipeline.waits_since_ns()), (0, Some(0)));
    pipeline.rtcp(&report(4_500, BASE_NS + 50_000_000), &mut out);
    assert!(matches!(out[0], Output::Report(4_500, _, Change::First)));
    assert_eq!(samples(&out), (0..10).map(|n| (n, i64::from(n) * 5_000)).collect::<Vec<_>>());
    assert_eq!(pipeline.waits_since_ns(), None);
}

#[test]
fn without_reports_arrival_places_them_and_the_quickest_counts() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for (n, late_us) in [(0u16, 900), (1, 100), (2, 700)] {
        pipeline.rtp(&gaze(n, u32::from(n) * 450), i64::from(n) * 5_000_000 + late_us * 1_000, &mut out);
    }
    pipeline.wait(LATER_NS, &mut out);
    pipeline.place_by_arrival(|arrival_ns| BASE_NS + arrival_ns, &mut out);
    assert_eq!(samples(&out), [(0, 100), (1, 5_100), (2, 10_100)]);
}

#[test]
fn a_sender_that_starts_anew_is_placed_by_its_own_reports() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    pipeline.rtcp(&report(0, BASE_NS), &mut out);
    pipeline.rtp(&gaze(1, 450), 0, &mut out);
    pipeline.wait(LATER_NS, &mut out);
    pipeline.rtp(&gaze(40_000, 3_000_000), LATER_NS, &mut out);
    pipeline.wait(2 * LATER_NS, &mut out);
    assert_eq!(samples(&out), [(1, 5_000)]);
    pipeline.rtcp(&report(3_000_000, BASE_NS + 60_000_000), &mut out);
    assert_eq!(samples(&out), [(1, 5_000), (40_000, 60_000)]);
    assert!(out.contains(&Output::Restarted));
    pipeline.rtp(&gaze(40_002, 3_000_900), 0, &mut out);
    pipeline.end(&mut out);
    assert!(out.contains(&Output::Lost(Some(1))));
}

#[test]
fn what_cannot_be_read_is_counted_and_lost_and_what_cannot_be_placed_too() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let mut bad = gaze(0, 0);
    bad.truncate(15);
    pipeline.rtp(&bad, 0, &mut out);
    pipeline.rtp(&gaze(1, 450), 0, &mut out);
    pipeline.wait(LATER_NS, &mut out);
    pipeline.rtcp(&report(0, BASE_NS), &mut out);
    assert!(out.contains(&Output::Unknown(3)) && out.contains(&Output::Lost(Some(1))));
    assert_eq!((samples(&out), pipeline.counters.unreadable), (vec![(1, 5_000)], 1));
    let (mut never, mut out) = (self::pipeline(), Vec::new());
    never.rtp(&gaze(1, 450), 0, &mut out);
    never.end(&mut out);
    never.give_up(&mut out);
    assert_eq!((out, never.counters.never_placed), (vec![Output::Lost(Some(1))], 1));
}

#[test]
fn pictures_are_placed_by_their_time_stamp_and_those_that_never_came_are_told() {
    let scene = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                 a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0E=\r\n";
    let mut pipeline = Pipeline::new(Sensor::World, &crate::rtsp::media(scene)[0]);
    let mut out = Vec::new();
    let mut send = |n: u16, picture: u32, unit: u8| {
        let mut bytes = vec![0x80, 0x80 | 96];
        bytes.extend(n.to_be_bytes());
        bytes.extend((picture * 3000).to_be_bytes());
        bytes.extend(7u32.to_be_bytes());
        bytes.extend([unit, 1, 2]);
        pipeline.rtp(&bytes, i64::from(n) * 33_000_000, &mut out);
    };
    send(0, 0, 0x65);
    send(1, 1, 0x41);
    send(4, 4, 0x41);
    pipeline.rtcp(&report(3000, BASE_NS), &mut out);
    pipeline.end(&mut out);
    let told: Vec<String> = out
        .iter()
        .filter_map(|output| match output {
            Output::Picture(at_ns, picture) => {
                let after_us = (at_ns - BASE_NS + 500).div_euclid(1000);
                Some(format!("{after_us} {} {} {}", picture.bytes.len(), picture.is_key, picture.is_complete))
            }
            Output::Lost(count) => Some(format!("lost {count:?}")),
            _ => None,
        })
        .collect();
    // The first one has the parameter set before it. The last one may miss a packet.
    assert_eq!(told, ["-33333 13 true true", "0 7 false true", "lost Some(2)", "100000 7 false false"]);
    assert_eq!(pipeline.counters.incomplete, 1);
}
