//! REST, and the door to the status socket.

use std::io;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::serve::message::{Inbox, Input, Request};

use super::layout::Sensor;
use super::shared::{Shared, count};
use super::{socket, status};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    code: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn json(code: u16, body: &Value) -> Self {
        Self { code, content_type: "application/json", body: body.to_string().into_bytes() }
    }

    fn success(result: Value) -> Self {
        Self::json(200, &json!({"message": "Success", "result": result}))
    }

    fn failure(code: u16, why: impl Into<String>) -> Self {
        Self::json(code, &json!({"message": why.into()}))
    }

    fn of<T>(result: Result<T, String>, success: impl FnOnce(T) -> Value) -> Self {
        // The phone says 500 also where the client is to blame.
        result.map_or_else(|why| Self::failure(500, why), |value| Self::success(success(value)))
    }

    /// All of it, to be written in one go.
    fn bytes(&self, close: bool) -> Vec<u8> {
        let reason = match self.code {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Internal Server Error",
        };
        let connection = if close { "Connection: close\r\n" } else { "" };
        let mut bytes = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{connection}\r\n",
            self.code,
            self.content_type,
            self.body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Answers requests of one connection until it ends.
pub(super) async fn serve(stream: &mut TcpStream, shared: &Shared) {
    if let Err(error) = answer_all(stream, shared).await {
        tracing::debug!(%error, "HTTP connection");
    }
}

async fn answer_all(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut inbox = Inbox::default();
    let mut ways = shared.ways();
    loop {
        let request = match inbox.next(stream).await {
            Ok(Some(Input::Request(request))) => request,
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let answer = Answer::failure(400, error.to_string());
                return stream.write_all(&answer.bytes(true)).await;
            }
            Err(error) => return Err(error),
        };
        ways.there().await;
        if request.path() == "/api/status" && request.header("upgrade").is_some() {
            return socket::serve(stream, shared, &request).await;
        }
        let address = stream.local_addr()?.ip();
        let answer = answer(shared, &request, address);
        count(&shared.counts.requests);
        ways.back().await;
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        stream.write_all(&answer.bytes(close)).await?;
        if close {
            return Ok(());
        }
    }
}

/// The answer to one request.
fn answer(shared: &Shared, request: &Request, address: std::net::IpAddr) -> Answer {
    let path = request.path();
    match (request.method.as_str(), path.as_str()) {
        ("GET", "/api/status") => Answer::success(status::all(shared, address).into()),
        ("POST", "/api/recording:start") => {
            Answer::of(shared.start_recording(), |recording| json!({"id": recording.id}))
        }
        ("POST", "/api/recording:stop_and_save") => Answer::of(
            shared.end_recording(true),
            |(recording, duration_ns)| json!({"id": recording.id, "rec_duration_ns": duration_ns}),
        ),
        ("POST", "/api/recording:cancel") => {
            Answer::of(shared.end_recording(false), |(recording, _)| json!({"id": recording.id}))
        }
        ("POST", "/api/event") => event(shared, &request.body),
        ("GET", "/api/template_def") => Answer::success(status::template(shared)),
        ("GET", "/api/template_data") => Answer::success(status::answers(shared)),
        ("POST", "/api/template_data") => set_answers(shared, &request.body),
        ("GET" | "POST", "/api/camera_control") => camera_control(shared, request),
        ("GET", "/calibration.bin" | "/api/../calibration.bin") => Answer {
            code: 200,
            content_type: "application/octet-stream",
            body: status::calibration(shared.config.seed),
        },
        ("GET" | "POST", _) => Answer::failure(404, format!("there is nothing at {path}")),
        (method, _) => Answer::failure(405, format!("{method} is not understood")),
    }
}

fn event(shared: &Shared, body: &[u8]) -> Answer {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| parsed.as_ref().and_then(|value| value.get(name));
    let Some(name) = field("name").and_then(Value::as_str) else {
        return Answer::failure(400, "an event is {\"name\": TEXT, \"timestamp\": NANOSECONDS}");
    };
    let given = field("timestamp").filter(|value| !value.is_null());
    let given_ns = given.and_then(Value::as_i64);
    if given.is_some() && given_ns.is_none() {
        return Answer::failure(400, "the timestamp of an event is whole nanoseconds since 1970");
    }
    let (timestamp, recording_id) = shared.post_event(name, given_ns);
    Answer::success(json!({"timestamp": timestamp, "recording_id": recording_id}))
}

fn set_answers(shared: &Shared, body: &[u8]) -> Answer {
    let Ok(answers) = serde_json::from_slice::<std::collections::BTreeMap<String, Vec<String>>>(body) else {
        return Answer::failure(400, "answers are {\"ID\": [TEXT, ...], ...}");
    };
    let known = status::answers(shared);
    if let Some(unknown) = answers.keys().find(|id| known.get(id.as_str()).is_none()) {
        return Answer::failure(400, format!("the template has no question {unknown}"));
    }
    if answers.values().any(Vec::is_empty) {
        return Answer::failure(400, "an answer is not empty: give [\"\"]");
    }
    shared.state().answers.extend(answers);
    Answer::success(status::answers(shared))
}

fn camera_control(shared: &Shared, request: &Request) -> Answer {
    if request.query_value("camera").as_deref() != Some(Sensor::World.name())
        || !shared.is_plugged(Sensor::World)
    {
        return Answer::failure(404, "the camera is not connected");
    }
    let mut asked = request.query().into_iter().filter(|(name, _)| name != "camera");
    if request.method == "GET" {
        let found = asked.next().and_then(|(name, _)| status::control(shared, &name));
        return found.map_or_else(|| Answer::failure(400, "there is no such control"), Answer::success);
    }
    let set = asked.try_for_each(|(name, value)| status::set_control(shared, &name, &value));
    set.map_or_else(|why| Answer::failure(400, why), |()| Answer::success(Value::Null))
}
