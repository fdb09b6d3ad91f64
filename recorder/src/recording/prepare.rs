//! Everything that can be found wrong before a recording begins: plugins are
//! loaded, their options checked, and instances made, but nothing is started.

mod isolated;

use std::sync::Arc;

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::driven::Driven;
use super::events::Events;
use super::header::{Identity, SyncInfo};
use super::intake::{Shared, SourceHeader, SourceIntake};
use super::notice::{Notice, Notices};
use crate::config::{ConfigError, ConfigPath, Isolation, Loaded, Source, check_options};
use crate::host::child::HAS_CHILDREN;
use crate::host::{ConfigProblem, Created, HostTable, Instance, LoadError, Origin, PluginSearch};
use crate::ntp::{self, manners::Settings};

/// A source that is ready to be started.
#[derive(Debug)]
pub struct PreparedSource {
    /// What it tells the recording.
    pub intake: Arc<SourceIntake>,
    /// Its plugin.
    pub plugin: PluginFacts,
    /// Where that runs.
    pub isolation: Isolation,
    /// Its instance.
    pub driven: Box<dyn Driven>,
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

/// What is to be said of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFacts {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The options as the plugin gets them, checked by its schema, if it has one.
fn checked_options(loaded: &Loaded, index: usize, schema: Option<&Value>) -> Result<String, ConfigError> {
    let options = match schema {
        Some(schema) => check_options(loaded, index, schema)?,
        None => Value::Object(loaded.config.source[index].options.clone()),
    };
    Ok(options.to_string())
}

fn intake(loaded: &Loaded, source: &Source, plugin: &PluginFacts, shared: &Arc<Shared>) -> Arc<SourceIntake> {
    let queue_bytes = (loaded.config.recording.queue_mb as usize) << 20;
    let header = source_header(source, plugin);
    SourceIntake::new(Arc::clone(shared), &source.name, source.required, queue_bytes, header)
}

fn prepare_source(
    loaded: &Loaded,
    index: usize,
    search: &PluginSearch,
    shared: &Arc<Shared>,
) -> Result<PreparedSource, ConfigError> {
    let config = &loaded.config;
    let source = &config.source[index];
    let unusable = |e: LoadError| unusable(loaded, index, &e);
    if source.isolation == Some(Isolation::Process) {
        // Not even loaded in this process: that may be what it does not survive.
        let origin = search.locate(&source.plugin).map_err(unusable)?;
        return isolated::prepare(loaded, index, origin, shared);
    }
    let plugin = search.load(&source.plugin).map_err(unusable)?;
    if source.isolation.is_none() && HAS_CHILDREN && plugin.has_vendor_code() {
        return isolated::prepare(loaded, index, plugin.origin, shared);
    }
    if source.memory_mb.is_some() {
        let at = loaded.source_path(index).key("memory_mb");
        let (name, plugin) = (&source.name, &source.plugin);
        let message = format!(
            "source {name:?}: memory_mb is for a process of its own, and the plugin {plugin:?} runs in the recorder's"
        );
        return Err(loaded.error_at(&at, message, "write isolation = \"process\", or leave memory_mb out"));
    }
    let schema = plugin.options_schema().map_err(unusable)?;
    let options = checked_options(loaded, index, schema.as_ref())?;
    let facts =
        PluginFacts { id: plugin.id.clone(), version: plugin.version.clone(), origin: plugin.origin.clone() };
    let intake = intake(loaded, source, &facts, shared);
    let host = HostTable::new(intake.clone(), config.clock.probes, config.clock.interval_s);
    let driven: Box<dyn Driven> = match Instance::create(&plugin, host, &options, &source.name) {
        Created::Ready(instance) => Box::new(instance),
        Created::BadOptions(problems) => return Err(bad_options(loaded, index, problems)),
        Created::Failed(reason) => {
            return Err(failed(
                loaded,
                index,
                &reason,
                "this is a failure inside the plugin: tell its author",
            ));
        }
    };
    Ok(PreparedSource { intake, plugin: facts, isolation: Isolation::None, driven })
}

/// The plugin of a source cannot be used.
fn unusable(loaded: &Loaded, index: usize, error: &LoadError) -> ConfigError {
    let name = &loaded.config.source[index].name;
    let at = loaded.source_path(index).key("plugin");
    loaded.error_at(&at, format!("source {name:?}: {error}"), help(error))
}

fn bad_options(loaded: &Loaded, index: usize, problems: Vec<ConfigProblem>) -> ConfigError {
    let source = &loaded.config.source[index];
    let mut errors = problems.into_iter().map(|p| {
        let path = loaded.option_path(index, &p.path);
        let help = format!("`lockstep plugins {}` explains the options", source.plugin);
        loaded.error_at(&path, format!("source {:?}: {}", source.name, p.message), help)
    });
    let first = errors
        .next()
        .unwrap_or_else(|| loaded.error_at(&loaded.source_path(index), "the plugin refused its options", ""));
    errors.fold(first, ConfigError::and)
}

fn failed(loaded: &Loaded, index: usize, reason: &str, help: &str) -> ConfigError {
    let source = &loaded.config.source[index];
    let message = format!("source {:?}: plugin {:?} cannot be used: {reason}", source.name, source.plugin);
    loaded.error_at(&loaded.source_path(index).key("plugin"), message, help)
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

fn source_header(source: &Source, plugin: &PluginFacts) -> SourceHeader {
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
