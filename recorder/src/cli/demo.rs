//! `lockstep demo`

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::record::{PluginArgs, record};
use crate::config;
use crate::display::table::{Align, Table};
use crate::display::{Display, format, print_err, print_out};
use crate::inspect::summarize;
use crate::recording::verdict::Outcome;
use crate::rehearsal::{Demo, DemoReport};

/// Record three simulated devices for 10 s into the current folder, through the same plugin, the
/// same recorder and the same file format as real ones.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Record into this file instead of lockstep-demo_DATE_TIME.xdf
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub plugins: PluginArgs,
}

/// Run it.
pub fn run(args: &DemoArgs) -> Result<u8, Failure> {
    let search = args.plugins.search();
    let plugin =
        search.load("udp").map_err(|e| Failure::other(e, "build the whole workspace: cargo build"))?;
    print_err("SIMULATED devices: no hardware is involved");
    print_err(&format!("plugin {} {} from {}\n", plugin.id, plugin.version, plugin.origin));
    let demo = Demo::start()?;
    let overrides = [
        "experiment.name=lockstep-demo".to_owned(),
        format!("recording.duration_s={}", crate::rehearsal::DEMO_DURATION.as_secs_f64()),
        "clock.interval_s=2".to_owned(),
    ];
    let loaded = config::parse(&demo.config_toml, "the demo's configuration", &overrides)?;
    let verdict = record(&loaded, &search, args.output.as_deref(), Display::choose(false), false)?;
    if verdict.bytes == 0 || verdict.duration_s < crate::rehearsal::DEMO_DURATION.as_secs_f64() {
        print_out("\n  stopped early: what was sent and what was recorded cannot be compared");
        return Ok(verdict.outcome.exit_code());
    }
    let unreadable = |e: &dyn std::fmt::Display| {
        Failure::other(format!("the recording cannot be read back: {e}"), "please report this")
    };
    let recording = lockstep_analysis::open(&verdict.path, &mut |_| {}).map_err(|e| unreadable(&e))?;
    let summary = summarize(&recording).map_err(|e| unreadable(&e))?;
    let reports = demo.finish(&summary)?;
    let all_there = reports.iter().all(|r| r.sent == r.recorded) && summary.closed_cleanly;
    print_out("");
    print_out(&comparison(&reports));
    print_out("");
    print_out(&next_steps(&verdict.path));
    Ok(if verdict.outcome == Outcome::Complete && !all_there { 3 } else { verdict.outcome.exit_code() })
}

fn comparison(reports: &[DemoReport]) -> String {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("SIMULATED DEVICE", Align::Left),
        ("SAMPLES SENT", Align::Right),
        ("READ BACK FROM THE FILE", Align::Right),
    ]);
    for r in reports {
        let sign = if r.sent == r.recorded { "✓" } else { "✗" };
        table.row(vec![sign.to_owned(), r.name.clone(), format::count(r.sent), format::count(r.recorded)]);
    }
    table.lines().iter().map(|line| format!("  {line}\n")).collect()
}

fn next_steps(path: &Path) -> String {
    let path = path.display();
    let lockstep = program();
    format!(
        "What next\n\
         \x20 {lockstep} info {path}\n\
         \x20     shows what is in the file: streams, clocks, offsets, events\n\
         \x20 python3 -c \"import pyxdf; print([s['info']['name'] for s in pyxdf.load_xdf('{path}')[0]])\"\n\
         \x20     opens it in Python (pip install pyxdf)\n\
         \x20 {lockstep} plugins udp\n\
         \x20     explains how to record a device of your own; configs/ has examples\n"
    )
}

/// How this program can be called from here.
fn program() -> String {
    let Ok(exe) = std::env::current_exe() else { return "lockstep".to_owned() };
    let in_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| Some(folder.as_path()) == exe.parent())
    });
    if in_path {
        return "lockstep".to_owned();
    }
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| exe.strip_prefix(here).ok());
    relative.unwrap_or(&exe).display().to_string()
}
