//! Tobii trackers through their libraries: what the library gave to the recorder is in the file, once, bit for bit,
//! with every time sync, whatever happens to the tracker. Simulated device only: libraries of our own stand in for
//! Tobii's; that they behave as those do is for clients that others wrote to say (tobii_standins.rs).
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{PATIENCE, Process, TestDir, check_for_json, events, info, lockstep, note, stream};

/// A tracker of this kind, recorded for so long: what the recorder said, what is in the file, what the checker found.
struct Recorded {
    code: Option<i32>,
    info: Value,
    found: Value,
}

fn command(
    dir: &TestDir,
    name: &str,
    backend: &str,
    device: &str,
    options: &str,
    seconds: u32,
) -> (Command, String) {
    let stem = if backend == "pro-sdk" { "tobii_research" } else { "tobii_stream_engine" };
    // Where cargo has just built it.
    let library =
        Path::new(env!("CARGO_BIN_EXE_lockstep")).with_file_name("deps").join(format!("lib{stem}.so"));
    let truth = dir.join(format!("{name}-truth"));
    let device = dir.write(&format!("{name}.toml"), format!("truth = {truth:?}\n{device}"));
    let config = format!(
        "[experiment]\nname = \"tobii\"\n[[source]]\nname = \"tracker\"\nplugin = \"tobii\"\n[source.options]\n\
         backend = \"{backend}\"\nlibrary = {library:?}\n{options}\n"
    );
    let config = dir.write(&format!("{name}-config.toml"), &config);
    let file = dir.join(format!("{name}.xdf"));
    let mut command =
        lockstep(["record".as_ref(), config.as_os_str(), "--output".as_ref(), file.as_os_str()]);
    command.args(["--duration", &seconds.to_string()]).env("LOCKSTEP_TOBII_STANDIN", device);
    (command, truth.display().to_string())
}

fn record(dir: &TestDir, name: &str, backend: &str, device: &str, options: &str, seconds: u32) -> Recorded {
    let (mut command, truth) = command(dir, name, backend, device, options, seconds);
    let finished = Process::start(&mut command).wait(PATIENCE);
    note(&format!("{name}: {finished}"));
    let file = dir.join(format!("{name}.xdf"));
    let found = check_for_json("tobii", [file.display().to_string().as_str(), &truth]);
    note(&format!("{name}: {found}"));
    Recorded { code: finished.code, info: info(&file), found }
}

/// What is told of gaps in gaze: as many samples each.
fn told(found: &Value) -> Vec<u64> {
    found["told"].as_array().expect("a list").iter().map(|lost| lost.as_u64().expect("a number")).collect()
}

#[test]
fn each_library_gives_every_sample_and_time_sync_bit_for_bit() {
    let dir = TestDir::in_memory();
    let clock = "[clock]\noffset_s = -1234.5\nskew_ppm = 40.0\n";
    for (name, backend, device, samples) in [
        ("engine", "stream-engine", "frequency_hz = 600.0\nsync_port = { interval_s = 0.3 }\n", 1500),
        ("research", "pro-sdk", "frequency_hz = 1200.0\nsync_port = { interval_s = 0.3 }\nburst = 7\n", 3000),
        (
            "research-1",
            "pro-sdk",
            "frequency_hz = 250.0\nsdk_version = \"1.11.0.0\"\ninvalid = \"zero\"\n",
            600,
        ),
    ] {
        let Recorded { code, info, found } =
            record(&dir, name, backend, &format!("{device}{clock}"), "streams = { positioning = true }", 3);
        assert_eq!(code, Some(0), "{name}");
        // Of a maker's library nobody can say what it does.
        assert_eq!(events(&info, "start")[0]["sources"][0]["isolation"], "process", "{name}");
        assert!(
            found["samples"].as_u64() > Some(samples) && found["time_syncs"].as_u64() > Some(1),
            "{found}"
        );
        assert!(told(&found).is_empty() && found["resets"] == 0, "{found}");
        assert!(stream(&info, "Tobii_gaze")["clock_offsets"].as_u64() > Some(1), "{info}");
        assert!(stream(&info, "Tobii_positioning")["samples"].as_u64() > Some(samples), "{info}");
        assert!(stream(&info, "Tobii_eyeOpenness")["samples"].as_u64() > Some(samples / 3), "{info}");
    }
}

