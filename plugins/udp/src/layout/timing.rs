//! Time stamps, sequence numbers and clock exchanges of the plan.

use std::net::SocketAddr;
use std::time::Duration;

use lockstep_plugin_api::{ClockInfo, Domain, Error, Stamp};

use super::address;
use super::fields::{Element, Fields, Place};
use crate::options::{ClockKind, Counted, ExchangeKind, Options, Stamped, TimeUnit};

/// Stamps from a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StampPlan {
    /// Whose time it is.
    pub clock: ClockKind,
    /// Ticks of the field in a second.
    pub ticks_per_s: u64,
    /// Bits of the counter; 64: it never wraps.
    pub bits: u32,
    /// Whether a datagram has one stamp, however many samples it holds.
    pub per_datagram: bool,
    /// Then: which sample it is of.
    pub stamps: Stamped,
    /// Step of the readings in exchanges, in seconds, and how they are rounded to it.
    pub resolution_s: f64,
    /// The same.
    pub stamp: Stamp,
}

impl StampPlan {
    /// The clock to declare; `None` when it is the recorder's own.
    pub fn clock_info(&self, stream_name: &str) -> Option<ClockInfo> {
        let domain = match self.clock {
            ClockKind::Device => Domain::Device,
            ClockKind::Unix => Domain::Unix,
            ClockKind::Monotonic => return None,
        };
        let info = ClockInfo::new(format!("{stream_name}-clock"), domain);
        Some(info.resolution_s(self.resolution_s, self.stamp))
    }
}

/// How sequence numbers are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencePlan {
    /// What is counted.
    pub per: Counted,
    /// Bits of the counter; 64: it never wraps.
    pub bits: u32,
}

/// How the clock is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangePlan {
    /// The protocol; never [`ExchangeKind::None`].
    pub kind: ExchangeKind,
    /// Where the device answers.
    pub address: SocketAddr,
}

/// Plan the stamps.
///
/// # Errors
/// A field that cannot be a time.
pub fn stamp(options: &Options, fields: Option<&Fields>) -> Result<Option<StampPlan>, Error> {
    let Some(wanted) = &options.timestamp else { return Ok(None) };
    let element = fields.and_then(|fields| fields.element(fields.stamp));
    not_scaled(element, "/timestamp/field")?;
    let is_float = element.and_then(|e| e.field_type).is_some_and(|t| t.is_float());
    if is_float && wanted.wrap_bits.is_some() {
        return Err(Error::option("/timestamp/wrap_bits", "a float field is no counter that wraps"));
    }
    let in_header = element.is_some_and(|e| matches!(e.place, Place::Header(_)));
    if wanted.stamps != Stamped::First && !in_header {
        let message = "has a meaning only when the field is in the header of a binary datagram";
        return Err(Error::option("/timestamp/stamps", message));
    }
    let ticks_per_s = match wanted.unit {
        TimeUnit::Seconds => 1,
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    };
    let (resolution_s, stamp) = match (wanted.resolution_s, options.exchange.kind) {
        (Some(resolution_s), _) if !(0.0..=10.0).contains(&resolution_s) => {
            return Err(Error::option("/timestamp/resolution_s", "give 0 to 10 seconds"));
        }
        // A step of zero leaves nothing to round to.
        (Some(0.0), _) | (None, ExchangeKind::Ntp) => (0.0, Stamp::Exact),
        (Some(resolution_s), _) => (resolution_s, Stamp::Floor),
        (None, _) => (1.0 / ticks_per_s as f64, Stamp::Floor),
    };
    Ok(Some(StampPlan {
        clock: wanted.clock,
        ticks_per_s,
        bits: counter_bits(wanted.wrap_bits, element, "/timestamp/wrap_bits")?,
        per_datagram: in_header,
        stamps: wanted.stamps,
        resolution_s,
        stamp,
    }))
}

