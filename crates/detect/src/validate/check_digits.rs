//! Check digit schemes that many numbers share. Digits are values 0 to 9, check digit included unless
//! said otherwise.

/// The sum of digits times weights, pair by pair; what is longer is cut.
pub(super) fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

/// The number that digits write, modulo `modulus` (at most 2^28).
pub(super) fn remainder(digits: &[u8], modulus: u32) -> u32 {
    digits.iter().fold(0, |rest, &digit| (rest * 10 + u32::from(digit)) % modulus)
}

/// ISO/IEC 7064 MOD 11,10 (hybrid), as of the German tax id and the Croatian OIB.
pub(super) fn mod_11_10_holds(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + u32::from(check)) % 10 == 1
}

/// Verhoeff's scheme over the dihedral group D5 (J. Verhoeff, Error Detecting Decimal Codes, 1969), as of
/// the Indian Aadhaar number.
pub(super) fn verhoeff_holds(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permute = |digit: u8, times: usize| {
        (0..times % 8).fold(digit, |digit, _| PERMUTATION[usize::from(digit)])
    };
    let check = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |check, (place, &digit)| multiply(check, permute(digit, place)));
    !digits.is_empty() && check == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn published_examples_hold() {
        assert!(mod_11_10_holds(&digits("86095742719"))); // the German tax office's own
        assert!(verhoeff_holds(&digits("2363"))); // Verhoeff's
        assert_eq!(remainder(&digits("3214282912345698765432161182"), 97), 1);
        assert_eq!(weighted_sum(&digits("123"), &[3, 2, 1, 9]), 10);
    }

    #[test]
    fn one_wrong_digit_is_always_noticed() {
        for (number, holds) in [
            ("86095742719", mod_11_10_holds as fn(&[u8]) -> bool),
            ("2363", verhoeff_holds as fn(&[u8]) -> bool),
        ] {
            let right = digits(number);
            for place in 0..right.len() {
                for other in (0..10).filter(|&other| other != right[place]) {
                    let mut wrong = right.clone();
                    wrong[place] = other;
                    assert!(!holds(&wrong));
                }
            }
            assert!(!holds(&[]));
        }
    }
}
