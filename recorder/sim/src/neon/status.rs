//! What the phone says of itself, as JSON. Pure but for the state it shows.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::serve::identity;

use super::layout::Sensor;
use super::shared::{Shared, Update, recording_json};

/// Per cent; a simulated battery lasts.
const BATTERY_LEVEL: u8 = 87;
/// Bytes that are free on the phone.
const FREE_BYTES: u64 = 100 << 30;

/// One model as the status has it.
fn model(name: &str, data: Value) -> Value {
    json!({"model": name, "data": data})
}

/// The whole state, for somebody who reached the phone at `address`.
pub(super) fn all(shared: &Shared, address: IpAddr) -> Vec<Value> {
    let mut models = vec![model("Phone", phone(shared, address)), model("Hardware", hardware(shared))];
    models.extend(Sensor::ALL.map(|which| model("Sensor", sensor(shared, which, address))));
    let now = shared.now();
    if let Some(recording) = &shared.state().recording {
        let data = recording_json("START", &recording.id, recording.duration_ns(&now));
        models.push(model("Recording", data));
    }
    models
}

/// A change, likewise.
pub(super) fn change(shared: &Shared, update: Update, address: IpAddr) -> Value {
    match update {
        Update::Sensor(which) => model("Sensor", sensor(shared, which, address)),
        Update::Model(name, data) => model(name, data),
    }
}

fn phone(shared: &Shared, address: IpAddr) -> Value {
    let mut data = json!({
        "battery_level": BATTERY_LEVEL,
        "battery_state": "OK",
        "device_id": hardware_id(shared.config.seed),
        "device_name": shared.config.name,
        "ip": address,
        "port": shared.addresses.http.port(),
        "memory": FREE_BYTES,
        "memory_state": "OK",
    });
    if let Some(echo) = shared.addresses.echo {
        data["time_echo_port"] = echo.port().into();
    }
    data
}

fn hardware(shared: &Shared) -> Value {
    let serial = 100_000 + shared.config.seed % 900_000;
    json!({
        "version": "2.0",
        "module_serial": format!("{serial}"),
        "glasses_serial": "default",
        "world_camera_serial": "default",
    })
}

fn sensor(shared: &Shared, which: Sensor, address: IpAddr) -> Value {
    json!({
        "sensor": which.name(),
        "conn_type": "DIRECT",
        "connected": shared.is_plugged(which),
        "ip": address,
        "port": shared.addresses.rtsp.port(),
        "params": format!("camera={}", which.name()),
        "protocol": "rtsp",
        "stream_error": false,
    })
}

/// The phone's own number: 16 hexadecimal digits.
pub(super) fn hardware_id(seed: u64) -> String {
    identity(seed, "phone", 0).replace('-', "")[..16].to_owned()
}

/// Questions that are asked before a recording.
pub(super) fn template(shared: &Shared) -> Value {
    let seed = shared.config.seed;
    let item = |number: u64, title: &str, widget: &str, input: &str| {
        json!({
            "id": identity(seed, "item", number),
            "title": title,
            "widget_type": widget,
            "input_type": input,
            "choices": null,
            "help_text": null,
            "required": false,
        })
    };
    json!({
        "id": identity(seed, "template", 0),
        "name": "Simulated template",
        "description": null,
        "created_at": "2024-01-01T00:00:00.000000+00:00",
        "updated_at": "2024-01-01T00:00:00.000000+00:00",
        "published_at": null,
        "archived_at": null,
        "recording_name_format": [],
        "recording_ids": null,
        "label_ids": [],
        "is_default_template": true,
        "items": [
            item(0, "Participant", "TEXT", "any"),
            item(1, "Age", "TEXT", "integer"),
            item(2, "Notes", "PARAGRAPH", "any"),
        ],
    })
}

/// The answers that were given, an empty one for each question without.
pub(super) fn answers(shared: &Shared) -> Value {
    let seed = shared.config.seed;
    let state = shared.state();
    let mut all = serde_json::Map::new();
    for number in 0..3 {
        let id = identity(seed, "item", number);
        let given = state.answers.get(&id).cloned().unwrap_or_else(|| vec![String::new()]);
        all.insert(id, given.into());
    }
    Value::Object(all)
}

