//! The JSON object at the head of a truth log: everything needed to simulate the device again.

use serde_json::{Value, json};

use crate::describe::{clock, path};

use super::config::{CounterWidth, UdpDeviceConfig};

/// Describes a device whose clock has its epoch at host time `host_epoch_s`.
pub(super) fn describe(config: &UdpDeviceConfig, host_epoch_s: f64) -> Value {
    json!({
        "simulated": true,
        "name": config.name,
        "seed": config.seed,
        "destination": config.destination.to_string(),
        "payload": config.payload.name(),
        "format": config.format.name(),
        "channels": config.channel_names.len(),
        "nominal_rate_hz": config.rate.nominal_hz(),
        "mean_rate_hz": config.rate.mean_hz(),
        "samples_per_datagram": config.samples_per_datagram,
        "host_epoch_s": host_epoch_s,
        "ticks_per_s": config.clock_unit.ticks_per_s(),
        "counter_bits": match config.counter {
            CounterWidth::Bits32 => 32,
            CounterWidth::Bits64 => 64,
        },
        "clock": clock(&config.clock),
        "uplink": path(&config.uplink),
        "downlink": path(&config.downlink),
        "exchange": config.exchange.map(|exchange| exchange.kind.name()),
        "start_delay_s": config.start_delay.as_secs_f64(),
        "duration_s": config.duration.map(|duration| duration.as_secs_f64()),
    })
}
