//! What is on the network now, without a recording.

use std::io;
use std::time::{Duration, Instant};

use lockstep_plugin_api::Exchange;

use crate::clock;
use crate::found::Found;
use crate::net;

/// How long answers are collected before it is asked again.
const WINDOW: Duration = Duration::from_millis(300);
/// Longest time for looking at all clocks.
const LOOK: Duration = Duration::from_secs(2);

/// A stream on the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Name.
    pub name: String,
    /// Content type.
    pub kind: String,
    /// Channels.
    pub channel_count: usize,
    /// Format of its values, as LSL names it.
    pub format: &'static str,
    /// Samples a second; 0: irregular.
    pub nominal_rate_hz: f64,
    /// Name of its machine.
    pub hostname: String,
    /// What identifies the device across restarts; may be empty.
    pub source_id: String,
    /// What identifies its outlet.
    pub uid: String,
    /// Where its data are.
    pub address: Option<std::net::SocketAddr>,
    /// Exchanges with its time service; none when it does not answer.
    pub exchanges: Vec<Exchange>,
}

/// Ask the network for `how_long` which streams fulfil `predicate` (all: `""`), and each of them for its time.
/// Sorted by name and machine.
///
/// # Errors
/// Those of the system.
pub fn survey(predicate: &str, how_long: Duration) -> io::Result<Vec<Listed>> {
    let session = net::session_query();
    let query = if predicate.is_empty() { session } else { format!("{session} and ({predicate})") };
    let begun = Instant::now();
    let mut streams: Vec<Found> = Vec::new();
    loop {
        for found in net::ask(&query, WINDOW)? {
            if !streams.iter().any(|known| known.uid == found.uid) {
                streams.push(found);
            }
        }
        if begun.elapsed() >= how_long {
            break;
        }
    }
    streams.sort_by(|a, b| (&a.name, &a.hostname, &a.uid).cmp(&(&b.name, &b.hostname, &b.uid)));
    let services: Vec<_> = streams.iter().map(|found| found.time_service).collect();
    let exchanges = clock::look(&services, LOOK)?;
    let listed = streams.into_iter().zip(exchanges).map(|(found, exchanges)| Listed {
        format: crate::describe::format_name(found.format),
        name: found.name,
        kind: found.kind,
        channel_count: found.channel_count,
        nominal_rate_hz: found.nominal_rate_hz,
        hostname: found.hostname,
        source_id: found.source_id,
        uid: found.uid,
        address: found.data,
        exchanges,
    });
    Ok(listed.collect())
}
