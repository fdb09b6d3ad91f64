//! The start of a recording: its file is created and its sources are started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lockstep_platform::monotonic_s;
use lockstep_xdf::Element;
use serde_json::json;

use super::{Running, Session, free_beside};
use crate::config::{Config, Recording};
use crate::ntp;
use crate::recording::alarms::Alarms;
use crate::recording::conduct::Rules;
use crate::recording::driven::Driven;
use crate::recording::files::{self, FileSettings, Files};
use crate::recording::intake::SourceIntake;
use crate::recording::prepare::Prepared;
use crate::recording::space::Floor;
use crate::recording::status::{Meters, Phase};
use crate::recording::writer::Writer;

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file or its folder cannot be made.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("{path} already exists, and nothing is ever overwritten", path = path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// There is no room for it.
    #[error(
        "{path}: only {free:.1} MB are free there, and min_free_mb asks for {floor:.1} MB",
        path = path.display(), free = *free_bytes as f64 / 1e6, floor = *floor_bytes as f64 / 1e6
    )]
    NoRoom {
        /// Which file.
        path: PathBuf,
        /// What is free beside it.
        free_bytes: u64,
        /// What should be.
        floor_bytes: u64,
    },
}

fn settings(recording: &Recording) -> FileSettings {
    FileSettings {
        second_directory: recording.second_directory.clone(),
        sync: Duration::from_secs_f64(recording.sync_s),
        hold_bytes: (recording.hold_mb as usize) << 20,
        checksum: recording.checksum,
    }
}

/// Create the file, which must not exist, and its folders.
fn create(path: &Path) -> Result<std::fs::File, StartError> {
    files::create(path).map_err(|(at, source)| match source.kind() {
        std::io::ErrorKind::AlreadyExists if at == path => StartError::Exists { path: at },
        _ => StartError::File { path: at, source },
    })
}

fn file_header() -> Element {
    let text = |name: &str, text: String| Element::new(name).with_text(text);
    let now = jiff::Zoned::now();
    Element::new("info")
        .with_child(text("version", "1.0".to_owned()))
        .with_child(text("datetime", now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()))
        .with_child(text("recorder", format!("Lockstep {}", env!("CARGO_PKG_VERSION"))))
}

impl Session {
    /// Create the file and start the sources.
    ///
    /// # Errors
    /// When the file cannot be created; no source has been started then.
    pub fn start(prepared: Prepared, config: &Config, path: &Path) -> Result<Self, StartError> {
        let Prepared { shared, sources, master_clock, wake, .. } = prepared;
        let failed = |source| StartError::File { path: path.to_owned(), source };
        let settings = settings(&config.recording);
        if let Some(second) = &settings.second_directory {
            // Better now than when it is needed.
            std::fs::create_dir_all(second)
                .map_err(|source| StartError::File { path: second.clone(), source })?;
        }
        let floor = Floor::new(u64::from(config.recording.min_free_mb) << 20);
        let file = create(path)?;
        let free_bytes = free_beside(path);
        if let Some(free_bytes) = free_bytes.filter(|free| *free < floor.bytes()) {
            drop(std::fs::remove_file(path));
            return Err(StartError::NoRoom { path: path.to_owned(), free_bytes, floor_bytes: floor.bytes() });
        }
        let started = Files::new(&file, path, settings).and_then(|files| {
            let writer = Writer::start(file, file_header(), Arc::clone(&shared), Arc::clone(&files), wake)?;
            Ok((writer, files))
        });
        let (writer, files) = match started {
            Ok(both) => both,
            Err(e) => {
                // It was made just now and holds nothing: it must not stand in the way of another try.
                drop(std::fs::remove_file(path));
                return Err(failed(e));
            }
        };
        shared.side_files.set_recording(path);
        shared.events.write(
            "start",
            "",
            "",
            json!({
                "recorder": concat!("Lockstep ", env!("CARGO_PKG_VERSION")),
                "experiment": config.experiment,
                "file": path.display().to_string(),
                "started_utc": jiff::Timestamp::now().to_string(),
                "sources": sources.iter().map(|s| json!({
                    "name": s.intake.name,
                    "required": s.intake.required,
                    "plugin": s.plugin.id,
                    "plugin_version": s.plugin.version,
                    "plugin_from": s.plugin.origin.to_string(),
                    "isolation": s.isolation,
                })).collect::<Vec<_>>(),
                "master_clock": master_clock.as_ref().map(|c| c.server.to_string()),
            }),
        );
        let begun_s = monotonic_s();
        let mut running: Vec<Running> = Vec::new();
        let mut run = |intake: Arc<SourceIntake>, plugin: String, mut driven: Box<dyn Driven>| {
            intake.open();
            driven.start();
            running.push(Running { intake, plugin, driven, start_answered: false });
        };
        for source in sources {
            run(source.intake, source.plugin.id, source.driven);
        }
        if let Some(clock) = master_clock {
            run(clock.intake, ntp::MADE_BY.to_owned(), Box::new(clock.client));
        }
        Ok(Self {
            sources: running,
            shared,
            writer,
            files,
            floor,
            floor_reached: false,
            ended_by_floor: None,
            begun_s,
            rules: Rules::from(&config.recording),
            clock_interval_s: config.clock.interval_s,
            meters: Meters::default(),
            alarms: Alarms::default(),
            phase: Phase::Starting,
            sync_error_told: false,
            on_disk_told: 0,
            free_bytes,
            disk_asked: (f64::NEG_INFINITY, path.to_owned()),
        })
    }
}