/// Plan how sequence numbers are followed.
///
/// # Errors
/// A field that cannot be a counter.
pub fn sequence(options: &Options, fields: Option<&Fields>) -> Result<Option<SequencePlan>, Error> {
    let Some(wanted) = &options.sequence else { return Ok(None) };
    let element = fields.and_then(|fields| fields.element(fields.sequence));
    not_scaled(element, "/sequence/field")?;
    if element.and_then(|e| e.field_type).is_some_and(|t| t.is_float()) {
        return Err(Error::option("/sequence/field", "a sequence number is a whole number, not a float"));
    }
    let bits = counter_bits(wanted.wrap_bits, element, "/sequence/wrap_bits")?;
    Ok(Some(SequencePlan { per: wanted.per, bits }))
}

/// Plan how the clock is measured.
///
/// # Errors
/// No address, or no stamps in a clock that could be measured.
pub fn exchange(options: &Options) -> Result<Option<ExchangePlan>, Error> {
    let kind = options.exchange.kind;
    let name = match kind {
        ExchangeKind::Echo => "echo",
        ExchangeKind::Ntp => "ntp",
        ExchangeKind::None if options.exchange.address.is_some() => {
            let message = "an address without a kind: give kind = \"echo\" or kind = \"ntp\"";
            return Err(Error::option("/exchange/kind", message));
        }
        ExchangeKind::None => return Ok(None),
    };
    let Some(address) = &options.exchange.address else {
        let message =
            format!("\"{name}\" needs the address where the device answers, as \"192.168.1.20:5006\"");
        return Err(Error::option("/exchange", message));
    };
    let address = address::device(address)?;
    match (options.timestamp.as_ref().map(|t| t.clock), kind) {
        (None, _) => Err(Error::option(
            "/timestamp",
            "exchanges measure the clock that stamps the data: say which field holds its time, as \
             timestamp = { field = \"t\", unit = \"us\", clock = \"device\" }",
        )),
        (Some(ClockKind::Monotonic), _) => Err(Error::option(
            "/timestamp/clock",
            "\"monotonic\" is the recorder's own clock, which needs no exchanges; give \"device\" or \"unix\", \
             or leave `exchange` out",
        )),
        (Some(ClockKind::Device | ClockKind::Unix), _) => Ok(Some(ExchangePlan { kind, address })),
    }
}

/// Silence after which the device counts as lost.
///
/// # Errors
/// Not a time.
pub fn silence(options: &Options) -> Result<Option<Duration>, Error> {
    let rate_hz = options.nominal_rate_hz;
    let silence_s = match options.silence_s {
        Some(silence_s) => silence_s,
        None if rate_hz > 0.0 => (10.0 / rate_hz).max(1.0),
        None => return Ok(None),
    };
    match Duration::try_from_secs_f64(silence_s) {
        Ok(silence) if !silence.is_zero() => Ok(Some(silence)),
        // A default of a rate so low that ten of its periods are no time.
        _ if options.silence_s.is_none() => Ok(None),
        _ => Err(Error::option("/silence_s", "give seconds, more than 0")),
    }
}

/// How long a gap is waited for.
///
/// # Errors
/// Not a time.
pub fn reorder(options: &Options) -> Result<Duration, Error> {
    match options.reorder_ms {
        ms if (0.0..=10_000.0).contains(&ms) => Ok(Duration::from_secs_f64(ms / 1000.0)),
        _ => Err(Error::option("/reorder_ms", "give 0 to 10000 milliseconds")),
    }
}

fn counter_bits(wanted: Option<u32>, element: Option<&Element>, path: &str) -> Result<u32, Error> {
    let field_type = element.and_then(|e| e.field_type);
    match wanted {
        Some(bits) if !(8..=64).contains(&bits) => Err(Error::option(path, "give 8 to 64 bits")),
        Some(bits) if field_type.is_some_and(|t| t.bytes() as u32 * 8 < bits && t.wrap_bits().is_some()) => {
            Err(Error::option(path, format!("the field has fewer than {bits} bits")))
        }
        Some(bits) => Ok(bits),
        None => Ok(field_type.and_then(|t| t.wrap_bits()).unwrap_or(64)),
    }
}

fn not_scaled(element: Option<&Element>, path: &str) -> Result<(), Error> {
    match element {
        Some(element) if element.scaling.is_some() => Err(Error::option(
            path,
            format!("the field \"{}\" has a scale or offset, which only channels may have", element.name),
        )),
        _ => Ok(()),
    }
}
