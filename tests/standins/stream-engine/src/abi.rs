//! The types at the edge to C, with their sizes, and the numbers that mean something there.

use std::ffi::{c_char, c_int, c_void};

use lockstep_sim::tobii::{Eye, NotificationKind, NotificationValue};

/// What calls answer.
pub type Error = c_int;
/// All is well.
pub const OK: Error = 0;
/// Something is wrong inside the library.
pub const INTERNAL: Error = 1;
/// The licence does not allow it.
pub const INSUFFICIENT_LICENSE: Error = 2;
/// The device cannot do it.
pub const NOT_SUPPORTED: Error = 3;
/// There is no connection.
pub const CONNECTION_FAILED: Error = 5;
/// Nothing came in time.
pub const TIMED_OUT: Error = 6;
/// A parameter that is not possible.
pub const INVALID_PARAMETER: Error = 8;
/// There is a callback for this stream already.
pub const ALREADY_SUBSCRIBED: Error = 11;
/// There is no callback for this stream.
pub const NOT_SUBSCRIBED: Error = 12;
/// It did not work out; it may the next time.
pub const OPERATION_FAILED: Error = 13;
/// Devices of different instances of the library.
pub const CONFLICTING_API_INSTANCES: Error = 14;
/// Not from a callback.
pub const CALLBACK_IN_PROGRESS: Error = 16;
/// The device gets new firmware.
pub const FIRMWARE_UPGRADE_IN_PROGRESS: Error = 20;

/// An instance of the library; never looked into, by anyone.
#[repr(C)]
pub struct Api {
    _opaque: [u8; 0],
}

/// A device; never looked into, by anyone.
#[repr(C)]
pub struct Device {
    _opaque: [u8; 0],
}

/// A version.
#[repr(C)]
#[allow(missing_docs)]
pub struct Version {
    pub numbers: [c_int; 4],
}

/// An allocator of the client's.
#[repr(C)]
#[allow(missing_docs)]
pub struct CustomAlloc {
    pub context: *mut c_void,
    pub allocate: Option<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>,
    pub free: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
}

/// Called with a line of the log.
pub type OnLog = unsafe extern "C" fn(context: *mut c_void, level: c_int, text: *const c_char);

/// A log of the client's.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct CustomLog {
    pub context: *mut c_void,
    pub log: Option<OnLog>,
}

/// A key.
#[repr(C)]
#[allow(missing_docs)]
pub struct LicenseKey {
    pub text: *const u16,
    pub size_bytes: usize,
}

/// A time sync.
#[repr(C)]
#[allow(missing_docs)]
pub struct TimesyncData {
    pub system_start_us: i64,
    pub system_end_us: i64,
    pub tracker_us: i64,
}

/// Where somebody looks on the display.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct GazePoint {
    pub timestamp_us: i64,
    pub validity: c_int,
    pub position: [f32; 2],
}

/// A place of each eye, of three streams.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyePair {
    pub timestamp_us: i64,
    pub left_validity: c_int,
    pub left: [f32; 3],
    pub right_validity: c_int,
    pub right: [f32; 3],
}

/// The head.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct HeadPose {
    pub timestamp_us: i64,
    pub position_validity: c_int,
    pub position_mm: [f32; 3],
    pub rotation_validity: [c_int; 3],
    pub rotation: [f32; 3],
}

/// One eye of the professional stream, from version 4 on.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyeV4 {
    pub origin_validity: c_int,
    pub origin_mm: [f32; 3],
    pub position_validity: c_int,
    pub position: [f32; 3],
    pub point_validity: c_int,
    pub point_mm: [f32; 3],
    pub point_on_display: [f32; 2],
    pub eyeball_validity: c_int,
    pub eyeball_mm: [f32; 3],
    pub pupil_validity: c_int,
    pub pupil_mm: f32,
}

/// One eye of the professional stream before.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyeV3 {
    pub origin_validity: c_int,
    pub origin_mm: [f32; 3],
    pub position: [f32; 3],
    pub point_validity: c_int,
    pub point_mm: [f32; 3],
    pub point_on_display: [f32; 2],
    pub eyeball_validity: c_int,
    pub eyeball_mm: [f32; 3],
    pub pupil_validity: c_int,
    pub pupil_mm: f32,
}

/// The professional stream.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct GazeData<E> {
    pub tracker_us: i64,
    pub system_us: i64,
    pub left: E,
    pub right: E,
}

