//! The tracker in simulated time.

use std::path::Path;

use super::*;

const START_S: f64 = 5000.0;

fn tracker(toml: &str) -> Tracker {
    let config = TrackerConfig::from_toml(toml).expect("a configuration");
    Tracker::new(config, START_S, Conversion::Offset).expect("a tracker")
}

fn connected(toml: &str) -> Tracker {
    let mut tracker = tracker(toml);
    tracker.connect(START_S).expect("it is there");
    tracker
}

/// All that is taken in steps of a millisecond until then; each delivered.
fn run(tracker: &mut Tracker, from_s: f64, until_s: f64) -> Vec<Delivery> {
    let mut all = Vec::new();
    for step in 0.. {
        let now_s = START_S + from_s + f64::from(step) * 1e-3;
        if now_s > START_S + until_s {
            return all;
        }
        for delivery in tracker.take_due(now_s).unwrap_or_default() {
            tracker.settle(&delivery, true);
            all.push(delivery);
        }
    }
    all
}

fn samples(deliveries: &[Delivery]) -> Vec<Sample> {
    let one = |delivery: &Delivery| match delivery {
        Delivery::Sample(sample) => Some((**sample).clone()),
        _ => None,
    };
    deliveries.iter().filter_map(one).collect()
}

fn sync(tracker: &mut Tracker, at_s: f64, used: bool) -> Result<Timesync, Refusal> {
    let plan = tracker.plan_timesync(START_S + at_s)?;
    let sync = tracker.finish_timesync(&plan, plan.due_host_s, SyncKind::Asked)?;
    tracker.settle_timesync(&sync, used, true);
    Ok(sync)
}

/// Rows of a log, as its columns by name.
fn rows(folder: &Path, name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let text = std::fs::read_to_string(folder.join(name)).expect("a log");
    let mut lines = text.lines();
    let facts = lines.next().expect("facts").strip_prefix("# ").expect("a comment");
    let facts: serde_json::Value = serde_json::from_str(facts).expect("JSON");
    assert_eq!(facts["simulated"], true);
    let columns: Vec<&str> = lines.next().expect("columns").split(',').collect();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), columns.len(), "{line}");
            columns.iter().zip(fields).map(|(a, b)| ((*a).to_owned(), b.to_owned())).collect()
        })
        .collect()
}

#[test]
fn samples_are_taken_by_the_devices_own_oscillator() {
    let mut tracker = connected("frequency_hz = 600\n[clock]\noffset_s = 1000.5\nskew_ppm = 50");
    let got = samples(&run(&mut tracker, 0.0, 2.0));
    assert!((1195..1202).contains(&got.len()), "{}", got.len());
    for (place, sample) in got.iter().enumerate() {
        assert_eq!(sample.index, place as u64);
        let period_s = sample.index as f64 / 600.0;
        assert!((sample.host_s - START_S - period_s / (1.0 + 50e-6)).abs() < 1e-9);
        let device_us = (START_S - 1000.5 + period_s) * 1e6;
        assert!((sample.device_us as f64 - device_us).abs() <= 1.0, "{} {device_us}", sample.device_us);
    }
}

#[test]
fn arrivals_are_late_by_the_cable_and_in_groups() {
    let mut tracker = connected(
        "frequency_hz = 1000\nburst = 10\n[usb.samples]\nbase_us = 2000\njitter_us = 0\n[clock]\nskew_ppm = 0",
    );
    let due_s = tracker.next_due_s(START_S) - START_S;
    assert!((due_s - 0.011).abs() < 1e-9, "the tenth is taken at 9 ms, and needs 2: {due_s}");
    assert_eq!(samples(&tracker.take_due(START_S + 0.0109).expect("connected")).len(), 0);
    assert_eq!(samples(&tracker.take_due(START_S + 0.0111).expect("connected")).len(), 10);
    let due_s = tracker.next_due_s(START_S + 0.012) - START_S;
    assert!((due_s - 0.021).abs() < 1e-9, "{due_s}");
}

#[test]
fn a_time_sync_has_the_delays_of_the_cable_in_it() {
    let mut tracker = connected(
        "[usb.request]\nbase_us = 100\njitter_us = 0\n[usb.reply]\nbase_us = 300\njitter_us = 0\n\
         [clock]\noffset_s = -7\nskew_ppm = 20",
    );
    let got = sync(&mut tracker, 10.0, true).expect("connected");
    assert_eq!((got.st1_us, got.st3_us), (5_010_000_000, 5_010_000_400));
    let true_us = (START_S + 7.0 + 10.0001 * (1.0 + 20e-6)) * 1e6;
    assert!((got.et2_us as f64 - true_us).abs() <= 1.0, "{} {true_us}", got.et2_us);
    assert_eq!(got.round_trip_us(), 400);
    // From now on system times are of that one offset: wrong by half of the asymmetry, and the drift.
    let first = samples(&tracker.take_due(START_S + 11.0).expect("connected")).pop().expect("one");
    let error_us = first.system_us as f64 - first.host_s * 1e6;
    assert!((error_us - (100.0 + 20.0 * (first.host_s - START_S - 10.0))).abs() < 3.0, "{error_us}");
}

