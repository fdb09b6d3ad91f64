//! The chunks: damage, headers, footers.

use lockstep_xdf::{Damage, DamageReason, ScannedStream};

use super::rules::{self, Rule};
use super::{Finding, StampFacts};
use crate::Recording;
use crate::file::RECOVERED;

pub(super) fn find(recording: &Recording, facts: &[StampFacts], out: &mut Vec<Finding>) {
    let scan = &recording.scan;
    if recording.is_being_recorded {
        out.push(Finding::new(&rules::BEING_RECORDED, "it is being recorded"));
    }
    if let Some(fault) = &recording.unpack_fault {
        out.push(Finding::new(&rules::UNPACK, fault.clone()).at(scan.bytes));
    }
    let mut damage: Vec<&Damage> =
        scan.damage.iter().chain(facts.iter().flat_map(|facts| &facts.damage)).collect();
    damage.sort_by_key(|damage| damage.offset);
    damage.dedup();
    out.extend(damage.into_iter().map(|damage| damaged(recording, damage)));
    if scan.damage_left_out > 0 {
        let what = format!("{} more damaged places", scan.damage_left_out);
        out.push(Finding::new(&rules::DAMAGE, what));
    }
    if recording.header.is_none() {
        let what = match &scan.header_xml {
            None => "no FileHeader chunk",
            Some(_) => "the FileHeader's XML cannot be read",
        };
        out.push(Finding::new(&rules::NO_FILE_HEADER, what).at(lockstep_xdf::MAGIC.len() as u64));
    }
    recovered(recording, out);
    if scan.streams.is_empty() {
        out.push(Finding::new(&rules::NO_STREAMS, "no stream in the file"));
    }
    for (stream, facts) in scan.streams.iter().zip(facts) {
        footer(recording, stream, facts, out);
    }
}

/// What the header of a recovered file says of the file it is from.
fn recovered(recording: &Recording, out: &mut Vec<Finding>) {
    let notes = recording.header.iter().flat_map(|header| &header.children);
    for note in notes.filter(|child| child.name == RECOVERED) {
        let number =
            |name: &str| note.text_at(name).and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        let (samples, bytes) = (number("samples_lost"), number("bytes_skipped"));
        let what = format!(
            "recovered from {}: {samples} samples lost, {bytes} bytes skipped",
            note.text_at("from").unwrap_or("another file")
        );
        let rule = if samples + bytes > 0 { &rules::RECOVERED_LOSS } else { &rules::RECOVERED };
        let finding = Finding::new(rule, what).at(lockstep_xdf::MAGIC.len() as u64);
        out.push(Finding { samples_lost: Some(samples).filter(|&samples| samples > 0), ..finding });
    }
}

fn damaged(recording: &Recording, damage: &Damage) -> Finding {
    let stream = damage.stream_id.and_then(|id| recording.scan.streams.iter().find(|stream| stream.id == id));
    Finding {
        bytes: Some(damage.bytes),
        stream_id: damage.stream_id,
        stream: stream.map(|stream| stream.info.name.clone()),
        samples_lost: damage.samples_lost.filter(|&lost| lost > 0),
        ..Finding::new(rule_of(damage), damage.reason.to_string()).at(damage.offset)
    }
}

fn rule_of(damage: &Damage) -> &'static Rule {
    match &damage.reason {
        DamageReason::Cut => &rules::CUT,
        DamageReason::UnknownTag(_) => &rules::STRANGE,
        DamageReason::RepeatedHeader => &rules::REPEATED_HEADER,
        DamageReason::BadClockOffset => &rules::OFFSET_GARBAGE,
        DamageReason::WrongLength { .. } | DamageReason::WrongCount { .. }
            if damage.samples_lost == Some(0) && damage.bytes == 0 =>
        {
            &rules::REPAIRED
        }
        _ => &rules::DAMAGE,
    }
}

