//! Tests of all decoders: good datagrams, malformed ones of every kind, arbitrary bytes.

use lockstep_plugin_api::Format;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::layout::tests::plan;
use crate::stamp::RawStamp;

fn decoder(options: &Value) -> (Decoder, Plan) {
    let plan = plan(options.clone()).expect("good options");
    (Decoder::new(&plan), plan)
}

fn read(options: &Value, datagram: &[u8]) -> Result<Batch, Malformed> {
    let mut batch = Batch::default();
    decoder(options).0.decode(datagram, &mut batch).map(|()| batch)
}

fn fault(options: &Value, datagram: &[u8]) -> Fault {
    read(options, datagram).expect_err("malformed").kind
}

fn doubles(batch: &Batch) -> Vec<f64> {
    batch.values.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().expect("8"))).collect()
}

fn singles(batch: &Batch) -> Vec<f32> {
    batch.values.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().expect("4"))).collect()
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.texts.iter().collect()
}

/// `seq`, `t` and two channels.
fn sampled(payload: &str) -> Value {
    json!({
        "payload": payload,
        "fields": [{"name": "seq"}, {"name": "t"}, {"name": "c", "count": 2}],
        "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        "sequence": {"field": "seq", "per": "sample", "wrap_bits": 32},
    })
}

fn binary() -> Value {
    json!({
        "payload": "binary",
        "magic": "4C4B5331",
        "skip_bytes": 1,
        "header": [{"name": "seq", "type": "u32"}],
        "fields": [{"name": "t", "type": "i64"}, {"name": "c", "type": "f32", "count": 2}],
        "timestamp": {"field": "t", "unit": "us", "clock": "device"},
        "sequence": {"field": "seq", "per": "sample"},
    })
}

fn binary_datagram() -> Vec<u8> {
    let mut bytes = b"LKS1\xAA\x0C\x00\x00\x00".to_vec();
    for (t, c0, c1) in [(1_234_567_i64, 1.5_f32, f32::from_bits(0x7FC0_1234)), (-1, 0.1, -0.0)] {
        bytes.extend(t.to_le_bytes());
        bytes.extend(c0.to_le_bytes());
        bytes.extend(c1.to_le_bytes());
    }
    bytes
}

#[test]
fn binary_records_are_taken_bit_for_bit() {
    let batch = read(&binary(), &binary_datagram()).expect("good");
    assert_eq!((batch.samples, &batch.sequence[..]), (2, &[12][..]));
    assert_eq!(batch.stamps, [RawStamp::Ticks(1_234_567), RawStamp::Ticks(-1)]);
    let bits: Vec<u32> = singles(&batch).iter().map(|v| v.to_bits()).collect();
    assert_eq!(bits, [1.5_f32.to_bits(), 0x7FC0_1234, 0.1_f32.to_bits(), (-0.0_f32).to_bits()]);
}

#[test]
fn every_binary_type_is_read_in_both_byte_orders() {
    let types = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"];
    let fields: Vec<Value> = types.iter().map(|t| json!({"name": t, "type": t})).collect();
    let mut options = json!({"payload": "binary", "fields": fields});
    let (mut little, mut big) = (Vec::new(), Vec::new());
    macro_rules! put {
        ($($value:expr),*) => {$(
            little.extend($value.to_le_bytes());
            big.extend($value.to_be_bytes());
        )*};
    }
    put!(-2i8, 200u8, -300i16, 60_000u16, -70_000i32, 4_000_000_000u32, -5i64, 7u64, 1.5f32, -2.25f64);
    let expected = [-2.0, 200.0, -300.0, 60_000.0, -70_000.0, 4e9, -5.0, 7.0, 1.5, -2.25];
    assert_eq!(doubles(&read(&options, &little).expect("good")), expected);
    options["endian"] = json!("big");
    assert_eq!(doubles(&read(&options, &big).expect("good")), expected);
}

