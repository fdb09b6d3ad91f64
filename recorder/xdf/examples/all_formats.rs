//! Writes one XDF file with a stream of each format, regular and irregular, to compare with what
//! other readers make of it: `cargo run -p lockstep-xdf --example all_formats -- FILE`.
//!
//! Sample `i` of channel `c` has the value `(i * 7 + c * 3) % 251 - 125`, as text in the string
//! stream. Regular streams run at 100 Hz from 1000 s by addition, with a pause of 5 ms after every
//! 50th sample; irregular ones have the stamp `(i * i) / 7` s.

use lockstep_xdf::{ChannelFormat, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode};

const SAMPLES: u32 = 500;
const CHANNELS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name the file to write")?;
    let mut file = Vec::new();
    encode::file_header(&mut file, "<?xml version=\"1.0\"?><info><version>1.0</version></info>");
    let mut stream_id = 0;
    for format in ChannelFormat::ALL {
        for rate_hz in [100.0, 0.0] {
            stream_id += 1;
            write_stream(&mut file, stream_id, format, rate_hz)?;
        }
    }
    std::fs::write(path, file)?;
    Ok(())
}

fn write_stream(
    file: &mut Vec<u8>,
    stream_id: u32,
    format: ChannelFormat,
    rate_hz: f64,
) -> Result<(), lockstep_xdf::EncodeError> {
    let info = StreamInfo::new(format.name(), "Test", CHANNELS, rate_hz, format);
    encode::stream_header(file, stream_id, &info.to_xml());
    let mut encoder = SampleEncoder::new(format, CHANNELS, rate_hz);
    let mut spare = SampleBlock::default();
    let mut footer = StreamFooter::default();
    let mut regular_s = 1000.0;
    for i in 0..SAMPLES {
        let stamp_s = if rate_hz > 0.0 { regular_s } else { f64::from(i * i) / 7.0 };
        regular_s += 1.0 / rate_hz + if i % 50 == 49 { 0.005 } else { 0.0 };
        let values = std::array::from_fn(|c| (i as i64 * 7 + c as i64 * 3) % 251 - 125);
        push(&mut encoder, format, stamp_s, values)?;
        if i % 64 == 63 || i == SAMPLES - 1 {
            spare = encoder.take(spare);
            encode::samples(file, stream_id, &spare);
            encode::boundary(file);
            footer.sample_count += spare.sample_count;
            footer.first_timestamp_s = footer.first_timestamp_s.or(spare.first_timestamp_s);
            footer.last_timestamp_s = spare.last_timestamp_s;
        }
    }
    encode::stream_footer(file, stream_id, &footer.to_xml());
    Ok(())
}

fn push(
    encoder: &mut SampleEncoder,
    format: ChannelFormat,
    stamp_s: f64,
    values: [i64; CHANNELS],
) -> Result<(), lockstep_xdf::EncodeError> {
    if format == ChannelFormat::String {
        let texts = values.map(|value| value.to_string());
        return encoder.push_strings(&[stamp_s], texts.iter().map(String::as_str));
    }
    let bytes = values.iter().flat_map(|&value| match format {
        ChannelFormat::Int8 => (value as i8).to_ne_bytes().to_vec(),
        ChannelFormat::Int16 => (value as i16).to_ne_bytes().to_vec(),
        ChannelFormat::Int32 => (value as i32).to_ne_bytes().to_vec(),
        ChannelFormat::Int64 | ChannelFormat::String => value.to_ne_bytes().to_vec(),
        ChannelFormat::Float32 => (value as f32).to_ne_bytes().to_vec(),
        ChannelFormat::Double64 => (value as f64).to_ne_bytes().to_vec(),
    });
    encoder.push(&[stamp_s], &bytes.collect::<Vec<_>>())
}
