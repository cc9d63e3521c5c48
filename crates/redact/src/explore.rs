//! From bytes to texts: finds the documents of a body, their strings and numbers, the JSON inside
//! strings, the deltas that belong together, and what is no text: attachments, vectors, ciphertext.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::attachment::{self, Attachment, Style};
use crate::delta::{self, Likeness};
use crate::event_stream::{self, Frame};
use crate::field::{self, CleanNames, Disguise};
use crate::form;
use crate::json::{self, Ignore, Lexed, Path, Visit};
use crate::multipart;
use crate::otlp::{self, What};
use crate::paths::{Decision, Paths};
use crate::reading::{Copies, Kind, NodeId, Part, Reading, Stretch, Written};
use crate::report::Format;
use crate::sse;
use crate::stream::{FAR, Units};

/// JSON inside strings is followed this deep: a tool call inside a logged body inside a log line
/// takes four.
const MAX_STRINGS: usize = 8;

/// Shorter numbers identify nobody.
const SHORTEST_NUMBER: usize = 6;

/// An event carries one delta, or one for each of a few choices.
const MOST_UNSURE: usize = 16;

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
    let mut explorer = Explorer {
        out: Explored {
            reading: Reading::new(body),
            format: Format::Text,
            fell_back: false,
            truncated: false,
            loses_tail: false,
            aside: Vec::new(),
            documents: Vec::new(),
            fields: BTreeMap::new(),
            channels: Vec::new(),
            carried: None,
        },
        paths: (!paths.is_empty()).then_some(paths),
        names,
        spare: Vec::new(),
    };
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
    let mut explorer = Explorer {
        out: Explored {
            reading: Reading::new(body),
            format: units.format(),
            fell_back: false,
            truncated: false,
            loses_tail: false,
            aside: Vec::new(),
            documents: Vec::new(),
            fields: BTreeMap::new(),
            channels: Vec::new(),
            carried: Some(carried),
        },
        paths: (!paths.is_empty()).then_some(paths),
        names,
        spare: Vec::new(),
    };
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

/// What is remembered of a stream that is read in parts.
#[derive(Default)]
pub(crate) struct Carried {
    channels: BTreeMap<Vec<u8>, Memory>,
    /// Something has gone.
    begun: bool,
    /// Counts what has gone, to tell the channels that have been silent for longest.
    time: u64,
}

/// What is remembered of a channel.
#[derive(Default)]
struct Memory {
    /// The end of its text, redacted.
    tail: Zeroizing<Vec<u8>>,
    /// Where in its JSON it stands, if it is JSON in pieces.
    opening: Option<Zeroizing<Vec<u8>>>,
    time: u64,
}

/// What deltas of a stream join to, in the part of it that is being read.
pub(crate) struct Channel {
    key: Vec<u8>,
    pub(crate) node: NodeId,
    /// So much of its text has gone before.
    before: usize,
    /// Whether it is JSON in pieces, and its texts are other nodes.
    pub(crate) json: bool,
}

/// So many channels are remembered; of more, those that have been silent for longest are forgotten.
const MOST_CHANNELS: usize = 64;

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

/// What one document of a body, or one string in it, holds.
#[derive(Default)]
struct Leaves<'p> {
    leaves: Vec<Leaf>,
    /// What tells objects of a stream apart, by object.
    identities: Identities,
    /// `(object, range)` of arrays named `bytes`, and of those that hold the alternatives to a token.
    bytes: BTreeMap<u32, Range<usize>>,
    alternatives: BTreeMap<u32, Range<usize>>,
    /// The numbers of tokens in a vocabulary, by object.
    ids: BTreeMap<u32, Range<usize>>,
    /// The `type` and the `key` or `name` that was met last, with its object.
    kind: Option<(u32, Range<usize>)>,
    label: Option<(u32, Range<usize>)>,
    /// Whether deltas are looked for, and whether unknown ones are guessed at.
    deltas: Option<bool>,
    /// Whether the document is a request, response or event itself, and not data inside one.
    outer: bool,
    truncated: bool,
    /// Whether the document may go on, being part of a stream that is read in parts.
    goes_on: bool,
    /// How many keys there are.
    keys: usize,
    /// The node they are leaves of.
    node: NodeId,
    /// What the account wants done by path, and the path of this document.
    paths: Option<(&'p Paths, Rc<str>)>,
    names: Option<&'p CleanNames>,
}

