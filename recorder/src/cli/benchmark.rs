//! `lockstep benchmark`

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::{Duration, Instant};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use lockstep_clock::Method;
use lockstep_sim::study::{family_a, family_b, seeds};

use super::Failure;
use crate::benchmark::score::Given;
use crate::benchmark::{Settings, render, run as run_rows};
use crate::display::{print_err, print_out};

/// Arguments of `lockstep benchmark`.
#[derive(Debug, Args)]
pub struct BenchmarkArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Judge the methods of clock synchronization on simulated recordings whose truth is known
    ///
    /// Prints p95 and max of the error in us, mean over the seeds, for each kind of clock, network,
    /// length and schedule of probes; and what smooth says of its own error. The simulated clocks
    /// and networks are choices: no figure is a claim about a real device.
    #[command(after_help = super::EXIT_CODES)]
    Clock(ClockArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Families {
    A,
    B,
    All,
}

#[derive(Debug, Args)]
struct ClockArgs {
    /// Rows: a are crystals and phones over LAN, USB and Wi-Fi, b are harder
    #[arg(long, value_enum, default_value = "all")]
    family: Families,
    /// Only rows with this text in their name, for example "phone, wifi"
    #[arg(long, value_name = "TEXT")]
    rows: Option<String>,
    /// Recordings of each row
    #[arg(long, value_name = "N", default_value = "20")]
    seeds: NonZeroU64,
    /// Use the seeds for choosing constants, not those for reporting
    #[arg(long)]
    tuning: bool,
    /// Methods to compare
    #[arg(long, value_name = "METHODS", value_delimiter = ',', default_value = "robust,interpolate,smooth", value_parser = method())]
    method: Vec<Method>,
    /// Give the methods what LabRecorder writes: offsets only, stamped late (rows of its schedule)
    #[arg(long, conflicts_with = "online")]
    lab_recorder: bool,
    /// Judge the causal map for live use, by time since the start
    #[arg(long)]
    online: bool,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// As JSON, with every seed
    #[arg(long)]
    json: bool,
}

/// Run it.
pub fn run(args: &BenchmarkArgs) -> Result<u8, Failure> {
    let What::Clock(args) = &args.what;
    let settings = settings(args)?;
    let cores = settings.threads;
    let began = Instant::now();
    let reported = parking_lot::Mutex::new(began);
    let rows = run_rows(&settings, &|done, all| {
        let mut last = reported.lock();
        if last.elapsed() > Duration::from_secs(10) {
            *last = Instant::now();
            print_err(&format!("{done} of {all} recordings judged"));
        }
    });
    if args.json {
        print_out(&serde_json::to_string(&rows).map_err(anyhow::Error::from)?);
        return Ok(0);
    }
    print_out(&render::tables(&rows));
    let kind = if args.tuning { "tuning" } else { "reporting" };
    print_out(&format!(
        "{} rows, {} {kind} seeds each, {:.0} s on {cores} threads. SIMULATED: no device was measured.",
        rows.len(),
        args.seeds,
        began.elapsed().as_secs_f64()
    ));
    Ok(0)
}

fn settings(args: &ClockArgs) -> Result<Settings, Failure> {
    let mut cases = Vec::new();
    if args.family != Families::B {
        cases.extend(family_a());
    }
    if args.family != Families::A {
        cases.extend(family_b());
    }
    if let Some(text) = &args.rows {
        cases.retain(|case| case.name().contains(text.as_str()));
    }
    if args.lab_recorder {
        cases.retain(|case| case.probes.name() == "lsl");
    }
    if cases.is_empty() {
        let text = args.rows.as_deref().unwrap_or_default();
        return Err(Failure::usage(
            format!("no row has '{text}' in its name"),
            "a row is named like this: phone, wifi, 3600, lsl",
        ));
    }
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Ok(Settings {
        cases,
        seeds: if args.tuning { seeds::tuning(args.seeds.get()) } else { seeds::reporting(args.seeds.get()) },
        methods: args.method.clone(),
        given: if args.lab_recorder { Given::LabRecorder } else { Given::Exchanges },
        online: args.online,
        threads: args.threads.map_or_else(cores, NonZeroUsize::get),
    })
}

/// A parser of a method's name.
fn method() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name)).try_map(|given| {
        Method::ALL.into_iter().find(|method| method.name() == given).ok_or("not one of the possible values")
    })
}
