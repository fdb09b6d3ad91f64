//! `lockstep validate`

use clap::Args;

use super::Failure;
use super::record::ConfigArgs;
use crate::config;
use crate::display::print_out;
use crate::display::table::{Align, Table};
use crate::recording::prepare::prepare;
use crate::remote::token;

/// Check a configuration: the file, the plugins, their options. Nothing is started or written.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Run it.
pub fn run(args: &ValidateArgs) -> Result<u8, Failure> {
    let loaded = config::load(&args.config.config, &args.config.overrides)?;
    let target = config::filename::resolve(&loaded.config, &jiff::Zoned::now());
    let target = target.map_err(|e| loaded.filename_error(&e))?;
    let prepared = prepare(&loaded, &args.config.plugins.search())?;
    let remote = &loaded.config.remote;
    let token = if remote.enabled { token::settle(&loaded)? } else { None };
    let mut table = Table::new(&[
        ("SOURCE", Align::Left),
        ("REQUIRED", Align::Left),
        ("PLUGIN", Align::Left),
        ("FROM", Align::Left),
    ]);
    for source in &prepared.sources {
        let plugin = &source.plugin;
        table.row(vec![
            source.intake.name.clone(),
            if source.intake.required { "yes" } else { "no" }.to_owned(),
            format!("{} {}", plugin.id, plugin.version),
            plugin.origin.to_string(),
        ]);
    }
    let sign = console::style("✓").green();
    print_out(&format!("{sign} {} is valid; nothing was started", loaded.file_name));
    print_out(&format!("  would record into {}\n", target.path.display()));
    for line in table.lines() {
        print_out(&format!("  {line}"));
    }
    if remote.enabled {
        let asked = if token.is_some() { ", of those who say the token" } else { "" };
        print_out(&format!("\n  would wait for commands on {}, port {}{asked}", remote.bind, remote.port));
    }
    if let Some(clock) = &prepared.master_clock {
        let found = if clock.server.address().is_some() { "" } else { "; its address is looked up then" };
        print_out(&format!("\n  would ask {} (SNTP) for the time of the master clock{found}", clock.server));
    }
    Ok(0)
}
