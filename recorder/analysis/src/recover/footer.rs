//! Footers made anew from what is in the file.

use lockstep_xdf::{ClockOffset, Element, ScannedStream, StreamFooter};

use super::stream::Samples;
use crate::check::same;
use crate::file::RECOVERED;

/// What becomes of a stream's footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Footer {
    /// It was right and is as it was.
    Kept,
    /// It was torn, or did not say what is in the file; what else it says is kept.
    Rebuilt,
    /// There was none.
    Made,
}

/// The XML of a stream's footer.
pub(super) fn footer(
    stream: &ScannedStream,
    samples: &Samples,
    offsets: &[&ClockOffset],
    samples_lost: u64,
) -> (Footer, String) {
    let before = stream.footer.as_ref();
    let clock_offsets: Vec<(f64, f64)> =
        offsets.iter().map(|offset| (offset.collection_time_s, offset.offset_s)).collect();
    if let (Some(footer), Some(xml)) = (before, &stream.footer_xml)
        && agrees(footer, samples, &clock_offsets)
        && samples_lost == 0
    {
        return (Footer::Kept, super::header::sound(xml));
    }
    let wanted = before.map_or(stream.info.nominal_rate_hz > 0.0, |footer| footer.measured_rate_hz.is_some());
    let measured_rate_hz = match (samples.first_s, samples.last_s) {
        (Some(first_s), Some(last_s)) if wanted && last_s > first_s => {
            Some((samples.count - 1) as f64 / (last_s - first_s)).filter(|rate_hz| rate_hz.is_finite())
        }
        _ => None,
    };
    let mut extra = before.map(|footer| footer.extra.clone()).unwrap_or_default();
    if samples_lost > 0 {
        let lost = Element::new("samples_lost").with_text(samples_lost.to_string());
        extra.push(Element::new(RECOVERED).with_child(lost));
    }
    let footer = StreamFooter {
        first_timestamp_s: samples.first_s,
        last_timestamp_s: samples.last_s,
        sample_count: samples.count,
        measured_rate_hz,
        clock_offsets,
        extra,
    };
    let became = if stream.footer_xml.is_some() { Footer::Rebuilt } else { Footer::Made };
    (became, footer.to_xml())
}

/// Whether a footer says what is in the file. Of streams without samples other recorders leave stamps out.
fn agrees(footer: &StreamFooter, samples: &Samples, clock_offsets: &[(f64, f64)]) -> bool {
    let stamp = |noted: Option<f64>, there: Option<f64>| match (noted, there) {
        (Some(noted), Some(there)) => same(noted, there),
        (noted, there) => noted.is_none() && there.is_none(),
    };
    footer.sample_count == samples.count
        && stamp(footer.first_timestamp_s, samples.first_s)
        && stamp(footer.last_timestamp_s, samples.last_s)
        && footer.clock_offsets.len() == clock_offsets.len()
        && footer.clock_offsets.iter().zip(clock_offsets).all(|(a, b)| same(a.0, b.0) && same(a.1, b.1))
}
