//! Which strings of a stream's documents are deltas, and which of them belong together.
//!
//! Two deltas belong together if they stand under the same names and the objects around them carry
//! the same identity: the `index` of a choice, the `output_index` of an item, and so on. Positions
//! in arrays are no identity: a stream with `n` = 2 sends every choice as the first of its array.

use std::borrow::Cow;

use crate::json::{self, Path};

/// Fields whose values tell one stream of deltas from another.
const IDENTITY: [&[u8]; 20] = [
    b"index",
    b"output_index",
    b"outputIndex",
    b"content_index",
    b"contentIndex",
    b"summary_index",
    b"summaryIndex",
    b"command_index",
    b"contentBlockIndex",
    b"item_id",
    b"itemId",
    b"message_id",
    b"messageId",
    b"tool_call_id",
    b"toolCallId",
    b"artifactId",
    b"response_id",
    b"thought",
    b"generation_id",
    b"jsonPath",
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

/// How the names end of strings that say what an event is or belongs to, in the streams of APIs not known by
/// name. Whatever else goes on from event to event may be text.
const LABELLING: [&str; 17] = [
    "_id",
    "Id",
    "ID",
    "_at",
    "At",
    "type",
    "Type",
    "name",
    "Name",
    "reason",
    "Reason",
    "ersion",
    "tier",
    "ingerprint",
    "model",
    "status",
    "time",
];

/// Names of what holds texts that are whole in each event.
const WHOLE: [&[u8]; 11] = [
    b"annotations",
    b"citations",
    b"citation",
    b"documents",
    b"references",
    b"retrievedReferences",
    b"retriever_resources",
    b"search_results",
    b"sources",
    b"trace",
    b"error",
];

/// Names of strings that do the same.
const LABELLED: [&[u8]; 7] =
    [b"event", b"jsonrpc", b"kind", b"p", b"obfuscation", b"provider", b"timestamp"];

/// Fields that carry text in documents of which each is an event or a record, which nothing tells apart.
const TEXT: [&[u8]; 8] = [
    b"text",
    b"content",
    b"token",
    b"completion",
    b"response",
    b"thinking",
    b"generated_text",
    b"answer",
];

/// Of these, those that records of data have as well: they count in documents that say that they are events.
const RECORDED: [&[u8]; 6] =
    [b"text", b"content", b"token", b"completion", b"generated_text", b"answer"];

/// Fields of a document that is one event of several: what kind it is, or whether it is the last.
const EVENT: [&[u8]; 7] = [
    b"done",
    b"done_reason",
    b"event",
    b"event_type",
    b"is_finished",
    b"finish_reason",
    b"stop_reason",
];

/// A longer text in such a document is a record's.
const LONGEST_DELTA: usize = 256;

/// How sure it is that a string is one stretch of a longer text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// An API known by name says so: only the joined text is scanned.
    Known,
    /// It looks like one: scanned both joined and by itself.
    Guessed,
}

/// Whether the string of this length at this path of one of several documents is a delta. In `events`, that is in
/// server-sent events, unknown APIs are guessed at.
pub(crate) fn likeness(path: &Path<'_>, events: bool, length: usize) -> Option<Likeness> {
    let last = path.name()?;
    if LABELS.contains(&last) {
        return None;
    }
    let is_label = || {
        LABELLED.contains(&last)
            || is_identity(last, true)
            || LABELLING.iter().any(|end| last.ends_with(end.as_bytes()))
            || path.names().any(|name| WHOLE.contains(&name))
    };
    let is_event = || {
        // Ollama's, Cohere's and the like, one a line.
        let mut names = path.outer_names().filter(|name| *name != b"message");
        length <= LONGEST_DELTA && TEXT.contains(&last) && names.nth(1).is_none()
    };
    let guessed = || (if events { !is_label() } else { is_event() }).then_some(Likeness::Guessed);
    known(path.outer_names()).or_else(guessed)
}

/// Whether a document with this field is one event of several.
pub(crate) fn is_event(name: &[u8]) -> bool {
    EVENT.contains(&name)
}

/// Whether a string that was guessed to be a delta is one only in a document that is an event. `names` are those above
/// it, innermost first, each with a NUL behind it.
pub(crate) fn is_recorded(names: &[u8]) -> bool {
    let last = names.split(|b| *b == 0).next().unwrap_or_default();
    RECORDED.contains(&last) && names != b"content\0message\0"
}

/// Whether the string at this path is a delta of a stream that lies in a document as an array of its events, as
/// logs keep them; and the object that the array is in, for these alone belong together.
pub(crate) fn logged(path: &Path<'_>) -> Option<u32> {
    if LABELS.contains(&path.name()?) {
        return None;
    }
    path.within_arrays().find_map(|(around, names)| {
        let mut names = names.peekable();
        let begins = matches!(
            names.peek(),
            Some(
                &(b"delta" | b"contentBlockDelta" | b"content_block" | b"choices" | b"candidates")
            )
        );
        // What completions answered is as likely to be whole.
        let is_completion = path.names().nth(1) == Some(b"choices");
        let fits = begins && !is_completion && known(names) == Some(Likeness::Known);
        fits.then_some(around.unwrap_or(u32::MAX))
    })
}

