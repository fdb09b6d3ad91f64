//! Stream headers: what a stream is, in the elements LSL's tools look for.

use lockstep_xdf::part::RECORDERS_PART;
use lockstep_xdf::{Element, StreamInfo};

use super::clock::{ClockIntake, ClockSpec};
use super::intake::SourceHeader;
use super::stream::StreamSpec;

/// One channel, as a plugin described it. Empty: not stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Label.
    pub label: String,
    /// Unit.
    pub unit: String,
    /// Kind of content.
    pub kind: String,
}

/// Known timing of a stream, in seconds. `None`: not stated.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SyncInfo {
    /// To be subtracted from the stamps before streams are compared.
    pub offset_mean_s: Option<f64>,
    /// Root mean square.
    pub offset_rms_s: Option<f64>,
    /// Median.
    pub offset_median_s: Option<f64>,
    /// 5th centile.
    pub offset_5_centile_s: Option<f64>,
    /// 95th centile.
    pub offset_95_centile_s: Option<f64>,
    /// Whether single samples may be missing from an otherwise steady rate.
    pub can_drop_samples: Option<bool>,
}

impl SyncInfo {
    /// The `synchronization` element, with what is stated. Numbers nobody stated
    /// are left out: an empty one would make readers fail, and a zero would be a claim.
    fn element(self) -> Element {
        let numbers = [
            ("offset_mean", self.offset_mean_s),
            ("offset_rms", self.offset_rms_s),
            ("offset_median", self.offset_median_s),
            ("offset_5_centile", self.offset_5_centile_s),
            ("offset_95_centile", self.offset_95_centile_s),
        ];
        let mut out = Element::new("synchronization");
        for (name, value) in numbers {
            if let Some(value) = value {
                out.push_child(Element::new(name).with_text(value.to_string()));
            }
        }
        if let Some(can_drop) = self.can_drop_samples {
            out.push_child(Element::new("can_drop_samples").with_text(can_drop.to_string()));
        }
        out
    }
}

/// Who records, for the headers.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Name of this machine.
    pub hostname: String,
    /// Identifies this recording.
    pub session_id: String,
}

/// What a header says beside the [`StreamSpec`].
#[derive(Debug, Default)]
pub struct HeaderDetails {
    /// Identifies the device across restarts.
    pub source_id: String,
    /// What the plugin puts inside `desc`.
    pub desc: Vec<Element>,
    /// One each, or none.
    pub channels: Vec<ChannelInfo>,
    /// Known timing.
    pub synchronization: SyncInfo,
    /// The header it came with, an element `info`: then the rest of this does not count.
    pub origin: Option<Element>,
}

fn texts(name: &str, children: &[(&str, &str)]) -> Element {
    let mut out = Element::new(name);
    for (name, text) in children {
        out.push_child(Element::new(*name).with_text(*text));
    }
    out
}

fn acquisition(facts: &[(String, String)]) -> Element {
    let facts: Vec<_> = facts.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    texts("acquisition", &facts)
}

/// How a stream names the clock that stamps it: by name, and by the id of the
/// stream of its exchanges, for names are unique within a source only.
fn clock_of(clock: &ClockIntake) -> Element {
    let id = clock.companion.id.to_string();
    texts("clock", &[("name", &clock.spec.name), ("stream_id", &id)])
}

/// The header of a stream. What the configuration states goes over what the
/// plugin stated, element by element. A header that the stream came with is kept
/// as it is, and the recorder's part stands apart in `desc/lockstep`.
pub fn stream_header(
    identity: &Identity,
    spec: &StreamSpec,
    details: HeaderDetails,
    configured: &SourceHeader,
) -> String {
    if let Some(origin) = details.origin {
        return origin_header(origin, spec, configured);
    }
    let mut desc = Element::new("desc");
    desc.children = details.desc;
    if !details.channels.is_empty() && desc.child("channels").is_none() {
        let mut channels = Element::new("channels");
        for c in &details.channels {
            let stated = [("label", c.label.as_str()), ("unit", &c.unit), ("type", &c.kind)];
            let stated: Vec<_> = stated.into_iter().filter(|(_, text)| !text.is_empty()).collect();
            channels.push_child(texts("channel", &stated));
        }
        desc.push_child(channels);
    }
    merge(&mut desc, acquisition(&configured.acquisition));
    merge(&mut desc, details.synchronization.element());
    merge(&mut desc, configured.synchronization.element());
    if desc.find("synchronization/can_drop_samples").is_none() {
        // Readers take a missing one as false; said outright, people see it too.
        merge(&mut desc, texts("synchronization", &[("can_drop_samples", "false")]));
    }
    if let Some(clock) = &spec.clock {
        merge(&mut desc, clock_of(clock));
    }
    info(identity, spec, details.source_id, desc).to_xml()
}

