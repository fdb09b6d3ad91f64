//! The types at the edge to C, with their sizes, and the numbers that mean something there.

use std::ffi::{c_char, c_int};

use lockstep_sim::tobii::Eye;

/// What calls answer.
pub type Status = c_int;
/// All is well.
pub const OK: Status = 0;
/// A parameter that is not possible.
pub const INVALID_PARAMETER: Status = 10;
/// Something is wrong inside the library.
pub const INTERNAL: Status = 200;
/// The licence does not allow it.
pub const INSUFFICIENT_LICENSE: Status = 201;
/// The device cannot do it.
pub const NOT_SUPPORTED: Status = 202;
/// There is no connection.
pub const CONNECTION_FAILED: Status = 204;
/// There is a callback for this stream already.
pub const ALREADY_SUBSCRIBED: Status = 212;
/// There is no such callback for this stream.
pub const NOT_SUBSCRIBED: Status = 213;
/// Not from a callback.
pub const CALLBACK_IN_PROGRESS: Status = 217;

/// A tracker; never looked into, by anyone.
#[repr(C)]
pub struct EyeTracker {
    _opaque: [u8; 0],
}

/// Trackers that were found.
#[repr(C)]
#[allow(missing_docs)]
pub struct EyeTrackers {
    pub trackers: *mut *mut EyeTracker,
    pub count: usize,
}

/// Numbers with their count.
#[repr(C)]
#[allow(missing_docs)]
pub struct Frequencies {
    pub frequencies_hz: *mut f32,
    pub count: usize,
}

/// Texts with their count.
#[repr(C)]
#[allow(missing_docs)]
pub struct Modes {
    pub modes: *mut *mut c_char,
    pub count: usize,
}

/// Where an eye looks.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct GazePoint {
    pub on_display: [f32; 2],
    pub mm: [f32; 3],
    pub validity: c_int,
}

/// A pupil.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Pupil {
    pub diameter_mm: f32,
    pub validity: c_int,
}

/// Where an eye is, from version 2 on.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct OriginV2 {
    pub mm: [f32; 3],
    pub validity: c_int,
}

/// Where an eye is, in version 1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct OriginV1 {
    pub mm: [f32; 3],
    pub in_track_box: [f32; 3],
    pub validity: c_int,
}

/// An eye.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyeData<O> {
    pub point: GazePoint,
    pub pupil: Pupil,
    pub origin: O,
}

/// Gaze.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct GazeData<O> {
    pub left: EyeData<O>,
    pub right: EyeData<O>,
    pub device_us: i64,
    pub system_us: i64,
}

/// A time sync. The order is another than the Stream Engine's.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct TimeSync {
    pub system_request_us: i64,
    pub device_us: i64,
    pub system_response_us: i64,
}

/// The digital input.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct ExternalSignal {
    pub device_us: i64,
    pub system_us: i64,
    pub value: u32,
    pub change_type: c_int,
}

/// How far the lids are open.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyeOpenness {
    pub device_us: i64,
    pub system_us: i64,
    pub left_validity: c_int,
    pub left_mm: f32,
    pub right_validity: c_int,
    pub right_mm: f32,
}

/// Where an eye is in the track box.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Guide {
    pub position: [f32; 3],
    pub validity: c_int,
}

/// Where both are. There is no time in it.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct PositionGuide {
    pub left: Guide,
    pub right: Guide,
}

/// The display.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct DisplayArea {
    pub bottom_left_mm: [f32; 3],
    pub bottom_right_mm: [f32; 3],
    pub height_mm: f32,
    pub top_left_mm: [f32; 3],
    pub top_right_mm: [f32; 3],
    pub width_mm: f32,
}

/// What a notification says; its type tells which field counts.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub union NotificationUnion {
    pub frequency_hz: f32,
    pub display_area: DisplayArea,
    pub text: [c_char; 512],
}

/// A notification.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Notification {
    pub system_us: i64,
    pub kind: c_int,
    pub value: NotificationUnion,
}

/// What is wrong with a stream.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct StreamError {
    pub system_us: i64,
    pub error: c_int,
    pub source: c_int,
    pub message: *const c_char,
}

const _: () = {
    assert!(size_of::<EyeTrackers>() == 16 && size_of::<Frequencies>() == 16 && size_of::<Modes>() == 16);
    assert!(size_of::<GazeData<OriginV2>>() == 112 && size_of::<GazeData<OriginV1>>() == 136);
    assert!(size_of::<TimeSync>() == 24 && size_of::<ExternalSignal>() == 24);
    assert!(size_of::<EyeOpenness>() == 32 && size_of::<PositionGuide>() == 32);
    assert!(size_of::<DisplayArea>() == 56 && size_of::<Notification>() == 528);
    assert!(size_of::<StreamError>() == 24);
};

/// The display of every simulated tracker.
pub const DISPLAY_AREA: DisplayArea = DisplayArea {
    bottom_left_mm: [-260.0, 18.0, 5.0],
    bottom_right_mm: [260.0, 18.0, 5.0],
    height_mm: 292.2,
    top_left_mm: [-260.0, 310.0, 15.0],
    top_right_mm: [260.0, 310.0, 15.0],
    width_mm: 520.0,
};

/// Validity and numbers of a field.
pub fn field<const N: usize>(field: Option<[f32; N]>, fill: f32) -> (c_int, [f32; N]) {
    (c_int::from(field.is_some()), field.unwrap_or([fill; N]))
}

/// An origin of either version.
pub trait Origin: Copy {
    /// That of an eye.
    fn new(eye: &Eye, fill: f32) -> Self;
}

impl Origin for OriginV2 {
    fn new(eye: &Eye, fill: f32) -> Self {
        let (validity, mm) = field(eye.origin_mm, fill);
        Self { mm, validity }
    }
}

impl Origin for OriginV1 {
    fn new(eye: &Eye, fill: f32) -> Self {
        let (validity, mm) = field(eye.origin_mm, fill);
        // Both have one validity here.
        let (_, in_track_box) = field(eye.position, fill);
        Self { mm, in_track_box, validity }
    }
}

impl<O: Origin> EyeData<O> {
    /// An eye, with `fill` in fields that are not valid.
    pub fn new(eye: &Eye, fill: f32) -> Self {
        let (validity, mm) = field(eye.point.map(|point| point.mm), fill);
        let (_, on_display) = field(eye.point.map(|point| point.display), fill);
        let point = GazePoint { on_display, mm, validity };
        let (validity, [diameter_mm]) = field(eye.pupil_mm.map(|mm| [mm]), fill);
        Self { point, pupil: Pupil { diameter_mm, validity }, origin: O::new(eye, fill) }
    }
}

/// Copies `text` with a zero behind it, cut if it is too long.
pub fn copy_text(text: &str, to: &mut [c_char]) {
    let room = to.len().saturating_sub(1);
    let bytes = text.bytes().take(room).chain(std::iter::once(0));
    for (to, byte) in to.iter_mut().zip(bytes) {
        *to = byte as c_char;
    }
}
