//! The library's own threads: one gives the subscribers what has arrived and keeps the connection, one
//! makes time syncs.

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::time::Duration;

use lockstep_sim::tobii::{
    Delivery, Level, NotificationKind, Sample, SyncKind, Timesync, Told, system_us, wait_until,
};

use crate::abi::{
    DISPLAY_AREA, ExternalSignal, EyeData, EyeOpenness, GazeData, Guide, Notification, NotificationUnion,
    Origin, OriginV1, OriginV2, PositionGuide, StreamError, TimeSync, copy_text, field,
};
use crate::streams::{SIGNAL_CHANGED, SIGNAL_RESTORED, Subscription, Subscriptions};
use crate::world::{World, in_callback, now_s};

/// Naps are at most so long, for a subscriber may come.
const NAP_S: f64 = 0.02;
const RECONNECT_EVERY_S: f64 = 0.1;
/// Longer round trips are never used.
const WORST_ROUND_TRIP_US: i64 = 6000;

const LOG_INFORMATION: c_int = 2;
const CONNECTION_LOST: c_int = 0;
const CONNECTION_RESTORED: c_int = 1;
const ERROR_CONNECTION_LOST: c_int = 0;
const ERROR_LICENSE: c_int = 1;

/// Starts both.
///
/// # Errors
/// When the system has no thread left.
pub fn start(world: &'static World) -> io::Result<()> {
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    thread("tobii-callbacks").spawn(move || Pump::new(world).run())?;
    thread("tobii-timesync").spawn(move || keep_synchronized(world))?;
    Ok(())
}

/// Makes rounds of time syncs, often at first and then more rarely.
fn keep_synchronized(world: &World) {
    let auto = world.config.auto_sync;
    let mut rounds = 0;
    let mut was_connected = false;
    loop {
        let is_connected = world.with_tracker(|tracker, now_s| tracker.is_connected(now_s)) == Some(true);
        if is_connected && was_connected {
            synchronize(world, auto.requests);
            rounds += 1;
        } else if is_connected {
            // Whoever connected made the first round; after that it begins anew.
            rounds = 1;
        }
        was_connected = is_connected;
        let interval_s = if rounds < auto.often { auto.first_interval_s } else { auto.interval_s };
        let until_s = now_s() + interval_s;
        // A new connection is not waited for to its end.
        while now_s() < until_s {
            nap(NAP_S.min(interval_s));
            let is_connected = world.with_tracker(|tracker, now_s| tracker.is_connected(now_s)) == Some(true);
            if is_connected != was_connected {
                break;
            }
        }
    }
}

/// One round: the time sync of the lowest round-trip time is used, and given to the subscriber.
fn synchronize(world: &World, requests: u32) {
    let _round = world.sync_round();
    let mut all: Vec<Timesync> = Vec::new();
    for _ in 0..requests {
        let Some(Ok(plan)) = world.with_tracker(|tracker, now_s| tracker.plan_timesync(now_s)) else { break };
        let received_s = wait_until(plan.due_host_s);
        let finished =
            world.with_tracker(|tracker, _| tracker.finish_timesync(&plan, received_s, SyncKind::Auto));
        let Some(Ok(sync)) = finished else { break };
        all.push(sync);
    }
    let best = (0..all.len()).min_by_key(|place| all[*place].round_trip_us());
    for (place, sync) in all.iter().enumerate() {
        let used = Some(place) == best && sync.round_trip_us() <= WORST_ROUND_TRIP_US;
        let given = used && {
            let data = TimeSync {
                system_request_us: sync.st1_us,
                device_us: sync.et2_us,
                system_response_us: sync.st3_us,
            };
            give(world.subscriptions().time_sync, &data)
        };
        world.with_tracker(|tracker, _| tracker.settle_timesync(sync, used, given));
    }
}

