//! What a JSON document holds: its strings, numbers and arrays, and what each is by where it stands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::SHORTEST_NUMBER;
use crate::delta::{self, Likeness};
use crate::field::{self, CleanNames, Disguise};
use crate::json::{self, Path, Visit};
use crate::paths::{Decision, Paths};
use crate::reading::{Copies, NodeId, Stretch};

/// What one document of a body, or one string in it, holds.
#[derive(Default)]
pub(super) struct Leaves<'p> {
    pub(super) leaves: Vec<Leaf>,
    /// What tells objects of a stream apart, by object.
    pub(super) identities: Identities,
    /// `(object, range)` of arrays named `bytes`, and of those that hold the alternatives to a token.
    pub(super) bytes: BTreeMap<u32, Range<usize>>,
    pub(super) alternatives: BTreeMap<u32, Range<usize>>,
    /// The numbers of tokens in a vocabulary, by object.
    pub(super) ids: BTreeMap<u32, Range<usize>>,
    /// The `type` and the `key` or `name` that was met last, with its object.
    pub(super) kind: Option<(u32, Range<usize>)>,
    pub(super) label: Option<(u32, Range<usize>)>,
    /// Whether deltas are looked for, and whether unknown ones are guessed at.
    pub(super) deltas: Option<bool>,
    /// Whether the document is a request, response or event itself, and not data inside one.
    pub(super) outer: bool,
    pub(super) truncated: bool,
    /// Whether the document says that it is one event of several.
    pub(super) is_event: bool,
    /// Whether the document may go on, being part of a stream that is read in parts.
    pub(super) goes_on: bool,
    /// How many keys there are.
    pub(super) keys: usize,
    /// The node they are leaves of.
    pub(super) node: NodeId,
    /// What the account wants done by path, and the path of this document.
    pub(super) paths: Option<(&'p Paths, Rc<str>)>,
    pub(super) names: Option<&'p CleanNames>,
}

pub(super) type Identities = BTreeMap<u32, Vec<u8>>;

/// A string or number. A body may hold millions, so this is small.
pub(super) struct Leaf {
    pub(super) raw: Stretch,
    pub(super) field: Option<Stretch>,
    pub(super) role: Role,
    /// Left as it is for its path, but for what may stand in JSON inside it.
    pub(super) skip: bool,
    /// Its path, where paths matter.
    pub(super) path: Option<Rc<str>>,
}

pub(super) enum Role {
    String {
        escaped: bool,
    },
    /// A document or an event in a list of such, as logs keep the lines of a stream; the object that the list is in.
    Listed {
        escaped: bool,
        list: u32,
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
    /// In an event that a log has in an array in this object, if it is such a one.
    Token {
        place: Box<Place>,
        spaced: bool,
        logged: Option<u32>,
    },
}

/// Where a delta stands: under which names, in which objects.
pub(super) struct Place {
    pub(super) names: Vec<u8>,
    pub(super) objects: Vec<u32>,
    /// The object that the innermost array is in.
    list: Option<u32>,
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
        let is_sound = || self.kind_of(path).is_some_and(|kind| kind.ends_with(b"audio.delta"));
        let role = if field::is_number(path, text) {
            Role::Number
        } else if field::is_opaque(path, self.kind_of(path).as_deref()) {
            Role::Opaque { escaped }
        } else if let Some(count) = field::embedding_in_base64(path, text, escaped) {
            Role::Vector { what: Disguise::Embedding, count, base64: true }
        } else if self.outer && field::is_schema(path) {
            Role::Schema { escaped }
        } else if let Some(spaced) = delta::token(path) {
            Role::Token { place: Place::of(path), spaced, logged: delta::logged_token(path) }
        } else {
            match self.deltas.and_then(|events| delta::likeness(path, events, raw.len())) {
                // Sound in base64, piece by piece.
                Some(_) if is_sound() => Role::String { escaped },
                Some(likeness) => Role::Delta { likeness, escaped, place: Place::of(path) },
                None if is_sound() => Role::String { escaped },
                None => match (delta::logged(path), path.listed()) {
                    (Some(array), _) => Role::Logged { array, escaped, place: Place::of(path) },
                    (None, Some(list)) if begins_event(text) => Role::Listed { escaped, list },
                    _ => Role::String { escaped },
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
            b"top_logprobs" | b"topCandidates" | b"top_tokens" => {
                self.alternatives.insert(object, raw)
            }
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
        // Of a body that is an array of events, each of these is one.
        let is_outermost = || path.objects().nth(1).is_none();
        self.is_event |= delta::is_event(name) && is_outermost();
        match name {
            b"type" => self.kind = Some((object, raw.clone())),
            b"key" | b"name" if raw.len() <= MAX_LABEL => self.label = Some((object, raw.clone())),
            _ => {}
        }
        if delta::is_identity(name, name == b"type" && is_outermost())
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
    pub(super) fn copies(&self, place: &Place) -> Copies {
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

/// Whether a raw string may be a document, or an event of a stream.
fn begins_event(raw: &[u8]) -> bool {
    raw.starts_with(b"{") || raw.starts_with(b"data:") || raw.starts_with(b"event:")
}

/// The longest name that says what the value beside it is.
const MAX_LABEL: usize = 64;

impl Leaves<'_> {
    pub(super) fn shift(&mut self, by: usize) {
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
        let list = path.innermost_array();
        Box::new(Self { names, objects: path.objects().collect(), list })
    }

    /// What the tokens of one list have in common: the list.
    pub(super) fn list(&self, document: usize) -> Vec<u8> {
        let list = self.list.unwrap_or(u32::MAX);
        [&self.names[..], format!("\0{document}\0{list}").as_bytes()].concat()
    }

    /// What the deltas of one stream have in common: the names they stand under, and the identities
    /// of the objects around them.
    pub(super) fn stream(&self, identities: &Identities) -> Vec<u8> {
        let mut key = self.names.clone();
        // Text Generation Inference counts its events there.
        let counted = usize::from(key == b"text\0token\0");
        for (level, object) in self.objects.iter().enumerate().skip(counted) {
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
