//! Functions of the library itself, and those that tell what the tracker is.

use std::ffi::{CStr, CString, c_char, c_int};

use lockstep_sim::tobii::{Stream, system_us};

use crate::abi::{self, DISPLAY_AREA, DisplayArea, EyeTracker, EyeTrackers, Frequencies, Modes, Status};
use crate::streams::OnLog;
use crate::world::{call, call_anywhere, give, now_s};

const CAPABILITY_EXTERNAL_SIGNAL: u32 = 1 << 1;
const CAPABILITY_GAZE: u32 = 1 << 3;
const CAPABILITY_EYE_OPENNESS: u32 = 1 << 9;

/// The version.
///
/// # Safety
/// `version` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_sdk_version(version: *mut [c_int; 4]) -> Status {
    // SAFETY: as promised by whoever calls.
    call(|world| unsafe { give(version, world.version) })
}

/// The system clock. Callbacks may call it.
///
/// # Safety
/// `timestamp_us` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_system_time_stamp(timestamp_us: *mut i64) -> Status {
    // SAFETY: as promised by whoever calls.
    call_anywhere(|_| unsafe { give(timestamp_us, system_us(now_s())) })
}

/// Sets the client's log.
///
/// # Safety
/// The function may be called from any thread until the log is taken away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_logging_subscribe(log: Option<OnLog>) -> Status {
    call(|world| {
        // Nothing is said here: clients hold locks of theirs that their log needs.
        world.set_log(Some(log.ok_or(abi::INVALID_PARAMETER)?));
        Ok(())
    })
}

/// Takes the client's log away.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_research_logging_unsubscribe() -> Status {
    call(|world| {
        world.set_log(None);
        Ok(())
    })
}

/// Finds all trackers: the one there is, unless it cannot be reached.
///
/// # Safety
/// `found` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_find_all_eyetrackers(found: *mut *mut EyeTrackers) -> Status {
    call(|world| {
        if found.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        let trackers = if world.is_reachable() { vec![world.handle()] } else { Vec::new() };
        let (trackers, count) = lend(trackers);
        // SAFETY: as promised by whoever calls.
        unsafe { give(found, Box::into_raw(Box::new(EyeTrackers { trackers, count }))) }
    })
}

/// Frees what was found.
///
/// # Safety
/// `found` is null or came from finding, and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_free_eyetrackers(found: *mut EyeTrackers) {
    if !found.is_null() {
        // SAFETY: both were lent by the function that found them.
        unsafe {
            let found = Box::from_raw(found);
            take_back(found.trackers, found.count);
        }
    }
}

/// The tracker at an address.
///
/// # Safety
/// `address` is null or a text, `tracker` null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_eyetracker(
    address: *const c_char,
    tracker: *mut *mut EyeTracker,
) -> Status {
    call(|world| {
        if address.is_null() || tracker.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        // SAFETY: it is not null, and a text by the promise of whoever calls.
        let address = unsafe { CStr::from_ptr(address) };
        if address.to_bytes() != world.config.url.as_bytes() || !world.is_reachable() {
            return Err(abi::CONNECTION_FAILED);
        }
        // SAFETY: as promised by whoever calls.
        unsafe { give(tracker, world.handle()) }
    })
}

/// Frees a text.
///
/// # Safety
/// `text` is null or came from this library, and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_free_string(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: every text that this library gives was made that way.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// Gives a text that the client frees.
///
/// # Safety
/// `to` is null or may be written.
unsafe fn give_text(to: *mut *mut c_char, text: &str) -> Result<(), Status> {
    if to.is_null() {
        return Err(abi::INVALID_PARAMETER);
    }
    let text = CString::new(text).map_err(|_| abi::INTERNAL)?;
    // SAFETY: as promised by whoever calls.
    unsafe { give(to, text.into_raw()) }
}

/// Functions that give a text about the tracker.
macro_rules! texts {
    ($($name:ident: |$config:ident| $text:expr;)*) => {
        $(
            /// A text about the tracker, which the client frees.
            ///
            /// # Safety
            /// `text` is null or may be written.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(tracker: *mut EyeTracker, text: *mut *mut c_char) -> Status {
                // The library knows these without asking: TittaPy needs the serial number in its
                // callback for errors, when there is no connection.
                call_anywhere(|world| {
                    world.need(tracker)?;
                    let $config = &world.config;
                    // SAFETY: as promised by whoever calls.
                    unsafe { give_text(text, $text) }
                })
            }
        )*
    };
}

