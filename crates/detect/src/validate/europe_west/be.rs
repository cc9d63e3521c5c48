//! Belgium.

use super::super::Table;
use super::super::check_digits::remainder;
use super::{digits, digits_after, judge, number};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("be_enterprise", enterprise),
    ("be_id_card", id_card),
    ("be_inami", inami),
    ("be_national_number", national_number),
    ("be_vat", vat),
];

/// A national register number: date of birth, serial number and 97 less the rest modulo 97. A 2 goes before
/// those born from 2000 on. The month of a bis number is higher by 20 or 40.
fn national_number(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes).map(|digits| {
        let (body, check) = (number(&digits[..9]), number(&digits[9..]));
        let month = number(&digits[2..4]) % 20;
        let real = month <= 12 && number(&digits[2..4]) < 60 && number(&digits[4..6]) <= 31;
        // 2 followed by nine digits, modulo 97: 2_000_000_000 leaves 46 more.
        let young = (body % 97 + 2_000_000_000 % 97) % 97;
        real && body > 0 && (97 - body % 97 == check || 97 - young == check)
    });
    judge(holds, Verdict::Valid)
}

/// An enterprise number: ten digits from 0 or 1, the last two 97 less the rest of the others.
fn enterprise(bytes: &[u8]) -> Verdict {
    judge(digits::<10>(bytes).map(enterprise_holds), Verdict::Valid)
}

/// The same as a VAT number. Nine digits are the form until 2007.
fn vat(bytes: &[u8]) -> Verdict {
    let holds = digits_after::<10>(b"BE", bytes)
        .or_else(|| {
            let old = digits_after::<9>(b"BE", bytes)?;
            let mut new = [0; 10];
            new[1..].copy_from_slice(&old);
            Some(new)
        })
        .map(enterprise_holds);
    judge(holds, Verdict::Valid)
}

fn enterprise_holds(digits: [u8; 10]) -> bool {
    let (body, check) = (number(&digits[..8]), number(&digits[8..]));
    digits[0] <= 1 && body > 0 && 97 - body % 97 == check
}

/// An identity card: ten digits and their rest modulo 97, 97 for none.
fn id_card(bytes: &[u8]) -> Verdict {
    let holds = digits::<12>(bytes).map(|digits| {
        let rest = remainder(&digits[..10], 97);
        let check = if rest == 0 { 97 } else { rest };
        digits[..10].iter().any(|&digit| digit != 0) && number(&digits[10..]) == check
    });
    judge(holds, Verdict::Valid)
}

/// A care giver (INAMI, RIZIV): six digits, 97 less their rest, and three for the qualification.
fn inami(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes)
        .map(|digits| digits[0] != 0 && 97 - number(&digits[..6]) % 97 == number(&digits[6..8]));
    judge(holds, Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn persons() {
        assert_verdicts(
            national_number,
            Verdict::Valid,
            &["85.07.30-033.28", "93112620773", "03.04.15-118.37"],
        );
        assert_verdicts(
            national_number,
            Verdict::Invalid,
            &["85.07.30-033.29", "85133003328", "00000000097", "8507300332", ""],
        );
        assert_verdicts(id_card, Verdict::Valid, &["591-2345678-29", "592740618323"]);
        assert_verdicts(id_card, Verdict::Invalid, &["591-2345678-30", "000000000097", ""]);
        assert_verdicts(inami, Verdict::Valid, &["1-47203-43-004", "38291541004"]);
        assert_verdicts(inami, Verdict::Invalid, &["1-47203-44-004", ""]);
    }

    #[test]
    fn companies() {
        assert_verdicts(enterprise, Verdict::Valid, &["0403.170.503", "0847392196"]);
        assert_verdicts(
            enterprise,
            Verdict::Invalid,
            &["0403.170.504", "0000000097", "2847392196", ""],
        );
        assert_verdicts(vat, Verdict::Valid, &["BE0403.170.503", "BE 0847392196", "BE403170503"]);
        assert_verdicts(vat, Verdict::Invalid, &["BE0403170504", "0403170503", "BE", ""]);
    }
}
