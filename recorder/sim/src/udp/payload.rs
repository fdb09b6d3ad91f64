//! Datagrams of samples: the four payloads a generic UDP device may send.
//!
//! | payload | one datagram |
//! |---|---|
//! | `json` | `{"seq":12,"t":1234567,"c0":1.5,"c1":2.5}`; an array of such objects when the device puts several samples into a datagram |
//! | `csv` | one line per sample, `seq,t,c0,c1\n`; text quoted after RFC 4180 |
//! | `binary` | little-endian: `4C 4B 53 31` ("LKS1"), `u32` seq of the first sample, then per sample the stamp (`i64`, or `u32` for a 32-bit counter) and the channels, packed |
//! | `marker` | the text alone, UTF-8; no sequence and no stamp |
//!
//! `seq` counts samples modulo 2^32. `t` is the device's reading in ticks, as its counter shows it.

use std::io::Write as _;

use crate::format::{Value, push_json_string};

use super::config::{CounterWidth, UdpDeviceConfig};

/// First bytes of a binary datagram.
pub const BINARY_MAGIC: [u8; 4] = *b"LKS1";

/// How a device writes its samples into datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payload {
    /// JSON objects with one field per channel.
    Json,
    /// Lines of comma-separated text.
    Csv,
    /// Packed little-endian numbers.
    Binary,
    /// One text, stamped by its arrival.
    Marker,
}

impl Payload {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Binary, Self::Marker];

    /// The name in configuration files, for example `json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Binary => "binary",
            Self::Marker => "marker",
        }
    }
}

/// Writes the datagrams of one device. Pure.
#[derive(Debug, Clone)]
pub struct Encoder {
    payload: Payload,
    counter: CounterWidth,
    json_array: bool,
    /// `,"name":` for each channel.
    json_keys: Vec<Vec<u8>>,
    channels: usize,
}

impl Encoder {
    /// An encoder for the payload, counter and channels of `config`.
    pub fn new(config: &UdpDeviceConfig) -> Self {
        let json_key = |name: &String| {
            let mut key = vec![b','];
            push_json_string(&mut key, name);
            key.push(b':');
            key
        };
        Self {
            payload: config.payload,
            counter: config.counter,
            json_array: config.samples_per_datagram > 1,
            json_keys: config.channel_names.iter().map(json_key).collect(),
            channels: config.channel_names.len().max(1),
        }
    }

    /// Writes one datagram into `out`, which is cleared first.
    ///
    /// `ticks` holds one unwrapped stamp per sample and `values` the channels of each sample after
    /// one another, so `ticks.len() * channels` of them; samples that lack values are left out.
    pub fn encode(&self, first_index: u64, ticks: &[i64], values: &[Value], out: &mut Vec<u8>) {
        out.clear();
        let samples = (first_index..).zip(ticks).zip(values.chunks_exact(self.channels));
        match self.payload {
            Payload::Binary => {
                out.extend_from_slice(&BINARY_MAGIC);
                out.extend_from_slice(&sequence(first_index).to_le_bytes());
                for ((_, ticks), row) in samples {
                    self.push_binary_sample(*ticks, row, out);
                }
            }
            Payload::Csv => {
                for ((index, ticks), row) in samples {
                    self.push_csv_sample(index, *ticks, row, out);
                }
            }
            Payload::Json => {
                let mut separator: &[u8] = if self.json_array { b"[" } else { b"" };
                for ((index, ticks), row) in samples {
                    out.extend_from_slice(separator);
                    self.push_json_sample(index, *ticks, row, out);
                    separator = b",";
                }
                if self.json_array {
                    out.push(b']');
                }
            }
            Payload::Marker => {
                if let Some(text) = values.first() {
                    text.push_text(out);
                }
            }
        }
    }

    fn push_binary_sample(&self, ticks: i64, row: &[Value], out: &mut Vec<u8>) {
        let ticks = self.counter.wrap(ticks);
        match self.counter {
            CounterWidth::Bits32 => out.extend_from_slice(&(ticks as u32).to_le_bytes()),
            CounterWidth::Bits64 => out.extend_from_slice(&ticks.to_le_bytes()),
        }
        for value in row {
            value.push_little_endian(out);
        }
    }

    // Writing into a Vec cannot fail, so the results below carry nothing.