texts! {
    tobii_research_get_address: |config| &config.url;
    tobii_research_get_serial_number: |config| &config.serial;
    tobii_research_get_device_name: |config| &config.name;
    tobii_research_get_model: |config| &config.model;
    tobii_research_get_firmware_version: |config| &config.firmware;
    tobii_research_get_runtime_version: |_config| "0.1-simulated";
    tobii_research_get_eye_tracking_mode: |_config| MODE;
}

const MODE: &str = "simulated";

/// What the tracker can do.
///
/// # Safety
/// `capabilities` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_capabilities(
    tracker: *mut EyeTracker,
    capabilities: *mut u32,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        let has = |stream, bit| if world.config.unsupported.contains(&stream) { 0 } else { bit };
        let all = has(Stream::GazeData, CAPABILITY_GAZE)
            | has(Stream::DigitalSyncport, CAPABILITY_EXTERNAL_SIGNAL)
            | has(Stream::EyeOpenness, CAPABILITY_EYE_OPENNESS);
        // SAFETY: as promised by whoever calls.
        unsafe { give(capabilities, all) }
    })
}

/// Samples a second.
///
/// # Safety
/// `frequency_hz` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_gaze_output_frequency(
    tracker: *mut EyeTracker,
    frequency_hz: *mut f32,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(frequency_hz, world.config.frequency_hz as f32) }
    })
}

/// Sets the frequency: to what it is.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_research_set_gaze_output_frequency(
    tracker: *mut EyeTracker,
    frequency_hz: f32,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        let is_same = frequency_hz == world.config.frequency_hz as f32;
        if is_same { Ok(()) } else { Err(abi::INVALID_PARAMETER) }
    })
}

/// All frequencies: the one there is.
///
/// # Safety
/// `frequencies` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_all_gaze_output_frequencies(
    tracker: *mut EyeTracker,
    frequencies: *mut *mut Frequencies,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        if frequencies.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        let (frequencies_hz, count) = lend(vec![world.config.frequency_hz as f32]);
        // SAFETY: as promised by whoever calls.
        unsafe { give(frequencies, Box::into_raw(Box::new(Frequencies { frequencies_hz, count }))) }
    })
}

/// Frees them.
///
/// # Safety
/// They are null or came from this library, and are not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_free_gaze_output_frequencies(frequencies: *mut Frequencies) {
    if !frequencies.is_null() {
        // SAFETY: both were lent by the function above.
        unsafe {
            let frequencies = Box::from_raw(frequencies);
            take_back(frequencies.frequencies_hz, frequencies.count);
        }
    }
}

/// All modes: the one there is.
///
/// # Safety
/// `modes` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_all_eye_tracking_modes(
    tracker: *mut EyeTracker,
    modes: *mut *mut Modes,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        if modes.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        let mode = CString::new(MODE).map_err(|_| abi::INTERNAL)?;
        let (texts, count) = lend(vec![mode.into_raw()]);
        // SAFETY: as promised by whoever calls.
        unsafe { give(modes, Box::into_raw(Box::new(Modes { modes: texts, count }))) }
    })
}

/// Frees them.
///
/// # Safety
/// They are null or came from this library, and are not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_free_eye_tracking_modes(modes: *mut Modes) {
    if !modes.is_null() {
        // SAFETY: all three were lent by the function above.
        unsafe {
            let modes = Box::from_raw(modes);
            for mode in take_back(modes.modes, modes.count) {
                tobii_research_free_string(mode);
            }
        }
    }
}

/// Corners of the display.
///
/// # Safety
/// `area` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_research_get_display_area(
    tracker: *mut EyeTracker,
    area: *mut DisplayArea,
) -> Status {
    call(|world| {
        world.need_connection(tracker)?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(area, DISPLAY_AREA) }
    })
}

/// Lends a list to C.
fn lend<T>(list: Vec<T>) -> (*mut T, usize) {
    let list = Box::leak(list.into_boxed_slice());
    (list.as_mut_ptr(), list.len())
}

/// Takes a list back that was lent.
///
/// # Safety
/// It was lent with that length, and is not used any more.
unsafe fn take_back<T>(list: *mut T, count: usize) -> Vec<T> {
    // SAFETY: as promised.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(list, count)) }.into_vec()
}
