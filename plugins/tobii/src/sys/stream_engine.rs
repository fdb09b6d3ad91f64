//! The Stream Engine: its functions, and its structs as bytes.
//!
//! Structs that callbacks get are read by offset, for their layout depends on the version. Sizes and offsets are those
//! of 64-bit systems.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use super::library::Opened;
use super::version::Version;

/// `tobii_error_t`.
pub type Status = c_int;
/// Statuses that are told apart.
pub const OK: Status = 0;
/// A licence is missing.
pub const INSUFFICIENT_LICENSE: Status = 2;
/// It does not do that.
pub const NOT_SUPPORTED: Status = 3;
/// There is no device now.
pub const NOT_AVAILABLE: Status = 4;
/// The connection is lost.
pub const CONNECTION_FAILED: Status = 5;
/// Nothing came.
pub const TIMED_OUT: Status = 6;
/// It was subscribed already: after a reconnect.
pub const ALREADY_SUBSCRIBED: Status = 11;
/// Wait, and try again.
pub const OPERATION_FAILED: Status = 13;
/// The driver has lost the connection.
pub const CONNECTION_FAILED_DRIVER: Status = 18;
/// Its firmware is being upgraded.
pub const FIRMWARE_UPGRADE_IN_PROGRESS: Status = 20;
/// For analysis and storage.
const FIELD_OF_USE_ANALYTICAL: c_int = 2;
/// Enough for the device info of every version.
const DEVICE_INFO_BYTES: usize = 4096;
/// Text of a state.
const STATE_TEXT_BYTES: usize = 512;

type Api = *mut c_void;
type Device = *mut c_void;
/// What callbacks get: a struct, and what was given at the subscription.
pub type Callback = unsafe extern "C" fn(data: *const c_void, user_data: *mut c_void);
/// The sync port's.
pub type SyncPortCallback =
    unsafe extern "C" fn(signal: u32, device_us: i64, system_us: i64, user_data: *mut c_void);
type UrlCallback = unsafe extern "C" fn(url: *const c_char, user_data: *mut c_void);

#[repr(C)]
struct LicenceKey {
    key: *const u16,
    bytes: usize,
}

/// ST1, ST3 and ET2, in this order.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeSync {
    /// ST1.
    pub system_start_us: i64,
    /// ST3.
    pub system_end_us: i64,
    /// ET2.
    pub tracker_us: i64,
}

type Subscribe = unsafe extern "C" fn(device: Device, callback: Callback, user_data: *mut c_void) -> Status;
type SubscribeSyncPort =
    unsafe extern "C" fn(device: Device, callback: SyncPortCallback, user_data: *mut c_void) -> Status;
type OfDevice = unsafe extern "C" fn(device: Device) -> Status;
type CreateEx = unsafe extern "C" fn(
    api: Api,
    url: *const c_char,
    field_of_use: c_int,
    keys: *const LicenceKey,
    count: c_int,
    results: *mut c_int,
    out: *mut Device,
) -> Status;
/// Before version 4.
type CreateExLegacy = unsafe extern "C" fn(
    api: Api,
    url: *const c_char,
    keys: *const LicenceKey,
    count: c_int,
    results: *mut c_int,
    out: *mut Device,
) -> Status;

#[derive(Clone, Copy)]
enum Create {
    Current(CreateEx),
    Legacy(CreateExLegacy),
}

/// The functions that are called.
#[derive(Clone)]
pub struct Functions {
    /// The library.
    pub opened: Opened,
    /// Its version.
    pub version: Version,
    error_message: unsafe extern "C" fn(Status) -> *const c_char,
    api_create: unsafe extern "C" fn(*mut Api, *const c_void, *const c_void) -> Status,
    api_destroy: unsafe extern "C" fn(Api) -> Status,
    system_clock: unsafe extern "C" fn(Api, *mut i64) -> Status,
    enumerate: unsafe extern "C" fn(Api, UrlCallback, *mut c_void) -> Status,
    create: Create,
    destroy: OfDevice,
    reconnect: OfDevice,
    process: OfDevice,
    timesync: unsafe extern "C" fn(Device, *mut TimeSync) -> Status,
    device_info: unsafe extern "C" fn(Device, *mut c_void) -> Status,
    gaze_data: Subscribe,
    /// What may be missing.
    output_frequency: Option<unsafe extern "C" fn(Device, *mut f32) -> Status>,
    state_bool: Option<unsafe extern "C" fn(Device, c_int, *mut c_int) -> Status>,
    state_text: Option<unsafe extern "C" fn(Device, c_int, *mut c_char) -> Status>,
    eye_openness: Option<Subscribe>,
    position_guide: Option<Subscribe>,
    notifications: Option<Subscribe>,
    sync_port: Option<SubscribeSyncPort>,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream Engine {} ({})", self.version, self.opened.path.display())
    }
}

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Gaze data.
    GazeData,
    /// How far the eyes are open.
    EyeOpenness,
    /// Where the head is.
    PositionGuide,
    /// Notifications.
    Notifications,
}

