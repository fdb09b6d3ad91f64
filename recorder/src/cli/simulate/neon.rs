//! `lockstep simulate neon`: simulated glasses with their phone.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockstep_sim::neon::{
    Addresses, EchoFaults, Gaze, InterleavedFaults, Layout, NeonConfig, NeonPhone, NeonReport, Rates,
    ReportStyle, RtpClock, RtpConfig, Sensor, SensorReport, Span,
};

use super::args::{NetworkArgs, choice, parse_duration, parse_seconds, parse_span};
use super::clock::ClockFlags;
use super::until_signal;
use crate::display::table::{Align, Table};

/// Arguments of `lockstep simulate neon`.
#[derive(Debug, Clone, Args)]
pub struct NeonArgs {
    #[command(flatten)]
    phone: PhoneArgs,
    #[command(flatten)]
    sensors: SensorArgs,
    #[command(flatten)]
    clock: ClockFlags,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    rtp: RtpArgs,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Phone")]
struct PhoneArgs {
    /// Name of the phone
    #[arg(long, default_value = "Simulated Neon")]
    name: String,
    /// Address of this machine where it answers; 0.0.0.0 for all, so that others reach it
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of REST and the status; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Port of RTSP; 0 takes a free one, which the status tells
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    rtsp_port: u16,
    /// Port of the Time Echo; 0 takes a free one, which the status tells
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    time_echo_port: u16,
    /// Have no Time Echo, as old phones
    #[arg(long, conflicts_with = "time_echo_port")]
    no_time_echo: bool,
    /// Do not announce it by mDNS
    #[arg(long)]
    no_mdns: bool,
    /// Most clients that may play a sensor at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    clients: usize,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sensors (0 Hz: none)")]
struct SensorArgs {
    /// Gaze data a second by the phone's crystal
    #[arg(long, value_name = "HZ", default_value_t = 200.0)]
    gaze_hz: f64,
    /// IMU samples a second
    #[arg(long, value_name = "HZ", default_value_t = 110.0)]
    imu_hz: f64,
    /// Pictures of the scene camera a second
    #[arg(long, value_name = "HZ", default_value_t = 30.0)]
    scene_hz: f64,
    /// Pictures of the eye cameras a second
    #[arg(long, value_name = "HZ", default_value_t = 200.0)]
    eyes_hz: f64,
    /// Saccades, each with its fixation, a second
    #[arg(long, value_name = "HZ", default_value_t = 2.0)]
    eye_events_hz: f64,
    /// What a gaze datum holds
    #[arg(long, default_value = "binocular", value_parser = choice(&Layout::ALL, Layout::name))]
    layout: Layout,
    /// Another layout from a time on, in seconds after the start; may be repeated
    #[arg(long, value_name = "AT_S:LAYOUT", value_parser = parse_switch)]
    layout_at: Vec<(f64, Layout)>,
    /// When the glasses are not worn; may be repeated
    #[arg(long, value_name = "AT_S[:FOR_S]", value_parser = parse_span)]
    not_worn: Vec<Span>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "RTP")]
struct RtpArgs {
    /// From PLAY to the first sender report, without which a client knows no times
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    first_report_s: f64,
    /// Between sender reports
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    report_interval_s: f64,
    /// The time of a report is paired with the RTP time then, or with that of the last packet
    #[arg(long, default_value = "exact", value_parser = choice(&ReportStyle::ALL, ReportStyle::name))]
    report_style: ReportStyle,
    /// Cameras mark the last packet of each H.264 unit as the end of a picture, as some senders do
    #[arg(long)]
    mark_each_unit: bool,
    /// RTP times go by the phone's crystal, or by its clock with all its steps
    #[arg(long, default_value = "monotonic", value_parser = choice(&RtpClock::ALL, RtpClock::name))]
    rtp_clock: RtpClock,
    /// Let the 32 bits of RTP times wrap so many seconds after the start
    #[arg(long, value_name = "S")]
    rtp_wrap_s: Option<f64>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// The phone is away: connections are reset, nothing is answered or sent; may be repeated
    #[arg(long = "outage", value_name = "AT_S:FOR_S", value_parser = parse_span)]
    outages: Vec<Span>,
    /// A sensor (or `all`) is unplugged; may be repeated
    #[arg(long, value_name = "SENSOR:AT_S[:FOR_S]", value_parser = parse_unplug)]
    unplug: Vec<Unplug>,
    /// Each N gaze data, one has a length that no layout has
    #[arg(long, value_name = "N")]
    odd_gaze_every: Option<u64>,
    /// RTP over the RTSP connection: the answer to SETUP does not repeat the channels
    #[arg(long)]
    hide_channels: bool,
    /// RTP over the RTSP connection: in the middle of each N frames comes `400 Bad Request`
    #[arg(long, value_name = "N")]
    garbage_every: Option<u64>,
    /// Each N replies of the Time Echo, one comes in two parts
    #[arg(long, value_name = "N")]
    split_echo_every: Option<u64>,
    /// Each N replies of the Time Echo, one answers another question
    #[arg(long, value_name = "N")]
    wrong_echo_every: Option<u64>,
    /// Refuse to start a recording, and say this
    #[arg(long, value_name = "REASON")]
    refuse_recording: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Be there for this long; without it, until stopped
    #[arg(long, value_name = "S", value_parser = parse_duration)]
    duration_s: Option<Duration>,
    /// Folder for truth logs, a CSV file for each sensor, for exchanges and for events; none is
    /// overwritten
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
}

/// Which sensors are unplugged, and when.
#[derive(Debug, Clone, PartialEq)]
struct Unplug {
    sensors: Vec<Sensor>,
    span: Span,
}

fn parse_switch(text: &str) -> Result<(f64, Layout), String> {
    let (at, name) = text.split_once(':').ok_or("give AT_S:LAYOUT, for example 60:eye-state")?;
    let names = Layout::ALL.map(Layout::name).join(", ");
    let layout = Layout::named(name).ok_or(format!("there is no layout '{name}', only {names}"))?;
    Ok((parse_seconds(at)?, layout))
}

fn parse_unplug(text: &str) -> Result<Unplug, String> {
    let (name, span) = text.split_once(':').ok_or("give SENSOR:AT_S:FOR_S, for example gaze:60:5")?;
    let names = Sensor::ALL.map(Sensor::name).join(", ");
    let sensors = match Sensor::named(name) {
        Some(sensor) => vec![sensor],
        None if name == "all" => Sensor::ALL.to_vec(),
        None => return Err(format!("there is no sensor '{name}', only all, {names}")),
    };
    Ok(Unplug { sensors, span: parse_span(span)? })
}

impl NeonArgs {
    fn config(&self) -> anyhow::Result<NeonConfig> {
        let (phone, sensors, rtp, faults, run) =
            (&self.phone, &self.sensors, &self.rtp, &self.faults, &self.run);
        let each = |unplug: &Unplug| -> Vec<(Sensor, Span)> {
            unplug.sensors.iter().map(|sensor| (*sensor, unplug.span)).collect()
        };
        let config = NeonConfig {
            port: phone.port,
            rtsp_port: phone.rtsp_port,
            echo_port: (!phone.no_time_echo).then_some(phone.time_echo_port),
            mdns: !phone.no_mdns,
            clock: self.clock.model(run.duration_s, run.seed),
            uplink: self.network.uplink(run.seed),
            downlink: self.network.downlink(run.seed),
            rates: Rates {
                gaze_hz: sensors.gaze_hz,
                imu_hz: sensors.imu_hz,
                world_hz: sensors.scene_hz,
                eyes_hz: sensors.eyes_hz,
                eye_events_hz: sensors.eye_events_hz,
            },
            gaze: Gaze {
                layout: sensors.layout,
                switches: sensors.layout_at.clone(),
                not_worn: sensors.not_worn.clone(),
                odd_every: faults.odd_gaze_every,
            },
            rtp: RtpConfig {
                first_report_s: rtp.first_report_s,
                report_interval_s: rtp.report_interval_s,
                report_style: rtp.report_style,
                mark_each_unit: rtp.mark_each_unit,
                clock: rtp.rtp_clock,
                wrap_after_s: rtp.rtp_wrap_s,
            },
            interleaved: InterleavedFaults {
                hide_channels: faults.hide_channels,
                garbage_every: faults.garbage_every,
            },
            echo: EchoFaults { split_every: faults.split_echo_every, wrong_every: faults.wrong_echo_every },
            outages: faults.outages.clone(),
            unplugged: faults.unplug.iter().flat_map(each).collect(),
            refusal: faults.refuse_recording.clone(),
            clients: phone.clients,
            seed: run.seed,
            duration: run.duration_s,
            truth: run.truth.clone(),
            ..NeonConfig::new(phone.name.clone(), phone.host)
        };
        config.validate()?;
        Ok(config)
    }
}

/// Runs `lockstep simulate neon`.
///
/// # Errors
/// When a port or a truth log is taken, or output fails.
pub fn run(args: &NeonArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let report = until_signal(async |stopped| {
        let shown = config.clone();
        let phone = NeonPhone::bind(config).await?;
        write_banner(&mut io::stdout(), &shown, phone.addresses())?;
        Ok(phone.run(stopped).await?)
    })?;
    let mut out = io::stdout();
    writeln!(out, "{}\n{}", summary(&report).lines().join("\n"), others(&report))?;
    Ok(())
}

/// Says what is simulated, once it answers. The second line has all addresses.
fn write_banner(out: &mut impl Write, config: &NeonConfig, addresses: Addresses) -> io::Result<()> {
    writeln!(out, "SIMULATED Neon glasses, no device involved:")?;
    write!(out, "  REST http://{}, RTSP {}", addresses.http, addresses.rtsp)?;
    match addresses.echo {
        Some(echo) => write!(out, ", Time Echo {echo}")?,
        None => write!(out, ", no Time Echo")?,
    }
    writeln!(out, ", {}", if config.mdns { "announced by mDNS" } else { "not announced" })?;
    let rates = &config.rates;
    writeln!(
        out,
        "  gaze {} Hz ({}), IMU {} Hz, scene {} Hz, eyes {} Hz, eye events {} Hz",
        rates.gaze_hz,
        config.gaze.layout.name(),
        rates.imu_hz,
        rates.world_hz,
        rates.eyes_hz,
        rates.eye_events_hz
    )?;
    write!(
        out,
        "  this machine's UTC is {:+} s ahead of the phone's, {:+} ppm",
        config.clock.offset_s, config.clock.skew_ppm
    )?;
    if let Some(truth) = &config.truth {
        write!(out, ", truth in {}", truth.display())?;
    }
    let port = addresses.http.port();
    if config.host.is_unspecified() {
        writeln!(out, "\n  clients connect to 127.0.0.1:{port}, from other machines to this one's address")?;
    } else {
        writeln!(out, "\n  clients connect to {}", addresses.http)?;
    }
    out.flush()
}

/// Heading and value of each column of the summary, after the name.
type Column = (&'static str, fn(&SensorReport) -> String);

const COLUMNS: [Column; 9] = [
    ("samples", |report| report.samples.to_string()),
    ("clients", |report| report.clients.to_string()),
    ("packets", |report| report.packets.to_string()),
    ("lost", |report| (report.lost + report.queue_full).to_string()),
    ("duplicated", |report| report.duplicated.to_string()),
    ("reordered", |report| report.reordered.to_string()),
    ("reports", |report| report.reports.to_string()),
    ("not sent", |report| report.send_errors.to_string()),
    ("worst lateness", |report| format!("{:.1} ms", report.worst_lateness_s * 1e3)),
];

/// Says what each sensor sent, in aligned columns.
fn summary(report: &NeonReport) -> Table {
    let headings = COLUMNS.iter().map(|(heading, _)| (*heading, Align::Right));
    let columns: Vec<_> = std::iter::once(("SIMULATED", Align::Left)).chain(headings).collect();
    let mut table = Table::new(&columns);
    for sensor in &report.sensors {
        let counts = COLUMNS.iter().map(|(_, value)| value(sensor));
        table.row(std::iter::once(sensor.sensor.name().to_owned()).chain(counts).collect());
    }
    table
}

fn others(report: &NeonReport) -> String {
    format!(
        "{} requests, {} status sockets, {} events, {} echoes, {} connections reset",
        report.requests, report.status_sockets, report.events, report.echoes, report.resets
    )
}
