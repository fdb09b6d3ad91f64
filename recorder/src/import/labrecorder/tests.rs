//! Files of the kinds LabRecorder comes with, and what people make of them.

use super::*;
use crate::config::{AutoRun, Loaded, Run, filename, lsl};

const DEFAULT: &str = include_str!("../../../../tests/data/labrecorder/default.cfg");
const BIDS: &str = include_str!("../../../../tests/data/labrecorder/bids.cfg");
const MINIMAL: &str = include_str!("../../../../tests/data/labrecorder/minimal.cfg");

fn imported(text: impl AsRef<[u8]>) -> (Imported, Loaded) {
    let imported = import(text.as_ref(), "LabRecorder.cfg").unwrap_or_else(|e| panic!("{e}"));
    println!("{}\n{:#?}", imported.toml, imported.notes);
    for note in &imported.notes {
        let first: Vec<&str> = note.split_whitespace().take(3).collect();
        assert!(imported.toml.contains(&format!("# NOTE: {}", first.join(" "))), "{note} is not in the TOML");
    }
    let loads = |overrides: &[String]| parse(&imported.toml, "x.toml", overrides);
    // Without streams, they are chosen at the start.
    let chosen = imported.toml.lines().any(|line| line == "[[source]]");
    let loaded = if chosen { loads(&[]) } else { loads(&["remote.enabled=true".to_owned()]) };
    let loaded = loaded.unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
    (imported, loaded)
}

fn streams(loaded: &Loaded) -> String {
    assert_eq!(loaded.config.source[0].plugin, "lsl");
    loaded.config.source[0].options["streams"].to_string()
}

fn noted(imported: &Imported, text: &str) -> bool {
    imported.notes.iter().any(|note| note.contains(text))
}

fn now() -> jiff::Zoned {
    "2026-11-22T14:22:07+01:00[+01:00]".parse().expect("a time")
}

#[test]
fn a_storage_location_with_remote_control() {
    let (imported, loaded) = imported(DEFAULT);
    let config = &loaded.config;
    assert_eq!(config.recording.directory.to_str(), Some("C:/Recordings/CurrentStudy"));
    assert_eq!(config.recording.filename.as_deref(), Some("exp%n/block_%b.xdf"));
    assert_eq!(config.experiment.task.as_deref(), Some("Training"));
    assert_eq!(config.experiment.run, Some(Run::Auto(AutoRun::Auto)));
    assert!(imported.toml.contains("# SessionBlocks: Training, PreBaseline, MainTask, PostBaseline"));
    assert_eq!(
        (config.remote.enabled, config.remote.port, config.remote.bind.as_str()),
        (true, 22345, "127.0.0.1")
    );
    assert_eq!(
        streams(&loaded),
        r#"[{"name":"BioSemi","host":"LAB-PC"},{"name":"Markers","host":"STIM-PC"}]"#
    );
    assert!(imported.toml.contains("# OnlineSync: Markers (STIM-PC) post_ALL"));
    for text in [
        "OnlineSync is not carried over",
        "--strictly-increasing",
        "until `bind` says otherwise",
        "`select all` is every stream",
        "task is chosen",
    ] {
        assert!(noted(&imported, text), "{text}");
    }
}

#[test]
fn a_bids_study() {
    let (imported, mut loaded) = imported(BIDS);
    assert_eq!(loaded.config.experiment.name, "memory");
    assert_eq!(loaded.config.experiment.modality, "eeg");
    assert!(!loaded.config.remote.enabled);
    assert_eq!(
        streams(&loaded),
        r#"[{"name":"ActiCHamp-0","host":"amp-host"},{"name":"EyeLink, left (eye)","host":"amp-host"}]"#
    );
    assert!(imported.toml.contains("# AutoStart: `lockstep record` begins at once."));
    assert!(noted(&imported, "as long as no acquisition is set"));
    let folder = tempfile::tempdir().expect("folder");
    loaded.config.recording.directory = folder.path().to_owned();
    let name = |loaded: &Loaded| {
        let path = filename::resolve(&loaded.config, &now()).expect("a name").path;
        path.strip_prefix(folder.path()).expect("below").to_string_lossy().replace('\\', "/")
    };
    assert_eq!(name(&loaded), "sub-P001/ses-S001/eeg/sub-P001_ses-S001_task-Rest_run-001_eeg.xdf");
    loaded.config.experiment.acquisition = Some("left".to_owned());
    assert_eq!(name(&loaded), "sub-P001/ses-S001/eeg/sub-P001_ses-S001_task-Rest_acq-left_run-001_eeg.xdf");
}

