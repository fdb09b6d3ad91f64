//! Tests of the schema, as a user meets it.

use serde_json::{Value, json};

use super::*;

fn schema() -> Value {
    schemars::schema_for!(Options).to_value()
}

#[test]
fn the_schema_is_flat_and_every_option_is_documented() {
    fn walk(schema: &Value, path: &str) {
        let Value::Object(map) = schema else { return };
        for word in ["oneOf", "anyOf", "allOf", "$ref"] {
            assert!(!map.contains_key(word), "{path} has {word}");
        }
        assert!(!schema.to_string().contains("null"), "{path}");
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}/{name}");
            assert!(property["description"].as_str().is_some_and(|d| !d.is_empty()), "{path}");
            walk(property, &path);
            walk(&property["items"], &path);
        }
    }
    walk(&schema(), "");
}

#[test]
fn choices_are_plain_lists_and_defaults_are_published() {
    let schema = schema();
    let properties = &schema["properties"];
    assert_eq!(properties["payload"]["enum"], json!(["json", "csv", "binary", "marker"]));
    assert_eq!(properties["payload"]["type"], "string");
    assert_eq!(properties["format"]["type"], "string");
    assert_eq!(properties["endian"]["default"], "little");
    assert_eq!(properties["reorder_ms"]["default"], 50.0);
    assert_eq!(properties["receive_buffer_kb"]["default"], 4096);
    assert_eq!(schema["required"], json!(["listen", "payload"]));
    assert!(properties["stream_name"].get("default").is_none());
}

#[test]
fn unknown_keys_are_refused_on_every_level() {
    for options in [
        json!({"listen": "1", "payload": "marker", "lisen": 1}),
        json!({"listen": "1", "payload": "csv", "fields": [{"name": "a", "typ": "u8"}]}),
        json!({"listen": "1", "payload": "csv", "exchange": {"kind": "echo", "adress": "x"}}),
    ] {
        let error = serde_json::from_value::<Options>(options).expect_err("unknown key").to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}
