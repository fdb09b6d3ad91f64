//! Orders to a phone, without a recording.

use std::time::Duration;

use serde_json::Value;

use crate::find;
use crate::rest::{self, Order};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Have the phone at `address`, or of the name `device`, or the only one on the network, carry out `order`: its name,
/// and what it answers.
///
/// # Errors
/// It is not found, or it refuses, in words.
pub fn tell(address: &str, device: &str, order: &Order) -> Result<(String, Value), String> {
    let (at, status) = find::known(address, device)?;
    let name = status.phone.unwrap_or_default().device_name;
    let answer =
        rest::tell(at, order, PATIENCE).map_err(|denied| plain(&format!("{name} at {at}: {denied}")))?;
    Ok((plain(&name), answer))
}

/// For a terminal, without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
