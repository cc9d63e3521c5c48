//! US bank routing numbers.

use super::digits::Digits;
use crate::validator::Verdict;

/// An ABA routing transit number: a Federal Reserve prefix and the 3-7-1 checksum.
///
/// `Unknown` when it holds: four in a hundred nine-digit numbers pass.
pub(super) fn aba_routing(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<9>::read(bytes, b"- ") else { return Verdict::Invalid };
    let prefix = digits.number(0, 2);
    let digits = digits.as_slice();
    // 00 is the government, 01–12 the districts, 21–32 thrifts, 61–72 electronic, 80 cheques.
    let issued = matches!(prefix, Some(0..=12 | 21..=32 | 61..=72 | 80));
    let sum: u32 = digits
        .iter()
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    if digits.len() == 9 && issued && sum != 0 && sum.is_multiple_of(10) {
        Verdict::Unknown
    } else {
        Verdict::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routing_numbers() {
        // Published by the banks themselves and by the Federal Reserve.
        for number in ["021000021", "011401533", "0910-0001-9", "122105155", "0210-0002-1"] {
            assert_eq!(aba_routing(number.as_bytes()), Verdict::Unknown, "{number}");
        }
        for number in
            ["021000022", "431000001", "000000000", "02100002", "0210000211", "02100002a", ""]
        {
            assert_eq!(aba_routing(number.as_bytes()), Verdict::Invalid, "{number}");
        }
    }
}
