//! Messages of Glasses 3.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_tobii::fuzzing::message(data));
