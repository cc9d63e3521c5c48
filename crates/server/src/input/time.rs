//! Times as the API writes them: RFC 3339 in UTC.

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::explain::field_error;

/// What a time looks like, for messages.
pub(crate) const EXAMPLE: &str = "a time as in 2026-11-20T10:00:00Z";

/// A moment, in Unix milliseconds inside and in RFC 3339 outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) i64);

impl Time {
    /// Reads RFC 3339, with any offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            // Always three digits: times of one width sort as text.
            Ok(time) => write!(f, "{time:.3}"),
            // Beyond the year 9999; a clock would have to be broken.
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXAMPLE)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                Time::parse(text).ok_or_else(|| field_error(format_args!("expected {EXAMPLE}")))
            }
        }
        from.deserialize_str(Text)
    }
}

/// Shows Unix milliseconds as a time.
pub(crate) fn shown(at: Option<i64>) -> Option<Time> {
    at.map(Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339_and_writes_utc() {
        let time = Time::parse("2026-11-20T11:00:00.25+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-20T10:00:00.250Z");
        assert_eq!(Time(1_763_632_800_000).to_string(), "2025-11-20T10:00:00.000Z");
        assert_eq!(serde_json::to_string(&Time(0)).unwrap(), r#""1970-01-01T00:00:00.000Z""#);
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in ["", "yesterday", "2026-11-20", "2026-11-20T10:00:00", "1763632800000"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }
}
