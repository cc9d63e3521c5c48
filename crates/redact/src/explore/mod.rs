//! From bytes to texts: finds the documents of a body, their strings and numbers, the JSON inside
//! strings, the deltas that belong together, and what is no text: attachments, vectors, ciphertext.

mod carried;
mod gather;
mod leaves;

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::attachment::{self, Attachment, Style};
use crate::event_stream::{self, Frame};
use crate::field::{self, CleanNames, Disguise};
use crate::form;
use crate::json::{self, Ignore, Lexed};
use crate::multipart;
use crate::otlp::{self, What};
use crate::paths::{Decision, Paths};
use crate::reading::{Kind, NodeId, Part, Reading, Stretch, Written};
use crate::report::Format;
use crate::sse;
use crate::stream::Units;
pub(crate) use carried::{Carried, Channel};
use gather::{Gathered, Stream};
use leaves::{Leaf, Leaves};

/// JSON inside strings is followed this deep: a tool call inside a logged body inside a log line
/// takes four.
const MAX_STRINGS: usize = 8;

/// Shorter numbers identify nobody.
const SHORTEST_NUMBER: usize = 6;

/// A body as it was read.
pub(crate) struct Explored<'b> {
    pub(crate) reading: Reading<'b>,
    pub(crate) format: Format,
    pub(crate) fell_back: bool,
    /// The body ended in the middle of a document or frame.
    pub(crate) truncated: bool,
    /// The stream broke off inside a binary frame: what is there of it can neither be read nor kept.
    pub(crate) loses_tail: bool,
    /// What is not scanned, by the node it stands in.
    pub(crate) aside: Vec<(NodeId, Aside)>,
    /// Where the JSON documents lie: in which node, and where in its text.
    pub(crate) documents: Vec<(NodeId, Range<usize>)>,
    /// The paths of what stands in no JSON document.
    fields: BTreeMap<NodeId, String>,
    /// The channels of a stream that is read in parts.
    pub(crate) channels: Vec<Channel>,
    /// What was there of them before; `None` if the body is read as a whole.
    carried: Option<Carried>,
}

/// Something that is no text to scan. Ranges are in the text of its node.
pub(crate) enum Aside {
    /// Media.
    Attachment(Attachment),
    /// Numbers that are text in disguise, in an array or as floats in base64.
    Vector { range: Range<usize>, what: Disguise, count: usize, base64: bool },
    /// Ciphertext or a signature.
    Opaque { range: Range<usize> },
    /// What a path policy takes out whatever it is.
    Forced { range: Range<usize>, number: bool },
}

impl Aside {
    /// Where it stands in its node's text.
    pub(crate) fn range(&self) -> Range<usize> {
        match self {
            Self::Attachment(attachment) => attachment.range.clone(),
            Self::Vector { range, .. } | Self::Opaque { range } | Self::Forced { range, .. } => {
                range.clone()
            }
        }
    }
}

/// Reads a body as `hint` says, or as it looks if it is not that. Keys that are known to hold nothing are left out:
/// most of an event is such.
pub(crate) fn explore<'b>(
    body: &'b [u8],
    hint: Option<Format>,
    paths: &Paths,
    names: Option<&CleanNames>,
) -> Explored<'b> {
    let mut explorer = Explorer::new(body, Format::Text, paths, names, None);
    let guess = guess(body);
    let hint = hint.unwrap_or(guess);
    match explorer.first_that_fits(Reading::BODY, hint, guess, &At::default()) {
        Some(format) => {
            explorer.out.format = format;
            explorer.out.fell_back |= format != hint;
        }
        None => {
            explorer.out.fell_back = hint != Format::Text;
            explorer.text(Reading::BODY, 0..body.len(), None, &At::default());
        }
    }
    explorer.done()
}

