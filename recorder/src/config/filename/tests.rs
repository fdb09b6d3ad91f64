//! File names: templates, values that are refused, and the next free run.

use std::{fs, path::Path};

use jiff::Zoned;
use proptest::prelude::*;

use super::{FilenameError, Target, resolve};
use crate::config::{Config, parse};

fn config(experiment: &str, filename: Option<&str>) -> Config {
    let filename = filename.map_or(String::new(), |name| format!("filename = '{name}'\n"));
    let text = format!(
        "[experiment]\nname = \"grip\"\n{experiment}\n[recording]\n{filename}[[source]]\nname = \"s\"\nplugin = \"udp\"\n"
    );
    parse(&text, "x.toml", &[]).unwrap_or_else(|error| panic!("{}", error.render(false, 100))).config
}

fn in_folder(mut config: Config, folder: &Path) -> Config {
    config.recording.directory = folder.to_owned();
    config
}

fn now() -> Zoned {
    "2026-11-22T14:22:07+01:00[+01:00]".parse().expect("a time")
}

/// The name below an empty folder, with `/`.
fn name(experiment: &str, filename: Option<&str>) -> String {
    let folder = tempfile::tempdir().expect("folder");
    let config = in_folder(config(experiment, filename), folder.path());
    name_below(&resolve(&config, &now()).expect("a name"), folder.path())
}

fn name_below(target: &Target, folder: &Path) -> String {
    let below = target.path.strip_prefix(folder).expect("below the folder");
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn touch(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        fs::write(path, "").expect("file");
    }
}

#[test]
fn default_names_leave_out_what_is_not_set() {
    assert_eq!(name("", None), "grip_2026-11-22_142207.xdf");
    assert_eq!(name("task = 'a'\nrun = 2", None), "grip_task-a_run-002_2026-11-22_142207.xdf");
    assert_eq!(name("participant = 'P1'", None), "sub-P1/beh/sub-P1_beh.xdf");
    assert_eq!(
        name(
            "participant = 'P1'\nsession = '01'\ntask = 'hold'\nrun = 3\nmodality = 'eeg'\nacquisition = 'x'",
            None
        ),
        "sub-P1/ses-01/eeg/sub-P1_ses-01_task-hold_acq-x_run-003_eeg.xdf"
    );
}

#[test]
fn templates_take_keys_free_keys_and_the_time() {
    assert_eq!(name("group = 'c'\nage = 24", Some("{group}/{age}_{datetime}")), "c/24_2026-11-22T142207.xdf");
    assert_eq!(name("", Some("{experiment} {date} {time} {modality}.XDF")), "grip 2026-11-22 142207 beh.XDF");
    assert_eq!(name("", Some("100%% {{x}}.xdf")), "100% {x}.xdf");
    assert_eq!(name("task = 'a'", Some("data\\{task}.xdf")), "data/a.xdf");
}

#[test]
fn labrecorder_placeholders_are_understood() {
    let experiment = "participant = 'P1'\nsession = 'S1'\ntask = 'T1'\nacquisition = 'A1'\nrun = 7";
    assert_eq!(
        name(experiment, Some("sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b_acq-%a_run-%r_%m.xdf")),
        "sub-P1/ses-S1/beh/sub-P1_ses-S1_task-T1_acq-A1_run-007_beh.xdf"
    );
    assert_eq!(name(experiment, Some("exp%n/block_%b.xdf")), "exp007/block_T1.xdf");
    assert_eq!(name(experiment, Some("%d")), "2026-11-22.xdf");
}

#[test]
fn an_acquisition_that_is_not_set_leaves_its_part_out() {
    let bids = Some("sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b[_acq-%a]_run-%r_%m.xdf");
    let experiment = "participant = 'P1'\nsession = 'S1'\ntask = 'T1'\nrun = 7\nmodality = 'eeg'";
    assert_eq!(name(experiment, bids), "sub-P1/ses-S1/eeg/sub-P1_ses-S1_task-T1_run-007_eeg.xdf");
    assert_eq!(
        name(&format!("{experiment}\nacquisition = 'A1'"), bids),
        "sub-P1/ses-S1/eeg/sub-P1_ses-S1_task-T1_acq-A1_run-007_eeg.xdf"
    );
    assert_eq!(name("task = 'a'", Some("[{task}]")), "[a].xdf", "other brackets are brackets");
}

