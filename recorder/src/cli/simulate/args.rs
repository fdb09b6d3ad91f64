//! The flags of `lockstep simulate` and the devices they describe.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use lockstep_sim::clock::{ClockModel, ClockStep, TickUnit};
use lockstep_sim::format::Format;
use lockstep_sim::neon::Span;
use lockstep_sim::network::{Direction, LinkModel, PathKind, PathModel};
use lockstep_sim::udp::{
    CounterWidth, ExchangeConfig, ExchangeKind, Payload, Rate, UdpDeviceConfig, default_channel_names,
};

use super::clock::ClockFlags;

/// Arguments of `lockstep simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Which kind of device.
    #[command(subcommand)]
    pub device: SimulatedDevice,
}

/// The kinds of devices that can be simulated.
#[derive(Debug, Clone, Subcommand)]
pub enum SimulatedDevice {
    /// Send simulated streams as UDP datagrams and answer clock exchanges
    ///
    /// Each stream comes from a device with a clock of its own. Delay, loss, reordering and
    /// duplication happen inside the simulator. Ends after --duration-s, or at Ctrl-C or SIGTERM.
    #[command(after_help = crate::cli::EXIT_CODES)]
    Udp(Box<UdpArgs>),
    /// Answer SNTP clients as a master clock
    ///
    /// For `[clock] ntp = "HOST:PORT"` and for any other client. Its clock is this machine's UTC but
    /// for the offset, skew and steps given here. Delay and loss happen inside the simulator. Ends
    /// after --duration-s, or at Ctrl-C or SIGTERM.
    #[command(after_help = crate::cli::EXIT_CODES)]
    Ntp(Box<super::ntp::NtpArgs>),
    /// Stand in for Neon glasses by Pupil Labs and their phone
    ///
    /// REST, status, events, Time Echo, and RTSP for gaze, IMU, eye events, the scene camera and the
    /// eye cameras, as the maker's own clients expect them; no audio. Made from what is known of the
    /// protocol; no glasses were there to compare with. Ends after --duration-s, or at Ctrl-C or
    /// SIGTERM.
    #[command(after_help = crate::cli::EXIT_CODES)]
    Neon(Box<super::neon::NeonArgs>),
    /// Stand in for Tobii Pro Glasses 3
    ///
    /// The API of the recording unit over WebSocket and HTTP, with the signals for gaze, IMU, sync port
    /// and events; no video and no RTSP. Made from what is known of the API; no glasses were there to
    /// compare with. Ends after --duration-s, or at Ctrl-C or SIGTERM.
    #[command(after_help = crate::cli::EXIT_CODES)]
    Tobii(Box<super::tobii::TobiiArgs>),
}

