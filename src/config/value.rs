//! Values as people write them: sizes, times, moments.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `16MiB`, `512 kB`, `4096`: whole numbers of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(NO_SIZE.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| NO_SIZE.to_owned())?;
    number.checked_mul(scale).ok_or_else(|| "more bytes than there are".to_owned())
}

const NO_SIZE: &str = "not a size like 16MiB or 4096";

/// `10s`, `200ms`, `1m 30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    let positive = parsed.and_then(|duration| Duration::try_from(duration).ok());
    positive.ok_or_else(|| "not a time like 10s or 1m 30s".to_owned())
}

/// `true` or `false`.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "neither true nor false".to_owned())
}

/// A moment: RFC 3339, a day (`2026-11-20`, its beginning in UTC), or a time from now, forwards
/// (`2h`) or back (`-7d`).
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(start.timestamp());
    }
    let from_now = match text.strip_suffix('d').map(str::parse::<i64>) {
        // Days are 24 hours here, as they are for retention.
        Some(Ok(days)) => days.checked_mul(24).map(SignedDuration::from_hours),
        _ => text.parse().ok(),
    };
    from_now
        .and_then(|span| now.checked_add(span).ok())
        .ok_or_else(|| "no moment like 2026-11-20T10:00:00Z, 2026-11-20, 2h or -7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let read = |text| bytes(text).ok();
        assert_eq!(read("16MiB"), Some(16 << 20));
        assert_eq!(read("5 kB"), Some(5_000));
        assert_eq!(read("4096"), Some(4096));
        for wrong in ["", "MiB", "-1", "1.5GiB", "1 parsec", "99999999999999999999", "99999999999G"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "10", "-5s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let read = |text| moment(text, now).map(|at| at.to_string());
        assert_eq!(read("2026-11-19T00:00:00+01:00"), Ok("2026-11-18T23:00:00Z".to_owned()));
        assert_eq!(read("2026-11-19"), Ok("2026-11-19T00:00:00Z".to_owned()));
        assert_eq!(read("2h"), Ok("2026-11-20T12:00:00Z".to_owned()));
        assert_eq!(read("-7d"), Ok("2026-11-13T10:00:00Z".to_owned()));
        assert!(read("tomorrow").is_err());
        assert!(read("9223372036854775807d").is_err());
    }
}
