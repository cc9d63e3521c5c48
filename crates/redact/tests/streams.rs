//! However a stream's deltas cut a text, the text they join to is the redacted text.

// Helpers of tests are tests, though the lint does not know it.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{pieces, redact, redact_str, values_in};

/// An event stream of these documents.
fn stream(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("data: {document}\n\n")).collect()
}

/// The documents of an event stream.
fn documents(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("every event is still JSON"))
        .collect()
}

/// How one API puts a delta into an event, and how its SDK takes it out again.
struct Api {
    name: &'static str,
    event: fn(channel: usize, delta: &str) -> Value,
    delta: &'static str,
    channel: &'static str,
}

const APIS: [Api; 11] = [
    Api {
        name: "openai chat",
        event: |i, d| json!({"choices": [{"index": i, "delta": {"content": d}, "finish_reason": null}]}),
        delta: "/choices/0/delta/content",
        channel: "/choices/0/index",
    },
    Api {
        name: "openai tool call",
        event: |i, d| json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": i, "function": {"arguments": d}}]}}]}),
        delta: "/choices/0/delta/tool_calls/0/function/arguments",
        channel: "/choices/0/delta/tool_calls/0/index",
    },
    Api {
        name: "openai responses",
        event: |i, d| json!({"type": "response.output_text.delta", "output_index": i, "content_index": 0, "delta": d}),
        delta: "/delta",
        channel: "/output_index",
    },
    Api {
        name: "anthropic",
        event: |i, d| json!({"type": "content_block_delta", "index": i, "delta": {"type": "text_delta", "text": d}}),
        delta: "/delta/text",
        channel: "/index",
    },
    Api {
        name: "anthropic tool use",
        event: |i, d| json!({"type": "content_block_delta", "index": i, "delta": {"type": "input_json_delta", "partial_json": d}}),
        delta: "/delta/partial_json",
        channel: "/index",
    },
    Api {
        name: "gemini",
        event: |i, d| json!({"candidates": [{"index": i, "content": {"role": "model", "parts": [{"text": d}]}}]}),
        delta: "/candidates/0/content/parts/0/text",
        channel: "/candidates/0/index",
    },
    Api {
        name: "unknown",
        event: |i, d| json!({"stream": {"content": d}, "index": i}),
        delta: "/stream/content",
        channel: "/index",
    },
    Api {
        name: "unknown by its names too",
        event: |i, d| json!({"kind": "piece", "said": {"soFar": d}, "index": i, "run_id": "one"}),
        delta: "/said/soFar",
        channel: "/index",
    },
    Api {
        name: "openai shell output",
        event: |i, d| json!({"type": "response.shell_call_output_content.delta", "item_id": "sh", "output_index": 0, "command_index": i, "delta": {"stdout": d}}),
        delta: "/delta/stdout",
        channel: "/command_index",
    },
    Api {
        name: "tool calls told apart by their ids",
        event: |i, d| json!({"type": "tool-input-delta", "toolCallId": i, "inputTextDelta": d}),
        delta: "/inputTextDelta",
        channel: "/toolCallId",
    },
    Api {
        name: "openrouter reasoning",
        event: |i, d| json!({"choices": [{"index": 0, "delta": {"content": "", "reasoning_details": [{"type": "reasoning.summary", "summary": d, "index": i}]}}]}),
        delta: "/choices/0/delta/reasoning_details/0/summary",
        channel: "/choices/0/delta/reasoning_details/0/index",
    },
];