fn footer(recording: &Recording, stream: &ScannedStream, facts: &StampFacts, out: &mut Vec<Finding>) {
    let Some(footer) = &stream.footer else {
        let what = if stream.footer_xml.is_some() { "the footer cannot be used" } else { "no footer" };
        out.push(Finding::new(&rules::NO_FOOTER, what).of(stream));
        return;
    };
    if footer.sample_count != facts.samples {
        let what =
            format!("the footer counts {} samples, {} can be read", footer.sample_count, facts.samples);
        let lost = footer.sample_count.checked_sub(facts.samples).filter(|&lost| lost > 0);
        out.push(Finding { samples_lost: lost, ..Finding::new(&rules::FOOTER_COUNT, what).of(stream) });
    } else {
        stamp(recording, stream, "first", footer.first_timestamp_s, facts.first_s, out);
        stamp(recording, stream, "last", footer.last_timestamp_s, facts.last_s, out);
    }
    let of_file: Vec<(f64, f64)> =
        stream.clock_offsets.iter().map(|o| (o.collection_time_s, o.offset_s)).collect();
    if of_file.len() != footer.clock_offsets.len() {
        let what = format!(
            "the footer lists {} clock offsets, the file has {}",
            footer.clock_offsets.len(),
            of_file.len()
        );
        out.push(Finding::new(&rules::FOOTER_OFFSETS, what).of(stream));
    } else if let Some(at) = (0..of_file.len()).find(|&at| {
        let (noted, there) = (footer.clock_offsets[at], of_file[at]);
        !(same(noted.0, there.0) && same(noted.1, there.1))
    }) {
        let what = format!(
            "clock offset {} is {:?} in the footer and {:?} in the file",
            at + 1,
            footer.clock_offsets[at],
            of_file[at]
        );
        let offset = stream.clock_offsets[at].file_offset;
        out.push(Finding::new(&rules::FOOTER_OFFSETS, what).of(stream).at(offset));
    }
}

/// Whether two numbers are the same, but for the 16 digits (in places fewer) that recorders write.
pub(crate) fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-14 * a.abs().max(b.abs())
}

/// Whether the footer of a stream agrees with what can be read of it.
/// (number of samples, first and last stamp, number of clock offsets); `None` without a footer.
pub fn footer_agrees(stream: &ScannedStream, facts: &StampFacts) -> Option<bool> {
    let footer = stream.footer.as_ref()?;
    let agree = |noted: Option<f64>, there: Option<f64>| match (noted, there) {
        (Some(noted), Some(there)) => (noted - there).abs() <= 1e-15 * noted.abs().max(there.abs()),
        (noted, there) => noted.is_none() && there.is_none(),
    };
    Some(
        footer.sample_count == facts.samples
            && agree(footer.first_timestamp_s, facts.first_s)
            && agree(footer.last_timestamp_s, facts.last_s)
            && footer.clock_offsets.len() == stream.clock_offsets.len(),
    )
}

fn stamp(
    recording: &Recording,
    stream: &ScannedStream,
    which: &str,
    noted_s: Option<f64>,
    there_s: Option<f64>,
    out: &mut Vec<Finding>,
) {
    // Other recorders leave stamps out of the footers of empty streams, or write 0.
    let (Some(noted_s), Some(there_s)) = (noted_s, there_s) else { return };
    if same(noted_s, there_s) {
        return;
    }
    let late_s = noted_s - there_s;
    let interval_s = 1.0 / stream.info.nominal_rate_hz;
    let late = which == "last"
        && recording.is_lab_recorder()
        && interval_s.is_finite()
        && (late_s - interval_s).abs() <= 0.01 * interval_s;
    let rule = if late { &rules::FOOTER_LATE } else { &rules::FOOTER_STAMP };
    let what = format!("the footer's {which} stamp is {noted_s} s, that of the {which} sample {there_s} s");
    let offset = match which {
        "first" => stream.chunks.first(),
        _ => stream.chunks.last(),
    };
    let finding = Finding::new(rule, what).of(stream);
    out.push(match offset {
        Some(chunk) => finding.at(chunk.file_offset),
        None => finding,
    });
}
