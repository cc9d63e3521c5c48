//! What the names of fields say of their values.

use std::sync::LazyLock;

use crate::json::{self, Path};

/// Fields of ciphertext and signatures, which only their vendor can read: kept or dropped whole.
const OPAQUE: [&[u8]; 12] = [
    b"signature",
    b"thoughtSignature",
    b"thought_signature",
    b"encrypted_content",
    b"encryptedContent",
    b"encrypted_index",
    b"encrypted_stdout",
    b"redactedContent",
    b"redacted_content",
    b"reasoning_opaque",
    b"obfuscation",
    b"encrypted_reasoning",
];

/// Whether the string at this path is ciphertext or a signature. `kind` is the `type` of its object.
pub(crate) fn is_opaque(path: &Path<'_>, kind: Option<&[u8]>) -> bool {
    path.name().is_some_and(|name| {
        is_opaque_name(name) || (name == b"data" && kind == Some(b"redacted_thinking"))
    })
}

/// Whether a field of this name holds ciphertext or a signature.
pub(crate) fn is_opaque_name(name: &[u8]) -> bool {
    OPAQUE.contains(&name)
}

/// Whether text in such a field can be what its name says: base64 and nothing else, and longer than a
/// word. Anything else is text that somebody put there.
pub(crate) fn looks_opaque(text: &[u8]) -> bool {
    text.len() >= 12
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/-_=.".contains(b))
        && text.iter().any(u8::is_ascii_uppercase)
        && text.iter().any(u8::is_ascii_lowercase)
}

/// Whether the string at this path is a number all the same: JSON of protobuf has those of 64 bits as strings, and
/// whoever reads it takes nothing else.
pub(crate) fn is_number(path: &Path<'_>, text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    path.name().is_some_and(|name| name == b"intValue" || name == b"int64Value")
        && !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
}

/// Whether the string at this path names a trace or a span, as OTLP writes it: hexadecimal of a fixed length. One in a
/// hundred thousand happens to be the number of a card, and who reads it takes nothing else.
pub(crate) fn is_trace_id(path: &Path<'_>, text: &[u8]) -> bool {
    let length = match path.name() {
        Some(b"traceId") => 32,
        Some(b"spanId" | b"parentSpanId") => 16,
        _ => return false,
    };
    text.len() == length && text.iter().all(u8::is_ascii_hexdigit)
}

/// Names under which numbers are the tokens of a text, wherever they stand.
const TOKENS: [&[u8]; 9] = [
    b"tokens",
    b"token_ids",
    b"tokenIds",
    b"input_ids",
    b"inputIds",
    b"output_ids",
    b"prompt_token_ids",
    b"output_token_ids",
    b"completion_token_ids",
];

/// Names under which numbers are tokens only where a request or response has its text.
const TEXT_OR_TOKENS: [&[u8]; 4] = [b"input", b"prompt", b"suffix", b"context"];

/// Names of what holds a request or a response as a whole.
const ENVELOPES: [&[u8]; 8] = [
    b"body",
    b"request",
    b"response",
    b"params",
    b"result",
    b"session",
    b"modelInput",
    b"modelOutput",
];

/// Names under which numbers are an embedding, themselves or one further in: Gemini has `values` there,
/// Cohere the types of the numbers.
const EMBEDDINGS: [&[u8]; 5] =
    [b"embedding", b"embeddings", b"embeddingsByType", b"vector", b"vectors"];

/// A vector has at least so many components; the smallest that models offer have 64.
const SHORTEST_EMBEDDING: usize = 32;

/// Fractions in such numbers are an embedding under whatever name.
const SURELY_EMBEDDING: usize = 128;

/// Numbers that are a text in disguise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disguise {
    Tokens,
    Embedding,
}

impl Disguise {
    /// What stands in place of the numbers. In base64 it must be base64 of whole floats itself: SDKs decode it.
    pub(crate) fn marker(self, count: usize, base64: bool) -> Vec<u8> {
        let what = match self {
            Self::Tokens => "TOKENS",
            Self::Embedding => "EMBEDDING",
        };
        if !base64 {
            return format!("[\"<{what} {count} numbers>\"]").into_bytes();
        }
        let mut marker = format!("REMOVED/{what}/{count}/NUMBERS/");
        // Sixteen characters are three floats.
        while marker.len() % 16 != 0 {
            marker.push('/');
        }
        marker.into_bytes()
    }
}

/// Names under which the tokens of a prompt or an answer stand by their numbers, with what each was taken for and
/// what could have stood there: as keys in vLLM, as parts of lists in SGLang.
const NUMBERED: [&[u8]; 7] = [
    b"prompt_logprobs",
    b"input_token_logprobs",
    b"output_token_logprobs",
    b"input_top_logprobs",
    b"output_top_logprobs",
    b"input_token_ids_logprobs",
    b"output_token_ids_logprobs",
];