#[test]
fn a_small_file_of_windows() {
    let (imported, loaded) = imported(MINIMAL);
    assert_eq!(loaded.config.recording.directory.to_str(), Some("D:\\Data\\Pilot"));
    assert_eq!(loaded.config.recording.filename.as_deref(), Some("exp%n\\block_%b.xdf"));
    assert_eq!(loaded.config.experiment.name, "Pilot");
    assert_eq!(streams(&loaded), r#"[{"name":"Keyboard","host":"DESK-7"}]"#);
    assert!(!imported.toml.contains("[remote]"));
    let windows = format!("\u{feff}{}", MINIMAL.replace('\n', "\r\n"));
    assert_eq!(import(windows.as_bytes(), "LabRecorder.cfg").expect("right"), imported);
}

#[test]
fn paths_are_taken_as_they_look() {
    let (imported, loaded) = imported("StudyRoot=C:\\tests\\new\nPathTemplate=%n\n");
    assert_eq!(loaded.config.recording.directory.to_str(), Some("C:\\tests\\new"));
    assert!(noted(&imported, "line 1: a backslash is an escape in that file"));
}

#[test]
fn without_required_streams_nothing_is_recorded_unasked() {
    const NONE: &str = "RequiredStreams=@Invalid()\nStudyRoot=/data/x\n";
    let (imported, loaded) = imported(NONE);
    assert!(loaded.config.source.is_empty());
    assert!(noted(&imported, "no RequiredStreams") && noted(&imported, "--lsl"));
    assert!(!imported.toml.contains("\"true()\" }"), "{}", imported.toml);
    // Any of the ways it names makes it one that can be recorded.
    let mut toml: toml_edit::DocumentMut = imported.toml.parse().expect("TOML");
    lsl::add_streams(&mut toml, &["true()".to_owned()]).expect("added");
    assert_eq!(
        streams(&parse(&toml.to_string(), "x.toml", &[]).expect("right")),
        r#"[{"predicate":"true()"}]"#
    );
    let (head, tail) = imported.toml.split_once("# [[source]]").expect("a source to take");
    let taken = format!("{head}[[source]]{}", tail.replace("\n# ", "\n"));
    assert_eq!(
        streams(&parse(&taken, "x.toml", &[]).expect("right")),
        r#"[{"type":"EEG"},{"name":"Markers","required":false}]"#
    );
    let remote = import(format!("{NONE}RCSEnabled=1\n").as_bytes(), "x.cfg").expect("right");
    let loaded = parse(&remote.toml, "x.toml", &[]).expect("right as it is");
    assert!(loaded.config.remote.enabled && loaded.config.source.is_empty());
    assert!(noted(&remote, "`start` is refused"));
}

#[test]
fn streams_are_named_in_every_way() {
    let name =
        |text: &str| StreamName::parse(text).map(|s| format!("{}|{}", s.name, s.host.unwrap_or_default()));
    assert_eq!(name("EEG (lab)").as_deref(), Some("EEG|lab"));
    assert_eq!(name("EEG (left) (lab)").as_deref(), Some("EEG (left)|lab"));
    assert_eq!(name("EEG").as_deref(), Some("EEG|"));
    assert_eq!(name("EEG ()").as_deref(), Some("EEG|"));
    assert_eq!(name("(lab)").as_deref(), Some("(lab)|"));
    assert_eq!(name("  "), None);
    let (imported, loaded) = imported("RequiredStreams=\"say \\\"hi\\\", 'you' (h)\", A, \"A\", \"\"\n");
    assert_eq!(streams(&loaded), r#"[{"name":"say \"hi\", 'you'","host":"h"},{"name":"A"}]"#);
    assert!(noted(&imported, "\"A\" stands twice"));
}

#[test]
fn nothing_is_dropped_silently() {
    let (imported, loaded) = imported(
        "StudyRoot=~/data\nStudyRoot=/x\nStorageLocation=~/exp.xdf\nRCSEnabled=maybe\nRCSPort=99999\nColour=red\n\
         [Window]\nWidth=3\nnonsense\nSessionBlocks=lost\n",
    );
    for text in [
        "line 2: StudyRoot stands twice",
        "StorageLocation holds",
        "\"~\" cannot be used as it stands",
        "no counter (%n, %r)",
        "RCSEnabled = maybe is neither",
        "RCSPort = 99999 is no port",
        "Colour = red is not known",
        "[Window] Width = 3 is not known",
        "line 9 is neither",
        "[Window] SessionBlocks = lost is not known",
    ] {
        assert!(noted(&imported, text), "{text}");
    }
    assert_eq!(loaded.config.recording.filename.as_deref(), Some("exp.xdf"));
    let (imported, _) = self::imported("RCSEnabled=true\nAutoStart=1\nSessionBlocks=\"a/b\", ok\n");
    for text in ["AutoStart is not carried over", "Documents/CurrentStudy", "the block \"a/b\""] {
        assert!(noted(&imported, text), "{text}");
    }
}

#[test]
fn a_name_that_no_file_can_have_is_left_out() {
    for template in ["../%n", "a//b%n", "con", "%q_what?.xdf", "a:b"] {
        let (imported, loaded) = imported(format!("StudyRoot=/x\nPathTemplate={template}\n"));
        assert_eq!(loaded.config.recording.filename, None, "{template}");
        assert!(noted(&imported, "the default name is used"), "{template}");
    }
}

#[test]
fn what_is_no_configuration_of_labrecorder_is_refused() {
    assert!(matches!(import(b"", "x"), Err(ImportError::Foreign)));
    assert!(matches!(import(b"[experiment]\nname = \"x\"\n", "x"), Err(ImportError::Foreign)));
    assert!(matches!(import(b"\xff\xfeR\0", "x"), Err(ImportError::Encoding)));
    let (imported, _) = imported(b"StudyRoot=/M\xfcller\n");
    assert!(noted(&imported, "read as Latin-1"));
}

mod any_file {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn makes_a_configuration_that_is_right(
            key in prop::sample::select(KEYS.to_vec()),
            value in prop_oneof![any::<String>(), "[a-c%nrpb/\\\\.:~(),\"{}@ \\[\\]_-]{0,16}"],
        ) {
            let file = format!("RCSEnabled=0\n{key}={value}\n");
            prop_assert!(import(file.as_bytes(), "LabRecorder.cfg").is_ok(), "{file}");
        }
    }
}
