//! Whole ticks as seconds.

/// `ticks / ticks_per_s`, correctly rounded: what Python's division of the two integers gives.
pub fn ticks_as_seconds(ticks: i64, ticks_per_s: u64) -> f64 {
    const EXACT: u64 = 1 << 53;
    if ticks.unsigned_abs() <= EXACT {
        // Both operands are exact, so IEEE 754 rounds the quotient once.
        return ticks as f64 / ticks_per_s as f64;
    }
    // 64 more bits of quotient than of ticks, with whatever remains in the last of them: that last
    // bit lies far below the 53 that are kept, so it breaks ties as the full quotient would.
    let scaled = u128::from(ticks.unsigned_abs()) << 64;
    let divisor = u128::from(ticks_per_s.max(1));
    let quotient = (scaled / divisor) | u128::from(scaled % divisor != 0);
    let magnitude = quotient as f64 / (1_u128 << 64) as f64; // by a power of two: exact
    if ticks < 0 { -magnitude } else { magnitude }
}

/// Nanoseconds as seconds, rounded once.
pub fn seconds(ns: i64) -> f64 {
    ticks_as_seconds(ns, 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_equal_pythons_integer_division() {
        // python3: n / 10**k
        assert_eq!(ticks_as_seconds(1_234_567_890_123_456_789, 1_000_000_000), 1_234_567_890.123_456_7);
        assert_eq!(ticks_as_seconds(1_763_820_000_123_456_789, 1_000_000_000), 1_763_820_000.123_456_7);
        assert_eq!(ticks_as_seconds(i64::MAX, 1_000_000_000), 9_223_372_036.854_776);
        assert_eq!(ticks_as_seconds(i64::MIN, 1000), -9_223_372_036_854_776.0);
        assert_eq!(ticks_as_seconds(9_007_199_254_740_993, 1), 9_007_199_254_740_992.0);
        assert_eq!(ticks_as_seconds(9_007_199_254_740_995, 1), 9_007_199_254_740_996.0);
        assert_eq!(ticks_as_seconds(1_234_567, 1_000_000), 1.234_567);
    }

    #[test]
    fn seconds_are_rounded_once() {
        assert_eq!(seconds(1_234_567_890_123_456), 1_234_567.890_123_456);
    }

    proptest! {
        #[test]
        fn the_long_division_agrees_with_the_short_one_and_is_nearest(ticks: i64, k in 0u32..4) {
            let per_s = 1000_u64.pow(k);
            let value = ticks_as_seconds(ticks, per_s);
            // |value * per_s - ticks| must not exceed half a unit in the last place of value, in exact
            // arithmetic: value = m * 2^e.
            let bits = value.to_bits();
            let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
            let mantissa = i128::from((bits & ((1 << 52) - 1)) | (1 << 52));
            prop_assume!(ticks.unsigned_abs() > 1 << 54);
            let (mut left, mut right) = (mantissa * i128::from(per_s), i128::from(ticks.unsigned_abs()));
            let mut half_ulp = i128::from(per_s); // of 2^(e - 1)
            if exponent >= 0 {
                left <<= exponent + 1;
                half_ulp <<= exponent;
                right <<= 1;
            } else {
                let shift = (-exponent) as u32;
                prop_assume!(right.leading_zeros() > shift + 2);
                left <<= 1;
                right <<= shift + 1;
            }
            prop_assert!((left - right).abs() <= half_ulp);
        }
    }
}
