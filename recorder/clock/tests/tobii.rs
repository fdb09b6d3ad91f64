//! The worked example of Tobii's "Time Synchronization": five synchronization points, a second apart, and a sample.

use lockstep_clock::{Exchange, History, Method, allowed, fit};

/// Eye tracker time (ET2), system time (ST1 + send time), round-trip time, in microseconds.
const TABLE: [(i64, i64, i64); 5] = [
    (31_324_564, 56_363_235_478, 612),
    (32_324_523, 56_364_235_543, 822),
    (33_324_453, 56_365_235_985, 4412),
    (34_324_938, 56_366_235_194, 542),
    (35_324_129, 56_367_235_037, 2612),
];
const SAMPLE_US: i64 = 33_654_613;

fn history() -> History {
    let exchange = |(device_us, system_us, round_trip_us): (i64, i64, i64)| {
        let (device_s, half_us) = (device_us as f64 / 1e6, round_trip_us / 2);
        Exchange {
            t0_s: (system_us - half_us) as f64 / 1e6,
            t1_s: device_s,
            t2_s: device_s,
            t3_s: (system_us + half_us) as f64 / 1e6,
        }
    };
    History { exchanges: TABLE.into_iter().map(exchange).collect(), ..History::default() }
}

fn host_us(method: Method) -> f64 {
    fit(method, &history()).in_piece(0, SAMPLE_US as f64 / 1e6).host_time_s * 1e6
}

#[test]
fn interpolation_gives_what_the_example_says() {
    let got_us = host_us(Method::Interpolate);
    assert_eq!(got_us.round() as i64, 56_365_565_724, "{got_us}");
}

#[test]
fn round_trip_times_leave_a_corridor_in_which_the_example_is_not() {
    // With a clock that is off by 100 ppm at most: the point before the sample has a round trip of 4.4 ms, and its
    // middle is not to be trusted.
    let corridor =
        allowed(&history().exchanges, SAMPLE_US as f64 / 1e6, 100e-6).expect("there are exchanges");
    let us = |at_s: f64| (at_s * 1e6).round() as i64;
    assert_eq!((us(*corridor.start()), us(*corridor.end())), (56_365_565_089, 56_365_565_207));
    // How far off each method must be, at least. The smoother has five exchanges to learn from.
    let outside_us = |method| {
        let at_us = host_us(method);
        (1e6 * corridor.start() - at_us).max(at_us - 1e6 * corridor.end()).max(0.0)
    };
    let (interpolated_us, smoothed_us) = (outside_us(Method::Interpolate), outside_us(Method::Smooth));
    assert!((interpolated_us - 517.0).abs() < 1.0, "{interpolated_us}");
    assert!(smoothed_us < interpolated_us / 4.0, "{smoothed_us}");
    assert_eq!(allowed(&[], 0.0, 1e-4), None);
}