#[test]
fn chosen_channels_of_header_and_record_come_in_their_order_and_scaled() {
    let options = json!({
        "payload": "binary",
        "header": [{"name": "battery", "type": "u8", "scale": 0.5, "offset": -1.0}],
        "fields": [{"name": "a", "type": "i16"}, {"name": "b", "type": "i16"}],
        "channels": ["b", "battery", "a"],
    });
    let batch = read(&options, &[10, 1, 0, 2, 0, 3, 0, 4, 0]).expect("good");
    assert_eq!(doubles(&batch), [2.0, 4.0, 1.0, 4.0, 4.0, 3.0]);
}

#[test]
fn a_header_alone_is_one_sample() {
    let options = json!({"payload": "binary", "header": [{"name": "x", "type": "i16"}]});
    let batch = read(&options, &[1, 2]).expect("good");
    assert_eq!((batch.samples, batch.values), (1, 0x0201_i16.to_ne_bytes().to_vec()));
    assert_eq!(fault(&options, &[1, 2, 3]), Fault::Length);
}

#[test]
fn malformed_binary_is_named() {
    let good = binary_datagram();
    assert_eq!(fault(&binary(), b""), Fault::Magic);
    assert_eq!(fault(&binary(), b"LKS2....."), Fault::Magic);
    assert_eq!(fault(&binary(), &good[..4]), Fault::Length);
    assert_eq!(fault(&binary(), &good[..9]), Fault::Length);
    assert_eq!(fault(&binary(), &good[..good.len() - 1]), Fault::Length);
    let wide = json!({"payload": "binary", "fields": [{"name": "x", "type": "u64"}]});
    let mut three = vec![0; 24];
    three[23] = 0x80;
    let malformed = read(&wide, &three).expect_err("above i64");
    assert_eq!((malformed.kind, malformed.samples), (Fault::Range, Some(3)));
    let narrow = json!({"payload": "binary", "fields": [{"name": "x", "type": "u8"}], "format": "int8"});
    assert_eq!(fault(&narrow, &[128]), Fault::Range);
    let time = json!({
        "payload": "binary",
        "fields": [{"name": "t", "type": "f64"}, {"name": "x", "type": "u8"}],
        "timestamp": {"field": "t", "unit": "s", "clock": "device"},
    });
    let mut nan = f64::NAN.to_le_bytes().to_vec();
    nan.push(0);
    assert_eq!(fault(&time, &nan), Fault::Counter);
}

