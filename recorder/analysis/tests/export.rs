//! Recordings made with the encoder, exported and read back: by the Parquet crate's reader, the CSV
//! reader, our own XDF reader.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use lockstep_analysis::export::{ExportError, ExportOptions, Exported, Format, export};
use lockstep_analysis::{Query, Recording, SyncOptions, Synchronizer, open};
use lockstep_clock::{DejitterMethod, Method};
use lockstep_xdf::{
    ChannelFormat, Columns, Element, SampleBlock, SampleEncoder, Selection, StreamFooter, StreamInfo, encode,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// Host minus device of the simulated device.
const OFFSET_S: f64 = -250.0;

/// A device clock with exchanges, a stream of two channels on it, and markers of the recorder.
fn recording_bytes() -> Vec<u8> {
    recording_with(false)
}

/// The same, and whether the first stream came with a header, which names a clock of another system.
fn recording_with(origin: bool) -> Vec<u8> {
    let text = |name: &str, text: &str| Element::new(name).with_text(text);
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info><version>1.0</version><recorder>Lockstep 0.1.0</recorder></info>");

    let mut gaze = StreamInfo::new("Gaze/left", "Gaze", 2, 100.0, ChannelFormat::Float32);
    let mut channels = Element::new("channels");
    for label in ["x", "x"] {
        channels.push_child(Element::new("channel").with_child(text("label", label)));
    }
    gaze.desc.push_child(channels);
    let clock = Element::new("clock").with_child(text("name", "phone")).with_child(text("stream_id", "2"));
    if origin {
        let foreign =
            Element::new("clock").with_child(text("name", "foreign")).with_child(text("stream_id", "3"));
        gaze.desc.push_child(foreign);
        let source = Element::new("acquisition").with_child(text("source", "LSL"));
        gaze.desc.push_child(Element::new("lockstep").with_child(source).with_child(clock));
    } else {
        gaze.desc.push_child(clock);
    }
    gaze.desc.push_child(Element::new("synchronization").with_child(text("offset_mean", "0.5")));
    encode::stream_header(&mut file, 1, &gaze.to_xml());
    let mut exchanges = StreamInfo::new("phone-clock", "ClockExchange", 4, 0.0, ChannelFormat::Double64);
    exchanges.desc.push_child(Element::new("clock").with_child(text("name", "phone")));
    encode::stream_header(&mut file, 2, &exchanges.to_xml());
    let markers = StreamInfo::new("Markers", "Markers", 1, 0.0, ChannelFormat::String);
    encode::stream_header(&mut file, 3, &markers.to_xml());

    let mut samples = SampleEncoder::new(ChannelFormat::Float32, 2, 100.0);
    let mut bursts = SampleEncoder::new(ChannelFormat::Double64, 4, 0.0);
    let mut texts = SampleEncoder::new(ChannelFormat::String, 1, 0.0);
    for second in 0..60u32 {
        let host_s = 1000.0 + f64::from(second);
        for k in 0..100u32 {
            let values = [second as f32, k as f32 / 128.0].map(f32::to_ne_bytes).concat();
            samples.push(&[host_s - OFFSET_S + f64::from(k) / 100.0], &values).unwrap();
        }
        let (t0, t1, t3) = (host_s, host_s + 0.001 - OFFSET_S, host_s + 0.002);
        let exchange = [t0, t1, t1, t3].map(f64::to_ne_bytes).concat();
        bursts.push(&[t3], &exchange).unwrap();
        let mark = if second == 7 { "say \"hi\", Müller\n".to_owned() } else { format!("m{second}") };
        texts.push_strings(&[host_s], std::iter::once(mark.as_str())).unwrap();
        encode::samples(&mut file, 1, &samples.take(SampleBlock::default()));
        encode::samples(&mut file, 2, &bursts.take(SampleBlock::default()));
        encode::samples(&mut file, 3, &texts.take(SampleBlock::default()));
        encode::clock_offset(&mut file, 1, host_s + 0.001 - OFFSET_S, OFFSET_S);
    }
    for id in 1..=3 {
        let sample_count = if id == 1 { 6000 } else { 60 };
        encode::stream_footer(
            &mut file,
            id,
            &StreamFooter { sample_count, ..StreamFooter::default() }.to_xml(),
        );
    }
    file
}

fn written(dir: &Path, bytes: &[u8]) -> Recording {
    let path = dir.join("P01.xdf");
    std::fs::write(&path, bytes).unwrap();
    open(&path, &mut |_| {}).unwrap()
}

fn options(format: Format) -> ExportOptions {
    ExportOptions {
        format,
        streams: Vec::new(),
        from_s: None,
        to_s: None,
        sync: SyncOptions { dejitter: DejitterMethod::None, ..SyncOptions::default() },
        overwrite: false,
    }
}

fn exported(recording: &Recording, dir: &Path, options: &ExportOptions) -> Exported {
    let mut last = 0;
    let exported = export(recording, dir, options, &mut |progress| {
        assert!(progress.done >= last && progress.done <= progress.of, "progress goes on");
        last = progress.done;
    });
    exported.unwrap()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn parquet_has_times_errors_values_and_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    let exported = exported(&recording, &dir.path().join("out"), &options(Format::Parquet));
    assert_eq!(exported.streams.iter().map(|s| s.rows).collect::<Vec<_>>(), [6000, 60, 60]);
    assert!(exported.damage.is_empty());

    let file = std::fs::File::open(dir.path().join("out/Gaze_left.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<_> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    let times = ["time_s", "device_time_s", "time_sigma_s", "time_sigma_relative_s", "time_bound_s"];
    assert_eq!(names, [&times[..], &["x", "x_2"]].concat());
    let mut rows = 0u32;
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let fields: Vec<_> = row.get_column_iter().map(|(_, field)| field.clone()).collect();
        let (Field::Double(time_s), Field::Double(device_s), Field::Double(bound_s)) =
            (&fields[0], &fields[1], &fields[4])
        else {
            panic!("{row}")
        };
        // The header's offset_mean is subtracted.
        assert!((time_s - (device_s + OFFSET_S - 0.5)).abs() < 1e-4, "{row}");
        assert!((0.001..0.01).contains(bound_s), "half the round trip: {row}");
        assert_eq!(fields[5], Field::Float((rows / 100) as f32));
        assert_eq!(fields[6], Field::Float((rows % 100) as f32 / 128.0));
        rows += 1;
    }
    assert_eq!(rows, 6000);
    let beside = json(&dir.path().join("out/Gaze_left.json"));
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let inside =
        pairs.iter().find(|pair| pair.key == "lockstep").and_then(|pair| pair.value.clone()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&inside).unwrap(), beside);
    assert_eq!(beside["clock"]["name"], "phone");
    assert_eq!(beside["clock"]["exchanges"], 60);
    assert_eq!(beside["synchronization"]["offset_mean_s"], 0.5);
    assert_eq!(beside["synchronization"]["offset_mean_subtracted"], true);
    assert_eq!(beside["effective_rate_hz"].as_f64().map(f64::round), Some(100.0));
    let markers = json(&dir.path().join("out/Markers.json"));
    assert_eq!(markers["synchronization"]["stamped_by"], "recorder");
}

#[test]
fn csv_is_read_back_exactly_and_within_the_wanted_time() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    // The recording starts with the stream whose offset_mean was subtracted, at 999.5 s.
    let options = ExportOptions {
        streams: vec!["Markers".parse::<Query>().unwrap()],
        from_s: Some(5.4),
        to_s: Some(10.5),
        ..options(Format::Csv)
    };
    exported(&recording, dir.path(), &options);
    let mut reader = csv::Reader::from_path(dir.path().join("Markers.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let marks: Vec<&str> = rows.iter().map(|row| &row[5]).collect();
    assert_eq!(marks, ["m5", "m6", "say \"hi\", Müller\n", "m8", "m9"]);
    assert_eq!(rows[0][0].parse::<f64>().unwrap(), 1005.0);
    assert_eq!(&rows[0][2], "0.0", "the recorder's own clock");
    assert!(!dir.path().join("Gaze_left.csv").exists());
}

#[test]
fn a_synchronized_file_is_right_without_any_correction() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    exported(&recording, dir.path(), &options(Format::Xdf));
    let back = open(&dir.path().join("P01_synchronized.xdf"), &mut |_| {}).unwrap();
    assert!(back.scan.damage.is_empty());
    assert_eq!(back.scan.streams.len(), 3);
    assert!(back.scan.streams.iter().all(|stream| stream.clock_offsets.is_empty()));
    let load = |recording: &Recording| {
        let wanted: Vec<_> = (0..3).map(|stream| (stream, Selection::default())).collect();
        lockstep_xdf::load(recording.source(), &recording.scan, &wanted, 1, &|_| {}).unwrap()
    };
    let (before, after) = (load(&recording), load(&back));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.values, after.values);
    }
    let shifts = before[0].time_stamps_s.iter().zip(&after[0].time_stamps_s);
    assert!(shifts.into_iter().all(|(b, a)| (a - b - OFFSET_S + 0.5).abs() < 1e-4));
    assert_eq!(before[2].time_stamps_s, after[2].time_stamps_s);
    let desc = &back.scan.streams[0].info.desc;
    assert_eq!(desc.text_at("synchronization/offset_mean"), Some("0"), "nobody subtracts it again");
    assert_eq!(desc.text_at("lockstep_synchronized/offset_mean_subtracted"), Some("0.5"));
    assert!(desc.child("clock").is_none());
    // Exported again, nothing moves.
    let synchronizer = Synchronizer::new(&back, SyncOptions::default()).unwrap();
    let timing = synchronizer.time(0, &mut |_| {}).unwrap();
    assert!((timing.first_time_s.unwrap() - after[0].time_stamps_s[0]).abs() < 1e-6);
}

