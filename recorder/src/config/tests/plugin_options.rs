//! Options checked against the schema of a plugin, and documentation made from it.

use serde_json::{Value, json};

use super::{super::*, assert_shows};

/// What schemars makes of a plugin's options.
#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Options {
    /// Port to listen on.
    #[schemars(range(min = 1))]
    port: u16,
    /// Address to listen on.
    #[serde(default = "loopback")]
    bind: String,
    /// Samples per second; 0 for irregular.
    #[serde(default)]
    rate_hz: f64,
    /// Senders to accept; none for all.
    allow: Option<Vec<String>>,
    /// How the payload is laid out.
    payload: Payload,
    /// Byte order.
    #[serde(default)]
    endian: Endian,
    /// Seed of the generator.
    seed: Option<u32>,
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

#[derive(schemars::JsonSchema, serde::Serialize, Default)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Endian {
    /// Lowest byte first.
    #[default]
    Little,
    /// Highest byte first.
    Big,
}

#[derive(schemars::JsonSchema)]
#[serde(tag = "format", rename_all = "snake_case", deny_unknown_fields)]
#[allow(dead_code)]
enum Payload {
    /// Text with separators.
    Csv {
        /// Separator of the columns.
        #[serde(default)]
        separator: Option<String>,
    },
    /// Packed numbers.
    Binary {
        /// The fields of one sample.
        fields: Vec<Field>,
    },
}

#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Field {
    /// Name of the channel.
    name: String,
    /// Type of the number.
    #[serde(rename = "type")]
    kind: NumberType,
}

#[derive(schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum NumberType {
    I16,
    F32,
}

fn schema() -> Value {
    schemars::schema_for!(Options).to_value()
}

fn loaded(options: &str) -> Loaded {
    let text = format!(
        "[experiment]\nname = \"x\"\n[[source]]\nname = \"grip\"\nplugin = \"udp\"\n[source.options]\n{options}\n"
    );
    parse(&text, "x.toml", &[]).expect("right but for the options")
}

fn check(options: &str) -> Result<Value, ConfigError> {
    check_options(&loaded(options), 0, &schema())
}

fn refused(options: &str) -> String {
    check(options).expect_err("wrong on purpose").render(false, 120)
}

const RIGHT: &str = "port = 5005\npayload.format = \"csv\"";

#[test]
fn right_options_arrive_as_json() {
    let options = check("port = 5005.0\nrate_hz = 0.1\npayload = { format = \"binary\", fields = [{ name = \"a\", type = \"i16\" }] }").expect("right");
    assert_eq!(options["port"], json!(5005));
    assert!(options["port"].is_i64());
    assert_eq!(options["rate_hz"], json!(0.1));
    assert_eq!(options["payload"]["fields"][0]["type"], "i16");
    check(RIGHT).expect("right");
}

#[test]
fn integers_stay_exact_and_dates_are_text() {
    let loaded = loaded("big = 9007199254740993\nday = 2026-11-22T10:00:00Z");
    let options = check_options(&loaded, 0, &json!({})).expect("anything goes");
    assert_eq!(options["big"], json!(9_007_199_254_740_993_i64));
    assert_eq!(options["day"], "2026-11-22T10:00:00Z");
}

#[test]
fn unknown_option() {
    let report = refused(&format!("{RIGHT}\nprot = 1"));
    assert_shows(
        &report,
        &[
            "unknown option `prot` in the options of source \"grip\"",
            "did you mean `port`?",
            "accepted here: `port`, `bind`, `rate_hz`, `allow`, `payload`, `endian` and `seed`",
            "x.toml:9:1",
        ],
    );
}

#[test]
fn wrong_type() {
    let report = refused("port = \"5005\"\npayload.format = \"csv\"");
    assert_shows(
        &report,
        &[
            "`port` in the options of source \"grip\" must be an integer from 1 to 65535, found the text \"5005\"",
            "numbers stand without quotes: 5005",
            "Port to listen on.",
        ],
    );
}

#[test]
fn missing_option_points_at_the_options() {
    let report = refused("payload.format = \"csv\"");
    assert_shows(
        &report,
        &[
            "`port` is missing in the options of source \"grip\"",
            "add port = ... (an integer from 1 to 65535)",
            "x.toml:6:1",
        ],
    );
}

#[test]
fn missing_options_table_points_at_the_source() {
    let text = "[experiment]\nname = \"x\"\n[[source]]\nname = \"grip\"\nplugin = \"udp\"\n";
    let loaded = parse(text, "x.toml", &[]).expect("right");
    let report = check_options(&loaded, 0, &schema()).expect_err("options missing").render(false, 120);
    assert_shows(&report, &["`port` is missing", "x.toml:3:1"]);
}

#[test]
fn one_of_some_words() {
    let report = refused(&format!("{RIGHT}\nendian = \"litle\""));
    assert_shows(
        &report,
        &["must be one of \"little\" or \"big\", found the text \"litle\"", "did you mean \"little\"?"],
    );
}

#[test]
fn out_of_range_and_beyond_the_type() {
    assert_shows(
        &refused("port = 70000\npayload.format = \"csv\""),
        &["from 1 to 65535, found the number 70000"],
    );
    assert_shows(&refused("port = 0\npayload.format = \"csv\""), &["from 1 to 65535, found the number 0"]);
    assert_shows(
        &refused(&format!("{RIGHT}\nseed = 4294967296")),
        &["`seed`", "from 0 to 4294967295, found the number 4294967296"],
    );
}

