//! Descriptions a plugin gives of its clocks and streams, checked and owned.

use lockstep_clock::{Reading, Stamp};
use lockstep_plugin_api::sys;
use lockstep_xdf::xml::parse_inside;
use lockstep_xdf::{ChannelFormat, Element, StreamInfo};

use super::arguments::{array, readable, sized, text};
use crate::recording::clock::{ClockSpec, Domain};
use crate::recording::header::{ChannelInfo, HeaderDetails, SyncInfo};
use crate::recording::intake::{MAX_CHANNELS, NewStream, Refusal};

/// Longest header of another recording system: however it is written, readers take it.
const MAX_ORIGIN_BYTES: usize = 8 << 20;

/// A clock, in the plugin's words.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockWords {
    /// `LKS_DOMAIN_*`, or what is none.
    pub domain: u32,
    /// `LKS_STAMP_*`, or what is none.
    pub stamp: u32,
    /// Step of its readings.
    pub resolution_s: f64,
    /// How often it is measured.
    pub interval_s: f64,
    /// Name.
    pub name: String,
}

/// A stream, in the plugin's words.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamWords {
    /// `LKS_FLOAT32` and so on, or what is none.
    pub format: u32,
    /// Channels.
    pub channel_count: u32,
    /// The clock's number.
    pub clock: u32,
    /// Samples a second.
    pub nominal_rate_hz: f64,
    /// It may send nothing for long.
    pub may_be_silent: bool,
    /// Name.
    pub name: String,
    /// XDF type.
    pub kind: String,
    /// Identifies the device.
    pub source_id: String,
    /// What the operator sees.
    pub label: String,
    /// Elements inside of `desc`.
    pub desc_xml: String,
    /// Elements inside of `info`.
    pub origin_xml: String,
    /// Its channels, where they were described.
    pub channels: Option<Vec<ChannelInfo>>,
    /// Its timing, where it was stated.
    pub synchronization: Option<SyncInfo>,
}

/// What the plugin said of a clock.
///
/// # Safety
/// All that `info` points to must be as the header says.
pub unsafe fn clock_words(info: &sys::ClockInfo) -> Result<ClockWords, Refusal> {
    // SAFETY: a lent text, by this function's contract.
    let name = unsafe { text(info.name, "the clock's name")? }.to_owned();
    let &sys::ClockInfo { domain, stamp, resolution_s, interval_s, .. } = info;
    Ok(ClockWords { domain, stamp, resolution_s, interval_s, name })
}