#[test]
fn the_clock_of_a_stream_that_came_with_a_header_is_in_the_recorders_part() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_with(true));
    let clocks = lockstep_analysis::Clocks::read(&recording).unwrap();
    assert_eq!(clocks.of(0).map(|clock| (clock.name.as_str(), clock.companion)), Some(("phone", Some(1))));
    assert_eq!(lockstep_analysis::check::source_of(&recording.scan.streams[0]), Some("LSL"));
    let measured = lockstep_analysis::plot::measured_clocks(&recording, &clocks).unwrap();
    assert_eq!(measured.iter().map(|clock| clock.name.as_str()).collect::<Vec<_>>(), ["phone"]);
    exported(&recording, dir.path(), &options(Format::Xdf));
    let back = open(&dir.path().join("P01_synchronized.xdf"), &mut |_| {}).unwrap();
    let desc = &back.scan.streams[0].info.desc;
    assert_eq!(desc.text_at("clock/name"), Some("foreign"), "what it came with stays");
    assert_eq!(desc.text_at("lockstep/clock/name"), None, "nobody corrects it again");
    assert_eq!(desc.text_at("lockstep_synchronized/clock/name"), Some("phone"));
}

#[test]
fn an_archive_has_each_array_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    exported(&recording, dir.path(), &options(Format::Npz));
    let bytes = std::fs::read(dir.path().join("Gaze_left.npz")).unwrap();
    // "time_s.npy" is first: 30 bytes, the name, 20 bytes of ZIP64, 128 of NPY header.
    let data = 30 + "time_s.npy".len() + 20 + 128;
    assert_eq!(&bytes[data - 128..data - 122], b"\x93NUMPY");
    let first = f64::from_le_bytes(bytes[data..data + 8].try_into().unwrap());
    assert!((first - 999.5).abs() < 1e-4);
    let directory = bytes.windows(4).filter(|four| four == b"PK\x01\x02").count();
    assert_eq!(directory, 7);
}