#[test]
fn json_is_an_object_an_array_or_objects_in_a_row() {
    let one = br#"{"seq":12,"t":1234567,"c0":1.5,"c1":-2,"extra":{"deep":[1]}}"#;
    let batch = read(&sampled("json"), one).expect("good");
    assert_eq!((batch.samples, &batch.sequence[..]), (1, &[12][..]));
    assert_eq!(batch.stamps, [RawStamp::Ticks(1_234_567)]);
    assert_eq!(doubles(&batch), [1.5, -2.0]);
    let several: [&[u8]; 3] = [
        br#"[{"seq":1,"t":10,"c0":1,"c1":2},{"c1":4,"c0":3,"t":20,"seq":2}]"#,
        b"{\"seq\":1,\"t\":10,\"c0\":1,\"c1\":2}\n{\"c1\":4,\"c0\":3,\"t\":20,\"seq\":2}\n",
        br#"{"seq":1,"t":10,"c":[1,2]} {"c":[3,4],"t":20,"seq":2}"#,
    ];
    for datagram in several {
        let batch = read(&sampled("json"), datagram).expect("good");
        assert_eq!(doubles(&batch), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!((batch.samples, &batch.sequence[..]), (2, &[1, 2][..]));
    }
}

#[test]
fn json_numbers_are_exact() {
    let datagram = br#"{"seq":1,"t":1763820000123456789,"c0":0.1,"c1":null}"#;
    let batch = read(&sampled("json"), datagram).expect("good");
    assert_eq!(batch.stamps, [RawStamp::Ticks(1_763_820_000_123_456_789)]);
    assert_eq!(doubles(&batch)[0].to_bits(), 0.1_f64.to_bits());
    assert!(doubles(&batch)[1].is_nan());
    let fraction = br#"{"seq":1,"t":1.25,"c0":0,"c1":0}"#;
    assert_eq!(read(&sampled("json"), fraction).expect("good").stamps, [RawStamp::Fraction(1.25)]);
    let mut int64 = sampled("json");
    int64["format"] = json!("int64");
    let datagram = br#"{"seq":1,"t":1,"c0":9223372036854775807,"c1":3.0}"#;
    let values = read(&int64, datagram).expect("good").values;
    assert_eq!(values, [i64::MAX.to_ne_bytes(), 3_i64.to_ne_bytes()].concat());
}

#[test]
fn text_is_rounded_to_a_float32_once() {
    // Halfway between two float32 values but for a part that a float64 does not hold: rounded by
    // way of a float64 it would go to the even one below.
    let text = "1.00000005960464477540000000000000000001";
    assert_eq!(text.parse::<f64>().expect("number") as f32, 1.000_000_0_f32);
    let right: f32 = text.parse().expect("number");
    for (payload, datagram) in
        [("json", format!(r#"{{"seq":1,"t":1,"c0":{text},"c1":2}}"#)), ("csv", format!("1,1,{text},2"))]
    {
        let mut options = sampled(payload);
        options["format"] = json!("float32");
        let batch = read(&options, datagram.as_bytes()).expect("good");
        assert_eq!(singles(&batch), [right, 2.0], "{payload}");
    }
}

#[test]
fn json_strings_may_come_in_any_order_and_with_escapes() {
    let options = json!({
        "payload": "json", "format": "string", "fields": [{"name": "a"}, {"name": "b"}, {"name": "n"}],
    });
    let datagram = r#"[{"n":1.5,"b":"say \"é\"","a":"x"},{"a":"","b":null,"n":true}]"#;
    let batch = read(&options, datagram.as_bytes()).expect("good");
    assert_eq!(texts(&batch), ["x", "say \"é\"", "1.5", "", "", "true"]);
}

#[test]
fn malformed_json_is_named() {
    for (datagram, kind) in [
        ("", Fault::Empty),
        ("[]", Fault::Empty),
        ("{", Fault::Json),
        ("nonsense", Fault::Json),
        (r#"{"seq":1,"t":1,"c0":NaN,"c1":1}"#, Fault::Json),
        (r#"{"seq":1,"t":1,"c0":1,"c1":1} x"#, Fault::Json),
        ("5", Fault::Value),
        ("[[1]]", Fault::Value),
        ("[5]", Fault::Value),
        ("{}", Fault::Key),
        (r#"{"seq":1,"t":1,"c0":1}"#, Fault::Key),
        (r#"{"seq":1,"t":1,"c0":1,"c0":1,"c1":1}"#, Fault::Key),
        (r#"{"seq":1,"t":1,"c":[1,2],"c1":1}"#, Fault::Key),
        (r#"{"seq":1,"t":1,"c":[1]}"#, Fault::Value),
        (r#"{"seq":1,"t":1,"c":[1,2,3]}"#, Fault::Value),
        (r#"{"seq":1,"t":1,"c0":"1","c1":1}"#, Fault::Value),
        (r#"{"seq":1,"t":1,"c0":true,"c1":1}"#, Fault::Value),
        (r#"{"seq":1,"t":1,"c0":[1],"c1":1}"#, Fault::Value),
        (r#"{"seq":1,"t":null,"c0":1,"c1":1}"#, Fault::Counter),
        (r#"{"seq":1,"t":9223372036854775808,"c0":1,"c1":1}"#, Fault::Counter),
        (r#"{"seq":1.5,"t":1,"c0":1,"c1":1}"#, Fault::Counter),
        (r#"{"seq":4294967296,"t":1,"c0":1,"c1":1}"#, Fault::Counter),
    ] {
        assert_eq!(fault(&sampled("json"), datagram.as_bytes()), kind, "{datagram}");
    }
    assert_eq!(fault(&sampled("json"), b"{\"seq\":1,\"t\xFF\":1}"), Fault::Json);
    let mut int8 = sampled("json");
    int8["format"] = json!("int8");
    assert_eq!(fault(&int8, br#"{"seq":1,"t":1,"c0":128,"c1":1}"#), Fault::Range);
    assert_eq!(fault(&int8, br#"{"seq":1,"t":1,"c0":0.5,"c1":1}"#), Fault::Range);
    assert_eq!(fault(&int8, br#"{"seq":1,"t":1,"c0":null,"c1":1}"#), Fault::Value);
    let deep = format!(r#"{{"x":{}"#, "[".repeat(60_000));
    assert_eq!(fault(&sampled("json"), deep.as_bytes()), Fault::Json);
}

#[test]
fn a_failed_object_leaves_nothing_for_the_next_datagram() {
    let (mut decoder, _) = decoder(&sampled("json"));
    let mut batch = Batch::default();
    assert!(decoder.decode(br#"{"seq":1,"t":1,"c0":1"#, &mut batch).is_err());
    assert!(decoder.decode(br#"{"seq":2,"t":2,"c1":1}"#, &mut batch).is_err());
    assert!(decoder.decode(br#"{"seq":3,"t":3,"c0":5,"c1":6}"#, &mut batch).is_ok());
    assert_eq!((doubles(&batch), batch.sequence), (vec![5.0, 6.0], vec![3]));
}

#[test]
fn csv_is_a_line_per_sample_with_any_separator() {
    for datagram in [
        "12,1234567,1.5,2.5\n13,1234577,-1e3,\n",
        "12;1234567; 1.5;2.5\r\n13;1234577;-1000;NaN",
        "12\t1234567\t1.5\t2.5\n\n13\t1234577\t-1000\tnan\n",
        "12 1234567  1.5   2.5 \n 13 1234577 -1000 nan",
    ] {
        let batch = read(&sampled("csv"), datagram.as_bytes()).expect(datagram);
        assert_eq!((batch.samples, &batch.sequence[..]), (2, &[12, 13][..]), "{datagram}");
        assert_eq!(batch.stamps, [RawStamp::Ticks(1_234_567), RawStamp::Ticks(1_234_577)]);
        let values = doubles(&batch);
        assert_eq!(values[..3], [1.5, 2.5, -1000.0], "{datagram}");
        assert!(values[3].is_nan());
    }
}

#[test]
fn csv_texts_are_quoted_as_in_rfc_4180() {
    let options = json!({"payload": "csv", "format": "string", "fields": [{"name": "a"}, {"name": "b"}]});
    let datagram = "\"a, \"\"b\"\"\",\"two\nlines\"\r\nplain, spaced \n\"\",\"\"\r\n";
    let batch = read(&options, datagram.as_bytes()).expect("good");
    assert_eq!(texts(&batch), ["a, \"b\"", "two\nlines", "plain", " spaced ", "", ""]);
}

#[test]
fn malformed_csv_is_named() {
    for (datagram, kind) in [
        ("", Fault::Empty),
        ("\r\n\n", Fault::Empty),
        ("1,2,3", Fault::Columns),
        ("1,2,3,4,5", Fault::Columns),
        ("1,2,3,4,", Fault::Columns),
        ("1,2,3,4\n1,2", Fault::Columns),
        ("1,2,\"3,4", Fault::Columns),
        ("1,2,\"3\"x,4", Fault::Columns),
        ("1,2,x,4", Fault::Value),
        ("1,x,3,4", Fault::Value),
        ("1,,3,4", Fault::Counter),
        ("-2147483649,2,3,4", Fault::Counter),
        ("1,99999999999999999999,3,4", Fault::Counter),
        ("1,inf,3,4", Fault::Counter),
    ] {
        assert_eq!(fault(&sampled("csv"), datagram.as_bytes()), kind, "{datagram}");
    }
    assert_eq!(fault(&sampled("csv"), b"1,2,\xFF,4"), Fault::Utf8);
}

#[test]
fn a_marker_is_the_whole_datagram() {
    let options = json!({"payload": "marker"});
    for (datagram, text) in [("go", "go"), ("go\r\n", "go"), ("a\n\n", "a\n"), ("指示,\"x\" ", "指示,\"x\" ")]
    {
        let batch = read(&options, datagram.as_bytes()).expect("good");
        assert_eq!((batch.samples, texts(&batch)), (1, vec![text]));
    }
    assert_eq!(fault(&options, b""), Fault::Empty);
    assert_eq!(fault(&options, b"\n"), Fault::Empty);
    assert_eq!(fault(&options, b"a\xC3"), Fault::Utf8);
}

#[test]
fn a_batch_is_split_where_its_numbers_break() {
    let datagram = "1,10,1,2\n2,20,3,4\n5,50,5,6";
    let mut batch = read(&sampled("csv"), datagram.as_bytes()).expect("good");
    assert_eq!(batch.consecutive(32), 2);
    let rest = batch.split_off(2);
    assert_eq!((batch.samples, batch.elsewhere, doubles(&batch)), (2, (0, 1), vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!((rest.samples, rest.elsewhere, doubles(&rest)), (1, (2, 0), vec![5.0, 6.0]));
    assert_eq!((rest.sequence, rest.stamps), (vec![5], vec![RawStamp::Ticks(50)]));
}

/// Whether the batch has as much of everything as its samples need.
fn is_whole(batch: &Batch, plan: &Plan) -> bool {
    let channels = plan.stream.channels.len();
    let is_text = plan.stream.format == Format::String;
    let per_sample =
        |len: usize, wanted: bool| if wanted { len == 1 || len == batch.samples } else { len == 0 };
    batch.samples > 0
        && batch.values.len() == batch.samples * plan.sample_bytes()
        && batch.texts.iter().count() == if is_text { batch.samples * channels } else { 0 }
        && per_sample(batch.stamps.len(), plan.stamp.is_some())
        && per_sample(batch.sequence.len(), plan.sequence.is_some())
}

fn all_options() -> Vec<Value> {
    let mut strings = sampled("csv");
    strings["format"] = json!("string");
    let mut json_strings = sampled("json");
    json_strings["format"] = json!("string");
    let mut singles = sampled("json");
    singles["format"] = json!("float32");
    let mut bytes = sampled("csv");
    bytes["format"] = json!("int8");
    vec![
        binary(),
        sampled("csv"),
        sampled("json"),
        json!({"payload": "marker"}),
        strings,
        json_strings,
        singles,
        bytes,
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_never_give_half_a_sample(
        datagram in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        for options in all_options() {
            let (mut decoder, plan) = decoder(&options);
            let mut batch = Batch::default();
            if decoder.decode(&datagram, &mut batch).is_ok() {
                prop_assert!(is_whole(&batch, &plan), "{options}");
            }
        }
    }

    #[test]
    fn almost_good_text_never_panics_and_never_gives_half_a_sample(
        datagram in r#"(\{|\}|\[|\]|"seq":|"t":|"c":|"c0":|"c1":|,|;|\n|\r| |"|""|[0-9]{1,20}|-?[0-9]\.[0-9]|null|true|é){0,40}"#,
    ) {
        for options in all_options() {
            let (mut decoder, plan) = decoder(&options);
            let mut batch = Batch::default();
            if decoder.decode(datagram.as_bytes(), &mut batch).is_ok() {
                prop_assert!(is_whole(&batch, &plan), "{options} {datagram}");
            }
        }
    }

    #[test]
    fn values_come_through_text_with_all_their_bits(bits: (u64, u32), ticks: i64) {
        let (double, single) = (f64::from_bits(bits.0), f32::from_bits(bits.1));
        prop_assume!(double.is_finite() && single.is_finite());
        for payload in ["csv", "json"] {
            let line = |value: String| match payload {
                "csv" => format!("1,{ticks},{value},0"),
                _ => format!(r#"{{"seq":1,"t":{ticks},"c0":{value},"c1":0}}"#),
            };
            let mut options = sampled(payload);
            let batch = read(&options, line(format!("{double:?}")).as_bytes()).expect("good");
            prop_assert_eq!(doubles(&batch)[0].to_bits(), double.to_bits());
            prop_assert_eq!(&batch.stamps, &[RawStamp::Ticks(ticks)]);
            options["format"] = json!("float32");
            let batch = read(&options, line(format!("{single:?}")).as_bytes()).expect("good");
            prop_assert_eq!(singles(&batch)[0].to_bits(), single.to_bits());
        }
    }
}
