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
    use crate::validator::Verdict;

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

    /// The marked values of the standard packs' examples, beside the validators that praise them.
    fn examples() -> Vec<(String, String)> {
        let mut examples = Vec::new();
        for (name, text) in crate::standard_packs() {
            let pack: toml::Table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            for rule in pack["rule"].as_array().expect("packs have rules") {
                let Some(validator) = rule.get("validator").and_then(toml::Value::as_str) else {
                    continue;
                };
                let validate = by_name(validator).expect("listed");
                for example in rule["examples"].as_array().expect("a list") {
                    let example = example.as_str().expect("a string");
                    let (_, rest) = example.split_once("[[").expect("examples are marked");
                    let (value, _) = rest.split_once("]]").expect("examples are marked");
                    if validate(value.as_bytes()) == Verdict::Valid {
                        examples.push((validator.to_owned(), value.to_owned()));
                    }
                }
            }
        }
        examples
    }

    /// Of the texts that differ from an example in one digit, how many in a hundred the validator praises.
    fn percent_praised(validate: Validator, values: &[String]) -> usize {
        let (mut tried, mut praised) = (0, 0);
        for value in values {
            let mut wrong = value.clone().into_bytes();
            for at in 0..wrong.len() {
                let right = wrong[at];
                for digit in (b'0'..=b'9').filter(|digit| right.is_ascii_digit() && *digit != right)
                {
                    wrong[at] = digit;
                    tried += 1;
                    praised += usize::from(validate(&wrong) == Verdict::Valid);
                }
                wrong[at] = right;
            }
        }
        praised * 100 / tried.max(1)
    }

    /// `Valid` is kept for proofs: a validator that praises must have something to check.
    #[test]
    fn a_wrong_digit_is_noticed() {
        let mut by_validator: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (validator, value) in examples() {
            by_validator.entry(validator).or_default().push(value);
        }
        assert!(by_validator.len() > 60, "examples praise {} validators", by_validator.len());
        // Credentials are praised for where they stand, these two identifiers for letters, dates and regions.
        let unchecked = ["basic_credentials", "jwt", "url_credentials", "eg_id", "mx_elector"];
        for (name, values) in &by_validator {
            let percent = percent_praised(by_name(name).expect("listed"), values);
            let checked = !unchecked.contains(&name.as_str());
            assert!(!checked || percent <= 30, "{name} praises {percent} % of wrong digits");
        }
    }
}