/// How far the lids are open.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct EyeOpenness {
    pub tracker_us: i64,
    pub system_us: i64,
    pub left_validity: c_int,
    pub left_mm: f32,
    pub right_validity: c_int,
    pub right_mm: f32,
}

/// Corners of the display.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct DisplayArea {
    pub top_left_mm: [f32; 3],
    pub top_right_mm: [f32; 3],
    pub bottom_left_mm: [f32; 3],
}

/// What a notification says; which field counts is told beside it.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub union NotificationUnion {
    pub float: f32,
    pub number: u32,
    pub display_area: DisplayArea,
    pub text: [c_char; 512],
}

/// A notification.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Notification {
    pub kind: c_int,
    pub value_type: c_int,
    pub value: NotificationUnion,
}

const _: () = {
    assert!(size_of::<TimesyncData>() == 24 && size_of::<GazePoint>() == 24);
    assert!(size_of::<EyePair>() == 40 && size_of::<HeadPose>() == 48);
    assert!(size_of::<GazeData<EyeV4>>() == 176 && size_of::<GazeData<EyeV3>>() == 168);
    assert!(size_of::<EyeOpenness>() == 32 && size_of::<DisplayArea>() == 36);
    assert!(size_of::<Notification>() == 520 && align_of::<Notification>() == 4);
    assert!(size_of::<CustomLog>() == 16 && size_of::<CustomAlloc>() == 24 && size_of::<LicenseKey>() == 16);
};

/// The display of every simulated tracker.
pub const DISPLAY_AREA: DisplayArea = DisplayArea {
    top_left_mm: [-260.0, 310.0, 15.0],
    top_right_mm: [260.0, 310.0, 15.0],
    bottom_left_mm: [-260.0, 18.0, 5.0],
};

/// Validity and numbers of a field.
pub fn field<const N: usize>(field: Option<[f32; N]>, fill: f32) -> (c_int, [f32; N]) {
    (c_int::from(field.is_some()), field.unwrap_or([fill; N]))
}

impl EyeV4 {
    /// An eye, with `fill` in fields that are not valid.
    pub fn new(eye: &Eye, fill: f32) -> Self {
        let (origin_validity, origin_mm) = field(eye.origin_mm, fill);
        let (position_validity, position) = field(eye.position, fill);
        let (point_validity, point_mm) = field(eye.point.map(|point| point.mm), fill);
        let (_, point_on_display) = field(eye.point.map(|point| point.display), fill);
        let (eyeball_validity, eyeball_mm) = field(eye.eyeball_mm, fill);
        let (pupil_validity, [pupil_mm]) = field(eye.pupil_mm.map(|mm| [mm]), fill);
        Self {
            origin_validity,
            origin_mm,
            position_validity,
            position,
            point_validity,
            point_mm,
            point_on_display,
            eyeball_validity,
            eyeball_mm,
            pupil_validity,
            pupil_mm,
        }
    }
}

impl From<EyeV4> for EyeV3 {
    fn from(eye: EyeV4) -> Self {
        Self {
            origin_validity: eye.origin_validity,
            origin_mm: eye.origin_mm,
            position: eye.position,
            point_validity: eye.point_validity,
            point_mm: eye.point_mm,
            point_on_display: eye.point_on_display,
            eyeball_validity: eye.eyeball_validity,
            eyeball_mm: eye.eyeball_mm,
            pupil_validity: eye.pupil_validity,
            pupil_mm: eye.pupil_mm,
        }
    }
}

impl Notification {
    /// A notification as C has it.
    pub fn new(kind: NotificationKind, number: f64, text: &str) -> Self {
        // All bytes are 0 first: some of them may be read by somebody who reads the wrong field.
        let mut value = NotificationUnion { text: [0; 512] };
        let value_type = match kind.value() {
            NotificationValue::None => 0,
            NotificationValue::Float => {
                value.float = number as f32;
                1
            }
            NotificationValue::State => {
                value.number = number as u32;
                2
            }
            NotificationValue::DisplayArea => {
                value.display_area = DISPLAY_AREA;
                3
            }
            NotificationValue::Uint => {
                value.number = number as u32;
                4
            }
            NotificationValue::EnabledEye => {
                value.number = number as u32;
                5
            }
            NotificationValue::Text => {
                let mut bytes = [0; 512];
                copy_text(text, &mut bytes);
                value.text = bytes;
                6
            }
        };
        Self { kind: kind as c_int, value_type, value }
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
