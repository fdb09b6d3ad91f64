//! Functions of the library itself: errors, version, instances, its clock, finding devices.

use std::ffi::{CStr, CString, c_char, c_void};

use lockstep_sim::tobii::system_us;

use crate::abi::{self, Api, CustomAlloc, CustomLog, Error, Version};
use crate::world::{LOG_INFO, Log, call, give, in_callback, now_s, world};

/// A text for each error, by number.
const MESSAGES: [&CStr; 21] = [
    c"No error",
    c"Internal error",
    c"The license does not allow this",
    c"Not supported by this device",
    c"Not available now",
    c"There is no connection to the device",
    c"Timed out",
    c"Out of memory",
    c"A parameter is not valid",
    c"Calibration was started already",
    c"Calibration was not started",
    c"Subscribed already",
    c"Not subscribed",
    c"The operation failed",
    c"The devices are of different API instances",
    c"Calibration is busy",
    c"Not possible from a callback",
    c"Too many subscribers",
    c"There is no connection to the driver",
    c"The license does not allow this",
    c"A firmware upgrade is in progress",
];

/// The text of an error; never null.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_error_message(error: Error) -> *const c_char {
    let message = usize::try_from(error).ok().and_then(|place| MESSAGES.get(place));
    message.copied().unwrap_or(c"Unknown error").as_ptr()
}

/// The version.
///
/// # Safety
/// `version` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_get_api_version(version: *mut Version) -> Error {
    // SAFETY: as promised by whoever calls.
    call(|world| unsafe { give(version, Version { numbers: world.version }) })
}

/// Makes an instance.
///
/// # Safety
/// `api` is null or may be written; the others are null or valid, the log as long as the instance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_api_create(
    api: *mut *mut Api,
    alloc: *const CustomAlloc,
    log: *const CustomLog,
) -> Error {
    call(|world| {
        // SAFETY: both are null or valid, as promised by whoever calls.
        let (alloc, log) = unsafe { (alloc.as_ref(), log.as_ref()) };
        let lacks_alloc = alloc.is_some_and(|alloc| alloc.allocate.is_none() || alloc.free.is_none());
        if api.is_null() || lacks_alloc || log.is_some_and(|log| log.log.is_none()) {
            return Err(abi::INVALID_PARAMETER);
        }
        let log = Log::new(log.copied());
        log.say(LOG_INFO, "This is a SIMULATED Stream Engine with a simulated device");
        // SAFETY: as promised by whoever calls.
        unsafe { give(api, world.add_api(log)) }
    })
}

/// Ends an instance.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_api_destroy(api: *mut Api) -> Error {
    call(|world| world.remove_api(api))
}

/// The system clock. The one function that callbacks may call.
///
/// # Safety
/// `timestamp_us` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_system_clock(api: *mut Api, timestamp_us: *mut i64) -> Error {
    let read = world().and_then(|world| {
        world.api(api)?;
        // SAFETY: as promised by whoever calls.
        unsafe { give(timestamp_us, system_us(now_s())) }
    });
    read.err().unwrap_or(abi::OK)
}

/// Called with the address of a device.
type OnUrl = unsafe extern "C" fn(url: *const c_char, user: *mut c_void);

/// Tells the addresses of all devices.
///
/// # Safety
/// `receiver` is null or a function that takes `user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_enumerate_local_device_urls(
    api: *mut Api,
    receiver: Option<OnUrl>,
    user: *mut c_void,
) -> Error {
    call(|world| {
        world.api(api)?;
        let receiver = receiver.ok_or(abi::INVALID_PARAMETER)?;
        if world.config.present {
            let url = CString::new(world.config.url.as_str()).map_err(|_| abi::INTERNAL)?;
            // SAFETY: the function takes what it was given with, and a text that outlives the call.
            in_callback(|| unsafe { receiver(url.as_ptr(), user) });
        }
        Ok(())
    })
}