#[test]
fn spikes_are_as_frequent_as_they_are_told_to_be() {
    let mut tracker = connected("[usb.request]\nspike_probability = 0.2\nspike_us = 50000");
    let trips = (0..500).map(|place| sync(&mut tracker, f64::from(place), false).expect("connected"));
    let spikes = trips.filter(|sync| sync.round_trip_us() > 50_000).count();
    assert!((70..130).contains(&spikes), "{spikes}");
}

#[test]
fn a_disconnect_loses_what_is_on_its_way_and_lasts_until_someone_connects() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let truth = folder.path().join("truth");
    let mut tracker = connected(&format!(
        "frequency_hz = 200\ntruth = {truth:?}\nclock_restarts_s = [1.5]\n\
         [[disconnects]]\nat_s = 1.0\nfor_s = 1.0\n[[firmware_upgrades]]\nat_s = 4.0\nfor_s = 0.5"
    ));
    let before = samples(&run(&mut tracker, 0.0, 0.999));
    assert_eq!(tracker.take_due(START_S + 1.001), Err(Refusal::Unreachable));
    assert_eq!(sync(&mut tracker, 1.1, false), Err(Refusal::Unreachable));
    assert_eq!(tracker.connect(START_S + 1.9), Err(Refusal::Unreachable));
    assert_eq!(tracker.take_due(START_S + 2.5), Err(Refusal::Unreachable), "nobody connected");
    assert_eq!(tracker.connect(START_S + 3.0), Ok(()));
    let after = samples(&run(&mut tracker, 3.0, 3.9));
    assert_eq!(after[0].index, 600);
    assert!(after[0].device_us < 2_000_000, "its clock began again: {}", after[0].device_us);
    assert!(tracker.take_due(START_S + 4.1).is_err());
    assert_eq!(tracker.connect(START_S + 4.2), Err(Refusal::Upgrading));
    assert_eq!(tracker.connect(START_S + 4.6), Ok(()));
    tracker.hang_up(START_S + 5.0);
    tracker.flush().expect("written");

    let gaze = rows(&truth, "gaze.csv");
    let indices: Vec<usize> = gaze.iter().map(|row| row["index"].parse().expect("a number")).collect();
    assert!(indices.iter().enumerate().all(|(place, index)| place == *index), "none is missing");
    let delivered = gaze.iter().filter(|row| row["delivered"] == "1").count();
    assert_eq!(delivered, before.len() + after.len());
    assert!(gaze.iter().all(|row| (row["delivered"] == "1") || row["system_us"].is_empty()));
    let events: Vec<String> = rows(&truth, "events.csv").iter().map(|row| row["kind"].clone()).collect();
    let wanted = "connected connection_lost clock_restart connected connection_lost connected hung_up";
    assert_eq!(events.join(" "), wanted);
}

