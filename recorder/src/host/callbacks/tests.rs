//! The host's functions, called as plugins call them, and worse.

use std::ptr::{null, null_mut, without_provenance, without_provenance_mut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Receiver;

use super::*;
use crate::host::testing::{source, stream_info};
use crate::recording::intake::SourceIntake;
use crate::recording::notice::Notice;

struct Host {
    table: HostTable,
    source: Arc<SourceIntake>,
    shown: Receiver<Notice>,
}

/// `$host.call(function, arguments)`: a function of the table with its own ctx.
macro_rules! call {
    ($host:expr, $name:ident $(, $argument:expr)*) => {{
        let table = $host.table.table;
        // SAFETY: as a plugin calls it, with what lives for the call or is not to be read.
        unsafe { (table.$name.expect("the host has it"))(table.ctx $(, $argument)*) }
    }};
}

fn text_of(text: &str) -> sys::Str {
    sys::Str::new(text)
}

fn bytes_of(bytes: &[u8]) -> sys::Str {
    sys::Str { ptr: bytes.as_ptr().cast(), len: bytes.len() }
}

fn clock_info(name: sys::Str) -> sys::ClockInfo {
    sys::ClockInfo {
        struct_size: size_of::<sys::ClockInfo>() as u32,
        domain: sys::DOMAIN_DEVICE,
        stamp: sys::STAMP_EXACT,
        reserved: 0,
        resolution_s: 0.0,
        name,
        interval_s: 0.0,
    }
}

fn synchronization() -> sys::Synchronization {
    sys::Synchronization {
        struct_size: size_of::<sys::Synchronization>() as u32,
        can_drop_samples: 2,
        offset_mean_s: f64::NAN,
        offset_rms_s: f64::NAN,
        offset_median_s: f64::NAN,
        offset_5_centile_s: f64::NAN,
        offset_95_centile_s: f64::NAN,
    }
}

fn chunk(stream: u32, stamps: &[f64], data: &[i16]) -> sys::Chunk {
    sys::Chunk {
        struct_size: size_of::<sys::Chunk>() as u32,
        stream,
        sample_count: stamps.len() as u32,
        reserved: 0,
        timestamps_s: stamps.as_ptr(),
        data: data.as_ptr().cast(),
        data_bytes: size_of_val(data),
    }
}

/// A struct as a later version has it.
#[repr(C)]
struct Later<T> {
    now: T,
    added: u64,
}

impl Host {
    fn new() -> Self {
        let (table, source, shown) = source();
        Self { table, source, shown }
    }

    /// Streams 1 (numbers) and 2 (strings).
    fn with_streams() -> Self {
        let host = Self::new();
        let mut id = 0;
        for (name, format) in [("numbers", sys::INT16), ("strings", sys::STRING)] {
            assert_eq!(call!(host, add_stream, &stream_info(text_of(name), format), &mut id), sys::OK);
        }
        assert_eq!(id, 2);
        host
    }

    fn add_stream(&self, info: &sys::StreamInfo) -> sys::Status {
        call!(self, add_stream, info, &mut 0)
    }

    fn push(&self, chunk: &sys::Chunk) -> sys::Status {
        call!(self, push_chunk, chunk)
    }

    fn counted(&self, stream: u32, which: fn(&crate::recording::stream::Counters) -> &AtomicU64) -> u64 {
        which(&self.source.streams.get(stream).expect("a stream").counters).load(Relaxed)
    }

    fn rejected(&self, stream: u32) -> u64 {
        self.counted(stream, |c| &c.rejected)
    }

    fn last_line(&self) -> String {
        self.shown.try_iter().last().map(|n| n.text).unwrap_or_default()
    }
}

#[test]
fn structs_of_every_version_are_taken_and_shorter_ones_refused() {
    let host = Host::new();
    macro_rules! sizes {
        ($make:expr, $call:expr, $t:ty) => {
            let (make, call) = ($make, $call);
            let least = <$t as sys::Versioned>::BYTES_1_0;
            let mut later = Later { now: make(), added: u64::MAX };
            for (bytes, status) in [
                (0, sys::EINVAL),
                (least - 1, sys::EINVAL),
                (least, sys::OK),
                (size_of::<$t>(), sys::OK),
                (size_of::<Later<$t>>(), sys::OK),
            ] {
                later.now = make();
                later.now.struct_size = bytes as u32;
                assert_eq!(call(&raw const later.now), status, "{bytes} bytes: {}", host.last_line());
            }
            assert_eq!(later.added, u64::MAX);
        };
    }
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let names = std::cell::RefCell::new(names.iter());
    let name = || text_of(names.borrow_mut().next().expect("enough"));
    sizes!(|| clock_info(name()), |info| call!(host, add_clock, info, &mut 0), sys::ClockInfo);
    let stream = || stream_info(name(), sys::INT16);
    sizes!(stream, |info| call!(host, add_stream, info, &mut 0), sys::StreamInfo);
    let (stamps, data) = ([1.0], [1]);
    sizes!(|| chunk(1, &stamps, &data), |c| call!(host, push_chunk, c), sys::Chunk);
    let in_stream = |timing| {
        let info = sys::StreamInfo { synchronization: timing, ..stream() };
        call!(host, add_stream, &info, &mut 0)
    };
    sizes!(synchronization, in_stream, sys::Synchronization);
    assert_eq!(host.counted(1, |c| &c.received), 3);
    assert_eq!(host.source.unattributed.gaps_of_unknown_size.load(Relaxed), 2, "of chunks that are none");
}

#[test]
fn bad_pointers_are_an_answer_and_not_a_crash() {
    let host = Host::with_streams();
    let (clock, stream) = (clock_info(text_of("c")), stream_info(text_of("s"), sys::INT16));
    assert_eq!(call!(host, add_clock, null(), &mut 0), sys::EINVAL);
    assert_eq!(call!(host, add_clock, without_provenance(4097), &mut 0), sys::EINVAL);
    assert_eq!(call!(host, add_clock, &clock, null_mut()), sys::EINVAL);
    assert_eq!(call!(host, add_clock, &clock, without_provenance_mut(4097)), sys::EINVAL);
    assert_eq!(call!(host, add_stream, null(), &mut 0), sys::EINVAL);
    assert_eq!(call!(host, add_stream, without_provenance(4097), &mut 0), sys::EINVAL);
    assert_eq!(call!(host, add_stream, &stream, null_mut()), sys::EINVAL);
    assert_eq!(call!(host, add_stream, &stream, without_provenance_mut(4098)), sys::EINVAL);
    let channels = sys::StreamInfo { channels: without_provenance(4097), ..stream };
    assert_eq!(host.add_stream(&channels), sys::EINVAL);
    let timing = sys::StreamInfo { synchronization: without_provenance(4097), ..stream };
    assert_eq!(host.add_stream(&timing), sys::EINVAL);
    assert_eq!(call!(host, push_chunk, null()), sys::EINVAL);
    assert_eq!(call!(host, push_chunk, without_provenance(4097)), sys::EINVAL);
    assert_eq!(call!(host, push_exchanges, 1, null(), 3), sys::EINVAL);
    assert!(call!(host, get_extension, null()).is_null());
    assert_eq!(host.source.streams.iter().count(), 2);
    assert_eq!(host.source.clocks.iter().count(), 0);
    // SAFETY: a ctx that is none, through which nothing is read.
    unsafe {
        assert_eq!(push_chunk(null_mut(), null()), sys::EINVAL);
        assert_eq!(push_chunk(without_provenance_mut(4097), null()), sys::EINVAL);
        log(null_mut(), sys::LOG_ERROR, text_of("to no one"));
    }
}

#[test]
fn every_refused_sample_is_counted_once() {
    let host = Host::with_streams();
    let (stamps, data) = ([1.0, 2.0, 3.0], [1, 2, 3]);
    let good = chunk(1, &stamps, &data);
    assert_eq!(host.push(&good), sys::OK);
    let mut refused = 0;
    for bad in [
        sys::Chunk { timestamps_s: null(), ..good },
        sys::Chunk { timestamps_s: stamps.as_ptr().wrapping_byte_add(1), ..good },
        sys::Chunk { data: null(), ..good },
        sys::Chunk { data_bytes: 5, ..good },
        sys::Chunk { data_bytes: 4, ..good },
        sys::Chunk { data_bytes: usize::MAX, ..good },
        sys::Chunk { timestamps_s: [1.0, f64::NAN, 3.0].as_ptr(), ..good },
    ] {
        assert_eq!(host.push(&bad), sys::EINVAL, "{bad:?}");
        refused += 3;
        assert_eq!(host.rejected(1), refused, "{bad:?}");
        assert!(host.last_line().contains("stream \"numbers\""), "{bad:?}");
    }
    assert_eq!(host.push(&sys::Chunk { stream: 99, ..good }), sys::EINVAL);
    assert_eq!(host.source.unattributed.rejected.load(Relaxed), 3);
    assert_eq!(host.rejected(1), refused);
    assert_eq!(host.counted(1, |c| &c.received), 3);
    host.source.close();
    assert_eq!(host.push(&sys::Chunk { data: null(), ..good }), sys::ESTATE);
    assert_eq!(host.rejected(1), refused, "nothing is lost when nothing is recorded");
}

#[test]
fn refused_strings_are_counted_too() {
    let host = Host::with_streams();
    let stamps = [1.0, 2.0];
    let texts = [text_of("é"), text_of("b"), text_of("c")];
    let good = sys::Chunk {
        stream: 2,
        data: texts.as_ptr().cast(),
        data_bytes: 2 * size_of::<sys::Str>(),
        ..chunk(2, &stamps, &[])
    };
    assert_eq!(host.push(&good), sys::OK);
    let latin = [text_of("a"), bytes_of(b"\xe9")];
    let no_text = sys::Chunk { data: latin.as_ptr().cast(), ..good };
    assert_eq!(host.push(&no_text), sys::OK, "bytes are recorded as they are");
    let lost = [text_of("a"), sys::Str { ptr: null(), len: 3 }];
    for (n, bad) in [
        sys::Chunk { data_bytes: 2 * size_of::<sys::Str>() + 1, ..good },
        sys::Chunk { data_bytes: 3 * size_of::<sys::Str>(), ..good },
        sys::Chunk { data: lost.as_ptr().cast(), ..good },
        sys::Chunk { data: texts.as_ptr().wrapping_byte_add(1).cast(), ..good },
        sys::Chunk { data: null(), ..good },
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(host.push(&bad), sys::EINVAL, "{bad:?}");
        assert_eq!(host.rejected(2), 2 * (n as u64 + 1), "{bad:?}");
    }
    assert_eq!(host.counted(2, |c| &c.received), 4);
}

#[test]
fn numbers_need_not_be_aligned() {
    let host = Host::with_streams();
    let bytes = [0u8, 1, 0, 2, 0];
    let chunk = sys::Chunk { data: bytes[1..].as_ptr().cast(), data_bytes: 4, ..chunk(1, &[1.0, 2.0], &[]) };
    assert_eq!(host.push(&chunk), sys::OK);
}

#[test]
fn no_samples_are_no_news_of_a_stream() {
    let host = Host::with_streams();
    assert_eq!(host.push(&sys::Chunk { timestamps_s: null(), data: null(), ..chunk(1, &[], &[]) }), sys::OK);
    assert_eq!(host.source.streams.get(1).expect("a stream").counters.newest_ns.load(Relaxed), 0);
    assert_eq!(host.push(&chunk(99, &[], &[])), sys::EINVAL);
}

#[test]
fn exchanges_that_cannot_be_read_are_counted() {
    let host = Host::new();
    assert_eq!(call!(host, add_clock, &clock_info(text_of("c")), &mut 0), sys::OK);
    assert_eq!(call!(host, push_exchanges, 1, without_provenance(4097), 3), sys::EINVAL);
    let clock = host.source.clocks.get(1).expect("a clock");
    assert_eq!(clock.companion.counters.rejected.load(Relaxed), 3);
}

#[test]
fn texts_for_people_are_taken_as_far_as_they_can_be_read() {
    let host = Host::with_streams();
    call!(host, log, sys::LOG_WARN, bytes_of(b"K\xfchler\nzu\x1b[2J hei\xdf"));
    assert_eq!(host.last_line(), "K\u{fffd}hler zu\u{fffd}[2J hei\u{fffd}");
    assert_eq!(call!(host, report_gap, 1, 1, bytes_of(b"\xff")), sys::OK);
    assert_eq!(call!(host, set_state, 0, sys::STATE_DEGRADED, bytes_of(b"\xff")), sys::OK);
    assert_eq!(host.source.state().1, "\u{fffd}");
    assert_eq!(call!(host, event, 0, bytes_of(b"\xff"), text_of("{}")), sys::OK);
    call!(host, config_error, text_of("/a"), bytes_of(b"\xff"));
    call!(host, config_error, text_of("/b"), sys::Str::EMPTY);
    let problems = host.table.take_config_problems();
    assert_eq!(problems[0], ConfigProblem { path: "/a".to_owned(), message: "\u{fffd}".to_owned() });
    assert!(problems[1].message.contains("refused"));
    let long = "x".repeat(10_000);
    call!(host, log, sys::LOG_ERROR, text_of(&long));
    assert_eq!(host.table.take_errors()[0].len(), 4096);
}

#[test]
fn texts_that_identify_must_be_utf_8() {
    let host = Host::with_streams();
    let latin = bytes_of(b"\xe9");
    assert_eq!(call!(host, add_clock, &clock_info(latin), &mut 0), sys::EINVAL);
    let channel = sys::Channel { label: latin, unit: sys::Str::EMPTY, r#type: sys::Str::EMPTY };
    let good = stream_info(text_of("s"), sys::INT16);
    for bad in [
        sys::StreamInfo { name: latin, ..good },
        sys::StreamInfo { desc_xml: latin, ..good },
        sys::StreamInfo { channels: &channel, ..good },
    ] {
        assert_eq!(host.add_stream(&bad), sys::EINVAL);
        assert!(host.last_line().contains("is not UTF-8"));
    }
    assert_eq!(call!(host, event, 0, text_of("e"), latin), sys::EINVAL);
}

#[test]
fn a_number_of_lost_samples_that_cannot_be_is_refused() {
    let host = Host::with_streams();
    let lost = |n: u64| call!(host, report_gap, 1, n, text_of("why"));
    assert_eq!(lost(7), sys::OK);
    assert_eq!(lost(sys::UNKNOWN_COUNT), sys::OK);
    assert_eq!(lost(0), sys::OK);
    for mistake in [(1 << 62) + 1, u64::MAX - 1, 0u64.wrapping_sub(5)] {
        assert_eq!(lost(mistake), sys::EINVAL);
        assert!(host.last_line().contains(&format!("{mistake} lost samples is no count")));
    }
    assert_eq!(host.counted(1, |c| &c.lost), 7);
    assert_eq!(host.counted(1, |c| &c.gaps_of_unknown_size), 1);
    assert_eq!(lost(1 << 62), sys::OK);
}

#[test]
fn before_the_start_and_after_the_stop_nothing_is_recorded() {
    let host = Host::with_streams();
    host.table.close();
    let stamps = [1.0];
    assert_eq!(call!(host, add_clock, &clock_info(text_of("c")), &mut 0), sys::ESTATE);
    assert_eq!(host.add_stream(&stream_info(text_of("s"), sys::INT16)), sys::ESTATE);
    assert_eq!(host.push(&chunk(1, &stamps, &[1])), sys::ESTATE);
    assert_eq!(call!(host, push_exchanges, 1, null(), 0), sys::ESTATE);
    assert_eq!(call!(host, clock_reset, 1, sys::Str::EMPTY), sys::ESTATE);
    assert_eq!(call!(host, report_gap, 1, 1, sys::Str::EMPTY), sys::ESTATE);
    assert_eq!(call!(host, set_state, 0, sys::STATE_LOST, sys::Str::EMPTY), sys::ESTATE);
    assert_eq!(call!(host, event, 0, text_of("e"), sys::Str::EMPTY), sys::ESTATE);
    assert!(call!(host, now) > 0.0);
    call!(host, log, sys::LOG_INFO, text_of("still heard"));
    assert_eq!(host.last_line(), "still heard");
    assert!(!call!(host, get_extension, sys::EXT_SOURCE_INFO.as_ptr()).is_null());
}

#[test]
fn extensions_are_found_by_name() {
    let host = Host::new();
    let found = call!(host, get_extension, sys::EXT_PROBE_SETTINGS.as_ptr());
    // SAFETY: the extension of this name, by the header.
    let settings = unsafe { sys::read(found.cast::<sys::ProbeSettings>()) }.expect("settings");
    assert_eq!((settings.probes_per_burst, settings.interval_s), (8, 5.0));
    assert!(call!(host, get_extension, c"unheard of".as_ptr()).is_null());
}

#[test]
fn files_beside_the_recording_are_made_appended_to_and_refused() {
    let host = Host::new();
    let table = host.table.table;
    let get = table.get_extension.expect("the host has it");
    // SAFETY: a terminated name; the table of this name is static.
    let files = unsafe { &*get(table.ctx, sys::EXT_SIDE_FILES.as_ptr()).cast::<sys::SideFiles>() };
    let (create, append) = (files.create.expect("there"), files.append.expect("there"));
    let new =
        || sys::SideFile { struct_size: size_of::<sys::SideFile>() as u32, id: 0, file_name: text_of("") };
    let mut made = new();
    let make = |what: &str, out: *mut sys::SideFile| {
        // SAFETY: as a plugin calls it, with what lives for the call or is not to be written.
        unsafe { create(table.ctx, text_of(what), text_of("h264"), out) }
    };
    assert_eq!(make("scene", &mut made), sys::ESTATE, "there is no recording yet");
    let dir = tempfile::tempdir().expect("a folder");
    host.source.shared().side_files.set_recording(&dir.path().join("rec.xdf"));
    assert_eq!(make("a/b", &mut new()), sys::EINVAL);
    assert!(host.last_line().contains("a/b"));
    assert_eq!(make("scene", null_mut()), sys::EINVAL);
    assert_eq!(make("scene", &mut made), sys::OK);
    // SAFETY: the host keeps it for ever.
    assert_eq!((made.id, unsafe { made.file_name.as_str() }), (1, Some("rec_it_scene.h264")));
    let mut offset = 99;
    // SAFETY: bytes and place that live for the call, or none.
    unsafe {
        assert_eq!(append(table.ctx, 1, b"ab".as_ptr().cast(), 2, &mut offset), sys::OK);
        assert_eq!(append(table.ctx, 1, b"c".as_ptr().cast(), 1, null_mut()), sys::OK);
        assert_eq!(offset, 0);
        assert_eq!(append(table.ctx, 1, null(), 3, &mut offset), sys::EINVAL);
        assert_eq!(append(table.ctx, 2, b"ab".as_ptr().cast(), 2, &mut offset), sys::EINVAL);
    }
    std::fs::remove_dir_all(dir.path()).expect("it is there");
    assert_eq!(make("eyes", &mut new()), sys::EIO);
}
