//! What peers of LSL send: announcements, descriptions, feeds, samples, times; and predicates.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_lsl::fuzzing::wire(data));
