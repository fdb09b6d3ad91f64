//! What the library calls, from its own threads: each copies what it is lent into a bounded queue, and returns.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::{Value, json};

use super::layout::{self, Layout};
use crate::backend::{At, Item, SyncOperation};
use crate::stream_engine::layout::{flag, float, long};
use crate::sys::stream_engine::until_nul;

/// Items that wait for the thread that records: seconds of gaze at 1200 Hz.
const ROOM: usize = 16_384;
/// Bytes of the structs.
const TIME_SYNC_BYTES: usize = 24;
const EXTERNAL_SIGNAL_BYTES: usize = 24;
const EYE_OPENNESS_BYTES: usize = 32;
const POSITION_GUIDE_BYTES: usize = 32;
const NOTIFICATION_BYTES: usize = 528;
const STREAM_ERROR_BYTES: usize = 24;

/// Where callbacks put things.
#[derive(Debug)]
pub struct Post {
    layout: Layout,
    items: Sender<Item>,
    lost: AtomicU64,
}

impl Post {
    /// And where they come out.
    pub fn new(layout: Layout) -> (Self, Receiver<Item>) {
        let (items, out) = bounded(ROOM);
        (Self { layout, items, lost: AtomicU64::new(0) }, out)
    }

    fn push(&self, item: Item) {
        if self.items.try_send(item).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Items that found no room since the last time.
    pub fn lost(&self) -> Option<u64> {
        Some(self.lost.swap(0, Relaxed)).filter(|lost| *lost > 0)
    }
}

/// Run the body of a callback on its post and on the struct that is lent. A panic must not get into the library.
///
/// # Safety
/// `user_data` must be NULL or a [`Post`] that lives for the call; `data` NULL or as many readable bytes as `bytes` says.
unsafe fn guarded(
    data: *const c_void,
    user_data: *mut c_void,
    bytes: impl FnOnce(&Post) -> usize,
    body: impl FnOnce(&[u8]) -> Option<Item>,
) {
    // SAFETY: by this function's contract; the post is only ever shared.
    let Some(post) = (unsafe { user_data.cast::<Post>().as_ref() }) else { return };
    if data.is_null() {
        return;
    }
    // SAFETY: not NULL, and readable by this function's contract.
    let lent = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), bytes(post)) };
    match catch_unwind(AssertUnwindSafe(|| body(lent))) {
        Ok(item) => item.into_iter().for_each(|item| post.push(item)),
        Err(_) => {
            post.lost.fetch_add(1, Relaxed);
        }
    }
}

/// Gaze data.
pub unsafe extern "C" fn gaze(data: *const c_void, user_data: *mut c_void) {
    // SAFETY: the post was given at the subscription; the library lends a struct of its version.
    unsafe {
        let layout = user_data.cast::<Post>().as_ref().map_or(Layout::V2, |post| post.layout);
        let body = |lent: &[u8]| layout::gaze(lent, layout).map(|gaze| Item::gaze(&gaze));
        guarded(data, user_data, |post| post.layout.bytes(), body);
    }
}

/// A time sync of the library's.
pub unsafe extern "C" fn time_sync(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let (request_us, device_us, response_us) = (long(lent, 0)?, long(lent, 8)?, long(lent, 16)?);
        Some(Item::TimeSync(SyncOperation { request_us, device_us, response_us }))
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| TIME_SYNC_BYTES, body) }
}

/// The sync port.
pub unsafe extern "C" fn external_signal(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let word = |at: usize| lent.get(at..).and_then(|rest| rest.first_chunk().copied());
        let (value, change) = (u32::from_ne_bytes(word(16)?), i32::from_ne_bytes(word(20)?));
        Some(Item::external_signal(long(lent, 0)?, long(lent, 8)?, value, change))
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| EXTERNAL_SIGNAL_BYTES, body) }
}

/// How far the eyes are open.
pub unsafe extern "C" fn eye_openness(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let eye = |at| Some((float(lent, at + 4)?, flag(lent, at)?));
        let (device_us, system_us) = (long(lent, 0)?, long(lent, 8)?);
        Some(Item::eye_openness(device_us, system_us, [eye(16)?, eye(24)?]))
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| EYE_OPENNESS_BYTES, body) }
}

/// Where the eyes are.
pub unsafe extern "C" fn position_guide(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let eye =
            |at| Some(([float(lent, at)?, float(lent, at + 4)?, float(lent, at + 8)?], flag(lent, at + 12)?));
        Some(Item::positioning(At::Now, [eye(0)?, eye(16)?]))
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| POSITION_GUIDE_BYTES, body) }
}

/// Types of notifications that mean the same in all versions.
const CONNECTION_LOST: u32 = 0;
const CONNECTION_RESTORED: u32 = 1;

/// A notification.
pub unsafe extern "C" fn notification(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let kind = lent.get(8..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_ne_bytes)?;
        Some(match kind {
            CONNECTION_LOST => Item::Connected(false),
            CONNECTION_RESTORED => Item::Connected(true),
            kind => Item::Notice("tobii_notification", told(lent, kind)?),
        })
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| NOTIFICATION_BYTES, body) }
}

/// What a notification says. From 5 on versions differ in what a type means, so the bytes are told as well.
fn told(lent: &[u8], kind: u32) -> Option<Value> {
    let what = ["", "", "calibration entered", "calibration left", "calibration changed"].get(kind as usize);
    let text = until_nul(lent.get(12..)?);
    let text = text.chars().all(|c| !c.is_control()).then_some(text);
    Some(
        json!({"type": kind, "what": what, "system_us": long(lent, 0)?, "number": float(lent, 12)?, "text": text}),
    )
}

/// What goes wrong with a stream.
pub unsafe extern "C" fn stream_error(data: *const c_void, user_data: *mut c_void) {
    let body = |lent: &[u8]| {
        let word =
            |at: usize| lent.get(at..).and_then(|rest| rest.first_chunk().copied()).map(i32::from_ne_bytes);
        let text = lent.get(16..).and_then(|rest| rest.first_chunk().copied()).map(usize::from_ne_bytes)?;
        let text: *const c_char = std::ptr::with_exposed_provenance(text);
        let text = if text.is_null() {
            String::new()
        } else {
            // SAFETY: a terminated text of the library's, which lends it for the call.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        Some(Item::Notice(
            "tobii_stream_error",
            json!({"error": word(8)?, "source": word(12)?, "text": text}),
        ))
    };
    // SAFETY: the post was given at the subscription; the library lends the struct.
    unsafe { guarded(data, user_data, |_| STREAM_ERROR_BYTES, body) }
}
