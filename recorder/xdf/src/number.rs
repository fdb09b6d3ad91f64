//! Numbers as XML text that parses back to the identical value.

/// Shortest text that any IEEE parser (Rust, Python `float`, C `strtod`) reads back bit for bit;
/// whole numbers have no point ("1000"), very large and very small ones an exponent ("1e-7").
///
/// A NaN is written "NaN", losing its payload; infinities "inf" and "-inf".
pub(crate) fn text(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    if plain { format!("{value}") } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_short_and_extremes_have_exponents() {
        for (value, expected) in [
            (1000.0, "1000"),
            (0.0, "0"),
            (-0.0, "-0"),
            (512.5, "512.5"),
            (1e-7, "1e-7"),
            (1e300, "1e300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn any_number_reads_back_bit_for_bit(bits: u64) {
            let value = f64::from_bits(bits);
            let back: f64 = text(value).parse().unwrap();
            prop_assert!(back.to_bits() == bits || (back.is_nan() && value.is_nan()));
        }
    }
}
