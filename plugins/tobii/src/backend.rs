//! What a backend is: one tracker, through one of Tobii's interfaces.

use lockstep_plugin_api::Exchange;

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
    /// It says how far the eyes are open.
    pub has_eye_openness: bool,
    /// It has a sync port.
    pub has_external_signal: bool,
    /// It says where the head is.
    pub has_positioning: bool,
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

/// What comes from a tracker. Times as in [`Gaze`].
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A sample of gaze.
    Gaze(Box<Gaze>),
    /// How far the eyes are open in millimetres, and whether that is valid: left, right.
    EyeOpenness {
        /// By the tracker's clock.
        device_us: i64,
        /// By the clock of this machine.
        system_us: i64,
        /// Left and right.
        eyes: [(f32, bool); 2],
    },
    /// The sync port.
    ExternalSignal {
        /// By the tracker's clock.
        device_us: i64,
        /// By the clock of this machine.
        system_us: i64,
        /// What stands on its lines.
        value: u32,
        /// 0: it has changed, 1: it was so at the start, 2: it is so after the connection came back.
        change: i32,
    },
    /// Where the eyes are in the box in front of the tracker, 0 to 1, and whether that is valid: left, right.
    Positioning {
        /// By the clock of this machine; `None`: it is not said.
        system_us: Option<i64>,
        /// Left and right.
        eyes: [(Point3, bool); 2],
    },
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