#[test]
fn wrong_templates_say_what_is_wrong() {
    let fault = |template: &str| {
        let mut config = config("", None);
        config.recording.filename = Some(template.to_owned());
        resolve(&config, &now()).expect_err("wrong on purpose").to_string()
    };
    for (template, piece) in [
        ("{task", "is not closed"),
        ("task}", "without its `{`"),
        ("%q", "`%q` is not known; known are %p (participant)"),
        ("a%", "a `%` at the end"),
        ("/etc/x.xdf", "starts with a slash"),
        ("a//b", "nothing between"),
        ("a/", "nothing between or after two slashes"),
        ("{task}", "{task}, which is not set in [experiment]"),
        ("{nope}", "{nope}, which is unknown"),
        ("../x", "\"..\" cannot be the name"),
        ("a/./x", "\".\" cannot be the name"),
        ("C:/x", "contains `:`"),
        ("con", "name of a device on Windows"),
        ("a /x", "blank"),
        ("{experiment}?", "contains `?`"),
    ] {
        let fault = fault(template);
        assert!(fault.contains(piece), "{template}: {fault}");
    }
}

#[test]
fn values_that_would_leave_the_folder_or_break_a_name_are_refused() {
    for value in
        ["..", ".", "a/b", "a\\b", "/etc", "C:x", "a\u{0}b", "a\nb", "x.", "x ", " x", "a|b", "a\u{202e}b"]
    {
        let mut config = config("", None);
        config.recording.filename = Some("{participant}/x.xdf".to_owned());
        config.experiment.participant = Some(value.to_owned());
        match resolve(&config, &now()) {
            Err(FilenameError::Value { key, .. }) => assert_eq!(key, "participant"),
            other => panic!("{value:?}: {other:?}"),
        }
    }
}

#[test]
fn a_long_name_is_refused_before_the_disk_does() {
    let mut config = config("", None);
    config.experiment.participant = Some("x".repeat(300));
    assert!(matches!(resolve(&config, &now()), Err(FilenameError::Part { .. })));
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("folder");
    touch(folder.path(), &["a_run-002.xdf", "b.xdf"]);
    let with_run = in_folder(config("run = 2", Some("a_run-{run}.xdf")), folder.path());
    let error = resolve(&with_run, &now()).expect_err("exists");
    assert!(error.to_string().contains("already exists, and nothing is ever overwritten"));
    assert!(error.help().contains("run = \"auto\""));
    let without = in_folder(config("", Some("b.xdf")), folder.path());
    let error = resolve(&without, &now()).expect_err("exists");
    assert!(error.help().contains("put {run} into `filename`"));
}

/// The run number and name that `run = "auto"` gives when `names` exist.
fn auto(filename: &str, names: &[&str]) -> (Option<u32>, String) {
    let folder = tempfile::tempdir().expect("folder");
    touch(folder.path(), names);
    let config = in_folder(config("run = 'auto'\ntask = 't'", Some(filename)), folder.path());
    let target = resolve(&config, &now()).expect("a name");
    (target.run, name_below(&target, folder.path()))
}

#[test]
fn auto_takes_one_more_than_the_largest_run() {
    assert_eq!(auto("{task}_{run}", &[]), (Some(1), "t_001.xdf".to_owned()));
    assert_eq!(auto("{task}_{run}", &["t_001.xdf", "t_004.xdf"]).0, Some(5));
    assert_eq!(auto("{task}_{run}", &["t_9.xdf", "t_010.xdf"]).0, Some(11));
    assert_eq!(auto("{task}_{run}", &["t_999.xdf"]), (Some(1000), "t_1000.xdf".to_owned()));
}

#[test]
fn auto_ignores_files_that_differ_in_more_than_the_run() {
    let names = ["other_007.xdf", "t_007.csv", "t_x.xdf", "t_.xdf", "t_003_old.xdf", "t_007"];
    assert_eq!(auto("{task}_{run}", &names).0, Some(1));
}

#[test]
fn auto_sees_runs_of_other_days() {
    let names = ["t_2026-11-21_101500_run-003.xdf", "t_2026-11-2x_101500_run-009.xdf"];
    assert_eq!(
        auto("{task}_{date}_{time}_run-{run}", &names),
        (Some(4), "t_2026-11-22_142207_run-004.xdf".to_owned())
    );
    assert_eq!(auto("{datetime}/{run}", &["2025-01-01T000000/002.xdf"]).0, Some(3));
}

