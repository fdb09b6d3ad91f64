//! Writes small recordings to begin with: every format, one and several channels, stamps written
//! and left out.

use lockstep_xdf::{ChannelFormat, SampleBlock, SampleEncoder, StreamFooter, StreamInfo, encode};

fn main() -> std::io::Result<()> {
    std::fs::create_dir_all("seeds")?;
    for format in ChannelFormat::ALL {
        for (channels, rate_hz) in [(1, 0.0), (2, 100.0)] {
            std::fs::write(format!("seeds/{format}_{channels}.xdf"), recording(format, channels, rate_hz))?;
        }
    }
    Ok(())
}

fn recording(format: ChannelFormat, channels: usize, rate_hz: f64) -> Vec<u8> {
    let mut file = Vec::new();
    encode::file_header(&mut file, "<info><version>1.0</version></info>");
    let xml = format!(
        "<info><channel_count>{channels}</channel_count><nominal_srate>{rate_hz}</nominal_srate>\
         <channel_format>{format}</channel_format></info>"
    );
    debug_assert!(StreamInfo::parse(&xml).is_ok());
    encode::stream_header(&mut file, 1, &xml);
    let mut encoder = SampleEncoder::new(format, channels, rate_hz);
    for chunk in 0..4 {
        let stamps: Vec<f64> = (0..3).map(|n| 5.0 + f64::from(chunk * 3 + n) * 0.01).collect();
        let pushed = match format.value_bytes() {
            Some(bytes) => encoder.push(&stamps, &vec![7; 3 * channels * bytes]),
            None => encoder.push_strings(&stamps, vec!["a\u{e9}b"; 3 * channels].into_iter()),
        };
        if pushed.is_ok() {
            encode::samples(&mut file, 1, &encoder.take(SampleBlock::default()));
        }
        encode::clock_offset(&mut file, 1, 5.0 + f64::from(chunk), -0.25);
        if chunk == 1 {
            encode::boundary(&mut file);
        }
    }
    encode::stream_footer(&mut file, 1, &StreamFooter::default().to_xml());
    file
}
