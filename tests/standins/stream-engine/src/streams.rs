//! Subscribing and unsubscribing: two functions for each stream.

use std::ffi::{c_int, c_void};

use lockstep_sim::tobii::Stream;

use crate::abi::{self, Device, Error};
use crate::world::{UserData, World, call};

/// A callback that takes a pointer to what there is, and the client's own.
pub type OnData = unsafe extern "C" fn(data: *const c_void, user: *mut c_void);
/// The callback of `user_presence`.
pub type OnPresence = unsafe extern "C" fn(status: c_int, timestamp_us: i64, user: *mut c_void);
/// The callback of `digital_syncport`.
pub type OnSyncPort = unsafe extern "C" fn(signal: u32, tracker_us: i64, system_us: i64, user: *mut c_void);

/// A callback with what it wants back.
#[derive(Clone, Copy)]
pub struct Subscription<F> {
    /// The function.
    pub callback: F,
    /// The client's own.
    pub user: UserData,
}

/// Sets a callback, if this may be.
fn subscribe<F: Copy>(
    device: *mut Device,
    callback: Option<F>,
    user: *mut c_void,
    stream: Stream,
    slot: fn(&mut Subscriptions) -> &mut Option<Subscription<F>>,
) -> Error {
    call(|world| {
        let open = world.device(device)?;
        let callback = callback.ok_or(abi::INVALID_PARAMETER)?;
        world.need_connection()?;
        if stream.is_professional() {
            world.need_professional(&open)?;
        }
        need_stream(world, stream)?;
        open.change(|subscriptions| {
            let slot = slot(subscriptions);
            if slot.is_some() {
                return Err(abi::ALREADY_SUBSCRIBED);
            }
            *slot = Some(Subscription { callback, user: UserData(user) });
            if stream == Stream::UserPresence {
                subscriptions.presence_is_due = true;
            }
            Ok(())
        })
    })
}

fn need_stream(world: &World, stream: Stream) -> Result<(), Error> {
    if world.config.unsupported.contains(&stream) { Err(abi::NOT_SUPPORTED) } else { Ok(()) }
}

/// Takes a callback away.
fn unsubscribe<F>(
    device: *mut Device,
    slot: fn(&mut Subscriptions) -> &mut Option<Subscription<F>>,
) -> Error {
    call(|world| {
        let open = world.device(device)?;
        open.change(|subscriptions| slot(subscriptions).take().map(|_| ()).ok_or(abi::NOT_SUBSCRIBED))
    })
}

/// The slots of all streams, and for each its two functions.
macro_rules! streams {
    ($($slot:ident: $callback:ty, $stream:ident, $subscribe:ident, $unsubscribe:ident;)*) => {
        /// The callbacks of a device.
        #[derive(Clone, Copy, Default)]
        #[allow(missing_docs)]
        pub struct Subscriptions {
            $(pub $slot: Option<Subscription<$callback>>,)*
            /// Whoever subscribed to it is told at first how it is.
            pub presence_is_due: bool,
        }

        impl Subscriptions {
            /// Whether there is none.
            pub fn is_empty(&self) -> bool {
                true $(&& self.$slot.is_none())*
            }
        }

        $(
            /// Sets the callback of the stream.
            ///
            /// # Safety
            /// The callback and what it wants back live until it is taken away.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $subscribe(
                device: *mut Device,
                callback: Option<$callback>,
                user: *mut c_void,
            ) -> Error {
                subscribe(device, callback, user, Stream::$stream, |slots| &mut slots.$slot)
            }

            /// Takes the callback of the stream away.
            #[unsafe(no_mangle)]
            pub extern "C" fn $unsubscribe(device: *mut Device) -> Error {
                unsubscribe(device, |slots| &mut slots.$slot)
            }
        )*
    };
}

streams! {
    gaze_point: OnData, GazePoint, tobii_gaze_point_subscribe, tobii_gaze_point_unsubscribe;
    gaze_origin: OnData, GazeOrigin, tobii_gaze_origin_subscribe, tobii_gaze_origin_unsubscribe;
    eye_position: OnData, EyePositionNormalized,
        tobii_eye_position_normalized_subscribe, tobii_eye_position_normalized_unsubscribe;
    presence: OnPresence, UserPresence, tobii_user_presence_subscribe, tobii_user_presence_unsubscribe;
    head_pose: OnData, HeadPose, tobii_head_pose_subscribe, tobii_head_pose_unsubscribe;
    notifications: OnData, Notifications, tobii_notifications_subscribe, tobii_notifications_unsubscribe;
    position_guide: OnData, UserPositionGuide,
        tobii_user_position_guide_subscribe, tobii_user_position_guide_unsubscribe;
    gaze_data: OnData, GazeData, tobii_gaze_data_subscribe, tobii_gaze_data_unsubscribe;
    sync_port: OnSyncPort, DigitalSyncport,
        tobii_digital_syncport_subscribe, tobii_digital_syncport_unsubscribe;
    openness: OnData, EyeOpenness,
        tobii_absolute_eye_openness_subscribe, tobii_absolute_eye_openness_unsubscribe;
}
