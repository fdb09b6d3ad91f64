//! Tests of the flags and of what is printed.

use clap::FromArgMatches as _;

use super::*;

fn config(flags: &str) -> anyhow::Result<Glasses3Config> {
    let command = TobiiArgs::augment_args(clap::Command::new("tobii"));
    let matches = command.try_get_matches_from(std::iter::once("tobii").chain(flags.split_whitespace()))?;
    TobiiArgs::from_arg_matches(&matches)?.config()
}

#[test]
fn the_flags_are_well_formed() {
    TobiiArgs::augment_args(clap::Command::new("tobii")).debug_assert();
}

#[test]
fn flags_keep_their_units_and_directions() {
    let got = config(
        "--name TG03B-7 --port 0 --no-mdns --clock-offset-s -2.5 --skew-ppm 30 --step 5:0.1 --delay-ms 2 \
         --down-delay-ms 30 --gaze-hz 100 --imu-hz 120 --sync-port-every 0.5 --outage 5:1.5 --keep-zero \
         --duration 9",
    )
    .expect("right flags");
    assert_eq!((got.serial.as_str(), got.port, got.mdns), ("TG03B-7", 0, false));
    assert_eq!((got.clock.offset_s, got.clock.skew_ppm, got.clock.steps.len()), (-2.5, 30.0, 1));
    assert_eq!((got.uplink.delay_s, got.downlink.delay_s), (0.002, 0.03));
    assert_eq!((got.gaze_hz, got.imu_hz, got.sync_port_every_s), (100, 120.0, 0.5));
    assert!(got.is_out(5.0) && !got.is_out(6.5) && !got.zero_restarts);
    assert_eq!(got.duration, Some(Duration::from_secs(9)));
    let usual = config("").expect("no flags");
    assert_eq!((usual.port, usual.gaze_hz, usual.mdns, usual.zero_restarts), (8000, 50, true, true));
}

#[test]
fn wrong_flags_are_refused_with_the_mend() {
    for (flags, says) in [
        ("--gaze-hz 60", "50, 100"),
        ("--imu-hz 5000", "0.1 to 1000 Hz"),
        ("--serial a.b", "letters, digits"),
        ("--outage x:3", "not a number of seconds"),
        ("--loss 2", "give a probability"),
    ] {
        let error = config(flags).expect_err(flags).to_string();
        assert!(error.contains(says), "{flags}: {error}");
    }
}

#[test]
fn the_banner_says_that_it_is_simulated_and_where_it_answers() {
    let config = config("--port 0 --no-mdns --truth logs").expect("right flags");
    let mut out = Vec::new();
    write_banner(&mut out, &config, ([127, 0, 0, 1], 8000).into()).expect("written");
    let text = String::from_utf8(out).expect("text");
    assert!(
        text.starts_with("SIMULATED Tobii Glasses 3, no device involved:\n  WebSocket ws://127.0.0.1:8000/")
    );
    assert!(text.contains("truth in logs"), "{text}");
}
