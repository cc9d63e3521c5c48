//! What leaves of several documents join to: the deltas of a stream, the tokens of a list.

use std::collections::BTreeMap;
use std::ops::Range;

use super::carried::Channel;
use super::leaves::{Leaves, Role};
use super::{Aside, At, Explorer, MAX_STRINGS};
use crate::delta::{self, Likeness};
use crate::json::{self, Ignore, Lexed};
use crate::reading::{Kind, NodeId, Part, Stretch, Written};
use crate::sse;
use zeroize::Zeroizing;

/// An event carries one delta, or one for each of a few choices.
const MOST_UNSURE: usize = 16;

/// Strings of lists that may be events, by the object that a list is in and where its name stands.
type Listed = BTreeMap<(u32, Option<usize>), Vec<(NodeId, At)>>;

/// What was gathered from documents that belong together.
#[derive(Default)]
pub(super) struct Gathered {
    /// How many documents there were.
    pub(super) documents: usize,
    pub(super) streams: BTreeMap<Vec<u8>, Stream>,
    /// Lists of pieces that each document has by itself.
    pub(super) lists: BTreeMap<Vec<u8>, Stream>,
    /// Texts that frames have in base64, one piece in each, under the same name.
    pub(super) encoded: Vec<Part>,
    /// Deltas whose document broke off: the names above them, and the stream they were added to.
    pub(super) unsure: Vec<(Vec<u8>, Vec<u8>, Part)>,
}

/// Deltas that belong together.
pub(super) struct Stream {
    pub(super) field: Option<Stretch>,
    pub(super) at: At,
    pub(super) spaced: bool,
    pub(super) parts: Vec<Part>,
}

impl Stream {
    pub(super) fn new(field: Option<Stretch>, spaced: bool, at: &At) -> Self {
        Self { field, at: at.clone(), spaced, parts: Vec::new() }
    }
}

impl<'p> Explorer<'_, 'p> {
    /// Adds the leaves of the only document there is as nodes.
    pub(super) fn only_document(&mut self, leaves: Leaves<'p>, at: &At) {
        let mut gathered = Gathered::default();
        self.document(leaves, &mut gathered, at);
        self.join_gathered(gathered);
    }

    /// Adds the leaves of a document as nodes, and gathers those that belong together with leaves of others.
    pub(super) fn document(&mut self, mut document: Leaves<'p>, gathered: &mut Gathered, at: &At) {
        let number = gathered.documents;
        gathered.documents += 1;
        let parent = document.node;
        let mut leaves = std::mem::take(&mut document.leaves);
        let mut listed = Listed::new();
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
                Role::Listed { escaped, list } => {
                    let node = self.out.reading.add_json_string(parent, raw, escaped, leaf.field);
                    let name = leaf.field.map(|field| field.range().start);
                    listed.entry((list, name)).or_default().push((node, inside));
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
                    let is_record = is_guess
                        && document.deltas == Some(false)
                        && !document.is_event
                        && delta::is_recorded(&place.names);
                    let aside = self.out.aside.len();
                    let is_whole = (is_guess || document.deltas != Some(true))
                        && self.string(parent, raw.clone(), escaped, leaf.field, at);
                    // What is a document or media by itself goes on nowhere: joined with others it would be prose.
                    if is_record || (is_guess && (is_whole || self.out.aside.len() > aside)) {
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
                Role::Token { place, spaced, logged } => {
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
                            if let Some(array) = logged {
                                let mut key = place.stream(&document.identities);
                                key.extend_from_slice(format!("\0{number}\0{array}").as_bytes());
                                let part = Part { node: parent, range: raw, copies };
                                let list = gathered.lists.entry(key);
                                let list =
                                    list.or_insert_with(|| Stream::new(leaf.field, spaced, at));
                                list.parts.push(part);
                            }
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
        for nodes in listed.into_values() {
            self.list(nodes);
        }
    }

    /// Reads strings of one list, some of which are documents or events: what these are pieces of is joined.
    fn list(&mut self, nodes: Vec<(NodeId, At)>) {
        let mut gathered = Gathered::default();
        for (node, at) in nodes {
            let text = self.out.reading.text(node);
            let events = text.first() != Some(&b'{');
            let whole = 0..text.len();
            let parts = if events { sse::parts(text) } else { vec![sse::Part::Data(vec![whole])] };
            let is_document = |lines: &[Range<usize>]| match lines {
                [line] => json::lex(&text[line.clone()], &mut Ignore) == Lexed::Whole,
                _ => false,
            };
            let fits = |part: &sse::Part| match part {
                sse::Part::Data(lines) => is_document(lines),
                sse::Part::Other(_) => true,
            };
            if at.depth >= MAX_STRINGS || !parts.iter().all(fits) {
                self.open(node, &at);
                continue;
            }
            self.out.reading.set_kind(node, Kind::Container);
            for part in parts {
                match part {
                    sse::Part::Data(lines) => {
                        for line in lines {
                            let leaves = self.lex(node, &line, Some(events), &at.deeper()).1;
                            self.document(leaves, &mut gathered, &at.deeper());
                        }
                    }
                    sse::Part::Other(value) => self.text(node, value, None, &at),
                }
            }
        }
        self.join_gathered(gathered);
    }

    /// Adds what was gathered as nodes.
    pub(super) fn join_gathered(&mut self, gathered: Gathered) {
        let Gathered { streams, lists, encoded, unsure, .. } = gathered;
        if !encoded.is_empty() {
            let at = At::default();
            let stream = Stream::new(None, false, &at);
            self.channel(b"bytes\0".to_vec(), &encoded, Written::Plain, stream, true);
        }
        for (_, mut list) in lists {
            let parts = std::mem::take(&mut list.parts);
            let node = self.out.reading.add_joined(&parts, Written::Json, list.spaced, list.field);
            self.open(node, &list.at);
        }
        // A document that broke off may have lost what says which stream its delta goes on with, so
        // the delta is also read as the end of each it could be of. More than a few are no honest event.
        for (key, stream) in &streams {
            let could_end = |(names, own, _): &&(Vec<u8>, Vec<u8>, Part)| {
                key != own && key.starts_with(names.as_slice())
            };
            let ends = unsure.iter().take(MOST_UNSURE).filter(could_end);
            let ends: Vec<Part> = ends.map(|(.., part)| part.clone()).collect();
            if !ends.is_empty() {
                let parts = [&stream.parts[..], &ends].concat();
                let Stream { field, spaced, ref at, .. } = *stream;
                let stream = Stream::new(field, spaced, at);
                self.channel(key.clone(), &parts, Written::Json, stream, false);
            }
        }
        for (key, mut stream) in streams {
            let parts = std::mem::take(&mut stream.parts);
            self.channel(key, &parts, Written::Json, stream, true);
        }
    }

    /// Adds what deltas join to, behind what has gone of it before. It goes on if it is sure that this is how they
    /// join.
    pub(super) fn channel(
        &mut self,
        key: Vec<u8>,
        parts: &[Part],
        written: Written,
        stream: Stream,
        sure: bool,
    ) {
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
                if sure {
                    self.out.channels.push(Channel { key, node, before, json: true });
                }
                return;
            }
            self.out.reading.set_kind(node, Kind::Container);
        }
        let before = tail.len();
        let node = self.out.reading.add_joined_to(&tail, parts, written, spaced, field);
        let json = !known && self.open_json(node, &at).is_some();
        if !json {
            self.open_text(node, &at);
        }
        if sure {
            self.out.channels.push(Channel { key, node, before, json });
        }
    }
}
