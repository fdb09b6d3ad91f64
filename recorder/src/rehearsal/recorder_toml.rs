//! A recorder configuration that fits simulated devices, as TOML text with comments.

use std::fmt::Write as _;
use std::net::SocketAddr;

use lockstep_sim::format::Format;
use lockstep_sim::udp::{CounterWidth, Payload, UdpDeviceConfig};

/// The whole configuration: one `[[source]]` per device.
pub fn configuration(devices: &[UdpDeviceConfig]) -> String {
    let mut toml = String::from(
        "# SIMULATED: made by `lockstep simulate udp --print-config`. Run the simulator with the same\n\
         # flags, then `lockstep record` with this file.\n\
         [experiment]\n\
         name = \"simulation\"\n",
    );
    for device in devices {
        toml.push('\n');
        // Writing into a String cannot fail.
        let _ = source(&mut toml, device);
    }
    toml
}

fn source(toml: &mut String, device: &UdpDeviceConfig) -> std::fmt::Result {
    writeln!(toml, "[[source]]\nname = {}\nplugin = \"udp\"\nrequired = true", quote(&device.name))?;
    writeln!(toml, "acquisition = {{ manufacturer = \"SIMULATED by Lockstep\" }}")?;
    writeln!(toml, "[source.options]\nlisten = \"{}\"", device.destination)?;
    writeln!(toml, "payload = \"{}\"", device.payload.name())?;
    let stream_type = if device.format == Format::String { "Markers" } else { "Simulated" };
    writeln!(toml, "stream_type = \"{stream_type}\"")?;
    writeln!(toml, "nominal_rate_hz = {:?}", device.rate.nominal_hz())?;
    writeln!(toml, "format = \"{}\"", device.format.name())?;
    if device.payload != Payload::Marker {
        fields(toml, device)?;
    }
    match device.exchange {
        Some(exchange) => {
            let address = reachable(exchange.address);
            writeln!(toml, "exchange = {{ kind = \"{}\", address = \"{address}\" }}", exchange.kind.name())
        }
        None => writeln!(toml, "exchange = {{ kind = \"none\" }}"),
    }
}

/// The layout of a datagram: header, stamp, channels; and what the stamp and the sequence mean.
fn fields(toml: &mut String, device: &UdpDeviceConfig) -> std::fmt::Result {
    let (stamp_type, wrap) = match device.counter {
        CounterWidth::Bits32 => ("u32", ", wrap_bits = 32"),
        CounterWidth::Bits64 => ("i64", ""),
    };
    let channels = if device.channel_names.len() == 1 { "c0" } else { "c" };
    // Only the binary layout has types.
    let field = |name: &str, kind: &str, count: usize| {
        let kind = match device.payload {
            Payload::Binary => format!(", type = \"{kind}\""),
            _ => String::new(),
        };
        let count = if count > 1 { format!(", count = {count}") } else { String::new() };
        format!("{{ name = \"{name}\"{kind}{count} }}")
    };
    let value_type = device.format.binary_name().unwrap_or_default();
    let (stamp, sequence) = (field("t", stamp_type, 1), field("seq", "u32", 1));
    let channels = field(channels, value_type, device.channel_names.len());
    if device.payload == Payload::Binary {
        writeln!(toml, "endian = \"little\"\nmagic = \"4C4B5331\"\nheader = [ {sequence} ]")?;
        writeln!(toml, "fields = [ {stamp}, {channels} ]")?;
    } else {
        writeln!(toml, "fields = [ {sequence}, {stamp}, {channels} ]")?;
    }
    let unit = device.clock_unit.symbol();
    writeln!(toml, "timestamp = {{ field = \"t\", unit = \"{unit}\", clock = \"device\"{wrap} }}")?;
    writeln!(toml, "sequence = {{ field = \"seq\", wrap_bits = 32, per = \"sample\" }}")
}

/// An address to send to: a server that listens on every address is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (std::net::Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, v6.port()).into(),
        specific => specific,
    }
}

/// `text` as a TOML string.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