/// What the names of numbers have in them that say how likely something is, or when it was: such numbers are no
/// embedding.
const MEASURES: [&str; 5] = ["prob", "score", "confidence", "time", "offset"];

/// What an array at this path is, if it is text in disguise, and of how many numbers.
pub(crate) fn disguise(path: &Path<'_>, array: &[u8]) -> Option<(Disguise, usize)> {
    let inside = array.get(1..array.len().checked_sub(1)?)?;
    if NUMBERED.contains(&path.name()?) {
        let by_key = memchr::memmem::find_iter(inside, b"\"logprob\"").count();
        let listed = memchr::memchr_iter(b'[', inside).count();
        let count = by_key.max(listed);
        return (count > 0).then_some((Disguise::Tokens, count));
    }
    if !inside.iter().any(u8::is_ascii_digit) || memchr::memchr3(b'"', b'[', b'{', inside).is_some()
    {
        return None;
    }
    let name = path.name()?;
    let count = memchr::memchr_iter(b',', inside).count() + 1;
    let integers = memchr::memchr3(b'.', b'-', b'e', inside).is_none();
    if integers && (TOKENS.contains(&name) || (TEXT_OR_TOKENS.contains(&name) && is_outer(path))) {
        return Some((Disguise::Tokens, count));
    }
    let fractions = memchr::memchr_iter(b'.', inside).count();
    let named =
        path.names().take(2).any(|n| EMBEDDINGS.contains(&n)) && count >= SHORTEST_EMBEDDING;
    let measures =
        || std::str::from_utf8(name).is_ok_and(|name| MEASURES.iter().any(|m| name.contains(m)));
    let shaped = count >= SURELY_EMBEDDING && fractions * 10 >= count * 9 && !measures();
    (named || shaped).then_some((Disguise::Embedding, count))
}

/// Whether the raw string at this path is an embedding: floats in base64.
pub(crate) fn embedding_in_base64(path: &Path<'_>, raw: &[u8], escaped: bool) -> Option<usize> {
    if !path.name().is_some_and(|name| EMBEDDINGS[..3].contains(&name)) {
        return None;
    }
    // Some writers escape slashes.
    let text = if escaped { json::decode(raw).text } else { raw.into() };
    let base64 = text.len() >= SHORTEST_EMBEDDING * 4
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b));
    (base64 && !text.starts_with(b"REMOVED/")).then_some(text.len() / 4 * 3 / 4)
}

/// Whether a value belongs to the request or response itself, not to something inside.
fn is_outer(path: &Path<'_>) -> bool {
    let mut names = path.outer_names();
    let first = names.next();
    let second = names.next();
    match (first, second) {
        (Some(_), None) => true,
        (Some(outer), Some(_)) => ENVELOPES.contains(&outer) && names.next().is_none(),
        (None, _) => false,
    }
}

/// Where requests describe their tools and the form of their answers.
const SCHEMAS: [&[u8]; 5] =
    [b"tools", b"functions", b"toolConfig", b"tool_config", b"response_format"];

/// What descriptions of tools have in them. Tools without are data of somebody's.
const DESCRIBING: [&[u8]; 13] = [
    b"parameters",
    b"parametersJsonSchema",
    b"input_schema",
    b"inputSchema",
    b"output_schema",
    b"outputSchema",
    b"json_schema",
    b"schema",
    b"function",
    b"functionDeclarations",
    b"function_declarations",
    b"toolSpec",
    b"description",
];

/// Whether the string at this path is part of a schema: written by a developer, the same for every user.
pub(crate) fn is_schema(path: &Path<'_>) -> bool {
    let mut names = path.outer_names();
    let Some(mut outer) = names.next() else { return false };
    if ENVELOPES.contains(&outer) {
        let Some(inner) = names.next() else { return false };
        outer = inner;
    }
    // The form of an answer, where OpenAI's responses have it.
    if outer == b"text" {
        return names.next() == Some(b"format") && names.any(|name| DESCRIBING.contains(&name));
    }
    SCHEMAS.contains(&outer) && names.any(|name| DESCRIBING.contains(&name))
}

