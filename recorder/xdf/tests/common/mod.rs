//! Files for the tests, made with the recorder's own encoder, and what must be read from them.
#![allow(dead_code, clippy::unwrap_used, reason = "tests; each test file uses a part")]

use lockstep_xdf::{
    ChannelFormat, Columns, Damage, DamageReason, SampleBlock, SampleEncoder, Scan, Selection, StreamData,
    StreamInfo, encode, load, scan,
};

/// One stream to be written.
#[derive(Clone, Debug)]
pub struct Spec {
    pub id: u32,
    pub format: ChannelFormat,
    pub channels: usize,
    pub rate_hz: f64,
    /// One list of stamps per chunk.
    pub chunks: Vec<Vec<f64>>,
}

/// A file, where its chunks lie, and what is in it.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub bytes: Vec<u8>,
    pub expected: Vec<StreamData>,
    /// Begin and end of every Samples chunk, with the index of its stream and of its first sample.
    pub chunks: Vec<(std::ops::Range<usize>, usize, usize)>,
}

/// A value that no other sample has, as far as the format allows.
fn number(sample: usize, channel: usize) -> u64 {
    (sample as u64 * 1009 + channel as u64 * 31 + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn text(sample: usize, channel: usize) -> String {
    let long = if sample.is_multiple_of(11) { "long ".repeat(60) } else { String::new() };
    format!("{long}é{sample}/{channel}")
}

/// Adds samples to an expected stream and gives their bytes in native order.
fn values(expected: &mut StreamData, samples: std::ops::Range<usize>) -> (Vec<u8>, Vec<String>) {
    let (mut bytes, mut texts) = (Vec::new(), Vec::new());
    for sample in samples {
        macro_rules! push {
            ($list:expr, $type:ty) => {
                for (channel, column) in $list.iter_mut().enumerate() {
                    let raw = number(sample, channel).to_le_bytes();
                    let value = <$type>::from_le_bytes(raw[..size_of::<$type>()].try_into().unwrap());
                    // NaN is not equal to itself.
                    let value = if value == value { value } else { 1 as $type };
                    column.push(value);
                    bytes.extend_from_slice(&value.to_ne_bytes());
                }
            };
        }
        #[allow(clippy::eq_op, clippy::unnecessary_cast)]
        match &mut expected.values {
            Columns::Int8(list) => push!(list, i8),
            Columns::Int16(list) => push!(list, i16),
            Columns::Int32(list) => push!(list, i32),
            Columns::Int64(list) => push!(list, i64),
            Columns::Float32(list) => push!(list, f32),
            Columns::Double64(list) => push!(list, f64),
            Columns::Text(list) => {
                for (channel, column) in list.iter_mut().enumerate() {
                    let text = text(sample, channel);
                    column.push(&text);
                    texts.push(text);
                }
            }
        }
    }
    (bytes, texts)
}

/// Writes the streams, their chunks in turn, with offsets and boundaries between and footers last.
pub fn file(specs: &[Spec]) -> File {
    let mut file = File::default();
    encode::file_header(&mut file.bytes, "<?xml version=\"1.0\"?><info><version>1.0</version></info>");
    let mut encoders = Vec::new();
    for spec in specs {
        let info = StreamInfo::new(format!("S{}", spec.id), "Test", spec.channels, spec.rate_hz, spec.format);
        encode::stream_header(&mut file.bytes, spec.id, &info.to_xml());
        encoders.push(SampleEncoder::new(spec.format, spec.channels, spec.rate_hz));
        file.expected.push(StreamData::empty(spec.format, spec.channels));
    }
    let rounds = specs.iter().map(|spec| spec.chunks.len()).max().unwrap_or(0);
    for round in 0..rounds {
        for (index, spec) in specs.iter().enumerate() {
            let Some(stamps) = spec.chunks.get(round) else {
                continue;
            };
            let expected = &mut file.expected[index];
            let first = expected.time_stamps_s.len();
            let (bytes, texts) = values(expected, first..first + stamps.len());
            if spec.format == ChannelFormat::String {
                encoders[index].push_strings(stamps, texts.iter().map(String::as_str)).unwrap();
            } else {
                encoders[index].push(stamps, &bytes).unwrap();
            }
            expected.time_stamps_s.extend_from_slice(stamps);
            let begin = file.bytes.len();
            encode::samples(&mut file.bytes, spec.id, &encoders[index].take(SampleBlock::default()));
            file.chunks.push((begin..file.bytes.len(), index, first));
            if round % 5 == 4 {
                encode::clock_offset(&mut file.bytes, spec.id, stamps.last().copied().unwrap_or(0.0), -0.5);
            }
        }
        if round % 10 == 9 {
            encode::boundary(&mut file.bytes);
        }
    }
    for spec in specs {
        encode::stream_footer(&mut file.bytes, spec.id, "<?xml version=\"1.0\"?><info></info>");
    }
    file
}

/// Stamps as the recorder of a regular stream gets them: exact multiples, now and then a jump.
pub fn regular(from_s: f64, rate_hz: f64, chunks: usize, per_chunk: usize) -> Vec<Vec<f64>> {
    let mut last_s = from_s;
    let mut next = || {
        last_s += 1.0 / rate_hz;
        last_s
    };
    (0..chunks).map(|_| (0..per_chunk).map(|_| next()).collect()).collect()
}

/// Stamps that no reader can compute.
pub fn irregular(from_s: f64, chunks: usize, per_chunk: usize) -> Vec<Vec<f64>> {
    let stamp = |n: usize| from_s + n as f64 * 0.01 + (n % 7) as f64 * 1e-5;
    (0..chunks).map(|c| (0..per_chunk).map(|n| stamp(c * per_chunk + n)).collect()).collect()
}

/// Everything that a file gives: by load with one and with two threads and by blocks, which must
/// agree.
pub fn read(bytes: &[u8]) -> (Scan, Vec<StreamData>) {
    let bytes = bytes.to_vec();
    let scan = scan(&bytes, &mut |_| {}).unwrap();
    let wanted: Vec<_> = (0..scan.streams.len()).map(|index| (index, Selection::default())).collect();
    let one = load(&bytes, &scan, &wanted, 1, &|_| {}).unwrap();
    let two = load(&bytes, &scan, &wanted, 2, &|_| {}).unwrap();
    assert_same(&one, &two, "one thread and two");
    let blocks: Vec<_> = (0..scan.streams.len()).map(|index| read_blocks(&bytes, &scan, index)).collect();
    assert_same(&one, &blocks, "load and blocks");
    for (stream, data) in scan.streams.iter().zip(&one) {
        let lost: u64 = data.damage.iter().filter_map(|damage| damage.samples_lost).sum();
        let recounted = |damage: &Damage| matches!(damage.reason, DamageReason::WrongCount { .. });
        if data.damage_left_out == 0 && !data.damage.iter().any(recounted) {
            assert_eq!(data.len() as u64 + lost, stream.sample_count, "{:?}", data.damage);
        }
    }
    (scan, one)
}

fn read_blocks(bytes: &[u8], scan: &Scan, index: usize) -> StreamData {
    let stream = &scan.streams[index];
    let mut all = StreamData::empty(stream.info.format, stream.info.channel_count);
    let mut blocks = scan.blocks(&bytes, index, Selection::default());
    while let Some(block) = blocks.next_block().unwrap() {
        assert_eq!(block.first_sample, all.time_stamps_s.len() as u64);
        all.time_stamps_s.extend_from_slice(&block.data.time_stamps_s);
        macro_rules! join {
            ($($kind:ident),*) => {
                match (&mut all.values, &block.data.values) {
                    $((Columns::$kind(list), Columns::$kind(more)) => {
                        list.iter_mut().zip(more).for_each(|(column, more)| column.extend_from_slice(more));
                    })*
                    (Columns::Text(list), Columns::Text(more)) => {
                        for (column, more) in list.iter_mut().zip(more) {
                            more.iter().for_each(|text| column.push(text));
                        }
                    }
                    _ => panic!("another format"),
                }
            };
        }
        join!(Int8, Int16, Int32, Int64, Float32, Double64);
    }
    all.damage = blocks.damage().to_vec();
    all
}

/// Compares bit by bit, because NaN is not equal to itself.
fn assert_same(a: &[StreamData], b: &[StreamData], which: &str) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.damage, b.damage, "{which}");
        assert!(digest(a) == digest(b), "{which} differ");
    }
}