fn joined(api: &Api, stream: &str) -> BTreeMap<u64, String> {
    let mut texts = BTreeMap::<u64, String>::new();
    for document in documents(stream) {
        let channel = document.pointer(api.channel).unwrap().as_u64().unwrap();
        texts
            .entry(channel)
            .or_default()
            .push_str(document.pointer(api.delta).unwrap().as_str().unwrap());
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cut_gives_the_redacted_text((text, pieces) in pieces()) {
        let expected = redact_str(&text, "text/plain");
        for api in &APIS {
            let events: Vec<_> = pieces.iter().map(|piece| (api.event)(0, piece)).collect();
            let redacted = redact_str(&stream(&events), "text/event-stream");
            let got = joined(api, &redacted).remove(&0).unwrap_or_default();
            // Deltas of tool calls are JSON text once joined; this text is not, and so is prose.
            prop_assert_eq!(got, expected.clone(), "{}", api.name);
        }
    }

    #[test]
    fn interleaved_channels_stay_apart(
        (one, ones) in pieces(),
        (two, twos) in pieces(),
    ) {
        for api in &APIS[..6] {
            let mut events = Vec::new();
            for i in 0..ones.len().max(twos.len()) {
                events.extend(ones.get(i).map(|piece| (api.event)(0, piece)));
                events.extend(twos.get(i).map(|piece| (api.event)(1, piece)));
            }
            let redacted = redact_str(&stream(&events), "text/event-stream");
            let texts = joined(api, &redacted);
            for (channel, text) in [(0, &one), (1, &two)] {
                for value in values_in(text) {
                    let got = texts.get(&channel).map_or("", String::as_str);
                    prop_assert!(!got.contains(value), "{}: {value} in {got}", api.name);
                }
            }
        }
    }

    /// Tool arguments are JSON whose escapes and strings the deltas cut anywhere.
    #[test]
    fn tool_arguments_stay_json((text, _) in pieces(), cut in 1_usize..9, ascii in any::<bool>()) {
        let mut arguments = json!({"to": text, "nested": {"note": [&text, 1, null]}}).to_string();
        if ascii {
            arguments = arguments.replace('@', "\\u0040").replace('9', "\\u0039");
        }
        let characters: Vec<char> = arguments.chars().collect();
        let api = &APIS[1];
        let events: Vec<_> = characters
            .chunks(cut)
            .map(|chunk| (api.event)(0, &chunk.iter().collect::<String>()))
            .collect();
        let redacted = redact_str(&stream(&events), "text/event-stream");
        let got = joined(api, &redacted).remove(&0).unwrap();
        let parsed: Value = serde_json::from_str(&got).expect("the arguments are still JSON");
        let expected = redact_str(&text, "text/plain");
        prop_assert_eq!(parsed.pointer("/to").unwrap().as_str().unwrap(), &expected);
        prop_assert_eq!(parsed.pointer("/nested/note/0").unwrap().as_str().unwrap(), &expected);
        prop_assert_eq!(parsed.pointer("/nested/note/1").unwrap(), &json!(1));
    }
}

#[test]
fn deltas_go_on_where_their_identity_is_left_out_and_in_the_block_that_begins_them() {
    for (events, expected) in [
        // JSON of protobuf may leave out what is zero.
        (
            vec![
                json!({"candidates": [{"index": 0, "content": {"parts": [{"text": "jane.roe@"}]}}]}),
                json!({"candidates": [{"content": {"parts": [{"text": "exam", "thought": false}, {"text": "ple"}]}}]}),
                json!({"candidates": [{"index": 0, "content": {"parts": [{"text": "aside", "thought": true}]}}]}),
                json!({"candidates": [{"index": 0, "content": {"parts": [{"text": ".org"}]}}]}),
            ],
            vec!["<EMAIL_ADDRESS_1>", "", "", "aside", ""],
        ),
        (
            vec![
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "at jane."}}),
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "roe@example.org"}}),
                json!({"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": "no"}}),
            ],
            vec!["at <EMAIL_ADDRESS_1>", "", "no"],
        ),
    ] {
        let redacted = redact_str(&stream(&events), "text/event-stream");
        let mut texts = Vec::new();
        for document in documents(&redacted) {
            texts_of(&document, &mut texts);
        }
        assert_eq!(texts, expected);
    }
}

/// What stands under `text` in a document.
fn texts_of(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, out)),
        Value::Object(map) => map.iter().for_each(|(key, item)| match item.as_str() {
            Some(text) if key == "text" => out.push(text.to_owned()),
            _ => texts_of(item, out),
        }),
        _ => {}
    }
}

#[test]
fn log_probabilities_agree_with_the_text() {
    let tokens = ["mail", " jane", ".roe", "@example", ".org", " now"];
    let content: Vec<_> = tokens
        .iter()
        .map(|token| {
            json!({"token": token, "logprob": -0.1, "bytes": token.as_bytes(),
                   "top_logprobs": [{"token": token, "logprob": -0.1, "bytes": token.as_bytes()}]})
        })
        .collect();
    let body = json!({"choices": [{"index": 0, "message": {"content": tokens.concat()},
                                   "logprobs": {"content": content}}]});
    let redacted: Value =
        serde_json::from_str(&redact_str(&body.to_string(), "application/json")).unwrap();
    let entries = redacted.pointer("/choices/0/logprobs/content").unwrap().as_array().unwrap();
    let text: String = entries.iter().map(|e| e["token"].as_str().unwrap()).collect();
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|e| e["bytes"].as_array().unwrap())
        .map(|b| u8::try_from(b.as_u64().unwrap()).unwrap())
        .collect();
    assert_eq!(text, "mail <EMAIL_ADDRESS_1> now");
    assert_eq!(redacted.pointer("/choices/0/message/content").unwrap(), &json!(text));
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
    assert_eq!(entries[2]["top_logprobs"], json!([]));
    assert_eq!(entries[0]["top_logprobs"][0]["token"], json!("mail"));
}

#[test]
fn a_stream_that_breaks_off_is_redacted_to_its_last_byte() {
    let events = ["card 4242 4242", " 4242 4242 ok"].map(|d| (APIS[0].event)(0, d));
    let whole = stream(&events);
    let cut = whole.find(" 4242 ok").unwrap() + " 4242 4242".len();
    let redacted = redact_str(&whole[..cut.min(whole.len())], "text/event-stream");
    assert!(!redacted.contains("4242"), "{redacted}");
}

