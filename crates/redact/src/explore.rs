//! From bytes to texts: finds the documents of a body, their strings and numbers, the JSON inside
//! strings, the deltas that belong together, and the attachments.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::attachment::{self, Attachment};
use crate::delta::{self, Likeness};
use crate::event_stream::{self, Frame};
use crate::json::{self, Lexed, Path, Visit};
use crate::reading::{Copies, Kind, NodeId, Part, Reading, Stretch};
use crate::report::Format;
use crate::sse;

/// JSON inside strings is followed this deep: a tool call inside a logged body inside a log line
/// takes four.
const MAX_STRINGS: usize = 8;

/// An event carries one delta, or one for each of a few choices.
const MOST_UNSURE: usize = 16;

/// A body as it was read.
pub(crate) struct Explored<'b> {
    pub(crate) reading: Reading<'b>,
    pub(crate) format: Format,
    pub(crate) fell_back: bool,
    /// The stream broke off inside a binary frame: what is there of it can neither be read nor kept.
    pub(crate) loses_tail: bool,
    /// Attachments that are not text, by the node they stand in.
    pub(crate) attachments: Vec<(NodeId, Attachment)>,
}

/// Reads a body as `hint` says, or as it looks if it is not that.
pub(crate) fn explore(body: &[u8], hint: Option<Format>) -> Explored<'_> {
    let mut explorer = Explorer {
        out: Explored {
            reading: Reading::new(body),
            format: Format::Text,
            fell_back: false,
            loses_tail: false,
            attachments: Vec::new(),
        },
    };
    let guess = guess(body);
    let hint = hint.unwrap_or(guess);
    // A body that is not what it says it is, text included, is read as what it looks like.
    let tries: &[Format] = if hint == guess { &[hint] } else { &[hint, guess] };
    for &format in tries {
        if explorer.body(format) {
            explorer.out.format = format;
            explorer.out.fell_back |= format != hint;
            return explorer.out;
        }
    }
    explorer.out.fell_back = hint != Format::Text;
    explorer.text(Reading::BODY, 0..body.len(), None, 0);
    explorer.out
}

/// What a body looks like.
fn guess(body: &[u8]) -> Format {
    if event_stream::looks_like(body) {
        return Format::EventStream;
    }
    if sse::looks_like(body) {
        return Format::Sse;
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if !opens_document(text) {
        return Format::Text;
    }
    let first_line = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    let more = text.len() > first_line.trim_ascii_end().len()
        && !text[first_line.len()..].trim_ascii().is_empty();
    if more && json::lex(first_line, &mut Ignore) == Lexed::Whole {
        Format::Ndjson
    } else {
        Format::Json
    }
}

struct Explorer<'b> {
    out: Explored<'b>,
}

/// What one document of a body, or one string in it, holds.
#[derive(Default)]
struct Leaves {
    leaves: Vec<Leaf>,
    /// What tells objects of a stream apart, by object.
    identities: Identities,
    /// `(object, range)` of arrays named `bytes` and `top_logprobs` beside a token.
    bytes: HashMap<u32, Range<usize>>,
    alternatives: HashMap<u32, Range<usize>>,
    /// Whether deltas are looked for, and whether unknown ones are guessed at.
    deltas: Option<bool>,
    truncated: bool,
    /// The node they are leaves of.
    node: NodeId,
}

type Identities = HashMap<u32, Vec<u8>>;

/// A string or number. A body may hold millions, so this is small.
struct Leaf {
    raw: Stretch,
    field: Option<Stretch>,
    role: Role,
}

enum Role {
    String { escaped: bool },
    Number,
    Delta { likeness: Likeness, escaped: bool, place: Box<Place> },
    Token { place: Box<Place>, object: Option<u32> },
}

/// Where a delta stands: under which names, in which objects.
struct Place {
    names: Vec<u8>,
    objects: Vec<u32>,
}

/// Deltas that belong together.
struct Stream {
    field: Option<Stretch>,
    parts: Vec<Part>,
}

