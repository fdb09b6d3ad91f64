//! What there is in this process: the simulated tracker, and who has it open.
//!
//! Handles that clients get are numbers made into pointers. Nobody ever looks behind them, so one
//! that is wrong, or was destroyed, is found out rather than followed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lockstep_sim::tobii::{Conversion, Level, Refusal, SyncKind, Tracker, TrackerConfig, wait_until};

use crate::abi::{self, Api, CustomLog, Device, Error};
use crate::streams::Subscriptions;

/// Log levels.
pub const LOG_ERROR: i32 = 0;
/// Log levels.
pub const LOG_INFO: i32 = 2;
/// Time syncs that the library makes when it connects; it keeps that of the lowest round-trip time.
const SYNCS_AT_CONNECT: usize = 3;

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Host time now.
pub fn now_s() -> f64 {
    lockstep_platform::monotonic_s()
}

/// Whether this thread is in a callback.
pub fn is_in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs a callback of the client's.
pub fn in_callback(call: impl FnOnce()) {
    let before = IN_CALLBACK.replace(true);
    call();
    IN_CALLBACK.set(before);
}

/// A device that a client has open.
#[derive(Default)]
pub struct Open {
    /// The instance that it belongs to.
    pub api: usize,
    /// Whether it came with a key that was approved of.
    pub with_key: bool,
    /// Its callbacks.
    pub subscriptions: Mutex<Subscriptions>,
}

/// The client's log of an instance.
#[derive(Clone, Copy)]
pub struct Log(Option<CustomLog>);

// SAFETY: the client promises that its log may be called from any thread.
unsafe impl Send for Log {}

impl Log {
    /// The client's log, if it gave one.
    pub fn new(log: Option<CustomLog>) -> Self {
        Self(log)
    }

    /// Tells the client something.
    pub fn say(self, level: i32, text: &str) {
        let (Some(CustomLog { context, log: Some(log) }), Ok(text)) = (self.0, CString::new(text)) else {
            return;
        };
        // SAFETY: the client gave both for as long as the instance lives; the text outlives the call.
        unsafe { log(context, level, text.as_ptr()) };
    }
}

/// Who has what open.
#[derive(Default)]
pub struct Handles {
    last: usize,
    apis: BTreeMap<usize, Log>,
    devices: BTreeMap<usize, Arc<Open>>,
}

/// All there is.
pub struct World {
    /// What is simulated.
    pub config: TrackerConfig,
    /// The numbers of the version that is pretended.
    pub version: [i32; 4],
    tracker: Mutex<Option<Tracker>>,
    handles: Mutex<Handles>,
}

/// The world, made when it is needed first.
///
/// # Errors
/// `INTERNAL` when the configuration is no good; why is written to standard error, once.
pub fn world() -> Result<&'static World, Error> {
    static WORLD: OnceLock<Option<World>> = OnceLock::new();
    let made = WORLD.get_or_init(|| match TrackerConfig::from_environment() {
        Ok(config) => {
            let version = lockstep_sim::tobii::version(&config.api_version).unwrap_or_default();
            Some(World { config, version, tracker: Mutex::default(), handles: Mutex::default() })
        }
        Err(error) => {
            complain(&error.to_string());
            None
        }
    });
    made.as_ref().ok_or(abi::INTERNAL)
}

