//! The streams: samples, stamps, names.

use super::rules;
use super::{Finding, StampFacts};
use crate::Recording;

pub(super) fn find(recording: &Recording, facts: &[StampFacts], out: &mut Vec<Finding>) {
    let streams = &recording.scan.streams;
    for (index, (stream, facts)) in streams.iter().zip(facts).enumerate() {
        if facts.samples == 0 {
            let regular = stream.info.nominal_rate_hz > 0.0;
            let rule = if regular { &rules::NO_SAMPLES } else { &rules::NO_SAMPLES_IRREGULAR };
            out.push(Finding::new(rule, "no sample").of(stream).at(stream.header_offset));
        }
        // Exchanges are written in the order in which they were asked; answers may overtake each other.
        if facts.back.count > 0 && stream.info.kind != crate::clocks::EXCHANGE_TYPE {
            let mut what = format!("{} stamps are earlier than the one before", facts.back.count);
            if let Some(place) = facts.back.first.first() {
                let by_s = -place.step_s.unwrap_or(0.0);
                what = match facts.back.count {
                    1 => format!("the stamp of sample {} is {by_s:.6} s before the one before", place.sample),
                    _ => format!("{what}, the first at sample {} by {by_s:.6} s", place.sample),
                };
            }
            out.push(Finding::new(&rules::STAMPS_BACK, what).of(stream).places(&facts.back));
        }
        if facts.not_finite.count > 0 {
            let first = facts.not_finite.first.first().map_or(0, |place| place.sample);
            let what =
                format!("{} stamps are no numbers, the first at sample {first}", facts.not_finite.count);
            out.push(Finding::new(&rules::STAMPS_NOT_FINITE, what).of(stream).places(&facts.not_finite));
        }
        let same_name = |other: &&lockstep_xdf::ScannedStream| {
            !stream.info.name.is_empty() && other.info.name == stream.info.name && other.id != stream.id
        };
        if let Some(other) = streams[..index].iter().find(same_name) {
            let what = format!("streams {} and {} have the same name", other.id, stream.id);
            out.push(Finding::new(&rules::SAME_NAME, what).of(stream).at(stream.header_offset));
        }
    }
}
