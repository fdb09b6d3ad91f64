//! What there is in this process: the simulated tracker, its subscribers, and the library's threads.

use std::cell::Cell;
use std::ffi::{CString, c_void};
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use lockstep_sim::tobii::{Conversion, Level, Tracker, TrackerConfig};

use crate::abi::{self, EyeTracker, Status};
use crate::pump;
use crate::streams::{OnLog, Subscriptions};

/// The only tracker, as clients have it: a number made into a pointer, behind which nobody looks.
const HANDLE: usize = 0x5eed_0010;

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Host time now.
pub fn now_s() -> f64 {
    lockstep_platform::monotonic_s()
}

/// Runs a callback of the client's.
pub fn in_callback(call: impl FnOnce()) {
    let before = IN_CALLBACK.replace(true);
    call();
    IN_CALLBACK.set(before);
}

/// All there is.
pub struct World {
    /// What is simulated.
    pub config: TrackerConfig,
    /// The numbers of the version that is pretended.
    pub version: [i32; 4],
    tracker: Mutex<Option<Tracker>>,
    /// Held while callbacks run: none runs any more when unsubscribing returns.
    subscriptions: Mutex<Subscriptions>,
    log: Mutex<Option<OnLog>>,
    /// Held for a round of time syncs: an older one is never noted after a newer one.
    sync_round: Mutex<()>,
}

/// The world, made when it is needed first.
///
/// # Errors
/// `INTERNAL` when the configuration is no good; why is written to standard error, once.
pub fn world() -> Result<&'static World, Status> {
    static WORLD: OnceLock<Option<World>> = OnceLock::new();
    let made = WORLD.get_or_init(|| match TrackerConfig::from_environment() {
        Ok(config) => Some(World {
            version: lockstep_sim::tobii::version(&config.sdk_version).unwrap_or_default(),
            config,
            tracker: Mutex::default(),
            subscriptions: Mutex::default(),
            log: Mutex::default(),
            sync_round: Mutex::default(),
        }),
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
    let _ = writeln!(std::io::stderr(), "simulated Pro SDK: {problem}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The tracker as clients have it.
    pub fn handle(&self) -> *mut EyeTracker {
        std::ptr::without_provenance_mut(HANDLE)
    }

    /// Ends when this is not the tracker.
    pub fn need(&self, tracker: *mut EyeTracker) -> Result<(), Status> {
        if tracker.addr() == HANDLE { Ok(()) } else { Err(abi::INVALID_PARAMETER) }
    }

    /// Ends when this is not the tracker, or it cannot be reached.
    pub fn need_connection(&self, tracker: *mut EyeTracker) -> Result<(), Status> {
        self.need(tracker)?;
        if self.is_reachable() { Ok(()) } else { Err(abi::CONNECTION_FAILED) }
    }

    /// Whether the tracker can be found. Before it began, only whether there is one.
    pub fn is_reachable(&self) -> bool {
        self.with_tracker(|tracker, now_s| tracker.is_reachable(now_s)).unwrap_or(self.config.present)
    }

    /// What the client may do. Keys are not asked for by this library.
    pub fn level(&self) -> Level {
        lock(&self.tracker).as_ref().map_or(self.config.licence.level, |tracker| tracker.level(now_s(), true))
    }

    /// The subscribers. Whoever has them holds up callbacks.
    pub fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        lock(&self.subscriptions)
    }

    /// The tracker begins its life, and the library its threads, if they have not.
    ///
    /// # Errors
    /// `INTERNAL` when the truth log cannot be made.
    pub fn begin(&'static self) -> Result<(), Status> {
        let mut tracker = lock(&self.tracker);
        if tracker.is_some() {
            return Ok(());
        }
        let internal = |problem: String| {
            complain(&problem);
            abi::INTERNAL
        };
        let made = Tracker::new(self.config.clone(), now_s(), Conversion::Drift);
        *tracker = Some(made.map_err(|error| internal(error.to_string()))?);
        drop(tracker);
        pump::start(self).map_err(|error| internal(error.to_string()))
    }

    /// Does something with the tracker, if it has begun.
    pub fn with_tracker<T>(&self, act: impl FnOnce(&mut Tracker, f64) -> T) -> Option<T> {
        // The time is read behind the lock, so that times do not fall.
        lock(&self.tracker).as_mut().map(|tracker| act(tracker, now_s()))
    }

    /// Nobody else makes time syncs meanwhile.
    pub fn sync_round(&self) -> MutexGuard<'_, ()> {
        lock(&self.sync_round)
    }

    /// Sets the client's log, or takes it away.
    pub fn set_log(&self, log: Option<OnLog>) {
        *lock(&self.log) = log;
    }

    /// Tells the client something.
    pub fn say(&self, level: i32, text: &str) {
        let log = *lock(&self.log);
        if let (Some(log), Ok(text)) = (log, CString::new(text)) {
            // SAFETY: the client gave the function for as long as it is set; the text outlives the call.
            in_callback(|| unsafe { log(lockstep_sim::tobii::system_us(now_s()), 0, level, text.as_ptr()) });
        }
    }
}

/// Runs a call that must not come from a callback, and gives its error to C.
pub fn call(act: impl FnOnce(&'static World) -> Result<(), Status>) -> Status {
    if IN_CALLBACK.get() { abi::CALLBACK_IN_PROGRESS } else { call_anywhere(act) }
}

/// Runs a call that callbacks may make, and gives its error to C.
pub fn call_anywhere(act: impl FnOnce(&'static World) -> Result<(), Status>) -> Status {
    match world().and_then(act) {
        Ok(()) => abi::OK,
        Err(status) => status,
    }
}

/// Writes what a call gives through a pointer of the client's.
///
/// # Errors
/// `INVALID_PARAMETER` when there is no pointer.
///
/// # Safety
/// `to` is null or may be written.
pub unsafe fn give<T>(to: *mut T, value: T) -> Result<(), Status> {
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

// SAFETY: it is only handed back to the client, who knows that callbacks come on another thread.
unsafe impl Send for UserData {}
