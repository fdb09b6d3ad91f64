//! Counters that wrap: placing a reading near the value that is expected.

/// The value congruent to `reading` modulo 2^`bits` that lies nearest to `near`; at 64 bits the
/// reading itself.
///
/// A tie (half the range away) goes to the value below. Unlike an unwrapper that follows the last
/// reading, this takes its expectation from the caller, who may know better: after a long silence
/// it comes from the time that passed, and one wild reading leaves nothing behind.
pub fn nearest(reading: i64, near: i64, bits: u32) -> i64 {
    if bits >= 64 {
        return reading;
    }
    let (mask, half) = ((1_u64 << bits) - 1, 1_u64 << (bits - 1));
    let ahead = reading.wrapping_sub(near) as u64 & mask;
    if ahead < half {
        near.saturating_add(ahead as i64)
    } else {
        near.saturating_sub((mask - ahead + 1) as i64)
    }
}

/// Whether `reading` can come from a counter of `bits` bits, signed or not.
pub fn fits(reading: i64, bits: u32) -> bool {
    bits >= 64 || (-(1_i128 << (bits - 1))..1_i128 << bits).contains(&i128::from(reading))
}

/// A reading taken as the first of its time line: not negative when the counter wraps.
pub fn first(reading: i64, bits: u32) -> i64 {
    if bits >= 64 { reading } else { reading & ((1_u64 << bits) - 1) as i64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wrap_is_undone_in_both_directions() {
        assert_eq!(nearest(5, 0xFFFF_FFF0, 32), 0x1_0000_0005);
        assert_eq!(nearest(0xFFFF_FFFF, 0x1_0000_0005, 32), 0xFFFF_FFFF);
        assert_eq!(nearest(-7, 1 << 40, 64), -7);
        assert_eq!(first(-1, 32), 0xFFFF_FFFF);
    }

    #[test]
    fn readings_wider_than_the_counter_do_not_fit() {
        assert!(fits(0xFFFF_FFFF, 32) && fits(-0x8000_0000, 32) && fits(i64::MIN, 64));
        assert!(!fits(0x1_0000_0000, 32) && !fits(-0x8000_0001, 32));
    }

    proptest! {
        #[test]
        fn the_truth_is_found_within_half_the_range(
            bits in 8u32..63, truth in 0i64..1 << 61, error in -1.0f64..1.0,
        ) {
            let half = (1_i64 << bits) / 2;
            let near = truth + (error * (half - 1) as f64 * 0.999) as i64;
            prop_assert_eq!(nearest(truth & ((1_i64 << bits) - 1), near, bits), truth);
        }

        #[test]
        fn nothing_panics(reading: i64, near: i64, bits in 1u32..=64) {
            nearest(reading, near, bits);
            fits(reading, bits);
            first(reading, bits);
        }
    }
}
