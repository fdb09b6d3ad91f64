//! Tests of the flags and of the configuration printed for them.

use clap::{Args as _, FromArgMatches as _};

use super::*;
use lockstep_sim::udp::ExchangeKind;

fn parse(flags: &str) -> Result<UdpArgs, clap::Error> {
    let command = UdpArgs::augment_args(clap::Command::new("udp"));
    let matches = command.try_get_matches_from(std::iter::once("udp").chain(flags.split_whitespace()))?;
    UdpArgs::from_arg_matches(&matches)
}

fn devices(flags: &str) -> Vec<UdpDeviceConfig> {
    parse(flags).expect("flags parse").devices().expect("flags fit together")
}

fn config(flags: &str) -> toml::Table {
    rehearsal::configuration(&devices(flags)).parse().expect("TOML")
}

fn options(flags: &str) -> toml::Table {
    config(flags)["source"][0]["options"].as_table().expect("a table").clone()
}

#[test]
fn the_flags_are_well_formed() {
    UdpArgs::augment_args(clap::Command::new("udp")).debug_assert();
}

#[test]
fn streams_take_ports_seeds_and_names_of_their_own() {
    let devices = devices("--streams 3 --to 127.0.0.1:7000 --exchange-port 7100 --seed 9 --truth logs");
    let last = &devices[2];
    assert_eq!(last.name, "sim2");
    assert_eq!(last.destination.port(), 7002);
    assert_eq!(last.exchange.map(|e| (e.kind, e.address.port())), Some((ExchangeKind::Echo, 7102)));
    assert_eq!(last.seed, 11);
    assert_eq!(last.truth.as_deref(), Some(std::path::Path::new("logs/sim2.csv")));
}

#[test]
fn clock_and_network_flags_keep_their_units_and_directions() {
    let device = devices(
        "--clock-offset-s -12.5 --skew-ppm -40 --step 10:0.5 --step 20:-0.25 --resolution-us 1000 \
         --delay-ms 2 --jitter-ms 5 --loss 0.1 --down-delay-ms 30 --up-loss 0.2",
    )
    .remove(0);
    assert_eq!(device.clock.offset_s, -12.5);
    assert_eq!(device.clock.skew_ppm, -40.0);
    assert_eq!(device.clock.steps.len(), 2);
    assert_eq!(device.clock.steps[1].delta_s, -0.25);
    assert_eq!(device.clock.resolution_s, 1e-3);
    assert_eq!((device.uplink.delay_s, device.downlink.delay_s), (0.002, 0.03));
    assert_eq!((device.uplink.loss, device.downlink.loss), (0.2, 0.1));
    assert_eq!(device.uplink.jitter_s, 0.005);
}

#[test]
fn kinds_of_clock_and_network_are_drawn_from_the_seed() {
    let both =
        devices("--clock phone_slew --network wifi --streams 2 --duration-s 3600 --skew-ppm 100 --seed 5");
    let [first, second] = &both[..] else { panic!("two devices") };
    assert!(!first.clock.slews.is_empty() && first.clock.drift.load.is_some());
    assert_ne!(first.clock.slews, second.clock.slews);
    assert!((50.0..150.0).contains(&first.clock.skew_ppm), "on top: {}", first.clock.skew_ppm);
    assert_eq!(first.clock.offset_s, 0.0, "the offset stays the one asked for");
    let (up, down) = (first.uplink.link.expect("a link"), first.downlink.link.expect("a link"));
    assert_eq!((up.kind, up.seed), (down.kind, down.seed));
    assert_ne!(up.direction, down.direction);
    assert!(first.validate().is_ok());
    let again = devices("--clock phone_slew --network wifi --duration-s 3600 --skew-ppm 100 --seed 5");
    assert_eq!(again[0].clock, first.clock);
}

#[test]
fn clocks_that_sleep_are_no_choice_for_a_socket() {
    let error = parse("--clock suspend").expect_err("no such clock").to_string();
    assert!(error.contains("phone_step"), "{error}");
}

#[test]
fn markers_have_their_own_defaults() {
    let device = devices("--payload marker").remove(0);
    assert_eq!(device.rate.nominal_hz(), 0.0);
    assert_eq!(device.channel_names.len(), 1);
    let options = options("--payload marker");
    assert_eq!(options["payload"].as_str(), Some("marker"));
    assert!(!options.contains_key("timestamp"));
    assert_eq!(options["exchange"]["kind"].as_str(), Some("none"));
}

#[test]
fn wrong_flags_are_refused_with_the_mend() {
    for (flags, mend) in [
        ("--step 10", "AT_S:DELTA_S"),
        ("--format complex", "float32"),
        ("--duration-s=-1", "negative"),
        ("--to nowhere", "HOST:PORT"),
    ] {
        let error = parse(flags).expect_err(flags).to_string();
        assert!(error.contains(mend), "{flags}: {error}");
    }
    for (flags, mend) in [
        ("--loss 2", "give a probability"),
        ("--format string", "use json, csv or marker"),
        ("--to 127.0.0.1:65535 --streams 2", "start lower"),
        ("--streams 2 --to 127.0.0.1:6004", "move --to"),
    ] {
        let error = parse(flags).expect(flags).devices().expect_err(flags).to_string();
        assert!(error.contains(mend), "{flags}: {error}");
    }
}

#[test]
fn the_printed_config_has_a_source_per_stream() {
    let config = config("--streams 2 --channels 32 --rate-hz 1000 --counter-bits 32");
    assert_eq!(config["experiment"]["name"].as_str(), Some("simulation"));
    let sources = config["source"].as_array().expect("sources");
    assert_eq!(sources.len(), 2);
    let options = &sources[1]["options"];
    assert_eq!(options["listen"].as_str(), Some("127.0.0.1:5006"));
    assert_eq!(options["exchange"]["address"].as_str(), Some("127.0.0.1:6006"));
    assert_eq!(options["nominal_rate_hz"].as_float(), Some(1000.0));
    assert_eq!(options["header"][0]["name"].as_str(), Some("seq"));
    assert_eq!(options["fields"][0]["type"].as_str(), Some("u32"));
    assert_eq!(options["fields"][1]["count"].as_integer(), Some(32));
    assert_eq!(options["timestamp"]["wrap_bits"].as_integer(), Some(32));
}

#[test]
fn text_payloads_declare_the_sequence_among_the_fields() {
    let options = options("--payload csv --format string --channels 1 --unit ns");
    assert_eq!(options["fields"].as_array().map(Vec::len), Some(3));
    assert_eq!(options["fields"][0]["name"].as_str(), Some("seq"));
    assert!(options["fields"][2].get("type").is_none(), "only binary layouts have types");
    assert_eq!(options["timestamp"]["unit"].as_str(), Some("ns"));
    assert!(!options.contains_key("magic"));
}

#[test]
fn the_summary_is_aligned() {
    let report =
        |name: &str, samples| DeviceReport { name: name.to_owned(), samples, ..DeviceReport::default() };
    let lines = summary(&[report("imu", 5), report("a long name", 123_456_789)]).lines();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{lines:?}");
}
