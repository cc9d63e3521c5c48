//! OTLP in protobuf, as another encoder writes it and its decoder reads it again.

// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write as _;

use oubliette_detect::RuleSet;
use oubliette_redact::{Attachments, CapturedBody, Format, HashKey, Paths, Policy, Redactor};
use proptest::prelude::*;
use prost::{Message, Oneof};
use serde_json::{Value as Json, json};
use support::{redact, redactor, text, values_in};

// The messages of opentelemetry-proto 1.x, those that matter here.

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resources>,
}

#[derive(Clone, PartialEq, Message)]
struct Resources {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scopes>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Scopes {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes, tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes, tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<Event>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    /// Not in the specification of today.
    #[prost(string, tag = "77")]
    tomorrow: String,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ExportLogs {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(string, tag = "3")]
    severity: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    List(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

const PROTOBUF: &str = "application/x-protobuf";
const MAIL: &str = "jane.roe@example.org";

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn string(text: impl Into<String>) -> AnyValue {
    value(Value::String(text.into()))
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value) }
}

/// An export with these attributes of its one span.
fn traces(attributes: Vec<KeyValue>) -> Export {
    let span = Span {
        trace_id: b"jo@example.comxx".to_vec(),
        span_id: vec![9; 8],
        name: "chat m".into(),
        kind: 3,
        start: 4_242_424_242_424_242,
        attributes,
        ..Span::default()
    };
    let resource = Resource { attributes: vec![pair("host", string("gateway"))] };
    Export {
        resources: vec![Resources {
            resource: Some(resource),
            scopes: vec![Scopes { spans: vec![span] }],
            schema_url: "https://opentelemetry.io/schemas/1.30.0".into(),
        }],
    }
}

fn attributes(export: &Export) -> &[KeyValue] {
    &export.resources[0].scopes[0].spans[0].attributes
}

/// What an export is once it is redacted, twice.
fn redacted(body: &[u8]) -> Vec<u8> {
    let once = redact(body.to_vec(), PROTOBUF);
    assert_eq!(once.report().format, Format::Otlp);
    let twice = redact(once.bytes().to_vec(), PROTOBUF);
    assert_eq!(twice.bytes(), once.bytes());
    once.bytes().to_vec()
}

#[test]
fn values_go_wherever_an_export_has_them() {
    let messages =
        json!([{"role": "user", "parts": [{"content": format!("I am {MAIL}")}]}]).to_string();
    let inner = ArrayValue {
        values: vec![value(Value::List(KeyValueList { values: vec![pair(MAIL, string(MAIL))] }))],
    };
    let mut export = traces(vec![
        pair("gen_ai.input.messages", string(messages)),
        pair("user.ssn", value(Value::Int(536_904_399))),
        pair("card", value(Value::Double(4_242_424_242_424_242.0))),
        pair("gen_ai.usage.input_tokens", value(Value::Int(536_904))),
        pair("gen_ai.output.messages", value(Value::Array(inner))),
        pair("raw", value(Value::Bytes(format!("text {MAIL} é").into_bytes()))),
        pair("image", value(Value::Bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()))),
        pair("flag", value(Value::Bool(true))),
    ]);
    let span = &mut export.resources[0].scopes[0].spans[0];
    span.status = Some(Status { message: format!("no such user: {MAIL}") });
    span.events = vec![Event {
        time: 4_242_424_242_424_242,
        name: "gen_ai.user.message".into(),
        attributes: vec![pair("content", string(MAIL))],
    }];
    span.tomorrow = format!("of {MAIL}");
    let after = Export::decode(&redacted(&export.encode_to_vec())[..]).unwrap();

    let mut expected = export.clone();
    let span = &mut expected.resources[0].scopes[0].spans[0];
    let messages =
        json!([{"role": "user", "parts": [{"content": "I am <EMAIL_ADDRESS_1>"}]}]).to_string();
    span.attributes[0].value = Some(string(messages));
    span.attributes[1].value = Some(value(Value::Int(0)));
    span.attributes[2].value = Some(value(Value::Double(0.0)));
    let inner = pair("<EMAIL_ADDRESS_1>", string("<EMAIL_ADDRESS_1>"));
    let inner = value(Value::List(KeyValueList { values: vec![inner] }));
    span.attributes[4].value = Some(value(Value::Array(ArrayValue { values: vec![inner] })));
    span.attributes[5].value =
        Some(value(Value::Bytes("text <EMAIL_ADDRESS_1> é".as_bytes().to_vec())));
    span.status = Some(Status { message: "no such user: <EMAIL_ADDRESS_1>".into() });
    span.events[0].attributes[0].value = Some(string("<EMAIL_ADDRESS_1>"));
    // What nobody knows whether it is a text is emptied.
    span.tomorrow = String::new();
    let Some(Value::Bytes(image)) = &attributes(&after)[6].value.as_ref().unwrap().value else {
        panic!("bytes stay bytes");
    };
    assert!(image.starts_with(b"<ATTACHMENT image/png 16 bytes "));
    expected.resources[0].scopes[0].spans[0].attributes[6].value =
        Some(value(Value::Bytes(image.clone())));
    assert_eq!(after, expected);
}

