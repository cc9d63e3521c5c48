//! Validators: what a regular expression cannot say about a match.
//!
//! A rule names one of these in its `validator` field. Each is a pure function of the matched
//! bytes: no state, no clock, no allocation that grows with the haystack, and a verdict for
//! every input whatever its bytes, since the input is whatever a body happened to contain.
//!
//! `Valid` is kept for proofs: a checksum over a number whose shape is already specific. A check
//! that merely excludes (an area number never issued, an octet above 255) answers `Unknown` for
//! what survives, so that the rule's own score and context decide.

mod bank;
mod card;
mod date;
mod digits;
mod email;
mod iban;
mod keccak;
mod net;
mod phone;
mod secret;
mod tokens;
mod us;
mod wallet;

use crate::validator::Verdict;

macro_rules! validators {
    ($($name:literal => $function:path,)+) => {
        /// Every name a rule may give, in alphabetical order.
        pub(crate) const NAMES: &[&str] = &[$($name),+];

        /// The validator of that name.
        pub(crate) fn by_name(name: &str) -> Option<fn(&[u8]) -> Verdict> {
            match name {
                $($name => Some($function),)+
                _ => None,
            }
        }
    };
}

validators! {
    "aba_routing" => bank::aba_routing,
    "base58check" => wallet::base58check,
    "bearer" => secret::bearer,
    "birth_date" => date::birth_date,
    "credit_card" => card::credit_card,
    "dea" => us::dea,
    "email" => email::email,
    "ethereum" => wallet::ethereum,
    "github_token" => tokens::crc32_base62,
    "iban" => iban::iban,
    "imei" => card::imei,
    "ipv4" => net::ipv4,
    "ipv4_any" => net::ipv4_any,
    "ipv6" => net::ipv6,
    "ipv6_any" => net::ipv6_any,
    "jwt" => tokens::jwt,
    "luhn" => card::luhn,
    "mac" => net::mac,
    "mbi" => us::mbi,
    "npi" => us::npi,
    "npm_token" => tokens::crc32_base62,
    "password" => secret::password,
    "phone_international" => phone::international,
    "phone_nanp" => phone::nanp,
    "phone_national" => phone::national,
    "secret" => secret::secret,
    "segwit" => wallet::segwit,
    "token" => secret::token,
    "url_credentials" => secret::url_credentials,
    "us_itin" => us::itin,
    "us_ssn" => us::ssn,
    "us_ssn_shape" => us::ssn_shape,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_known() {
        assert!(NAMES.is_sorted());
        for pair in NAMES.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for name in NAMES {
            assert!(by_name(name).is_some(), "{name}");
        }
        assert!(by_name("no such validator").is_none());
    }

    #[test]
    fn every_validator_answers_for_any_bytes() {
        let mut hostile: Vec<Vec<u8>> = vec![
            Vec::new(),
            vec![0],
            vec![0xff; 64],
            b"\xc3".to_vec(),
            b"0".repeat(4096),
            b":".repeat(4096),
            b"@".repeat(64),
            b"eyJ.eyJ.".to_vec(),
            b"bc1".to_vec(),
            b"0x".to_vec(),
            b"+".to_vec(),
            b"(((((".to_vec(),
        ];
        hostile.extend((0..=255u8).map(|byte| vec![byte; 9]));
        hostile.extend((0..=255u8).map(|byte| vec![byte; 41]));
        for name in NAMES {
            let validate = by_name(name).expect("listed");
            for bytes in &hostile {
                validate(bytes);
            }
        }
    }
}