#[test]
fn nothing_is_taken_in_a_pause_that_may_be_without_end() {
    let mut tracker =
        connected("frequency_hz = 1200\n[[paused]]\nat_s = 0.5\nfor_s = 0.5\n[[paused]]\nat_s = 2.0");
    let got = run(&mut tracker, 0.0, 4.0);
    let taken: Vec<f64> = samples(&got).iter().map(|sample| sample.host_s - START_S).collect();
    assert!(taken.iter().all(|at_s| *at_s < 0.5 || (1.0..2.0).contains(at_s)));
    assert!((1790..1801).contains(&taken.len()), "{}", taken.len());
    let told: Vec<f64> = got
        .iter()
        .filter_map(|delivery| match delivery {
            Delivery::Told(Told::Notification { kind: NotificationKind::DevicePaused, number, .. }) => {
                Some(*number)
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [1.0, 0.0, 1.0]);
    assert!(tracker.is_paused(START_S + 100.0) && tracker.next_due_s(START_S + 100.0) > START_S + 100.5);
}

#[test]
fn lost_samples_are_in_the_log_as_such() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let truth = folder.path().join("truth");
    let mut tracker = connected(&format!("sample_loss = 0.1\nfrequency_hz = 1000\ntruth = {truth:?}"));
    let got = samples(&run(&mut tracker, 0.0, 3.0));
    tracker.flush().expect("written");
    let gaze = rows(&truth, "gaze.csv");
    let lost = gaze.iter().filter(|row| row["delivered"] == "0").count();
    assert!((230..370).contains(&lost), "{lost}");
    let delivered: Vec<_> = gaze.iter().filter(|row| row["delivered"] == "1").collect();
    assert_eq!(delivered.len(), got.len());
    for (row, sample) in delivered.iter().zip(&got) {
        assert_eq!(row["device_us"], sample.device_us.to_string());
        let pupil_mm: f32 = row["left_pupil_mm"].parse().expect("a number");
        assert_eq!(row["left_pupil_valid"] == "1", !pupil_mm.is_nan());
        assert_eq!(sample.values.left.pupil_mm, (!pupil_mm.is_nan()).then_some(pupil_mm));
    }
}

#[test]
fn the_digital_input_changes_in_time_and_somebody_comes_and_goes() {
    let mut tracker = connected("[sync_port]\ninterval_s = 0.25\n[[away]]\nat_s = 1.0\nfor_s = 0.5");
    let got = run(&mut tracker, 0.0, 2.1);
    let changes: Vec<(u64, u32)> = got
        .iter()
        .filter_map(|delivery| match delivery {
            Delivery::SyncPort(change) => Some((change.index, change.value)),
            _ => None,
        })
        .collect();
    assert_eq!(changes.len(), 8);
    assert!(changes.windows(2).all(|pair| pair[0].1 != pair[1].1 && pair[0].0 + 1 == pair[1].0));
    let came = |delivery: &Delivery| match delivery {
        Delivery::Told(Told::Presence { present, system_us }) => Some((*present, *system_us)),
        _ => None,
    };
    let presence: Vec<(bool, i64)> = got.iter().filter_map(came).collect();
    assert_eq!(presence, [(false, 5_001_000_000), (true, 5_001_500_000)]);
    let nobody = samples(&got).into_iter().filter(|sample| !sample.values.somebody()).count();
    assert!(nobody >= 60, "{nobody}");
}

#[test]
fn whoever_does_not_process_loses_the_connection_if_that_is_asked_for() {
    let mut tracker = connected("idle_disconnect_s = 0.1");
    assert!(tracker.take_due(START_S + 0.09).is_ok());
    assert!(tracker.take_due(START_S + 0.18).is_ok());
    assert!(tracker.take_due(START_S + 0.29).is_err());
    assert_eq!(tracker.connect(START_S + 0.3), Ok(()));
}

#[test]
fn a_licence_may_need_a_key_and_may_be_revoked() {
    let tracker = tracker("[licence]\nneeds_key = true\nrevoked_at_s = 5");
    assert_eq!(tracker.level(START_S, true), Level::Professional);
    assert_eq!(tracker.level(START_S, false), Level::Consumer);
    assert_eq!(tracker.level(START_S + 5.0, true), Level::Consumer);
    assert_eq!(super::tests::tracker("[licence]\nlevel = \"none\"").level(START_S, true), Level::None);
}

#[test]
fn configurations_are_refused_with_the_mend() {
    let says = |toml: &str, text: &str| {
        let error = TrackerConfig::from_toml(toml).expect_err(text).to_string();
        assert!(error.contains(text), "{error}");
    };
    says("frequency_hz = 30", "60 to 1200");
    says("nonsense = 1", "nonsense");
    says("burst = 0", "groups of 1 to 1000");
    says("api_version = \"five\"", "four numbers");
    says("[usb.reply]\nspike_probability = 2", "probability");
    says("[[disconnects]]\nat_s = -1", "0 or more");
    assert_eq!(version("4.19"), Some([4, 19, 0, 0]));
    assert_eq!(version("1.2.3.4.5"), None);
}

#[test]
fn the_keys_that_are_documented_are_those_that_there_are() {
    let text = include_str!("config.rs");
    let example: String = text
        .lines()
        .skip_while(|line| !line.contains("```toml"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| line.trim_start_matches("//!").trim_start().trim_start_matches("# ").to_owned() + "\n")
        .filter(|line| !line.starts_with("[[paused]]"))
        .collect();
    let config = TrackerConfig::from_toml(&example).expect("it is TOML");
    let defaults = TrackerConfig::default();
    let bare = TrackerConfig {
        truth: None,
        disconnects: Vec::new(),
        notifications: Vec::new(),
        licence: Licence { revoked_at_s: None, ..config.licence.clone() },
        clock: ClockConfig { load: None, warm_up: None, room: None, day: None, ..config.clock.clone() },
        ..config
    };
    assert_eq!(bare, defaults);
}
