//! A source in a process of its own, made ready.

use std::sync::Arc;

use super::{PreparedSource, Shared};
use crate::config::{ConfigError, Loaded};
use crate::host::Origin;

#[cfg(unix)]
pub(super) fn prepare(
    loaded: &Loaded,
    index: usize,
    origin: Origin,
    shared: &Arc<Shared>,
) -> Result<PreparedSource, ConfigError> {
    use super::{PluginFacts, bad_options, checked_options, failed, intake, unusable};
    use crate::config::{DEFAULT_MEMORY_MB, Isolation};
    use crate::host::child::{Child, ChildSpec, Made};

    let (config, source) = (&loaded.config, &loaded.config.source[index]);
    let spec = ChildSpec {
        name: source.name.clone(),
        plugin: source.plugin.clone(),
        library: match &origin {
            Origin::File(path) => Some(path.clone()),
            Origin::BuiltIn => None,
        },
        memory_mb: source.memory_mb.unwrap_or(DEFAULT_MEMORY_MB),
    };
    let help = "isolation = \"none\" would run it in the recorder's process";
    let child = Child::spawn(spec);
    let child = child.map_err(|e| failed(loaded, index, &format!("no process for it: {e}"), help))?;
    let facts = child.hello().map_err(|e| unusable(loaded, index, &e))?;
    let options = checked_options(loaded, index, facts.schema.as_ref())?;
    let plugin = PluginFacts { id: facts.id, version: facts.version, origin };
    let intake = intake(loaded, source, &plugin, shared);
    match child.create(Arc::clone(&intake), options, config.clock.probes, config.clock.interval_s) {
        Made::Ready => {
            Ok(PreparedSource { intake, plugin, isolation: Isolation::Process, driven: Box::new(child) })
        }
        Made::BadOptions(problems) => Err(bad_options(loaded, index, problems)),
        Made::Failed(reason) => {
            Err(failed(loaded, index, &reason, "this is a failure inside the plugin: tell its author"))
        }
    }
}

#[cfg(not(unix))]
pub(super) fn prepare(
    loaded: &Loaded,
    index: usize,
    _: Origin,
    _: &Arc<Shared>,
) -> Result<PreparedSource, ConfigError> {
    let at = loaded.source_path(index).key("isolation");
    let message = "this system has no processes for sources";
    Err(loaded.error_at(&at, message, "write isolation = \"none\""))
}