/// What the plugin said of a stream.
///
/// # Safety
/// All that `info` points to must be as the header says.
pub unsafe fn stream_words(info: &sys::StreamInfo) -> Result<StreamWords, Refusal> {
    // SAFETY: lent texts, by this function's contract.
    let [name, kind, source_id, label, desc_xml, origin_xml] = unsafe {
        [
            text(info.name, "the stream's name")?,
            text(info.r#type, "the stream's type")?,
            text(info.source_id, "the source id")?,
            text(info.label, "the stream's label")?,
            text(info.desc_xml, "desc_xml")?,
            text(info.origin_xml, "origin_xml")?,
        ]
    };
    if origin_xml.len() > MAX_ORIGIN_BYTES {
        return Err(Refusal::Limit("bytes of origin_xml", MAX_ORIGIN_BYTES));
    }
    let channel_count = info.channel_count as usize;
    let mut channels = (!info.channels.is_null()).then(Vec::new);
    if let Some(channels) = channels.as_mut().filter(|_| channel_count <= MAX_CHANNELS) {
        // SAFETY: lent, and `channel_count` of them, by this function's contract.
        for c in unsafe { array(info.channels, channel_count, "channels")? } {
            // SAFETY: lent texts, by this function's contract.
            let [label, unit, kind] =
                unsafe { [text(c.label, "a label")?, text(c.unit, "a unit")?, text(c.r#type, "a type")?] };
            let (label, unit, kind) = (label.to_owned(), unit.to_owned(), kind.to_owned());
            channels.push(ChannelInfo { label, unit, kind });
        }
    }
    let synchronization = if info.synchronization.is_null() {
        None
    } else {
        // SAFETY: lent, by this function's contract.
        Some(sync_info(&unsafe { sized(info.synchronization)? }))
    };
    Ok(StreamWords {
        format: info.format,
        channel_count: info.channel_count,
        clock: info.clock,
        nominal_rate_hz: info.nominal_rate_hz,
        may_be_silent: info.may_be_silent != 0,
        name: name.to_owned(),
        kind: kind.to_owned(),
        source_id: source_id.to_owned(),
        label: label.to_owned(),
        desc_xml: desc_xml.to_owned(),
        origin_xml: origin_xml.to_owned(),
        channels,
        synchronization,
    })
}

/// A clock, as the plugin described it.
pub fn clock_spec(words: ClockWords) -> Result<ClockSpec, Refusal> {
    let domain = match words.domain {
        sys::DOMAIN_DEVICE => Domain::Device,
        sys::DOMAIN_UNIX => Domain::Unix,
        sys::DOMAIN_MONOTONIC => Domain::Monotonic,
        other => return Err(Refusal::Invalid(format!("clock domain {other} is unknown"))),
    };
    let stamp = match words.stamp {
        sys::STAMP_EXACT => Stamp::Exact,
        sys::STAMP_FLOOR => Stamp::Floor,
        other => return Err(Refusal::Invalid(format!("clock stamp {other} is unknown"))),
    };
    let reading = Reading { resolution_s: words.resolution_s, stamp };
    let interval_s = Some(words.interval_s).filter(|interval_s| interval_s.is_finite() && *interval_s > 0.0);
    Ok(ClockSpec { name: words.name, domain, reading, interval_s, desc: Vec::new() })
}

/// What the operator sees of a stream: it is shown on terminals, and a name may come from anywhere on the network.
pub fn label(words: &StreamWords) -> String {
    readable(if words.label.is_empty() { &words.name } else { &words.label }.as_bytes())
}

/// A stream, as the plugin described it.
pub fn new_stream(words: StreamWords) -> Result<NewStream, Refusal> {
    let format = channel_format(words.format)
        .ok_or_else(|| Refusal::Invalid(format!("channel format {} is unknown", words.format)))?;
    let label = label(&words);
    let describes = !words.desc_xml.is_empty() || words.channels.is_some() || words.synchronization.is_some();
    if describes && !words.origin_xml.is_empty() {
        return Err(Refusal::Invalid(format!(
            "stream {label:?}: desc_xml, channels and synchronization cannot be given beside origin_xml, which holds them"
        )));
    }
    // Inside of <info><desc>.
    let desc = parse_inside(&words.desc_xml, 2)
        .map_err(|e| Refusal::Invalid(format!("desc_xml of stream {label:?} is not well formed: {e}")))?;
    let mut new = NewStream {
        name: words.name,
        label,
        kind: words.kind,
        format,
        channel_count: words.channel_count as usize,
        nominal_rate_hz: words.nominal_rate_hz,
        may_be_silent: words.may_be_silent,
        clock: words.clock,
        details: HeaderDetails {
            source_id: words.source_id,
            desc,
            channels: words.channels.unwrap_or_default(),
            synchronization: words.synchronization.unwrap_or_default(),
            origin: None,
        },
    };
    if !words.origin_xml.is_empty() {
        let (origin, rate_hz) = origin(&words.origin_xml, &new)?;
        // What readers will find: by this number left out stamps are put in again.
        new.nominal_rate_hz = rate_hz;
        new.details.origin = Some(origin);
    }
    Ok(new)
}

/// The header a stream came with, and the nominal rate it states; it must say what the plugin says.
fn origin(xml: &str, new: &NewStream) -> Result<(Element, f64), Refusal> {
    let invalid = |what: String| Refusal::Invalid(format!("origin_xml of stream {:?}: {what}", new.label));
    let mut info = Element::new("info");
    info.children = parse_inside(xml, 1).map_err(|e| invalid(format!("not well formed: {e}")))?;
    let said = StreamInfo::from_element(&info).map_err(|e| invalid(e.to_string()))?;
    let differs = |what: &str, it: &dyn std::fmt::Display, plugin: &dyn std::fmt::Display| {
        Err(invalid(format!("it says <{what}> is {it}, and the plugin says {plugin}")))
    };
    if said.name != new.name {
        return differs("name", &format!("{:?}", said.name), &format!("{:?}", new.name));
    }
    if said.channel_count != new.channel_count {
        return differs("channel_count", &said.channel_count, &new.channel_count);
    }
    if said.format != new.format {
        return differs("channel_format", &said.format, &new.format);
    }
    let (said_hz, plugin_hz) = (said.nominal_rate_hz, new.nominal_rate_hz);
    // As text it may have lost its last digits.
    let same = said_hz == plugin_hz || (said_hz - plugin_hz).abs() <= 1e-6 * plugin_hz.abs();
    if !same {
        return differs("nominal_srate", &said_hz, &plugin_hz);
    }
    Ok((info, said_hz))
}

/// The format that a number of the header means.
pub fn channel_format(code: u32) -> Option<ChannelFormat> {
    Some(match code {
        sys::FLOAT32 => ChannelFormat::Float32,
        sys::DOUBLE64 => ChannelFormat::Double64,
        sys::STRING => ChannelFormat::String,
        sys::INT32 => ChannelFormat::Int32,
        sys::INT16 => ChannelFormat::Int16,
        sys::INT8 => ChannelFormat::Int8,
        sys::INT64 => ChannelFormat::Int64,
        _ => return None,
    })
}

fn sync_info(raw: &sys::Synchronization) -> SyncInfo {
    let number = |value: f64| value.is_finite().then_some(value);
    SyncInfo {
        offset_mean_s: number(raw.offset_mean_s),
        offset_rms_s: number(raw.offset_rms_s),
        offset_median_s: number(raw.offset_median_s),
        offset_5_centile_s: number(raw.offset_5_centile_s),
        offset_95_centile_s: number(raw.offset_95_centile_s),
        can_drop_samples: match raw.can_drop_samples {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests;
