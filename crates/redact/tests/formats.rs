//! Wire formats, one by one: what stands where in them, and what becomes of it.

// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oubliette_detect::RuleSet;
use oubliette_redact::{
    Attachments, CapturedBody, Format, HashKey, Opaque, Operator, Paths, Policy, Preset, Redactor,
    TokenKey, Vectors,
};
use serde_json::{Value, json};
use support::{redact, redact_str};

const JSON: &str = "application/json";
const MAIL: &str = "jane.roe@example.org";

fn with(policy: Policy, body: &str, content_type: &str) -> String {
    let redactor = Redactor::new(RuleSet::standard(), policy);
    let once = |body: Vec<u8>| {
        let captured = CapturedBody::new(body, Some(content_type.into()), None);
        redactor.exchange().redact(captured).unwrap().bytes().to_vec()
    };
    let redacted = once(body.into());
    assert_eq!(once(redacted.clone()), redacted, "redacting twice is redacting once");
    String::from_utf8(redacted).unwrap()
}

fn fixed() -> Policy {
    Policy { hash_key: HashKey::from_bytes([7; 32]), ..Policy::default() }
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

#[test]
fn values_go_where_each_format_has_them() {
    for (content_type, body, expected) in [
        // Pieces of a text: tokens of completions and of Gemini, words of a transcription.
        (
            JSON,
            r#"{"choices":[{"text":"at jo@example.com","logprobs":{"tokens":["at ","jo@exa","mple.com"],"top_logprobs":[{"at ":-1},{"jo@exa":-1},{"mple.com":-1}]}}]}"#,
            r#"{"choices":[{"text":"at <EMAIL_ADDRESS_1>","logprobs":{"tokens":["at ","<EMAIL_ADDRESS_1>",""],"top_logprobs":[]}}]}"#,
        ),
        (
            JSON,
            r#"{"candidates":[{"logprobsResult":{"topCandidates":[{"candidates":[{"token":"jo@exa"}]}],"chosenCandidates":[{"token":"jo@exa","tokenId":123},{"token":"mple.com","tokenId":45}]}}]}"#,
            r#"{"candidates":[{"logprobsResult":{"topCandidates":[],"chosenCandidates":[{"token":"<EMAIL_ADDRESS_1>","tokenId":0},{"token":"","tokenId":0}]}}]}"#,
        ),
        (
            JSON,
            r#"{"words":[{"word":"4242 4242","punctuated_word":"4242 4242"},{"word":"4242 4242","punctuated_word":"4242 4242."}]}"#,
            r#"{"words":[{"word":"<CREDIT_CARD_1>","punctuated_word":"<CREDIT_CARD_1>"},{"word":"","punctuated_word":"."}]}"#,
        ),
        (
            JSON,
            r#"{"words":[{"word":"Card"},{"word":"4242"},{"word":"4242"},{"word":"4242"},{"word":"4242."}]}"#,
            r#"{"words":[{"word":"Card"},{"word":"<CREDIT_CARD_1>"},{"word":""},{"word":""},{"word":"."}]}"#,
        ),
        // Stretches of a transcription, some with their spaces; they are counted, and escaped like all strings.
        (
            JSON,
            r#"{"segments":[{"id":7,"text":" so\njo@example.com"},{"id":8,"text":"\u00204242 4242"},{"id":9,"text":" 4242 4242."}]}"#,
            r#"{"segments":[{"id":7,"text":" so\n<EMAIL_ADDRESS_1>"},{"id":8,"text":"\u0020<CREDIT_CARD_1>"},{"id":9,"text":"."}]}"#,
        ),
        // llama.cpp's and Text Generation Inference's.
        (
            JSON,
            r#"{"completion_probabilities":[{"id":4,"token":"jo@exa","bytes":[106],"top_logprobs":[{"token":"jo@exa"}]},{"id":5,"token":"mple.com"}]}"#,
            r#"{"completion_probabilities":[{"id":0,"token":"<EMAIL_ADDRESS_1>","bytes":[60,69,77,65,73,76,95,65,68,68,82,69,83,83,95,49,62],"top_logprobs":[]},{"id":0,"token":""}]}"#,
        ),
        (
            JSON,
            r#"[{"details":{"prefill":[{"id":1,"text":"jo@exa"},{"id":2,"text":"mple.com"}],"tokens":[{"id":3,"text":"at "},{"id":4,"text":"jo@exa"},{"id":5,"text":"mple.com"}],"top_tokens":[[{"text":"at "}],[{"text":"jo@exa"}]]}}]"#,
            r#"[{"details":{"prefill":[{"id":0,"text":"<EMAIL_ADDRESS_1>"},{"id":0,"text":""}],"tokens":[{"id":3,"text":"at "},{"id":0,"text":"<EMAIL_ADDRESS_1>"},{"id":0,"text":""}],"top_tokens":[]}}]"#,
        ),
        (
            "text/event-stream",
            "data: {\"index\":1,\"token\":{\"id\":4,\"text\":\"jo@exa\"}}\n\ndata: {\"index\":2,\"token\":{\"id\":5,\"text\":\"mple.com\"},\"generated_text\":\"jo@example.com\"}\n\n",
            "data: {\"index\":1,\"token\":{\"id\":4,\"text\":\"<EMAIL_ADDRESS_1>\"}}\n\ndata: {\"index\":2,\"token\":{\"id\":5,\"text\":\"\"},\"generated_text\":\"<EMAIL_ADDRESS_1>\"}\n\n",
        ),
        // Events of a run in a log.
        (
            JSON,
            r#"{"events":[{"name":"new_token","kwargs":{"token":"jo@exa"}},{"name":"new_token","kwargs":{"token":"mple.com"}}]}"#,
            r#"{"events":[{"name":"new_token","kwargs":{"token":"<EMAIL_ADDRESS_1>"}},{"name":"new_token","kwargs":{"token":""}}]}"#,
        ),
        // vLLM's and SGLang's have the numbers of the tokens, which are the text again.
        (
            JSON,
            r#"{"prompt_logprobs":[null,{"72":{"logprob":-1,"rank":1,"decoded_token":"jo@exa"},"15":{"logprob":-2,"rank":2,"decoded_token":"x"}},{"9":{"logprob":-1,"decoded_token":"mple.com"}}]}"#,
            r#"{"prompt_logprobs":["<TOKENS 3 numbers>"]}"#,
        ),
        (
            JSON,
            r#"{"meta_info":{"input_token_logprobs":[[null,72,"jo@exa"],[-1.5,9,"mple.com"]],"e2e_latency":0.5}}"#,
            r#"{"meta_info":{"input_token_logprobs":["<TOKENS 2 numbers>"],"e2e_latency":0.5}}"#,
        ),
        // Two answers' tokens do not join.
        (
            JSON,
            r#"{"choices":[{"logprobs":{"content":[{"token":"4242 4242 4242 "}]}},{"logprobs":{"content":[{"token":"4242"}]}}]}"#,
            r#"{"choices":[{"logprobs":{"content":[{"token":"4242 4242 4242 "}]}},{"logprobs":{"content":[{"token":"4242"}]}}]}"#,
        ),
        // Numbers that are text.
        (
            JSON,
            r#"{"input":[[9906,1917],[3]]}"#,
            r#"{"input":[["<TOKENS 2 numbers>"],["<TOKENS 1 numbers>"]]}"#,
        ),
        (
            JSON,
            r#"{"done":true,"context":[1,2,3]}"#,
            r#"{"done":true,"context":["<TOKENS 3 numbers>"]}"#,
        ),
        (JSON, r#"{"args":{"input":[1,2,3]}}"#, r#"{"args":{"input":[1,2,3]}}"#),
        // A name beside a value says what it is.
        (
            JSON,
            r#"{"attributes":[{"key":"user.ssn","value":{"stringValue":"536904399"}},{"key":"build","value":{"stringValue":"536904399x"}}]}"#,
            r#"{"attributes":[{"key":"user.ssn","value":{"stringValue":"<US_SSN_1>"}},{"key":"build","value":{"stringValue":"536904399x"}}]}"#,
        ),
        // What developers write is left alone but for secrets.
        (
            JSON,
            r#"{"tools":[{"function":{"description":"writes to help@example.com","parameters":{"default":"AKIAIOSFODNN7EXAMPLQ"}}},{"owner":"jo@example.com"}]}"#,
            r#"{"tools":[{"function":{"description":"writes to help@example.com","parameters":{"default":"<AWS_ACCESS_KEY_1>"}}},{"owner":"<EMAIL_ADDRESS_1>"}]}"#,
        ),
        (
            JSON,
            r#"{"text":{"format":{"schema":{"default":"help@example.com"}},"note":{"description":"jo@example.com"}}}"#,
            r#"{"text":{"format":{"schema":{"default":"help@example.com"}},"note":{"description":"<EMAIL_ADDRESS_1>"}}}"#,
        ),
        // MCP: JSON in text in JSON, and media by their first bytes alone.
        (
            JSON,
            r#"{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"{\"to\":\"jo@example.com\"}"}]}}"#,
            r#"{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"{\"to\":\"<EMAIL_ADDRESS_1>\"}"}]}}"#,
        ),
        // Arguments that broke off are still JSON.
        (
            JSON,
            r#"{"arguments":"{\"a\":\"jo@example.com\",\"b\":\"x"}"#,
            r#"{"arguments":"{\"a\":\"<EMAIL_ADDRESS_1>\",\"b\":\"x"}"#,
        ),
        // Several lines of data are one document, and its text goes on in the next.
        (
            "text/event-stream",
            "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"jo@exa\"}}]}\n\ndata: {\"choices\":\ndata: [{\"delta\":{\"content\":\"mple.com\"}}]}\n\n",
            "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"<EMAIL_ADDRESS_1>\"}}]}\n\ndata: {\"choices\":\ndata: [{\"delta\":{\"content\":\"\"}}]}\n\n",
        ),
        // One event a line: Ollama's and Cohere's.
        (
            "application/x-ndjson",
            "{\"message\":{\"content\":\"\",\"thinking\":\"jo@exa\"}}\n{\"message\":{\"content\":\"\",\"thinking\":\"mple.com\"}}\n{\"thinking\":\"a@exam\"}\n{\"thinking\":\"ple.org\"}\n",
            "{\"message\":{\"content\":\"\",\"thinking\":\"<EMAIL_ADDRESS_1>\"}}\n{\"message\":{\"content\":\"\",\"thinking\":\"\"}}\n{\"thinking\":\"<EMAIL_ADDRESS_2>\"}\n{\"thinking\":\"\"}\n",
        ),
        (
            "application/stream+json",
            "{\"event_type\":\"text-generation\",\"text\":\"jo@exa\"}\n{\"event_type\":\"text-generation\",\"text\":\"mple.com\"}\n",
            "{\"event_type\":\"text-generation\",\"text\":\"<EMAIL_ADDRESS_1>\"}\n{\"event_type\":\"text-generation\",\"text\":\"\"}\n",
        ),
        // Records of data are whole, though they look alike.
        (
            "application/x-ndjson",
            "{\"prompt\":\"a\",\"completion\":\"to jo@example.com\"}\n{\"prompt\":\"b\",\"completion\":\"and so on\"}\n",
            "{\"prompt\":\"a\",\"completion\":\"to <EMAIL_ADDRESS_1>\"}\n{\"prompt\":\"b\",\"completion\":\"and so on\"}\n",
        ),
        // Citations are whole in each event, and so are names of all kinds.
        (
            "text/event-stream",
            "data: {\"said\":\"x\",\"worker_id\":\"jo@exa\",\"citations\":[{\"title\":\"of jo@example.com\"}]}\n\ndata: {\"said\":\"y\",\"worker_id\":\"mple.com\",\"citations\":[{\"title\":\"and\"}]}\n\n",
            "data: {\"said\":\"x\",\"worker_id\":\"jo@exa\",\"citations\":[{\"title\":\"of <EMAIL_ADDRESS_1>\"}]}\n\ndata: {\"said\":\"y\",\"worker_id\":\"mple.com\",\"citations\":[{\"title\":\"and\"}]}\n\n",
        ),
        // What tells streams apart may be escaped in one event and not in the next.
        (
            "text/event-stream",
            "data: {\"type\":\"x.delta\",\"item_id\":\"i\\u0074\",\"delta\":\"jo@exa\"}\n\ndata: {\"type\":\"x\\u002edelta\",\"item_id\":\"it\",\"delta\":\"mple.com\"}\n\n",
            "data: {\"type\":\"x.delta\",\"item_id\":\"i\\u0074\",\"delta\":\"<EMAIL_ADDRESS_1>\"}\n\ndata: {\"type\":\"x\\u002edelta\",\"item_id\":\"it\",\"delta\":\"\"}\n\n",
        ),
        // What is JSON by itself is not joined with the next, where a line end would be a letter.
        (
            "text/event-stream",
            "data: {\"output\":[{\"arguments\":\"{\\\"a\\\":\\\"so\\\\njo@example.com\\\"}\"},{\"arguments\":\"{}\"}]}\n\n",
            "data: {\"output\":[{\"arguments\":\"{\\\"a\\\":\\\"so\\\\n<EMAIL_ADDRESS_1>\\\"}\"},{\"arguments\":\"{}\"}]}\n\n",
        ),
        // Numbers in protobuf's JSON are strings, and readers take nothing else there.
        (
            JSON,
            r#"{"attributes":[{"key":"user.ssn","value":{"intValue":"536904399"}},{"key":"n","value":{"intValue":"12"}}],"timeUnixNano":"4111111111111111111"}"#,
            r#"{"attributes":[{"key":"user.ssn","value":{"intValue":"0"}},{"key":"n","value":{"intValue":"12"}}],"timeUnixNano":"4111111111111111111"}"#,
        ),
        // Spans are named by numbers that may be anybody's, but for nobody who reads them.
        (
            JSON,
            r#"{"spanId":"4111111111111111","traceId":"41111111111111114111111111111111","parentSpanId":"4111 1111 1111 1111"}"#,
            r#"{"spanId":"4111111111111111","traceId":"41111111111111114111111111111111","parentSpanId":"<CREDIT_CARD_1>"}"#,
        ),
        // Documents that follow each other without a line end, or with what RFC 7464 has there.
        (
            JSON,
            "{\"delta\":\"jo@exa\"}{\"delta\":\"mple.com\"}\u{1e}{\"n\":\n1}, {} and jo@example.com",
            "{\"delta\":\"<EMAIL_ADDRESS_1>\"}{\"delta\":\"\"}\u{1e}{\"n\":\n1}, {} and <EMAIL_ADDRESS_1>",
        ),
        // Streams that logs have kept, as strings and as arrays of their events.
        (
            JSON,
            r#"{"response":"data: {\"delta\":{\"text\":\"jo@exa\"}}\n\ndata: {\"delta\":{\"text\":\"mple.com\"}}\n\ndata: [DONE]\n"}"#,
            r#"{"response":"data: {\"delta\":{\"text\":\"<EMAIL_ADDRESS_1>\"}}\n\ndata: {\"delta\":{\"text\":\"\"}}\n\ndata: [DONE]\n"}"#,
        ),
        (
            JSON,
            r#"{"response":"{\"response\":\"jo@exa\"}\n{\"response\":\"mple.com\"}"}"#,
            r#"{"response":"{\"response\":\"<EMAIL_ADDRESS_1>\"}\n{\"response\":\"\"}"}"#,
        ),
        (
            JSON,
            r#"{"output":{"outputBodyJson":[{"index":0,"delta":{"text":"jo@exa"}},{"index":1,"delta":{"text":"x"}},{"index":0,"delta":{"text":"mple.com"}}]},"records":[{"events":[{"delta":{"text":"a@b"}}]},{"events":[{"delta":{"text":".com"}}]}]}"#,
            r#"{"output":{"outputBodyJson":[{"index":0,"delta":{"text":"<EMAIL_ADDRESS_1>"}},{"index":1,"delta":{"text":"x"}},{"index":0,"delta":{"text":""}}]},"records":[{"events":[{"delta":{"text":"a@b"}}]},{"events":[{"delta":{"text":".com"}}]}]}"#,
        ),
        (
            JSON,
            r#"{"response":"[{\"choices\":[{\"delta\":{\"content\":\"jo@exa\"}}]},{\"choices\":[{\"delta\":{\"content\":\"mple.com\"}}]}]"}"#,
            r#"{"response":"[{\"choices\":[{\"delta\":{\"content\":\"<EMAIL_ADDRESS_1>\"}}]},{\"choices\":[{\"delta\":{\"content\":\"\"}}]}]"}"#,
        ),
        (
            JSON,
            r#"[{"type":"d","index":0,"delta":{"text":"jo@exa"}},{"type":"d","index":0,"delta":{"text":"mple.com"}}]"#,
            r#"[{"type":"d","index":0,"delta":{"text":"<EMAIL_ADDRESS_1>"}},{"type":"d","index":0,"delta":{"text":""}}]"#,
        ),
        // Sound between them is none of the text.
        (
            JSON,
            r#"{"events":[{"type":"x.audio.transcript.delta","delta":"4242 4242 4242"},{"type":"x.audio.delta","delta":"4242"},{"type":"x.audio.transcript.delta","delta":" 4242"}]}"#,
            r#"{"events":[{"type":"x.audio.transcript.delta","delta":"<CREDIT_CARD_1>"},{"type":"x.audio.delta","delta":"4242"},{"type":"x.audio.transcript.delta","delta":""}]}"#,
        ),
        // With the tokens of their deltas.
        (
            JSON,
            r#"{"events":[{"delta":"jo@exa","logprobs":[{"token":"jo@exa"}]},{"delta":"mple.com","logprobs":[{"token":"mple.com"}]}]}"#,
            r#"{"events":[{"delta":"<EMAIL_ADDRESS_1>","logprobs":[{"token":"<EMAIL_ADDRESS_1>"}]},{"delta":"","logprobs":[{"token":""}]}]}"#,
        ),
        // And as an array of strings, each an event, or a line of one.
        (
            JSON,
            r#"{"chunks":["{\"delta\":{\"text\":\"jo@exa\"}}","{\"delta\":{\"text\":\"mple.com\"}}"],"other":["{\"delta\":{\"text\":\"x\"}}"]}"#,
            r#"{"chunks":["{\"delta\":{\"text\":\"<EMAIL_ADDRESS_1>\"}}","{\"delta\":{\"text\":\"\"}}"],"other":["{\"delta\":{\"text\":\"x\"}}"]}"#,
        ),
        (
            JSON,
            r#"{"streamed":["data: {\"said\":\"jo@exa\"}","event: x\ndata: {\"said\":\"mple.com\"}\n\n","data: [DONE]","data: of jo@example.com"]}"#,
            r#"{"streamed":["data: {\"said\":\"<EMAIL_ADDRESS_1>\"}","event: x\ndata: {\"said\":\"\"}\n\n","data: [DONE]","data: of <EMAIL_ADDRESS_1>"]}"#,
        ),
        // A query inside a string has plus signs for spaces.
        (
            JSON,
            r#"{"url":"https://example.com/?card=4242+4242+4242+4242&to=jo%40example.com"}"#,
            r#"{"url":"https://example.com/?card=<CREDIT_CARD_1>&to=<EMAIL_ADDRESS_1>"}"#,
        ),
        (
            JSON,
            r#"{"url":"https://example.com/?q=the+key+is+AKIAIOSFODNN7EXAMPLQ"}"#,
            r#"{"url":"https://example.com/?q=the+key+is+<AWS_ACCESS_KEY_1>"}"#,
        ),
        // Text in base64 in prose, also where it looks like a token, and a token that holds JSON in base64.
        (
            JSON,
            r#"{"text":"see dGhlIGhvc3QgaXMgMTk4LjUxLjEwMC4yMyBhbmQgdGhhdCBvZiB0aGUgb3RoZXJzIGlzIHVua25vd24=, or not"}"#,
            r#"{"text":"see dGhlIGhvc3QgaXMgPElQX0FERFJFU1NfMT4gYW5kIHRoYXQgb2YgdGhlIG90aGVycyBpcyB1bmtub3du, or not"}"#,
        ),
        (
            JSON,
            r#"{"text":"see eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI1MDk0OTIwOSIsIm5hbWUiOiJIZW5yaWsgQmFsb2d1biJ9.gwnxhiBrKuvh_jPu3ZWPZbw9qiQdFRp38QGPomrAitw"}"#,
            r#"{"text":"see <JWT_1>"}"#,
        ),
        // Text in a field that has base64, however short.
        (
            JSON,
            r#"{"bytesValue":"YXNrIGpvQGV4YW1wbGUuY29t"}"#,
            r#"{"bytesValue":"YXNrIDxFTUFJTF9BRERSRVNTXzE+"}"#,
        ),
        // One value has one number, however it is written.
        (
            "text/plain",
            r#"jo@example.com, jo\u0040example.com and https://example.com/jo%40example.com"#,
            r#"<EMAIL_ADDRESS_1>, <EMAIL_ADDRESS_1> and https://example.com/<EMAIL_ADDRESS_1>"#,
        ),
        // Forms: undone, and done again.
        (
            "application/x-www-form-urlencoded",
            "to=jo%40example.com&json=%7B%22a%22%3A%22jo%40example.com%22%7D&n=a+b",
            "to=%3CEMAIL_ADDRESS_1%3E&json=%7B%22a%22%3A%22%3CEMAIL_ADDRESS_1%3E%22%7D&n=a+b",
        ),
    ] {
        assert_eq!(with(fixed(), body, content_type), expected);
    }
}

#[test]
fn parts_of_a_form_are_read_as_what_they_are() {
    let lines =
        format!("{{\"body\":{{\"input\":\"{MAIL}\"}}}}\n{{\"body\":{{\"input\":\"two\"}}}}");
    let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    let body = [
        &b"--xyz\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n536904399\r\n--xyz\r\n"[..],
        b"Content-Disposition: form-data; name=\"file\"; filename=\"of jane.roe@example.org\"\r\n\r\n",
        lines.as_bytes(),
        b"\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Type: audio/wav\r\n\r\n",
        &wav,
        b"\r\n--xyz--\r\n",
    ]
    .concat();
    let redacted = redact(body, "multipart/form-data; boundary=xyz");
    let text = String::from_utf8(redacted.bytes().to_vec()).unwrap();
    let parts: Vec<&str> = text.split("\r\n--xyz").collect();
    assert!(parts[0].ends_with("\r\n\r\n<US_SSN_1>"), "{text}");
    assert!(
        parts[1].ends_with(
            "{\"body\":{\"input\":\"<EMAIL_ADDRESS_1>\"}}\n{\"body\":{\"input\":\"two\"}}"
        ),
        "{text}"
    );
    assert!(!parts[1].contains("jane.roe"));
    assert!(parts[2].contains("\r\n\r\n<ATTACHMENT audio/wav 24 bytes "), "{text}");
    assert_eq!(parts[3], "--\r\n");
    let report = redacted.report();
    assert_eq!((report.format, report.attachments_dropped), (Format::Multipart, 1));
}

#[test]
fn embeddings_go_and_leave_what_sdks_can_decode() {
    let floats: Vec<f32> = (0..64).map(|n| n as f32 / 8.0 - 3.25).collect();
    let bytes: Vec<u8> = floats.iter().flat_map(|f| f.to_le_bytes()).collect();
    let body = json!({"data": [{"embedding": floats}, {"embedding": STANDARD.encode(&bytes)}], "series": floats[..40], "token_logprobs": vec![-0.5; 200]});
    let text = with(fixed(), &body.to_string(), JSON);
    let redacted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(redacted["data"][0]["embedding"], json!(["<EMBEDDING 64 numbers>"]));
    let marker = redacted["data"][1]["embedding"].as_str().unwrap();
    assert!(marker.starts_with("REMOVED/EMBEDDING/64/NUMBERS/"));
    assert_eq!(STANDARD.decode(marker).unwrap().len() % 4, 0);
    for kept in ["series", "token_logprobs"] {
        assert_eq!(redacted[kept], body[kept], "a few numbers of any other name are numbers");
    }
    let slashes = json!({"embedding": "ab/d".repeat(64)}).to_string();
    let escaped = with(fixed(), &slashes.replace('/', r"\/"), JSON);
    assert!(escaped.starts_with(r#"{"embedding":"REMOVED/EMBEDDING/48/"#), "{escaped}");
    let kept = with(Policy { vectors: Vectors::Keep, ..fixed() }, &body.to_string(), JSON);
    assert_eq!(kept, body.to_string());
}

#[test]
fn ciphertext_is_kept_or_dropped_whole() {
    // Enough of them that rules for random keys would find something.
    let cipher =
        STANDARD.encode((0..200_u32).map(|n| (n * n * 31 % 251) as u8).collect::<Vec<_>>());
    let body = json!({"signature": cipher, "thinking": {"signature": MAIL, "encrypted_content": base64(&format!("to {MAIL}, as agreed"))}});
    let text = with(fixed(), &body.to_string(), JSON);
    let redacted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(redacted["signature"], body["signature"]);
    let escaped = body.to_string().replace('/', r"\/");
    let signature = escaped.split(',').next().unwrap();
    assert!(with(fixed(), &escaped, JSON).starts_with(signature) && signature.contains(r"\/"));
    // What is no ciphertext does not become any by its name.
    assert_eq!(redacted["thinking"]["signature"], "<EMAIL_ADDRESS_1>");
    assert_eq!(
        redacted["thinking"]["encrypted_content"],
        base64("to <EMAIL_ADDRESS_1>, as agreed")
    );
    let text = with(Policy { opaque: Opaque::Drop, ..fixed() }, &body.to_string(), JSON);
    let redacted: Value = serde_json::from_str(&text).unwrap();
    assert!(redacted["signature"].as_str().unwrap().starts_with("<OPAQUE 268 bytes "));
}

#[test]
fn documents_in_base64_are_read_as_what_they_are() {
    let csv = format!("name,mail\njane,{MAIL}\nroe,{MAIL}\n");
    let lines = format!("{{\"a\":\"{MAIL}\"}}\n{{\"b\":[\"4242 4242 4242 4242\"]}}\n");
    let html = format!("<html><body><p>{MAIL}</p></body></html>");
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(html.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for document in [csv.as_bytes(), lines.as_bytes(), html.as_bytes(), &utf16] {
        let mime: String = STANDARD
            .encode(document)
            .as_bytes()
            .chunks(76)
            .map(|l| format!("{}\r\n", str::from_utf8(l).unwrap()))
            .collect();
        for data in [STANDARD.encode(document), URL_SAFE_NO_PAD.encode(document), mime] {
            let body = json!({"source": {"media_type": "text/plain", "data": data}}).to_string();
            let redacted: Value = serde_json::from_str(&with(fixed(), &body, JSON)).unwrap();
            let data = redacted["source"]["data"].as_str().unwrap().replace("\r\n", "");
            let data = data.replace('-', "+").replace('_', "/");
            let bytes =
                STANDARD.decode(format!("{data}{}", "=".repeat((4 - data.len() % 4) % 4))).unwrap();
            let text = String::from_utf8_lossy(&bytes).replace('\0', "");
            assert!(text.contains("<EMAIL_ADDRESS_1>") && !text.contains("jane.roe"), "{text}");
            assert!(!text.contains("4242"), "{text}");
        }
    }
}

#[test]
fn media_is_found_by_field_and_by_shape_and_handled_by_policy() {
    let png = |text: &[u8]| {
        let chunk = |kind: &[u8], data: &[u8]| {
            let length = u32::try_from(data.len()).unwrap().to_be_bytes();
            [&length[..], kind, data, &[0; 4]].concat()
        };
        [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", &[0; 13]),
            text.to_vec(),
            chunk(b"IEND", b""),
        ]
        .concat()
    };
    let comment = [&20_u32.to_be_bytes()[..], b"tEXt", MAIL.as_bytes(), &[0; 4]].concat();
    let (tagged, plain) = (STANDARD.encode(png(&comment)), STANDARD.encode(png(b"")));
    let zip = STANDARD.encode([&b"PK\x03\x04"[..], &[0; 60]].concat());
    let body = format!(
        r#"{{"content":"{tagged}","source":{{"data":"{zip}"}},"url":"see data:image/png;base64,{tagged} there"}}"#
    );
    let dropped = with(fixed(), &body, JSON);
    assert_eq!(dropped.matches("<ATTACHMENT image/png 77 bytes ").count(), 2, "{dropped}");
    assert_eq!(dropped.matches("<ATTACHMENT application/zip 64 bytes ").count(), 1);
    assert_eq!(with(Policy { attachments: Attachments::Keep, ..fixed() }, &body, JSON), body);
    let stripped = with(Policy { attachments: Attachments::KeepStripped, ..fixed() }, &body, JSON);
    assert!(
        stripped.contains(&format!(r#"{{"content":"{plain}","source":{{"data":"<ATTACHMENT"#)),
        "{stripped}"
    );
    assert!(stripped.contains(&format!("see data:image/png;base64,{plain} there")));
    // A body that is a picture itself.
    let captured = CapturedBody::new(png(&comment), Some("image/png".into()), None);
    let policy = Policy { attachments: Attachments::KeepStripped, ..fixed() };
    let redacted = Redactor::new(RuleSet::standard(), policy).exchange().redact(captured).unwrap();
    assert_eq!(redacted.bytes(), png(b""));
    assert_eq!(redacted.report().attachments_stripped, 1);
}

#[test]
fn utf16_stays_utf16_and_findings_point_into_it() {
    let text = format!("{{\"a\":\"Grüße 👋 {MAIL}\"}}");
    for mark in [&b""[..], b"\xff\xfe"] {
        let encode = |text: &str| {
            [mark, &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat()
        };
        let body = encode(&text);
        assert_eq!(
            redact(body.clone(), JSON).bytes(),
            encode(&text.replace(MAIL, "<EMAIL_ADDRESS_1>"))
        );
        let captured = CapturedBody::new(body.clone(), Some(JSON.into()), None);
        let found = support::redactor().find(&captured).unwrap();
        let spans: Vec<Vec<u8>> = found.iter().map(|f| body[f.span.range()].to_vec()).collect();
        assert_eq!(spans, [MAIL.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]);
    }
}

#[test]
fn a_mark_of_utf16_hides_no_text_and_half_a_character_stays() {
    let hidden = [b"\xff\xfe", format!("{{\"a\":\"to {MAIL}\"}}").as_bytes()].concat();
    let redacted = redact(hidden, JSON);
    assert!(redacted.bytes().ends_with(b"{\"a\":\"to <EMAIL_ADDRESS_1>\"}"));
    let cut = [
        b"\xff\xfe",
        &format!("to {MAIL} \u{4e2d}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()[..],
    ]
    .concat();
    let redacted = redact(&cut[..cut.len() - 1], "text/plain");
    assert!(redacted.bytes().ends_with(b">\0 \0\x2d"), "{}", redacted.bytes().escape_ascii());
    // A control character is legal in JSON where it makes out much of it.
    assert_eq!(redact_str("\"\x7f\"", JSON), "\"\x7f\"");
}

/// UTF-16 without a mark is told by its zeros, and a character may come to where they are looked for.
#[test]
fn utf16_that_is_none_any_more_is_described() {
    let text =
        format!("{}{} \u{4e00}", "Please see 4242 4242 4242 4242. ".repeat(4), "so ".repeat(44));
    let body: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let once = redact(body, "text/plain");
    assert!(!once.bytes().windows(4).any(|four| four == b"\x004\x002"));
    assert_eq!(redact(once.bytes(), "text/plain").bytes(), once.bytes());
}

/// An alternative to a token that goes leaves those before and behind it side by side.
#[test]
fn what_comes_together_when_others_go_is_found() {
    let event = |token: &str, other: &str| {
        let logprobs = json!([{"token": token, "top_logprobs": [{"token": other}]}]);
        format!("data: {}\n\n", json!({"delta": token, "logprobs": logprobs}))
    };
    let stream = [("a ", "see jo"), ("kim@example.org", " ; "), (" b", "@example.com now")]
        .map(|(token, other)| event(token, other))
        .concat();
    with(fixed(), &stream, "text/event-stream");
}

/// What is left when a value is taken out may be read in another way than before.
#[test]
fn a_text_that_becomes_a_stream_is_read_as_one() {
    let policy = || Policy { operator: Some(Operator::Remove), ..fixed() };
    let stream = ": x\ndata: {\"delta\":\"jo@exa\"}\n\ndata: {\"delta\":\"mple.com\"}\n\n";
    let text = format!("{MAIL}{stream}");
    assert!(!with(policy(), &text, "text/plain").contains("exa"));
    let nested = json!({"a": text, "b": 1}).to_string();
    assert!(!with(policy(), &nested, JSON).contains("exa"));
}

#[test]
fn tokens_turn_back_where_they_stand_and_surrogates_keep_the_shape() {
    let key = || TokenKey::from_bytes([5; 32]);
    let policy = || Policy { operator: Some(Operator::Tokenize), token_key: key(), ..fixed() };
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"jo@exa\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"mple.com\\\"\"}}]}\n\n";
    let inner = json!({"to": MAIL, "card": "4242 4242 4242 4242"}).to_string();
    let json = json!({"arguments": inner, "data": base64(&format!("mail,{MAIL},and so on, and on and on and on"))}).to_string();
    for (body, content_type) in
        [(json.as_str(), JSON), (stream, "text/event-stream"), (MAIL, "text/plain")]
    {
        let redacted = with(policy(), body, content_type);
        assert!(
            !redacted.contains("jane.roe") && redacted.contains("<EMAIL_ADDRESS~")
                || redacted.contains("data")
        );
        let revealed = key().reveal(redacted.as_bytes(), Some(content_type));
        let revealed = String::from_utf8(revealed.to_vec()).unwrap();
        if content_type == "text/event-stream" {
            assert!(
                revealed.contains("\\\"jo@example.com\"")
                    && revealed.contains("\"content\":\"\\\"\""),
                "{revealed}"
            );
        } else {
            assert_eq!(revealed, body);
        }
        let stranger = TokenKey::from_bytes([6; 32]);
        assert_eq!(*stranger.reveal(redacted.as_bytes(), Some(content_type)), redacted.as_bytes());
    }
    let policy = Policy { operator: Some(Operator::Surrogate), ..fixed() };
    let text = with(
        policy,
        "card 4242 4242 4242 4242, call +1 415-867-5309, mail jo@example.com",
        "text/plain",
    );
    assert!(
        text.starts_with("card 9")
            && text.contains("+1 415-555-01")
            && text.ends_with("mail <EMAIL_ADDRESS_1>"),
        "{text}"
    );
}

#[test]
fn paths_decide_what_is_looked_at() {
    let body = json!({
        "model": "m", "user": MAIL,
        "messages": [{"role": "user", "content": format!("I am {MAIL}"), "age": 1_234_567}],
        "arguments": format!("{{\"to\":\"{MAIL}\",\"note\":\"{MAIL}\"}}"),
    })
    .to_string();
    let run = |paths: Value| {
        let paths: Paths = serde_json::from_value(paths).unwrap();
        let redacted: Value =
            serde_json::from_str(&with(Policy { paths, ..fixed() }, &body, JSON)).unwrap();
        redacted
    };
    let included = run(json!({"include": ["messages[*].content"]}));
    assert_eq!(included["messages"][0]["content"], "I am <EMAIL_ADDRESS_1>");
    assert_eq!(included["user"], MAIL);
    let excluded = run(json!({"exclude": ["arguments.note", "user"]}));
    assert_eq!(excluded["user"], MAIL);
    assert_eq!(
        excluded["arguments"],
        format!("{{\"to\":\"<EMAIL_ADDRESS_1>\",\"note\":\"{MAIL}\"}}")
    );
    let forced = run(json!({"force": ["messages[*]", "arguments.note"], "exclude": ["arguments"]}));
    assert_eq!(
        forced["messages"][0],
        json!({"role": "<REDACTED>", "content": "<REDACTED>", "age": 0})
    );
    assert_eq!(forced["arguments"], format!("{{\"to\":\"{MAIL}\",\"note\":\"<REDACTED>\"}}"));
    let policy = Policy { paths: Preset::NoContent.paths(), ..fixed() };
    let redacted: Value = serde_json::from_str(&with(policy, &body, JSON)).unwrap();
    assert_eq!(redacted["messages"][0]["role"], "user");
    assert_eq!(redacted["messages"][0]["content"], "<REDACTED>");
    assert_eq!(
        (redacted["model"].as_str(), redacted["user"].as_str()),
        (Some("m"), Some("<EMAIL_ADDRESS_1>"))
    );
}

#[test]
fn the_report_says_where_and_never_what() {
    let body = json!({
        "messages": [{"content": [{"text": MAIL}, {"text": format!("{MAIL} 4242 4242 4242 4242")}]}],
        MAIL: {"Jane Roe": MAIL},
        "arguments": format!("{{\"to\":\"{MAIL}\"}}"),
        "cut": "so",
    })
    .to_string();
    let redacted = redact(&body.as_bytes()[..body.len() - 3], JSON);
    let report = redacted.report();
    assert!(report.truncated && !report.fell_back);
    let paths = serde_json::to_value(&report.paths).unwrap();
    assert_eq!(
        paths,
        json!({
            "": {"global.email": 1},
            "*.*": {"global.email": 1},
            "arguments.to": {"global.email": 1},
            "messages[*].content[*].text": {"global.email": 2, "global.credit-card.grouped": 1},
        })
    );
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"jo@exa\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"mple.com\"}}]}\n\n";
    let report = redact(stream, "text/event-stream").report().clone();
    assert_eq!(report.paths.keys().collect::<Vec<_>>(), ["choices[*].delta.content"]);
    assert_eq!(redact_str("plain jo@example.com", "text/plain"), "plain <EMAIL_ADDRESS_1>");
}
