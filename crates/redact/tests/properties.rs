//! What holds for every body: nothing found survives, the shape does, and twice is once.

// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oubliette_detect::RuleSet;
use oubliette_redact::{
    Attachments, CapturedBody, Format, HashKey, Operator, Policy, RedactErrorKind, RedactedBody,
    Redactor, UnredactedConsent,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{VALUES, redact, redact_str, text, values_in};

/// Any JSON, with values in its strings and its numbers, and JSON inside its strings. Names begin with
/// `k`: a field called `v` would say of an address that it is a version.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => Just(json!(4_242_424_242_424_242_u64)),
        1 => any::<i32>().prop_map(|n| json!(n)),
        1 => Just(json!(null)),
        1 => any::<bool>().prop_map(|b| json!(b)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("k[a-z]{0,7}", inner.clone(), 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            inner.prop_map(|value| Value::String(json!({"inner": value}).to_string())),
        ]
    })
}

/// The same with every string and number emptied.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), shape(v))).collect())
        }
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => json!(["inside", shape(&inner)]),
            _ => json!("text"),
        },
        Value::Number(_) => json!(0),
        other => other.clone(),
    }
}

/// Every text in a JSON value, also in JSON inside strings.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            out.push(key.clone());
            texts(item, out);
        }),
        Value::String(text) => {
            out.push(text.clone());
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                texts(&inner, out);
            }
        }
        other => out.push(other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn json_keeps_its_shape_and_loses_its_values(value in json_value(), pretty in any::<bool>()) {
        let value = json!({"body": value});
        let body = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let redacted = redact_str(&body, "application/json");
        let parsed: Value = serde_json::from_str(&redacted).expect("still JSON");
        prop_assert_eq!(shape(&parsed), shape(&value));
        let mut found = Vec::new();
        texts(&parsed, &mut found);
        for text in &found {
            prop_assert_eq!(values_in(text), Vec::<&str>::new());
            prop_assert!(!text.contains("4242424242424242"));
        }
        prop_assert_eq!(redact_str(&redacted, "application/json"), redacted);
    }

    #[test]
    fn every_operator_settles(text in text(), value in json_value(), number in 0..6_usize) {
        let operator = Operator::ALL[number];
        let redactor = Redactor::new(RuleSet::standard(), Policy {
            operator: Some(operator),
            hash_key: HashKey::from_bytes([7; 32]),
            ..Policy::default()
        });
        for body in [text, value.to_string()] {
            let once = redactor.exchange().redact(CapturedBody::new(body.into(), None, None)).unwrap();
            // Numbers kept for fiction stay as they are where such are asked for; none of these is.
            prop_assert!(VALUES.iter().all(|v| !contains(once.bytes(), v.as_bytes())));
            let again = CapturedBody::new(once.bytes().to_vec(), None, None);
            let twice = redactor.exchange().redact(again).unwrap();
            prop_assert_eq!(twice.bytes(), once.bytes());
        }
    }

    /// No bytes are so odd that reading them fails, and no reading is so odd that edits miss.
    #[test]
    fn any_bytes_settle(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..4_usize) {
        let content_type = ["text/plain", "application/json", "text/event-stream", "application/x-ndjson"][kind];
        let once = redact(bytes, content_type);
        let twice = redact(once.bytes().to_vec(), content_type);
        prop_assert_eq!(twice.bytes(), once.bytes());
    }

    /// Broken JSON is text; its escapes are still undone.
    #[test]
    fn truncation_hides_nothing(value in json_value(), cut in 0.0..1.0) {
        let body = json!({"a": value, "b": [&value]}).to_string().replace('@', "\\u0040");
        let mut end = (body.len() as f64 * cut) as usize;
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        let redacted = redact_str(&body[..end], "application/json");
        let bare = redacted.replace("\\u0040", "@").replace("\\\\u0040", "@");
        for value in values_in(&bare) {
            // A value cut at the very end may be another, shorter one.
            prop_assert!(bare.ends_with(value), "{value} in {redacted}");
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn placeholders_are_shared_by_an_exchange() {
    let mut exchange = support::redactor().exchange();
    let mut redact = |body: &str| {
        let captured = CapturedBody::new(body.into(), Some("application/json".into()), None);
        String::from_utf8(exchange.redact(captured).unwrap().bytes().to_vec()).unwrap()
    };
    let request = redact(r#"{"q":"jane.roe@example.org, born 1987-03-09, 4242 4242 4242 4242"}"#);
    let response = redact(
        r#"{"a":"new@example.org, 4242-4242-4242-4242 and JANE.ROE@example.org, 1987-03-09"}"#,
    );
    assert_eq!(request, r#"{"q":"<EMAIL_ADDRESS_1>, born <DATE_OF_BIRTH_1>, <CREDIT_CARD_1>"}"#);
    assert_eq!(
        response,
        r#"{"a":"<EMAIL_ADDRESS_2>, <CREDIT_CARD_1> and <EMAIL_ADDRESS_1>, <DATE_OF_BIRTH_1>"}"#
    );
}

#[test]
fn keys_numbers_and_encodings() {
    let base64 = STANDARD.encode("name,mail\njane,jane.roe@example.org\n");
    let png = STANDARD.encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and jane.roe@example.org");
    for (body, expected) in [
        (r#"{"jane.roe@example.org":1}"#.to_owned(), r#"{"<EMAIL_ADDRESS_1>":1}"#.to_owned()),
        (r#"{ "n" : 4242424242424242 }"#.into(), r#"{ "n" : 0 }"#.into()),
        (
            r#"{"created":1790000000,"x":1.5e3}"#.into(),
            r#"{"created":1790000000,"x":1.5e3}"#.into(),
        ),
        (r#"{"a":"jane.roe\u0040example.org"}"#.into(), r#"{"a":"<EMAIL_ADDRESS_1>"}"#.into()),
        (r#"{"ssn":"536-90-4399"}"#.into(), r#"{"ssn":"<US_SSN_1>"}"#.into()),
        (
            r#"{"a":"x","a":"jane.roe@example.org"}"#.into(),
            r#"{"a":"x","a":"<EMAIL_ADDRESS_1>"}"#.into(),
        ),
        (
            format!(r#"{{"file_data":"data:text/csv;base64,{base64}"}}"#),
            format!(
                r#"{{"file_data":"data:text/csv;base64,{}"}}"#,
                STANDARD.encode("name,mail\njane,<EMAIL_ADDRESS_1>\n")
            ),
        ),
        (
            r#"said: {\"to\":\"jane.roe\u0040example.org\"}"#.into(),
            r#"said: {\"to\":\"<EMAIL_ADDRESS_1>\"}"#.into(),
        ),
    ] {
        assert_eq!(redact_str(&body, "application/json"), expected);
    }
    let dropped = redact_str(&format!(r#"{{"data":"{png}"}}"#), "application/json");
    assert!(dropped.starts_with(r#"{"data":"<ATTACHMENT image/png 41 bytes "#), "{dropped}");
}

#[test]
fn the_report_counts_and_never_quotes() {
    let body = r#"{"a":"jane.roe@example.org 4242 4242 4242 4242 jane.roe@example.org"}"#;
    let redacted = redact(body, "application/json; charset=utf-8");
    let report = redacted.report();
    assert_eq!(report.format, Format::Json);
    assert_eq!(report.total(), 3);
    assert_eq!(
        report.entities,
        BTreeMap::from([("CREDIT_CARD".to_owned(), 1), ("EMAIL_ADDRESS".to_owned(), 2)])
    );
    assert!(!report.fell_back);
    let told = format!("{redacted:?}{}", serde_json::to_string(report).unwrap());
    assert!(values_in(&told).is_empty());
    assert!(redact("{broken", "application/json").report().fell_back);
}

#[test]
fn media_is_described_or_kept() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    let described = redact(png.clone(), "image/png");
    assert!(described.bytes().starts_with(b"<ATTACHMENT image/png 16 bytes "));
    assert_eq!(described.report().format, Format::Binary);
    let keep = Policy { attachments: Attachments::Keep, ..Policy::default() };
    let kept = Redactor::new(RuleSet::standard(), keep)
        .exchange()
        .redact(CapturedBody::new(png.clone(), None, None))
        .unwrap();
    assert_eq!(kept.bytes(), png);
}

#[test]
fn limits_hold() {
    let policy = Policy { max_bytes: 1000, ..Policy::default() };
    let redactor = Redactor::new(RuleSet::standard(), policy);
    let kind = |body: Vec<u8>, encoding: Option<&str>| {
        let captured = CapturedBody::new(body, None, encoding.map(str::to_owned));
        redactor.exchange().redact(captured).unwrap_err().kind()
    };
    assert_eq!(kind(vec![b'a'; 1001], None), RedactErrorKind::TooLarge { limit: 1000 });
    assert_eq!(kind(b"x".to_vec(), Some("rot13")), RedactErrorKind::UnknownEncoding);
    assert_eq!(kind(b"not gzip".to_vec(), Some("gzip")), RedactErrorKind::DamagedEncoding);
}

#[test]
fn findings_point_at_the_bytes_of_the_body() {
    let body = "{\"a\":\"x jane.roe\\u0040example.org\"}";
    let captured = CapturedBody::new(body.into(), Some("application/json".into()), None);
    let redactor = support::redactor();
    let findings = redactor.find(&captured).unwrap();
    let spans: Vec<_> = findings.iter().map(|f| &body[f.span.range()]).collect();
    assert_eq!(spans, ["jane.roe\\u0040example.org"]);
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"jane.roe@exa\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"mple.org\"}}]}\n\n";
    let captured = CapturedBody::new(stream.into(), None, None);
    let findings = redactor.find(&captured).unwrap();
    let spans: Vec<_> = findings.iter().map(|f| &stream[f.span.range()]).collect();
    assert_eq!(spans, ["jane.roe@exa", "mple.org"]);
}

#[test]
fn the_one_bypass_says_so() {
    let captured = CapturedBody::new(VALUES[0].into(), None, None);
    let consent = UnredactedConsent::recorded("audit 12");
    let body = RedactedBody::dangerously_unredacted(captured, &consent);
    assert_eq!(body.bytes(), VALUES[0].as_bytes());
    assert_eq!(body.report().unredacted_by.as_deref(), Some("audit 12"));
    assert!(!format!("{body:?}").contains(VALUES[0]));
}
