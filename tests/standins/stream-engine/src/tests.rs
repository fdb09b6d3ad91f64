//! The rules of the interface, by its own functions. The configuration is that without a file.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::abi::*;
use crate::api::*;
use crate::device::*;
use crate::info::*;
use crate::streams::*;

const URL: &CStr = c"tobii-prp://SIM-0001";
const ANALYTICAL: usize = 2;

/// There is one device, for one client at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn api() -> *mut Api {
    let mut api = std::ptr::null_mut();
    // SAFETY: it may be written, and the others may be null.
    assert_eq!(unsafe { tobii_api_create(&mut api, std::ptr::null(), std::ptr::null()) }, OK);
    api
}

fn open(api: *mut Api, url: &CStr, field_of_use: usize) -> (Error, *mut Device) {
    let mut device = std::ptr::null_mut();
    // SAFETY: a text, and a pointer that may be written.
    let error = unsafe { tobii_device_create(api, url.as_ptr(), field_of_use, &mut device) };
    (error, device)
}

/// With an open device, which is closed after it.
fn with_device(act: impl FnOnce(*mut Device)) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let api = api();
    let (error, device) = open(api, URL, ANALYTICAL);
    assert_eq!(error, OK);
    act(device);
    assert_eq!(tobii_device_destroy(device), OK);
    assert_eq!(tobii_device_destroy(device), INVALID_PARAMETER, "it is gone");
    assert_eq!(tobii_api_destroy(api), OK);
    assert_eq!(tobii_api_destroy(api), INVALID_PARAMETER, "it is gone");
}

/// Processes what comes for a while.
fn process(device: *mut Device) {
    for _ in 0..20 {
        // SAFETY: there is one.
        let waited = unsafe { tobii_wait_for_callbacks(1, &device) };
        assert!([OK, TIMED_OUT].contains(&waited), "{waited}");
        assert_eq!(tobii_device_process_callbacks(device), OK);
    }
}

#[test]
fn every_error_has_a_text() {
    for error in -1..30 {
        // SAFETY: it is never null, and a text that lives for ever.
        let text = unsafe { CStr::from_ptr(tobii_error_message(error)) };
        assert!(!text.is_empty());
    }
}

#[test]
fn parameters_that_cannot_be_are_refused() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let null = std::ptr::null_mut();
    // SAFETY: null is refused, never followed.
    unsafe {
        assert_eq!(tobii_get_api_version(std::ptr::null_mut()), INVALID_PARAMETER);
        assert_eq!(
            tobii_api_create(std::ptr::null_mut(), std::ptr::null(), std::ptr::null()),
            INVALID_PARAMETER
        );
        assert_eq!(tobii_enumerate_local_device_urls(api(), None, null), INVALID_PARAMETER);
        assert_eq!(tobii_wait_for_callbacks(0, std::ptr::null()), INVALID_PARAMETER);
        let log = CustomLog { context: null, log: None };
        let mut api = std::ptr::null_mut();
        assert_eq!(tobii_api_create(&mut api, std::ptr::null(), &log), INVALID_PARAMETER);
        assert_eq!(tobii_timesync(std::ptr::null_mut(), std::ptr::null_mut()), INVALID_PARAMETER);
    }
    let api = api();
    assert_eq!(open(api, URL, 0).0, INVALID_PARAMETER);
    assert_eq!(open(api, URL, 3).0, INVALID_PARAMETER);
    assert_eq!(open(std::ptr::null_mut(), URL, ANALYTICAL).0, INVALID_PARAMETER);
    assert_eq!(open(api, c"tobii-prp://nobody", ANALYTICAL).0, CONNECTION_FAILED);
    assert_eq!(tobii_api_destroy(api), OK);
}