#[test]
fn an_option_that_may_be_absent_has_its_type_named() {
    assert_shows(
        &refused(&format!("{RIGHT}\nallow = \"10.0.0.1\"")),
        &["must be a list of texts, found the text"],
    );
    assert_shows(
        &refused(&format!("{RIGHT}\nallow = [1]")),
        &["`allow[0]` in the options of source \"grip\" must be text, found the number 1"],
    );
}

#[test]
fn tagged_table_with_an_unknown_tag() {
    let report = refused("port = 1\npayload.format = \"cvs\"");
    assert_shows(
        &report,
        &[
            "`payload.format` in the options of source \"grip\" must be one of \"csv\" or \"binary\", found the text \"cvs\"",
            "did you mean \"csv\"?",
            "x.toml:8:18",
        ],
    );
}

#[test]
fn tagged_table_without_its_tag() {
    let report = refused("port = 1\n[source.options.payload]\nseparator = \",\"");
    assert_shows(
        &report,
        &["`format` is missing in `payload` in the options of source \"grip\"", "\"csv\" or \"binary\""],
    );
}

#[test]
fn error_inside_the_chosen_alternative() {
    let report = refused(
        "port = 1\npayload = { format = \"binary\", fields = [{ name = \"a\", type = \"i16\" }, { name = \"b\", type = \"i17\" }] }",
    );
    assert_shows(
        &report,
        &[
            "`payload.fields[1].type` in the options of source \"grip\" must be one of \"i16\" or \"f32\"",
            "did you mean \"i16\"?",
        ],
    );
    let report = refused("port = 1\npayload = { format = \"csv\", fields = [] }");
    assert_shows(&report, &["unknown option `fields` in `payload`"]);
}

#[test]
fn an_override_is_shown_as_typed() {
    let loaded = parse("[experiment]\nname = \"x\"\n[[source]]\nname = \"grip\"\nplugin = \"udp\"\n[source.options]\npayload.format = \"csv\"\n", "x.toml", &["source.grip.options.port=high".to_owned()]).expect("right");
    let report = check_options(&loaded, 0, &schema()).expect_err("wrong").render(false, 120);
    assert_shows(&report, &["--set:1:26", "found the text \"high\""]);
}

#[test]
fn pattern_length_and_list_length() {
    let schema = json!({"type": "object", "properties": {
        "mac": {"type": "string", "pattern": "^[0-9a-f:]+$", "description": "Hardware address."},
        "pair": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "unique": {"type": "array", "uniqueItems": true},
        "odd": {"not": {"type": "string"}},
    }});
    let report =
        |options: &str| check_options(&loaded(options), 0, &schema).expect_err("wrong").render(false, 120);
    assert_shows(&report("mac = \"XY\""), &["text of the form ^[0-9a-f:]+$", "Hardware address."]);
    assert_shows(&report("pair = [1]"), &["a list of numbers, exactly 2, found a list of 1 entry"]);
    assert_shows(&report("unique = [1, 1]"), &["holds the same entry twice"]);
    assert_shows(&report("odd = \"x\""), &["`odd` in the options of source \"grip\" is not accepted"]);
}

#[test]
fn a_wrong_schema_is_the_plugins_fault() {
    for schema in [
        json!({"type": "nonsense"}),
        json!({"$ref": "#/$defs/missing"}),
        json!({"$ref": "https://example.org/x.json"}),
        json!(5),
    ] {
        let report =
            check_options(&loaded("port = 1"), 0, &schema).expect_err("wrong schema").render(false, 120);
        assert_shows(
            &report,
            &[
                "the plugin \"udp\" describes its options wrongly",
                "this is a fault of the plugin",
                "x.toml:5:10",
            ],
        );
    }
}

#[test]
fn a_schema_that_refers_to_itself_does_not_hang() {
    let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "loop": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "additionalProperties": false}}});
    check_options(&loaded("port = 1"), 0, &schema).expect_err("unknown option");
    assert!(!describe_options(&schema).is_empty());
}

#[test]
fn nan_in_an_option_is_refused_at_its_place() {
    let text = "[experiment]\nname = \"x\"\n[[source]]\nname = \"grip\"\nplugin = \"udp\"\noptions = { gain = nan }\n";
    let report = parse(text, "x.toml", &[]).expect_err("nan").render(false, 120);
    assert_shows(
        &report,
        &["`gain` in the options of source \"grip\" is nan, which is not a finite number", "x.toml:6:20"],
    );
}

#[test]
fn documentation_lists_nested_options_in_order() {
    let docs = describe_options(&schema());
    let paths: Vec<&str> = docs.iter().map(|doc| doc.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "port",
            "bind",
            "rate_hz",
            "allow",
            "payload",
            "payload.format",
            "payload.separator",
            "payload.fields",
            "payload.fields[].name",
            "payload.fields[].type",
            "endian",
            "seed"
        ]
    );
    let doc = |path: &str| docs.iter().find(|doc| doc.path == path).expect("listed");
    assert_eq!(doc("port").type_text, "an integer from 1 to 65535");
    assert!(doc("port").required);
    assert_eq!(doc("bind").default.as_deref(), Some("\"127.0.0.1\""));
    assert_eq!(doc("payload.format").type_text, "\"csv\" or \"binary\"");
    assert!(doc("payload.format").description.contains("\"binary\": Packed numbers."));
    assert_eq!(doc("payload.fields").only_with.as_deref(), Some("payload.format = \"binary\""));
    assert_eq!(doc("payload.fields[].type").type_text, "\"i16\" or \"f32\"");
    assert_eq!(
        doc("endian").description,
        "Byte order. \"little\": Lowest byte first. \"big\": Highest byte first."
    );
    assert_eq!(doc("endian").default.as_deref(), Some("\"little\""));
    assert_eq!(doc("seed").default, None);
}
