//! The United Kingdom.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::uniform;
use super::{Compact, calendar, digits, judge, number, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("uk_chi", chi),
    ("uk_driving_licence", driving_licence),
    ("uk_nhs", nhs),
    ("uk_nino", nino),
    ("uk_utr", utr),
    ("uk_vat", vat),
];

/// An NHS number: ten digits, weights 10 to 2, modulo 11.
fn nhs(bytes: &[u8]) -> Verdict {
    let holds = digits::<10>(bytes).map(|number| !uniform(&number) && modulo_11_holds(&number));
    judge(holds, Verdict::Unknown)
}

/// A Scottish CHI number: a date of birth and four digits under the scheme of the NHS number.
fn chi(bytes: &[u8]) -> Verdict {
    let holds = digits::<10>(bytes).map(|digits| {
        calendar(number(&digits[..2]), number(&digits[2..4])) && modulo_11_holds(&digits)
    });
    judge(holds, Verdict::Unknown)
}

fn modulo_11_holds(number: &[u8; 10]) -> bool {
    weighted_sum(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// A National Insurance number without the prefixes that are not issued (NIM39110).
fn nino(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let [first, second, digits @ .., suffix] = compact.as_slice() else { return Verdict::Invalid };
    let never = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&[*first, *second])
        || b"DFIQUV".contains(first)
        || b"DFIOQUV".contains(second);
    let shaped = values::<6>(digits).is_some_and(|_| (b'A'..=b'D').contains(suffix));
    judge(Some(shaped && !never), Verdict::Unknown)
}

/// A driver number: five letters of the surname, the date of birth taken apart, initials, and what the DVLA
/// adds.
fn driving_licence(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let text = compact.as_slice();
    let holds = || {
        let (name, birth) = (text.get(..5)?, values::<6>(text.get(5..11)?)?);
        let (initials, added) = (text.get(11..13)?, text.get(13..16)?);
        // A short name is filled up with nines, so no letter follows one.
        let filled = |part: &[u8]| {
            part.iter().skip_while(|byte| byte.is_ascii_alphabetic()).all(|&byte| byte == b'9')
        };
        // Five is added to the first digit of the month for women.
        let month = number(&birth[1..3]);
        let month = if month > 50 { month - 50 } else { month };
        Some(
            text.len() == 16
                && name[0].is_ascii_alphabetic()
                && filled(name)
                && filled(initials)
                && calendar(number(&birth[3..5]), month)
                && added[1..].iter().all(u8::is_ascii_alphabetic),
        )
    };
    judge(holds(), Verdict::Unknown)
}

/// A Unique Taxpayer Reference: the first of ten digits checks the others.
fn utr(bytes: &[u8]) -> Verdict {
    let holds = digits::<10>(bytes).map(|number| {
        let rest = weighted_sum(&number[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
        !uniform(&number) && b"21987654321"[rest as usize] - b'0' == number[0]
    });
    judge(holds, Verdict::Unknown)
}

/// A VAT registration: nine digits after the country, modulo 97, in the old or the new series, and three for
/// a branch.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let holds = || {
        let text = compact.as_slice();
        let text = text.strip_prefix(b"GB").or_else(|| text.strip_prefix(b"XI"))?;
        let (main, branch) = (text.get(..9)?, text.get(9..)?);
        let sum = weighted_sum(&values::<9>(main)?, &[8, 7, 6, 5, 4, 3, 2, 10, 1]) % 97;
        let branched = branch.is_empty() || values::<3>(branch).is_some();
        Some(branched && main != b"000000000" && matches!(sum, 0 | 42))
    };
    judge(holds(), Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn health_numbers() {
        // The NHS data dictionary's worked example.
        assert_verdicts(nhs, Verdict::Unknown, &["943 476 5919", "9434765919", "943-476-5919"]);
        assert_verdicts(nhs, Verdict::Invalid, &["9434765918", "943476591", "0000000000", ""]);
        assert_verdicts(chi, Verdict::Unknown, &["0101901208", "1407835211"]);
        assert_verdicts(chi, Verdict::Invalid, &["0101901207", "3202901230", ""]);
    }

    #[test]
    fn insurance_numbers() {
        assert_verdicts(nino, Verdict::Unknown, &["JG123456C", "ab 12 34 56 d"]);
        assert_verdicts(
            nino,
            Verdict::Invalid,
            &["QQ123456C", "BG123456A", "JO123456A", "JG123456E", "JG12345A", "AB", ""],
        );
    }

    #[test]
    fn driver_numbers() {
        assert_verdicts(
            driving_licence,
            Verdict::Unknown,
            &["MORGA753116SM9IJ", "FOX99552285J99AB"],
        );
        assert_verdicts(
            driving_licence,
            Verdict::Invalid,
            &["MORGA763116SM9IJ", "MORGA702306SM9IJ", "MO9GA753116SM9IJ", "MORGA753116SM9I", ""],
        );
    }

    #[test]
    fn tax_numbers() {
        assert_verdicts(utr, Verdict::Unknown, &["1955839661", "19558 39661"]);
        assert_verdicts(utr, Verdict::Invalid, &["2955839661", "195583966", ""]);
        assert_verdicts(vat, Verdict::Valid, &["GB980780684", "GB 980 7806 84", "GB980780684001"]);
        assert_verdicts(vat, Verdict::Invalid, &["GB980780685", "GB000000000", "980780684", ""]);
    }
}