#[test]
fn logs_are_read_as_well_and_by_their_looks() {
    let record = LogRecord {
        time: 7,
        severity: "INFO".into(),
        body: Some(string(format!("{{\"to\":\"{MAIL}\",\"card\":4242424242424242}}"))),
        attributes: vec![pair("enduser.id", string(MAIL))],
        event_name: "gen_ai.choice".into(),
    };
    let scopes = vec![ScopeLogs { records: vec![record.clone(), record] }];
    let body = ExportLogs { resources: vec![ResourceLogs { scopes }] }.encode_to_vec();
    for content_type in [Some(PROTOBUF), None] {
        let captured = CapturedBody::new(body.clone(), content_type.map(Into::into), None);
        let whole = redactor().exchange().redact(captured).unwrap();
        let mut stream = redactor().exchange().stream(content_type.map(Into::into), None).unwrap();
        let mut passed: Vec<u8> = body.chunks(7).flat_map(|c| stream.push(c).unwrap()).collect();
        passed.extend(stream.finish().unwrap().0);
        assert_eq!(passed, whole.bytes());
        let after = ExportLogs::decode(whole.bytes()).unwrap();
        for record in &after.resources[0].scopes[0].records {
            let text = "{\"to\":\"<EMAIL_ADDRESS_1>\",\"card\":0}";
            assert_eq!(record.body, Some(string(text)));
            assert_eq!(record.attributes[0].value, Some(string("<EMAIL_ADDRESS_1>")));
        }
        let found = redactor()
            .find(&CapturedBody::new(body.clone(), content_type.map(Into::into), None))
            .unwrap();
        assert!(found.iter().any(|found| body[found.span.range()] == *MAIL.as_bytes()));
        let paths = serde_json::to_value(&whole.report().paths).unwrap();
        let at = |path: &str| {
            paths[format!("resourceLogs[*].scopeLogs[*].logRecords[*].{path}")].clone()
        };
        assert_eq!(at("body.stringValue.to"), json!({"global.email": 2}), "{paths}");
        assert_eq!(at("attributes[*].value.stringValue"), json!({"global.email": 2}), "{paths}");
    }
}

#[test]
fn policies_by_path_and_for_attachments_hold() {
    let image = value(Value::Bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()));
    let list =
        vec![pair("a", string(MAIL)), pair("n", value(Value::Int(12))), pair("b", image.clone())];
    let export = traces(list);
    let with = |paths: Json| {
        let policy = Policy {
            paths: serde_json::from_value::<Paths>(paths).unwrap(),
            attachments: Attachments::Keep,
            ..Policy::default()
        };
        let captured = CapturedBody::new(export.encode_to_vec(), Some(PROTOBUF.into()), None);
        let redactor = Redactor::new(RuleSet::standard(), policy);
        Export::decode(redactor.exchange().redact(captured).unwrap().bytes()).unwrap()
    };
    let excluded = with(json!({"exclude": ["**.stringValue"]}));
    assert_eq!(excluded, export);
    let forced = with(json!({"force": ["resourceSpans.scopeSpans.spans.attributes[*].value"]}));
    let values: Vec<_> =
        attributes(&forced).iter().map(|pair| pair.value.clone().unwrap()).collect();
    assert_eq!(values[..2], [string("<REDACTED>"), value(Value::Int(0))]);
}