/// Reads the next units of a stream, which end at `ends`.
pub(crate) fn explore_units<'b>(
    body: &'b [u8],
    units: Units,
    ends: &[usize],
    paths: &Paths,
    names: Option<&CleanNames>,
    carried: Carried,
) -> Explored<'b> {
    let begun = carried.begun;
    let mut explorer = Explorer::new(body, units.format(), paths, names, Some(carried));
    let at = At::default();
    let ranges = std::iter::once(0).chain(ends.iter().copied()).zip(ends.iter().copied());
    match units {
        Units::Events => explorer.events(Reading::BODY, sse::parts(body), &at),
        Units::Lines => {
            if !explorer.body(Reading::BODY, Format::Ndjson, &at) {
                explorer.text(Reading::BODY, 0..body.len(), None, &at);
            }
        }
        Units::Frames => {
            let (frames, end) = event_stream::frames(body);
            explorer.out.loses_tail = end < body.len();
            explorer.out.truncated = end < body.len();
            explorer.binary_events(frames);
        }
        Units::Elements => {
            let mut gathered = Gathered::default();
            for (number, (start, end)) in ranges.enumerate() {
                let element = element(body, start..end, number == 0 && !begun);
                match explorer.lex(Reading::BODY, &element, Some(false), &at) {
                    (lexed, leaves) if lexed.is_one() => {
                        explorer.document(leaves, &mut gathered, &at);
                    }
                    _ => explorer.text(Reading::BODY, element, None, &at),
                }
            }
            explorer.join_gathered(gathered);
        }
        Units::Text => {
            let parts: Vec<Part> =
                ranges.map(|(start, end)| Part::new(Reading::BODY, start..end)).collect();
            explorer.channel(
                b"text\0".to_vec(),
                &parts,
                Written::Plain,
                Stream::new(None, false, &at),
                true,
            );
        }
    }
    explorer.done()
}

/// An element of an array without what stands before and behind it.
fn element(body: &[u8], range: Range<usize>, first: bool) -> Range<usize> {
    let text = &body[range.clone()];
    let inside =
        text.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(text).trim_ascii_start();
    let inside =
        if first { inside.strip_prefix(b"[") } else { inside.strip_prefix(b",") }.unwrap_or(inside);
    let inside = inside.trim_ascii_start();
    range.end - inside.len()..range.end
}

/// What a body looks like.
pub(crate) fn guess(body: &[u8]) -> Format {
    if event_stream::looks_like(body) {
        return Format::EventStream;
    }
    if otlp::looks_like(body) {
        return Format::Otlp;
    }
    if sse::looks_like(body) {
        return Format::Sse;
    }
    if multipart::looks_like(body) {
        return Format::Multipart;
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

struct Explorer<'b, 'p> {
    out: Explored<'b>,
    /// `None` if no path is treated in another way than the rest.
    paths: Option<&'p Paths>,
    /// Names that are known to hold nothing.
    names: Option<&'p CleanNames>,
    /// Room for the leaves of the next document.
    spare: Vec<Leaf>,
}

/// Where a text stands.
#[derive(Debug, Clone, Default)]
struct At {
    /// In so many others.
    depth: usize,
    /// Left as it is for its path, but for what may stand in JSON inside it.
    skip: bool,
    /// The path to it, where paths matter.
    path: Option<Rc<str>>,
}

impl At {
    fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, ..self.clone() }
    }
}

impl<'b, 'p> Explorer<'b, 'p> {
    /// Nothing read yet of a body that is taken to be of a format.
    fn new(
        body: &'b [u8],
        format: Format,
        paths: &'p Paths,
        names: Option<&'p CleanNames>,
        carried: Option<Carried>,
    ) -> Self {
        Self {
            out: Explored {
                reading: Reading::new(body),
                format,
                fell_back: false,
                truncated: false,
                loses_tail: false,
                aside: Vec::new(),
                documents: Vec::new(),
                fields: BTreeMap::new(),
                channels: Vec::new(),
                carried,
            },
            paths: (!paths.is_empty()).then_some(paths),
            names,
            spare: Vec::new(),
        }
    }

