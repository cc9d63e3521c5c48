//! France.

use super::super::Table;
use super::super::check_digits::remainder;
use super::super::digits::{luhn_holds, uniform};
use super::{Compact, digits, judge, number, values};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("fr_id_card", id_card),
    ("fr_nir", nir),
    ("fr_nir_unkeyed", nir_unkeyed),
    ("fr_rib", rib),
    ("fr_rpps", rpps),
    ("fr_siren", siren),
    ("fr_siret", siret),
    ("fr_spi", spi),
    ("fr_vat", vat),
];

/// A social security number (NIR) with its key: 97 less the number modulo 97.
fn nir(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice();
        let number = nir_digits(text.get(..13)?)?;
        let key = values::<2>(text.get(13..)?)?;
        Some(97 - remainder(&number, 97) == super::number(&key))
    };
    judge(holds(), Verdict::Valid)
}

/// The same without its key, as it stands on older papers.
fn nir_unkeyed(bytes: &[u8]) -> Verdict {
    let holds = Compact::read(bytes).and_then(|compact| nir_digits(compact.as_slice()));
    judge(holds.map(|_| true), Verdict::Unknown)
}

/// The digits of a NIR with a possible sex and month. Corsica's departments count as 19 and 18.
fn nir_digits(text: &[u8]) -> Option<[u8; 13]> {
    let mut text: [u8; 13] = text.try_into().ok()?;
    match &text[5..7] {
        b"2A" => text[5..7].copy_from_slice(b"19"),
        b"2B" => text[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    let digits = values::<13>(&text)?;
    // Months beyond 12 are given where the papers of birth leave the month open.
    let month = matches!(number(&digits[3..5]), 1..=12 | 20 | 30..=42 | 50..=99);
    let place =
        number(&digits[5..7]) > 0 && number(&digits[7..10]) > 0 && number(&digits[10..13]) > 0;
    (matches!(digits[0], 1..=4 | 7 | 8) && month && place).then_some(digits)
}

/// An identity card since 2021: nine letters and digits, never of one kind only.
fn id_card(bytes: &[u8]) -> Verdict {
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    judge(Some(digits >= 2 && letters >= 2), Verdict::Unknown)
}

/// A tax reference (SPI): ten digits from 0 to 3, and their rest modulo 511.
fn spi(bytes: &[u8]) -> Verdict {
    let holds = digits::<13>(bytes).map(|digits| {
        let key = number(&digits[10..]);
        digits[0] <= 3 && !uniform(&digits) && remainder(&digits[..10], 511) == key
    });
    judge(holds, Verdict::Valid)
}

/// A company (SIREN): nine digits after Luhn.
fn siren(bytes: &[u8]) -> Verdict {
    let holds = digits::<9>(bytes).map(|digits| !uniform(&digits) && luhn_holds(&digits));
    judge(holds, Verdict::Unknown)
}

/// An establishment (SIRET): a SIREN and five digits, after Luhn again. Those of the post office are too many
/// for that and make a sum of digits divisible by five.
fn siret(bytes: &[u8]) -> Verdict {
    const POST: [u8; 9] = [3, 5, 6, 0, 0, 0, 0, 0, 0];
    let holds = digits::<14>(bytes).map(|digits| {
        let sum: u32 = digits.iter().copied().map(u32::from).sum();
        let post = digits.starts_with(&POST) && sum.is_multiple_of(5);
        !uniform(&digits) && luhn_holds(&digits[..9]) && (luhn_holds(&digits) || post)
    });
    judge(holds, Verdict::Valid)
}

/// A VAT number: a key and a SIREN. Where the key is digits it follows from the SIREN.
fn vat(bytes: &[u8]) -> Verdict {
    let Some(compact) = Compact::read(bytes) else { return Verdict::Invalid };
    let parts = || {
        let text = compact.as_slice().strip_prefix(b"FR")?;
        Some((text.get(..2)?, values::<9>(text.get(2..)?)?))
    };
    let Some((key, siren)) = parts() else { return Verdict::Invalid };
    // Monaco's numbers hold no SIREN, so Luhn is not asked.
    let expected = (12 + 3 * remainder(&siren, 97)) % 97;
    match values::<2>(key) {
        Some(key) => judge(Some(number(&key) == expected), Verdict::Valid),
        None if uniform(&siren) || !luhn_holds(&siren) => Verdict::Invalid,
        None => Verdict::Unknown,
    }
}

/// A practitioner (RPPS): eleven digits after Luhn.
fn rpps(bytes: &[u8]) -> Verdict {
    let holds = digits::<11>(bytes).map(|digits| !uniform(&digits) && luhn_holds(&digits));
    judge(holds, Verdict::Unknown)
}

/// A bank account (RIB): bank, branch, account and key together are divisible by 97.
fn rib(bytes: &[u8]) -> Verdict {
    let holds = || {
        let compact = Compact::read(bytes)?;
        let text = compact.as_slice();
        let mut digits = [0u8; 23];
        if text.len() != digits.len() {
            return None;
        }
        for (digit, &byte) in digits.iter_mut().zip(text) {
            // Letters count 1 to 9, from S on 2 to 9.
            *digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'I' => byte - b'A' + 1,
                b'J'..=b'R' => byte - b'J' + 1,
                _ => byte.checked_sub(b'S')? + 2,
            };
        }
        Some(!uniform(&digits) && remainder(&digits, 97) == 0)
    };
    judge(holds(), Verdict::Valid)
}

#[cfg(test)]
mod tests {
    use super::super::assert_verdicts;
    use super::*;

    #[test]
    fn social_security() {
        assert_verdicts(
            nir,
            Verdict::Valid,
            &["2 55 08 14 168 025 38", "185057800608491", "294032A00411823", "179112B12007350"],
        );
        assert_verdicts(
            nir,
            Verdict::Invalid,
            &["255081416802539", "955081416802538", "255151416802538", "25508141680253", ""],
        );
        assert_verdicts(nir_unkeyed, Verdict::Unknown, &["1850578006084", "2 94 03 2A 004 118"]);
        assert_verdicts(nir_unkeyed, Verdict::Invalid, &["1851578006084", "185057800608", ""]);
    }

    #[test]
    fn identity_cards() {
        // The number of the specimen card.
        assert_verdicts(id_card, Verdict::Unknown, &["X4RTBPFW4", "D2H6862M2"]);
        assert_verdicts(id_card, Verdict::Invalid, &["482091753", "CONTAINER", ""]);
    }

    #[test]
    fn tax_and_companies() {
        assert_verdicts(spi, Verdict::Valid, &["30 23 217 600 053", "1847205936212"]);
        assert_verdicts(
            spi,
            Verdict::Invalid,
            &["1847205936213", "4847205936212", "0000000000000", ""],
        );
        assert_verdicts(siren, Verdict::Unknown, &["732 829 320", "481739266"]);
        assert_verdicts(siren, Verdict::Invalid, &["732829321", "000000000", ""]);
        assert_verdicts(siret, Verdict::Valid, &["732 829 320 00074", "48173926600015"]);
        assert_verdicts(siret, Verdict::Invalid, &["73282932000075", "00000000000000", ""]);
        assert_verdicts(vat, Verdict::Valid, &["FR44732829320", "FR 66 481739266"]);
        assert_verdicts(vat, Verdict::Unknown, &["FRK7732829320"]);
        assert_verdicts(
            vat,
            Verdict::Invalid,
            &["FR45732829320", "FRK7732829321", "FR4473282932", ""],
        );
        assert_verdicts(rpps, Verdict::Unknown, &["10004726393", "81017482530"]);
        assert_verdicts(rpps, Verdict::Invalid, &["10004726394", ""]);
        assert_verdicts(
            rib,
            Verdict::Valid,
            &["20041 01005 0500013M026 06", "30004008120004729163A22"],
        );
        assert_verdicts(
            rib,
            Verdict::Invalid,
            &["20041 01005 0500013M026 07", "00000000000000000000000", ""],
        );
    }
}