/// The header that a stream came with, and in one element at the end of `desc` what the recorder has to
/// say. It stands there even when it is empty: a `desc/clock` of the origin's own is then not taken for
/// the recorder's. Only known timing that the configuration states goes where readers look for it.
fn origin_header(mut info: Element, spec: &StreamSpec, configured: &SourceHeader) -> String {
    let mut lockstep = Element::new(RECORDERS_PART).with_child(acquisition(&configured.acquisition));
    if let Some(clock) = &spec.clock {
        lockstep.push_child(clock_of(clock));
    }
    if info.child("desc").is_none() {
        info.push_child(Element::new("desc"));
    }
    if let Some(desc) = info.child_mut("desc") {
        merge(desc, configured.synchronization.element());
        desc.push_child(lockstep);
    }
    info.to_xml()
}

/// The header of the companion stream that holds the exchanges of `clock`.
pub fn exchange_header(
    identity: &Identity,
    spec: &StreamSpec,
    clock: &ClockSpec,
    facts: &[(String, String)],
) -> String {
    let mut channels = Element::new("channels");
    for (label, kind) in [("t0", "recorder"), ("t1", "device"), ("t2", "device"), ("t3", "recorder")] {
        channels.push_child(texts("channel", &[("label", label), ("unit", "seconds"), ("type", kind)]));
    }
    let resolution_s = clock.reading.resolution_s.to_string();
    let reading_bias_s = clock.reading.bias_s().to_string();
    let more = clock.desc.clone();
    let clock = texts(
        "clock",
        &[
            ("name", &clock.name),
            ("domain", clock.domain.name()),
            ("resolution_s", &resolution_s),
            ("stamp", clock.reading.stamp.name()),
            // What clock offsets allow for: added to t1 and t2 before the usual formula.
            ("reading_bias_s", &reading_bias_s),
        ],
    );
    let mut desc = Element::new("desc").with_child(channels).with_child(acquisition(facts)).with_child(clock);
    desc.children.extend(more);
    info(identity, spec, String::new(), desc).to_xml()
}

/// The header of the recorder's own event stream, which also keeps the
/// configuration that was recorded with.
pub fn event_header(identity: &Identity, spec: &StreamSpec, config_toml: &str) -> String {
    let lockstep =
        texts("lockstep", &[("version", env!("CARGO_PKG_VERSION")), ("configuration_toml", config_toml)]);
    info(identity, spec, String::new(), Element::new("desc").with_child(lockstep)).to_xml()
}

fn info(identity: &Identity, spec: &StreamSpec, source_id: String, desc: Element) -> StreamInfo {
    StreamInfo {
        name: spec.name.clone(),
        kind: spec.kind.clone(),
        channel_count: spec.channel_count,
        nominal_rate_hz: spec.nominal_rate_hz,
        format: spec.format,
        source_id,
        version: "1.1".to_owned(),
        created_at_s: lockstep_platform::monotonic_s(),
        uid: uuid::Uuid::new_v4().to_string(),
        session_id: identity.session_id.clone(),
        hostname: identity.hostname.clone(),
        desc,
    }
}

/// Put `element` into `desc`, its children over those of one with the same name.
fn merge(desc: &mut Element, element: Element) {
    if element.children.is_empty() {
        return;
    }
    let Some(there) = desc.children.iter_mut().find(|c| c.name == element.name) else {
        desc.push_child(element);
        return;
    };
    for child in element.children {
        there.children.retain(|c| c.name != child.name);
        there.push_child(child);
    }
}

#[cfg(test)]
mod tests;
