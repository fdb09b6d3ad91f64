//! `lockstep neon`

use std::time::Duration;

use clap::{Args, Subcommand};
use lockstep_plugin_api::Exchange;
use lockstep_plugin_neon::{Instant, Official, Phone, Statistics};
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

/// A drift is told when it was watched for as long, in seconds.
const DRIFT_AFTER_S: f64 = 20.0;
/// The network is unsteady when one answer in twenty takes this much longer than the quickest, in seconds.
const UNSTEADY_S: f64 = 0.03;

/// Run it.
pub fn run(args: &NeonArgs) -> Result<u8, Failure> {
    let What::Offset(args) = &args.what;
    let failed = |why: String| Failure::other(why, "");
    let mut phone =
        Phone::find(args.address.as_deref().unwrap_or_default(), args.device.as_deref().unwrap_or_default())
            .map_err(failed)?;
    let mut watched = Watched::default();
    loop {
        let exchanges = phone.exchanges(args.probes.into()).map_err(failed)?;
        let estimate = watched.add(&exchanges).ok_or_else(|| {
            failed(format!("{} answered {} of {} times: too few", phone.name, exchanges.len(), args.probes))
        })?;
        if args.json {
            print_out(&estimate.as_json(&phone).to_string());
        } else if args.watch {
            print_out(&estimate.line());
        } else {
            estimate.lines(&phone).iter().for_each(|line| print_out(line));
        }
        if let (Some(note), false) = (estimate.note(), args.json) {
            print_err(&note);
        }
        if !args.watch {
            return Ok(0);
        }
        std::thread::sleep(Duration::try_from_secs_f64(args.interval).unwrap_or_default());
    }
}

/// What is remembered of the estimates before.
#[derive(Debug, Default)]
struct Watched {
    /// Phone time and offset of the first estimate.
    first: Option<(f64, f64)>,
}

/// What the exchanges tell at their end.
struct Estimate {
    official: Official,
    /// This machine's UTC minus the phone's.
    offset_s: f64,
    bound_s: f64,
    equal_ways_s: f64,
    /// Shortest round-trip time, and that of nineteen in twenty.
    round_trip_s: (f64, f64),
    drift_ppm: Option<f64>,
}

impl Watched {
    /// Take in exchanges; what is known then, `None`: too little.
    fn add(&mut self, new: &[Exchange]) -> Option<Estimate> {
        let (host_ns, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
        let utc_minus_host_s = utc_ns.saturating_sub(host_ns) as f64 / 1e9;
        let official = Official::new(new, utc_minus_host_s)?;
        let now = Instant::new(new)?;
        let device_s = new.last()?.t2_s;
        let offset_s = now.offset_s + utc_minus_host_s;
        let mut round_trips_s: Vec<f64> = new.iter().map(|e| e.t3_s - e.t0_s).collect();
        round_trips_s.sort_by(f64::total_cmp);
        let (first_s, first_offset_s) = *self.first.get_or_insert((device_s, offset_s));
        let watched_s = device_s - first_s;
        Some(Estimate {
            official,
            offset_s,
            bound_s: now.bound_s,
            equal_ways_s: now.equal_ways_s,
            round_trip_s: (*round_trips_s.first()?, *round_trips_s.get(round_trips_s.len() * 19 / 20)?),
            drift_ppm: (watched_s > DRIFT_AFTER_S).then(|| -1e6 * (offset_s - first_offset_s) / watched_s),
        })
    }
}

impl Estimate {
    fn drift(&self) -> String {
        // A clock that gains makes the offset fall.
        self.drift_ppm.map_or_else(String::new, |ppm| format!("{ppm:+.2} ppm, {:+.1} ms an hour", ppm * 3.6))
    }

    fn line(&self) -> String {
        format!(
            "{:+.3} ms, off by at most {}  round trip {} to {}  mean of the maker's estimator {:+.3} ms  {}",
            1e3 * self.offset_s,
            format::short_time(self.bound_s),
            format::short_time(self.round_trip_s.0),
            format::short_time(self.round_trip_s.1),
            self.official.time_offset_ms.mean,
            self.drift(),
        )
    }

    fn lines(&self, phone: &Phone) -> Vec<String> {
        let row = |name: &str, s: Statistics| {
            format!("  {name:<22}{:>12.3}{:>10.3}{:>12.3}   ms", s.mean, s.std, s.median)
        };
        vec![
            format!("{} at {}", phone.name, phone.at),
            format!("  {:<22}{:>12}{:>10}{:>12}", "THE MAKER'S ESTIMATOR", "MEAN", "STD", "MEDIAN"),
            row("time offset", self.official.time_offset_ms),
            row("round-trip duration", self.official.roundtrip_duration_ms),
            "  THE SAME EXCHANGES, ALL THEY TELL".to_owned(),
            format!(
                "  {:<22}{:>12.3} ms, off by at most {}; by about {} if both ways take equally long",
                "time offset",
                1e3 * self.offset_s,
                format::short_time(self.bound_s),
                format::short_time(self.equal_ways_s)
            ),
            "  client = phone + offset".to_owned(),
        ]
    }

    fn note(&self) -> Option<String> {
        let (quickest_s, slow_s) = self.round_trip_s;
        (slow_s - quickest_s > UNSTEADY_S).then(|| {
            format!(
                "the network is unsteady: one answer in twenty takes {} and more, the quickest took {}. Connect the \
                 phone by Ethernet (a USB hub), or use a network of your own",
                format::short_time(slow_s),
                format::short_time(quickest_s)
            )
        })
    }

    fn as_json(&self, phone: &Phone) -> Value {
        let statistics = |s: Statistics| json!({"mean": s.mean, "std": s.std, "median": s.median});
        json!({
            "device_name": phone.name,
            "official": {
                "time_offset_ms": statistics(self.official.time_offset_ms),
                "roundtrip_duration_ms": statistics(self.official.roundtrip_duration_ms),
            },
            "time_offset_ms": 1e3 * self.offset_s,
            "bound_ms": 1e3 * self.bound_s,
            "equal_ways_ms": 1e3 * self.equal_ways_s,
            "round_trip_ms": {"min": 1e3 * self.round_trip_s.0, "p95": 1e3 * self.round_trip_s.1},
            "drift_ppm": self.drift_ppm,
            "unsteady": self.note().is_some(),
        })
    }
}
