//! The Pro SDK: its functions, and its structs as bytes. Sizes and offsets are those of 64-bit systems.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::library::Opened;
use super::version::Version;

/// `TobiiResearchStatus`.
pub type Status = c_int;
/// All is well.
pub const OK: Status = 0;
/// A licence is missing.
pub const INSUFFICIENT_LICENSE: Status = 201;
/// The connection is lost.
pub const CONNECTION_FAILED: Status = 204;
/// Capabilities.
pub const HAS_EXTERNAL_SIGNAL: u32 = 1 << 1;
/// How far the eyes are open.
pub const HAS_EYE_OPENNESS: u32 = 1 << 9;

type Eyetracker = *mut c_void;
/// What callbacks get: a struct, and what was given at the subscription.
pub type Callback = unsafe extern "C" fn(data: *const c_void, user_data: *mut c_void);
type Subscribe = unsafe extern "C" fn(Eyetracker, Callback, *mut c_void) -> Status;
type Unsubscribe = unsafe extern "C" fn(Eyetracker, Callback) -> Status;
type Text = unsafe extern "C" fn(Eyetracker, *mut *mut c_char) -> Status;

#[repr(C)]
struct Eyetrackers {
    all: *mut Eyetracker,
    count: usize,
}

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Gaze data.
    GazeData,
    /// Time syncs of the library's.
    TimeSync,
    /// The sync port.
    ExternalSignal,
    /// How far the eyes are open.
    EyeOpenness,
    /// Where the head is.
    PositionGuide,
    /// Notifications.
    Notifications,
    /// What goes wrong with streams.
    Errors,
}

impl Stream {
    const ALL: [Self; 7] = [
        Self::GazeData,
        Self::TimeSync,
        Self::ExternalSignal,
        Self::EyeOpenness,
        Self::PositionGuide,
        Self::Notifications,
        Self::Errors,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::GazeData => "gaze_data",
            Self::TimeSync => "time_synchronization_data",
            Self::ExternalSignal => "external_signal_data",
            Self::EyeOpenness => "eye_openness",
            Self::PositionGuide => "user_position_guide",
            Self::Notifications => "notifications",
            Self::Errors => "stream_errors",
        }
    }
}

/// The functions that are called.
pub struct Functions {
    /// The library.
    pub opened: Opened,
    /// Its version.
    pub version: Version,
    system_time: unsafe extern "C" fn(*mut i64) -> Status,
    find_all: unsafe extern "C" fn(*mut *mut Eyetrackers) -> Status,
    free_all: unsafe extern "C" fn(*mut Eyetrackers),
    get: unsafe extern "C" fn(*const c_char, *mut Eyetracker) -> Status,
    free_text: unsafe extern "C" fn(*mut c_char),
    address: Text,
    serial: Text,
    model: Text,
    firmware: Text,
    capabilities: unsafe extern "C" fn(Eyetracker, *mut u32) -> Status,
    frequency: unsafe extern "C" fn(Eyetracker, *mut f32) -> Status,
    /// In the order of [`Stream::ALL`]; those that may be missing are.
    streams: Vec<Option<(Subscribe, Unsubscribe)>>,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pro SDK {} ({})", self.version, self.opened.path.display())
    }
}

impl Functions {
    /// Look up the functions of a library, having asked it for its version.
    ///
    /// # Errors
    /// It is none that can be used: why, and what to do.
    pub fn of(opened: Opened) -> Result<Self, String> {
        // SAFETY: each type is that of the function of this name, by the interface's description.
        unsafe {
            let version_of: unsafe extern "C" fn(*mut Version) -> Status =
                opened.function("tobii_research_get_sdk_version")?;
            let mut version = Version::default();
            if version_of(&mut version) != OK {
                return Err(format!("{} does not say its version", opened.path.display()));
            }
            if !(1..=2).contains(&version.major) {
                let path = opened.path.display();
                return Err(format!("{path}: Pro SDK {version} is not known; 1 and 2 can be used"));
            }
            let pair = |stream: Stream| {
                let name = stream.name();
                Ok::<_, String>((
                    opened.function(&format!("tobii_research_subscribe_to_{name}"))?,
                    opened.function(&format!("tobii_research_unsubscribe_from_{name}"))?,
                ))
            };
            let mut streams = Vec::new();
            for stream in Stream::ALL {
                let found = pair(stream);
                // Without these two there is nothing to record.
                let needed = matches!(stream, Stream::GazeData | Stream::TimeSync);
                streams.push(if needed { Some(found?) } else { found.ok() });
            }
            Ok(Self {
                version,
                system_time: opened.function("tobii_research_get_system_time_stamp")?,
                find_all: opened.function("tobii_research_find_all_eyetrackers")?,
                free_all: opened.function("tobii_research_free_eyetrackers")?,
                get: opened.function("tobii_research_get_eyetracker")?,
                free_text: opened.function("tobii_research_free_string")?,
                address: opened.function("tobii_research_get_address")?,
                serial: opened.function("tobii_research_get_serial_number")?,
                model: opened.function("tobii_research_get_model")?,
                firmware: opened.function("tobii_research_get_firmware_version")?,
                capabilities: opened.function("tobii_research_get_capabilities")?,
                frequency: opened.function("tobii_research_get_gaze_output_frequency")?,
                streams,
                opened,
            })
        }
    }

