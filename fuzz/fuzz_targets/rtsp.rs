//! A connection of RTSP: answers and packets among each other, the session, its description.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_neon::fuzzing::rtsp(data));