impl Explorer<'_> {
    /// Reads the body as this format; `false` if it is not.
    fn body(&mut self, format: Format) -> bool {
        let body = self.out.reading.text(Reading::BODY);
        match format {
            Format::Json => {
                let whole = 0..body.len();
                // A body that is one array may be a stream of documents: Gemini sends such.
                let array = body.trim_ascii_start().first() == Some(&b'[');
                let (lexed, leaves) = lex(body, &whole, array.then_some(false));
                if matches!(lexed, Lexed::Broken(_)) || body.trim_ascii().is_empty() {
                    return false;
                }
                self.documents(vec![leaves], 0);
            }
            Format::Ndjson => {
                let mut documents = Vec::new();
                let mut rest = Vec::new();
                for line in lines(body) {
                    match lex(body, &line, Some(false)) {
                        (Lexed::Whole | Lexed::Truncated, leaves) => documents.push(leaves),
                        (Lexed::Broken(_), _) => rest.push(line),
                    }
                }
                if documents.is_empty() {
                    return false;
                }
                self.out.fell_back |= !rest.is_empty();
                self.documents(documents, 0);
                for line in rest {
                    self.text(Reading::BODY, line, None, 0);
                }
            }
            Format::Sse => {
                let parts = sse::parts(body);
                if !parts.iter().any(|part| matches!(part, sse::Part::Data(_))) {
                    return false;
                }
                self.events(parts);
            }
            Format::EventStream => {
                let (frames, end) = event_stream::frames(body);
                if frames.is_empty() {
                    return false;
                }
                self.out.loses_tail = end < body.len();
                self.binary_events(frames);
            }
            Format::Text | Format::Binary | Format::Unread => return false,
        }
        true
    }

    fn events(&mut self, parts: Vec<sse::Part>) {
        let mut documents = Vec::new();
        let mut plain = Vec::new();
        for part in parts {
            match part {
                sse::Part::Other(value) => {
                    self.text(Reading::BODY, value, None, 0);
                }
                sse::Part::Data(lines) => {
                    let body = self.out.reading.text(Reading::BODY);
                    if let [line] = &lines[..] {
                        match lex(body, line, Some(true)) {
                            // The last event of a stream that broke off is cut in the middle.
                            (Lexed::Whole | Lexed::Truncated, leaves)
                                if opens_document(&body[line.clone()]) =>
                            {
                                documents.push(leaves);
                            }
                            _ => plain.push(line.clone()),
                        }
                    } else {
                        // One document over several lines; rare enough to be read by itself.
                        self.join(&lines);
                    }
                }
            }
        }
        self.documents(documents, 0);
        // Streams of bare text: values may be split over events here too.
        if plain.len() > 1 {
            self.join(&plain);
        }
        for line in plain {
            self.text(Reading::BODY, line, None, 0);
        }
    }

    /// Frames of a binary event stream: JSON, or JSON in base64 in JSON, as InvokeModel wraps it.
    fn binary_events(&mut self, frames: Vec<Frame>) {
        let mut documents = Vec::new();
        for frame in frames {
            for value in frame.strings {
                self.text(Reading::BODY, value, None, 0);
            }
            let body = self.out.reading.text(Reading::BODY);
            let (lexed, mut leaves) = lex(body, &frame.payload, Some(true));
            if lexed != Lexed::Whole {
                self.out.fell_back |= !frame.payload.is_empty();
                self.text(Reading::BODY, frame.payload, None, 0);
                continue;
            }
            let chunk = leaves
                .leaves
                .iter()
                .position(|leaf| leaf.field.is_some_and(|field| &body[field.range()] == b"bytes"));
            let inner = chunk.and_then(|at| {
                let raw = leaves.leaves[at].raw.range();
                let decoded = attachment::decode(&body[raw.clone()])?;
                let (lexed, inside) = lex(&decoded, &(0..decoded.len()), Some(true));
                (lexed == Lexed::Whole).then_some((at, raw, decoded, inside))
            });
            if let Some((at, raw, decoded, inside)) = inner {
                leaves.leaves.remove(at);
                let node = self.out.reading.add_base64(Reading::BODY, raw, decoded);
                self.out.reading.set_container(node);
                documents.push(Leaves { node, ..inside });
            }
            documents.push(leaves);
        }
        self.documents(documents, 0);
    }

    /// Reads stretches of the body as one text.
    fn join(&mut self, stretches: &[Range<usize>]) {
        let part = |range: &Range<usize>| Part::new(Reading::BODY, range.clone());
        let parts = stretches.iter().map(part).collect();
        let node = self.out.reading.add_joined(parts, false, None);
        self.open(node, 0);
    }

    /// Adds the leaves of documents as nodes.
    fn documents(&mut self, documents: Vec<Leaves>, depth: usize) {
        let mut streams: BTreeMap<Vec<u8>, Stream> = BTreeMap::new();
        let mut unsure = Vec::new();
        for document in documents {
            let parent = document.node;
            for leaf in document.leaves {
                let raw = leaf.raw.range();
                let (place, copies) = match leaf.role {
                    Role::Number => {
                        self.out.reading.add_slice(parent, raw, leaf.field, Kind::Number);
                        continue;
                    }
                    Role::String { escaped } => {
                        self.string(parent, raw, escaped, leaf.field, depth);
                        continue;
                    }
                    Role::Delta { likeness, escaped, place } => {
                        if likeness == Likeness::Guessed {
                            self.string(parent, raw.clone(), escaped, leaf.field, depth);
                        }
                        (place, Copies::default())
                    }
                    Role::Token { place, object } => {
                        let range = |of: &HashMap<u32, Range<usize>>| of.get(&object?).cloned();
                        let bytes = range(&document.bytes);
                        (place, Copies { bytes, alternatives: range(&document.alternatives) })
                    }
                };
                let key = place.stream(&document.identities);
                if document.truncated {
                    unsure.push((place.names, key.clone(), Part::new(parent, raw.clone())));
                }
                let stream = streams
                    .entry(key)
                    .or_insert_with(|| Stream { field: leaf.field, parts: Vec::new() });
                stream.parts.push(Part { node: parent, range: raw, copies });
            }
        }
        // A document that broke off may have lost what says which stream its delta goes on with, so
        // the delta is read as the end of each it could be of. More than a few are no honest event.
        for (names, own, part) in unsure.into_iter().take(MOST_UNSURE) {
            for (key, stream) in &mut streams {
                if *key != own && key.starts_with(&names) {
                    stream.parts.push(Part::new(part.node, part.range.clone()));
                }
            }
        }
        for stream in streams.into_values() {
            let node = self.out.reading.add_joined(stream.parts, true, stream.field);
            self.open(node, depth);
        }
    }

    fn string(
        &mut self,
        parent: NodeId,
        raw: Range<usize>,
        escaped: bool,
        field: Option<Stretch>,
        depth: usize,
    ) {
        let node = self.out.reading.add_json_string(parent, raw, escaped, field);
        self.open(node, depth);
    }

    fn text(&mut self, parent: NodeId, range: Range<usize>, field: Option<Stretch>, depth: usize) {
        let node = self.out.reading.add_slice(parent, range, field, Kind::Text);
        self.open(node, depth);
    }

    /// Looks into a text: JSON inside it makes it a container, attachments are set aside.
    fn open(&mut self, node: NodeId, depth: usize) {
        if depth >= MAX_STRINGS {
            return;
        }
        let text = self.out.reading.text(node);
        if is_document(text) {
            let (lexed, leaves) = lex(text, &(0..text.len()), None);
            if lexed == Lexed::Whole {
                self.out.reading.set_container(node);
                self.documents(vec![Leaves { node, ..leaves }], depth + 1);
                return;
            }
        }
        let field = self.out.reading.field(node).map(str::as_bytes);
        let mut gaps = Vec::new();
        let mut from = 0;
        for attachment in attachment::find(self.out.reading.text(node), field) {
            if attachment.is_text() {
                let Attachment { payload, decoded, .. } = attachment;
                gaps.push(from..payload.start.max(from));
                from = payload.end.max(from);
                let inner = self.out.reading.add_base64(node, payload, decoded);
                self.open(inner, depth + 1);
            } else {
                self.out.attachments.push((node, attachment));
            }
        }
        if !gaps.is_empty() {
            // What is read decoded is not also read as it stands: the scanner sees into base64 itself, and would
            // replace the encoded text as a whole.
            gaps.push(from..self.out.reading.text(node).len());
            self.out.reading.set_container(node);
            for gap in gaps.into_iter().filter(|gap| !gap.is_empty()) {
                self.out.reading.add_slice(node, gap, None, Kind::Text);
            }
        }
    }
}

