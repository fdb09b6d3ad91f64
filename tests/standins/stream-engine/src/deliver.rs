//! Giving the client what has arrived, by its callbacks.

use std::ffi::{c_int, c_void};

use lockstep_sim::tobii::{Delivery, GazeLayout, Level, Sample, Told, system_us};

use crate::abi::{
    Error, EyeOpenness, EyePair, EyeV3, EyeV4, GazeData, GazePoint, HeadPose, Notification, field,
};
use crate::streams::{OnData, Subscription, Subscriptions};
use crate::world::{Open, World, code, in_callback};

const AWAY: c_int = 1;
const PRESENT: c_int = 2;

/// Gives a device's callbacks all that has arrived.
pub fn process(world: &World, open: &Open) -> Result<(), Error> {
    let (deliveries, level, there, now_us) = world.with_tracker(|tracker, now_s| {
        let deliveries = tracker.take_due(now_s).map_err(code)?;
        let level = tracker.level(now_s, open.with_key);
        Ok((deliveries, level, tracker.is_somebody_there(now_s), system_us(now_s)))
    })?;
    let subscribed = open.subscribed();
    if subscribed.presence_is_due {
        open.change(|subscriptions| subscriptions.presence_is_due = false);
        presence(&subscribed, there, now_us);
    }
    let mut given = Vec::with_capacity(deliveries.len());
    for delivery in &deliveries {
        // As it is now: a callback before this one took its time, and another thread unsubscribed.
        let subscribed = open.subscribed();
        given.push(give(world, &subscribed, delivery, level == Level::Professional));
    }
    world.with_tracker(|tracker, _| {
        for (delivery, given) in deliveries.iter().zip(given) {
            tracker.settle(delivery, given);
        }
        Ok(())
    })
}

/// Gives one thing to whoever wants it; whether somebody did.
fn give(world: &World, subscribed: &Subscriptions, delivery: &Delivery, professional: bool) -> bool {
    match delivery {
        Delivery::Sample(sample) => give_sample(world, subscribed, sample, professional),
        Delivery::Lost(_) => false,
        Delivery::SyncPort(change) => {
            let Some(subscription) = subscribed.sync_port.filter(|_| professional) else { return false };
            in_callback(|| {
                // SAFETY: the client keeps both alive until it unsubscribes.
                unsafe {
                    (subscription.callback)(
                        change.value,
                        change.device_us,
                        change.system_us,
                        subscription.user.0,
                    );
                }
            });
            true
        }
        Delivery::Told(Told::Presence { present, system_us }) => presence(subscribed, *present, *system_us),
        Delivery::Told(Told::Notification { kind, number, text, .. }) => {
            data(subscribed.notifications, &Notification::new(*kind, *number, text))
        }
    }
}

fn presence(subscribed: &Subscriptions, present: bool, system_us: i64) -> bool {
    let Some(subscription) = subscribed.presence else { return false };
    let status = if present { PRESENT } else { AWAY };
    in_callback(|| {
        // SAFETY: the client keeps both alive until it unsubscribes.
        unsafe { (subscription.callback)(status, system_us, subscription.user.0) };
    });
    true
}

fn give_sample(world: &World, subscribed: &Subscriptions, sample: &Sample, professional: bool) -> bool {
    let fill = world.config.invalid.value();
    let values = &sample.values;
    let (tracker_us, system_us) = (sample.device_us, sample.system_us);
    let pair = |left, right| {
        let (left_validity, left) = field(left, fill);
        let (right_validity, right) = field(right, fill);
        EyePair { timestamp_us: system_us, left_validity, left, right_validity, right }
    };
    let (validity, position) = field(values.display_point(), fill);
    let mut given = data(subscribed.gaze_point, &GazePoint { timestamp_us: system_us, validity, position });
    given |= data(subscribed.gaze_origin, &pair(values.left.origin_mm, values.right.origin_mm));
    let positions = pair(values.left.position, values.right.position);
    given |= data(subscribed.eye_position, &positions);
    given |= data(subscribed.position_guide, &positions);
    let (position_validity, position_mm) = field(values.head.map(|head| head.position_mm), fill);
    let (_, rotation) = field(values.head.map(|head| head.rotation), fill);
    let rotation_validity = [position_validity; 3];
    let timestamp_us = system_us;
    given |= data(
        subscribed.head_pose,
        &HeadPose { timestamp_us, position_validity, position_mm, rotation_validity, rotation },
    );
    if !professional {
        return given;
    }
    let (left, right) = (EyeV4::new(&values.left, fill), EyeV4::new(&values.right, fill));
    given |= match world.config.gaze_data_layout {
        GazeLayout::V4 => data(subscribed.gaze_data, &GazeData { tracker_us, system_us, left, right }),
        GazeLayout::V3 => {
            let (left, right) = (EyeV3::from(left), EyeV3::from(right));
            data(subscribed.gaze_data, &GazeData { tracker_us, system_us, left, right })
        }
    };
    let (left_validity, [left_mm]) = field(values.left.openness_mm.map(|mm| [mm]), fill);
    let (right_validity, [right_mm]) = field(values.right.openness_mm.map(|mm| [mm]), fill);
    let openness = EyeOpenness { tracker_us, system_us, left_validity, left_mm, right_validity, right_mm };
    given | data(subscribed.openness, &openness)
}

/// Calls a callback, if there is one.
fn data<T>(subscription: Option<Subscription<OnData>>, value: &T) -> bool {
    let Some(subscription) = subscription else { return false };
    in_callback(|| {
        // SAFETY: the client keeps both alive until it unsubscribes; the stream's own struct is behind
        // the pointer for as long as the call lasts.
        unsafe { (subscription.callback)((&raw const *value).cast::<c_void>(), subscription.user.0) };
    });
    true
}
