use crate::{Assignment, ClockMap, Curve, Event, EventKind, Knot, Method, Piece, Shape};

/// A clock at `device = host - offset`, stepped at host time `at_s`: offset 5 s before, `5 s + step_s`
/// after; exchanges 3 s before and 2 s after.
fn stepped(at_s: f64, step_s: f64) -> ClockMap {
    let piece = |offset_s: f64, host: (f64, f64)| {
        let knot = Knot {
            x_s: 0.0,
            y_s: 0.0,
            slope: 0.0,
            variance_s2: 1e-14,
            covariance_s: 0.0,
            slope_variance: 0.0,
            noise_s2_per_s3: 0.0,
        };
        Piece {
            device_span_s: (host.0 - offset_s, host.1 - offset_s),
            host_span_s: host,
            shape: Shape::Curve(Curve {
                device_ref_s: 0.0,
                host_ref_s: offset_s,
                knots: vec![knot],
                corridors: Vec::new(),
            }),
            sigma_s: 1e-7,
            asymmetry_sigma_s: 1e-6,
            bound_s: 1e-4,
        }
    };
    ClockMap {
        method: Method::Smooth,
        pieces: vec![piece(5.0, (0.0, at_s - 3.0)), piece(5.0 + step_s, (at_s + 2.0, 100.0))],
        events: vec![Event {
            kind: EventKind::Step,
            host_from_s: at_s - 3.0,
            host_to_s: at_s + 2.0,
            size_s: step_s,
        }],
        assignment: Assignment::Events,
        remarks: Vec::new(),
    }
}

/// Truth and result of a stream that samples every `period_s` of host time.
fn placed(map: &ClockMap, at_s: f64, step_s: f64, period_s: f64) -> Vec<(f64, crate::Estimate)> {
    let hosts: Vec<f64> = (0..(100.0 / period_s) as usize).map(|i| 0.013 + i as f64 * period_s).collect();
    let stamps: Vec<f64> = hosts.iter().map(|&h| if h < at_s { h - 5.0 } else { h - 5.0 - step_s }).collect();
    let mut survey = map.survey();
    for block in stamps.chunks(17) {
        survey.push(block, None);
    }
    let placement = survey.finish();
    assert!(placement.ranges.windows(2).all(|r| r[0].end == r[1].first));
    let mut out = Vec::new();
    for (i, block) in stamps.chunks(23).enumerate() {
        placement.apply(23 * i as u64, block, &mut out);
    }
    assert_eq!(out.len(), stamps.len());
    hosts.into_iter().zip(out).collect()
}

#[test]
fn a_regular_stream_shows_a_step_at_the_very_sample() {
    for step_s in [0.08, -0.08, 0.7, -0.7, 0.004, -0.004, 5000.0, -5000.0] {
        let map = stepped(50.01, step_s);
        for (host_s, got) in placed(&map, 50.01, step_s, 0.05) {
            assert!((got.host_time_s - host_s).abs() < 1e-6, "step {step_s}: {host_s} {got:?}");
        }
    }
}

#[test]
fn sparse_events_around_a_step_are_flagged() {
    let map = stepped(50.0, 0.1);
    for (host_s, got) in placed(&map, 50.0, 0.1, 1.7) {
        let near = host_s > 46.9 && host_s < 52.1;
        assert!(near || (got.host_time_s - host_s).abs() < 1e-6, "{host_s} {got:?}");
    }
}