impl Visit for Leaves {
    fn key(&mut self, _: &Path<'_>, raw: Range<usize>, escaped: bool) {
        self.leaves.push(Leaf { raw: raw.into(), field: None, role: Role::String { escaped } });
    }

    fn string(&mut self, path: &Path<'_>, raw: Range<usize>, escaped: bool) {
        self.identify(path, &raw);
        if raw.is_empty() {
            return;
        }
        let role = if delta::is_logprob_token(path) {
            Role::Token { place: Place::of(path), object: path.object() }
        } else {
            match self.deltas.and_then(|events| delta::likeness(path, events)) {
                Some(likeness) => Role::Delta { likeness, escaped, place: Place::of(path) },
                None => Role::String { escaped },
            }
        };
        self.add(path, raw, role);
    }

    fn scalar(&mut self, path: &Path<'_>, raw: Range<usize>) {
        self.identify(path, &raw);
        // Shorter numbers identify nobody.
        if raw.len() >= 6 {
            self.add(path, raw, Role::Number);
        }
    }

    fn array(&mut self, path: &Path<'_>, raw: Range<usize>) {
        let (Some(object), Some(name)) = (path.object(), path.name()) else { return };
        match name {
            b"bytes" => self.bytes.insert(object, raw),
            b"top_logprobs" => self.alternatives.insert(object, raw),
            _ => None,
        };
    }
}

