//! The phone's interface for questions and orders (REST), and the orders there are.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

/// Longest answer.
const MAX_BYTES: u64 = 1 << 20;

/// What a phone can be told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Begin a recording of its own.
    StartRecording,
    /// End and keep it.
    SaveRecording,
    /// End it and throw it away.
    CancelRecording,
    /// Note an event, by its own clock or at this time, in nanoseconds since 1970 by its clock.
    Event(String, Option<i64>),
}

impl Order {
    fn path(&self) -> &'static str {
        match self {
            Self::StartRecording => "/api/recording:start",
            Self::SaveRecording => "/api/recording:stop_and_save",
            Self::CancelRecording => "/api/recording:cancel",
            Self::Event(..) => "/api/event",
        }
    }

    fn body(&self) -> String {
        match self {
            Self::Event(name, None) => json!({"name": name}).to_string(),
            Self::Event(name, Some(unix_ns)) => json!({"name": name, "timestamp": unix_ns}).to_string(),
            _ => "{}".to_owned(),
        }
    }
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The phone refused, in its own words.
    Refused(String),
    /// It could not be reached, or did not answer.
    Unreachable(String),
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "the phone refuses: {why}"),
            Self::Unreachable(why) => write!(f, "the phone does not answer: {why}"),
        }
    }
}

fn agent(patience: Duration) -> ureq::Agent {
    // A phone in the same network is behind no proxy, and sends nobody elsewhere.
    let config = ureq::Agent::config_builder().proxy(None).max_redirects(0);
    config.timeout_global(Some(patience)).http_status_as_error(false).build().into()
}

fn text(mut answer: ureq::http::Response<ureq::Body>) -> Result<String, String> {
    let text = answer.body_mut().with_config().limit(MAX_BYTES).read_to_string();
    text.map_err(|error| error.to_string())
}

/// What the phone at `at` says of itself, as text.
///
/// # Errors
/// It cannot be reached, in words.
pub fn status(at: SocketAddr, patience: Duration) -> Result<String, String> {
    let answer = agent(patience).get(format!("http://{at}/api/status")).call();
    text(answer.map_err(|error| error.to_string())?)
}

/// Have the phone at `at` carry out `order`; what it answers.
///
/// # Errors
/// [`Denied`].
pub fn tell(at: SocketAddr, order: &Order, patience: Duration) -> Result<Value, Denied> {
    let unreachable = |error: ureq::Error| Denied::Unreachable(error.to_string());
    let answer = agent(patience)
        .post(format!("http://{at}{}", order.path()))
        .content_type("application/json")
        .send(order.body())
        .map_err(unreachable)?;
    let code = answer.status();
    judge(code.as_u16(), &text(answer).map_err(Denied::Unreachable)?)
}

fn judge(code: u16, text: &str) -> Result<Value, Denied> {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    if code == 200 {
        return Ok(answer["result"].clone());
    }
    let why = answer["message"].as_str().filter(|why| !why.is_empty());
    Err(Denied::Refused(why.map_or_else(|| format!("status {code}"), str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_as_the_phone_knows_them() {
        let event = Order::Event("a \"b\"".to_owned(), None);
        assert_eq!((event.path(), event.body().as_str()), ("/api/event", r#"{"name":"a \"b\""}"#));
        let stamped = Order::Event("a".to_owned(), Some(5));
        assert_eq!(stamped.body(), r#"{"name":"a","timestamp":5}"#);
        assert_eq!(Order::StartRecording.body(), "{}");
    }

    #[test]
    fn refusals_are_told_in_the_words_of_the_phone() {
        assert_eq!(judge(200, r#"{"message":"Success","result":{"id":"1"}}"#), Ok(json!({"id": "1"})));
        let refused = |code, text| judge(code, text).unwrap_err().to_string();
        assert_eq!(refused(500, r#"{"message":"No wearer"}"#), "the phone refuses: No wearer");
        assert_eq!(refused(404, "<html>"), "the phone refuses: status 404");
    }
}
