//! For tests: recordings written sample by sample, of clocks whose truth is known.
//!
//! Also used by end-to-end tests, which include this file.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use lockstep_sim::clock::SimClock;
use lockstep_xdf::{ChannelFormat, Element, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode};

/// Draws that depend on the seed alone.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        let mut draws = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1);
        for _ in 0..8 {
            draws.unit();
        }
        draws
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// Exchanges of one clock with another, bursts of `probes`: `[t0, t1, t2, t3]` each. Times of bursts are
/// true times; both ways take `delay_s` and an exponential tail.
pub fn exchanges(
    asks: &SimClock,
    answers: &SimClock,
    (from_s, to_s, every_s): (f64, f64, f64),
    probes: u32,
    (there_s, back_s, jitter_s): (f64, f64, f64),
    draws: &mut Draws,
) -> Vec<[f64; 4]> {
    let mut out = Vec::new();
    let mut burst_s = from_s;
    while burst_s < to_s {
        for probe in 0..probes {
            let sent_s = burst_s + 0.02 * f64::from(probe);
            let came_s = sent_s + there_s + draws.exponential(jitter_s);
            let left_s = came_s + 20e-6;
            let back_s = left_s + back_s + draws.exponential(jitter_s);
            out.push([
                asks.device_time_s(sent_s),
                answers.device_time_s(came_s),
                answers.device_time_s(left_s),
                asks.device_time_s(back_s),
            ]);
        }
        burst_s += every_s;
    }
    out
}

/// A recording under way, in memory.
pub struct Written {
    bytes: Vec<u8>,
}

impl Written {
    /// Of this recorder: "Lockstep ..." or anything else.
    pub fn new(recorder: &str) -> Self {
        let mut bytes = Vec::new();
        let xml = format!("<info><version>1.0</version><recorder>{recorder}</recorder></info>");
        encode::file_header(&mut bytes, &xml);
        Self { bytes }
    }

    /// A header with the clock that stamps the stream.
    pub fn info(
        name: &str,
        kind: &str,
        rate_hz: f64,
        format: ChannelFormat,
        clock: Option<&str>,
    ) -> StreamInfo {
        let mut info = StreamInfo::new(name, kind, 1, rate_hz, format);
        if let Some(clock) = clock {
            let name = Element::new("name").with_text(clock);
            info.desc.push_child(Element::new("clock").with_child(name));
        }
        info
    }

    pub fn offset_mean(info: &mut StreamInfo, offset_mean_s: f64) {
        let value = Element::new("offset_mean").with_text(offset_mean_s.to_string());
        info.desc.push_child(Element::new("synchronization").with_child(value));
    }

    fn samples(
        &mut self,
        id: u32,
        info: &StreamInfo,
        stamps_s: &[f64],
        offsets: &[(f64, f64)],
        push: impl Fn(&mut SampleEncoder, usize, usize),
    ) {
        encode::stream_header(&mut self.bytes, id, &info.to_xml());
        let mut encoder = SampleEncoder::new(info.format, info.channel_count, info.nominal_rate_hz);
        let mut from = 0;
        while from < stamps_s.len() {
            let to = stamps_s.len().min(from + 5000);
            push(&mut encoder, from, to);
            encode::samples(&mut self.bytes, id, &encoder.take(SampleBlock::default()));
            from = to;
        }
        for &(time_s, offset_s) in offsets {
            encode::clock_offset(&mut self.bytes, id, time_s, offset_s);
        }
        let footer = StreamFooter {
            first_timestamp_s: stamps_s.first().copied(),
            last_timestamp_s: stamps_s.last().copied(),
            sample_count: stamps_s.len() as u64,
            clock_offsets: offsets.to_vec(),
            ..StreamFooter::default()
        };
        encode::stream_footer(&mut self.bytes, id, &footer.to_xml());
    }

    /// One channel of single precision.
    pub fn floats(&mut self, id: u32, info: &StreamInfo, stamps_s: &[f64], values: &[f32]) {
        self.samples(id, info, stamps_s, &[], |encoder, from, to| {
            let bytes: Vec<u8> = values[from..to].iter().flat_map(|value| value.to_ne_bytes()).collect();
            encoder.push(&stamps_s[from..to], &bytes).unwrap();
        });
    }

    /// One channel of texts, with clock offsets.
    pub fn texts(
        &mut self,
        id: u32,
        info: &StreamInfo,
        stamps_s: &[f64],
        texts: &[String],
        offsets: &[(f64, f64)],
    ) {
        self.samples(id, info, stamps_s, offsets, |encoder, from, to| {
            encoder.push_strings(&stamps_s[from..to], texts[from..to].iter().map(String::as_str)).unwrap();
        });
    }

    /// The exchanges of a clock.
    pub fn exchanges(
        &mut self,
        id: u32,
        clock: &str,
        domain: &str,
        exchanges: &[[f64; 4]],
        more: &[Element],
    ) {
        let mut info =
            StreamInfo::new(format!("{clock}-exchanges"), "ClockExchange", 4, 0.0, ChannelFormat::Double64);
        let texts = [("name", clock), ("domain", domain), ("resolution_s", "0"), ("stamp", "exact")];
        let children = texts.map(|(name, text)| Element::new(name).with_text(text));
        info.desc.push_child(children.into_iter().fold(Element::new("clock"), Element::with_child));
        info.desc.children.extend_from_slice(more);
        let stamps_s: Vec<f64> = exchanges.iter().map(|exchange| exchange[3]).collect();
        self.samples(id, &info, &stamps_s, &[], |encoder, from, to| {
            let bytes: Vec<u8> = exchanges[from..to].iter().flatten().flat_map(|t| t.to_ne_bytes()).collect();
            encoder.push(&stamps_s[from..to], &bytes).unwrap();
        });
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}
