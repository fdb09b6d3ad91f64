//! What can be read, set and done: the objects of the glasses' API, as far as they are simulated.

use serde_json::{Value, json};

use crate::serve::identity;

use super::config::GAZE_RATES_HZ;
use super::feed::Signal;
use super::messages::{Member, Refusal, event, nothing, refuse, split};
use super::shared::{Recording, Shared};
use super::time::iso;
use super::truth::Exchange;

/// What the glasses run; the number is that of a firmware whose API is known.
const VERSION: &str = "2.2.4+simulated";
/// Full; a simulated battery lasts.
const BATTERY_LEVEL: f64 = 0.87;
const BATTERY_LEFT_S: u32 = 5400;
/// Bytes of the card, and those that are free.
const CARD_BYTES: u64 = 64 << 30;
const FREE_BYTES: u64 = 48 << 30;
const FREE_S: u32 = 36_000;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) connection: u64,
    /// The request's own number.
    pub(super) request: &'a Value,
    /// When the request came to this machine.
    pub(super) came_host_s: f64,
}

/// Answers a request for a property or an action.
///
/// # Errors
/// Why it is refused.
pub(super) fn answer(
    shared: &Shared,
    asker: &Asker<'_>,
    path: &str,
    posts: bool,
    body: &Value,
) -> Result<Value, Refusal> {
    let unknown = || refuse(404, format!("there is nothing at {path}"));
    let (object, member, name) = split(path).ok_or_else(unknown)?;
    match (member, posts) {
        (Member::Property, false) => get(shared, object, name).ok_or_else(unknown),
        (Member::Property, true) => set(shared, object, name, body),
        (Member::Action, true) => act(shared, asker, object, name, body).unwrap_or_else(|| Err(unknown())),
        (Member::Action, false) => Err(refuse(405, "actions are done by POST")),
        (Member::Signal, _) => Err(refuse(405, "signals come over a WebSocket, asked for by POST")),
    }
}

fn get(shared: &Shared, object: &str, name: &str) -> Option<Value> {
    let serial = &shared.config.serial;
    Some(match (object, name) {
        ("system", "recording-unit-serial") => json!(serial),
        ("system", "head-unit-serial") => json!(format!("{serial}-HU")),
        ("system", "version") => json!(VERSION),
        ("system", "time") => json!(iso(&shared.now())),
        ("system", "timezone") => json!("UTC"),
        ("system", "ntp-is-enabled" | "ntp-is-synchronized") => json!(false),
        ("system", "available-gaze-frequencies") => json!(GAZE_RATES_HZ),
        ("system/battery", "level") => json!(BATTERY_LEVEL),
        ("system/battery", "charging") => json!(false),
        ("system/battery", "remaining-time") => json!(BATTERY_LEFT_S),
        ("system/battery", "state") => json!("good"),
        ("system/storage", "size") => json!(CARD_BYTES),
        ("system/storage", "free") => json!(FREE_BYTES),
        ("system/storage", "remaining-time") => json!(FREE_S),
        ("system/storage", "card-state") => json!("available"),
        ("settings", "gaze-frequency") => json!(shared.state().gaze_hz),
        ("settings", "gaze-overlay") => json!(shared.state().gaze_overlay),
        ("recorder", _) => return recorder(shared, name),
        ("rudimentary", _) => {
            let signal = name.strip_suffix("-sample").and_then(Signal::named)?;
            shared.latest(signal)
        }
        (_, "name") if matches!(object, "system" | "settings" | "system/battery" | "system/storage") => {
            json!(object.rsplit('/').next())
        }
        _ => return None,
    })
}

fn recorder(shared: &Shared, name: &str) -> Option<Value> {
    let now = shared.now();
    let state = shared.state();
    let recording = state.recording.as_ref();
    Some(match name {
        "uuid" => json!(recording.map(|recording| &recording.uuid)),
        "created" => json!(recording.map(|recording| &recording.created)),
        "duration" => json!(recording.map(|recording| recording.duration_s(now.oscillator_s))),
        "current-gaze-frequency" => json!(recording.map(|_| state.gaze_hz)),
        "remaining-time" => json!(FREE_S),
        _ => return None,
    })
}

