//! What the library calls: each copies what it is lent into the inbox, and calls nothing.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::layout::{self, Choice, SHORTEST, flag, float, long};
use crate::backend::{At, Item};
use crate::sys::stream_engine::until_nul;

/// Items that wait for the thread that records, at most: it takes them after each call.
const ROOM: usize = 100_000;
/// Bytes of the structs.
const EYE_OPENNESS_BYTES: usize = 32;
const POSITION_GUIDE_BYTES: usize = 40;
const NOTIFICATION_BYTES: usize = 520;
/// Of notifications.
const PAUSED: u32 = 6;

/// Where callbacks put things.
#[derive(Debug)]
pub struct Inbox(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    layout: Choice,
    items: Vec<Item>,
    lost: u64,
}

impl Inbox {
    /// Nothing is in it.
    pub fn new(layout: Choice) -> Self {
        Self(Mutex::new(Contents { layout, items: Vec::new(), lost: 0 }))
    }

    fn with<T>(&self, body: impl FnOnce(&mut Contents) -> T) -> T {
        body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Put something in.
    pub fn push(&self, item: Item) {
        self.with(|contents| {
            if contents.items.len() < ROOM {
                contents.items.push(item);
            } else {
                contents.lost += 1;
            }
        });
    }

    /// Take all that is in it.
    pub fn take(&self, out: &mut Vec<Item>) {
        self.with(|contents| {
            out.append(&mut contents.items);
            if contents.lost > 0 {
                out.push(Item::Lost(std::mem::take(&mut contents.lost)));
            }
        });
    }
}

/// Run the body of a callback on its inbox. A panic must not get into the library.
///
/// # Safety
/// `user_data` must be NULL or an [`Inbox`] that lives for the call.
unsafe fn guarded(user_data: *mut c_void, body: impl FnOnce(&Inbox)) {
    // SAFETY: by this function's contract; the inbox is only ever shared.
    let Some(inbox) = (unsafe { user_data.cast::<Inbox>().as_ref() }) else { return };
    if catch_unwind(AssertUnwindSafe(|| body(inbox))).is_err() {
        inbox.with(|contents| contents.lost += 1);
    }
}

/// The bytes that a callback is lent.
///
/// # Safety
/// `data` must be NULL or point to as many readable bytes.
unsafe fn lent<'a>(data: *const c_void, bytes: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: not NULL, and readable by this function's contract.
    unsafe { std::slice::from_raw_parts(data.cast::<u8>(), bytes) }
}

/// Gaze data.
pub unsafe extern "C" fn gaze(data: *const c_void, user_data: *mut c_void) {
    let body = |inbox: &Inbox| {
        let layout = inbox.with(|contents| {
            if contents.layout == Choice::Undecided {
                // SAFETY: both layouts have as many bytes, which the library lends for the call.
                contents.layout.look(unsafe { lent(data, SHORTEST) });
            }
            contents.layout
        });
        let gaze = match layout {
            // SAFETY: the library lends a struct of this layout for the call.
            Choice::Decided(layout) => layout::gaze(unsafe { lent(data, layout.bytes()) }, layout),
            // SAFETY: as above.
            Choice::Undecided => layout::blank(unsafe { lent(data, SHORTEST) }),
        };
        if let Some(gaze) = gaze {
            inbox.push(Item::gaze(&gaze));
        }
    };
    // SAFETY: the inbox was given at the subscription.
    unsafe { guarded(user_data, body) }
}

/// How far the eyes are open.
pub unsafe extern "C" fn eye_openness(data: *const c_void, user_data: *mut c_void) {
    let body = |inbox: &Inbox| {
        // SAFETY: the library lends the struct for the call.
        let bytes = unsafe { lent(data, EYE_OPENNESS_BYTES) };
        let eye = |at| Some((float(bytes, at + 4)?, flag(bytes, at)?));
        let item = || {
            let (device_us, system_us) = (long(bytes, 0)?, long(bytes, 8)?);
            Some(Item::eye_openness(device_us, system_us, [eye(16)?, eye(24)?]))
        };
        item().into_iter().for_each(|item| inbox.push(item));
    };
    // SAFETY: the inbox was given at the subscription.
    unsafe { guarded(user_data, body) }
}

/// Where the eyes are.
pub unsafe extern "C" fn position_guide(data: *const c_void, user_data: *mut c_void) {
    let body = |inbox: &Inbox| {
        // SAFETY: the library lends the struct for the call.
        let bytes = unsafe { lent(data, POSITION_GUIDE_BYTES) };
        let eye = |at| {
            let place = [float(bytes, at + 4)?, float(bytes, at + 8)?, float(bytes, at + 12)?];
            Some((place, flag(bytes, at)?))
        };
        let item = || Some(Item::positioning(At::System(long(bytes, 0)?), [eye(8)?, eye(24)?]));
        item().into_iter().for_each(|item| inbox.push(item));
    };
    // SAFETY: the inbox was given at the subscription.
    unsafe { guarded(user_data, body) }
}

