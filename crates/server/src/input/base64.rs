//! Bodies inside JSON.

use std::fmt;

use base64::{
    DecodeError, Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use zeroize::Zeroizing;

use super::explain::field_error;

/// Bytes that stand in JSON as base64, in the standard alphabet, with padding or without.
///
/// They are a raw body: decoded straight from the request, wiped when dropped, never shown.
pub(crate) struct Base64(Zeroizing<Vec<u8>>);

impl Base64 {
    /// The bytes, handed on to whoever wipes them next.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base64").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Decoder)
    }
}

struct Decoder;

impl Visitor<'_> for Decoder {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
        let mut bytes = Zeroizing::new(Vec::new());
        ENGINE.decode_vec(text, &mut bytes).map_err(|error| {
            let place = match error {
                DecodeError::InvalidByte(at, _) => format!(": wrong character at {at}"),
                DecodeError::InvalidLastSymbol { offset, .. } => {
                    format!(": cut off or damaged at {offset}")
                }
                DecodeError::InvalidLength(_) => ": cut off".to_owned(),
                DecodeError::InvalidPadding => ": wrong padding at the end".to_owned(),
            };
            field_error(format_args!("not base64 in the standard alphabet{place}"))
        })?;
        Ok(Base64(bytes))
    }
}

/// Padding tells nothing that the length of a JSON string does not, so its absence is no error.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(json: &str) -> Result<Vec<u8>, String> {
        serde_json::from_str::<Base64>(json)
            .map(Base64::into_bytes)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn decodes_with_and_without_padding_and_with_escaped_slashes() {
        for json in [r#""/+8gVQA=""#, r#""\/+8gVQA""#] {
            assert_eq!(decode(json).unwrap(), b"\xFF\xEF\x20\x55\0", "{json}");
        }
        assert_eq!(decode(r#""""#).unwrap(), b"");
    }

    #[test]
    fn says_where_it_is_wrong_and_not_what_is_there() {
        for (json, place) in [
            (r#""QUJD$EVG""#, "wrong character at 4"),
            (r#""QUJDR""#, "cut off"),
            (r#""QQ==QUJD""#, "wrong character at 2"),
            (r#""QUJDRB""#, "cut off or damaged at 5"),
        ] {
            let error = decode(json).unwrap_err();
            assert!(error.contains(place), "{json}: {error}");
            assert!(!error.contains('$') && !error.contains("QUJ"), "{error}");
        }
    }

    #[test]
    fn debug_shows_only_the_length() {
        let body = serde_json::from_str::<Base64>(r#""c2VjcmV0""#).unwrap();
        assert_eq!(format!("{body:?}"), "Base64 { len: 6, .. }");
    }
}
