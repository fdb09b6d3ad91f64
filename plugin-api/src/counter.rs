//! Undoing the wrap-around of a device's counter.

/// Turns readings of a counter of `bits` bits into one that never wraps.
///
/// A reading is placed at the value congruent to it that lies nearest to the
/// last one, so that readings may arrive out of order by up to half the
/// counter's range. One unwrapper serves everything stamped by one clock
/// (samples and exchanges), so that all of it stays on one time line.
#[derive(Debug, Clone)]
pub struct CounterUnwrap {
    bits: u32,
    last: Option<i64>,
}

impl CounterUnwrap {
    /// A counter of `bits` bits, 1 to 64; at 64 the readings pass as they are.
    pub fn new(bits: u32) -> Self {
        Self { bits: bits.clamp(1, 64), last: None }
    }

    /// The reading, unwrapped. The first one passes as it is.
    pub fn unwrap(&mut self, reading: u64) -> i64 {
        let value = match self.last {
            _ if self.bits == 64 => reading as i64,
            None => (reading & self.mask()) as i64,
            Some(last) => {
                let ahead = reading.wrapping_sub(last as u64) & self.mask();
                let half = 1u64 << (self.bits - 1);
                if ahead < half {
                    last.wrapping_add(ahead as i64)
                } else {
                    last.wrapping_sub((self.mask() - ahead + 1) as i64)
                }
            }
        };
        self.last = Some(value);
        value
    }

    /// Forget what was seen: the next reading starts a new time line.
    pub fn reset(&mut self) {
        self.last = None;
    }

    fn mask(&self) -> u64 {
        if self.bits == 64 { u64::MAX } else { (1 << self.bits) - 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_32_bit_microsecond_counter_passes_its_wrap() {
        let mut counter = CounterUnwrap::new(32);
        assert_eq!(counter.unwrap(0xFFFF_FFF0), 0xFFFF_FFF0);
        assert_eq!(counter.unwrap(5), 0x1_0000_0005);
        // One that was overtaken on the way.
        assert_eq!(counter.unwrap(0xFFFF_FFFF), 0xFFFF_FFFF);
        assert_eq!(counter.unwrap(6), 0x1_0000_0006);
    }

    #[test]
    fn sixty_four_bits_pass_as_they_are() {
        let mut counter = CounterUnwrap::new(64);
        assert_eq!(counter.unwrap(-5i64 as u64), -5);
        assert_eq!(counter.unwrap(i64::MAX as u64), i64::MAX);
    }

    proptest! {
        #[test]
        fn walks_of_less_than_half_the_range_are_followed(
            bits in 8u32..63,
            start in 0u64..1 << 40,
            steps in proptest::collection::vec(-100i64..100, 1..200),
        ) {
            let modulus = 1i64 << bits;
            let mut truth = (start as i64).rem_euclid(modulus);
            let mut counter = CounterUnwrap::new(bits);
            prop_assert_eq!(counter.unwrap(truth as u64), truth);
            for step in steps {
                truth += step;
                prop_assert_eq!(counter.unwrap(truth.rem_euclid(modulus) as u64), truth);
            }
        }
    }
}
