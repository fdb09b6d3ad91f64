//! `lockstep simulate tobii`: simulated Tobii Pro Glasses 3.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockstep_sim::glasses3::{
    GAZE_RATES_HZ, Glasses3, Glasses3Config, Glasses3Report, MAGNETOMETER_HZ, SignalReport, Span,
};

use super::args::{NetworkArgs, choice, parse_duration, parse_span};
use super::clock::ClockFlags;
use super::until_signal;
use crate::display::table::{Align, Table};

/// Arguments of `lockstep simulate tobii`.
#[derive(Debug, Clone, Args)]
pub struct TobiiArgs {
    #[command(flatten)]
    glasses: GlassesArgs,
    #[command(flatten)]
    signals: SignalArgs,
    #[command(flatten)]
    clock: ClockFlags,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Glasses")]
struct GlassesArgs {
    /// Serial number of the recording unit, which is also its name on the network
    #[arg(long, visible_alias = "name", default_value = "TG03B-SIMULATED-1")]
    serial: String,
    /// Address of this machine where they answer; 0.0.0.0 for all, so that others reach them
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of WebSocket and HTTP; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    port: u16,
    /// Do not announce them by mDNS
    #[arg(long)]
    no_mdns: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signals")]
struct SignalArgs {
    /// Gaze data a second by the glasses' crystal, until a client sets another
    #[arg(long, value_name = "HZ", default_value = "50", value_parser = choice(&GAZE_RATES_HZ, rate_name))]
    gaze_hz: u32,
    /// Accelerations and turns a second; 0 for none, and no magnetic field either
    #[arg(long, value_name = "HZ", default_value_t = 119.0)]
    imu_hz: f64,
    /// Between changes at the sync port; 0 for none
    #[arg(long = "sync-port-every", value_name = "S", default_value_t = 1.0)]
    sync_port_every_s: f64,
    /// Time stamps go on after a lapse of the keepalive, instead of beginning again at zero
    #[arg(long)]
    keep_zero: bool,
    /// Both eyes are always found, and each sample of the IMU is whole
    #[arg(long)]
    whole: bool,
    /// An event comes back before the action that sent it is answered, not after
    #[arg(long)]
    event_first: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// The glasses are away: connections are reset, and nobody gets in; may be repeated
    #[arg(long = "outage", value_name = "AT_S:FOR_S", value_parser = parse_span)]
    outages: Vec<Span>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Be there for this long; without it, until stopped
    #[arg(long, value_name = "S", visible_alias = "duration", value_parser = parse_duration)]
    duration_s: Option<Duration>,
    /// Folder for truth logs, a CSV file for each signal, for exchanges and for events; none is
    /// overwritten
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
}

/// The rates as they are written.
fn rate_name(hz: u32) -> &'static str {
    if hz == 100 { "100" } else { "50" }
}

impl TobiiArgs {
    fn config(&self) -> anyhow::Result<Glasses3Config> {
        let (glasses, signals, run) = (&self.glasses, &self.signals, &self.run);
        let config = Glasses3Config {
            serial: glasses.serial.clone(),
            host: glasses.host,
            port: glasses.port,
            mdns: !glasses.no_mdns,
            clock: self.clock.model(run.duration_s, run.seed),
            uplink: self.network.uplink(run.seed),
            downlink: self.network.downlink(run.seed),
            gaze_hz: signals.gaze_hz,
            imu_hz: signals.imu_hz,
            sync_port_every_s: signals.sync_port_every_s,
            zero_restarts: !signals.keep_zero,
            whole: signals.whole,
            event_first: signals.event_first,
            outages: self.faults.outages.clone(),
            seed: run.seed,
            duration: run.duration_s,
            truth: run.truth.clone(),
        };
        config.validate()?;
        Ok(config)
    }
}

/// Runs `lockstep simulate tobii`.
///
/// # Errors
/// When the port or a truth log is taken, or output fails.
pub fn run(args: &TobiiArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let report = until_signal(async |stopped| {
        let shown = config.clone();
        let glasses = Glasses3::bind(config).await?;
        write_banner(&mut io::stdout(), &shown, glasses.address())?;
        Ok(glasses.run(stopped).await?)
    })?;
    let mut out = io::stdout();
    writeln!(out, "{}\n{}", summary(&report).lines().join("\n"), others(&report))?;
    Ok(())
}

/// Says what is simulated, once it answers. The second line has the address.
fn write_banner(out: &mut impl Write, config: &Glasses3Config, address: SocketAddr) -> io::Result<()> {
    writeln!(out, "SIMULATED Tobii Glasses 3, no device involved:")?;
    let announced = if config.mdns { "announced by mDNS" } else { "not announced" };
    writeln!(out, "  WebSocket ws://{address}/websocket, HTTP http://{address}/rest, {announced}")?;
    write!(out, "  {}: gaze {} Hz, ", config.serial, config.gaze_hz)?;
    if config.imu_hz > 0.0 {
        write!(out, "IMU {} Hz, magnetic field {MAGNETOMETER_HZ} Hz, ", config.imu_hz)?;
    } else {
        write!(out, "no IMU, ")?;
    }
    if config.sync_port_every_s > 0.0 {
        writeln!(out, "sync port every {} s", config.sync_port_every_s)?;
    } else {
        writeln!(out, "no sync port")?;
    }
    write!(
        out,
        "  this machine's UTC is {:+} s ahead of the glasses', {:+} ppm",
        config.clock.offset_s, config.clock.skew_ppm
    )?;
    if let Some(truth) = &config.truth {
        write!(out, ", truth in {}", truth.display())?;
    }
    let port = address.port();
    if config.host.is_unspecified() {
        writeln!(out, "\n  clients connect to 127.0.0.1:{port}, from other machines to this one's address")?;
    } else {
        writeln!(out, "\n  clients connect to {address}")?;
    }
    out.flush()
}

/// Heading and value of each column of the summary, after the name.
type Column = (&'static str, fn(&SignalReport) -> String);

const COLUMNS: [Column; 5] = [
    ("messages", |report| report.messages.to_string()),
    ("kept alive", |report| report.alive.to_string()),
    ("sent", |report| report.sent.to_string()),
    ("queue full", |report| report.queue_full.to_string()),
    ("worst lateness", |report| format!("{:.1} ms", report.worst_lateness_s * 1e3)),
];

/// Says what was sent of each signal, in aligned columns.
fn summary(report: &Glasses3Report) -> Table {
    let headings = COLUMNS.iter().map(|(heading, _)| (*heading, Align::Right));
    let columns: Vec<_> = std::iter::once(("SIMULATED", Align::Left)).chain(headings).collect();
    let mut table = Table::new(&columns);
    for signal in &report.signals {
        let counts = COLUMNS.iter().map(|(_, value)| value(signal));
        table.row(std::iter::once(signal.signal.name().to_owned()).chain(counts).collect());
    }
    table
}

fn others(report: &Glasses3Report) -> String {
    format!(
        "{} WebSockets, {} requests, {} refused, time began at zero {} times, {} connections reset",
        report.sockets, report.requests, report.refused, report.zeros, report.resets
    )
}