/// Gives the subscribers what has arrived.
struct Pump {
    world: &'static World,
    was_connected: bool,
    /// Whether it ever was.
    has_connected: bool,
    was_professional: bool,
    /// The digital input, as it was told last.
    signal: u32,
}

impl Pump {
    fn new(world: &'static World) -> Self {
        Self { world, was_connected: false, has_connected: false, was_professional: true, signal: 0 }
    }

    fn run(mut self) {
        self.world.say(LOG_INFORMATION, "This is a SIMULATED Pro SDK with a simulated device");
        self.connect();
        loop {
            let due_s = self.world.with_tracker(|tracker, now_s| tracker.next_due_s(now_s) - now_s);
            nap(due_s.unwrap_or(NAP_S).clamp(0.0, NAP_S));
            let taken = self.world.with_tracker(|tracker, now_s| {
                (tracker.take_due(now_s), tracker.level(now_s, true) == Level::Professional)
            });
            match taken {
                Some((Ok(deliveries), professional)) => self.give_all(&deliveries, professional),
                _ => self.reconnect(),
            }
        }
    }

    fn connect(&mut self) {
        let connected = self.world.with_tracker(|tracker, now_s| tracker.connect(now_s).is_ok());
        if connected == Some(true) {
            // Before samples come, their times can be converted.
            synchronize(self.world, self.world.config.auto_sync.requests);
            let restored = self.has_connected;
            self.was_connected = true;
            self.has_connected = true;
            if restored {
                let mut subscriptions = self.world.subscriptions();
                notify(&subscriptions, CONNECTION_RESTORED, now_us(), 0.0, "");
                if subscriptions.signal.is_some() {
                    subscriptions.signal_is_due.get_or_insert(SIGNAL_RESTORED);
                }
            }
        }
    }

    fn reconnect(&mut self) {
        if std::mem::take(&mut self.was_connected) {
            let subscriptions = self.world.subscriptions();
            notify(&subscriptions, CONNECTION_LOST, now_us(), 0.0, "");
            tell_error(&subscriptions, ERROR_CONNECTION_LOST, c"the connection was lost");
        }
        nap(RECONNECT_EVERY_S);
        self.connect();
    }

    fn give_all(&mut self, deliveries: &[Delivery], professional: bool) {
        let mut subscriptions = self.world.subscriptions();
        if self.was_professional && !professional {
            tell_error(&subscriptions, ERROR_LICENSE, c"the licence does not allow this any more");
        }
        self.was_professional = professional;
        if let Some(change_type) = subscriptions.signal_is_due.take() {
            self.tell_signal(&subscriptions, change_type);
        }
        let given: Vec<bool> =
            deliveries.iter().map(|delivery| self.give_one(&subscriptions, delivery, professional)).collect();
        drop(subscriptions);
        self.world.with_tracker(|tracker, _| {
            for (delivery, given) in deliveries.iter().zip(given) {
                tracker.settle(delivery, given);
            }
        });
    }

    /// Tells how the digital input is, now.
    fn tell_signal(&self, subscriptions: &Subscriptions, change_type: c_int) {
        let read = self.world.with_tracker(|tracker, now_s| (tracker.device_us(now_s), system_us(now_s)));
        if let Some((device_us, system_us)) = read {
            let data = ExternalSignal { device_us, system_us, value: self.signal, change_type };
            give(subscriptions.signal, &data);
        }
    }

    fn give_one(&mut self, subscribed: &Subscriptions, delivery: &Delivery, professional: bool) -> bool {
        match delivery {
            Delivery::Sample(sample) if self.world.version[0] >= 2 => {
                give_sample::<OriginV2>(self.world, subscribed, sample, professional)
            }
            Delivery::Sample(sample) => give_sample::<OriginV1>(self.world, subscribed, sample, professional),
            Delivery::SyncPort(change) => {
                self.signal = change.value;
                let (device_us, system_us) = (change.device_us, change.system_us);
                let (value, change_type) = (change.value, SIGNAL_CHANGED);
                let data = ExternalSignal { device_us, system_us, value, change_type };
                professional && give(subscribed.signal, &data)
            }
            Delivery::Told(Told::Notification { kind, number, text, system_us }) => {
                let kind = notification_type(*kind, self.world.version[0]);
                kind.is_some_and(|kind| notify(subscribed, kind, *system_us, *number, text))
            }
            Delivery::Told(Told::Presence { .. }) | Delivery::Lost(_) => false,
        }
    }
}