    /// The clock of this machine that the library reads.
    pub fn system_clock_us(&self) -> Option<i64> {
        let mut us = 0;
        // SAFETY: the place lives for the call.
        (unsafe { (self.system_time)(&mut us) } == OK).then_some(us)
    }
}

/// A tracker that was found, and what is subscribed to. Unsubscribes when dropped.
#[derive(Debug)]
pub struct Connection {
    functions: Functions,
    tracker: Eyetracker,
    subscribed: Vec<(Stream, Callback)>,
}

// SAFETY: the library may be called from any thread.
unsafe impl Send for Connection {}

impl Connection {
    /// The tracker at `address`, or the only one there is (`""`).
    ///
    /// # Errors
    /// The status and what could not be done, in words.
    pub fn open(functions: Functions, address: &str) -> Result<Self, (Status, String)> {
        let mut tracker: Eyetracker = null_mut();
        if address.is_empty() {
            tracker = only_one(&functions)?;
        } else {
            let c_address = CString::new(address).map_err(|_| (OK, format!("{address:?} is no address")))?;
            // SAFETY: a terminated text, and a place for the tracker, for the call.
            let status = unsafe { (functions.get)(c_address.as_ptr(), &mut tracker) };
            if status != OK || tracker.is_null() {
                return Err((status, format!("there is no tracker at {address}")));
            }
        }
        Ok(Self { functions, tracker, subscribed: Vec::new() })
    }

    /// The library.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Address, serial number, model and firmware; empty where it does not say.
    pub fn names(&self) -> [String; 4] {
        let f = &self.functions;
        [f.address, f.serial, f.model, f.firmware].map(|of| text(f, self.tracker, of))
    }

    /// What it can do.
    pub fn capabilities(&self) -> u32 {
        let mut bits = 0;
        // SAFETY: the tracker is there, and the place lives for the call.
        let status = unsafe { (self.functions.capabilities)(self.tracker, &mut bits) };
        if status == OK { bits } else { 0 }
    }

    /// Gaze samples a second, where it says so.
    pub fn frequency_hz(&self) -> Option<f64> {
        let mut hz = 0.0f32;
        // SAFETY: the tracker is there, and the place lives for the call.
        let status = unsafe { (self.functions.frequency)(self.tracker, &mut hz) };
        (status == OK && hz.is_finite() && hz > 0.0).then_some(f64::from(hz))
    }

    /// Have `callback` called with `user_data`, from a thread of the library's, for each of what `stream` brings.
    ///
    /// # Safety
    /// `user_data` must be what the callback takes it for, as long as this connection lives.
    pub unsafe fn subscribe(&mut self, stream: Stream, callback: Callback, user_data: *mut c_void) -> Status {
        let functions = self.functions.streams.get(stream as usize).copied().flatten();
        let Some((subscribe, _)) = functions else { return NOT_SUPPORTED };
        // SAFETY: the tracker is there; the rest is passed on.
        let status = unsafe { subscribe(self.tracker, callback, user_data) };
        if status == OK {
            self.subscribed.push((stream, callback));
        }
        status
    }
}

/// It does not do that.
pub const NOT_SUPPORTED: Status = 202;

impl Drop for Connection {
    fn drop(&mut self) {
        for (stream, callback) in self.subscribed.drain(..) {
            if let Some((_, unsubscribe)) = self.functions.streams.get(stream as usize).copied().flatten() {
                // SAFETY: the tracker is there, and this was subscribed to. When it returns, no callback runs.
                unsafe { unsubscribe(self.tracker, callback) };
            }
        }
    }
}

fn only_one(functions: &Functions) -> Result<Eyetracker, (Status, String)> {
    let mut found: *mut Eyetrackers = null_mut();
    // SAFETY: a place for the list, for the call.
    let status = unsafe { (functions.find_all)(&mut found) };
    if status != OK || found.is_null() {
        return Err((status, "the trackers that are connected cannot be listed".to_owned()));
    }
    // SAFETY: a list of the library's, with as many entries as it says, until it is freed below. Trackers themselves
    // live as long as the library.
    let all: Vec<Eyetracker> = unsafe {
        let list = &*found;
        let entries: &[Eyetracker] =
            if list.all.is_null() { &[] } else { std::slice::from_raw_parts(list.all, list.count) };
        let entries = entries.to_vec();
        (functions.free_all)(found);
        entries
    };
    match all.as_slice() {
        [tracker] => Ok(*tracker),
        [] => Err((CONNECTION_FAILED, "no tracker is connected".to_owned())),
        several => {
            let addresses: Vec<String> =
                several.iter().map(|tracker| text(functions, *tracker, functions.address)).collect();
            let all = addresses.join(", ");
            Err((OK, format!("several trackers are connected ({all}); say which by `address`")))
        }
    }
}

fn text(functions: &Functions, tracker: Eyetracker, of: Text) -> String {
    let mut text: *mut c_char = null_mut();
    // SAFETY: the tracker is there, and the place lives for the call.
    if unsafe { of(tracker, &mut text) } != OK || text.is_null() {
        return String::new();
    }
    // SAFETY: a terminated text of the library's, which is given back after it was copied.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().trim().to_owned();
        (functions.free_text)(text);
        copy
    }
}