impl Recording {
    /// How long it has lasted by the glasses' oscillator, in whole milliseconds.
    fn duration_s(&self, now_s: f64) -> f64 {
        ((now_s - self.started_s) * 1e3).floor() / 1e3
    }
}

fn set(shared: &Shared, object: &str, name: &str, body: &Value) -> Result<Value, Refusal> {
    match (object, name) {
        ("settings", "gaze-frequency") => {
            let known = |hz: &u32| body.as_u64() == Some(u64::from(*hz));
            let hz = GAZE_RATES_HZ.into_iter().find(known);
            shared.state().gaze_hz = hz.ok_or_else(|| refuse(400, "gaze-frequency is 50 or 100"))?;
        }
        ("settings", "gaze-overlay") => {
            let on = body.as_bool().ok_or_else(|| refuse(400, "gaze-overlay is true or false"))?;
            shared.state().gaze_overlay = on;
        }
        _ if get(shared, object, name).is_some() => {
            return Err(refuse(403, format!("/{object}.{name} can only be read")));
        }
        _ => return Err(refuse(404, format!("there is nothing at /{object}.{name}"))),
    }
    shared.logs.event(&shared.now(), "set", &json!({"path": format!("/{object}.{name}"), "body": body}));
    Ok(true.into())
}

/// `None` when there is no such action.
fn act(
    shared: &Shared,
    asker: &Asker<'_>,
    object: &str,
    name: &str,
    body: &Value,
) -> Option<Result<Value, Refusal>> {
    Some(match (object, name) {
        ("rudimentary", "keepalive") => nothing(body).map(|()| {
            shared.keep_alive(asker.connection);
            true.into()
        }),
        ("rudimentary", "send-event") => {
            event(body).and_then(|(tag, data)| send_event(shared, asker, &tag, &data))
        }
        ("rudimentary", "calibrate") => nothing(body).map(|()| true.into()),
        ("recorder", "start") => nothing(body).map(|()| start(shared).into()),
        ("recorder", "stop") => nothing(body).map(|()| end(shared, "recording_stop").into()),
        ("recorder", "cancel") => nothing(body).map(|()| end(shared, "recording_cancel").into()),
        ("recorder", "send-event") => event(body).map(|(tag, data)| {
            let recording = shared.state().recording.is_some();
            if recording {
                let details = json!({"tag": tag, "object": data});
                shared.logs.event(&shared.now(), "recording_event", &details);
            }
            recording.into()
        }),
        _ => return None,
    })
}

/// An event comes back as a signal, with the time of its arrival.
fn send_event(shared: &Shared, asker: &Asker<'_>, tag: &str, object: &Value) -> Result<Value, Refusal> {
    let now = shared.now();
    let sent = shared.emit(Signal::Event, &now, now.host_s, || json!({"tag": tag, "object": object}));
    let Some(sent) = sent else {
        return Err(refuse(403, "no events while nobody keeps the signals alive: /rudimentary!keepalive"));
    };
    let Asker { connection, request, came_host_s } = *asker;
    shared.logs.exchange(&Exchange { connection, request, came_host_s, tag, object }, &now, &sent);
    Ok(true.into())
}

fn start(shared: &Shared) -> bool {
    let now = shared.now();
    let mut state = shared.state();
    if state.recording.is_some() {
        return false;
    }
    let uuid = identity(shared.config.seed, "glasses3/recording", state.recordings);
    state.recordings += 1;
    state.recording = Some(Recording { uuid: uuid.clone(), created: iso(&now), started_s: now.oscillator_s });
    drop(state);
    shared.logs.event(&now, "recording_start", &json!({"uuid": uuid}));
    true
}

fn end(shared: &Shared, kind: &str) -> bool {
    let now = shared.now();
    let Some(recording) = shared.state().recording.take() else { return false };
    let duration_s = recording.duration_s(now.oscillator_s);
    shared.logs.event(&now, kind, &json!({"uuid": recording.uuid, "duration_s": duration_s}));
    true
}
