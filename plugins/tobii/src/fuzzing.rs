//! What glasses, or who pretends to be them, send, with what has to hold of it: for the fuzz targets, and no
//! interface.

use crate::backend::Item;
use crate::glasses3::messages::{Incoming, Signal, incoming, items};

/// A message of Glasses 3: the first byte says which signal it would be of.
pub fn message(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let Incoming::Signal { stamp_s, body, .. } = incoming(&text) else { return };
    let mut out = Vec::new();
    items(Signal::ALL[usize::from(choice) % Signal::ALL.len()], stamp_s, &body, &mut out);
    assert!(out.len() <= 3 && stamp_s.is_finite());
    for item in out {
        match item {
            Item::Gaze { values, .. } => assert_eq!(values.len(), 19),
            Item::Sample(_, _, bytes) => assert!(bytes.len() <= 24),
            Item::Event(_, text) => assert!(text.len() <= 8 * data.len() + 16, "no more than was sent"),
            _ => {}
        }
    }
}