impl Functions {
    /// Look up the functions of a library, having asked it for its version.
    ///
    /// # Errors
    /// It is none that can be used: why, and what to do.
    pub fn of(opened: Opened, allow_legacy: bool) -> Result<Self, String> {
        // SAFETY: each type is that of the function of this name, by the interface's description; the version says
        // which of two a device is made with.
        unsafe {
            let version_of: unsafe extern "C" fn(*mut Version) -> Status =
                opened.function("tobii_get_api_version")?;
            let mut version = Version::default();
            if version_of(&mut version) != OK {
                return Err(format!("{} does not say its version", opened.path.display()));
            }
            check_version(version, allow_legacy)
                .map_err(|why| format!("{}: {why}", opened.path.display()))?;
            let create = if version.major >= 4 {
                Create::Current(opened.function("tobii_device_create_ex")?)
            } else {
                Create::Legacy(opened.function("tobii_device_create_ex")?)
            };
            Ok(Self {
                version,
                error_message: opened.function("tobii_error_message")?,
                api_create: opened.function("tobii_api_create")?,
                api_destroy: opened.function("tobii_api_destroy")?,
                system_clock: opened.function("tobii_system_clock")?,
                enumerate: opened.function("tobii_enumerate_local_device_urls")?,
                create,
                destroy: opened.function("tobii_device_destroy")?,
                reconnect: opened.function("tobii_device_reconnect")?,
                process: opened.function("tobii_device_process_callbacks")?,
                timesync: opened.function("tobii_timesync")?,
                device_info: opened.function("tobii_get_device_info")?,
                gaze_data: opened.function("tobii_gaze_data_subscribe")?,
                output_frequency: opened.function("tobii_get_output_frequency").ok(),
                state_bool: opened.function("tobii_get_state_bool").ok(),
                state_text: opened.function("tobii_get_state_string").ok(),
                eye_openness: opened.function("tobii_absolute_eye_openness_subscribe").ok(),
                position_guide: opened.function("tobii_user_position_guide_subscribe").ok(),
                notifications: opened.function("tobii_notifications_subscribe").ok(),
                sync_port: opened.function("tobii_digital_syncport_subscribe").ok(),
                opened,
            })
        }
    }

