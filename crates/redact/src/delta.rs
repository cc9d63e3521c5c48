//! Which strings of a stream's documents are deltas, and which of them belong together.
//!
//! Two deltas belong together if they stand under the same names and the objects around them carry
//! the same identity: the `index` of a choice, the `output_index` of an item, and so on. Positions
//! in arrays are no identity: a stream with `n` = 2 sends every choice as the first of its array.

use crate::json::Path;

/// Fields whose values tell one stream of deltas from another.
const IDENTITY: [&[u8]; 9] = [
    b"index",
    b"output_index",
    b"content_index",
    b"summary_index",
    b"contentBlockIndex",
    b"item_id",
    b"response_id",
    b"thought",
    b"generation_id",
];

/// Strings beside a delta's text that are names, not text.
const LABELS: [&[u8]; 12] = [
    b"role",
    b"id",
    b"name",
    b"type",
    b"object",
    b"model",
    b"finish_reason",
    b"stop_reason",
    b"signature",
    b"status",
    b"toolUseId",
    b"format",
];

/// Fields that carry text in the streams of APIs not known by name.
const TEXT: [&[u8]; 13] = [
    b"text",
    b"content",
    b"delta",
    b"token",
    b"completion",
    b"response",
    b"generated_text",
    b"output",
    b"arguments",
    b"partial_json",
    b"thinking",
    b"reasoning",
    b"message",
];

/// How sure it is that a string is one stretch of a longer text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// An API known by name says so: only the joined text is scanned.
    Known,
    /// It looks like one: scanned both joined and by itself.
    Guessed,
}

/// Whether the string at this path of one of several documents is a delta. In `events`, that is in
/// server-sent events, unknown APIs are guessed at.
pub(crate) fn likeness(path: &Path<'_>, events: bool) -> Option<Likeness> {
    let mut names: Vec<&[u8]> = path.names().collect();
    names.reverse();
    let last = *names.last()?;
    if LABELS.contains(&last) {
        return None;
    }
    match names[..] {
        // OpenAI chat completions: content, refusal, reasoning; tool calls; spoken text.
        [b"choices", b"delta", _]
        | [b"choices", b"delta", b"tool_calls" | b"function_call", ..]
        | [b"choices", b"delta", b"audio", b"transcript"]
        // OpenAI completions.
        | [b"choices", b"text"]
        // OpenAI responses and realtime.
        | [b"delta"]
        // Anthropic, and Bedrock's ConverseStream with and without its event names.
        | [b"delta", _]
        | [b"delta", b"toolUse" | b"reasoningContent", _]
        | [b"contentBlockDelta", b"delta", _]
        | [b"contentBlockDelta", b"delta", b"toolUse" | b"reasoningContent", _]
        // Gemini.
        | [b"candidates", b"content", b"parts", b"text"] => Some(Likeness::Known),
        // Ollama's NDJSON, which a log of whole messages may look like.
        [b"message", b"content"] | [b"response"] => Some(Likeness::Guessed),
        _ => (events && TEXT.contains(&last)).then_some(Likeness::Guessed),
    }
}

/// Whether the string at this path is one token of a text that log probabilities repeat.
pub(crate) fn is_logprob_token(path: &Path<'_>) -> bool {
    let mut names = path.names();
    names.next() == Some(b"token")
        && !names.any(|name| name == b"top_logprobs")
        && path.names().any(|name| name == b"logprobs")
}

/// Whether the value under this name says which stream of deltas its object is part of. The type of
/// an event does; further in, a `type` may stand in the first delta only.
pub(crate) fn is_identity(name: &[u8], outermost: bool) -> bool {
    IDENTITY.contains(&name) || (outermost && name == b"type")
}
