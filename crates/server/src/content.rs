//! Handing out a body: what its headers may say.

use std::fmt::Write as _;

use axum::http::HeaderValue;
use serde_json::Value;

/// The `content-type` a body is handed out with: what was recorded, if it is a plain media type.
///
/// A gateway recorded it, so it is a stranger's text. Whatever is not a media type, or carries more
/// than a character set, becomes `application/octet-stream`.
pub(crate) fn content_type(recorded: Option<&str>) -> HeaderValue {
    recorded.and_then(media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn media_type(recorded: &str) -> Option<HeaderValue> {
    let (kind, parameters) = recorded.split_once(';').unwrap_or((recorded, ""));
    let (kind, subtype) = kind.trim().split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let mut shown = format!("{kind}/{subtype}");
    for parameter in parameters.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && is_token(value) {
            write!(shown, "; charset={value}").expect("a String takes all");
            break;
        }
    }
    HeaderValue::from_str(&shown).ok()
}

/// A recorded `content-encoding`, if it is a list of codings that clients know how to undo.
pub(crate) fn content_coding(recorded: &str) -> Option<HeaderValue> {
    let known = |coding: &str| {
        CODINGS.iter().any(|known| known.eq_ignore_ascii_case(coding.trim_matches([' ', '\t'])))
    };
    recorded.split(',').all(known).then(|| HeaderValue::from_str(recorded).ok()).flatten()
}

const CODINGS: [&str; 7] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "identity"];

/// A token of RFC 9110, and of a length that no media type exceeds (RFC 6838).
fn is_token(text: &str) -> bool {
    (1..=127).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

/// A report as one header: JSON in ASCII, abridged if it is longer than clients take.
///
/// Names of an account's own rules may be in any script and as many as it likes.
pub(crate) fn report_header(mut report: Value) -> HeaderValue {
    let mut text = ascii_json(&report);
    // Where things were found is told first to those who have room for it, and what was found last.
    if text.len() > MAX_REPORT_BYTES
        && let Some(fields) = report.as_object_mut()
    {
        fields.remove("paths");
        fields.insert("abridged".to_owned(), true.into());
        text = ascii_json(&report);
    }
    if text.len() > MAX_REPORT_BYTES
        && let Some(fields) = report.as_object_mut()
    {
        for counts in ["findings", "entities"] {
            if let Some(Value::Object(by_name)) = fields.remove(counts) {
                let total: u64 = by_name.values().filter_map(Value::as_u64).sum();
                fields.insert(format!("{counts}_total"), total.into());
            }
        }
        text = ascii_json(&report);
    }
    HeaderValue::from_str(&text).expect("printable ASCII is a header value")
}

/// JSON with everything beyond printable ASCII as `\u` escapes. (serde escapes control characters
/// below 0x20 itself.)
fn ascii_json(value: &Value) -> String {
    let json = value.to_string();
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("a String takes all");
            }
        }
    }
    ascii
}

/// Clients commonly take 8 KiB of headers in all; the rest of ours needs less than 1 KiB.
const MAX_REPORT_BYTES: usize = 6 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_types_pass_and_everything_else_is_just_bytes() {
        for (recorded, shown) in [
            ("application/json", "application/json"),
            ("text/event-stream; charset=utf-8", "text/event-stream; charset=utf-8"),
            ("text/plain; x=1;charset=\"latin1\"; y=2", "text/plain; charset=latin1"),
            ("multipart/form-data; boundary=\"a\r\nset-cookie: b\"", "multipart/form-data"),
            ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
            ("text", "application/octet-stream"),
            ("text/", "application/octet-stream"),
            ("té/xt", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Some(recorded)), shown, "{recorded:?}");
        }
        assert_eq!(content_type(None), "application/octet-stream");
    }

    #[test]
    fn only_known_codings_are_announced() {
        assert_eq!(content_coding("gzip").unwrap(), "gzip");
        assert_eq!(content_coding("GZIP, br").unwrap(), "GZIP, br");
        for recorded in ["", "aes", "gzip,", "gzip\r\nset-cookie: a"] {
            assert_eq!(content_coding(recorded), None, "{recorded:?}");
        }
    }

    #[test]
    fn reports_are_ascii_and_read_back_as_they_were() {
        let report = json!({"findings": {"größe-🔑": 2, "a\r\nb\u{7f}": 1}});
        let header = report_header(report.clone());
        assert_eq!(serde_json::from_slice::<Value>(header.as_bytes()).unwrap(), report);
        assert!(header.to_str().is_ok());
    }

    #[test]
    fn endless_reports_keep_their_totals() {
        let findings: serde_json::Map<_, _> =
            (0..1000).map(|n| (format!("rule-{n}"), Value::from(2))).collect();
        let paths: serde_json::Map<_, _> =
            (0..200).map(|n| (format!("a.long.path.to.field_{n}"), json!({"rule": 1}))).collect();
        let header = report_header(json!({"paths": paths, "findings": {"rule": 200}}));
        let read: Value = serde_json::from_slice(header.as_bytes()).unwrap();
        assert_eq!(read, json!({"findings": {"rule": 200}, "abridged": true}));
        let header = report_header(json!({"format": "json", "findings": findings}));
        let read: Value = serde_json::from_slice(header.as_bytes()).unwrap();
        assert_eq!(read, json!({"format": "json", "findings_total": 2000, "abridged": true}));
    }
}