/// Arguments of `lockstep simulate udp`.
#[derive(Debug, Clone, Args)]
pub struct UdpArgs {
    #[command(flatten)]
    stream: StreamArgs,
    #[command(flatten)]
    clock: ClockArgs,
    #[command(flatten)]
    exchange: ExchangeArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Print a recorder configuration that fits these flags, and exit
    #[arg(long)]
    pub(super) print_config: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Streams")]
struct StreamArgs {
    /// Where datagrams go; stream k goes to this port + k
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5005", value_parser = resolve)]
    to: SocketAddr,
    /// Number of streams, each from a device of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    streams: u16,
    /// Name of the stream; several are numbered from 0
    #[arg(long, default_value = "sim")]
    name: String,
    /// How datagrams are written
    #[arg(long, default_value = "binary", value_parser = choice(&Payload::ALL, Payload::name))]
    payload: Payload,
    /// Format of the channels [default: float32; string for markers]
    #[arg(long, value_parser = choice(&Format::ALL, Format::name))]
    format: Option<Format>,
    /// Channels per stream [default: 8; 1 for markers]
    #[arg(long, value_name = "N")]
    channels: Option<u16>,
    /// Samples per second by the device's crystal; 0 for events at random [default: 100; 0 for markers]
    #[arg(long, value_name = "HZ")]
    rate_hz: Option<f64>,
    /// Mean rate of events at random, when the rate is 0
    #[arg(long, value_name = "HZ", default_value_t = 2.0)]
    mean_rate_hz: f64,
    /// Samples in each datagram
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples_per_datagram: usize,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Device clock")]
struct ClockArgs {
    #[command(flatten)]
    flags: ClockFlags,
    /// Floor clock readings to multiples of this many microseconds; 0 for ticks of the unit only
    #[arg(long, value_name = "US", default_value_t = 0.0)]
    resolution_us: f64,
    /// Unit of the stamps and of echo replies
    #[arg(long, default_value = "us", value_parser = choice(&TickUnit::ALL, TickUnit::symbol))]
    unit: TickUnit,
    /// Width of the tick counter; 32 bits wrap around
    #[arg(long, value_name = "BITS", default_value = "64", value_parser = choice(&COUNTERS, counter_name))]
    counter_bits: CounterWidth,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clock exchanges")]
struct ExchangeArgs {
    /// Protocol the device answers [default: echo; none for markers]
    #[arg(long, value_parser = choice(&EXCHANGES, exchange_name))]
    exchange: Option<ExchangeChoice>,
    /// Port where it answers; stream k answers at this port + k
    #[arg(long, value_name = "PORT", default_value_t = 6005)]
    exchange_port: u16,
    /// Address of this machine where it answers [default: loopback]
    #[arg(long, value_name = "IP")]
    exchange_host: Option<std::net::IpAddr>,
}

/// Each setting holds for both directions unless a direction has its own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network (up: device to recorder, down: recorder to device)")]
pub(super) struct NetworkArgs {
    /// Kind of network, with its delays and losses; the other flags come on top
    #[arg(long, value_name = "KIND", value_parser = choice(&PathKind::ALL, PathKind::name))]
    network: Option<PathKind>,
    /// Shortest delay of each direction
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    delay_ms: f64,
    /// Mean of the exponential tail added to the delay; keeps the order of datagrams
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    jitter_ms: f64,
    /// Probability that a datagram is lost
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    loss: f64,
    /// Probability that a datagram is held back until a later one has overtaken it
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    reorder: f64,
    /// Probability that a datagram arrives twice
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    duplicate: f64,
    /// --delay-ms from device to recorder
    #[arg(long, value_name = "MS")]
    up_delay_ms: Option<f64>,
    /// --jitter-ms from device to recorder
    #[arg(long, value_name = "MS")]
    up_jitter_ms: Option<f64>,
    /// --loss from device to recorder
    #[arg(long, value_name = "0..1")]
    up_loss: Option<f64>,
    /// --reorder from device to recorder
    #[arg(long, value_name = "0..1")]
    up_reorder: Option<f64>,
    /// --duplicate from device to recorder
    #[arg(long, value_name = "0..1")]
    up_duplicate: Option<f64>,
    /// --delay-ms from recorder to device
    #[arg(long, value_name = "MS")]
    down_delay_ms: Option<f64>,
    /// --jitter-ms from recorder to device
    #[arg(long, value_name = "MS")]
    down_jitter_ms: Option<f64>,
    /// --loss from recorder to device
    #[arg(long, value_name = "0..1")]
    down_loss: Option<f64>,
    /// --reorder from recorder to device
    #[arg(long, value_name = "0..1")]
    down_reorder: Option<f64>,
    /// --duplicate from recorder to device
    #[arg(long, value_name = "0..1")]
    down_duplicate: Option<f64>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Seed of everything random; stream k uses this seed + k
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take samples for this long; without it, until stopped
    #[arg(long, value_name = "S", value_parser = parse_duration)]
    duration_s: Option<Duration>,
    /// Wait before the first sample; exchanges are answered at once
    #[arg(long, value_name = "S", default_value = "0", value_parser = parse_duration)]
    start_delay_s: Duration,
    /// Folder for truth logs, NAME.csv and NAME.exchanges.csv of each stream; none is overwritten
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
}

impl UdpArgs {
    /// The devices these flags describe, checked.
    ///
    /// # Errors
    /// When they do not fit together or ports run out.
    pub(super) fn devices(&self) -> anyhow::Result<Vec<UdpDeviceConfig>> {
        let devices: Vec<UdpDeviceConfig> =
            (0..self.stream.streams).map(|k| self.device(k)).collect::<anyhow::Result<_>>()?;
        for device in &devices {
            device.validate()?;
            if let Some(other) =
                devices.iter().find(|d| d.exchange.map(|e| e.address) == Some(device.destination))
            {
                bail!(
                    "stream '{}' goes to {}, where '{}' answers exchanges; move --to or --exchange-port",
                    device.name,
                    device.destination,
                    other.name
                );
            }
        }
        Ok(devices)
    }