impl Leaves {
    fn add(&mut self, path: &Path<'_>, raw: Range<usize>, role: Role) {
        let field = path.name_range().map(Stretch::from);
        self.leaves.push(Leaf { raw: raw.into(), field, role });
    }

    fn identify(&mut self, path: &Path<'_>, raw: &Range<usize>) {
        if self.deltas.is_some()
            && let (Some(name), Some(object)) = (path.name(), path.object())
            && delta::is_identity(name, object == 0)
        {
            let identity = self.identities.entry(object).or_default();
            identity.extend_from_slice(name);
            identity.push(b'=');
            identity.extend_from_slice(path.slice(raw));
            identity.push(0);
        }
    }
}

/// Passes over a document to see whether it is one.
struct Ignore;

impl Visit for Ignore {
    fn key(&mut self, _: &Path<'_>, _: Range<usize>, _: bool) {}
    fn string(&mut self, _: &Path<'_>, _: Range<usize>, _: bool) {}
    fn scalar(&mut self, _: &Path<'_>, _: Range<usize>) {}
    fn array(&mut self, _: &Path<'_>, _: Range<usize>) {}
}

/// Lexes the document in a range of a text; leaves are in the text's coordinates.
fn lex(text: &[u8], range: &Range<usize>, deltas: Option<bool>) -> (Lexed, Leaves) {
    let mut leaves = Leaves { deltas, ..Leaves::default() };
    let lexed = json::lex(&text[range.clone()], &mut leaves);
    leaves.shift(range.start);
    leaves.truncated = lexed == Lexed::Truncated;
    (lexed, leaves)
}

impl Leaves {
    fn shift(&mut self, by: usize) {
        if by == 0 {
            return;
        }
        for leaf in &mut self.leaves {
            leaf.raw = leaf.raw.shifted(by);
            leaf.field = leaf.field.map(|field| field.shifted(by));
        }
        for range in self.bytes.values_mut().chain(self.alternatives.values_mut()) {
            *range = range.start + by..range.end + by;
        }
    }
}

impl Place {
    fn of(path: &Path<'_>) -> Box<Self> {
        let mut names = path.names().collect::<Vec<_>>().join(&0);
        names.push(0);
        Box::new(Self { names, objects: path.objects().collect() })
    }

    /// What the deltas of one stream have in common: the names they stand under, and the identities
    /// of the objects around them.
    fn stream(&self, identities: &Identities) -> Vec<u8> {
        let mut key = self.names.clone();
        for (level, object) in self.objects.iter().enumerate() {
            if let Some(identity) = identities.get(object) {
                key.extend_from_slice(format!("\0{level}\0").as_bytes());
                key.extend_from_slice(identity);
            }
        }
        key
    }
}

/// Whether a text begins as a JSON object or array does.
fn opens_document(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether a text can be a whole JSON object or array.
fn is_document(text: &[u8]) -> bool {
    opens_document(text) && matches!(text.trim_ascii_end().last(), Some(b'}' | b']'))
}

/// The lines of a text that are not blank, without their ends.
fn lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let content = line.trim_ascii();
        if !content.is_empty() {
            let start = at + (line.len() - line.trim_ascii_start().len());
            lines.push(start..start + content.len());
        }
        at += line.len();
    }
    lines
}
