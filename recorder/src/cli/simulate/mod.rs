//! `lockstep simulate`: simulated devices with a clock and a network of their own.

mod args;
mod clock;
mod neon;
mod ntp;
mod tobii;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use anyhow::Context as _;
use lockstep_sim::udp::{DeviceReport, Simulator, UdpDeviceConfig};
use tokio::sync::watch;

use crate::display::table::{Align, Table};
use crate::rehearsal;

pub use args::{SimulateArgs, SimulatedDevice, UdpArgs};

/// Runs `lockstep simulate`: until its duration has passed, or until Ctrl-C or SIGTERM.
///
/// # Errors
/// When the arguments do not fit together, a port or truth log is taken, or output fails.
pub fn run(args: SimulateArgs) -> anyhow::Result<()> {
    let args = match args.device {
        SimulatedDevice::Udp(args) => args,
        SimulatedDevice::Ntp(args) => return ntp::run(&args),
        SimulatedDevice::Neon(args) => return neon::run(&args),
        SimulatedDevice::Tobii(args) => return tobii::run(&args),
    };
    let devices = args.devices()?;
    let mut out = io::stdout().lock();
    if args.print_config {
        write!(out, "{}", rehearsal::configuration(&devices))?;
        return Ok(());
    }
    write_banner(&mut out, &devices)?;
    let reports = until_signal(async |stopped| Ok(Simulator::bind(devices).await?.run(stopped).await?))?;
    writeln!(out, "{}", summary(&reports).lines().join("\n"))?;
    Ok(())
}

/// Runs a simulated device until it has ended by itself, or until a signal; the receiver then turns true.
fn until_signal<R>(
    device: impl AsyncFnOnce(watch::Receiver<bool>) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the simulator's runtime")?;
    runtime.block_on(async {
        // Listen first, so that a signal at any moment still ends the run in order.
        let mut signals = lockstep_platform::StopSignals::new().context("cannot listen for Ctrl-C")?;
        let (stop, stopped) = watch::channel(false);
        let mut running = std::pin::pin!(device(stopped));
        tokio::select! {
            ended = &mut running => ended,
            _ = signals.next() => {
                stop.send_replace(true);
                running.await
            }
        }
    })
}

/// Says what is simulated, before it starts.
fn write_banner(out: &mut impl Write, devices: &[UdpDeviceConfig]) -> io::Result<()> {
    writeln!(out, "SIMULATED data, no device involved:")?;
    for device in devices {
        let rate = device.rate;
        let regularity = if rate.nominal_hz() > 0.0 { "" } else { " on average" };
        write!(
            out,
            "  {}: {} x {} at {} Hz{regularity}, {} to {}",
            device.name,
            device.channel_names.len(),
            device.format.name(),
            rate.mean_hz(),
            device.payload.name(),
            device.destination,
        )?;
        if let Some(exchange) = device.exchange {
            write!(out, ", {} at {}", exchange.kind.name(), exchange.address)?;
        }
        if let Some(truth) = &device.truth {
            write!(out, ", truth in {}", truth.display())?;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// Heading and value of each column of the summary, after the name.
type Column = (&'static str, fn(&DeviceReport) -> String);

const COLUMNS: [Column; 9] = [
    ("samples", |report| report.samples.to_string()),
    ("datagrams", |report| report.datagrams.to_string()),
    ("lost", |report| (report.lost + report.queue_full).to_string()),
    ("duplicated", |report| report.duplicated.to_string()),
    ("reordered", |report| report.reordered.to_string()),
    ("exchanges", |report| report.exchanges.requests.to_string()),
    ("answered", |report| report.exchanges.answered.to_string()),
    ("not sent", |report| report.send_errors.to_string()),
    ("worst lateness", |report| format!("{:.1} ms", report.worst_lateness_s * 1e3)),
];

/// Says what was sent, in aligned columns.
fn summary(reports: &[DeviceReport]) -> Table {
    let headings = COLUMNS.iter().map(|(heading, _)| (*heading, Align::Right));
    let columns: Vec<_> = std::iter::once(("SIMULATED", Align::Left)).chain(headings).collect();
    let mut table = Table::new(&columns);
    for report in reports {
        let counts = COLUMNS.iter().map(|(_, value)| value(report));
        table.row(std::iter::once(report.name.clone()).chain(counts).collect());
    }
    table
}