#[test]
fn protobuf_of_anything_else_is_dropped() {
    for body in [&b"\x0a\x0ahello worl"[..], b"plain jane.roe@example.org", b"\x08\x01"] {
        let redacted = redact(body, PROTOBUF);
        assert!(redacted.bytes().starts_with(b"<ATTACHMENT application/x-protobuf "));
        assert_eq!(redacted.report().attachments_dropped, 1);
    }
    let whole = traces(vec![pair("a", string(MAIL))]).encode_to_vec();
    let cut = redact(&whole[..whole.len() - 3], PROTOBUF);
    assert!(cut.bytes().starts_with(b"<ATTACHMENT "));
    assert_eq!(redact(&b""[..], PROTOBUF).bytes(), b"");
}

/// A redacted text without the numbers of its placeholders: those go on from one text to the next.
fn unnumbered(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_gives_an_export_of_the_same_shape(texts in prop::collection::vec(text(), 1..5), number in any::<i64>()) {
        let values = texts.iter().map(string).chain([value(Value::Int(number))]).collect();
        let mut list: Vec<KeyValue> = texts.iter().map(|text| pair("a", string(text))).collect();
        list.push(pair("b", value(Value::Array(ArrayValue { values }))));
        let export = traces(list);
        let after = Export::decode(&redacted(&export.encode_to_vec())[..]).unwrap();
        for (text, pair) in texts.iter().zip(attributes(&after)) {
            let Some(Value::String(after)) = &pair.value.as_ref().unwrap().value else {
                panic!("a string stays one");
            };
            prop_assert_eq!(values_in(after), Vec::<&str>::new());
            prop_assert_eq!(unnumbered(after), unnumbered(&support::redact_str(text, "text/plain")));
        }
        prop_assert_eq!(attributes(&after).len(), texts.len() + 1);
        let span = &after.resources[0].scopes[0].spans[0];
        prop_assert_eq!(&span.trace_id, &export.resources[0].scopes[0].spans[0].trace_id);
    }

    #[test]
    fn any_damage_gives_an_export_or_nothing(at in 0.0..1.0, byte in any::<u8>()) {
        let mut body = traces(vec![pair("a", string(MAIL)), pair("b", value(Value::Int(7)))]).encode_to_vec();
        let at = (body.len() as f64 * at) as usize;
        body[at] = byte;
        let redacted = redact(body, PROTOBUF);
        let whole = Export::decode(redacted.bytes()).is_ok();
        prop_assert!(whole || redacted.report().attachments_dropped == 1);
        let again = redact(redacted.bytes().to_vec(), PROTOBUF);
        prop_assert!(!whole || again.bytes() == redacted.bytes());
    }
}

#[test]
fn an_export_by_grpc_keeps_its_frame() {
    let framed = |compressed: u8, message: &[u8]| {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[compressed][..], &length, message].concat()
    };
    let inside = |body: &[u8]| {
        assert_eq!(framed(0, &body[5..]), body);
        Export::decode(&body[5..]).unwrap()
    };
    let mail = "jane.roe@example.org";
    let export = traces(vec![pair("to", string(format!("see {mail}, and answer")))]);
    let expected = traces(vec![pair("to", string("see <EMAIL_ADDRESS_1>, and answer"))]);
    let message = export.encode_to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&message).unwrap();
    let gzip = gzip.finish().unwrap();
    for content_type in ["application/grpc", "application/grpc+proto"] {
        for body in [framed(0, &message), framed(1, &gzip)] {
            let once = redact(body, content_type);
            assert_eq!(
                (once.report().format, inside(once.bytes())),
                (Format::Otlp, expected.clone())
            );
            assert_eq!(redact(once.bytes(), content_type).bytes(), once.bytes());
        }
    }
    let body = framed(0, &message);
    let captured = CapturedBody::new(body.clone(), Some("application/grpc".into()), None);
    let found = redactor().find(&captured).unwrap();
    assert_eq!(found.iter().map(|f| &body[f.span.range()]).collect::<Vec<_>>(), [mail.as_bytes()]);
    // What is no export, or several, is described.
    for body in [framed(0, b"\x08\x01"), [framed(0, &message), framed(0, &message)].concat()] {
        let policy = Policy { hash_key: HashKey::from_bytes([7; 32]), ..Policy::default() };
        let redactor = Redactor::new(RuleSet::standard(), policy);
        let once = |body: Vec<u8>| {
            let captured = CapturedBody::new(body, Some("application/grpc".into()), None);
            redactor.exchange().redact(captured).unwrap().bytes().to_vec()
        };
        let described = once(body);
        assert!(String::from_utf8_lossy(&described).contains("<ATTACHMENT application/grpc"));
        assert_eq!(once(described.clone()), described);
    }
}
