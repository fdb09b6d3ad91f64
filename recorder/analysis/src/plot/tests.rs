//! Tests of the figure and of what it is drawn from.

use lockstep_clock::{Exchange, History, Method};
use proptest::prelude::*;

use super::axis::{Axis, Scale, duration, number, range};
use super::svg::thinned;
use super::*;

/// Bursts of four exchanges each 5 s; the device is 100 s behind and drifts by 20 ppm.
fn history(bursts: usize) -> History {
    let exchange = |burst: usize, probe: usize| {
        let t0_s = 1000.0 + 5.0 * burst as f64 + 0.05 * probe as f64;
        let late_s = [0.004, 0.0, 0.001, 0.010][probe] + 1e-5 * (burst * 7 % 13) as f64;
        let (t1_s, t3_s) = (t0_s + 0.0005 + late_s, t0_s + 0.001 + late_s);
        let device = |host_s: f64| host_s - 100.0 - 20e-6 * (host_s - 1000.0);
        Exchange { t0_s, t1_s: device(t1_s), t2_s: device(t1_s), t3_s }
    };
    let exchanges = (0..bursts).flat_map(|burst| (0..4).map(move |probe| exchange(burst, probe))).collect();
    History { exchanges, ..History::default() }
}

fn titles() -> Titles {
    Titles { file: "a<b>&\"c\".xdf".to_owned(), clock: "phone\u{1}".to_owned() }
}

#[test]
fn a_clock_is_studied() {
    for method in [Method::Smooth, Method::Linear, Method::Robust, Method::Interpolate] {
        let study = study(&history(200), method);
        assert_eq!((study.exchanges, study.exchanges_unusable, study.picks.len()), (800, 0, 200));
        let drift_ppm = study.drift_ppm.expect("a drift");
        assert!((drift_ppm - 20.0).abs() < 0.5, "{method:?}: {drift_ppm}");
        let trips = study.round_trip_s.expect("round trips");
        assert!((trips.min - 0.001).abs() < 1e-9 && trips.max > 0.011, "{trips:?}");
        assert!(trips.min <= trips.median && trips.median <= trips.p95 && trips.p95 <= trips.max);
        let residuals = study.residuals.expect("residuals");
        assert_eq!(residuals.count, 200);
        assert!(residuals.max < 1e-3 && residuals.p95 <= residuals.max, "{method:?}: {residuals:?}");
        assert!(study.events.is_empty());
    }
}

#[test]
fn a_clock_without_measurements_is_studied_and_drawn() {
    let study = study(&History::default(), Method::Smooth);
    assert!(study.residuals.is_none() && study.drift_ppm.is_none() && study.uncertainty.is_none());
    let svg = figure(&study, &titles());
    assert!(svg.contains("no measurement of this clock"), "{svg}");
}

#[test]
fn the_figure_is_xml_and_small() {
    let study = study(&history(10_000), Method::Linear);
    let svg = figure(&study, &titles());
    assert!(svg.len() < 600_000, "{} bytes", svg.len());
    let root = lockstep_xdf::Element::parse(&svg).expect("XML");
    assert_eq!(root.name, "svg");
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c&quot;.xdf") && svg.contains("n = 40000 exchanges"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "numbers only");
}

#[test]
fn numbers_on_axes_are_round() {
    let axis = |scale, low, high| Axis { scale, low, high, from: 0.0, to: 100.0 };
    assert_eq!(axis(Scale::Linear, -1.2, 5.3).ticks(4), [0.0, 2.0, 4.0]);
    assert_eq!(axis(Scale::Logarithmic, 0.8, 30.0).ticks(4), [1.0, 2.0, 5.0, 10.0, 20.0]);
    assert_eq!(
        [number(0.0), number(1500.0), number(0.25), number(-2.5)],
        ["0", "1500", "0.25", "\u{2212}2.5"]
    );
    assert_eq!(
        [duration(1.5e-6), duration(0.1165), duration(f64::INFINITY)],
        ["1.50 µs", "116 ms", "unknown"]
    );
    let (low, high) = range([3.0, 3.0].into_iter());
    assert!(low < 3.0 && high > 3.0);
}

proptest! {
    #[test]
    fn thinning_keeps_extremes_and_few(values in proptest::collection::vec(-1e3f64..1e3, 1..3000)) {
        let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        let kept = thinned(&points, 300);
        prop_assert!(kept.len() <= 303, "{}", kept.len());
        let most = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        prop_assert_eq!(most(&kept), most(&points));
    }

    #[test]
    fn any_history_is_drawn(
        stamps in proptest::collection::vec(
            (prop::num::f64::ANY, prop::num::f64::ANY, prop::num::f64::ANY, prop::num::f64::ANY), 0..6),
        times in proptest::collection::vec((-1e6f64..1e6, 0.0f64..1.0), 0..20),
    ) {
        let wild = stamps.iter().map(|&(t0_s, t1_s, t2_s, t3_s)| Exchange { t0_s, t1_s, t2_s, t3_s });
        let tame = times.iter().map(|&(t, d)| Exchange { t0_s: t, t1_s: 0.5 * t, t2_s: 0.5 * t, t3_s: t + d });
        let history = History { exchanges: wild.chain(tame).collect(), ..History::default() };
        for method in [Method::Mean, Method::Linear, Method::Interpolate] {
            let svg = figure(&study(&history, method), &titles());
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
        }
    }
}
