//! The configuration as a user meets it: what is accepted, and what every wrong file is told.

mod overrides;
mod plugin_options;
mod wrong_files;

use super::{ConfigError, Loaded, parse};

/// A small file that is right.
const GOOD: &str = r#"# pilot of the grip study
[experiment]
name = "grip"
participant = "P012"
session = "01"
task = "hold"
run = "auto"
group = "control"   # a free key

[recording]
directory = "data"
duration_s = 600.5

[clock]
interval_s = 5.0

[[source]]
name = "grip force"
plugin = "udp"
[source.options]
port = 5005   # as in the firmware
[source.acquisition]
manufacturer = "Acme"
serial_number = 42
[source.synchronization]
offset_mean = 0.012
can_drop_samples = false

[[source]]
name = "markers"
plugin = "udp"
required = false
options = { port = 5006 }
"#;

fn good() -> Loaded {
    parse(GOOD, "grip.toml", &[]).expect("the example is right")
}

/// The report for `text`, without colour.
fn report(text: &str) -> String {
    parse(text, "grip.toml", &[]).expect_err("wrong on purpose").render(false, 100)
}

/// The report for [`GOOD`] with `from` replaced by `to`.
fn report_with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    report(&GOOD.replacen(from, to, 1))
}

/// Asserts that a report holds each of `pieces`; shows all of it otherwise.
fn assert_shows(report: &str, pieces: &[&str]) {
    println!("{report}");
    // Long sentences are wrapped: compare without line breaks.
    let flat = |text: &str| {
        let plain: String = text.chars().map(|c| if "│·╰─├".contains(c) { ' ' } else { c }).collect();
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for piece in pieces {
        assert!(flat(report).contains(&flat(piece)), "lacks {piece:?}:\n{report}");
    }
    assert!(report.contains('^'), "no caret:\n{report}");
}

mod accepted {
    use std::collections::BTreeMap;

    use super::{super::*, *};

    #[test]
    fn a_full_file_is_read_with_its_defaults() {
        let config = good().config;
        assert_eq!(config.experiment.name, "grip");
        assert_eq!(config.experiment.run, Some(Run::Auto(AutoRun::Auto)));
        assert_eq!(config.experiment.modality, "beh");
        assert_eq!(
            config.experiment.extra,
            BTreeMap::from([("group".to_owned(), Scalar::Text("control".to_owned()))])
        );
        assert_eq!(config.recording.when_missing, WhenMissing::Fail);
        assert_eq!(config.recording.duration_s, Some(600.5));
        assert_eq!((config.recording.wait_s, config.recording.queue_mb), (10.0, 64));
        assert_eq!((config.clock.interval_s, config.clock.probes), (5.0, 8));
        assert_eq!(config.source.len(), 2);
        assert!(config.source[0].required);
        assert!(!config.source[1].required);
        assert_eq!(config.source[0].acquisition["serial_number"], Scalar::Integer(42));
        assert_eq!(config.source[0].synchronization.offset_mean, Some(0.012));
        assert_eq!(good().text, GOOD);
    }

    #[test]
    fn the_smallest_file_needs_a_name_and_one_source() {
        let text = "experiment.name = 'x'\nsource = [{ name = 's', plugin = 'udp' }]\n";
        let loaded = parse(text, "x.toml", &[]).expect("right");
        assert_eq!(loaded.config.experiment.run, None);
        assert_eq!(loaded.config.recording, Recording::default());
    }

    #[test]
    fn with_remote_control_what_is_recorded_may_be_said_later() {
        let text = "experiment.name = 'x'\n[remote]\nenabled = true\n";
        let remote = parse(text, "x.toml", &[]).expect("right").config.remote;
        assert_eq!((remote.enabled, remote.port, remote.bind.as_str()), (true, 22345, "127.0.0.1"));
        let typed = ["remote.enabled=true".to_owned(), "remote.port=0".to_owned()];
        assert_eq!(parse("experiment.name = 'x'", "x.toml", &typed).expect("right").config.remote.port, 0);
        assert!(parse(&text.replace("true", "false"), "x.toml", &[]).is_err());
    }

    #[test]
    fn a_source_may_have_a_process_of_its_own() {
        let with = |more: &str| {
            parse(&GOOD.replace("required = false", more), "grip.toml", &[]).expect("right").config.source[1]
                .clone()
        };
        let source = with("required = false");
        assert_eq!((source.isolation, source.memory_mb), (None, None));
        let source = with("isolation = \"process\"\nmemory_mb = 200");
        assert_eq!((source.isolation, source.memory_mb), (Some(Isolation::Process), Some(200)));
        assert_eq!(with("isolation = \"none\"").isolation, Some(Isolation::None));
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_are_fine() {
        let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
        let loaded = parse(&text, "grip.toml", &["clock.probes=4".to_owned()]).expect("right");
        assert_eq!(loaded.config.clock.probes, 4);
        let wrong = text.replace("interval_s = 5.0", "interval_s = 0");
        let error = parse(&wrong, "grip.toml", &[]).expect_err("wrong on purpose");
        assert_eq!(error.diagnostics()[0].location(), Some(("grip.toml", 15, 14)));
    }

    #[test]
    fn a_date_is_text_and_free_keys_keep_their_type() {
        let text =
            GOOD.replace("group = \"control\"", "born = 2001-02-03\nage = 24\nleft = true\nscore = 1.0");
        let extra = parse(&text, "x.toml", &[]).expect("right").config.experiment.extra;
        assert_eq!(extra["born"], Scalar::Text("2001-02-03".to_owned()));
        assert_eq!(extra["age"], Scalar::Integer(24));
        assert_eq!(extra["left"], Scalar::Bool(true));
        assert_eq!(extra["score"], Scalar::Float(1.0));
    }

    #[test]
    fn a_whole_float_is_an_integer() {
        let text = GOOD.replace("interval_s = 5.0", "probes = 8.0");
        assert_eq!(parse(&text, "x.toml", &[]).expect("right").config.clock.probes, 8);
    }

    #[test]
    fn run_is_a_number_or_auto() {
        let run = |value: &str| {
            let text = GOOD.replace("run = \"auto\"", &format!("run = {value}"));
            parse(&text, "x.toml", &[]).expect("right").config.experiment.run
        };
        assert_eq!(run("3"), Some(Run::Number(3)));
        assert_eq!(run("'auto'"), Some(Run::Auto(AutoRun::Auto)));
    }

    #[test]
    fn a_configuration_survives_being_written_and_read_again() {
        let config = good().config;
        let text = toml::to_string(&config).expect("writes");
        assert_eq!(parse(&text, "again.toml", &[]).expect("right").config, config);
    }

    #[test]
    fn every_key_of_the_configuration_is_documented() {
        for doc in describe_options(&Config::json_schema()) {
            assert!(!doc.description.is_empty(), "{} has no description", doc.path);
            assert_ne!(doc.type_text, "any value", "{}", doc.path);
        }
    }
}

mod files {
    use super::super::*;

    fn message(error: &ConfigError) -> String {
        error.render(false, 200)
    }

    #[test]
    fn a_file_that_is_missing_a_folder_or_not_text_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = load(&folder.path().join("grip.toml"), &[]).expect_err("missing");
        assert!(message(&missing).contains("there is no file"), "{missing}");
        let directory = load(folder.path(), &[]).expect_err("folder");
        assert!(message(&directory).contains("is a folder, not a configuration file"));
        let binary = folder.path().join("latin1.toml");
        std::fs::write(&binary, b"[experiment]\nname = \"M\xfcller\"\n").expect("write");
        let latin1 = load(&binary, &[]).expect_err("not UTF-8");
        assert!(message(&latin1).contains("not UTF-8 text: line 2"), "{latin1}");
        std::fs::write(&binary, b"\xff\xfen\0=\0").expect("write");
        let utf16 = load(&binary, &[]).expect_err("UTF-16");
        assert!(message(&utf16).contains("it is UTF-16"), "{utf16}");
    }

    #[test]
    fn an_empty_file_says_what_it_needs() {
        let error = parse("", "empty.toml", &[]).expect_err("empty");
        let text = message(&error);
        assert!(text.contains("[experiment] is missing"), "{text}");
        assert!(text.contains("no [[source]]: there is nothing to record"), "{text}");
    }
}

/// Errors of later stages, shown in the file.
mod later {
    use super::*;

    #[test]
    fn an_error_is_shown_at_the_value_or_at_its_nearest_parent() {
        let loaded = good();
        let plugin = loaded.source_path(1).key("plugin");
        let error =
            loaded.error_at(&plugin, "plugin \"udp\" is not installed", "lockstep plugins lists them");
        assert_eq!(error.diagnostics()[0].location(), Some(("grip.toml", 31, 10)));
        let port = loaded.option_path(0, "/port");
        let error = loaded.error_at(&port, "port 5005 is in use", "");
        assert_eq!(error.diagnostics()[0].location(), Some(("grip.toml", 21, 8)));
        let missing = loaded.option_path(0, "/clock/address");
        let error: ConfigError = loaded.error_at(&missing, "no address", "");
        assert_eq!(error.diagnostics()[0].location(), Some(("grip.toml", 20, 1)));
    }
}

/// Whatever stands in the file or in an override, it is answered, never a panic.
mod any_text {
    use proptest::prelude::*;

    use super::{super::*, GOOD};

    fn answered(result: Result<Loaded, ConfigError>) {
        if let Err(error) = result {
            assert!(!error.diagnostics().is_empty());
            assert!(!error.render(true, 0).is_empty());
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_file(text in any::<String>()) {
            answered(parse(&text, "x.toml", &[]));
        }

        #[test]
        fn a_damaged_file(at in 0..GOOD.len(), cut in 0usize..20, put in "[-\\[\\]={}\"'.,#\n\r\\\\ a0\u{e9}]{0,4}") {
            let mut text = GOOD.to_owned();
            text.replace_range(at..(at + cut).min(GOOD.len()), &put);
            answered(parse(&text, "x.toml", &[]));
        }

        #[test]
        fn any_override(raw in prop_oneof![any::<String>(), "(source|clock|experiment|recording)(\\.[a-z\"' ]{0,7}){0,3}=[a-z0-9\\[\\]{}=\"' ]{0,9}"]) {
            if let Ok(loaded) = parse(GOOD, "x.toml", std::slice::from_ref(&raw)) {
                let again = parse(&loaded.text, "again.toml", &[]);
                prop_assert_eq!(again.map(|again| again.config), Ok(loaded.config), "{}", raw);
            }
            answered(parse(GOOD, "x.toml", &[raw]));
        }
    }
}
