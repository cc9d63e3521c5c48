//! Padmé: lengths rounded up so that a size tells little.
//!
//! From Nikitin, Barman, Lueks, Underwood, Hubaux and Ford, *Reducing Metadata Leakage from
//! Encrypted Files and Communication with PURBs* (PoPETs 2019), section 4. A length is kept like a
//! floating-point number whose mantissa is no longer than its exponent, so a length up to `2^n`
//! leaks `O(log n)` bits and grows by less than 12%.

/// The padded length for `len` bytes: at least `len`, and at most 15/129 more.
///
/// Padding a padded length changes nothing, and a longer input never gets a shorter result. Lengths
/// near `2^64`, which no buffer has, saturate.
pub(crate) const fn padme(len: u64) -> u64 {
    // Below 2 there is no exponent to speak of. Records never get there; totality is cheap.
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let mantissa_bits = exponent.ilog2() + 1;
    let mask = (1_u64 << (exponent - mantissa_bits)) - 1;
    len.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::padme;

    #[test]
    fn known_lengths() {
        // By the definition: E = ⌊log2 L⌋, S = ⌊log2 E⌋ + 1, and the last E − S bits become zero.
        let table = [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (7, 7),
            (8, 8),
            (9, 10),
            (15, 16),
            (16, 16),
            (17, 18),
            (33, 36),
            (63, 64),
            (65, 72),
            (127, 128),
            (129, 144), // the worst case of all: 11.6%
            (145, 160),
            (200, 208),
            (257, 272),
            (1_000, 1_024),
            (1_024, 1_024),
            (1_025, 1_088),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + (1 << 15)),
            ((1 << 30) + 1, (1 << 30) + (1 << 25)),
        ];
        for (len, padded) in table {
            assert_eq!(padme(len), padded, "length {len}");
        }
    }

    #[test]
    fn never_over_twelve_per_cent_up_to_a_mebibyte() {
        let worst = (1..=1_u64 << 20).max_by(|&a, &b| {
            ((padme(a) - a) * b).cmp(&((padme(b) - b) * a)) // cross-multiplied: exact
        });
        assert_eq!(worst, Some(129));
        assert!((padme(129) - 129) * 100 < 129 * 12);
    }

    proptest! {
        #[test]
        fn grows_a_little_and_only_once(len in 0..1_u64 << 48, more in 0..1_u64 << 40) {
            let padded = padme(len);
            prop_assert!(padded >= len);
            prop_assert!((padded - len) * 129 <= len * 15);
            prop_assert_eq!(padme(padded), padded);
            prop_assert!(padme(len + more) >= padded);
        }
    }

    #[test]
    fn does_not_overflow() {
        assert_eq!(padme((1 << 63) + 1), (1 << 63) + (1 << 57));
        assert_eq!(padme(u64::MAX), u64::MAX << 57);
    }
}