    fn device(&self, k: u16) -> anyhow::Result<UdpDeviceConfig> {
        let stream = &self.stream;
        let seed = self.run.seed.wrapping_add(k.into());
        let marker = stream.payload == Payload::Marker;
        let name = if stream.streams == 1 { stream.name.clone() } else { format!("{}{k}", stream.name) };
        let rate = match stream.rate_hz.unwrap_or(if marker { 0.0 } else { 100.0 }) {
            0.0 => Rate::Irregular { mean_hz: stream.mean_rate_hz },
            hz => Rate::Regular { hz },
        };
        let destination = SocketAddr::new(stream.to.ip(), port(stream.to.port(), k, "--to")?);
        let truth = self.run.truth.as_ref().map(|folder| folder.join(file_name(&name)));
        Ok(UdpDeviceConfig {
            payload: stream.payload,
            format: stream.format.unwrap_or(if marker { Format::String } else { Format::Float32 }),
            channel_names: default_channel_names(
                stream.channels.map_or(if marker { 1 } else { 8 }, usize::from),
            ),
            rate,
            samples_per_datagram: stream.samples_per_datagram,
            clock: self.clock.model(self.run.duration_s, seed),
            clock_unit: self.clock.unit,
            counter: self.clock.counter_bits,
            uplink: self.network.uplink(seed),
            downlink: self.network.downlink(seed),
            exchange: self.exchange.config(stream.payload, destination, k)?,
            seed,
            start_delay: self.run.start_delay_s,
            duration: self.run.duration_s,
            truth,
            ..UdpDeviceConfig::new(name, destination)
        })
    }
}

impl ClockArgs {
    fn model(&self, duration: Option<Duration>, seed: u64) -> ClockModel {
        ClockModel { resolution_s: self.resolution_us * 1e-6, ..self.flags.model(duration, seed) }
    }
}

impl ExchangeArgs {
    fn config(
        &self,
        payload: Payload,
        destination: SocketAddr,
        k: u16,
    ) -> anyhow::Result<Option<ExchangeConfig>> {
        // Markers carry no stamp of a device clock, so there is nothing to exchange for.
        let usual = if payload == Payload::Marker { None } else { Some(ExchangeKind::Echo) };
        let Some(kind) = self.exchange.map_or(usual, |choice| choice.0) else {
            return Ok(None);
        };
        let loopback = || match destination {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let host = self.exchange_host.unwrap_or_else(loopback);
        let address = SocketAddr::new(host, port(self.exchange_port, k, "--exchange-port")?);
        Ok(Some(ExchangeConfig { kind, address }))
    }
}

impl NetworkArgs {
    fn link(&self, direction: Direction, seed: u64) -> Option<LinkModel> {
        self.network.map(|kind| LinkModel { kind, direction, seed })
    }

    pub(super) fn uplink(&self, seed: u64) -> PathModel {
        PathModel {
            link: self.link(Direction::ToHost, seed),
            delay_s: self.up_delay_ms.unwrap_or(self.delay_ms) * 1e-3,
            jitter_s: self.up_jitter_ms.unwrap_or(self.jitter_ms) * 1e-3,
            loss: self.up_loss.unwrap_or(self.loss),
            reorder: self.up_reorder.unwrap_or(self.reorder),
            duplicate: self.up_duplicate.unwrap_or(self.duplicate),
        }
    }

    pub(super) fn downlink(&self, seed: u64) -> PathModel {
        PathModel {
            link: self.link(Direction::ToDevice, seed),
            delay_s: self.down_delay_ms.unwrap_or(self.delay_ms) * 1e-3,
            jitter_s: self.down_jitter_ms.unwrap_or(self.jitter_ms) * 1e-3,
            loss: self.down_loss.unwrap_or(self.loss),
            reorder: self.down_reorder.unwrap_or(self.reorder),
            duplicate: self.down_duplicate.unwrap_or(self.duplicate),
        }
    }
}

/// A protocol, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ExchangeChoice(Option<ExchangeKind>);

const EXCHANGES: [ExchangeChoice; 3] =
    [ExchangeChoice(Some(ExchangeKind::Echo)), ExchangeChoice(Some(ExchangeKind::Ntp)), ExchangeChoice(None)];

const COUNTERS: [CounterWidth; 2] = [CounterWidth::Bits32, CounterWidth::Bits64];

fn exchange_name(choice: ExchangeChoice) -> &'static str {
    choice.0.map_or("none", ExchangeKind::name)
}

fn counter_name(width: CounterWidth) -> &'static str {
    match width {
        CounterWidth::Bits32 => "32",
        CounterWidth::Bits64 => "64",
    }
}

/// A parser that accepts the names of `all` and shows them in the help.
pub(super) fn choice<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|item| name(*item))).try_map(move |given| {
        all.iter().copied().find(|item| name(*item) == given).ok_or("not one of the possible values")
    })
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("{error}; give HOST:PORT"))?;
    found.next().ok_or_else(|| "the host has no address".to_owned())
}

pub(super) fn parse_seconds(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number of seconds"))
}

pub(super) fn parse_span(text: &str) -> Result<Span, String> {
    let (at, length) = text.split_once(':').map_or((text, None), |(at, length)| (at, Some(length)));
    Ok(Span { at_s: parse_seconds(at)?, for_s: length.map_or(Ok(f64::INFINITY), parse_seconds)? })
}

pub(super) fn parse_step(text: &str) -> Result<ClockStep, String> {
    let number = |part: &str| part.parse::<f64>().map_err(|_| format!("'{part}' is not a number of seconds"));
    let (at, delta) = text.split_once(':').ok_or("give AT_S:DELTA_S, for example 60:-0.25")?;
    Ok(ClockStep { at_s: number(at)?, delta_s: number(delta)? })
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give seconds, for example 30 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn port(base: u16, k: u16, flag: &str) -> anyhow::Result<u16> {
    base.checked_add(k).with_context(|| format!("{flag}: port {base} + {k} is above 65535; start lower"))
}

/// The file of a truth log: characters that a file system may refuse become `_`.
fn file_name(stream: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("{}.csv", stream.chars().map(safe).collect::<String>())
}
