//! `lockstep neon`

use std::time::Duration;

use clap::{Args, Subcommand};
use lockstep_plugin_neon::{Estimate, Order, Phone, Statistics, Watched, tell};
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
    /// Send an event to a phone, which keeps it if it records
    Event(EventArgs),
    /// Start, save or cancel the phone's own recording
    Recording(RecordingArgs),
}

/// Which phone.
#[derive(Debug, Args)]
struct Which {
    /// Address of the phone, as 192.168.1.21 or 192.168.1.21:8080; without it the phone is looked for
    address: Option<String>,
    /// Name of the phone, where several are on the network
    #[arg(long, value_name = "NAME", conflicts_with = "address")]
    device: Option<String>,
}

impl Which {
    fn both(&self) -> (&str, &str) {
        (self.address.as_deref().unwrap_or_default(), self.device.as_deref().unwrap_or_default())
    }

    /// Have it carry out `order`: its name, and what it answers.
    fn tell(&self, order: &Order) -> Result<(String, Value), Failure> {
        let (address, device) = self.both();
        tell(address, device, order).map_err(|why| Failure::other(why, ""))
    }
}

/// Send an event to a phone: it stamps it by its clock, keeps it if it records, and tells it to everybody who listens,
/// a recording of Lockstep's among them.
#[derive(Debug, Args)]
struct EventArgs {
    /// Name of the event
    name: String,
    #[command(flatten)]
    which: Which,
    /// When it was, in nanoseconds since 1970 by the phone's clock; without it, when it arrives
    #[arg(long, value_name = "NS")]
    timestamp_ns: Option<i64>,
}

/// Start, save or cancel the phone's own recording. What it refuses with (no wearer, a question of the template, an
/// empty battery, a full memory) is shown as it says it.
#[derive(Debug, Args)]
struct RecordingArgs {
    /// What it is told to do
    #[arg(value_enum)]
    what: RecordingOrder,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RecordingOrder {
    /// Begin a recording
    Start,
    /// End it and keep it
    Save,
    /// End it and throw it away
    Cancel,
}

/// Print the clock offset of a phone: as the maker's estimator would, and by all that the same exchanges tell.
///
/// The offset is this machine's UTC minus the phone's, in both. The bound always holds, however unequal the ways to
/// the phone and back are. That they are equal cannot be seen.
#[derive(Debug, Args)]
struct OffsetArgs {
    #[command(flatten)]
    which: Which,
    /// Exchanges of one estimate
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(2..=10_000))]
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
    match &args.what {
        What::Offset(args) => offset(args),
        What::Event(args) => event(args),
        What::Recording(args) => recording(args),
    }
}

fn event(args: &EventArgs) -> Result<u8, Failure> {
    let (phone, answer) = args.which.tell(&Order::Event(args.name.clone(), args.timestamp_ns))?;
    let at_ns = answer["timestamp"].as_i64().map(i128::from);
    let at = at_ns.and_then(|ns| jiff::Timestamp::from_nanosecond(ns).ok());
    let at = at.map_or_else(|| "a time it does not say".to_owned(), |at| at.to_string());
    let fate = match answer["recording_id"].as_str() {
        Some(id) => format!("kept in its recording {id}"),
        None => "not kept by it, for it does not record".to_owned(),
    };
    print_out(&format!("{phone}: {:?} at {at} by its clock; {fate}", args.name));
    Ok(0)
}

fn recording(args: &RecordingArgs) -> Result<u8, Failure> {
    let (order, said) = match args.what {
        RecordingOrder::Start => (Order::StartRecording, "records now"),
        RecordingOrder::Save => (Order::SaveRecording, "has saved its recording"),
        RecordingOrder::Cancel => (Order::CancelRecording, "has thrown its recording away"),
    };
    let (phone, answer) = args.which.tell(&order)?;
    let id = answer["id"].as_str().unwrap_or("without an id");
    let lasted = answer["rec_duration_ns"]
        .as_u64()
        .map_or_else(String::new, |ns| format!(", {}", format::clock_time(ns as f64 / 1e9)));
    print_out(&format!("{phone} {said}: {id}{lasted}"));
    Ok(0)
}

fn offset(args: &OffsetArgs) -> Result<u8, Failure> {
    let failed = |why: String| Failure::other(why, "");
    let (address, device) = args.which.both();
    let mut phone = Phone::find(address, device).map_err(failed)?;
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
