//! Fields that are checked where they come in.

use std::{fmt, marker::PhantomData, str::FromStr};

use oubliette_service::catalog::CatalogError;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::explain::field_error;

/// An id: text that its type checks, and refuses in fixed words.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<'de, T: FromStr<Err = CatalogError>> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromStr<Err = CatalogError>> Visitor<'_> for Text<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
                text.parse().map_err(field_error)
            }
        }
        from.deserialize_str(Text(PhantomData)).map(Self)
    }
}

/// A detail of an exchange, such as its model: one short line.
///
/// Details are stored as they come and lie outside the sealed body, so a body that is put into one
/// by mistake must not get through.
#[derive(Debug)]
pub(crate) struct Detail(pub(crate) String);

impl Detail {
    /// Far above any model's name, trace id or media type.
    const MAX_BYTES: usize = 512;
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Line;
        impl Visitor<'_> for Line {
            type Value = Detail;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Detail, E> {
                if text.len() > Detail::MAX_BYTES || text.chars().any(char::is_control) {
                    return Err(field_error(format_args!(
                        "expected one line of at most {} bytes",
                        Detail::MAX_BYTES
                    )));
                }
                Ok(Detail(text.to_owned()))
            }
        }
        from.deserialize_str(Line)
    }
}
