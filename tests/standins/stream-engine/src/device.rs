//! Functions of a device: opening and closing it, processing callbacks, time syncs.

use std::ffi::{CStr, c_char, c_int};
use std::time::Duration;

use lockstep_sim::tobii::{Level, SyncKind};

use crate::abi::{self, Api, Device, Error, LicenseKey, TimesyncData};
use crate::deliver;
use crate::world::{LOG_ERROR, Open, World, call, give, now_s};

const INTERACTIVE: c_int = 1;
const ANALYTICAL: c_int = 2;
/// So long `tobii_wait_for_callbacks` waits.
const WAIT_S: f64 = 0.3;
/// Sleeps in it are at most so long, for another thread may change what there is to wait for.
const NAP_S: f64 = 0.02;
/// Longer round trips are no good for the library's own conversion.
const WORST_ROUND_TRIP_US: i64 = 6000;
const KEY_OK: c_int = 0;

/// Opens a device. The parameters are those of version 4; before, there was no field of use, and
/// the device stood in its place.
///
/// # Safety
/// `url` is null or a text; the pointer for the device is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_device_create(
    api: *mut Api,
    url: *const c_char,
    field_of_use: usize,
    device: *mut *mut Device,
) -> Error {
    call(|world| {
        // Only the lower half of the register belongs to an int.
        let (field_of_use, device) = if world.version[0] < 4 {
            (ANALYTICAL, std::ptr::with_exposed_provenance_mut(field_of_use))
        } else {
            (field_of_use as c_int, device)
        };
        // SAFETY: as promised by whoever calls.
        unsafe { create(world, api, url, field_of_use, false, device) }
    })
}

/// Opens a device with keys. The parameters are those of version 4; before, there was no field of
/// use, and all others stood one place further up.
///
/// # Safety
/// `url` is null or a text; keys and their results are null or as many as said; the pointer for the
/// device is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_device_create_ex(
    api: *mut Api,
    url: *const c_char,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
    seventh: *mut *mut Device,
) -> Error {
    call(|world| {
        let (field_of_use, keys, count, results, device) = if world.version[0] < 4 {
            (ANALYTICAL, third, fourth, fifth, std::ptr::with_exposed_provenance_mut(sixth))
        } else {
            (third as c_int, fourth, fifth, sixth, seventh)
        };
        let keys: *const LicenseKey = std::ptr::with_exposed_provenance(keys);
        let results: *mut c_int = std::ptr::with_exposed_provenance_mut(results);
        let count = usize::try_from(count as c_int).map_err(|_| abi::INVALID_PARAMETER)?;
        if count > 0 && (keys.is_null() || results.is_null()) {
            return Err(abi::INVALID_PARAMETER);
        }
        let result = world.config.licence.key_result;
        for place in 0..count {
            // SAFETY: there are as many of both as said, by the promise of whoever calls.
            unsafe {
                let key = &*keys.add(place);
                if key.text.is_null() || key.size_bytes == 0 {
                    return Err(abi::INVALID_PARAMETER);
                }
                results.add(place).write(result);
            }
        }
        // SAFETY: as promised by whoever calls.
        unsafe { create(world, api, url, field_of_use, count > 0 && result == KEY_OK, device) }
    })
}

/// # Safety
/// `url` is null or a text; `device` is null or may be written.
unsafe fn create(
    world: &World,
    api: *mut Api,
    url: *const c_char,
    field_of_use: c_int,
    with_key: bool,
    device: *mut *mut Device,
) -> Result<(), Error> {
    let log = world.api(api)?;
    if url.is_null() || device.is_null() || ![INTERACTIVE, ANALYTICAL].contains(&field_of_use) {
        return Err(abi::INVALID_PARAMETER);
    }
    // SAFETY: it is not null, and a text by the promise of whoever calls.
    let url = unsafe { CStr::from_ptr(url) };
    if url.to_bytes() != world.config.url.as_bytes() || !world.config.present {
        log.say(LOG_ERROR, "there is no such device");
        return Err(abi::CONNECTION_FAILED);
    }
    if field_of_use == ANALYTICAL && world.config.licence.level == Level::None {
        return Err(abi::INSUFFICIENT_LICENSE);
    }
    let handle = world.add_device(Open { api: api.addr(), with_key, ..Open::default() })?;
    if let Err(error) = world.connect() {
        world.remove_device(handle)?;
        return Err(error);
    }
    // SAFETY: as promised by whoever calls.
    unsafe { give(device, handle) }
}