#[test]
fn streams_are_chosen_or_the_error_helps() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    let count = |query: &str| {
        let options =
            ExportOptions { streams: vec![query.parse().unwrap()], overwrite: true, ..options(Format::Csv) };
        export(&recording, dir.path(), &options, &mut |_| {}).map(|exported| exported.streams.len())
    };
    for query in ["name=Markers", "type=Gaze", "id=3", "clock=phone", "ClockExchange"] {
        assert_eq!(count(query).unwrap(), 1, "{query}");
    }
    let error = count("name=Marker").unwrap_err().to_string();
    assert!(error.contains("did you mean \"Markers\"?") && error.contains("id 3"), "{error}");
    assert!("id=x".parse::<Query>().is_err());
}

#[test]
fn nothing_is_overwritten_and_nothing_partial_stays() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("phone-clock.json"), "mine").unwrap();
    let failed = export(&recording, &out, &options(Format::Parquet), &mut |_| {});
    assert!(matches!(failed, Err(ExportError::Exists { .. })));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
    assert_eq!(std::fs::read(out.join("phone-clock.json")).unwrap(), b"mine");
}

#[test]
fn damage_is_told_and_the_rest_is_exported() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = recording_bytes();
    bytes.truncate(bytes.len() * 2 / 3);
    let recording = written(dir.path(), &bytes);
    let exported = exported(&recording, dir.path(), &options(Format::Csv));
    assert!(!exported.damage.is_empty());
    assert!(exported.streams[0].rows > 3000);
    let json = json(&dir.path().join("Gaze_left.json"));
    assert!(json["recording"]["damage"].as_array().is_some_and(|list| !list.is_empty()), "{json}");
}