type Identities = BTreeMap<u32, Vec<u8>>;

/// A string or number. A body may hold millions, so this is small.
struct Leaf {
    raw: Stretch,
    field: Option<Stretch>,
    role: Role,
    /// Left as it is for its path, but for what may stand in JSON inside it.
    skip: bool,
    /// Its path, where paths matter.
    path: Option<Rc<str>>,
}

enum Role {
    String {
        escaped: bool,
    },
    Schema {
        escaped: bool,
    },
    Opaque {
        escaped: bool,
    },
    Number,
    Vector {
        what: Disguise,
        count: usize,
        base64: bool,
    },
    Forced {
        number: bool,
    },
    Delta {
        likeness: Likeness,
        escaped: bool,
        place: Box<Place>,
    },
    /// A delta of a stream that the document holds as a whole, in an array in this object.
    Logged {
        array: u32,
        escaped: bool,
        place: Box<Place>,
    },
    Token {
        place: Box<Place>,
        spaced: bool,
    },
}

/// Where a delta stands: under which names, in which objects.
struct Place {
    names: Vec<u8>,
    objects: Vec<u32>,
}

/// What was gathered from documents that belong together.
#[derive(Default)]
struct Gathered {
    /// How many documents there were.
    documents: usize,
    streams: BTreeMap<Vec<u8>, Stream>,
    /// Lists of pieces that each document has by itself.
    lists: BTreeMap<Vec<u8>, Stream>,
    /// Deltas whose document broke off: the names above them, and the stream they were added to.
    unsure: Vec<(Vec<u8>, Vec<u8>, Part)>,
}

/// Deltas that belong together.
struct Stream {
    field: Option<Stretch>,
    at: At,
    spaced: bool,
    parts: Vec<Part>,
}