/// As [`logged`], for a token of the answer, which such events may have beside their deltas.
pub(crate) fn logged_token(path: &Path<'_>) -> Option<u32> {
    let (around, names) = path.within_arrays().next()?;
    let mut names = names.peekable();
    let begins = matches!(names.peek(), Some(&(b"logprobs" | b"choices" | b"candidates")));
    // An answer has a list of these itself.
    let above = path.outer_names().count().checked_sub(names.count() + 1);
    let list = above.and_then(|at| path.outer_names().nth(at));
    let fits = begins && !matches!(list, Some(b"choices" | b"candidates"));
    fits.then_some(around.unwrap_or(u32::MAX))
}

/// What an API known by name has under these names.
fn known<'n>(names: impl Iterator<Item = &'n [u8]>) -> Option<Likeness> {
    // No delta stands deeper.
    let mut path: [&[u8]; 6] = [b""; 6];
    let mut length = 0;
    for name in names {
        *path.get_mut(length)? = name;
        length += 1;
    }
    match path[..length] {
        // OpenAI chat completions: content, refusal, reasoning; tool calls; spoken text.
        [b"choices", b"delta", _]
        | [b"choices", b"delta", b"tool_calls" | b"function_call", ..]
        | [b"choices", b"delta", b"audio", b"transcript"]
        // Mistral, and OpenRouter's reasoning.
        | [b"choices", b"delta", b"content", b"text"]
        | [b"choices", b"delta", b"content", b"thinking", b"text"]
        | [b"choices", b"delta", b"reasoning_details", b"text" | b"summary"]
        // OpenAI completions.
        | [b"choices", b"text"]
        // OpenAI responses and realtime.
        | [b"delta"]
        // Anthropic, and Bedrock's ConverseStream with and without its event names.
        | [b"delta", _]
        | [b"content_block", b"text" | b"thinking"]
        | [b"delta", b"toolUse" | b"reasoningContent", _]
        | [b"contentBlockDelta", b"delta", _]
        | [b"contentBlockDelta", b"delta", b"toolUse" | b"reasoningContent", _]
        // OpenAI assistants.
        | [b"delta", b"content", b"text", b"value"]
        | [b"delta", b"step_details", b"tool_calls", b"function" | b"code_interpreter", _]
        // Cohere.
        | [b"delta", b"message", b"tool_plan"]
        | [b"delta", b"message", b"content", b"text" | b"thinking"]
        | [b"delta", b"message", b"tool_calls", b"function", b"arguments"]
        // Text Generation Inference.
        | [b"token", b"text"]
        // Gemini: answers, arguments of functions in pieces, and the live API.
        | [b"candidates", b"content", b"parts", b"functionCall", b"partialArgs", b"stringValue"]
        | [b"candidates", b"content", b"parts", b"executableCode", b"code"]
        | [b"candidates", b"content", b"parts", b"codeExecutionResult", b"output"]
        | [b"delta", b"content", b"text"]
        | [b"serverContent", b"modelTurn", b"parts", b"text"]
        | [b"serverContent", b"inputTranscription" | b"outputTranscription", b"text"]
        | [b"candidates", b"content", b"parts", b"text"] => Some(Likeness::Known),
        _ => None,
    }
}

/// Whether the string at this path is one piece of a text that stands elsewhere whole: a token with its log
/// probability, or a word with its time. `Some(true)` if the pieces leave out the spaces between them.
pub(crate) fn token(path: &Path<'_>) -> Option<bool> {
    let mut names = path.names();
    match names.next()? {
        b"token" => {
            let others = |name: &[u8]| name == b"top_logprobs" || name == b"topCandidates";
            let listed = |name: &[u8]| {
                matches!(
                    name,
                    b"logprobs"
                        | b"chosenCandidates"
                        | b"logprobsResult"
                        | b"completion_probabilities"
                        | b"events"
                )
            };
            (!names.any(others) && path.names().any(listed)).then_some(false)
        }
        // OpenAI completions.
        b"tokens" => (names.next() == Some(b"logprobs")).then_some(false),
        // Transcriptions.
        b"word" | b"punctuated_word" => (names.next() == Some(b"words")).then_some(true),
        b"text" => match names.next()? {
            b"segments" | b"words" => Some(true),
            // Text Generation Inference.
            b"tokens" | b"prefill" => (names.next() == Some(b"details")).then_some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the value under this name says which stream of deltas its object is part of. The type of
/// an event does; further in, a `type` may stand in the first delta only.
pub(crate) fn is_identity(name: &[u8], outermost: bool) -> bool {
    IDENTITY.contains(&name) || (outermost && name == b"type")
}

/// What an identity says, if that is more than leaving it out would: writers of protobuf leave out what is zero
/// or false, and some do so now and then. However a string is escaped, it says the same.
pub(crate) fn identity(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let value = json::decode(value).text;
    match &*value {
        b"0" | b"false" => None,
        // Its block goes on in the deltas.
        b"content_block_start" => Some(Cow::Borrowed(b"content_block_delta")),
        _ => Some(value),
    }
}

/// Under which name the text goes on that stands under this one.
pub(crate) fn continued(name: &[u8]) -> &[u8] {
    if name == b"content_block" { b"delta" } else { name }
}
