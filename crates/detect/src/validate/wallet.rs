//! Cryptocurrency addresses.

use super::keccak::keccak256;
use crate::validator::Verdict;
use sha2::{Digest, Sha256};

/// A Base58Check string of a version byte and a 20-byte hash: Bitcoin and its relatives.
pub(super) fn base58check(bytes: &[u8]) -> Verdict {
    let mut decoded = [0u8; 25];
    for &byte in bytes {
        let Some(digit) = BASE58.iter().position(|&symbol| symbol == byte) else {
            return Verdict::Invalid;
        };
        let mut carry = digit;
        for place in decoded.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry % 256) as u8;
            carry /= 256;
        }
        if carry != 0 {
            return Verdict::Invalid;
        }
    }
    // Each leading `1` stands for one zero byte, no more and no fewer.
    let ones = bytes.iter().take_while(|&&byte| byte == b'1').count();
    let zeros = decoded.iter().take_while(|&&byte| byte == 0).count();
    let (payload, checksum) = decoded.split_at(21);
    let twice = Sha256::digest(Sha256::digest(payload));
    if ones == zeros && twice[..4] == *checksum { Verdict::Valid } else { Verdict::Invalid }
}

/// A segregated-witness address of BIP 173 (version 0) or BIP 350 (later versions).
pub(super) fn segwit(bytes: &[u8]) -> Verdict {
    let upper = bytes.iter().any(u8::is_ascii_uppercase);
    let lower = bytes.iter().any(u8::is_ascii_lowercase);
    if bytes.len() > 90 || upper && lower {
        return Verdict::Invalid;
    }
    let Some(divider) = bytes.iter().rposition(|&byte| byte == b'1') else {
        return Verdict::Invalid;
    };
    let (name, data) = (&bytes[..divider], &bytes[divider + 1..]);
    if name.is_empty() || data.len() < 7 {
        return Verdict::Invalid;
    }
    let folded = name.iter().map(u8::to_ascii_lowercase);
    let mut check = 1u32;
    for value in folded.clone().map(|byte| byte >> 5).chain([0]).chain(folded.map(|byte| byte & 31))
    {
        check = polymod(check, value);
    }
    let mut version = 0;
    for (place, byte) in data.iter().enumerate() {
        let Some(value) = BECH32.iter().position(|&symbol| symbol == byte.to_ascii_lowercase())
        else {
            return Verdict::Invalid;
        };
        if place == 0 {
            version = value;
        }
        check = polymod(check, value as u8);
    }
    // Bits of the witness program: five a symbol, less version and checksum.
    let program = (data.len() - 7) * 5 / 8;
    let right_length = match version {
        0 => matches!(program, 20 | 32),
        1..=16 => (2..=40).contains(&program),
        _ => false,
    };
    let constant = if version == 0 { 1 } else { 0x2bc8_30a3 };
    if right_length && check == constant { Verdict::Valid } else { Verdict::Invalid }
}

/// An Ethereum address, checked against EIP-55 when its letters have mixed case.
pub(super) fn ethereum(bytes: &[u8]) -> Verdict {
    let Some(digits) = bytes.strip_prefix(b"0x").or_else(|| bytes.strip_prefix(b"0X")) else {
        return Verdict::Invalid;
    };
    if digits.len() != 40 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Verdict::Invalid;
    }
    // Padding, small constants and burn addresses: no wallet's hash has so many zeros.
    if digits.iter().filter(|&&digit| digit == b'0').count() > 20 {
        return Verdict::Invalid;
    }
    let upper = digits.iter().any(u8::is_ascii_uppercase);
    let lower = digits.iter().any(u8::is_ascii_lowercase);
    if !(upper && lower) {
        return Verdict::Unknown;
    }
    let hash = keccak256(&digits.to_ascii_lowercase());
    let right = digits.iter().enumerate().all(|(place, digit)| {
        let nibble = (hash[place / 2] >> (4 * (1 - place % 2))) & 15;
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
    });
    if right { Verdict::Valid } else { Verdict::Invalid }
}

fn polymod(check: u32, value: u8) -> u32 {
    let top = check >> 25;
    let shifted = ((check & 0x01ff_ffff) << 5) ^ u32::from(value);
    GENERATOR
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(shifted, |sum, (_, generator)| sum ^ generator)
}

const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn all(validate: fn(&[u8]) -> Verdict, want: Verdict, cases: &[&str]) {
        for case in cases {
            assert_eq!(validate(case.as_bytes()), want, "{case}");
        }
    }

    #[test]
    fn base58check_addresses() {
        // The first block's address, BIP 13 and BIP 16 material, Litecoin's and a testnet one.
        let good = [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
            "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
        ];
        all(base58check, Verdict::Valid, &good);
        let bad = [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a",
            "",
        ];
        all(base58check, Verdict::Invalid, &bad);
    }

    #[test]
    fn segwit_addresses() {
        // BIP 173 and BIP 350.
        let good = [
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "BC1SW50QGDZ25J",
            "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        ];
        all(segwit, Verdict::Valid, &good);
        let bad = [
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
            "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
            "bc1gmk9yu",
            "1qyrz8wqd2c9m",
            "",
        ];
        all(segwit, Verdict::Invalid, &bad);
    }

    #[test]
    fn ethereum_addresses() {
        // EIP-55.
        let good = [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ];
        all(ethereum, Verdict::Valid, &good);
        all(
            ethereum,
            Verdict::Unknown,
            &[
                "0x52908400098527886E0F7030069857D2E4169EE7",
                "0xde709f2102306220921060314715629080e2fb77",
            ],
        );
        let bad = [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
            "0x0000000000000000000000000000000000000000",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "",
        ];
        all(ethereum, Verdict::Invalid, &bad);
    }
}
