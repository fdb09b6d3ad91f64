//! Datagrams of any device: decoders, order, time stamps, counts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lockstep_plugin_udp::fuzzing::datagrams(data));