    fn done(mut self) -> Explored<'b> {
        self.out.documents.sort_unstable_by_key(|(node, range)| (*node, range.start));
        self.out
    }

    /// Reads a text as what it is said to be or, failing that, as what it looks like.
    fn first_that_fits(
        &mut self,
        node: NodeId,
        hint: Format,
        guess: Format,
        at: &At,
    ) -> Option<Format> {
        // A body that is not what it says it is, text included, is read as what it looks like.
        let tries: &[Format] = if hint == guess { &[hint] } else { &[hint, guess] };
        tries.iter().copied().find(|&format| self.body(node, format, at))
    }

    /// Reads the text of a node as this format; `false` if it is not.
    fn body(&mut self, node: NodeId, format: Format, at: &At) -> bool {
        let body = self.out.reading.text(node);
        match format {
            Format::Json => {
                let whole = 0..body.len();
                // A body that is one array may be a stream of documents: Gemini sends such.
                let array = body.trim_ascii_start().first() == Some(&b'[');
                let (lexed, leaves) = self.lex(node, &whole, array.then_some(false), at);
                let body = self.out.reading.text(node);
                if let Lexed::More(next) = lexed
                    && opens_document(body)
                    && opens_document(behind_separators(&body[next..]))
                {
                    let mut gathered = Gathered::default();
                    // One document after the other; where one is broken, the next line may hold one.
                    let rest = self.sequence(node, whole, &mut gathered, at).unwrap_or(0..0);
                    return self.lines(node, rest, gathered, at);
                }
                if !lexed.is_one() || body.trim_ascii().is_empty() {
                    return false;
                }
                self.only_document(leaves, at);
            }
            Format::Ndjson => {
                let whole = 0..body.len();
                return self.lines(node, whole, Gathered::default(), at);
            }
            Format::Sse => {
                let parts = sse::parts(body);
                if !parts.iter().any(|part| matches!(part, sse::Part::Data(_))) {
                    return false;
                }
                self.events(node, parts, at);
            }
            Format::EventStream => {
                // Frames are rebuilt with the body; inside a body there are none.
                let (frames, end) = event_stream::frames(body);
                if frames.is_empty() || node != Reading::BODY {
                    return false;
                }
                self.out.loses_tail = end < body.len();
                self.out.truncated |= self.out.loses_tail;
                self.binary_events(frames);
            }
            Format::Multipart => {
                let parts = multipart::parts(body);
                if parts.is_empty() {
                    return false;
                }
                for part in parts {
                    self.part(node, part, at);
                }
            }
            Format::Form => {
                if body.iter().any(|b| b.is_ascii_whitespace()) || !body.contains(&b'=') {
                    return false;
                }
                for (name, value) in form::pairs(body) {
                    let field = Some(Stretch::from(name.clone()));
                    for (range, field) in [(name, None), (value, field)] {
                        if !range.is_empty() {
                            let part = [Part::new(node, range)];
                            let inner =
                                self.out.reading.add_joined(&part, Written::Form, false, field);
                            self.open(inner, &at.deeper());
                        }
                    }
                }
            }
            Format::Otlp => {
                // Lengths are made anew with the body; inside a body they are not.
                let fields = otlp::fields(body).filter(|_| node == Reading::BODY);
                let Some(fields) = fields else { return false };
                for field in fields {
                    self.field(field, at);
                }
            }
            Format::Text | Format::Binary | Format::Unread => return false,
        }
        true
    }

    /// A value of an OTLP export.
    fn field(&mut self, field: otlp::Field, at: &At) {
        let body = self.out.reading.body();
        let otlp::Field { range, what, label, path } = field;
        let decision = self.paths.map_or(Decision::Scan, |paths| paths.decide(&path));
        let label = label.map(Stretch::from);
        let reading = &mut self.out.reading;
        let zero: &'static [u8] = if matches!(what, What::Double(_)) { &[0; 8] } else { &[0] };
        let node = match what {
            What::Text => reading.add_slice(Reading::BODY, range, label, Kind::Text),
            What::Bytes if attachment::holds_text(&body[range.clone()]) => {
                reading.add_slice(Reading::BODY, range, label, Kind::Text)
            }
            What::Bytes => {
                let bytes = &body[range.clone()];
                let media_type = attachment::sniff(bytes).unwrap_or("application/octet-stream");
                let attachment = Attachment {
                    range: range.clone(),
                    payload: range,
                    media_type: media_type.to_owned(),
                    decoded: Zeroizing::new(bytes.to_vec()),
                    base64: None,
                };
                return self.out.aside.push((Reading::BODY, Aside::Attachment(attachment)));
            }
            What::Integer(number) => {
                let text = number.to_string().into_bytes();
                reading.add_binary(Reading::BODY, range, text, zero, label, Kind::Number)
            }
            What::Double(number) => {
                let text = number.to_string().into_bytes();
                reading.add_binary(Reading::BODY, range, text, zero, label, Kind::Number)
            }
            What::Unknown => {
                let text = body[range.clone()].to_vec();
                reading.add_binary(Reading::BODY, range, text, b"", label, Kind::Text)
            }
        };
        let number = reading.node(node).kind == Kind::Number;
        if decision == Decision::Force {
            let range = 0..reading.text(node).len();
            reading.set_kind(node, Kind::Container);
            self.out.aside.push((node, Aside::Forced { range, number }));
        } else if number {
            // Shorter numbers identify nobody.
            if decision == Decision::Skip || reading.text(node).len() < SHORTEST_NUMBER {
                reading.set_kind(node, Kind::Container);
            }
        } else {
            let path = self.paths.map(|_| path.as_str().into());
            let at = At { depth: at.depth + 1, skip: decision == Decision::Skip, path };
            self.open(node, &at);
        }
        self.out.fields.insert(node, path);
    }

    /// Reads lines of documents; `false` if there is none in them, nor any before.
    fn lines(
        &mut self,
        node: NodeId,
        range: Range<usize>,
        mut gathered: Gathered,
        at: &At,
    ) -> bool {
        let mut rest: Vec<Range<usize>> = Vec::new();
        // Lines that follow each other without a document between are one text, or a key would be cut in lines. A
        // stream has each by itself.
        let (mut known, mut joins) = (gathered.documents, false);
        for line in lines(&self.out.reading.text(node)[range.clone()]) {
            let line = range.start + line.start..range.start + line.end;
            let Some(left) = self.sequence(node, line, &mut gathered, at) else {
                joins = false;
                continue;
            };
            match rest.last_mut().filter(|_| joins && gathered.documents == known) {
                Some(last) => last.end = left.end,
                None => rest.push(left),
            }
            known = gathered.documents;
            joins = self.out.carried.is_none();
        }
        if gathered.documents == 0 {
            return false;
        }
        self.out.fell_back |= !rest.is_empty();
        self.join_gathered(gathered);
        for line in rest {
            self.text(node, line, None, at);
        }
        true
    }

    /// Reads documents that follow each other, as some writers of logs forget the line ends between them, and gives
    /// what is left from where there is none. Between them may stand what RFC 7464 puts there.
    fn sequence(
        &mut self,
        node: NodeId,
        mut range: Range<usize>,
        gathered: &mut Gathered,
        at: &At,
    ) -> Option<Range<usize>> {
        loop {
            let text = &self.out.reading.text(node)[range.clone()];
            range.start = range.end - behind_separators(text).len();
            if range.is_empty() {
                return None;
            }
            let opens = opens_document(&self.out.reading.text(node)[range.clone()]);
            match self.lex(node, &range, Some(false), at) {
                (Lexed::Whole | Lexed::Truncated, leaves) => {
                    self.document(leaves, gathered, at);
                    return None;
                }
                (Lexed::More(next), leaves) if opens => {
                    self.document(leaves, gathered, at);
                    range.start += next;
                }
                _ => return Some(range),
            }
        }
    }

    /// Reads a text that is a body of its own: a file, or a part of a body. Its kind is set if it holds more.
    fn inner_body(&mut self, node: NodeId, hint: Option<Format>, at: &At) {
        if at.depth < MAX_STRINGS {
            let guess = guess(self.out.reading.text(node));
            self.out.reading.set_kind(node, Kind::Container);
            if self.first_that_fits(node, hint.unwrap_or(guess), guess, at).is_some() {
                return;
            }
            self.out.reading.set_kind(node, Kind::Text);
        }
        self.open(node, at);
    }

    fn part(&mut self, node: NodeId, part: multipart::Part, at: &At) {
        for header in part.headers {
            self.text(node, header, None, at);
        }
        if part.content.is_empty() {
            return;
        }
        let body = self.out.reading.text(node);
        let content = &body[part.content.clone()];
        let content_type = part
            .content_type
            .map(|range| String::from_utf8_lossy(body[range].trim_ascii()).into_owned());
        let sniffed = attachment::sniff(content);
        if attachment::is_binary(content) || sniffed.is_some() {
            let media_type = sniffed.map(str::to_owned).or(content_type);
            let attachment = Attachment {
                range: part.content.clone(),
                payload: part.content,
                media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
                decoded: Zeroizing::new(content.to_vec()),
                base64: None,
            };
            self.out.aside.push((node, Aside::Attachment(attachment)));
            return;
        }
        let name = part.name.map(Stretch::from);
        let inner = self.out.reading.add_slice(node, part.content, name, Kind::Text);
        self.inner_body(inner, Format::of(content_type.as_deref()), &at.deeper());
    }

    fn events(&mut self, node: NodeId, parts: Vec<sse::Part>, at: &At) {
        let mut gathered = Gathered::default();
        let mut plain = Vec::new();
        for part in parts {
            match part {
                sse::Part::Other(value) => {
                    self.text(node, value, None, at);
                }
                sse::Part::Data(lines) => {
                    if let [line] = &lines[..] {
                        let body = self.out.reading.text(node);
                        if opens_document(&body[line.clone()])
                            // The last event of a stream that broke off is cut in the middle.
                            && let (Lexed::Whole | Lexed::Truncated, leaves) =
                                self.lex(node, line, Some(true), at)
                        {
                            self.document(leaves, &mut gathered, at);
                        } else {
                            plain.push(line.clone());
                        }
                        continue;
                    }
                    // One document over several lines; white space, since a line of it may not be cut in a string.
                    let joined = self.join(node, &lines);
                    let whole = 0..self.out.reading.text(joined).len();
                    match self.lex(joined, &whole, Some(true), at) {
                        (Lexed::Whole | Lexed::Truncated, leaves) if !leaves.leaves.is_empty() => {
                            self.out.reading.set_kind(joined, Kind::Container);
                            self.document(leaves, &mut gathered, at);
                        }
                        _ => {
                            self.open(joined, at);
                        }
                    }
                }
            }
        }
        self.join_gathered(gathered);
        // Streams of bare text: values may be split over events here too.
        if self.out.carried.is_some() || plain.len() > 1 {
            let parts: Vec<Part> = plain.iter().map(|line| Part::new(node, line.clone())).collect();
            if !parts.is_empty() {
                let stream = Stream::new(None, false, at);
                self.channel(b"plain\0".to_vec(), &parts, Written::Plain, stream, true);
            }
        }
        for line in plain {
            self.text(node, line, None, at);
        }
    }

    /// Frames of a binary event stream: JSON, or JSON or text in base64 in JSON, as InvokeModel and agents wrap it.
    fn binary_events(&mut self, frames: Vec<Frame>) {
        let at = At::default();
        let mut gathered = Gathered::default();
        for frame in frames {
            for value in frame.strings {
                self.text(Reading::BODY, value, None, &at);
            }
            let (lexed, mut leaves) = self.lex(Reading::BODY, &frame.payload, Some(true), &at);
            if lexed != Lexed::Whole {
                self.out.fell_back |= !frame.payload.is_empty();
                self.text(Reading::BODY, frame.payload, None, &at);
                continue;
            }
            let body = self.out.reading.text(Reading::BODY);
            let chunk = leaves
                .leaves
                .iter()
                .position(|leaf| leaf.field.is_some_and(|field| &body[field.range()] == b"bytes"));
            let inner = chunk.and_then(|leaf| {
                let raw = leaves.leaves[leaf].raw.range();
                let style = Style::of(&body[raw.clone()]);
                let decoded = attachment::decode(&body[raw.clone()])?;
                let document =
                    opens_document(&decoded) && json::lex(&decoded, &mut Ignore) == Lexed::Whole;
                // An agent's answer comes as pieces of text, and a character may be cut.
                let is_text = document || !attachment::is_binary(&decoded);
                is_text.then_some((leaf, raw, style, decoded, document))
            });
            if let Some((leaf, raw, style, decoded, document)) = inner {
                leaves.leaves.remove(leaf);
                let node = self.out.reading.add_base64(Reading::BODY, raw, style, decoded);
                self.out.reading.set_kind(node, Kind::Container);
                let whole = 0..self.out.reading.text(node).len();
                if document {
                    let inner = self.lex(node, &whole, Some(true), &at).1;
                    self.document(inner, &mut gathered, &at);
                } else {
                    gathered.encoded.push(Part::new(node, whole));
                }
            }
            self.document(leaves, &mut gathered, &at);
        }
        self.join_gathered(gathered);
    }

    /// Reads stretches of a text as one.
    fn join(&mut self, node: NodeId, stretches: &[Range<usize>]) -> NodeId {
        let part = |range: &Range<usize>| Part::new(node, range.clone());
        let parts: Vec<Part> = stretches.iter().map(part).collect();
        self.out.reading.add_joined(&parts, Written::Plain, false, None)
    }

    /// Lexes the document in a range of a node's text; leaves are in the text's coordinates.
    fn lex(
        &mut self,
        node: NodeId,
        range: &Range<usize>,
        deltas: Option<bool>,
        at: &At,
    ) -> (Lexed, Leaves<'p>) {
        let paths = self.paths.map(|paths| (paths, at.path.clone().unwrap_or_default()));
        let mut leaves = Leaves {
            leaves: std::mem::take(&mut self.spare),
            node,
            deltas,
            outer: at.depth == 0,
            paths,
            names: self.names,
            goes_on: self.out.carried.is_some(),
            ..Leaves::default()
        };
        let lexed = json::lex(&self.out.reading.text(node)[range.clone()], &mut leaves);
        leaves.shift(range.start);
        leaves.truncated = lexed == Lexed::Truncated;
        let end = match lexed {
            Lexed::More(at) => range.start + at,
            _ => range.end,
        };
        if !matches!(lexed, Lexed::Broken(_)) {
            self.out.truncated |= leaves.truncated && at.depth == 0;
            self.out.documents.push((node, range.start..end));
        }
        (lexed, leaves)
    }

    /// A string; `true` if it is a document, or several.
    fn string(
        &mut self,
        parent: NodeId,
        raw: Range<usize>,
        escaped: bool,
        field: Option<Stretch>,
        at: &At,
    ) -> bool {
        let node = self.out.reading.add_json_string(parent, raw, escaped, field);
        self.open(node, at)
    }

    /// A field of ciphertext: set aside if it is that, and text like any other if it is not.
    fn opaque(
        &mut self,
        parent: NodeId,
        raw: Range<usize>,
        escaped: bool,
        field: Option<Stretch>,
        at: &At,
    ) {
        // Some writers escape slashes.
        let text = json::decode(&self.out.reading.text(parent)[raw.clone()]).text;
        let is_cipher = field::looks_opaque(&text)
            && !attachment::decode(&text).is_some_and(|bytes| attachment::holds_text(&bytes));
        if is_cipher {
            self.out.aside.push((parent, Aside::Opaque { range: raw }));
        } else {
            self.string(parent, raw, escaped, field, at);
        }
    }

    fn text(&mut self, parent: NodeId, range: Range<usize>, field: Option<Stretch>, at: &At) {
        let node = self.out.reading.add_slice(parent, range, field, Kind::Text);
        self.open(node, at);
    }

    /// Looks into a text: JSON inside it makes it a container, attachments are set aside. `true` if it is a document,
    /// or several.
    fn open(&mut self, node: NodeId, at: &At) -> bool {
        if let Some(lexed) = self.open_json(node, at) {
            return lexed == Lexed::Whole;
        }
        let streams = self.open_stream(node, at);
        if !streams {
            self.open_text(node, at);
        }
        streams
    }

    /// Looks for a stream inside a text, as logs keep answers that were streamed: events or lines of JSON.
    fn open_stream(&mut self, node: NodeId, at: &At) -> bool {
        let text = self.out.reading.text(node);
        if at.depth >= MAX_STRINGS || memchr::memchr2(b'\n', b'\r', text).is_none() {
            return false;
        }
        let format = if sse::looks_like(text) && sse::holds_documents(text) {
            Format::Sse
        } else if opens_document(text)
            && lines(text).into_iter().all(|line| opens_document(&text[line]))
        {
            Format::Ndjson
        } else {
            return false;
        };
        self.out.reading.set_kind(node, Kind::Container);
        // That a part of a text is not what it looks like is no news of the body.
        let fell_back = self.out.fell_back;
        let fits = self.body(node, format, &at.deeper());
        self.out.fell_back = fell_back;
        if !fits {
            self.out.reading.set_kind(node, Kind::Text);
        }
        fits
    }

    /// Looks for JSON inside a text, which makes it a container.
    fn open_json(&mut self, node: NodeId, at: &At) -> Option<Lexed> {
        let text = self.out.reading.text(node);
        if at.depth >= MAX_STRINGS || !opens_document(text) {
            return None;
        }
        let whole = 0..text.len();
        let (lexed, leaves) = self.lex(node, &whole, None, &at.deeper());
        // Arguments of a tool whose stream broke off are JSON as far as they go; prose may begin
        // with a bracket.
        let cut = lexed == Lexed::Truncated && leaves.keys > 0;
        if lexed != Lexed::Whole && !cut {
            return None;
        }
        self.out.reading.set_kind(node, Kind::Container);
        self.only_document(leaves, &at.deeper());
        Some(lexed)
    }

    /// Looks for attachments in a text.
    fn open_text(&mut self, node: NodeId, at: &At) {
        if at.depth >= MAX_STRINGS {
            return;
        }
        if at.skip {
            self.out.reading.set_kind(node, Kind::Container);
            return;
        }
        let field = self.out.reading.field(node).map(str::as_bytes);
        let mut gaps = Vec::new();
        let mut from = 0;
        for attachment in attachment::find(self.out.reading.text(node), field) {
            match attachment {
                attachment
                    if attachment.base64.is_some()
                        && attachment::holds_text(&attachment.decoded) =>
                {
                    let is_whole = attachment.payload == (0..self.out.reading.text(node).len());
                    let is_both = !is_whole && attachment.may_be_token();
                    let Attachment { payload, decoded, base64, media_type, .. } = attachment;
                    let style = base64.unwrap_or_default();
                    if !is_both {
                        gaps.push(from..payload.start.max(from));
                        from = payload.end.max(from);
                    }
                    let inner = self.out.reading.add_base64(node, payload, style, decoded);
                    self.inner_body(inner, Format::of(Some(&media_type)), &at.deeper());
                }
                other => self.out.aside.push((node, Aside::Attachment(other))),
            }
        }
        if !gaps.is_empty() {
            // What is read decoded is not also read as it stands: the scanner sees into base64 itself, and would
            // replace the encoded text as a whole.
            gaps.push(from..self.out.reading.text(node).len());
            self.out.reading.set_kind(node, Kind::Container);
            for gap in gaps.into_iter().filter(|gap| !gap.is_empty()) {
                self.out.reading.add_slice(node, gap, None, Kind::Text);
            }
        }
    }
}