#[test]
fn auto_counts_files_in_run_folders() {
    assert_eq!(auto("run-{run}/{task}.xdf", &["run-002/t.xdf", "run-005/other.xdf"]).0, Some(3));
    assert_eq!(
        auto("run-{run}/{task}_{run}.xdf", &["run-002/t_002.xdf", "run-003/t_008.xdf"]),
        (Some(3), "run-003/t_003.xdf".to_owned())
    );
}

#[test]
fn auto_counts_as_labrecorder_counts_and_at_the_real_path() {
    for counter in ["%n", "%r"] {
        let name = |number: &str| format!("exp{number}/block_t.xdf");
        let template = format!("exp{counter}/block_%b.xdf");
        assert_eq!(auto(&template, &[]), (Some(1), name("001")));
        assert_eq!(auto(&template, &[&name("001"), &name("002")]), (Some(3), name("003")));
        // A folder of that number without a file of this name is no recording of it.
        assert_eq!(auto(&template, &["exp001/block_other.xdf", "exp002"]), (Some(1), name("001")));
        assert_eq!(auto(&template, &["EXP001/block_t.xdf", "exp1/block_t.xdf"]).0, Some(2));
        let bids = format!("sub-1/run-{counter}/sub-1_task-%b_run-{counter}_%m.xdf");
        let taken =
            ["sub-1/run-004/sub-1_task-t_run-004_beh.xdf", "sub-1/run-009/sub-1_task-u_run-009_beh.xdf"];
        assert_eq!(auto(&bids, &taken), (Some(5), "sub-1/run-005/sub-1_task-t_run-005_beh.xdf".to_owned()));
    }
}

#[test]
fn auto_works_where_digits_touch() {
    assert_eq!(auto("{run}{time}", &["012142207.xdf"]).0, Some(13));
}

#[test]
fn auto_stops_at_the_largest_number() {
    let folder = tempfile::tempdir().expect("folder");
    touch(folder.path(), &["999999.xdf"]);
    let config = in_folder(config("run = 'auto'", Some("{run}")), folder.path());
    assert!(matches!(resolve(&config, &now()), Err(FilenameError::NoFreeRun { .. })));
}

#[cfg(unix)]
#[test]
fn a_broken_link_counts_as_a_file() {
    let folder = tempfile::tempdir().expect("folder");
    std::os::unix::fs::symlink("nowhere", folder.path().join("a.xdf")).expect("link");
    let config = in_folder(config("", Some("a")), folder.path());
    assert!(matches!(resolve(&config, &now()), Err(FilenameError::Exists { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_leads_out_of_the_folder(
        participant in prop_oneof![any::<String>(), "[./\\\\:a-c ]{0,8}"],
        session in prop_oneof![any::<String>(), "[./\\\\:a-c ]{0,8}"],
        template in prop_oneof![
            Just(None),
            Just(Some("{participant}/{session}")),
            Just(Some("{participant}{session}/x{participant}")),
            Just(Some("{session}.xdf")),
        ],
    ) {
        let mut config = config("", None);
        config.recording.filename = template.map(str::to_owned);
        config.experiment.participant = Some(participant);
        config.experiment.session = Some(session);
        config.recording.directory = "data".into();
        if let Ok(target) = resolve(&config, &now()) {
            let below = target.path.strip_prefix("data").expect("below the folder");
            prop_assert!(below.components().count() >= 1);
            for part in below.components() {
                prop_assert!(matches!(part, std::path::Component::Normal(_)), "{:?}", target.path);
            }
            prop_assert!(target.path.extension().is_some_and(|end| end.eq_ignore_ascii_case("xdf")));
        }
    }

    #[test]
    fn no_template_leads_out_of_the_folder(template in prop_oneof![any::<String>(), "[./\\\\{}%a-c:]{0,12}"]) {
        let mut config = config("", None);
        config.recording.filename = Some(template);
        config.recording.directory = "data".into();
        if let Ok(target) = resolve(&config, &now()) {
            let below = target.path.strip_prefix("data").expect("below the folder");
            for part in below.components() {
                prop_assert!(matches!(part, std::path::Component::Normal(_)), "{:?}", target.path);
            }
        }
    }
}
