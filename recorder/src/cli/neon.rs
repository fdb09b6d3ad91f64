//! `lockstep neon`

use std::time::Duration;

use clap::{Args, Subcommand};
use lockstep_plugin_neon::{Estimate, Phone, Statistics, Watched};
use serde_json::{Value, json};

use super::Failure;
use crate::display::{format, print_err, print_out};

/// Arguments of `lockstep neon`.
#[derive(Debug, Args)]
pub struct NeonArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How far the clock of a phone is from this machine's
    Offset(OffsetArgs),
}

/// Print the clock offset of a phone: as the maker's estimator would, and by all that the same exchanges tell.
///
/// The offset is this machine's UTC minus the phone's, in both. The bound always holds, however unequal the ways to
/// the phone and back are. That they are equal cannot be seen.
#[derive(Debug, Args)]
struct OffsetArgs {
    /// Address of the phone, as 192.168.1.21 or 192.168.1.21:8080; without it the phone is looked for
    address: Option<String>,
    /// Name of the phone, where several are on the network
    #[arg(long, value_name = "NAME", conflicts_with = "address")]
    device: Option<String>,
    /// Exchanges of one estimate
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    probes: u16,
    /// Go on until Ctrl-C, and tell how the clock drifts
    #[arg(long)]
    watch: bool,
    /// Pause between two estimates of --watch, in seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = super::record::positive_seconds)]
    interval: f64,
    /// As JSON, a line for each estimate
    #[arg(long)]
    json: bool,
}

/// Run it.
pub fn run(args: &NeonArgs) -> Result<u8, Failure> {
    let What::Offset(args) = &args.what;
    let failed = |why: String| Failure::other(why, "");
    let mut phone =
        Phone::find(args.address.as_deref().unwrap_or_default(), args.device.as_deref().unwrap_or_default())
            .map_err(failed)?;
    let mut watched = Watched::default();
    loop {
        let estimate = phone.exchanges(args.probes.into()).and_then(|exchanges| {
            let (host_ns, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
            let utc_minus_host_s = utc_ns.saturating_sub(host_ns) as f64 / 1e9;
            watched.add(&exchanges, utc_minus_host_s).ok_or_else(|| {
                format!("{} answered {} of {} times: too few", phone.name, exchanges.len(), args.probes)
            })
        });
        let pause = Duration::try_from_secs_f64(args.interval).unwrap_or_default();
        let estimate = match estimate {
            Ok(estimate) => estimate,
            Err(why) if args.watch => {
                print_err(&why);
                std::thread::sleep(pause);
                continue;
            }
            Err(why) => return Err(failed(why)),
        };
        if args.json {
            print_out(&as_json(&estimate, &phone).to_string());
        } else if args.watch {
            print_out(&line(&estimate));
        } else {
            lines(&estimate, &phone).iter().for_each(|line| print_out(line));
        }
        if let (Some(note), false) = (note(&estimate), args.json) {
            print_err(&note);
        }
        if !args.watch {
            return Ok(0);
        }
        std::thread::sleep(pause);
    }
}

fn drift(estimate: &Estimate) -> String {
    estimate.drift_ppm.map_or_else(String::new, |ppm| format!("{ppm:+.2} ppm, {:+.1} ms an hour", ppm * 3.6))
}

fn line(estimate: &Estimate) -> String {
    format!(
        "{:+.3} ms, off by at most {}  round trip {} to {}  mean of the maker's estimator {:+.3} ms  {}",
        1e3 * estimate.offset_s,
        format::short_time(estimate.bound_s),
        format::short_time(estimate.round_trip_s.0),
        format::short_time(estimate.round_trip_s.1),
        estimate.official.time_offset_ms.mean,
        drift(estimate),
    )
}

fn lines(estimate: &Estimate, phone: &Phone) -> Vec<String> {
    let row = |name: &str, s: Statistics| {
        format!("  {name:<22}{:>12.3}{:>10.3}{:>12.3}   ms", s.mean, s.std, s.median)
    };
    vec![
        format!("{} at {}", phone.name, phone.at),
        format!("  {:<22}{:>12}{:>10}{:>12}", "THE MAKER'S ESTIMATOR", "MEAN", "STD", "MEDIAN"),
        row("time offset", estimate.official.time_offset_ms),
        row("round-trip duration", estimate.official.roundtrip_duration_ms),
        "  THE SAME EXCHANGES, ALL THEY TELL".to_owned(),
        format!(
            "  {:<22}{:>12.3} ms, off by at most {}; by about {} if both ways take equally long",
            "time offset",
            1e3 * estimate.offset_s,
            format::short_time(estimate.bound_s),
            format::short_time(estimate.equal_ways_s)
        ),
        "  client = phone + offset".to_owned(),
    ]
}

fn note(estimate: &Estimate) -> Option<String> {
    let (quickest_s, slow_s) = estimate.round_trip_s;
    estimate.is_unsteady().then(|| {
        format!(
            "the network is unsteady: one answer in twenty takes {} and more, the quickest took {}. Connect the \
             phone by Ethernet (a USB hub), or use a network of your own",
            format::short_time(slow_s),
            format::short_time(quickest_s)
        )
    })
}

fn as_json(estimate: &Estimate, phone: &Phone) -> Value {
    let statistics = |s: Statistics| json!({"mean": s.mean, "std": s.std, "median": s.median});
    json!({
        "device_name": phone.name,
        "official": {
            "time_offset_ms": statistics(estimate.official.time_offset_ms),
            "roundtrip_duration_ms": statistics(estimate.official.roundtrip_duration_ms),
        },
        "time_offset_ms": 1e3 * estimate.offset_s,
        "bound_ms": 1e3 * estimate.bound_s,
        "equal_ways_ms": 1e3 * estimate.equal_ways_s,
        "round_trip_ms": {"min": 1e3 * estimate.round_trip_s.0, "p95": 1e3 * estimate.round_trip_s.1},
        "drift_ppm": estimate.drift_ppm,
        "unsteady": estimate.is_unsteady(),
    })
}
