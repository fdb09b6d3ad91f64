//! `lockstep record`

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{self, ConfigPath, Loaded};
use crate::display::{Display, Screen};
use crate::host::PluginSearch;
use crate::recording::caution::cautions;
use crate::recording::notice::Level;
use crate::recording::prepare::prepare;
use crate::recording::session::{Session, StartError};
use crate::recording::stops::Stops;
use crate::recording::verdict::Verdict;
use crate::remote::address::RemoteAddress;

/// Where the configuration and the plugins are.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The experiment's configuration, a TOML file
    pub config: PathBuf,
    /// Override a value of the configuration, as `experiment.participant=P012` or
    /// `source.NAME.options.listen="127.0.0.1:5005"`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    #[command(flatten)]
    pub plugins: PluginArgs,
}

/// Where the plugins are.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// Look for plugins in this folder first; may be repeated
    #[arg(long = "plugin-dir", value_name = "DIR")]
    pub plugin_dirs: Vec<PathBuf>,
}

impl PluginArgs {
    /// The search they ask for.
    pub fn search(&self) -> PluginSearch {
        PluginSearch::new(&self.plugin_dirs)
    }
}

/// Record an experiment.
///
/// Stops on Ctrl-C, SIGTERM, after --duration, or when every source has finished; the file is then
/// closed with its footers. Nothing is ever overwritten. With --remote it waits for commands instead.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The experiment's configuration, a TOML file; not needed with --lsl or --remote
    #[arg(required_unless_present_any = ["lsl", "remote"])]
    pub config: Option<PathBuf>,
    /// Record the streams on the network that this LSL predicate matches, as "type='EEG'"
    /// ("true()" is every stream); may be repeated. At least one has to be there. In a configuration they join
    /// its source of the plugin lsl; two such sources are an error. Where that source has required = false, the
    /// streams it had before are still recorded and not waited for
    #[arg(long, value_name = "PREDICATE", value_parser = predicate)]
    pub lsl: Vec<String>,
    /// Override a value of the configuration, as `experiment.participant=P012` or
    /// `source.NAME.options.listen="127.0.0.1:5005"`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    #[command(flatten)]
    pub plugins: PluginArgs,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", value_parser = positive_seconds)]
    pub duration: Option<f64>,
    /// Record into this file instead of the one the configuration names
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Stop when a line or the end comes on standard input, too: on Enter, or from a script
    #[arg(long)]
    pub stop_on_stdin: bool,
    /// Status and verdict as JSON, one object a line, on standard output
    #[arg(long)]
    pub json: bool,
    /// Wait for commands by TCP (start, stop, select, filename, status ...) as LabRecorder's remote control
    /// takes them, and record as often as is asked for; on 127.0.0.1:22345 unless told otherwise
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "", conflicts_with = "output")]
    pub remote: Option<RemoteAddress>,
}

fn predicate(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err(
            "it is blank; a predicate is for example type='EEG', and true() is every stream".to_owned()
        );
    }
    Ok(text.to_owned())
}

pub(super) fn positive_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s.is_finite() => Ok(s),
        _ => Err("a number of seconds above 0 is needed".to_owned()),
    }
}

/// Run it.
pub fn run(args: &RecordArgs) -> Result<u8, Failure> {
    let mut overrides = args.overrides.clone();
    overrides.extend(args.remote.iter().flat_map(RemoteAddress::overrides));
    let mut loaded = config::lsl::load_with_streams(args.config.as_deref(), &args.lsl, &overrides)?;
    if let Some(duration_s) = args.duration {
        loaded.config.recording.duration_s = Some(duration_s);
    }
    if loaded.config.remote.enabled {
        return super::remote::run(&loaded, args);
    }
    let display = Display::choose(args.json);
    let (search, output) = (args.plugins.search(), args.output.as_deref());
    let verdict = record(&loaded, &search, output, display, args.stop_on_stdin)?;
    Ok(verdict.outcome.exit_code())
}

/// Record what `loaded` says into `output`, or into the file it names, until a signal says to stop, with
/// `stop_on_stdin` standard input does, or it ends by itself.
pub fn record(
    loaded: &Loaded,
    search: &PluginSearch,
    output: Option<&Path>,
    display: Display,
    stop_on_stdin: bool,
) -> Result<Verdict, Failure> {
    let mut config = loaded.config.clone();
    let path = match output {
        Some(path) => path.to_owned(),
        None => {
            let path = config::filename::settle(&mut config, &jiff::Zoned::now());
            path.map_err(|e| loaded.filename_error(&e))?
        }
    };
    let prepared = prepare(loaded, search)?;
    for text in cautions(search) {
        prepared.shared.notices.send(Level::Warning, "", text);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Listened for before anything is begun, so that no signal kills a recording half-way.
        let mut stops = Stops::new(stop_on_stdin)?;
        let mut screen = Screen::start(display, prepared.notices.clone())?;
        let session =
            Session::start(prepared, &config, &path).map_err(|e| start_failure(e, loaded, output))?;
        let verdict = session.run(&mut stops, &mut screen).await;
        screen.finish(&verdict);
        Ok(verdict)
    })
}

fn start_failure(error: StartError, loaded: &Loaded, output: Option<&Path>) -> Failure {
    let help = match &error {
        StartError::Exists { .. } => "choose another name",
        StartError::File { .. } => "check the folder, its permissions and the disk",
        StartError::NoRoom { .. } => "free some space, record elsewhere, or lower min_free_mb in [recording]",
    };
    match (&error, output) {
        (StartError::Exists { .. }, Some(_)) => Failure::usage(error, help),
        (StartError::File { .. } | StartError::NoRoom { .. }, None) => {
            let at = ConfigPath::root().key("recording").key("directory");
            loaded.error_at(&at, error.to_string(), help).into()
        }
        _ => Failure::other(error, help),
    }
}
