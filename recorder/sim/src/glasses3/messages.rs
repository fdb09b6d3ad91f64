//! Requests and answers, as JSON. Pure.

use serde_json::{Value, json};

/// What of a path is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// After a `.`: something that can be read, and perhaps set.
    Property,
    /// After a `!`: something that can be done.
    Action,
    /// After a `:`: something that can be listened to.
    Signal,
}

/// One request. Its path is kept as it was written, for whoever is told of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// What the client calls it; a number, but whatever it is comes back.
    pub(super) id: Value,
    pub(super) path: String,
    /// `POST`, else `GET`.
    pub(super) posts: bool,
    pub(super) body: Value,
}

/// Why a request is refused. The numbers are those of HTTP; what numbers the glasses have is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: u16,
    pub(super) message: String,
}

/// A refusal with a reason.
pub(super) fn refuse(error: u16, message: impl Into<String>) -> Refusal {
    Refusal { error, message: message.into() }
}

/// Reads a frame.
///
/// # Errors
/// The answer to a frame that is no request, with its number if it has one.
pub(super) fn parse(text: &str) -> Result<Request, Value> {
    let parsed: Value = serde_json::from_str(text)
        .map_err(|error| answer(&Value::Null, Err(refuse(400, format!("not JSON: {error}")))))?;
    let id = parsed.get("id").cloned().unwrap_or(Value::Null);
    let wrong = |why: &str| Err(answer(&id, Err(refuse(400, why))));
    if !id.is_number() {
        return wrong("a request has a number \"id\"");
    }
    let Some(path) = parsed.get("path").and_then(Value::as_str) else {
        return wrong("a request has a \"path\"");
    };
    let posts = match parsed.get("method").and_then(Value::as_str) {
        Some("GET") => false,
        Some("POST") => true,
        _ => return wrong("the \"method\" is GET or POST"),
    };
    let body = parsed.get("body").cloned().unwrap_or(Value::Null);
    Ok(Request { id: id.clone(), path: path.to_owned(), posts, body })
}

/// The answer to a request.
pub(super) fn answer(id: &Value, result: Result<Value, Refusal>) -> Value {
    match result {
        Ok(body) => json!({"id": id, "body": body}),
        Err(refusal) => json!({"id": id, "error": refusal.error, "message": refusal.message}),
    }
}

/// What a signal says, but for who is told: `[time stamp, object]`.
pub(super) fn signal_body(stamp_s: f64, data: &Value) -> String {
    json!([stamp_s, data]).to_string()
}

/// What a signal says to somebody who knows it as `signal`.
pub(super) fn signal(signal: u64, body: &str) -> String {
    format!("{{\"signal\":{signal},\"body\":{body}}}")
}

/// The latest of a signal, as its property has it.
pub(super) fn sample(kind: &str, stamp_s: f64, data: &Value) -> Value {
    json!({"type": kind, "timestamp": stamp_s, "data": data})
}

/// A path, taken apart: the object between its slashes, which of its members, and that member's name.
pub(super) fn split(path: &str) -> Option<(&str, Member, &str)> {
    let path = path.strip_prefix('/')?;
    let place = path.find(['.', '!', ':'])?;
    let member = match path.as_bytes()[place] {
        b'.' => Member::Property,
        b'!' => Member::Action,
        _ => Member::Signal,
    };
    Some((&path[..place], member, &path[place + 1..]))
}

/// The tag and the object of an event.
///
/// # Errors
/// When the body is not the two of them.
pub(super) fn event(body: &Value) -> Result<(String, Value), Refusal> {
    let parts = body.as_array().map(Vec::as_slice);
    let Some([Value::String(tag), object]) = parts else {
        return Err(refuse(400, "send-event takes [tag, object], of which the tag is text"));
    };
    Ok((tag.clone(), object.clone()))
}

/// Checks that an action was given nothing.
///
/// # Errors
/// When it was given something.
pub(super) fn nothing(body: &Value) -> Result<(), Refusal> {
    let empty = body.is_null() || body.as_array().is_some_and(Vec::is_empty);
    if empty { Ok(()) } else { Err(refuse(400, "this action takes nothing: []")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_read_and_answered_by_their_number() {
        let request = parse(r#"{"path":"/rudimentary!keepalive","method":"POST","id":3,"body":[]}"#);
        let request = request.expect("a request");
        assert_eq!((request.path.as_str(), request.posts), ("/rudimentary!keepalive", true));
        assert_eq!(nothing(&request.body), Ok(()));
        assert_eq!(answer(&request.id, Ok(true.into())).to_string(), r#"{"id":3,"body":true}"#);
        let refused = answer(&request.id, Err(refuse(404, "no")));
        assert_eq!(refused.to_string(), r#"{"id":3,"error":404,"message":"no"}"#);
    }

    #[test]
    fn what_is_no_request_is_refused_by_its_number_if_it_has_one() {
        for (text, id) in [
            ("nonsense", Value::Null),
            ("[1]", Value::Null),
            (r#"{"path":"/system.time","method":"GET"}"#, Value::Null),
            (r#"{"id":"7","path":"/system.time","method":"GET"}"#, "7".into()),
            (r#"{"id":7,"method":"GET"}"#, 7.into()),
            (r#"{"id":7,"path":"/system.time","method":"PUT"}"#, 7.into()),
        ] {
            let refused = parse(text).expect_err(text);
            assert_eq!((&refused["id"], &refused["error"]), (&id, &400.into()), "{text}");
        }
    }

    #[test]
    fn paths_have_an_object_and_a_member() {
        assert_eq!(split("/system.time"), Some(("system", Member::Property, "time")));
        assert_eq!(split("/system/battery.level"), Some(("system/battery", Member::Property, "level")));
        assert_eq!(split("/rudimentary!send-event"), Some(("rudimentary", Member::Action, "send-event")));
        assert_eq!(split("/rudimentary:gaze"), Some(("rudimentary", Member::Signal, "gaze")));
        assert_eq!(split("/system"), None);
        assert_eq!(split("system.time"), None);
    }

    #[test]
    fn signals_are_told_with_time_stamp_and_number() {
        let body = signal_body(1.25, &json!({"direction": "in", "value": 1}));
        assert_eq!(signal(4, &body), r#"{"signal":4,"body":[1.25,{"direction":"in","value":1}]}"#);
    }

    #[test]
    fn events_are_a_tag_and_anything() {
        assert_eq!(event(&json!(["a", {"b": 1}])), Ok(("a".to_owned(), json!({"b": 1}))));
        assert!(
            event(&json!(["a"])).is_err() && event(&json!([1, 2])).is_err() && event(&json!({})).is_err()
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,80}") {
            let _ = parse(&text).map(|request| split(&request.path).is_some());
            let _ = split(&text);
        }
    }
}