fn give_sample<O: Origin>(
    world: &World,
    subscribed: &Subscriptions,
    sample: &Sample,
    professional: bool,
) -> bool {
    let fill = world.config.invalid.value();
    let (left, right) = (&sample.values.left, &sample.values.right);
    let (device_us, system_us) = (sample.device_us, sample.system_us);
    let guide = |position| {
        let (validity, position) = field(position, fill);
        Guide { position, validity }
    };
    let positions = PositionGuide { left: guide(left.position), right: guide(right.position) };
    let given = give(subscribed.guide, &positions);
    if !professional {
        return given;
    }
    let (left_validity, [left_mm]) = field(left.openness_mm.map(|mm| [mm]), fill);
    let (right_validity, [right_mm]) = field(right.openness_mm.map(|mm| [mm]), fill);
    let openness = EyeOpenness { device_us, system_us, left_validity, left_mm, right_validity, right_mm };
    let (left, right) = (EyeData::<O>::new(left, fill), EyeData::<O>::new(right, fill));
    let given = given | give(subscribed.gaze, &GazeData { left, right, device_us, system_us });
    given | give(subscribed.openness, &openness)
}

/// The number of a notification, for those that this library has.
fn notification_type(kind: NotificationKind, major: i32) -> Option<c_int> {
    // Version 1 has the track box at 5, and all after it one further up.
    let from = if major >= 2 { 5 } else { 6 };
    match kind {
        NotificationKind::TrackBox => (major < 2).then_some(5),
        NotificationKind::DisplayArea => Some(from),
        NotificationKind::Framerate => Some(from + 1),
        NotificationKind::Faults => Some(from + 3),
        NotificationKind::Warnings => Some(from + 4),
        _ => None,
    }
}

fn notify(subscribed: &Subscriptions, kind: c_int, system_us: i64, number: f64, text: &str) -> bool {
    // All bytes are 0 first: somebody may read the wrong field.
    let mut value = NotificationUnion { text: [0; 512] };
    if !text.is_empty() {
        let mut bytes = [0; 512];
        copy_text(text, &mut bytes);
        value.text = bytes;
    } else if number != 0.0 {
        value.frequency_hz = number as f32;
    } else if kind > CONNECTION_RESTORED {
        value.display_area = DISPLAY_AREA;
    }
    give(subscribed.notifications, &Notification { system_us, kind, value })
}

fn tell_error(subscribed: &Subscriptions, error: c_int, message: &'static CStr) -> bool {
    // All streams have lost it, so no one of them is named.
    let data = StreamError { system_us: now_us(), error, source: 0, message: message.as_ptr() };
    give(subscribed.errors, &data)
}

fn now_us() -> i64 {
    system_us(now_s())
}

/// Calls a callback, if there is one.
fn give<T: Copy>(subscription: Option<Subscription>, value: &T) -> bool {
    let Some(subscription) = subscription else { return false };
    // The client may write into it.
    let mut copy = *value;
    in_callback(|| {
        // SAFETY: the client keeps both alive until it unsubscribes, which waits for this; the stream's
        // own struct is behind the pointer for as long as the call lasts.
        unsafe { (subscription.callback)((&raw mut copy).cast::<c_void>(), subscription.user.0) };
    });
    true
}

fn nap(for_s: f64) {
    std::thread::sleep(Duration::from_secs_f64(for_s));
}