impl Stream {
    fn new(field: Option<Stretch>, spaced: bool, at: &At) -> Self {
        Self { field, at: at.clone(), spaced, parts: Vec::new() }
    }
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
    fn done(mut self) -> Explored<'b> {
        self.out.documents.sort_unstable_by_key(|(node, range)| (*node, range.start));
        self.out
    }

    /// Adds what deltas join to, behind what has gone of it before.
    fn channel(&mut self, key: Vec<u8>, parts: &[Part], written: Written, stream: Stream) {
        let Stream { field, spaced, at, .. } = stream;
        // A stream within a stream is whole where it is.
        let Some(carried) = self.out.carried.as_ref().filter(|_| at.depth == 0) else {
            let node = self.out.reading.add_joined(parts, written, spaced, field);
            self.open(node, &at);
            return;
        };
        let memory = carried.channels.get(&key);
        let known = memory.is_some();
        let tail = memory.map_or_else(Zeroizing::default, |memory| memory.tail.clone());
        if let Some(opening) = memory.and_then(|memory| memory.opening.clone()) {
            let before = opening.len();
            let node = self.out.reading.add_joined_to(&opening, parts, written, spaced, field);
            if self.open_json(node, &at).is_some() {
                return self.out.channels.push(Channel { key, node, before, json: true });
            }
            self.out.reading.set_kind(node, Kind::Container);
        }
        let before = tail.len();
        let node = self.out.reading.add_joined_to(&tail, parts, written, spaced, field);
        let json = !known && self.open_json(node, &at).is_some();
        if !json {
            self.open_text(node, &at);
        }
        self.out.channels.push(Channel { key, node, before, json });
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
                self.channel(b"plain\0".to_vec(), &parts, Written::Plain, stream);
            }
        }
        for line in plain {
            self.text(node, line, None, at);
        }
    }

    /// Frames of a binary event stream: JSON, or JSON in base64 in JSON, as InvokeModel wraps it.
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
                let document = json::lex(&decoded, &mut Ignore) == Lexed::Whole;
                document.then_some((leaf, raw, style, decoded))
            });
            if let Some((leaf, raw, style, decoded)) = inner {
                leaves.leaves.remove(leaf);
                let node = self.out.reading.add_base64(Reading::BODY, raw, style, decoded);
                self.out.reading.set_kind(node, Kind::Container);
                let whole = 0..self.out.reading.text(node).len();
                let inner = self.lex(node, &whole, Some(true), &at).1;
                self.document(inner, &mut gathered, &at);
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

    /// Adds the leaves of the only document there is as nodes.
    fn only_document(&mut self, leaves: Leaves<'p>, at: &At) {
        let mut gathered = Gathered::default();
        self.document(leaves, &mut gathered, at);
        self.join_gathered(gathered);
    }

    /// Adds the leaves of a document as nodes, and gathers those that belong together with leaves of others.
    fn document(&mut self, mut document: Leaves<'p>, gathered: &mut Gathered, at: &At) {
        let number = gathered.documents;
        gathered.documents += 1;
        let parent = document.node;
        let mut leaves = std::mem::take(&mut document.leaves);
        for leaf in leaves.drain(..) {
            let raw = leaf.raw.range();
            let inside = At { depth: at.depth, skip: leaf.skip, path: leaf.path };
            let at = &inside;
            let (key, place, spaced, copies) = match leaf.role {
                Role::Number | Role::Opaque { .. } | Role::Vector { .. } if leaf.skip => {
                    continue;
                }
                Role::Schema { .. } if leaf.skip => continue,
                Role::Number => {
                    self.out.reading.add_slice(parent, raw, leaf.field, Kind::Number);
                    continue;
                }
                Role::String { escaped } => {
                    self.string(parent, raw, escaped, leaf.field, at);
                    continue;
                }
                Role::Schema { escaped } => {
                    let node = self.out.reading.add_json_string(parent, raw, escaped, leaf.field);
                    self.out.reading.set_kind(node, Kind::Schema);
                    continue;
                }
                Role::Opaque { escaped } => {
                    self.opaque(parent, raw, escaped, leaf.field, at);
                    continue;
                }
                Role::Vector { what, count, base64 } => {
                    self.out
                        .aside
                        .push((parent, Aside::Vector { range: raw, what, count, base64 }));
                    continue;
                }
                Role::Forced { number } => {
                    self.out.aside.push((parent, Aside::Forced { range: raw, number }));
                    continue;
                }
                Role::Delta { likeness, escaped, place } => {
                    // Documents that are no events may be whole messages, which only look like parts.
                    let is_guess = likeness == Likeness::Guessed;
                    let is_whole = (is_guess || document.deltas != Some(true))
                        && self.string(parent, raw.clone(), escaped, leaf.field, at);
                    // What is a document by itself goes on nowhere: joined with others it would be prose.
                    if is_guess && is_whole {
                        continue;
                    }
                    (place.stream(&document.identities), place, false, None)
                }
                Role::Logged { array, escaped, place } => {
                    self.string(parent, raw.clone(), escaped, leaf.field, at);
                    let mut key = place.stream(&document.identities);
                    key.extend_from_slice(format!("\0{number}\0{array}").as_bytes());
                    let list = gathered.lists.entry(key);
                    let list = list.or_insert_with(|| Stream::new(leaf.field, false, at));
                    list.parts.push(Part::new(parent, raw));
                    continue;
                }
                Role::Token { place, spaced } => {
                    let mut copies = document.copies(&place);
                    if spaced {
                        let text = &self.out.reading.text(parent)[raw.clone()];
                        let escaped = memchr::memchr(b'\\', text).is_some();
                        self.string(parent, raw.clone(), escaped, leaf.field, at);
                        // It counts the stretches, and is no token's.
                        copies.id = None;
                    }
                    let copies = Some(Box::new(copies));
                    // A list is a text by itself, and with what follows in a stream.
                    if document.deltas != Some(true) {
                        let part =
                            Part { node: parent, range: raw.clone(), copies: copies.clone() };
                        let list = gathered.lists.entry(place.list(number));
                        let list = list.or_insert_with(|| Stream::new(leaf.field, spaced, at));
                        list.parts.push(part);
                        if document.deltas.is_none() {
                            continue;
                        }
                    }
                    (place.stream(&document.identities), place, spaced, copies)
                }
            };
            if document.truncated {
                gathered.unsure.push((place.names, key.clone(), Part::new(parent, raw.clone())));
            }
            let stream =
                gathered.streams.entry(key).or_insert_with(|| Stream::new(leaf.field, spaced, at));
            stream.parts.push(Part { node: parent, range: raw, copies });
        }
        self.spare = leaves;
    }

    /// Adds what was gathered as nodes.
    fn join_gathered(&mut self, gathered: Gathered) {
        let Gathered { mut streams, lists, unsure, .. } = gathered;
        // A document that broke off may have lost what says which stream its delta goes on with, so
        // the delta is read as the end of each it could be of. More than a few are no honest event.
        for (names, own, part) in unsure.into_iter().take(MOST_UNSURE) {
            for (key, stream) in &mut streams {
                if *key != own && key.starts_with(&names) {
                    stream.parts.push(Part::new(part.node, part.range.clone()));
                }
            }
        }
        for (_, mut list) in lists {
            let parts = std::mem::take(&mut list.parts);
            let node = self.out.reading.add_joined(&parts, Written::Json, list.spaced, list.field);
            self.open(node, &list.at);
        }
        for (key, mut stream) in streams {
            let parts = std::mem::take(&mut stream.parts);
            self.channel(key, &parts, Written::Json, stream);
        }
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
                Attachment { payload, decoded, base64: Some(style), media_type, .. }
                    if attachment::holds_text(&decoded) =>
                {
                    gaps.push(from..payload.start.max(from));
                    from = payload.end.max(from);
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

    /// What was remembered before this part was read.
    pub(crate) fn into_carried(self) -> Carried {
        self.carried.unwrap_or_default()
    }

    /// What is to be remembered once everything up to an offset of the body has gone.
    pub(crate) fn remember(self, until: usize) -> Carried {
        let mut carried = self.carried.unwrap_or_default();
        carried.begun = true;
        carried.time += 1;
        for Channel { key, node, before, json } in self.channels {
            let gone =
                self.reading.pieces(node).filter(|(_, at)| *at < until).map(|(end, _)| end).max();
            let Some(gone) = gone else { continue };
            let text = &self.reading.text(node)[..gone];
            let memory = carried.channels.entry(key).or_default();
            memory.time = carried.time;
            memory.opening =
                if json { json::opening(text, open_string).map(Zeroizing::new) } else { None };
            let mut whole = std::mem::take(&mut memory.tail);
            whole.extend_from_slice(&text[before.min(gone)..]);
            memory.tail = Zeroizing::new(tail(&whole).to_vec());
        }
        while carried.channels.len() > MOST_CHANNELS {
            let oldest = carried.channels.iter().min_by_key(|(_, memory)| memory.time);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            carried.channels.remove(&key);
        }
        carried
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

impl Visit for Leaves<'_> {
    fn key(&mut self, path: &Path<'_>, raw: Range<usize>, escaped: bool) {
        self.keys += 1;
        if !escaped && self.names.is_some_and(|names| names.holds(path.slice(&raw))) {
            return;
        }
        if self.decide(path) == Some(Decision::Skip) {
            return;
        }
        self.leaves.push(Leaf {
            raw: raw.into(),
            field: None,
            role: Role::String { escaped },
            skip: false,
            path: None,
        });
    }

    fn string(&mut self, path: &Path<'_>, raw: Range<usize>, escaped: bool) {
        self.identify(path, &raw);
        if raw.is_empty() {
            return;
        }
        if self.decide(path) == Some(Decision::Force) {
            return self.add(path, raw, Role::Forced { number: false });
        }
        let text = path.slice(&raw);
        if field::is_trace_id(path, text) {
            return;
        }
        let role = if field::is_number(path, text) {
            Role::Number
        } else if field::is_opaque(path, self.kind_of(path).as_deref()) {
            Role::Opaque { escaped }
        } else if let Some(count) = field::embedding_in_base64(path, text, escaped) {
            Role::Vector { what: Disguise::Embedding, count, base64: true }
        } else if self.outer && field::is_schema(path) {
            Role::Schema { escaped }
        } else if let Some(spaced) = delta::token(path) {
            Role::Token { place: Place::of(path), spaced }
        } else {
            match self.deltas.and_then(|events| delta::likeness(path, events)) {
                // Sound in base64, piece by piece.
                Some(_)
                    if self.kind_of(path).is_some_and(|kind| kind.ends_with(b"audio.delta")) =>
                {
                    Role::String { escaped }
                }
                Some(likeness) => Role::Delta { likeness, escaped, place: Place::of(path) },
                None => match delta::logged(path) {
                    Some(array) => Role::Logged { array, escaped, place: Place::of(path) },
                    None => Role::String { escaped },
                },
            }
        };
        self.add(path, raw, role);
    }

    fn scalar(&mut self, path: &Path<'_>, raw: Range<usize>) {
        self.identify(path, &raw);
        let is_number = !matches!(path.slice(&raw).first(), Some(b't' | b'f' | b'n'));
        match self.decide(path) {
            Some(Decision::Skip) => return,
            Some(Decision::Force) if is_number => {
                return self.add(path, raw, Role::Forced { number: true });
            }
            _ => {}
        }
        if let (Some(b"token_id" | b"tokenId" | b"id"), Some(object)) = (path.name(), path.object())
        {
            self.ids.insert(object, raw.clone());
        }
        // One at the very end of what there is may go on.
        let is_long = raw.len() >= SHORTEST_NUMBER || (self.goes_on && path.ends_with(&raw));
        if is_long && is_number {
            self.add(path, raw, Role::Number);
        }
    }

    fn array(&mut self, path: &Path<'_>, raw: Range<usize>) {
        let (Some(object), Some(name)) = (path.object(), path.name()) else { return };
        if let Some((what, count)) = field::disguise(path, path.slice(&raw))
            && self.decide(path).is_none_or(|decision| decision == Decision::Scan)
        {
            let inside = |leaf: &Leaf| leaf.raw.range().start > raw.start;
            while self.leaves.pop_if(|leaf| inside(leaf)).is_some() {}
            return self.add(path, raw, Role::Vector { what, count, base64: false });
        }
        match name {
            b"bytes" => self.bytes.insert(object, raw),
            b"top_logprobs" | b"topCandidates" => self.alternatives.insert(object, raw),
            _ => None,
        };
    }
}

impl Leaves<'_> {
    fn add(&mut self, path: &Path<'_>, raw: Range<usize>, role: Role) {
        let name = path.name_range();
        // A pair of name and value says what it is by the value of the name.
        let label = match (&self.label, name.clone().map(|name| path.slice(&name))) {
            (
                Some((object, label)),
                Some(b"value" | b"stringValue" | b"string_value" | b"intValue"),
            ) if path.inner_objects().take(2).any(|around| around == *object) => {
                Some(label.clone())
            }
            _ => None,
        };
        let field = label.or(name).map(Stretch::from);
        let (skip, path) = match &self.paths {
            None => (false, None),
            Some((paths, _)) => {
                let path = self.path_to(path);
                (paths.decide(&path) == Decision::Skip, Some(path.into()))
            }
        };
        self.leaves.push(Leaf { raw: raw.into(), field, role, skip, path });
    }

    /// Notes what the strings around say of others.
    fn identify(&mut self, path: &Path<'_>, raw: &Range<usize>) {
        let (Some(name), Some(object)) = (path.name(), path.object()) else { return };
        match name {
            b"type" => self.kind = Some((object, raw.clone())),
            b"key" | b"name" if raw.len() <= MAX_LABEL => self.label = Some((object, raw.clone())),
            _ => {}
        }
        if delta::is_identity(name, object == 0)
            && let Some(value) = delta::identity(path.slice(raw))
        {
            let identity = self.identities.entry(object).or_default();
            identity.extend_from_slice(name);
            identity.push(b'=');
            identity.extend_from_slice(&value);
            identity.push(0);
        }
    }

    /// The `type` of the object around a value, if it stands before it.
    fn kind_of<'h>(&self, path: &'h Path<'_>) -> Option<Cow<'h, [u8]>> {
        let (object, range) = self.kind.as_ref()?;
        (path.object() == Some(*object)).then(|| json::decode(path.slice(range)).text)
    }

    fn decide(&self, path: &Path<'_>) -> Option<Decision> {
        let (paths, _) = self.paths.as_ref()?;
        Some(paths.decide(&self.path_to(path)))
    }

    fn path_to(&self, path: &Path<'_>) -> String {
        let mut whole = self.paths.as_ref().map(|(_, own)| own.to_string()).unwrap_or_default();
        path.write_to(&mut whole);
        whole
    }

    /// What repeats the token at a place.
    fn copies(&self, place: &Place) -> Copies {
        let own = place.objects.last();
        let of = |map: &BTreeMap<u32, Range<usize>>| map.get(own?).cloned();
        // Gemini gives the alternatives beside the tokens, not within each.
        let mut around = place.objects.iter().rev().take(2);
        Copies {
            bytes: of(&self.bytes),
            id: of(&self.ids),
            alternatives: around.find_map(|object| self.alternatives.get(object).cloned()),
        }
    }
}

/// The longest name that says what the value beside it is.
const MAX_LABEL: usize = 64;

impl Leaves<'_> {
    fn shift(&mut self, by: usize) {
        if by == 0 {
            return;
        }
        for leaf in &mut self.leaves {
            leaf.raw = leaf.raw.shifted(by);
            leaf.field = leaf.field.map(|field| field.shifted(by));
        }
        let copies = [&mut self.bytes, &mut self.alternatives, &mut self.ids];
        for range in copies.into_iter().flat_map(|map| map.values_mut()) {
            *range = range.start + by..range.end + by;
        }
    }
}

impl Place {
    fn of(path: &Path<'_>) -> Box<Self> {
        let mut names = Vec::with_capacity(64);
        for name in path.names() {
            names.extend_from_slice(delta::continued(name));
            names.push(0);
        }
        Box::new(Self { names, objects: path.objects().collect() })
    }

    /// What the tokens of one list have in common: the list.
    fn list(&self, document: usize) -> Vec<u8> {
        let around = self.objects.len().saturating_sub(2);
        let list = self.objects.get(around).copied().unwrap_or_default();
        [&self.names[..], format!("\0{document}\0{list}").as_bytes()].concat()
    }

    /// What the deltas of one stream have in common: the names they stand under, and the identities
    /// of the objects around them.
    fn stream(&self, identities: &Identities) -> Vec<u8> {
        let mut key = self.names.clone();
        for (level, object) in self.objects.iter().enumerate() {
            if let Some(identity) = identities.get(object) {
                let level = u16::try_from(level).expect("nesting is bounded");
                key.push(0);
                key.extend_from_slice(&level.to_be_bytes());
                key.extend_from_slice(identity);
            }
        }
        key
    }
}

/// The end of a text, as far as it may decide what follows.
fn tail(text: &[u8]) -> &[u8] {
    let mut from = text.len().saturating_sub(FAR);
    while from > 0 && text.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
        from -= 1;
    }
    &text[from..]
}

/// What is remembered of a raw JSON string that goes on: its end, or where it stands in JSON inside it.
fn open_string(raw: &[u8]) -> Vec<u8> {
    // An escape that is cut goes on with what comes.
    let (raw, cut) = raw.split_at(json::whole_escapes(raw));
    let decoded = json::decode(raw).text;
    let inner = if opens_document(&decoded) { json::opening(&decoded, open_string) } else { None };
    let mut out = Vec::new();
    json::escape_into(&mut out, inner.as_deref().unwrap_or_else(|| tail(&decoded)));
    out.extend_from_slice(cut);
    out
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
