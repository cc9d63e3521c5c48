//! Validators: what a regular expression cannot say about a match.
//!
//! A rule names one of these in its `validator` field. Each is a pure function of the matched
//! bytes: no state, no clock, no allocation that grows with the haystack, and a verdict for
//! every input whatever its bytes, since the input is whatever a body happened to contain.
//!
//! `Valid` is kept for proofs: a checksum over a number whose shape is already specific. A check
//! that merely excludes (an area number never issued, an octet above 255) answers `Unknown` for
//! what survives, so that the rule's own score and context decide.

mod americas_africa;
mod asia_pacific;
mod bank;
mod card;
mod check_digits;
mod date;
mod digits;
mod email;
mod europe_east;
mod europe_west;
mod iban;
mod keccak;
mod net;
mod phone;
pub(crate) mod secret;
mod tokens;
mod us;
mod wallet;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::validator::Validator;

/// Validators under the names that rules give.
type Table = &'static [(&'static str, Validator)];

/// Every validator there is.
const TABLES: &[&[Table]] = &[
    &[GENERAL],
    americas_africa::TABLES,
    asia_pacific::TABLES,
    europe_east::TABLES,
    europe_west::TABLES,
];

const GENERAL: Table = &[
    ("aba_routing", bank::aba_routing),
    ("base58check", wallet::base58check),
    ("basic_credentials", tokens::basic_credentials),
    ("bearer", secret::bearer),
    ("birth_date", date::birth_date),
    ("credit_card", card::credit_card),
    ("dea", us::dea),
    ("email", email::email),
    ("ethereum", wallet::ethereum),
    ("github_token", tokens::crc32_base62),
    ("gitlab_token", tokens::gitlab),
    ("grafana_token", tokens::grafana),
    ("iban", iban::iban),
    ("imei", card::imei),
    ("ipv4", net::ipv4),
    ("ipv4_any", net::ipv4_any),
    ("ipv6", net::ipv6),
    ("ipv6_any", net::ipv6_any),
    ("jwt", tokens::jwt),
    ("luhn", card::luhn),
    ("mac", net::mac),
    ("mbi", us::mbi),
    ("npi", us::npi),
    ("npm_token", tokens::crc32_base62),
    ("mixed_secret", secret::mixed_secret),
    ("password", secret::password),
    ("phone_international", phone::international),
    ("phone_nanp", phone::nanp),
    ("phone_national", phone::national),
    ("secret", secret::secret),
    ("segwit", wallet::segwit),
    ("token", secret::token),
    ("url_credentials", secret::url_credentials),
    ("us_itin", us::itin),
    ("us_ssn", us::ssn),
    ("us_ssn_shape", us::ssn_shape),
];

static BY_NAME: LazyLock<BTreeMap<&str, Validator>> =
    LazyLock::new(|| TABLES.iter().copied().flatten().copied().flatten().copied().collect());

/// The validator of that name.
pub(crate) fn by_name(name: &str) -> Option<Validator> {
    BY_NAME.get(name).copied()
}

/// Every name a rule may give, in alphabetical order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_is_well_formed() {
        let listed: Vec<&str> =
            TABLES.iter().copied().flatten().copied().flatten().map(|&(name, _)| name).collect();
        assert_eq!(listed.len(), names().count(), "a name stands twice");
        let byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!(listed.iter().all(|name| name.bytes().all(byte)));
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
        for name in names() {
            let validate = by_name(name).expect("listed");
            for bytes in &hostile {
                validate(bytes);
            }
        }
    }
}
