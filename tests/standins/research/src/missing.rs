//! What the simulated tracker cannot do: each of these answers so, for programs need the functions to
//! be there. Their parameters are never looked at, so they are not declared.

use crate::abi::{self, Status};
use crate::world::call;

/// Functions that answer that they are not supported.
macro_rules! unsupported {
    ($($name:ident)*) => {
        $(
            /// Answers that it is not supported.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> Status {
                call(|_| Err(abi::NOT_SUPPORTED))
            }
        )*
    };
}

/// Functions that free what this library never gives.
macro_rules! nothing_to_free {
    ($($name:ident)*) => {
        $(
            /// Does nothing: what it would free is never given.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() {}
        )*
    };
}

unsupported! {
    tobii_research_apply_calibration_data
    tobii_research_apply_licenses
    tobii_research_clear_applied_licenses
    tobii_research_retrieve_calibration_data
    tobii_research_screen_based_calibration_collect_data
    tobii_research_screen_based_calibration_compute_and_apply
    tobii_research_screen_based_calibration_discard_data
    tobii_research_screen_based_calibration_enter_calibration_mode
    tobii_research_screen_based_calibration_leave_calibration_mode
    tobii_research_screen_based_monocular_calibration_collect_data
    tobii_research_screen_based_monocular_calibration_compute_and_apply
    tobii_research_screen_based_monocular_calibration_discard_data
    tobii_research_set_device_name
    tobii_research_set_display_area
    tobii_research_set_eye_tracking_mode
    tobii_research_subscribe_to_eye_image
    tobii_research_subscribe_to_eye_image_as_gif
    tobii_research_unsubscribe_from_eye_image
    tobii_research_unsubscribe_from_eye_image_as_gif
}

nothing_to_free! {
    tobii_research_free_calibration_data
    tobii_research_free_screen_based_calibration_result
}