#[test]
fn what_a_tracker_does_not_deliver_is_told_and_nothing_else_is_missing() {
    let dir = TestDir::in_memory();
    let rate = "frequency_hz = 600.0\n";
    let lost = |device: &str, name: &str, backend: &str| {
        record(&dir, name, backend, &format!("{rate}{device}"), "time_sync = { interval_s = 1.0 }", 6)
    };
    let gone = lost("disconnects = [{ at_s = 1.5, for_s = 3.0 }]", "gone", "stream-engine");
    assert_eq!((gone.code, told(&gone.found).len()), (Some(3), 1), "{}", gone.found);
    assert!(told(&gone.found)[0] > 1700);
    let gone = lost("disconnects = [{ at_s = 1.5, for_s = 3.0 }]", "gone-pro", "pro-sdk");
    assert_eq!((gone.code, told(&gone.found).len()), (Some(3), 1), "{}", gone.found);
    // While it was away, its clock began anew: how many are missing is known by where both are in recorder time.
    let device = "disconnects = [{ at_s = 1.5, for_s = 2.0 }]\nclock_restarts_s = [2.5]";
    let anew = lost(device, "anew", "stream-engine");
    assert_eq!((told(&anew.found).len(), &anew.found["resets"]), (1, &Value::from(1)), "{}", anew.found);
    let upgraded = lost("firmware_upgrades = [{ at_s = 1.5, for_s = 2.0 }]", "upgraded", "stream-engine");
    assert_eq!(told(&upgraded.found).len(), 1, "{}", upgraded.found);
    assert!(events(&upgraded.info, "state").iter().any(|state| state.to_string().contains("firmware")));
    let revoked = lost("[licence]\nrevoked_at_s = 2.0", "revoked", "stream-engine");
    assert_eq!((revoked.code, told(&revoked.found).len()), (Some(3), 0), "{}", revoked.found);
    assert!(events(&revoked.info, "state").iter().any(|state| state.to_string().contains("licence_file")));
    let losses = "sample_loss = 0.01\n[usb.request]\nspike_probability = 0.2\nspike_us = 50000.0";
    let spikes = lost(losses, "spikes", "stream-engine");
    assert!(told(&spikes.found).iter().sum::<u64>() > 5 && spikes.found["resets"] == 0, "{}", spikes.found);
}

#[test]
fn clocks_that_are_set_and_trackers_that_pause_cost_nothing() {
    let dir = TestDir::in_memory();
    let rate = "frequency_hz = 600.0\n";
    for (name, device, resets) in [
        ("restart", "clock_restarts_s = [2.0]", 1),
        ("steps", "clock = { steps = [{ at_s = 1.5, delta_s = 0.2 }, { at_s = 3.0, delta_s = -0.2 }] }", 2),
        ("pause", "paused = [{ at_s = 1.5, for_s = 1.0 }]", 0),
        // Says that it is of version 4 and is not: the data tell.
        ("old-layout", "api_version = \"4.1.0.3\"\ngaze_data_layout = \"v3\"", 0),
    ] {
        let recorded = record(&dir, name, "stream-engine", &format!("{rate}{device}"), "", 5);
        assert_eq!((recorded.code, &recorded.found["resets"]), (Some(0), &Value::from(resets)), "{name}");
        assert!(told(&recorded.found).iter().all(|lost| *lost == 0), "{}", recorded.found);
    }
}

#[test]
fn what_cannot_be_recorded_is_refused_with_the_mend() {
    let dir = TestDir::in_memory();
    for (name, device, options, wanted) in [
        ("old", "api_version = \"2.4.0.0\"", "", "too old"),
        ("legacy", "api_version = \"3.3.0.0\"", "", "allow_legacy"),
        ("licence", "[licence]\nlevel = \"consumer\"", "", "licence_file"),
        ("key", "[licence]\nneeds_key = true\nkey_result = 4", "licence_file = \"KEY\"", "it has expired"),
        ("nobody", "present = false", "", "no tracker is connected"),
    ] {
        let key = dir.write("key", "a licence");
        let options = options.replace("KEY", &key.display().to_string());
        let (mut command, _) = command(&dir, name, "stream-engine", device, &options, 3);
        let finished = Process::start(&mut command).wait(PATIENCE);
        assert_eq!(finished.code, Some(1), "{name}: {finished}");
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(said.contains(wanted), "{name}: {said}");
    }
}
