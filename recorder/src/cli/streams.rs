//! `lockstep streams`

use std::time::Duration;

use clap::Args;
use lockstep_clock::{Reading, best};
use lockstep_plugin_lsl::{Listed, survey};
use serde_json::json;

use super::Failure;
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// List the LSL streams on the network.
///
/// Each outlet is asked for its time, too: OFFSET is what is added to its stamps to come to this
/// machine's time, and it is off by half of the round-trip time RTT at the most.
#[derive(Debug, Args)]
pub struct StreamsArgs {
    /// Only streams that fulfil this LSL predicate, as "type='EEG'"
    pub predicate: Option<String>,
    /// How long to listen for answers, in seconds
    #[arg(long, value_name = "S", default_value = "1.5", value_parser = super::record::positive_seconds)]
    pub wait: f64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Run it.
pub fn run(args: &StreamsArgs) -> Result<u8, Failure> {
    let wait = Duration::try_from_secs_f64(args.wait.min(3600.0)).unwrap_or_default();
    let predicate = args.predicate.as_deref().unwrap_or_default();
    let streams = survey(predicate, wait).map_err(|e| {
        Failure::other(format!("cannot ask the network: {e}"), "check the network of this machine")
    })?;
    if args.json {
        let all: Vec<_> = streams.iter().map(as_json).collect();
        print_out(&json!({"streams": all}).to_string());
        return Ok(0);
    }
    if streams.is_empty() {
        print_err(match predicate {
            "" => "no LSL stream answered: is a program with an outlet running, and no firewall between?",
            _ => "no LSL stream that fulfils the predicate answered; `lockstep streams` lists all",
        });
        return Ok(0);
    }
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("TYPE", Align::Left),
        ("CH", Align::Right),
        ("FORMAT", Align::Left),
        ("RATE", Align::Right),
        ("HOST", Align::Left),
        ("SOURCE ID", Align::Left),
        ("OFFSET", Align::Right),
        ("RTT", Align::Right),
    ]);
    for stream in &streams {
        let clock = clock_of(stream);
        table.row(vec![
            stream.name.clone(),
            stream.kind.clone(),
            stream.channel_count.to_string(),
            stream.format.to_owned(),
            if stream.nominal_rate_hz > 0.0 {
                format!("{} Hz", format::nominal(stream.nominal_rate_hz))
            } else {
                "irregular".to_owned()
            },
            stream.hostname.clone(),
            if stream.source_id.is_empty() { "none".to_owned() } else { stream.source_id.clone() },
            clock.map_or_else(|| "no answer".to_owned(), |(offset_s, _)| format!("{offset_s:+.6} s")),
            clock.map_or_else(|| "-".to_owned(), |(_, rtt_s)| format::short_time(rtt_s)),
        ]);
    }
    for line in table.lines() {
        print_out(&line);
    }
    if streams.iter().any(|s| s.source_id.is_empty()) {
        print_out("\nA stream without a source id cannot be found again when its outlet restarts.");
    }
    Ok(0)
}

/// Clock offset (to be added to its stamps) and round-trip time of the quickest exchange, in seconds.
fn clock_of(stream: &Listed) -> Option<(f64, f64)> {
    let exchanges: Vec<lockstep_clock::Exchange> = stream
        .exchanges
        .iter()
        .map(|e| lockstep_clock::Exchange { t0_s: e.t0_s, t1_s: e.t1_s, t2_s: e.t2_s, t3_s: e.t3_s })
        .collect();
    best(&exchanges, Reading::FINE).map(|m| (m.offset_s, m.round_trip_s))
}

fn as_json(stream: &Listed) -> serde_json::Value {
    let clock = clock_of(stream);
    json!({
        "name": stream.name,
        "type": stream.kind,
        "channel_count": stream.channel_count,
        "channel_format": stream.format,
        "nominal_rate_hz": stream.nominal_rate_hz,
        "hostname": stream.hostname,
        "source_id": stream.source_id,
        "uid": stream.uid,
        "address": stream.address.map(|a| a.to_string()),
        "clock_offset_s": clock.map(|c| c.0),
        "round_trip_s": clock.map(|c| c.1),
    })
}