/// A problem of whoever wrote the configuration, who may not be the client.
pub fn complain(problem: &str) {
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(std::io::stderr(), "simulated Stream Engine: {problem}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A new instance.
    pub fn add_api(&self, log: Log) -> *mut Api {
        let mut handles = lock(&self.handles);
        let handle = handles.next();
        handles.apis.insert(handle, log);
        std::ptr::without_provenance_mut(handle)
    }

    /// The log of an instance.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` when there is none such.
    pub fn api(&self, api: *mut Api) -> Result<Log, Error> {
        lock(&self.handles).apis.get(&api.addr()).copied().ok_or(abi::INVALID_PARAMETER)
    }

    /// Ends an instance, and with it what it has open.
    pub fn remove_api(&self, api: *mut Api) -> Result<(), Error> {
        let mut handles = lock(&self.handles);
        handles.apis.remove(&api.addr()).ok_or(abi::INVALID_PARAMETER)?;
        let before = handles.devices.len();
        handles.devices.retain(|_, open| open.api != api.addr());
        let closed = before > handles.devices.len();
        drop(handles);
        if closed {
            self.hang_up();
        }
        Ok(())
    }

    /// A device that is open now.
    ///
    /// # Errors
    /// `CONNECTION_FAILED` when one is open already: there is one connection to it.
    pub fn add_device(&self, open: Open) -> Result<*mut Device, Error> {
        let mut handles = lock(&self.handles);
        if !handles.devices.is_empty() {
            complain("the device is open already; one client at a time is simulated");
            return Err(abi::CONNECTION_FAILED);
        }
        let handle = handles.next();
        handles.devices.insert(handle, Arc::new(open));
        Ok(std::ptr::without_provenance_mut(handle))
    }

    /// An open device.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` when there is none such.
    pub fn device(&self, device: *const Device) -> Result<Arc<Open>, Error> {
        lock(&self.handles).devices.get(&device.addr()).cloned().ok_or(abi::INVALID_PARAMETER)
    }

    /// Closes a device.
    pub fn remove_device(&self, device: *mut Device) -> Result<(), Error> {
        lock(&self.handles).devices.remove(&device.addr()).ok_or(abi::INVALID_PARAMETER)?;
        self.hang_up();
        Ok(())
    }

    /// Does something with the tracker, which begins its life with that.
    ///
    /// # Errors
    /// `INTERNAL` when its truth log cannot be made, and what `act` says.
    pub fn with_tracker<T>(
        &self,
        act: impl FnOnce(&mut Tracker, f64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tracker = lock(&self.tracker);
        if tracker.is_none() {
            match Tracker::new(self.config.clone(), now_s(), Conversion::Offset) {
                Ok(made) => *tracker = Some(made),
                Err(error) => {
                    complain(&error.to_string());
                    return Err(abi::INTERNAL);
                }
            }
        }
        let tracker = tracker.as_mut().ok_or(abi::INTERNAL)?;
        // Read behind the lock, so that times do not fall.
        act(tracker, now_s())
    }

    /// Connects, and makes the time syncs that the library needs.
    pub fn connect(&self) -> Result<(), Error> {
        self.with_tracker(|tracker, now_s| tracker.connect(now_s).map_err(code))?;
        let mut best: Option<lockstep_sim::tobii::Timesync> = None;
        for _ in 0..SYNCS_AT_CONNECT {
            let sync = self.timesync(SyncKind::Auto)?;
            let better = best.is_none_or(|best| sync.round_trip_us() < best.round_trip_us());
            let worse = if better { best.replace(sync) } else { Some(sync) };
            if let Some(worse) = worse {
                self.settle_timesync(&worse, false, false)?;
            }
        }
        best.map_or(Ok(()), |best| self.settle_timesync(&best, true, false))
    }

    /// Makes a time sync, which takes as long as it takes. It must be settled.
    pub fn timesync(&self, kind: SyncKind) -> Result<lockstep_sim::tobii::Timesync, Error> {
        let plan = self.with_tracker(|tracker, now_s| tracker.plan_timesync(now_s).map_err(code))?;
        let received_s = wait_until(plan.due_host_s);
        self.with_tracker(|tracker, _| tracker.finish_timesync(&plan, received_s, kind).map_err(code))
    }

    /// Notes what became of a time sync.
    pub fn settle_timesync(
        &self,
        sync: &lockstep_sim::tobii::Timesync,
        used: bool,
        delivered: bool,
    ) -> Result<(), Error> {
        self.with_tracker(|tracker, _| {
            tracker.settle_timesync(sync, used, delivered);
            Ok(())
        })
    }

    /// What whoever opened the device may do.
    pub fn level(&self, open: &Open) -> Result<Level, Error> {
        self.with_tracker(|tracker, now_s| Ok(tracker.level(now_s, open.with_key)))
    }

    /// Ends when there is no connection.
    pub fn need_connection(&self) -> Result<(), Error> {
        self.with_tracker(
            |tracker, now_s| {
                if tracker.is_connected(now_s) { Ok(()) } else { Err(abi::CONNECTION_FAILED) }
            },
        )
    }

    /// Ends when this needs more of a licence.
    pub fn need_professional(&self, open: &Open) -> Result<(), Error> {
        if self.level(open)? == Level::Professional { Ok(()) } else { Err(abi::INSUFFICIENT_LICENSE) }
    }

    fn hang_up(&self) {
        let ended = self.with_tracker(|tracker, now_s| {
            tracker.hang_up(now_s);
            tracker.flush().map_err(|error| {
                complain(&error.to_string());
                abi::INTERNAL
            })
        });
        // Told already; closing cannot fail.
        let _ = ended;
    }
}

impl Handles {
    fn next(&mut self) -> usize {
        self.last += 1;
        // Nowhere near memory of this process, and aligned as a pointer would be.
        0x5eed_0000 + self.last * 16
    }
}

impl Open {
    /// Its callbacks as they are now.
    pub fn subscribed(&self) -> Subscriptions {
        *lock(&self.subscriptions)
    }

    /// Changes its callbacks.
    pub fn change<T>(&self, change: impl FnOnce(&mut Subscriptions) -> T) -> T {
        change(&mut lock(&self.subscriptions))
    }
}

/// The error of a refusal.
pub fn code(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unreachable => abi::CONNECTION_FAILED,
        Refusal::Upgrading => abi::FIRMWARE_UPGRADE_IN_PROGRESS,
    }
}

/// Runs a call that must not come from a callback, and gives its error to C.
pub fn call(act: impl FnOnce(&'static World) -> Result<(), Error>) -> Error {
    if is_in_callback() {
        return abi::CALLBACK_IN_PROGRESS;
    }
    match world().and_then(act) {
        Ok(()) => abi::OK,
        Err(error) => error,
    }
}

/// Writes what a call gives through a pointer of the client's.
///
/// # Errors
/// `INVALID_PARAMETER` when there is no pointer.
///
/// # Safety
/// `to` is null or may be written.
pub unsafe fn give<T>(to: *mut T, value: T) -> Result<(), Error> {
    if to.is_null() {
        return Err(abi::INVALID_PARAMETER);
    }
    // SAFETY: it is not null, and the caller of the C function promises that it may be written.
    unsafe { to.write(value) };
    Ok(())
}

/// What a client wants back with each callback.
#[derive(Clone, Copy)]
pub struct UserData(pub *mut c_void);

// SAFETY: it is only handed back to the client, on whichever thread it processes callbacks.
unsafe impl Send for UserData {}
