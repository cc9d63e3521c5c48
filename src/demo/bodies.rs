//! The example bodies: written for this demo, with made-up people and values that are reserved for
//! examples or random. Some values are split across the deltas of a stream, some are escaped
//! (`\u0040` for `@`), some stand in JSON inside strings.

/// One exchange of the example traffic.
pub(super) struct Example {
    pub(super) id: &'static str,
    pub(super) api: &'static str,
    pub(super) provider: &'static str,
    pub(super) model: &'static str,
    pub(super) request: &'static [u8],
    pub(super) response: &'static [u8],
    /// The response's content type.
    pub(super) response_type: &'static str,
}

impl Example {
    /// Its two bodies with the names of their parts and their content types.
    pub(super) fn parts(&self) -> [(&'static str, &'static [u8], &'static str); 2] {
        [("request", self.request, JSON), ("response", self.response, self.response_type)]
    }

    /// Whether its response came as a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.response_type == SSE
    }
}

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";

macro_rules! exchange {
    ($id:literal, $api:literal, $provider:literal, $model:literal, $folder:literal, $answer:literal, $kind:expr) => {
        Example {
            id: $id,
            api: $api,
            provider: $provider,
            model: $model,
            request: include_bytes!(concat!("bodies/", $folder, "/request.json")),
            response: include_bytes!(concat!("bodies/", $folder, "/", $answer)),
            response_type: $kind,
        }
    };
}

/// Requests with responses, and with streams, of three APIs.
pub(super) const EXAMPLES: [Example; 6] = [
    exchange!(
        "chat-1",
        "openai.chat",
        "openai",
        "gpt-5-mini",
        "openai_chat",
        "response.json",
        JSON
    ),
    exchange!("chat-2", "openai.chat", "openai", "gpt-5-mini", "openai_chat", "stream.sse", SSE),
    exchange!(
        "responses-1",
        "openai.responses",
        "openai",
        "gpt-5-mini",
        "openai_responses",
        "response.json",
        JSON
    ),
    exchange!(
        "responses-2",
        "openai.responses",
        "openai",
        "gpt-5-mini",
        "openai_responses",
        "stream.sse",
        SSE
    ),
    exchange!(
        "messages-1",
        "anthropic.messages",
        "anthropic",
        "claude-sonnet-4-5",
        "anthropic_messages",
        "response.json",
        JSON
    ),
    exchange!(
        "messages-2",
        "anthropic.messages",
        "anthropic",
        "claude-sonnet-4-5",
        "anthropic_messages",
        "stream.sse",
        SSE
    ),
];

/// Every value in them that must not be stored.
pub(super) const VALUES: [&str; 14] = [
    "nadia.farrow@example.com",
    "t.okonjo@billing.example.org",
    "4242 4242 4242 4242",
    "5105105105105100",
    "347-52-9018",
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "(202) 555-0143",
    "+44 20 7946 0958",
    "203.0.113.42",
    "2001:db8::8a2e:370:7334",
    "AKIAQ3EGV7TNB5RZJ2XD",
    "orders:kT9-vuLm2Qx",
    "eyJzdWIiOiJmYXJyb3ctMDE3Iiwic2NvcGUiOiJyZWZ1bmRzIn0",
];

/// What only the account's own rule finds, in all of the requests.
pub(super) const BOOKING: &str = "BK-204518";

/// The account's own rule.
pub(super) const STRICTER: &str = r#"
pack = "demo-shop"
description = "What this shop would rather not keep either"

[[rule]]
id = "demo-shop.booking"
entity = "BOOKING_NUMBER"
category = "pii"
description = "Booking number"
pattern = 'BK-[0-9]{6}'
boundary = "word"
score = 0.9
examples = ["order [[BK-204518]]"]
negative_examples = ["BK-2045180"]
"#;

#[cfg(test)]
mod tests {
    use oubliette_detect::lint::{Severity, check};
    use oubliette_detect::{Pack, RuleSet};
    use oubliette_redact::{CapturedBody, Policy, Redactor};

    use super::*;
    use crate::demo::search::Needles;

    #[test]
    fn every_value_is_in_the_bodies_and_none_in_what_is_left_of_them() {
        let needles = Needles::new(&VALUES);
        let redactor = Redactor::new(RuleSet::standard(), Policy::default());
        let mut seen = [false; VALUES.len()];
        for example in &EXAMPLES {
            let mut exchange = redactor.exchange();
            for (part, bytes, content_type) in example.parts() {
                let captured =
                    CapturedBody::new(bytes.to_vec(), Some(content_type.to_owned()), None);
                let redacted = exchange.redact(captured).unwrap();
                // Deltas joined: a value in pieces is no less there.
                for (text, raw) in [(joined(bytes), true), (joined(redacted.bytes()), false)] {
                    for needle in needles.in_bytes(text.as_bytes()) {
                        assert!(raw, "{} is left in the {part} of {}", VALUES[needle], example.id);
                        seen[needle] = true;
                    }
                }
                assert!(String::from_utf8_lossy(redacted.bytes()).contains("<EMAIL_ADDRESS_1>"));
            }
        }
        assert_eq!(seen, [true; VALUES.len()]);
    }

    /// All strings of a body, one after the other; of a stream, those of its deltas by their path.
    fn joined(body: &[u8]) -> String {
        let text = std::str::from_utf8(body).unwrap();
        let documents: Vec<&str> = match text.starts_with('{') {
            true => vec![text],
            false => text.lines().filter_map(|line| line.strip_prefix("data: ")).collect(),
        };
        let mut strings = std::collections::BTreeMap::new();
        for document in documents.iter().filter(|document| **document != "[DONE]") {
            walk(&serde_json::from_str(document).unwrap(), "", &mut strings);
        }
        strings.into_values().collect::<Vec<_>>().join("\n")
    }

    fn walk(
        value: &serde_json::Value,
        path: &str,
        strings: &mut std::collections::BTreeMap<String, String>,
    ) {
        match value {
            serde_json::Value::String(text) => {
                strings.entry(path.to_owned()).or_default().push_str(text);
            }
            serde_json::Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(name, value)| walk(value, &format!("{path}/{name}"), strings));
            }
            serde_json::Value::Array(items) => {
                let each = items.iter().enumerate();
                each.for_each(|(index, item)| walk(item, &format!("{path}/{index}"), strings));
            }
            _ => {}
        }
    }

    #[test]
    fn the_stricter_rule_is_a_good_one_and_has_work_to_do() {
        let pack = Pack::from_toml("demo-shop.toml", STRICTER).unwrap();
        let errors = check(&[pack]).into_iter().filter(|p| p.severity == Severity::Error);
        assert_eq!(errors.collect::<Vec<_>>(), []);
        for example in &EXAMPLES {
            assert!(String::from_utf8_lossy(example.request).contains(BOOKING));
        }
    }
}