    /// What a status means, in the library's words.
    pub fn text(&self, status: Status) -> String {
        // SAFETY: any number may be asked for; the answer is a static text or NULL.
        let text = unsafe { (self.error_message)(status) };
        if text.is_null() {
            return format!("error {status}");
        }
        // SAFETY: not NULL, and a terminated static text by the interface's description.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// Whether this version can be used.
///
/// # Errors
/// Why not, and what to do.
pub fn check_version(version: Version, allow_legacy: bool) -> Result<(), String> {
    match version.major {
        4.. => Ok(()),
        3 if allow_legacy => Ok(()),
        3 => Err(format!(
            "Stream Engine {version} is older than 4; set `allow_legacy = true` to try it, or install a newer one"
        )),
        _ => Err(format!("Stream Engine {version} is too old: 4 and later can be used; install a newer one")),
    }
}

/// An interface that was opened, and a device on it. Used by one thread at a time, and closed when dropped.
#[derive(Debug)]
pub struct Connection {
    functions: Functions,
    api: Api,
    device: Device,
}

// SAFETY: the interface's functions may be called from any thread, as long as none is in a callback, which is the
// case only within `process`, on the thread that has this exclusively.
unsafe impl Send for Connection {}

impl Connection {
    /// Open the device at `url`, or the only one there is (`""`), with the keys of `licence`, if any: text as its file
    /// has it.
    ///
    /// # Errors
    /// The status and what could not be done, in words.
    pub fn open(
        functions: Functions,
        url: &str,
        licence: &[u16],
    ) -> Result<(Self, String), (Status, String)> {
        let mut api: Api = null_mut();
        // SAFETY: a place for the interface; NULL for its allocator and its log is allowed.
        let status = unsafe { (functions.api_create)(&mut api, null(), null()) };
        let mut this = Self { functions, api, device: null_mut() };
        if status != OK || api.is_null() {
            this.api = null_mut();
            return Err((status, "its interface cannot be opened".to_owned()));
        }
        let url = this.choose(url)?;
        let c_url = CString::new(url.as_str()).map_err(|_| (OK, format!("{url:?} is no address")))?;
        let key = LicenceKey { key: licence.as_ptr(), bytes: size_of_val(licence) };
        let (keys, count) = if licence.is_empty() { (null(), 0) } else { (&raw const key, 1) };
        let (mut result, mut device) = (0, null_mut());
        // SAFETY: the interface is open; address, keys, and places for results and device live for the call.
        let status = unsafe {
            match this.functions.create {
                Create::Current(create) => create(
                    this.api,
                    c_url.as_ptr(),
                    FIELD_OF_USE_ANALYTICAL,
                    keys,
                    count,
                    &mut result,
                    &mut device,
                ),
                Create::Legacy(create) => {
                    create(this.api, c_url.as_ptr(), keys, count, &mut result, &mut device)
                }
            }
        };
        if status != OK || device.is_null() {
            return Err((status, format!("{url} cannot be opened")));
        }
        this.device = device;
        if count > 0 && result != 0 {
            let why = licence_text(result);
            return Err((INSUFFICIENT_LICENSE, format!("the licence key was refused ({why})")));
        }
        Ok((this, url))
    }

    fn choose(&self, wanted: &str) -> Result<String, (Status, String)> {
        unsafe extern "C" fn found(url: *const c_char, user_data: *mut c_void) {
            if url.is_null() {
                return;
            }
            // SAFETY: the list below, which lives for the call and is used by nobody else meanwhile; a terminated
            // text that is lent for this call.
            let (list, url) = unsafe { (&mut *user_data.cast::<Vec<String>>(), CStr::from_ptr(url)) };
            list.push(url.to_string_lossy().into_owned());
        }
        if !wanted.is_empty() {
            return Ok(wanted.to_owned());
        }
        let mut urls: Vec<String> = Vec::new();
        // SAFETY: the interface is open; the list lives for the call, in which alone the callback is called.
        let status = unsafe { (self.functions.enumerate)(self.api, found, (&raw mut urls).cast()) };
        match (status, urls.as_slice()) {
            (OK, [url]) => Ok(url.clone()),
            (OK, []) => Err((CONNECTION_FAILED, "no tracker is connected to this machine".to_owned())),
            (OK, several) => {
                let all = several.join(", ");
                Err((OK, format!("several trackers are connected ({all}); say which by `address`")))
            }
            (status, _) => Err((status, "the trackers that are connected cannot be listed".to_owned())),
        }
    }

    /// The library.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The clock of this machine that the library reads.
    pub fn system_clock_us(&self) -> Option<i64> {
        let mut us = 0;
        // SAFETY: the interface is open, and the place lives for the call.
        (unsafe { (self.functions.system_clock)(self.api, &mut us) } == OK).then_some(us)
    }

    /// What the device says of itself, as bytes.
    pub fn device_info(&self) -> Result<Box<[u8; DEVICE_INFO_BYTES]>, Status> {
        let mut bytes = Box::new([0; DEVICE_INFO_BYTES]);
        // SAFETY: the device is open, and the place is larger than the struct of any version.
        let status = unsafe { (self.functions.device_info)(self.device, bytes.as_mut_ptr().cast()) };
        if status == OK { Ok(bytes) } else { Err(status) }
    }

    /// Gaze samples a second, where it says so.
    pub fn output_frequency_hz(&self) -> Option<f64> {
        let mut hz = 0.0f32;
        // SAFETY: the device is open, and the place lives for the call.
        let status = unsafe { (self.functions.output_frequency?)(self.device, &mut hz) };
        (status == OK && hz.is_finite() && hz > 0.0).then_some(f64::from(hz))
    }

    /// A state that is a yes or no, where it says so.
    pub fn state(&self, state: c_int) -> Option<bool> {
        let mut value = 0;
        // SAFETY: the device is open, and the place lives for the call.
        (unsafe { (self.functions.state_bool?)(self.device, state, &mut value) } == OK).then_some(value != 0)
    }

    /// A state that is a text, where it says so.
    pub fn state_text(&self, state: c_int) -> Option<String> {
        let mut text = [0u8; STATE_TEXT_BYTES];
        // SAFETY: the device is open, and the place is as large as the interface says.
        let status = unsafe { (self.functions.state_text?)(self.device, state, text.as_mut_ptr().cast()) };
        (status == OK).then(|| until_nul(&text))
    }

    /// Have `callback` called with `user_data` for each of what `stream` brings.
    ///
    /// # Safety
    /// `user_data` must be what the callback takes it for, for as long as this connection lives.
    pub unsafe fn subscribe(&self, stream: Stream, callback: Callback, user_data: *mut c_void) -> Status {
        let subscribe = match stream {
            Stream::GazeData => Some(self.functions.gaze_data),
            Stream::EyeOpenness => self.functions.eye_openness,
            Stream::PositionGuide => self.functions.position_guide,
            Stream::Notifications => self.functions.notifications,
        };
        // SAFETY: the device is open; the rest is passed on.
        subscribe.map_or(NOT_SUPPORTED, |subscribe| unsafe { subscribe(self.device, callback, user_data) })
    }

    /// The same, of the sync port.
    ///
    /// # Safety
    /// As [`Connection::subscribe`].
    pub unsafe fn subscribe_sync_port(&self, callback: SyncPortCallback, user_data: *mut c_void) -> Status {
        let subscribe = self.functions.sync_port;
        // SAFETY: the device is open; the rest is passed on.
        subscribe.map_or(NOT_SUPPORTED, |subscribe| unsafe { subscribe(self.device, callback, user_data) })
    }

    /// Call the callbacks for what has come.
    pub fn process(&mut self) -> Status {
        // SAFETY: the device is open.
        unsafe { (self.functions.process)(self.device) }
    }

    /// One time sync.
    pub fn timesync(&mut self) -> Result<TimeSync, Status> {
        let mut data = TimeSync::default();
        // SAFETY: the device is open, and the place lives for the call.
        let status = unsafe { (self.functions.timesync)(self.device, &mut data) };
        if status == OK { Ok(data) } else { Err(status) }
    }

    /// Connect again.
    pub fn reconnect(&mut self) -> Status {
        // SAFETY: the device is open.
        unsafe { (self.functions.reconnect)(self.device) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: each was opened, is closed once, the device before its interface, and nobody is inside.
        unsafe {
            if !self.device.is_null() {
                (self.functions.destroy)(self.device);
            }
            if !self.api.is_null() {
                (self.functions.api_destroy)(self.api);
            }
        }
    }
}

/// Text up to its terminator.
pub fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).trim().to_owned()
}

fn licence_text(result: c_int) -> &'static str {
    match result {
        1 => "it was tampered with",
        4 => "it has expired",
        5 => "it is not valid yet",
        6 => "it is for another program",
        7 => "it is for another serial number",
        8 => "it is for another model",
        9 => "it is for another kind of tracker",
        10 => "it was revoked",
        _ => "it is not valid here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_cannot_be_used_are_refused_with_the_mend() {
        let of = |major| Version { major, minor: 1, ..Version::default() };
        assert!(check_version(of(4), false).is_ok() && check_version(of(5), false).is_ok());
        assert!(check_version(of(3), false).unwrap_err().contains("allow_legacy"));
        assert!(check_version(of(3), true).is_ok());
        assert!(check_version(of(2), true).unwrap_err().contains("2.1.0.0 is too old"));
    }

    #[test]
    fn structs_are_as_large_as_their_description_says() {
        assert_eq!((size_of::<Version>(), size_of::<TimeSync>(), size_of::<LicenceKey>()), (16, 24, 16));
        assert_eq!(until_nul(b"IS5 \0junk"), "IS5");
    }
}