/// The sync port.
pub unsafe extern "C" fn sync_port(signal: u32, device_us: i64, system_us: i64, user_data: *mut c_void) {
    let item = Item::external_signal(device_us, system_us, signal, 0);
    // SAFETY: the inbox was given at the subscription.
    unsafe { guarded(user_data, |inbox| inbox.push(item)) }
}

/// A notification.
pub unsafe extern "C" fn notification(data: *const c_void, user_data: *mut c_void) {
    let body = |inbox: &Inbox| {
        // SAFETY: the library lends the struct for the call.
        let bytes = unsafe { lent(data, NOTIFICATION_BYTES) };
        let word =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_ne_bytes);
        let (Some(kind), Some(value_kind)) = (word(0), word(4)) else { return };
        if kind == PAUSED && value_kind == STATE {
            inbox.push(Item::Paused(word(8) == Some(1)));
        }
        let details =
            json!({"type": kind, "what": NAMES.get(kind as usize), "value": value(bytes, value_kind)});
        inbox.push(Item::Notice("tobii_notification", details));
    };
    // SAFETY: the inbox was given at the subscription.
    unsafe { guarded(user_data, body) }
}

/// Kind of a value: yes or no.
const STATE: u32 = 2;

/// Types of notifications.
const NAMES: [&str; 14] = [
    "calibration state",
    "exclusive mode",
    "track box",
    "display area",
    "frame rate",
    "power save",
    "paused",
    "calibration enabled eye",
    "calibration id",
    "combined gaze factor",
    "faults",
    "warnings",
    "face type",
    "calibration active",
];

/// What a notification says, by the kind that it says its value is of.
fn value(bytes: &[u8], kind: u32) -> Value {
    let word =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_ne_bytes);
    match kind {
        1 => json!(float(bytes, 8)),
        STATE => json!(word(8) == Some(1)),
        3 => json!((0..9).map(|n| float(bytes, 8 + 4 * n)).collect::<Vec<_>>()),
        4 | 5 => json!(word(8)),
        6 => json!(until_nul(bytes.get(8..).unwrap_or_default())),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(callback: unsafe extern "C" fn(*const c_void, *mut c_void), bytes: &[u8]) -> Vec<Item> {
        let inbox = Inbox::new(Choice::Undecided);
        let user_data = std::ptr::from_ref(&inbox).cast_mut().cast();
        // SAFETY: as the library calls it: a struct, and the inbox.
        unsafe {
            callback(bytes.as_ptr().cast(), user_data);
            callback(std::ptr::null(), user_data);
            callback(bytes.as_ptr().cast(), std::ptr::null_mut());
        }
        let mut out = Vec::new();
        inbox.take(&mut out);
        out
    }

    #[test]
    fn notifications_are_told_by_the_kind_of_their_value() {
        let mut bytes = [0u8; NOTIFICATION_BYTES];
        bytes[0..4].copy_from_slice(&PAUSED.to_ne_bytes());
        bytes[4..8].copy_from_slice(&STATE.to_ne_bytes());
        bytes[8..12].copy_from_slice(&1u32.to_ne_bytes());
        let told = called(notification, &bytes);
        assert_eq!(told[0], Item::Paused(true));
        assert_eq!(
            told[1],
            Item::Notice("tobii_notification", json!({"type": 6, "what": "paused", "value": true}))
        );
        bytes[0..4].copy_from_slice(&11u32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&6u32.to_ne_bytes());
        bytes[8..13].copy_from_slice(b"light");
        bytes[13] = 0;
        let told = called(notification, &bytes);
        assert_eq!(
            told,
            [Item::Notice("tobii_notification", json!({"type": 11, "what": "warnings", "value": "light"}))]
        );
    }

    #[test]
    fn what_is_lent_is_copied_and_null_is_nothing() {
        let mut bytes = Vec::new();
        bytes.extend(5i64.to_ne_bytes());
        bytes.extend(6i64.to_ne_bytes());
        for (valid, mm) in [(1u32, 9.5f32), (0, 0.0)] {
            bytes.extend(valid.to_ne_bytes());
            bytes.extend(mm.to_ne_bytes());
        }
        let eyes = [(9.5, true), (0.0, false)];
        assert_eq!(called(eye_openness, &bytes), [Item::eye_openness(5, 6, eyes)]);
        // Nothing in it is valid, and so nothing tells its layout: it is a sample all the same.
        assert_eq!(called(gaze, &[0; 176]).len(), 1);
    }
}