    fn push_csv_sample(&self, index: u64, ticks: i64, row: &[Value], out: &mut Vec<u8>) {
        let _ = write!(out, "{},{}", sequence(index), self.counter.wrap(ticks));
        for value in row {
            out.push(b',');
            value.push_csv(out);
        }
        out.push(b'\n');
    }

    fn push_json_sample(&self, index: u64, ticks: i64, row: &[Value], out: &mut Vec<u8>) {
        let ticks = self.counter.wrap(ticks);
        let _ = write!(out, "{{\"seq\":{},\"t\":{ticks}", sequence(index));
        for (key, value) in self.json_keys.iter().zip(row) {
            out.extend_from_slice(key);
            value.push_json(out);
        }
        out.push(b'}');
    }
}

/// The sequence number of a sample: its index modulo 2^32.
const fn sequence(index: u64) -> u32 {
    index as u32
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::format::Format;
    use crate::udp::config::default_channel_names;

    fn encode(change: impl FnOnce(&mut UdpDeviceConfig), ticks: &[i64], values: &[Value]) -> Vec<u8> {
        let mut config = UdpDeviceConfig::new("d", SocketAddr::from(([127, 0, 0, 1], 1)));
        change(&mut config);
        config.channel_names = default_channel_names(values.len() / ticks.len());
        let mut out = b"old".to_vec();
        Encoder::new(&config).encode((1 << 32) + 12, ticks, values, &mut out);
        out
    }

    fn text(change: impl FnOnce(&mut UdpDeviceConfig), ticks: &[i64], values: &[Value]) -> String {
        String::from_utf8(encode(change, ticks, values)).expect("text payload")
    }

    #[test]
    fn binary_is_magic_sequence_then_stamped_samples() {
        let values = [Value::Int16(-2), Value::Int16(3), Value::Int16(4), Value::Int16(i16::MIN)];
        let bytes = encode(|c| c.format = Format::Int16, &[0x0102, -1], &values);
        let expected: &[u8] = &[
            b'L', b'K', b'S', b'1', 12, 0, 0, 0, // header
            2, 1, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 3, 0, // first sample
            255, 255, 255, 255, 255, 255, 255, 255, 4, 0, 0, 0x80, // second sample
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn binary_with_a_32_bit_counter_has_short_stamps() {
        let bytes = encode(|c| c.counter = CounterWidth::Bits32, &[(5 << 32) + 7], &[Value::Float32(1.5)]);
        assert_eq!(bytes[8..], [7, 0, 0, 0, 0, 0, 0xc0, 0x3f]);
    }

    #[test]
    fn every_numeric_format_is_packed_to_its_size() {
        for (value, size) in [
            (Value::Int8(-1), 1),
            (Value::Int16(-1), 2),
            (Value::Int32(-1), 4),
            (Value::Int64(-1), 8),
            (Value::Float32(-1.0), 4),
            (Value::Double64(-1.0), 8),
        ] {
            assert_eq!(encode(|_| {}, &[0], &[value]).len(), 8 + 8 + size);
        }
    }

    #[test]
    fn json_is_an_object_or_an_array_of_objects() {
        let values = [Value::Double64(1.5), Value::Double64(1e-7)];
        assert_eq!(
            text(|c| c.payload = Payload::Json, &[99], &values),
            r#"{"seq":12,"t":99,"c0":1.5,"c1":1e-7}"#
        );
        let several = |c: &mut UdpDeviceConfig| {
            c.payload = Payload::Json;
            c.samples_per_datagram = 2;
        };
        assert_eq!(
            text(several, &[-4, 5], &values),
            r#"[{"seq":12,"t":-4,"c0":1.5},{"seq":13,"t":5,"c0":1e-7}]"#
        );
    }

    #[test]
    fn csv_is_a_line_per_sample_with_quoted_text() {
        let values = [Value::String("a, \"b\"".to_owned()), Value::String("stim/left/1".to_owned())];
        assert_eq!(
            text(|c| c.payload = Payload::Csv, &[7, 8], &values),
            "12,7,\"a, \"\"b\"\"\"\n13,8,stim/left/1\n"
        );
    }

    #[test]
    fn a_marker_is_its_text_alone() {
        let values = [Value::String("指示/\"x\"".to_owned())];
        assert_eq!(text(|c| c.payload = Payload::Marker, &[7], &values), "指示/\"x\"");
    }
}