/// Bytes of a calibration.
pub(super) const CALIBRATION_BYTES: usize = 803;

/// The cameras as their maker's binary file has them, little-endian: version, serial number, then of
/// the scene camera, the right and the left eye camera nine numbers of the matrix, eight of the
/// distortion, sixteen of the position; and a check sum. The numbers are made up.
pub(super) fn calibration(seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CALIBRATION_BYTES);
    bytes.push(1);
    let serial = 100_000 + seed % 900_000;
    bytes.extend_from_slice(format!("{serial:06}").as_bytes());
    for (focal, centre, shift) in
        [(890.0, [800.0, 600.0], 0.0), (140.0, [96.0, 96.0], 0.03), (140.0, [96.0, 96.0], -0.03)]
    {
        let matrix = [focal, 0.0, centre[0], 0.0, focal, centre[1], 0.0, 0.0, 1.0];
        let distortion = [-0.13, 0.11, 0.0, 0.0, 0.0, 0.17, 0.05, 0.02];
        let position = [1.0, 0.0, 0.0, shift, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        for value in matrix.iter().chain(&distortion).chain(&position) {
            bytes.extend_from_slice(&f64::to_le_bytes(*value));
        }
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// A control of the scene camera.
#[derive(Debug, Clone, Copy)]
enum Control {
    Choice(&'static str, &'static [&'static str]),
    Number(i64, i64, i64),
}

/// All of them: a value to begin with, and what is allowed. The ranges are made up.
const CONTROLS: [(&str, Control); 6] = [
    ("ae_mode", Control::Choice("auto", &["auto", "manual"])),
    ("man_exp", Control::Number(1000, 1, 40_000)),
    ("gain", Control::Number(0, 0, 100)),
    ("brightness", Control::Number(0, -64, 64)),
    ("contrast", Control::Number(32, 0, 64)),
    ("gamma", Control::Number(100, 72, 500)),
];

/// The state of a control; `None` when there is no such one.
pub(super) fn control(shared: &Shared, name: &str) -> Option<Value> {
    let (_, control) = CONTROLS.iter().find(|(known, _)| *known == name)?;
    let set = shared.state().controls.get(name).cloned();
    Some(match control {
        Control::Choice(first, allowed) => json!({
            "control_name": name,
            "current_value": set.unwrap_or_else(|| (*first).into()),
            "allowed_values": allowed,
            "value_type": "enum",
        }),
        Control::Number(first, least, most) => json!({
            "control_name": name,
            "current_value": set.unwrap_or_else(|| (*first).into()),
            "value_min": least,
            "value_max": most,
            "value_type": "integer",
        }),
    })
}

/// Sets a control, or says what is wrong with it.
pub(super) fn set_control(shared: &Shared, name: &str, value: &str) -> Result<(), String> {
    let (_, control) =
        CONTROLS.iter().find(|(known, _)| *known == name).ok_or(format!("there is no control {name}"))?;
    let value: Value = match control {
        Control::Choice(_, allowed) if allowed.contains(&value) => value.into(),
        Control::Choice(_, allowed) => return Err(format!("{name}: give one of {}", allowed.join(", "))),
        Control::Number(_, least, most) => {
            let number: Option<i64> = value.parse().ok();
            let number = number.filter(|number| (least..=most).contains(&number));
            number.ok_or(format!("{name}: give a whole number from {least} to {most}"))?.into()
        }
    };
    shared.state().controls.insert(name.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_has_the_bytes_its_readers_expect() {
        let bytes = calibration(1);
        assert_eq!(bytes.len(), CALIBRATION_BYTES);
        assert_eq!(&bytes[..7], b"\x01100001");
        assert_eq!(bytes[7..15], 890.0_f64.to_le_bytes());
        assert_eq!(bytes[799..], crc32fast::hash(&bytes[..799]).to_le_bytes());
    }

    #[test]
    fn a_phone_has_a_number_of_its_own() {
        assert_eq!(hardware_id(1).len(), 16);
        assert_ne!(hardware_id(1), hardware_id(2));
    }
}
