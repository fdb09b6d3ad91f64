//! One exchange: round-trip time, offset, and how far the offset can be off.

/// The four stamps of an exchange, in seconds, as they were read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exchange {
    /// Question left, recorder time.
    pub t0_s: f64,
    /// Question received, device time.
    pub t1_s: f64,
    /// Answer left, device time.
    pub t2_s: f64,
    /// Answer received, recorder time.
    pub t3_s: f64,
}

/// How a reading of a device clock relates to the instant it was taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Rounded to the nearest step, or finer than matters.
    Exact,
    /// The last step that had passed.
    Floor,
}

impl Stamp {
    /// As written in `desc/clock/stamp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Floor => "floor",
        }
    }
}

/// How a clock is read: the step of its readings, and which instant they mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Step of the readings in seconds; 0: finer than matters.
    pub resolution_s: f64,
    /// Which instant of a step a reading means.
    pub stamp: Stamp,
}

impl Reading {
    /// Readings that are finer than matters.
    pub const FINE: Self = Self { resolution_s: 0.0, stamp: Stamp::Exact };

    /// Mean of true time minus reading: half a step for floored readings. It is
    /// added to both stamps before they are evaluated.
    pub fn bias_s(self) -> f64 {
        match self.stamp {
            Stamp::Exact => 0.0,
            Stamp::Floor => 0.5 * self.resolution_s,
        }
    }
}

/// What one exchange says of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Device time at the middle of the exchange.
    pub device_time_s: f64,
    /// Host minus device, as if both ways took equally long.
    pub offset_s: f64,
    /// Time on the way, both ways together. Below zero by up to one step where
    /// the device's readings are coarse.
    pub round_trip_s: f64,
    /// The offset is off by no more than this, however unequal the ways: half
    /// the round-trip time, and half a step of the readings.
    pub bound_s: f64,
}

/// Evaluate an exchange; `None` when its stamps cannot be those of one (not
/// finite, answered before it was asked, or on its way for less than no time by
/// more than the readings' step).
pub fn measure(exchange: &Exchange, reading: Reading) -> Option<Measurement> {
    let Exchange { t0_s, t1_s, t2_s, t3_s } = *exchange;
    let round_trip_s = (t3_s - t0_s) - (t2_s - t1_s);
    let offset_s = 0.5 * ((t0_s - t1_s) + (t3_s - t2_s)) - reading.bias_s();
    // NaN fails each comparison.
    let finite = round_trip_s.is_finite() && offset_s.is_finite();
    if !(finite && t3_s >= t0_s && t2_s >= t1_s && round_trip_s >= -reading.resolution_s) {
        return None;
    }
    Some(Measurement {
        device_time_s: 0.5 * (t1_s + t2_s) + reading.bias_s(),
        offset_s,
        round_trip_s,
        bound_s: 0.5 * (round_trip_s.max(0.0) + reading.resolution_s),
    })
}

/// The measurement with the lowest round-trip time of a burst: the one that was
/// delayed least, hence off least (the clock filter of NTP). `None` when no
/// exchange can be used.
pub fn best(burst: &[Exchange], reading: Reading) -> Option<Measurement> {
    let measured = burst.iter().filter_map(|exchange| measure(exchange, reading));
    measured.min_by(|a, b| a.round_trip_s.total_cmp(&b.round_trip_s))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_worked_example_of_the_ntp_formula() {
        // Device 100 s ahead; 30 ms there, 10 ms back, 5 ms inside.
        let exchange = Exchange { t0_s: 10.0, t1_s: 110.030, t2_s: 110.035, t3_s: 10.045 };
        let got = measure(&exchange, Reading::FINE).expect("usable");
        assert!((got.round_trip_s - 0.040).abs() < 1e-12);
        assert!((got.offset_s - (-100.010)).abs() < 1e-12, "off by half the asymmetry");
        assert!((got.device_time_s - 110.0325).abs() < 1e-12);
        assert!((got.bound_s - 0.020).abs() < 1e-12);
    }

    #[test]
    fn impossible_exchanges_are_not_measurements() {
        let good = Exchange { t0_s: 1.0, t1_s: 5.0, t2_s: 5.0, t3_s: 1.001 };
        assert!(measure(&good, Reading::FINE).is_some());
        let answered_before_asked = Exchange { t3_s: 0.999, ..good };
        let held_longer_than_the_trip = Exchange { t2_s: 5.1, ..good };
        let sent_before_received = Exchange { t2_s: 4.0, ..good };
        let not_a_number = Exchange { t1_s: f64::NAN, ..good };
        let infinite = Exchange { t3_s: f64::INFINITY, ..good };
        for bad in
            [answered_before_asked, held_longer_than_the_trip, sent_before_received, not_a_number, infinite]
        {
            assert_eq!(measure(&bad, Reading::FINE), None, "{bad:?}");
        }
        assert_eq!(best(&[not_a_number], Reading::FINE), None);
        assert_eq!(best(&[], Reading::FINE), None);
    }

    proptest! {
        /// Whatever the delays, the truth is within the bound.
        #[test]
        fn the_true_offset_is_within_the_bound(
            device_minus_host_s in -1e6f64..1e6,
            (there_s, inside_s, back_s) in (0.0f64..0.5, 0.0f64..0.01, 0.0f64..0.5),
            t0_s in 0.0f64..1e6,
            resolution_s in prop_oneof![Just(0.0), Just(1e-6), Just(1e-3)],
        ) {
            let floor = |t: f64| if resolution_s > 0.0 { (t / resolution_s).floor() * resolution_s } else { t };
            let exchange = Exchange {
                t0_s,
                t1_s: floor(t0_s + there_s + device_minus_host_s),
                t2_s: floor(t0_s + there_s + inside_s + device_minus_host_s),
                t3_s: t0_s + there_s + inside_s + back_s,
            };
            let reading = Reading { resolution_s, stamp: Stamp::Floor };
            if let Some(got) = measure(&exchange, reading) {
                let error_s = (got.offset_s + device_minus_host_s).abs();
                prop_assert!(error_s <= got.bound_s + 1e-9, "{error_s} {got:?}");
            } else {
                prop_assert!(resolution_s > 0.0, "an exchange with fine stamps is always usable");
            }
        }

        /// The best of a burst is one of it, and none had a shorter way.
        #[test]
        fn the_best_has_the_shortest_way(delays in proptest::collection::vec((0.0f64..0.1, 0.0f64..0.1), 1..20)) {
            let burst: Vec<Exchange> = delays
                .iter()
                .enumerate()
                .map(|(i, &(there, back))| {
                    let t0_s = i as f64;
                    Exchange { t0_s, t1_s: t0_s + there, t2_s: t0_s + there, t3_s: t0_s + there + back }
                })
                .collect();
            let got = best(&burst, Reading::FINE).expect("all usable");
            let shortest = delays.iter().map(|d| d.0 + d.1).fold(f64::INFINITY, f64::min);
            prop_assert!((got.round_trip_s - shortest).abs() < 1e-9);
        }
    }
}
