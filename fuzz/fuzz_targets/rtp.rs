//! RTP and RTCP of a phone: order, sender reports, payloads, pictures.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_neon::fuzzing::rtp(data));
