//! Tests of the plan: what follows from options, and every way in which they can be wrong.

use serde_json::{Value, json};

use lockstep_plugin_api::Stamp;

use super::*;

/// The plan of options given as JSON, on top of `listen`.
pub fn plan(options: Value) -> Result<Plan, Error> {
    let mut all = json!({"listen": "127.0.0.1:5005"});
    for (key, value) in options.as_object().expect("an object") {
        all[key] = value.clone();
    }
    let options: Options = serde_json::from_value(all).expect("options that the schema allows");
    Plan::new(&options)
}

fn wrong(options: Value) -> (String, String) {
    match plan(options) {
        Err(Error::Option { path, message }) => (path, message),
        other => panic!("{other:?}"),
    }
}

fn binary(field_types: &[&str]) -> Value {
    let field = |(index, t): (usize, &&str)| json!({"name": format!("f{index}"), "type": t});
    json!({"payload": "binary", "fields": field_types.iter().enumerate().map(field).collect::<Vec<_>>()})
}

#[test]
fn a_bare_port_is_loopback() {
    let mut options = json!({"payload": "marker"});
    for (text, address) in
        [("5005", "127.0.0.1:5005"), ("0.0.0.0:7", "0.0.0.0:7"), ("[::1]:5005", "[::1]:5005")]
    {
        options["listen"] = json!(text);
        assert_eq!(plan(options.clone()).expect("good").listen.to_string(), address);
    }
    for text in ["127.0.0.1", "localhost:5005", "0", "127.0.0.1:0", "70000", ""] {
        options["listen"] = json!(text);
        assert_eq!(wrong(options.clone()).0, "/listen", "{text}");
    }
}

#[test]
fn the_format_is_the_smallest_that_holds_all_channels() {
    for (types, format) in [
        (&["i8"][..], Format::Int8),
        (&["u8"], Format::Int16),
        (&["i8", "u8"], Format::Int16),
        (&["u16"], Format::Int32),
        (&["u32"], Format::Int64),
        (&["u64"], Format::Int64),
        (&["f32"], Format::Float32),
        (&["f32", "u16"], Format::Float32),
        (&["f32", "i32"], Format::Double64),
        (&["f32", "f64"], Format::Double64),
    ] {
        assert_eq!(plan(binary(types)).expect("good").stream.format, format, "{types:?}");
    }
    let mut scaled = binary(&["i16"]);
    scaled["fields"][0]["scale"] = json!(0.1);
    assert_eq!(plan(scaled.clone()).expect("good").stream.format, Format::Double64);
    scaled["format"] = json!("float32");
    assert_eq!(plan(scaled.clone()).expect("good").stream.format, Format::Float32);
    scaled["format"] = json!("int16");
    assert_eq!(wrong(scaled).0, "/fields/0");
}

#[test]
fn channels_are_all_but_time_and_sequence_or_those_chosen() {
    let mut options = json!({
        "payload": "csv",
        "fields": [{"name": "seq"}, {"name": "t"}, {"name": "c", "count": 3, "unit": "uV", "label": "EEG"}],
        "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        "sequence": {"field": "seq", "per": "sample"},
    });
    let labels = |options: &Value| -> Vec<String> {
        let fields = plan(options.clone()).expect("good").payload.fields().expect("fields").clone();
        fields.channel_elements().map(|e| e.name.clone()).collect()
    };
    assert_eq!(labels(&options), ["c0", "c1", "c2"]);
    options["channels"] = json!(["c2", "t"]);
    assert_eq!(labels(&options), ["c2", "t"]);
    options["channels"] = json!(["c"]);
    assert_eq!(labels(&options), ["c0", "c1", "c2"]);
    let channel = plan(options.clone()).expect("good").stream.channels[1].clone();
    assert_eq!(channel, Channel::new("EEG1").unit("uV"));
    options["channels"] = json!(["c", "c1"]);
    assert_eq!(wrong(options.clone()), ("/channels/1".to_owned(), "\"c1\" is listed twice".to_owned()));
    options["channels"] = json!(["d"]);
    let (path, message) = wrong(options);
    assert_eq!(path, "/channels/0");
    assert!(message.ends_with("there are: seq, t, c0 to c2"), "{message}");
}

