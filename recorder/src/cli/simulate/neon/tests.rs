//! Tests of the flags and of what is printed.

use clap::FromArgMatches as _;

use super::*;

fn config(flags: &str) -> anyhow::Result<NeonConfig> {
    let command = NeonArgs::augment_args(clap::Command::new("neon"));
    let matches = command.try_get_matches_from(std::iter::once("neon").chain(flags.split_whitespace()))?;
    NeonArgs::from_arg_matches(&matches)?.config()
}

#[test]
fn the_flags_are_well_formed() {
    NeonArgs::augment_args(clap::Command::new("neon")).debug_assert();
}

#[test]
fn flags_keep_their_units_and_directions() {
    let got = config(
        "--port 0 --no-mdns --clock-offset-s -2.5 --skew-ppm 30 --step 5:0.1 --delay-ms 2 --down-delay-ms 30 \
         --layout full --layout-at 3:eye-state --not-worn 4:1 --outage 5:1.5 --unplug gaze:6 \
         --unplug imu:7:2 --report-style last-packet --rtp-clock wall --rtp-wrap-s 9 --eyes-hz 0",
    )
    .expect("right flags");
    assert_eq!((got.port, got.echo_port, got.mdns), (0, Some(0), false));
    assert_eq!((got.clock.offset_s, got.clock.skew_ppm, got.clock.steps.len()), (-2.5, 30.0, 1));
    assert_eq!((got.uplink.delay_s, got.downlink.delay_s), (0.002, 0.03));
    assert_eq!((got.gaze.layout_at(0.0), got.gaze.layout_at(3.0)), (Layout::Full, Layout::EyeState));
    assert!(got.is_out(5.0) && !got.is_out(6.5));
    assert!(!got.is_plugged(Sensor::Gaze, 1e6) && got.is_plugged(Sensor::Imu, 9.0));
    assert_eq!((got.rtp.report_style, got.rtp.clock), (ReportStyle::LastPacket, RtpClock::Wall));
    assert_eq!(got.rtp.wrap_after_s, Some(9.0));
    let all = config("--unplug all:1 --no-time-echo --host 0.0.0.0").expect("right flags");
    assert_eq!((all.unplugged.len(), all.echo_port, all.mdns), (5, None, true));
}

#[test]
fn wrong_flags_are_refused_with_the_mend() {
    for (flags, says) in [
        ("--layout nonsense", "dual-monocular"),
        ("--layout-at 3:nonsense", "only binocular"),
        ("--unplug nose:3", "only all, gaze"),
        ("--outage x:3", "not a number of seconds"),
        ("--eyes-hz 1000", "0.1 to 200 Hz"),
        ("--loss 2", "give a probability"),
        ("--garbage-every 0", "give 1 or more"),
    ] {
        let error = config(flags).expect_err(flags).to_string();
        assert!(error.contains(says), "{flags}: {error}");
    }
}

#[test]
fn the_banner_says_that_it_is_simulated_and_where_it_answers() {
    let config = config("--port 0 --no-mdns --truth logs").expect("right flags");
    let address = |port| ([127, 0, 0, 1], port).into();
    let addresses = Addresses { http: address(8080), rtsp: address(8086), echo: Some(address(9)) };
    let mut out = Vec::new();
    write_banner(&mut out, &config, addresses).expect("written");
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("SIMULATED"), "{text}");
    assert!(text.contains("REST http://127.0.0.1:8080, RTSP 127.0.0.1:8086, Time Echo 127.0.0.1:9, not"));
}