impl Explored<'_> {
    /// Tells one way to read a body from another: how many documents there are in it, and texts that hold others.
    pub(crate) fn shape(&self) -> (Format, usize, usize) {
        (self.format, self.reading.containers(), self.documents.len())
    }

    /// The paths to texts, as in `messages[*].content`; of what several pieces join to, that of the first. Each document on the way is lexed once.
    pub(crate) fn paths_of(&self, nodes: &[NodeId]) -> BTreeMap<NodeId, String> {
        // The steps to take: from each node to the document it stands in, and on from there.
        let mut steps: BTreeMap<NodeId, (NodeId, usize)> = BTreeMap::new();
        for &node in nodes {
            let mut node = node;
            while node != Reading::BODY && !steps.contains_key(&node) {
                let origin = self.reading.origin(node);
                steps.insert(node, origin);
                node = origin.0;
            }
        }
        let mut asked: BTreeMap<usize, Vec<(usize, NodeId)>> = BTreeMap::new();
        for (&node, &(parent, at)) in &steps {
            // Documents are in order of node and place, those of one line after the other.
            let next =
                self.documents.partition_point(|(of, range)| (*of, range.start) <= (parent, at));
            if let Some(before) = next.checked_sub(1)
                && self.documents[before].0 == parent
                && at <= self.documents[before].1.end
            {
                asked.entry(before).or_default().push((at - self.documents[before].1.start, node));
            }
        }
        let of_fields =
            steps.keys().filter_map(|node| Some((*node, self.fields.get(node)?.clone())));
        let mut own: BTreeMap<NodeId, String> = of_fields.collect();
        for (document, mut places) in asked {
            places.sort_unstable();
            let (node, range) = &self.documents[document];
            let offsets: Vec<usize> = places.iter().map(|place| place.0).collect();
            let text = &self.reading.text(*node)[range.clone()];
            let paths = json::paths_to(text, &offsets);
            own.extend(places.into_iter().map(|place| place.1).zip(paths));
        }
        // Parents come before their children.
        let mut paths: BTreeMap<NodeId, String> = BTreeMap::new();
        for (node, (parent, _)) in steps {
            let mut path = paths.get(&parent).cloned().unwrap_or_default();
            let step = own.remove(&node).unwrap_or_default();
            if !path.is_empty() && !step.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(&step);
            paths.insert(node, path);
        }
        paths
    }
}

/// Whether a text in a field of this name is read as nothing but text.
pub(crate) fn is_prose(text: &[u8], field: Option<&str>) -> bool {
    !opens_document(text)
        && !sse::looks_like(text)
        && attachment::find(text, field.map(str::as_bytes)).is_empty()
}

/// Whether a text begins as a JSON object or array does.
fn opens_document(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A text without what may stand between documents: RFC 7464 has a control character there, some have commas.
fn behind_separators(text: &[u8]) -> &[u8] {
    let separators = text.iter().take_while(|b| b.is_ascii_whitespace() || b"\x1e,".contains(b));
    &text[separators.count()..]
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
