//! How our values look as SQLite's.

use oubliette_keytree::{Hour, LeafAddress};

use super::fault::{Fault, Result};

/// Turns the top bit over, so that signed columns sort as addresses do.
pub(super) fn address(address: LeafAddress) -> i64 {
    (address.to_bits() ^ (1 << 63)).cast_signed()
}

pub(super) fn address_back(column: i64) -> LeafAddress {
    LeafAddress::from_bits(column.cast_unsigned() ^ (1 << 63))
}

/// The first address of an hour.
pub(super) fn hour(hour: Hour) -> i64 {
    address(LeafAddress::new(hour, 0, 0).expect("sequence 0 fits in 24 bits"))
}

/// Counts come from gateways: one that no signed column holds is as good as the largest.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count_back(column: i64, what: &'static str) -> Result<u64> {
    u64::try_from(column).map_err(|_| Fault::Unreadable(what))
}

/// A value kept as the text its JSON form has, such as `owner` for a role.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("only plain enums are kept as words"),
    }
}

pub(super) fn word_back<T: serde::de::DeserializeOwned>(
    word: String,
    what: &'static str,
) -> Result<T> {
    serde_json::from_value(word.into()).map_err(|_| Fault::Unreadable(what))
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys only")
}

pub(super) fn json_back<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &'static str,
) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Fault::Unreadable(what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_sort_as_addresses_do(a: u64, b: u64) {
            let (a, b) = (LeafAddress::from_bits(a), LeafAddress::from_bits(b));
            prop_assert_eq!(address_back(address(a)), a);
            prop_assert_eq!(address(a).cmp(&address(b)), a.cmp(&b));
            prop_assert_eq!(address(a) < hour(b.hour()), a.hour() < b.hour());
        }
    }
}
