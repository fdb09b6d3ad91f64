//! Configurations: the text, overrides, options of plugins, names of files; and configurations of LabRecorder.
#![no_main]

use std::path::{Component, Path};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lockstep_recorder::config::{self, filename};
use lockstep_recorder::host::PluginSearch;
use lockstep_recorder::import::labrecorder::import;
use serde_json::Value;

/// Where nothing is, so that no file stands in the way.
const FOLDER: &str = "/nonexistent/recordings";

fn schemas() -> &'static [(String, Value)] {
    static SCHEMAS: OnceLock<Vec<(String, Value)>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let search = PluginSearch::new(&[]);
        let schema = |name: &str| Some((name.to_owned(), search.load(name).ok()?.options_schema().ok()??));
        ["lsl", "neon", "tobii", "udp"].into_iter().filter_map(schema).collect()
    })
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // Behind a line of "--set" each line is an override.
    let (toml, overrides) = text.split_once("\n--set\n").unwrap_or((&text, ""));
    let overrides: Vec<String> = overrides.lines().take(8).map(str::to_owned).collect();
    let loaded = match config::parse(toml, "fuzz.toml", &overrides) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.diagnostics().is_empty() && !error.render(false, 100).is_empty());
            if let Ok(imported) = import(data, "fuzz.cfg") {
                assert!(imported.toml.parse::<toml_edit::DocumentMut>().is_ok(), "{}", imported.toml);
            }
            return;
        }
    };
    let again = config::parse(&loaded.text, "again.toml", &[]);
    assert!(again.is_ok_and(|again| again.config == loaded.config), "the text in force says the same");
    let shown = loaded.text_to_show();
    assert!(shown.parse::<toml_edit::DocumentMut>().is_ok_and(|shown| {
        shown
            .get("remote")
            .and_then(|remote| remote.get("token"))
            .is_none_or(|token| token.as_str() == Some("***"))
    }));
    for (index, source) in loaded.config.source.iter().enumerate() {
        let schema = schemas().iter().find(|(name, _)| *name == source.plugin);
        if let Some((_, schema)) = schema
            && let Ok(options) = config::check_options(&loaded, index, schema)
            && source.plugin == "udp"
        {
            lockstep_plugin_udp::fuzzing::options(&options.to_string());
        }
    }
    let mut config = loaded.config.clone();
    config.recording.directory = FOLDER.into();
    let now = jiff::Zoned::default();
    if let Ok(target) = filename::resolve(&config, &now) {
        let below = target.path.strip_prefix(FOLDER).unwrap_or(Path::new("/"));
        assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", target.path);
        assert!(below.components().all(|part| part.as_os_str().len() <= 255));
    }
});
