//! Everything that can be found wrong before a recording begins: plugins are
//! loaded, their options checked, and instances made, but nothing is started.

use std::sync::Arc;

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::events::Events;
use super::header::{Identity, SyncInfo};
use super::intake::{Shared, SourceHeader, SourceIntake};
use super::notice::{Notice, Notices};
use crate::config::{ConfigError, ConfigPath, Loaded, Source, check_options};
use crate::host::{Created, HostTable, Instance, LoadError, Plugin, PluginSearch};
use crate::ntp::{self, manners::Settings};

/// A source that is ready to be started.
#[derive(Debug)]
pub struct PreparedSource {
    /// What it tells the recording.
    pub intake: Arc<SourceIntake>,
    /// Its plugin.
    pub plugin: Plugin,
    /// Its instance.
    pub instance: Instance,
}

/// A master clock that is ready to be asked.
#[derive(Debug)]
pub struct PreparedClock {
    /// What its client tells the recording.
    pub intake: Arc<SourceIntake>,
    /// Its client.
    pub client: ntp::Client,
    /// Where it is.
    pub server: ntp::Server,
}

/// A recording that is ready to be started.
#[derive(Debug)]
pub struct Prepared {
    /// What its sources share.
    pub shared: Arc<Shared>,
    /// Its sources, in the order of the configuration.
    pub sources: Vec<PreparedSource>,
    /// The master clock, where the configuration names one.
    pub master_clock: Option<PreparedClock>,
    /// Lines for whoever watches.
    pub notices: Receiver<Notice>,
    /// Wakes the writer.
    pub wake: Receiver<()>,
}

/// Load the plugins, check the options, make the instances.
///
/// # Errors
/// All that is wrong with the configuration, at its places.
pub fn prepare(loaded: &Loaded, search: &PluginSearch) -> Result<Prepared, ConfigError> {
    let config = &loaded.config;
    let identity = Identity {
        hostname: lockstep_platform::hostname(),
        session_id: config.experiment.session.clone().unwrap_or_else(|| "default".to_owned()),
    };
    let (notices, notices_out) = Notices::channel();
    let (wake, wake_out) = crossbeam_channel::bounded(1);
    let events = Events::new(&identity, &loaded.text_to_show());
    let shared = Shared::new(events, notices, identity, wake);
    let mut sources = Vec::new();
    let mut error: Option<ConfigError> = None;
    for index in 0..config.source.len() {
        match prepare_source(loaded, index, search, &shared) {
            Ok(source) => sources.push(source),
            Err(e) => {
                error = Some(match error {
                    Some(before) => before.and(e),
                    None => e,
                });
            }
        }
    }
    if let Some(error) = error {
        return Err(error);
    }
    let master_clock = prepare_clock(loaded, &shared)?;
    Ok(Prepared { shared, sources, master_clock, notices: notices_out, wake: wake_out })
}

fn prepare_clock(loaded: &Loaded, shared: &Arc<Shared>) -> Result<Option<PreparedClock>, ConfigError> {
    let config = &loaded.config;
    let Some(text) = &config.clock.ntp else { return Ok(None) };
    // It was checked with the rest of the configuration.
    let server = ntp::Server::parse(text).map_err(|e| {
        let at = ConfigPath::root().key("clock").key("ntp");
        loaded.error_at(&at, e.to_string(), ntp::server::ACCEPTED)
    })?;
    let acquisition = [("recorder", recorder().as_str()), ("source", ntp::NAME), ("plugin", ntp::MADE_BY)]
        .map(|(key, text)| (key.to_owned(), text.to_owned()));
    let header = SourceHeader { acquisition: acquisition.into(), ..SourceHeader::default() };
    let queue_bytes = (config.recording.queue_mb as usize) << 20;
    let intake = SourceIntake::master_clock(Arc::clone(shared), ntp::NAME, queue_bytes, header);
    let settings = Settings { interval_s: config.clock.ntp_interval_s, probes: config.clock.ntp_probes };
    let client = ntp::Client::new(server.clone(), settings, Arc::clone(&intake));
    Ok(Some(PreparedClock { intake, client, server }))
}

fn recorder() -> String {
    format!("Lockstep {}", env!("CARGO_PKG_VERSION"))
}

fn prepare_source(
    loaded: &Loaded,
    index: usize,
    search: &PluginSearch,
    shared: &Arc<Shared>,
) -> Result<PreparedSource, ConfigError> {
    let config = &loaded.config;
    let source = &config.source[index];
    let at_plugin = loaded.source_path(index).key("plugin");
    let unusable =
        |e: LoadError| loaded.error_at(&at_plugin, format!("source {:?}: {e}", source.name), help(&e));
    let plugin = search.load(&source.plugin).map_err(unusable)?;
    let options = match plugin.options_schema().map_err(unusable)? {
        Some(schema) => check_options(loaded, index, &schema)?,
        None => Value::Object(source.options.clone()),
    };
    let queue_bytes = (config.recording.queue_mb as usize) << 20;
    let intake = SourceIntake::new(
        Arc::clone(shared),
        &source.name,
        source.required,
        queue_bytes,
        source_header(source, &plugin),
    );
    let host = HostTable::new(Arc::clone(&intake), config.clock.probes, config.clock.interval_s);
    match Instance::create(&plugin, host, &options.to_string(), &source.name) {
        Created::Ready(instance) => Ok(PreparedSource { intake, plugin, instance }),
        Created::BadOptions(problems) => {
            let mut errors = problems.into_iter().map(|p| {
                let path = loaded.option_path(index, &p.path);
                let help = format!("`lockstep plugins {}` explains the options", source.plugin);
                loaded.error_at(&path, format!("source {:?}: {}", source.name, p.message), help)
            });
            let first = errors.next().unwrap_or_else(|| {
                loaded.error_at(&loaded.source_path(index), "the plugin refused its options", "")
            });
            Err(errors.fold(first, ConfigError::and))
        }
        Created::Failed(reason) => {
            let message =
                format!("source {:?}: plugin {:?} cannot be used: {reason}", source.name, source.plugin);
            Err(loaded.error_at(&at_plugin, message, "this is a failure inside the plugin: tell its author"))
        }
    }
}

fn help(error: &LoadError) -> String {
    match error {
        LoadError::NotFound { file_name, searched, found, .. } => {
            let places: Vec<String> = searched.iter().map(|p| format!("  {}", p.display())).collect();
            format!(
                "plugins there are: {}\nlooked for {file_name} in\n{}\nadd a place with --plugin-dir or {}",
                if found.is_empty() { "none".to_owned() } else { found.join(", ") },
                places.join("\n"),
                crate::host::PLUGIN_PATH_VARIABLE
            )
        }
        _ => String::new(),
    }
}

fn source_header(source: &Source, plugin: &Plugin) -> SourceHeader {
    let s = &source.synchronization;
    let mut acquisition: Vec<(String, String)> =
        source.acquisition.iter().map(|(k, v)| (k.clone(), v.to_string())).collect();
    acquisition.push(("recorder".to_owned(), recorder()));
    acquisition.push(("source".to_owned(), source.name.clone()));
    acquisition.push(("plugin".to_owned(), format!("{} {}", plugin.id, plugin.version)));
    SourceHeader {
        synchronization: SyncInfo {
            offset_mean_s: s.offset_mean,
            offset_rms_s: s.offset_rms,
            offset_median_s: s.offset_median,
            offset_5_centile_s: s.offset_5_centile,
            offset_95_centile_s: s.offset_95_centile,
            can_drop_samples: s.can_drop_samples,
        },
        acquisition,
    }
}
