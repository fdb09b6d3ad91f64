//! The rules of the interface, by its own functions. The configuration is that without a file.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::abi::*;
use crate::info::*;
use crate::missing::tobii_research_set_display_area;
use crate::streams::*;

const ADDRESS: &CStr = c"tobii-prp://SIM-0001";

fn tracker() -> *mut EyeTracker {
    let mut tracker = std::ptr::null_mut();
    // SAFETY: a text, and a pointer that may be written.
    assert_eq!(unsafe { tobii_research_get_eyetracker(ADDRESS.as_ptr(), &mut tracker) }, OK);
    tracker
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stream_has_one_callback_on_a_thread_of_the_librarys_own() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static FROM_WITHIN: AtomicI32 = AtomicI32::new(-1);
    static SERIAL_FROM_WITHIN: AtomicI32 = AtomicI32::new(-1);
    unsafe extern "C" fn on_gaze(data: *mut c_void, tracker: *mut c_void) {
        let tracker = tracker.cast::<EyeTracker>();
        // SAFETY: the stream's own struct; texts are freed by the library that gave them.
        unsafe {
            let gaze = &*data.cast::<GazeData<OriginV2>>();
            assert!((gaze.system_us - gaze.device_us).abs() < 10_000, "the clocks are one");
            let mut frequency_hz = 0.0;
            let status = tobii_research_get_gaze_output_frequency(tracker, &mut frequency_hz);
            FROM_WITHIN.store(status, Ordering::Relaxed);
            let mut serial = std::ptr::null_mut();
            let status = tobii_research_get_serial_number(tracker, &mut serial);
            SERIAL_FROM_WITHIN.store(status, Ordering::Relaxed);
            tobii_research_free_string(serial);
        }
        CALLED.fetch_add(1, Ordering::Relaxed);
    }
    unsafe extern "C" fn on_other(_data: *mut c_void, _user: *mut c_void) {
        std::process::abort();
    }
    let tracker = tracker();
    // SAFETY: the functions live as long as the process.
    unsafe {
        let subscribe = tobii_research_subscribe_to_gaze_data;
        assert_eq!(subscribe(std::ptr::null_mut(), Some(on_gaze), tracker.cast()), INVALID_PARAMETER);
        assert_eq!(subscribe(tracker, None, tracker.cast()), INVALID_PARAMETER);
        assert_eq!(subscribe(tracker, Some(on_gaze), tracker.cast()), OK);
        assert_eq!(subscribe(tracker, Some(on_other), tracker.cast()), ALREADY_SUBSCRIBED);
    }
    wait_for("samples come", || CALLED.load(Ordering::Relaxed) >= 10);
    assert_eq!(FROM_WITHIN.load(Ordering::Relaxed), CALLBACK_IN_PROGRESS);
    assert_eq!(SERIAL_FROM_WITHIN.load(Ordering::Relaxed), OK);
    assert_eq!(tobii_research_unsubscribe_from_gaze_data(tracker, Some(on_other)), NOT_SUBSCRIBED);
    assert_eq!(tobii_research_unsubscribe_from_gaze_data(tracker, Some(on_gaze)), OK);
    let called = CALLED.load(Ordering::Relaxed);
    assert_eq!(tobii_research_unsubscribe_from_gaze_data(tracker, Some(on_gaze)), NOT_SUBSCRIBED);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(CALLED.load(Ordering::Relaxed), called, "nothing comes any more");
}

#[test]
fn time_syncs_come_by_themselves() {
    static ROUND_TRIP_US: AtomicI32 = AtomicI32::new(-1);
    unsafe extern "C" fn on_sync(data: *mut c_void, _user: *mut c_void) {
        // SAFETY: the stream's own struct.
        let sync = unsafe { &*data.cast::<TimeSync>() };
        assert!([sync.system_request_us, sync.device_us, sync.system_response_us].is_sorted());
        ROUND_TRIP_US.store((sync.system_response_us - sync.system_request_us) as i32, Ordering::Relaxed);
    }
    let (tracker, user) = (tracker(), std::ptr::null_mut());
    let subscribe = tobii_research_subscribe_to_time_synchronization_data;
    // SAFETY: the function lives as long as the process.
    assert_eq!(unsafe { subscribe(tracker, Some(on_sync), user) }, OK);
    wait_for("a time sync comes", || ROUND_TRIP_US.load(Ordering::Relaxed) >= 0);
    let unsubscribe = tobii_research_unsubscribe_from_time_synchronization_data;
    assert_eq!(unsubscribe(tracker, Some(on_sync)), OK);
    assert!((300..=6000).contains(&ROUND_TRIP_US.load(Ordering::Relaxed)), "{ROUND_TRIP_US:?}");
}

#[test]
fn what_is_found_is_freed_again_and_what_cannot_be_is_refused() {
    let mut found = std::ptr::null_mut();
    let mut modes = std::ptr::null_mut();
    let mut frequencies = std::ptr::null_mut();
    let null = std::ptr::null_mut();
    // SAFETY: what may be written, or null, which is never followed; all is freed once.
    unsafe {
        assert_eq!(tobii_research_find_all_eyetrackers(&mut found), OK);
        assert_eq!((*found).count, 1);
        assert_eq!(*(*found).trackers, tracker());
        tobii_research_free_eyetrackers(found);
        assert_eq!(tobii_research_get_all_eye_tracking_modes(tracker(), &mut modes), OK);
        tobii_research_free_eye_tracking_modes(modes);
        assert_eq!(tobii_research_get_all_gaze_output_frequencies(tracker(), &mut frequencies), OK);
        assert_eq!(*(*frequencies).frequencies_hz, 120.0);
        tobii_research_free_gaze_output_frequencies(frequencies);
        assert_eq!(tobii_research_find_all_eyetrackers(std::ptr::null_mut()), INVALID_PARAMETER);
        assert_eq!(tobii_research_get_eyetracker(std::ptr::null(), std::ptr::null_mut()), INVALID_PARAMETER);
        let mut tracker = std::ptr::null_mut();
        let nobody = c"tobii-prp://nobody";
        assert_eq!(tobii_research_get_eyetracker(nobody.as_ptr(), &mut tracker), CONNECTION_FAILED);
        assert_eq!(tobii_research_get_serial_number(null, &mut std::ptr::null_mut()), INVALID_PARAMETER);
    }
    assert_eq!(tobii_research_set_display_area(), NOT_SUPPORTED);
}
