//! Identities that are the same at each run.

use crate::rng::derive_seed;

/// A UUID of version 4 that depends on the seed, what it is for, and a number.
pub(crate) fn identity(seed: u64, purpose: &str, number: u64) -> String {
    let words = [0, 1].map(|half| derive_seed(seed.wrapping_add(number), &format!("{purpose}/{half}")));
    let bits = u128::from(words[0]) << 64 | u128::from(words[1]);
    // The version and the variant have places of their own (RFC 9562, section 5.4).
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_uuids_of_version_4_and_differ() {
        let all: std::collections::BTreeSet<String> =
            (0..100).map(|number| identity(7, "recording", number)).collect();
        assert_eq!(all.len(), 100);
        for id in all {
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "4");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
        assert_eq!(identity(7, "phone", 0), identity(7, "phone", 0));
        assert_ne!(identity(7, "phone", 0), identity(7, "module", 0));
    }
}
