//! The vendors' own SDKs read what comes out of the redactor, and the text they put together is the redacted
//! text. They are fetched by `cargo xtask test`, and asked against a server of this test's.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests, though the lint does not know it"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{oubliette, oubliette_with_input, skip};

const TEXT: &str =
    "Grüße 👋 to marta@example.net, card 4242 4242 4242 4242; \"call\" +44 20 7946 0958.\nThanks!";

/// A text in pieces, some of a single character, none within one.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut lengths = [1, 4, 2, 7, 3].into_iter().cycle();
    let mut at = 0;
    let mut pieces = Vec::new();
    while at < characters.len() {
        let end = (at + lengths.next().unwrap()).min(characters.len());
        pieces.push(characters[at..end].iter().collect());
        at = end;
    }
    pieces
}

fn arguments() -> String {
    // The at sign as an escape, which pieces cut.
    json!({"note": TEXT}).to_string().replace('@', "\\u0040")
}

fn logprobs() -> Value {
    let token = |piece: &String| json!({"token": piece, "logprob": -0.5, "bytes": piece.as_bytes(), "top_logprobs": []});
    json!({"content": pieces(TEXT).iter().map(token).collect::<Vec<_>>(), "refusal": null})
}

fn events(documents: &[Value], done: bool) -> String {
    let event = |document: &Value| match document["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {document}\n\n"),
        None => format!("data: {document}\n\n"),
    };
    documents.iter().map(event).collect::<String>() + if done { "data: [DONE]\n\n" } else { "" }
}

fn chat_stream() -> String {
    let chunk = |delta: Value, end: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
    };
    let mut documents = vec![chunk(json!({"role": "assistant", "content": ""}), json!(null))];
    documents
        .extend(pieces(TEXT).iter().map(|piece| chunk(json!({"content": piece}), json!(null))));
    documents.extend(pieces(&arguments()).iter().enumerate().map(|(at, piece)| {
        let mut call = json!({"index": 0, "function": {"arguments": piece}});
        if at == 0 {
            call["id"] = json!("call_1");
            call["type"] = json!("function");
            call["function"]["name"] = json!("note");
        }
        chunk(json!({"tool_calls": [call]}), json!(null))
    }));
    documents.push(chunk(json!({}), json!("tool_calls")));
    events(&documents, true)
}

fn response() -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "completed", "model": "m",
    "instructions": TEXT, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
    "output": [
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "note", "status": "completed", "arguments": arguments()},
    ]})
}

fn responses_stream() -> String {
    let mut created = response();
    created["output"] = json!([]);
    let mut documents = vec![
        json!({"type": "response.created", "response": created}),
        json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0,
            "part": {"type": "output_text", "text": "", "annotations": []}}),
    ];
    documents.extend(pieces(TEXT).iter().map(|piece| {
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": piece, "logprobs": []})
    }));
    documents.push(json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "content_index": 0, "text": TEXT, "logprobs": []}));
    documents.push(json!({"type": "response.completed", "response": response()}));
    for (number, document) in documents.iter_mut().enumerate() {
        document["sequence_number"] = json!(number);
    }
    events(&documents, false)
}

fn message(content: Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
}

fn anthropic_stream() -> String {
    let signature =
        STANDARD.encode((0..90_u32).map(|n| (n * n * 31 % 251) as u8).collect::<Vec<_>>());
    let mut documents = vec![json!({"type": "message_start", "message": message(json!([]))})];
    let blocks = [
        (
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            "thinking_delta",
            "thinking",
            TEXT.to_owned(),
        ),
        (json!({"type": "text", "text": ""}), "text_delta", "text", TEXT.to_owned()),
        (
            json!({"type": "tool_use", "id": "t_1", "name": "note", "input": {}}),
            "input_json_delta",
            "partial_json",
            arguments(),
        ),
    ];
    for (index, (block, kind, field, text)) in blocks.into_iter().enumerate() {
        documents
            .push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        documents.extend(pieces(&text).iter().map(|piece| {
            json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}})
        }));
        if index == 0 {
            documents.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": signature}}));
        }
        documents.push(json!({"type": "content_block_stop", "index": index}));
    }
    documents.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 9}}));
    documents.push(json!({"type": "message_stop"}));
    events(&documents, false)
}

