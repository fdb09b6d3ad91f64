//! Functions that tell what a device is and how it is.

use std::ffi::{c_char, c_int, c_void};

use lockstep_sim::tobii::{Level, Stream};

use crate::abi::{self, DISPLAY_AREA, Device, DisplayArea, Error, copy_text};
use crate::world::{World, call, give, in_callback};

const CONSUMER: c_int = 1;
const PROFESSIONAL: c_int = 3;
const DEVICE_PAUSED: c_int = 2;
/// States by their kinds of value.
const BOOL_STATES: [c_int; 5] = [0, 1, DEVICE_PAUSED, 3, 7];
const TEXT_STATES: [c_int; 2] = [4, 5];
const CALIBRATION_ID: c_int = 6;
/// Numbers of capabilities end here.
const CAPABILITIES: c_int = 32;

/// What the device is, as a struct that has grown with the versions: texts of fixed lengths.
///
/// # Safety
/// `info` is null or has room for the struct of the version that is pretended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_device_info(device: *mut Device, info: *mut c_char) -> Error {
    call(|world| {
        world.device(device)?;
        if info.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        let bytes = device_info(world);
        // SAFETY: it is not null, and has room by the promise of whoever calls.
        unsafe { info.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    })
}

fn device_info(world: &World) -> Vec<c_char> {
    let config = &world.config;
    let first = [&config.serial, &config.model, &config.generation, &config.firmware].map(String::as_str);
    let mut fields: Vec<(&str, usize)> = Vec::new();
    if world.version[0] < 3 {
        fields.extend(first.into_iter().zip([128, 64, 64, 128]));
    } else {
        fields.extend(first.into_iter().zip([256; 4]));
        fields.extend(["SIM-I", "1", "20260101", "SIM-L"].into_iter().zip([128; 4]));
        fields.extend(["simulated", "0.1"].into_iter().zip([256; 2]));
    }
    if world.version > [5, 7, 0, 4] {
        fields.extend([("simulated", 128), ("", 128)]);
    }
    let mut bytes = Vec::new();
    for (text, length) in fields {
        let begin = bytes.len();
        bytes.resize(begin + length, 0);
        copy_text(text, &mut bytes[begin..]);
    }
    bytes
}

/// Which functions the licence allows.
///
/// # Safety
/// `group` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_feature_group(device: *mut Device, group: *mut c_int) -> Error {
    call(|world| {
        let open = world.device(device)?;
        world.need_connection()?;
        let professional = world.level(&open)? == Level::Professional;
        // SAFETY: as promised by whoever calls.
        unsafe { give(group, if professional { PROFESSIONAL } else { CONSUMER }) }
    })
}

/// A state that holds or not.
///
/// # Safety
/// `value` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_state_bool(device: *mut Device, state: c_int, value: *mut c_int) -> Error {
    call(|world| {
        world.device(device)?;
        if !BOOL_STATES.contains(&state) {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        let is_paused = world.with_tracker(|tracker, now_s| Ok(tracker.is_paused(now_s)))?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(value, c_int::from(state == DEVICE_PAUSED && is_paused)) }
    })
}

/// A state that is a number.
///
/// # Safety
/// `value` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_state_uint32(device: *mut Device, state: c_int, value: *mut u32) -> Error {
    call(|world| {
        world.device(device)?;
        if state != CALIBRATION_ID {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(value, 1) }
    })
}

/// A state that is a text.
///
/// # Safety
/// `value` is null or has room for 512 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_state_string(
    device: *mut Device,
    state: c_int,
    value: *mut [c_char; 512],
) -> Error {
    call(|world| {
        world.device(device)?;
        if !TEXT_STATES.contains(&state) {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        let mut text = [0; 512];
        copy_text("ok", &mut text);
        // SAFETY: as promised by whoever calls.
        unsafe { give(value, text) }
    })
}

/// Whether the device can do something; this one has no capability that has a number.
///
/// # Safety
/// `supported` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_capability_supported(
    device: *mut Device,
    capability: c_int,
    supported: *mut c_int,
) -> Error {
    call(|world| {
        world.device(device)?;
        if !(0..CAPABILITIES).contains(&capability) {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(supported, 0) }
    })
}

/// Whether the device has a stream.
///
/// # Safety
/// `supported` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_stream_supported(
    device: *mut Device,
    stream: c_int,
    supported: *mut c_int,
) -> Error {
    call(|world| {
        world.device(device)?;
        if !(0..=12).contains(&stream) {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_connection()?;
        let has = stream_of(stream, world.version[0]).is_some_and(|s| !world.config.unsupported.contains(&s));
        // SAFETY: as promised by whoever calls.
        unsafe { give(supported, c_int::from(has)) }
    })
}

/// The stream of a number; version 4 gave some of them others.
fn stream_of(number: c_int, major: i32) -> Option<Stream> {
    match (number, major >= 4) {
        (0, _) => Some(Stream::GazePoint),
        (1, _) => Some(Stream::GazeOrigin),
        (2, _) => Some(Stream::EyePositionNormalized),
        (3, _) => Some(Stream::UserPresence),
        (4, _) => Some(Stream::HeadPose),
        (5, true) | (6, false) => Some(Stream::GazeData),
        (6, true) | (7, false) => Some(Stream::DigitalSyncport),
        (8, true) | (9, false) => Some(Stream::UserPositionGuide),
        _ => None,
    }
}

/// Corners of the box in which eyes are found.
///
/// # Safety
/// `corners` is null or has room for eight of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_track_box(device: *mut Device, corners: *mut [[f32; 3]; 8]) -> Error {
    call(|world| {
        world.device(device)?;
        world.need_connection()?;
        // The front is nearer to the tracker; each side goes round from its upper right corner.
        let side = |x: f32, y: f32, z: f32| [[x, y, z], [-x, y, z], [-x, -y, z], [x, -y, z]];
        let (front, back) = (side(170.0, 120.0, 450.0), side(260.0, 190.0, 850.0));
        let all = [front[0], front[1], front[2], front[3], back[0], back[1], back[2], back[3]];
        // SAFETY: as promised by whoever calls.
        unsafe { give(corners, all) }
    })
}

/// Corners of the display.
///
/// # Safety
/// `area` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_display_area(device: *mut Device, area: *mut DisplayArea) -> Error {
    call(|world| {
        world.device(device)?;
        world.need_connection()?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(area, DISPLAY_AREA) }
    })
}

/// Samples a second.
///
/// # Safety
/// `frequency_hz` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_output_frequency(device: *mut Device, frequency_hz: *mut f32) -> Error {
    call(|world| {
        world.device(device)?;
        world.need_connection()?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(frequency_hz, world.config.frequency_hz as f32) }
    })
}

/// Tells all frequencies that the device offers: the one that it has.
///
/// # Safety
/// `receiver` is null or a function that takes `user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_enumerate_output_frequencies(
    device: *mut Device,
    receiver: Option<unsafe extern "C" fn(f32, *mut c_void)>,
    user: *mut c_void,
) -> Error {
    call(|world| {
        world.device(device)?;
        let receiver = receiver.ok_or(abi::INVALID_PARAMETER)?;
        world.need_connection()?;
        // SAFETY: the function takes what it was given with.
        in_callback(|| unsafe { receiver(world.config.frequency_hz as f32, user) });
        Ok(())
    })
}
