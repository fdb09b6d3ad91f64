//! What a phone says of itself, and single payloads.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_neon::fuzzing::status(data));