/// The bodies by the first part of the path that they are asked under: status, content type, body.
fn bodies() -> BTreeMap<&'static str, (u16, &'static str, String)> {
    const JSON: &str = "application/json";
    const SSE: &str = "text/event-stream";
    let chat = json!({"id": "c", "object": "chat.completion", "created": 1_790_000_000, "model": "m", "choices": [{
        "index": 0, "finish_reason": "stop", "logprobs": logprobs(), "message": {"role": "assistant", "content": TEXT,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "note", "arguments": arguments()}}]}}]});
    let floats: Vec<u8> = (0..256).flat_map(|n| (n as f32 / 256.0).to_le_bytes()).collect();
    let embeddings = json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
        "data": [{"object": "embedding", "index": 0, "embedding": STANDARD.encode(floats)}]});
    let error = json!({"error": {"message": format!("Incorrect input: {TEXT}"), "type": "invalid_request_error", "code": null, "param": null}});
    let anthropic = message(json!([
        {"type": "text", "text": TEXT, "citations": null},
        {"type": "tool_use", "id": "t_1", "name": "note", "input": {"note": TEXT}},
    ]));
    BTreeMap::from([
        ("chat", (200, JSON, chat.to_string())),
        ("chat-stream", (200, SSE, chat_stream())),
        ("responses", (200, JSON, response().to_string())),
        ("responses-stream", (200, SSE, responses_stream())),
        ("embeddings", (200, JSON, embeddings.to_string())),
        ("error", (400, JSON, error.to_string())),
        ("transcription", (200, JSON, json!({"text": TEXT}).to_string())),
        ("anthropic", (200, JSON, anthropic.to_string())),
        ("anthropic-stream", (200, SSE, anthropic_stream())),
    ])
}

fn redact(body: &str, content_type: &str) -> String {
    let command = oubliette(["redact", "--content-type", content_type]);
    oubliette_with_input(command, body.as_bytes()).ok().stdout
}

/// Answers requests with what there is under the first part of their path, for as long as the test runs.
fn serve(bodies: BTreeMap<&'static str, (u16, &'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bodies = Arc::new(bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bodies = Arc::clone(&bodies);
            std::thread::spawn(move || answer(stream, &bodies));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, bodies: &BTreeMap<&'static str, (u16, &'static str, String)>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    let name = request.split('/').nth(1).unwrap_or_default();
    let (status, content_type, body) = &bodies[name];
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever has read enough may be gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// Runs a script against redacted bodies and checks what the SDKs in it made of them.
fn check(program: &str, script: &str, variable: &str, path_variable: &str) {
    let Some(packages) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
        return skip(&format!("no SDKs: {variable} is not set"));
    };
    let mut redacted = bodies();
    for (_, content_type, body) in redacted.values_mut() {
        *body = redact(body, content_type);
        assert!(!body.contains("marta"));
    }
    let expected = redact(TEXT, "text/plain");
    assert!(
        expected.contains("<EMAIL_ADDRESS_1>") && expected.contains("<PHONE_NUMBER_1>"),
        "{expected}"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(script);
    let run = Command::new(program)
        .arg(script)
        .arg(serve(redacted))
        .env(path_variable, packages)
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{program}: {errors}");
    let told: BTreeMap<String, Value> = serde_json::from_slice(&run.stdout).unwrap();
    assert!(told.len() >= 14, "{told:#?}");
    for (name, value) in told {
        match name.rsplit('.').next().unwrap() {
            "count" => assert!(value.as_u64().unwrap() > 0, "{name}"),
            "arguments" => {
                let arguments: Value =
                    serde_json::from_str(value.as_str().unwrap()).expect("arguments are JSON");
                assert_eq!(arguments, json!({"note": expected}), "{name}");
            }
            _ if name == "error.text" => assert_eq!(value, format!("Incorrect input: {expected}")),
            _ => assert_eq!(value, expected, "{name}"),
        }
    }
}

#[test]
fn python_sdks_read_redacted_bodies() {
    check("python3", "read.py", "OUBLIETTE_PYTHON_SDKS", "PYTHONPATH");
}

#[test]
fn node_sdks_read_redacted_bodies() {
    check("node", "read.cjs", "OUBLIETTE_NODE_SDKS", "NODE_PATH");
}