/// All stamps and values of a stream as bytes.
pub fn digest(data: &StreamData) -> Vec<u8> {
    let mut all: Vec<u8> = data.time_stamps_s.iter().flat_map(|s| s.to_le_bytes()).collect();
    macro_rules! add {
        ($($kind:ident),*) => {
            match &data.values {
                $(Columns::$kind(list) => {
                    all.extend(list.iter().flatten().flat_map(|value| value.to_le_bytes()));
                })*
                Columns::Text(list) => {
                    list.iter().for_each(|c| c.iter().for_each(|text| all.extend(format!("{text}\0").bytes())));
                }
            }
        };
    }
    add!(Int8, Int16, Int32, Int64, Float32, Double64);
    all
}

/// Samples of a stream that are exactly as written, by stamp and first value; the rest are wrong.
pub fn right_samples(found: &StreamData, expected: &StreamData) -> usize {
    let rows = |data: &StreamData| -> Vec<Vec<u8>> {
        (0..data.len())
            .map(|row| {
                let mut bytes = data.time_stamps_s[row].to_le_bytes().to_vec();
                macro_rules! add {
                    ($($kind:ident),*) => {
                        match &data.values {
                            $(Columns::$kind(list) => {
                                list.iter().for_each(|column| bytes.extend(column[row].to_le_bytes()));
                            })*
                            Columns::Text(list) => {
                                list.iter().for_each(|column| bytes.extend(format!("{}\0", column.get(row)).bytes()));
                            }
                        }
                    };
                }
                add!(Int8, Int16, Int32, Int64, Float32, Double64);
                bytes
            })
            .collect()
    };
    let expected: std::collections::HashSet<_> = rows(expected).into_iter().collect();
    rows(found).into_iter().filter(|row| expected.contains(row)).count()
}

/// The damage of scan and loaded samples together.
pub fn all_damage(scan: &Scan, data: &[StreamData]) -> Vec<Damage> {
    scan.damage.iter().chain(data.iter().flat_map(|data| &data.damage)).cloned().collect()
}
