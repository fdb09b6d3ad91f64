//! What a backend is: one tracker, through one of Tobii's interfaces.

use lockstep_plugin_api::Exchange;

use crate::streams::{Kind, gaze_values, seconds};

/// Who the tracker is, and what it sends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tracker {
    /// Serial number.
    pub serial: String,
    /// Model.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Where it is, as the library says.
    pub address: String,
    /// What talks to it: a name and a version.
    pub library: String,
    /// Gaze samples a second; 0: it does not say.
    pub frequency_hz: f64,
    /// What it sends beside time syncs.
    pub streams: Vec<Kind>,
}

impl Tracker {
    /// Note which of these it sends.
    pub fn sends(&mut self, kinds: &[(bool, Kind)]) {
        self.streams = kinds.iter().filter(|(is_there, _)| *is_there).map(|(_, kind)| *kind).collect();
    }
}

/// A place in space, in millimetres.
pub type Point3 = [f32; 3];

/// What a gaze sample says of one eye. Values are as they came, also where they are said to be not valid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eye {
    /// Where it looks, on the display: 0 to 1 from the upper left.
    pub gaze_on_display: [f32; 2],
    /// Where it looks, from the tracker.
    pub gaze_mm: Point3,
    /// Both are valid.
    pub gaze_valid: bool,
    /// Diameter of the pupil.
    pub pupil_mm: f32,
    /// It is valid.
    pub pupil_valid: bool,
    /// Where the eye is, from the tracker.
    pub origin_mm: Point3,
    /// It is valid.
    pub origin_valid: bool,
    /// Where the eye is in the box in front of the tracker, 0 to 1; `None`: it is not said.
    pub in_track_box: Option<(Point3, bool)>,
    /// The centre of the eyeball, from the tracker; `None`: it is not said.
    pub eyeball_centre_mm: Option<(Point3, bool)>,
}

/// A sample of gaze.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaze {
    /// By the tracker's clock.
    pub device_us: i64,
    /// By the clock of this machine, as the library works it out.
    pub system_us: i64,
    /// The eyes, left first.
    pub eyes: [Eye; 2],
}

/// What comes from a tracker.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A sample of gaze: its time by the tracker's clock in seconds, and its values.
    Gaze {
        /// By the tracker's clock.
        stamp_s: f64,
        /// One a channel.
        values: Vec<f64>,
    },
    /// A sample of another stream: when, and its values in this machine's byte order.
    Sample(Kind, At, Vec<u8>),
    /// An event of the tracker's, or of somebody who talks to it: when by the tracker's clock in seconds, and what.
    Event(f64, String),
    /// A time sync that the library made by itself.
    TimeSync(SyncOperation),
    /// What the tracker, or the library, has to say: a name, and more.
    Notice(&'static str, serde_json::Value),
    /// The tracker has paused, or goes on.
    Paused(bool),
    /// The library lost the tracker, or has found it again by itself.
    Connected(bool),
    /// Items found no room on their way.
    Lost(u64),
}

impl Item {
    /// A sample of gaze of a tracker before a display.
    pub fn gaze(gaze: &Gaze) -> Self {
        Self::Gaze { stamp_s: seconds(gaze.device_us), values: gaze_values(gaze) }
    }

    /// How far the eyes are open in millimetres, and whether that is valid: left, right.
    pub fn eye_openness(device_us: i64, system_us: i64, eyes: [(f32, bool); 2]) -> Self {
        let of_eye = |(mm, is_valid): (f32, bool)| [f64::from(mm), f64::from(u8::from(is_valid))];
        let values = eyes.into_iter().flat_map(of_eye).chain([seconds(system_us)]);
        let bytes = values.flat_map(f64::to_ne_bytes).collect();
        Self::Sample(Kind::EyeOpenness, At::Device(seconds(device_us)), bytes)
    }

    /// What stands on the lines of the sync port; `change` is 0: it has changed, 1: it was so at the start, 2: it is so
    /// after the connection came back.
    pub fn external_signal(device_us: i64, system_us: i64, value: u32, change: i32) -> Self {
        let values = [device_us, system_us, value.into(), change.into()];
        let bytes = values.into_iter().flat_map(i64::to_ne_bytes).collect();
        Self::Sample(Kind::ExternalSignal, At::Device(seconds(device_us)), bytes)
    }

    /// Where the eyes are in the box in front of the tracker, 0 to 1, and whether that is valid: left, right.
    pub fn positioning(at: At, eyes: [(Point3, bool); 2]) -> Self {
        let values = eyes.into_iter().flat_map(|([x, y, z], is)| [x, y, z, f32::from(u8::from(is))]);
        Self::Sample(Kind::Positioning, at, values.flat_map(f32::to_ne_bytes).collect())
    }
}

/// When a sample is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// By the tracker's clock, in seconds.
    Device(f64),
    /// By the clock of this machine that the library reads, in microseconds.
    System(i64),
    /// It is not said: now.
    Now,
}

/// One time sync, in microseconds: ST1 and ST3 by the clock of this machine, ET2 by the tracker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncOperation {
    /// When the question left.
    pub request_us: i64,
    /// What the tracker's clock said.
    pub device_us: i64,
    /// When the answer was there.
    pub response_us: i64,
}

impl SyncOperation {
    /// As an exchange in recorder time, to which the clock of this machine that the library reads is ahead by
    /// `ahead_us`.
    pub fn exchange(&self, ahead_us: f64) -> Exchange {
        let recorder_s =
            |system_us: i64| lockstep_platform::ticks_as_seconds(system_us, 1_000_000) - ahead_us / 1e6;
        let device_s = lockstep_platform::ticks_as_seconds(self.device_us, 1_000_000);
        Exchange {
            t0_s: recorder_s(self.request_us),
            t1_s: device_s,
            t2_s: device_s,
            t3_s: recorder_s(self.response_us),
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is lost: try again.
    Disconnected(String),
    /// It is being upgraded: wait.
    Upgrading,
    /// It will not do: what, and the mend.
    Refused(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disconnected(why) | Self::Refused(why) => write!(f, "{why}"),
            Self::Upgrading => write!(f, "its firmware is being upgraded"),
        }
    }
}

/// One tracker, connected. All calls come from one thread.
pub trait Backend {
    /// Who it is.
    fn tracker(&self) -> &Tracker;

    /// Take what has come, having waited for it for some milliseconds.
    ///
    /// # Errors
    /// [`Trouble`].
    fn pump(&mut self, out: &mut Vec<Item>) -> Result<(), Trouble>;

    /// One time sync; `None`: the library makes them by itself, and they come as items.
    ///
    /// # Errors
    /// [`Trouble`].
    fn time_sync(&mut self) -> Option<Result<SyncOperation, Trouble>>;

    /// Connect again.
    ///
    /// # Errors
    /// [`Trouble`].
    fn reconnect(&mut self) -> Result<(), Trouble>;

    /// The clock of this machine that the library reads, in microseconds.
    fn system_clock_us(&self) -> Option<i64>;
}
