//! A recording of 8 streams of 32 channels at 1 kHz loses nothing. In a test binary of its own, so
//! that nothing else runs beside it.
// Processes are stopped with signals here; on Windows that is another matter.
#![cfg(unix)]

mod support;

use support::{Simulator, TestDir, assert_closed_cleanly, check, record_all, stream};

#[test]
fn eight_streams_of_32_channels_at_1_khz_for_30_s_are_recorded_bit_for_bit() {
    let dir = TestDir::new();
    let flags = "--rate-hz=1000 --channels=32 --format=float32 --samples-per-datagram=4 --duration-s=30 \
                 --clock-offset-s=1234.567 --skew-ppm=40 --unit=ns";
    let simulators = [Simulator::new(&dir.join("truth"), 8, flags)];
    let recording = record_all(&dir, &simulators);
    recording.expect_code(0);
    let info = recording.info();
    assert_closed_cleanly(&info);
    for k in 0..8 {
        assert_eq!(stream(&info, &format!("sim{k}"))["samples"], 30_000);
        assert_eq!(recording.verdict_of(&format!("sim{k}"))["outcome"], "complete");
    }
    let mut arguments = vec![recording.file.clone()];
    arguments.extend(simulators[0].truths());
    assert_eq!(arguments.len(), 9);
    check("bit_exact", arguments);
}
