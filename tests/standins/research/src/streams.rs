//! Subscribing and unsubscribing: two functions for each stream.

use std::ffi::{c_char, c_int, c_void};

use lockstep_sim::tobii::{Level, Stream};

use crate::abi::{self, EyeTracker, Status};
use crate::world::{UserData, call};

/// A callback that takes a pointer to what there is, and the client's own.
pub type OnData = unsafe extern "C" fn(data: *mut c_void, user: *mut c_void);
/// Called with a line of the log.
pub type OnLog = unsafe extern "C" fn(system_us: i64, source: c_int, level: c_int, text: *const c_char);

/// A callback with what it wants back.
#[derive(Clone, Copy)]
pub struct Subscription {
    /// The function.
    pub callback: OnData,
    /// The client's own.
    pub user: UserData,
}

/// What the library itself tells, beside the streams of the device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Device(Stream),
    Library,
}

fn subscribe(
    tracker: *mut EyeTracker,
    callback: Option<OnData>,
    user: *mut c_void,
    source: Source,
    slot: fn(&mut Subscriptions) -> &mut Option<Subscription>,
) -> Status {
    call(|world| {
        world.need(tracker)?;
        let callback = callback.ok_or(abi::INVALID_PARAMETER)?;
        if let Source::Device(stream) = source {
            if world.config.unsupported.contains(&stream) {
                return Err(abi::NOT_SUPPORTED);
            }
            if stream.is_professional() && world.level() != Level::Professional {
                return Err(abi::INSUFFICIENT_LICENSE);
            }
        }
        world.begin()?;
        let mut subscriptions = world.subscriptions();
        let slot = slot(&mut subscriptions);
        if slot.is_some() {
            return Err(abi::ALREADY_SUBSCRIBED);
        }
        *slot = Some(Subscription { callback, user: UserData(user) });
        if source == Source::Device(Stream::DigitalSyncport) {
            subscriptions.signal_is_due = Some(SIGNAL_INITIAL);
        }
        Ok(())
    })
}

fn unsubscribe(
    tracker: *mut EyeTracker,
    callback: Option<OnData>,
    slot: fn(&mut Subscriptions) -> &mut Option<Subscription>,
) -> Status {
    call(|world| {
        world.need(tracker)?;
        let callback = callback.ok_or(abi::INVALID_PARAMETER)?;
        let mut subscriptions = world.subscriptions();
        let slot = slot(&mut subscriptions);
        if !slot.is_some_and(|had| std::ptr::fn_addr_eq(had.callback, callback)) {
            return Err(abi::NOT_SUBSCRIBED);
        }
        *slot = None;
        drop(subscriptions);
        // Whoever unsubscribes may end the process next.
        world.with_tracker(|tracker, _| tracker.flush()).transpose().map_err(|error| {
            crate::world::complain(&error.to_string());
            abi::INTERNAL
        })?;
        Ok(())
    })
}

/// The value of the digital input changed.
pub const SIGNAL_CHANGED: c_int = 0;
/// How it is when one subscribes.
pub const SIGNAL_INITIAL: c_int = 1;
/// How it is after a connection was lost.
pub const SIGNAL_RESTORED: c_int = 2;

/// The slots of all streams, and for each its two functions.
macro_rules! streams {
    ($($slot:ident: $source:expr, $subscribe:ident, $unsubscribe:ident;)*) => {
        /// The callbacks.
        #[derive(Default)]
        #[allow(missing_docs)]
        pub struct Subscriptions {
            $(pub $slot: Option<Subscription>,)*
            /// The value of the digital input is to be told, with this type of change.
            pub signal_is_due: Option<c_int>,
        }

        $(
            /// Sets the callback of the stream.
            ///
            /// # Safety
            /// The callback and what it wants back live until it is taken away.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $subscribe(
                tracker: *mut EyeTracker,
                callback: Option<OnData>,
                user: *mut c_void,
            ) -> Status {
                subscribe(tracker, callback, user, $source, |slots| &mut slots.$slot)
            }

            /// Takes the callback of the stream away, if it is this one.
            #[unsafe(no_mangle)]
            pub extern "C" fn $unsubscribe(tracker: *mut EyeTracker, callback: Option<OnData>) -> Status {
                unsubscribe(tracker, callback, |slots| &mut slots.$slot)
            }
        )*
    };
}

streams! {
    gaze: Source::Device(Stream::GazeData),
        tobii_research_subscribe_to_gaze_data, tobii_research_unsubscribe_from_gaze_data;
    time_sync: Source::Library,
        tobii_research_subscribe_to_time_synchronization_data,
        tobii_research_unsubscribe_from_time_synchronization_data;
    signal: Source::Device(Stream::DigitalSyncport),
        tobii_research_subscribe_to_external_signal_data,
        tobii_research_unsubscribe_from_external_signal_data;
    openness: Source::Device(Stream::EyeOpenness),
        tobii_research_subscribe_to_eye_openness, tobii_research_unsubscribe_from_eye_openness;
    guide: Source::Device(Stream::UserPositionGuide),
        tobii_research_subscribe_to_user_position_guide,
        tobii_research_unsubscribe_from_user_position_guide;
    notifications: Source::Library,
        tobii_research_subscribe_to_notifications, tobii_research_unsubscribe_from_notifications;
    errors: Source::Library,
        tobii_research_subscribe_to_stream_errors, tobii_research_unsubscribe_from_stream_errors;
}