/// What breaks off may be the end of any text that it could belong to, and hides none.
#[test]
fn a_last_event_that_breaks_off_hides_nothing_in_those_before() {
    let body = concat!(
        r#"data: {"type":"text.delta","delta":"call +44 20 7946 0958","logprobs":[{"token":"call +44 20 7946 0958"}]}"#,
        "\n\n",
        r#"data: {"type":"text.done","logprobs":[{"token":"fo"#,
    );
    let redacted = redact_str(body, "text/event-stream");
    assert_eq!(redacted, body.replace("+44 20 7946 0958", "<PHONE_NUMBER_1>"));
}

#[test]
fn frames_and_comments_survive_and_are_scanned() {
    let stream = ": for jane.roe@example.org\r\nevent: x\r\nid: 7\r\ndata: {\"text\":\"4242 4242 4242 4242\"}\r\n\r\ndata: [DONE]\r\n\r\n";
    assert_eq!(
        redact_str(stream, "text/event-stream"),
        ": for <EMAIL_ADDRESS_1>\r\nevent: x\r\nid: 7\r\ndata: {\"text\":\"<CREDIT_CARD_1>\"}\r\n\r\ndata: [DONE]\r\n\r\n"
    );
}

/// A frame of AWS's binary event stream with one header.
fn frame(event: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = b"\x0b:event-type\x07".to_vec();
    headers.extend_from_slice(&u16::try_from(event.len()).unwrap().to_be_bytes());
    headers.extend_from_slice(event.as_bytes());
    let total = 16 + headers.len() + payload.len();
    let mut frame = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

/// The payloads of a stream, whose checksums must all be right.
fn payloads(mut stream: &[u8]) -> Vec<Value> {
    let number = |at: &[u8]| u32::from_be_bytes(at[..4].try_into().unwrap());
    let mut payloads = Vec::new();
    while !stream.is_empty() {
        let (total, headers) = (number(stream) as usize, number(&stream[4..]) as usize);
        let (frame, rest) = stream.split_at(total);
        assert_eq!(number(&frame[8..]), crc32fast::hash(&frame[..8]));
        assert_eq!(number(&frame[total - 4..]), crc32fast::hash(&frame[..total - 4]));
        payloads.push(serde_json::from_slice(&frame[12 + headers..total - 4]).unwrap());
        stream = rest;
    }
    payloads
}

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn binary_event_streams_join_too((text, pieces) in pieces(), wrapped in any::<bool>()) {
        let mut stream = Vec::new();
        for piece in &pieces {
            let delta = if wrapped {
                let event = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}});
                json!({"bytes": STANDARD.encode(event.to_string()), "p": "abc"})
            } else {
                json!({"contentBlockIndex": 0, "delta": {"text": piece}, "p": "abc"})
            };
            stream.extend(frame("chunk", delta.to_string().as_bytes()));
        }
        let redacted = redact(stream, EVENT_STREAM);
        let got: String = payloads(redacted.bytes())
            .into_iter()
            .map(|payload| match payload["bytes"].as_str() {
                Some(bytes) => serde_json::from_slice(&STANDARD.decode(bytes).unwrap()).unwrap(),
                None => payload,
            })
            .map(|event: Value| event["delta"]["text"].as_str().unwrap().to_owned())
            .collect();
        prop_assert_eq!(got, redact_str(&text, "text/plain"));
        let again = redact(redacted.bytes().to_vec(), EVENT_STREAM);
        prop_assert_eq!(again.bytes(), redacted.bytes());
    }
}

/// An agent's answer comes as pieces of text in base64, some of which are JSON by themselves: numbers.
#[test]
fn text_in_base64_goes_on_from_frame_to_frame() {
    let pieces = ["at jane.", "roe@exam", "ple.org, card ", "4242", " 4242 42", "42 4242", "."];
    let body: Vec<u8> = pieces
        .iter()
        .flat_map(|piece| {
            let bytes = STANDARD.encode(piece);
            frame("chunk", json!({"bytes": bytes}).to_string().as_bytes())
        })
        .collect();
    let redacted = redact(body, "application/vnd.amazon.eventstream");
    let text: Vec<u8> = payloads(redacted.bytes())
        .iter()
        .flat_map(|payload| STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(String::from_utf8(text).unwrap(), "at <EMAIL_ADDRESS_1>, card <CREDIT_CARD_1>.");
}

#[test]
fn a_binary_stream_that_breaks_off_ends_with_its_last_whole_frame() {
    let whole = frame("a", b"{\"text\":\"fine\"}");
    let mut stream = whole.clone();
    stream.extend_from_slice(&frame("b", b"{\"text\":\"jane.roe@example.org\"}")[..60]);
    let redacted = redact(stream, EVENT_STREAM);
    assert_eq!(redacted.bytes(), whole);
    assert!(redacted.report().fell_back);
}
