//! Brazil.

use super::super::Table;
use super::super::check_digits::weighted_sum;
use super::super::digits::{Digits, uniform};
use super::{unknown_if, valid_if};
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("br_cnh", cnh),
    ("br_cnpj", cnpj),
    ("br_cns", cns),
    ("br_cpf", cpf),
    ("br_pis", pis),
    ("br_renavam", renavam),
    ("br_titulo", titulo),
];

/// What separates the groups of these numbers.
const DIVIDERS: &[u8] = b" .-/";

/// The usual check digit: 11 less the remainder, and 0 where that has two digits.
fn mod_11(digits: &[u8], weights: &[u32]) -> u32 {
    match weighted_sum(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

/// A taxpayer number of a person: nine digits and two check digits.
fn cpf(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let [.., first, second] = digits else { return Verdict::Invalid };
    valid_if(
        digits.len() == 11
            && !uniform(digits)
            && mod_11(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(*first)
            && mod_11(&digits[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(*second),
    )
}

/// A taxpayer number of an entity: twelve digits, since July 2026 also letters, and two check
/// digits. A letter counts as its ASCII code less 48 (Instrução Normativa RFB 2.229/2024).
fn cnpj(bytes: &[u8]) -> Verdict {
    let mut values = [0u8; 14];
    let mut len = 0;
    for &byte in bytes.iter().filter(|byte| !DIVIDERS.contains(byte)) {
        let Some(place) = values.get_mut(len) else { return Verdict::Invalid };
        *place = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' if len < 12 => byte - b'0',
            b'a'..=b'z' if len < 12 => byte - b'a' + b'A' - b'0',
            _ => return Verdict::Invalid,
        };
        len += 1;
    }
    let weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    valid_if(
        len == 14
            && !uniform(&values)
            && mod_11(&values[..12], &weights[1..]) == u32::from(values[12])
            && mod_11(&values[..13], &weights) == u32::from(values[13]),
    )
}

/// A driving licence: nine digits and two check digits, the second of which makes up for the first
/// where that would have been 10.
fn cnh(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let [.., first, second] = digits else { return Verdict::Invalid };
    if digits.len() != 11 || uniform(digits) {
        return Verdict::Invalid;
    }
    let one = weighted_sum(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
    let two = weighted_sum(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11;
    let (one, lent) = if one == 10 { (0, 2) } else { (one, 0) };
    let two = (two + 11 - lent) % 11;
    let two = if two == 10 { 0 } else { two };
    valid_if((one, two) == (u32::from(*first), u32::from(*second)))
}

/// An elector's number: eight digits, two of the state (01 to 28) and two check digits.
fn titulo(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<12>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let state = digits.number(8, 10);
    let digits = digits.as_slice();
    let [.., first, second] = digits else { return Verdict::Invalid };
    let Some(state @ 1..=28) = state.filter(|_| digits.len() == 12) else {
        return Verdict::Invalid;
    };
    // São Paulo and Minas Gerais write 1 where others write 0.
    let check = |sum: u32| match sum % 11 {
        10 => 0,
        0 if state <= 2 => 1,
        rest => rest,
    };
    let one = check(weighted_sum(digits, &[2, 3, 4, 5, 6, 7, 8, 9]));
    let two = check(weighted_sum(&digits[8..], &[7, 8]) + 9 * one);
    valid_if(!uniform(&digits[..8]) && (one, two) == (u32::from(*first), u32::from(*second)))
}

/// A number of social integration (PIS, PASEP, NIT, NIS): ten digits and one check digit.
///
/// `Unknown` when it holds: one in eleven passes.
fn pis(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let Some((&check, body)) = digits.split_last() else { return Verdict::Invalid };
    let right = mod_11(body, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(check);
    unknown_if(digits.len() == 11 && !uniform(digits) && right)
}

/// A vehicle's number in the national register: ten digits and one check digit.
fn renavam(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<11>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let Some((&check, body)) = digits.split_last() else { return Verdict::Invalid };
    let right = mod_11(body, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(check);
    unknown_if(digits.len() == 11 && !uniform(digits) && right)
}

/// A national health card: fifteen digits that begin with 1, 2, 7, 8 or 9, whose sum under the
/// weights 15 to 1 is a multiple of 11.
fn cns(bytes: &[u8]) -> Verdict {
    let Some(digits) = Digits::<15>::read(bytes, DIVIDERS) else { return Verdict::Invalid };
    let digits = digits.as_slice();
    let kind = digits.first().is_some_and(|first| matches!(first, 1 | 2 | 7 | 8 | 9));
    let weights = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let sum = weighted_sum(digits, &weights);
    unknown_if(digits.len() == 15 && kind && !uniform(digits) && sum.is_multiple_of(11))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn taxpayers() {
        all(cpf, Verdict::Valid, &["529.982.247-25", "52998224725", "111.444.777-35"]);
        all(
            cpf,
            Verdict::Invalid,
            &["529.982.247-26", "529.982.247-15", "111.111.111-11", "5299822472", ""],
        );
        // The last is the tax office's own example of a number with letters.
        all(cnpj, Verdict::Valid, &["11.222.333/0001-81", "11222333000181", "12.ABC.345/01DE-35"]);
        all(
            cnpj,
            Verdict::Invalid,
            &["11.222.333/0001-82", "12.ABC.345/01DE-36", "12ABC34501DEAB", "00000000000000", ""],
        );
    }

    #[test]
    fn drivers_and_electors() {
        all(cnh, Verdict::Valid, &["62472927637", "83592802666"]);
        all(cnh, Verdict::Invalid, &["62472927638", "11111111111", "6247292763", ""]);
        all(titulo, Verdict::Valid, &["1023 8501 0671", "102385010671"]);
        all(titulo, Verdict::Invalid, &["102385010672", "102385019971", "10238501067", ""]);
    }

    #[test]
    fn workers_vehicles_and_patients() {
        all(pis, Verdict::Unknown, &["120.56412.54-5", "12056412545"]);
        all(pis, Verdict::Invalid, &["120.56412.54-8", "00000000000", "1205641254", ""]);
        all(renavam, Verdict::Unknown, &["63977791937"]);
        all(renavam, Verdict::Invalid, &["63977791938", "6397779193", ""]);
        all(cns, Verdict::Unknown, &["700 5012 6873 0009", "700501268730009"]);
        all(cns, Verdict::Invalid, &["700501268730008", "300501268730009", "70050126873000", ""]);
    }
}
