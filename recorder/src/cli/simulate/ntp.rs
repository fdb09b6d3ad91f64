//! `lockstep simulate ntp`: a simulated master clock.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockstep_sim::clock::{ClockModel, ClockStep};
use lockstep_sim::ntp::{Fault, FaultPlan, NtpReport, NtpServer, NtpServerConfig};

use super::args::{NetworkArgs, choice, parse_duration, parse_step};
use super::until_signal;
use crate::display::table::{Align, Table};

/// Arguments of `lockstep simulate ntp`.
#[derive(Debug, Clone, Args)]
pub struct NtpArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    clock: ServerClockArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    fault: FaultArgs,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Answer for this long; without it, until stopped
    #[arg(long, value_name = "S", value_parser = parse_duration)]
    duration_s: Option<Duration>,
    /// Truth log, a CSV file; none is overwritten
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
struct ServerArgs {
    /// Port where it answers; 0 takes a free one. The usual port 123 needs rights
    #[arg(long, value_name = "PORT", default_value_t = 11123)]
    port: u16,
    /// Address of this machine where it answers
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Stratum that it states, 1 to 15
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=15))]
    stratum: u8,
    /// Round-trip time to its own reference clock that it states
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    root_delay_ms: f64,
    /// Dispersion to its own reference clock that it states
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    root_dispersion_ms: f64,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clock of the server")]
struct ServerClockArgs {
    /// This machine's UTC minus the server's at the start
    #[arg(long, value_name = "S", default_value_t = 0.0, allow_negative_numbers = true)]
    clock_offset_s: f64,
    /// How fast the server's clock runs by this machine's, in parts per million; positive gains
    #[arg(long, value_name = "PPM", default_value_t = 0.0, allow_negative_numbers = true)]
    skew_ppm: f64,
    /// Random walk of its frequency, in ppm per square root of a second
    #[arg(long, value_name = "PPM", default_value_t = 0.0)]
    wander_ppm: f64,
    /// Jump of the clock: seconds after the start, and how far ahead it jumps; may be repeated
    #[arg(long = "step", value_name = "AT_S:DELTA_S", value_parser = parse_step)]
    steps: Vec<ClockStep>,
    /// Floor clock readings to multiples of this many microseconds; 0 for a nanosecond
    #[arg(long, value_name = "US", default_value_t = 0.0)]
    resolution_us: f64,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// Answer wrongly, or not at all
    #[arg(long, value_parser = choice(&Fault::ALL, Fault::name))]
    fault: Option<Fault>,
    /// The first question that is answered so, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    fault_from: u64,
    /// How many questions are answered so [default: all from then on]
    #[arg(long, value_name = "N")]
    fault_count: Option<u64>,
}

impl NtpArgs {
    fn config(&self) -> anyhow::Result<NtpServerConfig> {
        let clock = &self.clock;
        let address = SocketAddr::new(self.server.host, self.server.port);
        let config = NtpServerConfig {
            clock: ClockModel {
                offset_s: clock.clock_offset_s,
                skew_ppm: clock.skew_ppm,
                wander_ppm: clock.wander_ppm,
                steps: clock.steps.clone(),
                resolution_s: clock.resolution_us * 1e-6,
                ..ClockModel::default()
            },
            stratum: self.server.stratum,
            root_delay_s: self.server.root_delay_ms * 1e-3,
            root_dispersion_s: self.server.root_dispersion_ms * 1e-3,
            uplink: self.network.uplink(self.seed),
            downlink: self.network.downlink(self.seed),
            fault: self.fault.fault.map(|fault| FaultPlan {
                fault,
                from: self.fault.fault_from,
                count: self.fault.fault_count.unwrap_or(u64::MAX),
            }),
            seed: self.seed,
            duration: self.duration_s,
            truth: self.truth.clone(),
            ..NtpServerConfig::new("ntp", address)
        };
        config.validate()?;
        Ok(config)
    }
}

/// Runs `lockstep simulate ntp`.
///
/// # Errors
/// When the port or the truth log is taken, or output fails.
pub fn run(args: &NtpArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let report = until_signal(async |stopped| {
        let shown = config.clone();
        let server = NtpServer::bind(config).await?;
        write_banner(&mut io::stdout(), &shown, server.address())?;
        Ok(server.run(stopped).await?)
    })?;
    writeln!(io::stdout(), "{}", summary(&report).lines().join("\n"))?;
    Ok(())
}

/// Says what is simulated, once it answers.
fn write_banner(out: &mut impl Write, config: &NtpServerConfig, address: SocketAddr) -> io::Result<()> {
    writeln!(out, "SIMULATED master clock, do not set a clock by it:")?;
    write!(
        out,
        "  SNTP at {address}, stratum {}, this machine's UTC is {:+} s ahead of it, {:+} ppm",
        config.stratum, config.clock.offset_s, config.clock.skew_ppm
    )?;
    if let Some(plan) = config.fault {
        write!(out, ", fault {}", plan.fault.name())?;
    }
    if let Some(truth) = &config.truth {
        write!(out, ", truth in {}", truth.display())?;
    }
    writeln!(out, "\n  to record it: lockstep record CONFIG --set clock.ntp={address}")?;
    out.flush()
}

fn summary(report: &NtpReport) -> Table {
    let columns: [(&str, u64); 7] = [
        ("questions", report.questions),
        ("lost", report.questions_lost),
        ("answered", report.answered),
        ("answers lost", report.answers_lost),
        ("faults", report.faults),
        ("not understood", report.ignored),
        ("not sent", report.send_errors),
    ];
    let headings = columns.iter().map(|(heading, _)| (*heading, Align::Right));
    let headings: Vec<_> = std::iter::once(("SIMULATED", Align::Left)).chain(headings).collect();
    let mut table = Table::new(&headings);
    let counts = columns.iter().map(|(_, count)| count.to_string());
    table.row(std::iter::once("ntp".to_owned()).chain(counts).collect());
    table
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn config(flags: &str) -> anyhow::Result<NtpServerConfig> {
        let command = NtpArgs::augment_args(clap::Command::new("ntp"));
        let matches = command.try_get_matches_from(std::iter::once("ntp").chain(flags.split_whitespace()))?;
        NtpArgs::from_arg_matches(&matches)?.config()
    }

    #[test]
    fn flags_keep_their_units_and_directions() {
        let got = config(
            "--port 1123 --clock-offset-s -2.5 --skew-ppm 30 --step 5:0.1 --root-delay-ms 8 --stratum 3 \
             --delay-ms 2 --down-delay-ms 30 --up-loss 0.2 --fault rate --fault-from 3 --fault-count 1",
        )
        .expect("right flags");
        assert_eq!(got.address, ([127, 0, 0, 1], 1123).into());
        assert_eq!((got.clock.offset_s, got.clock.skew_ppm, got.clock.steps.len()), (-2.5, 30.0, 1));
        assert_eq!((got.stratum, got.root_delay_s), (3, 0.008));
        assert_eq!((got.uplink.delay_s, got.downlink.delay_s, got.uplink.loss), (0.002, 0.03, 0.2));
        assert_eq!(got.fault, Some(FaultPlan { fault: Fault::Rate, from: 3, count: 1 }));
    }

    #[test]
    fn wrong_flags_are_refused_with_the_mend() {
        for (flags, says) in [
            ("--stratum 16", "1..=15"),
            ("--fault nonsense", "wrong-origin"),
            ("--loss 2", "give a probability"),
            ("--root-delay-ms=-1", "give 0 to 65535 s"),
        ] {
            let error = config(flags).expect_err(flags).to_string();
            assert!(error.contains(says), "{flags}: {error}");
        }
    }
}