#[test]
fn every_wrong_option_is_named_with_its_place() {
    let marker = |more: Value| {
        let mut options = json!({"payload": "marker"});
        options.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        options
    };
    let csv = |more: Value| {
        let mut options = marker(more);
        options["payload"] = json!("csv");
        options["fields"] = json!([{"name": "t"}, {"name": "x"}]);
        options
    };
    let us = |clock: &str| json!({"field": "t", "unit": "us", "clock": clock});
    let echo = json!({"kind": "echo", "address": "10.0.0.2:5006"});
    for (options, path) in [
        (marker(json!({"fields": [{"name": "x"}]})), "/fields"),
        (marker(json!({"magic": "00"})), "/magic"),
        (marker(json!({"format": "int8"})), "/format"),
        (marker(json!({"separator": "comma"})), "/separator"),
        (marker(json!({"exchange": {"kind": "echo", "address": "10.0.0.2:5006"}})), "/timestamp"),
        (marker(json!({"multicast": ["10.0.0.1"], "listen": "0.0.0.0:1"})), "/multicast/0"),
        (marker(json!({"multicast": ["ff02::1"], "listen": "0.0.0.0:1"})), "/multicast/0"),
        (marker(json!({"multicast": ["239.0.0.1"]})), "/listen"),
        (marker(json!({"allow_from": ["10.0.0.1:5"]})), "/allow_from/0"),
        (marker(json!({"silence_s": 0.0})), "/silence_s"),
        (marker(json!({"reorder_ms": -1.0})), "/reorder_ms"),
        (marker(json!({"nominal_rate_hz": -1.0})), "/nominal_rate_hz"),
        (json!({"payload": "json"}), "/fields"),
        (json!({"payload": "csv", "fields": [{"name": ""}]}), "/fields/0/name"),
        (json!({"payload": "csv", "fields": [{"name": "a"}, {"name": "a"}]}), "/fields/1/name"),
        (json!({"payload": "csv", "fields": [{"name": "a0"}, {"name": "a", "count": 2}]}), "/fields/1/name"),
        (json!({"payload": "csv", "fields": [{"name": "a", "count": 2}, {"name": "a"}]}), "/fields/1/name"),
        (json!({"payload": "csv", "fields": [{"name": "a"}, {"name": "a", "count": 2}]}), "/fields/1/name"),
        (
            json!({"payload": "csv", "fields": [{"name": "a", "count": 65507}, {"name": "b", "count": 60}]}),
            "/fields/1/count",
        ),
        (json!({"payload": "csv", "fields": [{"name": "a", "scale": 2.0}], "format": "int8"}), "/fields/0"),
        (json!({"payload": "binary", "fields": [{"name": "a"}]}), "/fields/0"),
        (json!({"payload": "binary", "fields": [{"name": "a", "type": "f64", "count": 9000}]}), "/fields"),
        (json!({"payload": "binary", "fields": [{"name": "a", "type": "f32"}], "format": "int8"}), "/format"),
        (
            json!({"payload": "binary", "fields": [{"name": "a", "type": "u8"}], "format": "string"}),
            "/format",
        ),
        (json!({"payload": "binary", "fields": [{"name": "a", "type": "u8"}], "magic": "4C4"}), "/magic"),
        (csv(json!({"timestamp": {"field": "u", "unit": "us", "clock": "device"}})), "/timestamp/field"),
        (csv(json!({"sequence": {"field": "u", "per": "sample"}})), "/sequence/field"),
        (
            csv(json!({"timestamp": {"field": "t", "unit": "us", "clock": "device", "stamps": "last"}})),
            "/timestamp/stamps",
        ),
        (
            csv(json!({"timestamp": {"field": "t", "unit": "us", "clock": "device", "wrap_bits": 65}})),
            "/timestamp/wrap_bits",
        ),
        (csv(json!({"timestamp": us("monotonic"), "exchange": echo})), "/timestamp/clock"),
        (csv(json!({"exchange": echo})), "/timestamp"),
        (csv(json!({"timestamp": us("device"), "exchange": {"kind": "ntp"}})), "/exchange"),
        (
            csv(json!({"timestamp": us("device"), "exchange": {"kind": "ntp", "address": "host:1"}})),
            "/exchange/address",
        ),
        (csv(json!({"exchange": {"address": "10.0.0.2:1"}})), "/exchange/kind"),
        (csv(json!({"channels": []})), "/channels"),
    ] {
        let (found, message) = wrong(options.clone());
        assert_eq!(found, path, "{options}: {message}");
        assert!(!message.is_empty());
    }
}

#[test]
fn counters_wrap_at_the_size_of_an_unsigned_field() {
    let mut options = json!({
        "payload": "binary",
        "header": [{"name": "seq", "type": "u16"}],
        "fields": [{"name": "t", "type": "u32"}, {"name": "x", "type": "f32"}],
        "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        "sequence": {"field": "seq", "per": "datagram"},
    });
    let good = plan(options.clone()).expect("good");
    assert_eq!(good.stamp.map(|s| s.bits), Some(32));
    assert_eq!(good.sequence.map(|s| s.bits), Some(16));
    options["sequence"]["wrap_bits"] = json!(32);
    assert_eq!(wrong(options.clone()).0, "/sequence/wrap_bits");
    options["sequence"]["wrap_bits"] = json!(12);
    options["fields"][0]["type"] = json!("i64");
    let good = plan(options).expect("good");
    assert_eq!((good.stamp.map(|s| s.bits), good.sequence.map(|s| s.bits)), (Some(64), Some(12)));
}

#[test]
fn the_resolution_is_one_tick_and_ntp_is_fine() {
    let stamp = |unit: &str, exchange: &str, resolution: Option<f64>| {
        let mut options = json!({
            "payload": "csv",
            "fields": [{"name": "t"}, {"name": "x"}],
            "timestamp": {"field": "t", "unit": unit, "clock": "unix"},
            "exchange": {"kind": exchange, "address": "10.0.0.2:123"},
        });
        if let Some(resolution) = resolution {
            options["timestamp"]["resolution_s"] = json!(resolution);
        }
        let stamp = plan(options).expect("good").stamp.expect("stamps");
        (stamp.resolution_s, stamp.stamp)
    };
    assert_eq!(stamp("us", "echo", None), (1e-6, Stamp::Floor));
    assert_eq!(stamp("us", "echo", Some(4e-6)), (4e-6, Stamp::Floor));
    assert_eq!(stamp("ns", "ntp", None), (0.0, Stamp::Exact));
}

#[test]
fn silence_follows_the_rate() {
    let silence =
        |rate: f64| plan(json!({"payload": "marker", "nominal_rate_hz": rate})).expect("good").silence;
    assert_eq!(silence(0.0), None);
    assert_eq!(silence(1000.0), Some(Duration::from_secs(1)));
    assert_eq!(silence(0.5), Some(Duration::from_secs(20)));
}