/// Closes a device.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_device_destroy(device: *mut Device) -> Error {
    call(|world| world.remove_device(device))
}

/// Connects to a device once more.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_device_reconnect(device: *mut Device) -> Error {
    call(|world| {
        world.device(device)?;
        world.connect()
    })
}

/// Waits until there is something to process, for a while.
///
/// # Safety
/// `devices` is null or so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_wait_for_callbacks(count: c_int, devices: *const *mut Device) -> Error {
    call(|world| {
        let count = usize::try_from(count).map_err(|_| abi::INVALID_PARAMETER)?;
        if count == 0 || devices.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        // SAFETY: it is not null, and there are so many by the promise of whoever calls.
        let devices = unsafe { std::slice::from_raw_parts(devices, count) };
        let opens = devices.iter().map(|device| world.device(*device)).collect::<Result<Vec<_>, _>>()?;
        if opens.windows(2).any(|pair| pair[0].api != pair[1].api) {
            return Err(abi::CONFLICTING_API_INSTANCES);
        }
        wait(world, &opens)
    })
}

fn wait(world: &World, opens: &[std::sync::Arc<Open>]) -> Result<(), Error> {
    let until_s = now_s() + WAIT_S;
    loop {
        let (is_connected, due_s, now_s) = world.with_tracker(|tracker, now_s| {
            Ok((tracker.is_connected(now_s), tracker.next_due_s(now_s), now_s))
        })?;
        if !is_connected {
            // Processing will say so. Whoever waits again and again must not do it without a pause.
            nap(NAP_S / 2.0);
            return Ok(());
        }
        let wanted = opens.iter().any(|open| !open.subscribed().is_empty());
        if wanted && due_s <= now_s {
            return Ok(());
        }
        if now_s >= until_s {
            return Err(abi::TIMED_OUT);
        }
        let due_s = if wanted { due_s } else { f64::INFINITY };
        nap((due_s.min(until_s) - now_s).clamp(0.0, NAP_S));
    }
}

fn nap(for_s: f64) {
    std::thread::sleep(Duration::from_secs_f64(for_s));
}

/// Calls the callbacks with all that has arrived.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_device_process_callbacks(device: *mut Device) -> Error {
    call(|world| {
        let open = world.device(device)?;
        deliver::process(world, &open)
    })
}

/// Forgets all that has arrived.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_device_clear_callback_buffers(device: *mut Device) -> Error {
    call(|world| {
        world.device(device)?;
        world.with_tracker(|tracker, now_s| {
            tracker.clear(now_s);
            Ok(())
        })
    })
}

/// Makes a time sync for the library's own conversion.
#[unsafe(no_mangle)]
pub extern "C" fn tobii_update_timesync(device: *mut Device) -> Error {
    call(|world| {
        world.device(device)?;
        let sync = world.timesync(SyncKind::Update)?;
        let used = sync.round_trip_us() <= WORST_ROUND_TRIP_US;
        world.settle_timesync(&sync, used, false)?;
        if used { Ok(()) } else { Err(abi::OPERATION_FAILED) }
    })
}

/// Makes a time sync and gives it to the client.
///
/// # Safety
/// `timesync` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tobii_timesync(device: *mut Device, timesync: *mut TimesyncData) -> Error {
    call(|world| {
        let open = world.device(device)?;
        if timesync.is_null() {
            return Err(abi::INVALID_PARAMETER);
        }
        world.need_professional(&open)?;
        let sync = world.timesync(SyncKind::Asked)?;
        world.settle_timesync(&sync, false, true)?;
        let data = TimesyncData {
            system_start_us: sync.st1_us,
            system_end_us: sync.st3_us,
            tracker_us: sync.et2_us,
        };
        // SAFETY: as promised by whoever calls.
        unsafe { give(timesync, data) }
    })
}