/// Names that stand in nearly every body, in order. They are no data, so that rules find nothing in them may be
/// remembered from one exchange to the next.
const COMMON: [&str; 99] = [
    "annotations",
    "arguments",
    "attributes",
    "bytes",
    "candidates",
    "choices",
    "code",
    "completion_tokens",
    "content",
    "contentBlockDelta",
    "contentBlockIndex",
    "content_block",
    "content_index",
    "contents",
    "created",
    "data",
    "delta",
    "description",
    "detail",
    "error",
    "events",
    "file",
    "filename",
    "finish_reason",
    "format",
    "function",
    "generationConfig",
    "id",
    "image_url",
    "index",
    "inlineData",
    "input",
    "input_schema",
    "input_tokens",
    "instructions",
    "item",
    "item_id",
    "jsonrpc",
    "key",
    "logprob",
    "logprobs",
    "max_tokens",
    "media_type",
    "message",
    "messages",
    "metadata",
    "method",
    "mimeType",
    "model",
    "name",
    "obfuscation",
    "object",
    "output",
    "output_index",
    "output_tokens",
    "p",
    "param",
    "parameters",
    "params",
    "part",
    "partial_json",
    "parts",
    "prompt_tokens",
    "properties",
    "reasoning",
    "refusal",
    "required",
    "response",
    "result",
    "role",
    "sequence_number",
    "service_tier",
    "signature",
    "source",
    "status",
    "stop_reason",
    "stop_sequence",
    "stream",
    "stringValue",
    "summary",
    "system",
    "system_fingerprint",
    "temperature",
    "text",
    "thinking",
    "token",
    "toolUse",
    "tool_call_id",
    "tool_calls",
    "tool_use_id",
    "tools",
    "top_logprobs",
    "top_p",
    "total_tokens",
    "type",
    "url",
    "usage",
    "user",
    "value",
];

/// What stands in nearly every body in fields of these names, by field.
const VALUES: [(&str, &str); 12] = [
    ("role", "user"),
    ("role", "assistant"),
    ("role", "system"),
    ("role", "tool"),
    ("type", "text"),
    ("type", "message"),
    ("type", "function"),
    ("type", "input_text"),
    ("type", "output_text"),
    ("object", "chat.completion"),
    ("object", "chat.completion.chunk"),
    ("finish_reason", "stop"),
];

/// Where each of the common names is, by its first and last letter and its length: nearly every key of nearly every
/// event is asked for, and few need to be compared with more than one.
static SLOTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut slots = vec![Vec::new(); SLOT_COUNT];
    for (at, name) in (0..).zip(COMMON) {
        let name = name.as_bytes();
        slots[slot(name[0], name[name.len() - 1], name.len())].push(at);
    }
    slots
});

const SLOT_COUNT: usize = 1024;

fn slot(first: u8, last: u8, length: usize) -> usize {
    (usize::from(first) * 37 + usize::from(last) * 5 + length * 131) % SLOT_COUNT
}

/// Which of the common names have been seen to hold nothing.
#[derive(Debug, Default)]
pub(crate) struct CleanNames(Vec<bool>);

impl CleanNames {
    /// The number of a common name.
    pub(crate) fn number(text: &[u8]) -> Option<usize> {
        let (first, last) = (text.first()?, text.last()?);
        let slot = &SLOTS[slot(*first, *last, text.len())];
        slot.iter().map(|&at| usize::from(at)).find(|&at| COMMON[at].as_bytes() == text)
    }

    /// The number of a common name, or of a text that is common in a field of this name.
    pub(crate) fn number_in(field: Option<&str>, text: &[u8]) -> Option<usize> {
        let Some(field) = field else { return Self::number(text) };
        let values = VALUES.iter().position(|(name, _)| *name == field)?;
        let value = VALUES[values..]
            .iter()
            .take_while(|(name, _)| *name == field)
            .position(|(_, value)| value.as_bytes() == text)?;
        Some(COMMON.len() + values + value)
    }

    /// Whether a text is a common name that is known to hold nothing.
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        !self.0.is_empty() && Self::number(text).is_some_and(|number| self.knows(number))
    }

    pub(crate) fn knows(&self, number: usize) -> bool {
        self.0.get(number) == Some(&true)
    }

    pub(crate) fn learn(&mut self, number: usize) {
        self.0.resize(COMMON.len() + VALUES.len(), false);
        self.0[number] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_in_order_and_remembered() {
        assert!(COMMON.is_sorted());
        let found = |name: &&str| CleanNames::number(name.as_bytes()).is_some();
        assert!(COMMON.iter().all(found) && SLOTS.iter().all(|slot| slot.len() <= 4));
        let mut names = CleanNames::default();
        let number = CleanNames::number(b"model").unwrap();
        assert!(!names.knows(number));
        names.learn(number);
        assert!(names.knows(number) && !names.knows(number + 1));
        assert_eq!(CleanNames::number(b"marta"), None);
        for (at, (field, value)) in VALUES.iter().enumerate() {
            let number = CleanNames::number_in(Some(field), value.as_bytes());
            assert_eq!(number, Some(COMMON.len() + at));
        }
        assert_eq!(CleanNames::number_in(Some("role"), b"text"), None);
        assert_eq!(CleanNames::number_in(None, b"model"), Some(number));
    }
}