#[test]
fn a_known_asymmetry_moves_the_times_and_an_unknown_clock_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let recording = written(dir.path(), &recording_bytes());
    let first_s = |asymmetry_s: f64| {
        let options = SyncOptions {
            method: Method::Mean,
            dejitter: DejitterMethod::None,
            asymmetry_s: vec![("phone".to_owned(), asymmetry_s)],
            ..SyncOptions::default()
        };
        let synchronizer = Synchronizer::new(&recording, options).unwrap();
        synchronizer.time(0, &mut |_| {}).unwrap().first_time_s.unwrap()
    };
    assert!(((first_s(0.0) - first_s(3e-4)).abs() - 3e-4).abs() < 1e-9);
    let wrong = SyncOptions { asymmetry_s: vec![("phon".to_owned(), 0.0)], ..SyncOptions::default() };
    let error = Synchronizer::new(&recording, wrong).unwrap_err().to_string();
    assert!(error.contains("phone"), "{error}");
}

#[test]
fn times_can_be_made_to_rise() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info><version>1.0</version></info>");
    let info = StreamInfo::new("Keys", "Markers", 1, 0.0, ChannelFormat::Int64);
    encode::stream_header(&mut file, 1, &info.to_xml());
    let mut samples = SampleEncoder::new(ChannelFormat::Int64, 1, 0.0);
    let values: Vec<u8> = (0..4i64).flat_map(i64::to_ne_bytes).collect();
    samples.push(&[5.0, 5.0, 4.0, 6.0], &values).unwrap();
    encode::samples(&mut file, 1, &samples.take(SampleBlock::default()));
    let recording = written(dir.path(), &file);
    let options = SyncOptions { strictly_increasing: true, ..SyncOptions::default() };
    let synchronizer = Synchronizer::new(&recording, options).unwrap();
    let timing = synchronizer.time(0, &mut |_| {}).unwrap();
    let mut blocks = timing.blocks(None);
    let block = blocks.next_block().unwrap().unwrap();
    let up = 5f64.next_up();
    assert_eq!(block.times.time_s, [5.0, up, up.next_up(), 6.0]);
    assert_eq!(block.times.sigma_total_s, [f64::INFINITY; 4], "nothing was measured");
    assert!(matches!(block.values, Columns::Int64(list) if list[0] == [0, 1, 2, 3]));
    assert_eq!(blocks.pushed_up().0, 2);
}
