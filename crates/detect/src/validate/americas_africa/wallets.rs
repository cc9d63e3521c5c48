//! Addresses of further ledgers, each with its own checksum.

use sha2::{Digest, Sha256};

use super::super::Table;
use super::valid_if;
use crate::validator::Verdict;

pub(super) const TABLE: Table = &[
    ("bech32", bech32),
    ("cashaddr", cashaddr),
    ("ripple", ripple),
    ("solana", solana),
    ("stellar", stellar),
];

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The same symbols in the order of the XRP Ledger.
const BASE58_RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The number that `bytes` write in base 58, if it fits into `N` bytes.
fn base58<const N: usize>(bytes: &[u8], alphabet: &[u8; 58]) -> Option<[u8; N]> {
    let mut decoded = [0u8; N];
    for byte in bytes {
        let mut carry = alphabet.iter().position(|symbol| symbol == byte)?;
        for place in decoded.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry % 256) as u8;
            carry /= 256;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(decoded)
}

/// An account of the XRP Ledger: version 0, a 20-byte hash and four bytes of a doubled SHA-256.
fn ripple(bytes: &[u8]) -> Verdict {
    if !(25..=35).contains(&bytes.len()) {
        return Verdict::Invalid;
    }
    let Some(decoded) = base58::<25>(bytes, BASE58_RIPPLE) else { return Verdict::Invalid };
    let (payload, checksum) = decoded.split_at(21);
    let twice = Sha256::digest(Sha256::digest(payload));
    valid_if(payload[0] == 0 && twice[..4] == *checksum)
}

/// A public key of Solana: 32 bytes in base 58, which carry no checksum.
fn solana(bytes: &[u8]) -> Verdict {
    let mixed = bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_lowercase)
        && bytes.iter().any(u8::is_ascii_uppercase);
    match base58::<32>(bytes, BASE58) {
        // Fewer than 32 bytes would begin with zeros, each of which is written as a `1`.
        Some(decoded) if (32..=44).contains(&bytes.len()) && mixed && decoded[0] != 0 => {
            Verdict::Unknown
        }
        _ => Verdict::Invalid,
    }
}

/// A Bech32 string of any length (BIP 173): Cardano, Cosmos and their relatives.
fn bech32(bytes: &[u8]) -> Verdict {
    let Some(divider) = bytes.iter().rposition(|&byte| byte == b'1') else {
        return Verdict::Invalid;
    };
    let (name, data) = (&bytes[..divider], &bytes[divider + 1..]);
    if name.is_empty() || data.len() < 32 || bytes.len() > 200 {
        return Verdict::Invalid;
    }
    let mut check = 1u32;
    let expanded = name.iter().map(|byte| byte >> 5).chain([0]);
    for value in expanded.chain(name.iter().map(|byte| byte & 31)) {
        check = polymod(check, value);
    }
    for byte in data {
        let Some(value) = BECH32.iter().position(|symbol| symbol == byte) else {
            return Verdict::Invalid;
        };
        check = polymod(check, value as u8);
    }
    valid_if(check == 1)
}

fn polymod(check: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let shifted = ((check & 0x01ff_ffff) << 5) ^ u32::from(value);
    (0..5)
        .filter(|bit| (check >> 25) >> bit & 1 == 1)
        .fold(shifted, |sum, bit| sum ^ GENERATOR[bit])
}

/// An address of Bitcoin Cash with its prefix: the same alphabet under a 40-bit checksum.
fn cashaddr(bytes: &[u8]) -> Verdict {
    const GENERATOR: [u64; 5] =
        [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let Some(divider) = bytes.iter().position(|&byte| byte == b':') else {
        return Verdict::Invalid;
    };
    let (name, data) = (&bytes[..divider], &bytes[divider + 1..]);
    if !(40..=120).contains(&data.len()) {
        return Verdict::Invalid;
    }
    let mut check = 1u64;
    let mut step = |value: u8| {
        let top = check >> 35;
        check = ((check & 0x07_ffff_ffff) << 5) ^ u64::from(value);
        for (bit, generator) in GENERATOR.into_iter().enumerate() {
            if top >> bit & 1 == 1 {
                check ^= generator;
            }
        }
    };
    name.iter().for_each(|byte| step(byte & 31));
    step(0);
    for byte in data {
        let Some(value) = BECH32.iter().position(|symbol| symbol == byte) else {
            return Verdict::Invalid;
        };
        step(value as u8);
    }
    valid_if(check == 1)
}

/// A public key of Stellar: `G`, 32 bytes in base 32 and a CRC-16 (XMODEM).
fn stellar(bytes: &[u8]) -> Verdict {
    let mut decoded = [0u8; 35];
    if bytes.len() != 56 {
        return Verdict::Invalid;
    }
    for (place, byte) in bytes.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return Verdict::Invalid,
        };
        for bit in 0..5 {
            let at = place * 5 + bit;
            decoded[at / 8] |= (value >> (4 - bit) & 1) << (7 - at % 8);
        }
    }
    let (payload, checksum) = decoded.split_at(33);
    let crc = payload.iter().fold(0u16, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    valid_if(payload[0] == 6 << 3 && crc.to_le_bytes() == *checksum)
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;

    #[test]
    fn ledgers_own_examples() {
        // The XRP Ledger's genesis account.
        all(ripple, Verdict::Valid, &["rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"]);
        all(ripple, Verdict::Invalid, &["rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTj", "r", ""]);
        // CIP-19's test vectors.
        all(
            bech32,
            Verdict::Valid,
            &[
                "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
                "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw",
            ],
        );
        all(
            bech32,
            Verdict::Invalid,
            &["addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl9", "addr1", "1", ""],
        );
        // The specification of cash addresses.
        all(cashaddr, Verdict::Valid, &["bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"]);
        all(
            cashaddr,
            Verdict::Invalid,
            &["bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6q", "bitcoincash:q", ":", ""],
        );
    }

    #[test]
    fn keys() {
        // SEP-23's first test case.
        all(stellar, Verdict::Valid, &["GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"]);
        all(
            stellar,
            Verdict::Invalid,
            &["GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGY", "G", ""],
        );
        // The address of a token program.
        all(solana, Verdict::Unknown, &["TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"]);
        all(
            solana,
            Verdict::Invalid,
            &["11111111111111111111111111111111", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf0", ""],
        );
    }
}