#[test]
fn a_stream_has_one_callback_and_calls_from_it_are_refused() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static FROM_WITHIN: AtomicI32 = AtomicI32::new(-1);
    unsafe extern "C" fn on_gaze(data: *const c_void, device: *mut c_void) {
        CALLED.fetch_add(1, Ordering::Relaxed);
        FROM_WITHIN.store(tobii_update_timesync(device.cast()), Ordering::Relaxed);
        // SAFETY: the stream's own struct.
        let gaze = unsafe { &*data.cast::<GazeData<EyeV4>>() };
        assert!((gaze.system_us - gaze.tracker_us).abs() < 10_000, "the clocks are one");
        assert!([0, 1].contains(&gaze.left.position_validity));
    }
    with_device(|device| {
        let user = device.cast();
        // SAFETY: the function outlives the device.
        unsafe {
            assert_eq!(tobii_gaze_data_subscribe(device, None, user), INVALID_PARAMETER);
            assert_eq!(tobii_gaze_data_subscribe(device, Some(on_gaze), user), OK);
            assert_eq!(tobii_gaze_data_subscribe(device, Some(on_gaze), user), ALREADY_SUBSCRIBED);
        }
        process(device);
        assert!(CALLED.load(Ordering::Relaxed) >= 15);
        assert_eq!(FROM_WITHIN.load(Ordering::Relaxed), CALLBACK_IN_PROGRESS);
        assert_eq!(tobii_gaze_data_unsubscribe(device), OK);
        assert_eq!(tobii_gaze_data_unsubscribe(device), NOT_SUBSCRIBED);
        assert_eq!(tobii_head_pose_unsubscribe(device), NOT_SUBSCRIBED);
    });
}

#[test]
fn whoever_subscribes_to_presence_is_told_how_it_is() {
    static STATUS: AtomicI32 = AtomicI32::new(-1);
    unsafe extern "C" fn on_presence(status: c_int, timestamp_us: i64, _user: *mut c_void) {
        assert!(timestamp_us > 0);
        STATUS.store(status, Ordering::Relaxed);
    }
    with_device(|device| {
        // SAFETY: the function outlives the device.
        unsafe {
            assert_eq!(tobii_user_presence_subscribe(device, Some(on_presence), std::ptr::null_mut()), OK);
        }
        assert_eq!(tobii_device_process_callbacks(device), OK);
        assert_eq!(STATUS.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_wait_without_a_stream_ends_by_itself() {
    with_device(|device| {
        // SAFETY: there is one.
        assert_eq!(unsafe { tobii_wait_for_callbacks(1, &device) }, TIMED_OUT);
    });
}

#[test]
fn a_time_sync_is_of_the_system_clock_and_the_device_lies_within() {
    with_device(|device| {
        let mut sync = TimesyncData { system_start_us: 0, system_end_us: 0, tracker_us: 0 };
        let before_us = lockstep_platform::monotonic_ns() / 1000;
        // SAFETY: it may be written.
        assert_eq!(unsafe { tobii_timesync(device, &mut sync) }, OK);
        let after_us = lockstep_platform::monotonic_ns() / 1000;
        let in_order = [before_us, sync.system_start_us, sync.tracker_us, sync.system_end_us, after_us];
        assert!(in_order.is_sorted(), "{in_order:?}");
        assert_eq!(tobii_update_timesync(device), OK);
    });
}

#[test]
fn a_device_tells_what_it_is() {
    with_device(|device| {
        let mut info = [1 as c_char; 4096];
        // SAFETY: there is room for the largest struct of any version.
        unsafe {
            assert_eq!(tobii_get_device_info(device, info.as_mut_ptr()), OK);
            assert_eq!(CStr::from_ptr(info.as_ptr()), c"SIM-0001");
            assert_eq!(CStr::from_ptr(info.as_ptr().add(768)), c"0.1-simulated");
        }
        assert!(info[2047] == 0 && info[2048] == 1, "its size is that of the version");
        let mut number = -1;
        // SAFETY: it may be written.
        unsafe {
            assert_eq!(tobii_get_feature_group(device, &mut number), OK);
            assert_eq!(number, 3);
            assert_eq!(tobii_stream_supported(device, 5, &mut number), OK);
            assert_eq!(number, 1);
            assert_eq!(tobii_get_state_bool(device, 4, &mut number), INVALID_PARAMETER, "that is a text");
            assert_eq!(tobii_get_state_bool(device, 2, &mut number), OK);
            assert_eq!(number, 0);
        }
    });
}

#[test]
fn notifications_are_read_by_the_type_of_their_value() {
    use lockstep_sim::tobii::NotificationKind;
    let warning = Notification::new(NotificationKind::Warnings, 0.0, "light");
    assert_eq!((warning.kind, warning.value_type), (11, 6));
    let paused = Notification::new(NotificationKind::DevicePaused, 1.0, "");
    assert_eq!((paused.kind, paused.value_type), (6, 2));
    // SAFETY: all bytes of the union were written.
    unsafe {
        assert_eq!(CStr::from_ptr(warning.value.text.as_ptr()), c"light");
        assert_eq!(paused.value.number, 1);
    }
}
