//! How a body was read: an arena of texts, each made of pieces of the text around it.
//!
//! The body is node 0. A JSON string value is a node whose one piece lies in the document; what the
//! deltas of a stream join to is a node with a piece in every event; JSON inside a string is a node
//! whose own children are its values. Whatever is found in a node is *lifted*, piece by piece, to
//! the bytes of the body, and so are replacements: that is how `\u0040` cut between two deltas of a
//! tool call can be found as `@` and replaced where it lies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::attachment::Style;
use crate::edit::{Edit, apply, settle};
use crate::form;
use crate::json::{OffsetMap, decode, escape_into};
use crate::utf16::{self, Utf16};

/// The place of a node in its [`Reading`]. Children come after their parents.
pub(crate) type NodeId = usize;

/// The body and every text found in it.
pub(crate) struct Reading<'b> {
    body: &'b [u8],
    nodes: Vec<Node>,
    /// Whether some of it is in base64 or binary.
    encoded: bool,
}

/// One text and where it comes from. A body may hold millions of short strings, so this is small.
pub(crate) struct Node {
    parent: u32,
    pub(crate) kind: Kind,
    /// The name of the field the text stands in, in the parent's text.
    field: Option<Stretch>,
    source: Source,
}

/// What a node is to the redactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Holds other nodes and is not scanned itself.
    Container,
    /// Scanned; findings are replaced by text.
    Text,
    /// Scanned for secrets only: descriptions of tools.
    Schema,
    /// A JSON number: scanned, and replaced as a whole by another number.
    Number,
}

enum Source {
    /// A stretch of the parent's text, as it stands.
    Slice(Stretch),
    /// Stretches of other nodes, decoded and joined.
    Joined(Box<Joined>),
}

struct Joined {
    text: Zeroizing<Vec<u8>>,
    pieces: Vec<Piece>,
    /// Whether there is text between the pieces that is in none of them, for what they hold.
    spaced: bool,
}

/// A range in 32-bit numbers: texts are bounded to 4 GiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Stretch {
    fn from(range: Range<usize>) -> Self {
        let narrow = |offset| u32::try_from(offset).expect("texts are bounded to 4 GiB");
        Self { start: narrow(range.start), end: narrow(range.end) }
    }
}

impl Stretch {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn shifted(self, by: usize) -> Self {
        let range = self.range();
        Self::from(range.start + by..range.end + by)
    }
}

/// A stretch of a node that is to be joined with others.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) node: NodeId,
    pub(crate) range: Range<usize>,
    pub(crate) copies: Option<Box<Copies>>,
}

impl Part {
    pub(crate) fn new(node: NodeId, range: Range<usize>) -> Self {
        Self { node, range, copies: None }
    }
}

/// A stretch of a node's text and the stretch of another node's text it was decoded from.
struct Piece {
    /// Where it begins in the node's own text.
    start: usize,
    len: usize,
    node: NodeId,
    parent: Range<usize>,
    coding: Coding,
    /// Other places in the parent that repeat this piece in another form.
    copies: Option<Box<Copies>>,
}

/// How a piece is written in its parent.
enum Coding {
    Plain,
    Json(OffsetMap),
    Form(OffsetMap),
    /// The whole piece is encoded as one: any change rewrites it all.
    Base64(Style, Option<Utf16>),
    /// The same, by these bytes: numbers in binary, and what only can be taken out.
    Binary(&'static [u8]),
}

/// How stretches that are to be joined are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Plain,
    /// As raw JSON strings.
    Json,
    /// As values of a form.
    Form,
}

/// What repeats a piece token by token, in parent coordinates: log probabilities give each token
/// also as a list of bytes, and its likeliest alternatives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies {
    /// A JSON array with the piece's bytes as numbers.
    pub(crate) bytes: Option<Range<usize>>,
    /// A JSON array of alternatives, the token itself among them.
    pub(crate) alternatives: Option<Range<usize>>,
    /// The number that the token has in the model's vocabulary.
    pub(crate) id: Option<Range<usize>>,
}

impl<'b> Reading<'b> {
    pub(crate) const BODY: NodeId = 0;

    pub(crate) fn new(body: &'b [u8]) -> Self {
        let source = Source::Slice((0..body.len()).into());
        let root = Node { parent: 0, kind: Kind::Container, field: None, source };
        Self { body, nodes: vec![root], encoded: false }
    }

    /// Every node that is to be scanned.
    pub(crate) fn texts(&self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes.len()).filter(|&id| self.nodes[id].kind != Kind::Container)
    }

    /// How many nodes hold others.
    pub(crate) fn containers(&self) -> usize {
        self.nodes.iter().filter(|node| node.kind == Kind::Container).count()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The text of a node.
    pub(crate) fn text(&self, id: NodeId) -> &[u8] {
        match &self.nodes[id].source {
            Source::Joined(joined) => &joined.text,
            Source::Slice(slice) if id == Self::BODY => &self.body[slice.range()],
            Source::Slice(slice) => &self.text(self.nodes[id].parent())[slice.range()],
        }
    }

    /// The name of the field a node's text stands in.
    pub(crate) fn field(&self, id: NodeId) -> Option<&str> {
        let node = &self.nodes[id];
        std::str::from_utf8(&self.text(node.parent())[node.field?.range()]).ok()
    }

    /// Adds a stretch of `parent` as a node, as it stands.
    pub(crate) fn add_slice(
        &mut self,
        parent: NodeId,
        range: Range<usize>,
        field: Option<Stretch>,
        kind: Kind,
    ) -> NodeId {
        self.push(parent, Source::Slice(range.into()), field, kind)
    }

    /// Adds a raw JSON string of `parent` as a node, with its escapes undone.
    pub(crate) fn add_json_string(
        &mut self,
        parent: NodeId,
        raw: Range<usize>,
        escaped: bool,
        field: Option<Stretch>,
    ) -> NodeId {
        if escaped {
            self.add_joined(&[Part::new(parent, raw)], Written::Json, false, field)
        } else {
            self.add_slice(parent, raw, field, Kind::Text)
        }
    }

    /// Adds what several stretches of other nodes join to as one node, with their escapes undone and, if
    /// `spaced`, a space between them where there is none. Before them stands a text that is in no node. The field is one of the
    /// first stretch's node.
    pub(crate) fn add_joined_to(
        &mut self,
        before: &[u8],
        stretches: &[Part],
        written: Written,
        spaced: bool,
        field: Option<Stretch>,
    ) -> NodeId {
        let mut text = Zeroizing::new(before.to_vec());
        let mut pieces = Vec::with_capacity(stretches.len());
        let first = stretches.first().map_or(Self::BODY, |part| part.node);
        let spaces = usize::from(spaced) * stretches.len();
        text.reserve_exact(stretches.iter().map(|part| part.range.len()).sum::<usize>() + spaces);
        for Part { node, range, copies } in stretches.iter().cloned() {
            let source = &self.text(node)[range.clone()];
            let (decoded, coding) = match written {
                Written::Plain => (Cow::Borrowed(source), Coding::Plain),
                Written::Json => {
                    let decoded = decode(source);
                    (decoded.text, Coding::Json(decoded.map))
                }
                Written::Form => {
                    let decoded = form::decode(source);
                    (decoded.text, Coding::Form(decoded.map))
                }
            };
            let is_space = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
            if spaced && !is_space(text.last()) && !is_space(decoded.first()) {
                text.push(b' ');
            }
            let start = text.len();
            text.extend_from_slice(&decoded);
            pieces.push(Piece {
                start,
                len: text.len() - start,
                node,
                parent: range,
                coding,
                copies,
            });
        }
        self.push(
            first,
            Source::Joined(Box::new(Joined { text, pieces, spaced })),
            field,
            Kind::Text,
        )
    }

    /// As [`add_joined_to`](Self::add_joined_to), with nothing before.
    pub(crate) fn add_joined(
        &mut self,
        stretches: &[Part],
        written: Written,
        spaced: bool,
        field: Option<Stretch>,
    ) -> NodeId {
        self.add_joined_to(b"", stretches, written, spaced, field)
    }

    /// Adds the text that a stretch of `parent` holds in base64.
    pub(crate) fn add_base64(
        &mut self,
        parent: NodeId,
        range: Range<usize>,
        style: Style,
        bytes: Zeroizing<Vec<u8>>,
    ) -> NodeId {
        let utf16 = utf16::detect(&bytes, None);
        let text = match utf16 {
            Some(utf16) => utf16.decode(&bytes),
            None => bytes,
        };
        let piece = Piece {
            start: 0,
            len: text.len(),
            node: parent,
            parent: range,
            coding: Coding::Base64(style, utf16),
            copies: None,
        };
        let joined = Joined { text, pieces: vec![piece], spaced: false };
        self.encoded = true;
        self.push(parent, Source::Joined(Box::new(joined)), None, Kind::Text)
    }

    /// Adds what a stretch of `parent` holds in binary. If anything is found in it, these bytes stand there instead.
    pub(crate) fn add_binary(
        &mut self,
        parent: NodeId,
        range: Range<usize>,
        text: Vec<u8>,
        instead: &'static [u8],
        field: Option<Stretch>,
        kind: Kind,
    ) -> NodeId {
        let text = Zeroizing::new(text);
        let piece = Piece {
            start: 0,
            len: text.len(),
            node: parent,
            parent: range,
            coding: Coding::Binary(instead),
            copies: None,
        };
        let joined = Joined { text, pieces: vec![piece], spaced: false };
        self.encoded = true;
        self.push(parent, Source::Joined(Box::new(joined)), field, kind)
    }

    /// The node and the offset in its text where a node's text begins.
    pub(crate) fn origin(&self, id: NodeId) -> (NodeId, usize) {
        let node = &self.nodes[id];
        match &node.source {
            Source::Slice(slice) => (node.parent(), slice.range().start),
            Source::Joined(joined) => {
                joined.pieces.first().map_or((node.parent(), 0), |p| (p.node, p.parent.start))
            }
        }
    }

    /// Whether some text was in base64 or binary.
    pub(crate) fn is_encoded(&self) -> bool {
        self.encoded
    }

    /// Whether a text is the pieces that it was joined from and nothing between them.
    pub(crate) fn is_seamless(&self, id: NodeId) -> bool {
        match &self.nodes[id].source {
            Source::Slice(_) => true,
            Source::Joined(joined) => !joined.spaced,
        }
    }

    /// The bytes that were read.
    pub(crate) fn body(&self) -> &'b [u8] {
        self.body
    }

    pub(crate) fn set_kind(&mut self, id: NodeId, kind: Kind) {
        self.nodes[id].kind = kind;
    }

    fn push(
        &mut self,
        parent: NodeId,
        source: Source,
        field: Option<Stretch>,
        kind: Kind,
    ) -> NodeId {
        let parent = u32::try_from(parent).expect("no more nodes than bytes");
        self.nodes.push(Node { parent, kind, field, source });
        self.nodes.len() - 1
    }

    /// Where a stretch of a node's text lies in the body: one range, or one for each piece that a
    /// stream cut it into.
    pub(crate) fn lift(&self, id: NodeId, range: Range<usize>) -> Vec<Range<usize>> {
        if id == Self::BODY {
            return vec![range];
        }
        let node = &self.nodes[id];
        match &node.source {
            Source::Slice(slice) => {
                let base = slice.range().start;
                self.lift(node.parent(), base + range.start..base + range.end)
            }
            Source::Joined(joined) => joined
                .touched(&range)
                .flat_map(|(piece, local)| self.lift(piece.node, piece.in_parent(&local)))
                .collect(),
        }
    }

    /// Whether a text lies in or beside one of these stretches of the body, which are in order.
    pub(crate) fn touches(&self, id: NodeId, stretches: &[Range<usize>]) -> bool {
        let near = |range: Range<usize>| {
            let next = stretches.partition_point(|stretch| stretch.end < range.start);
            stretches.get(next).is_some_and(|stretch| stretch.start <= range.end)
        };
        match &self.nodes[id].source {
            _ if id == Self::BODY => near(0..self.body.len()),
            Source::Slice(slice) if self.nodes[id].parent() == Self::BODY => near(slice.range()),
            Source::Slice(slice) => self.lift(id, 0..slice.range().len()).into_iter().any(near),
            Source::Joined(joined) => joined
                .pieces
                .iter()
                .any(|piece| self.lift(piece.node, piece.parent.clone()).into_iter().any(near)),
        }
    }

    /// The pieces of a joined text that hold something: where each ends in it, and where it begins in the body.
    pub(crate) fn pieces(&self, id: NodeId) -> impl Iterator<Item = (usize, usize)> {
        let pieces = match &self.nodes[id].source {
            Source::Joined(joined) => &joined.pieces[..],
            Source::Slice(_) => &[],
        };
        pieces.iter().filter(|piece| piece.len > 0).filter_map(|piece| {
            let at = self.lift(piece.node, piece.parent.clone()).first()?.start;
            Some((piece.start + piece.len, at))
        })
    }

    /// As [`lift`](Self::lift), but to the text of `to`; `None` if the node is not part of that.
    pub(crate) fn lift_to(
        &self,
        to: NodeId,
        id: NodeId,
        range: Range<usize>,
    ) -> Option<Vec<Range<usize>>> {
        if id == to {
            return Some(vec![range]);
        }
        // Children come after their parents.
        if id < to {
            return None;
        }
        let node = &self.nodes[id];
        match &node.source {
            Source::Slice(slice) => {
                let base = slice.range().start;
                self.lift_to(to, node.parent(), base + range.start..base + range.end)
            }
            Source::Joined(joined) => {
                let mut ranges = Vec::new();
                for (piece, local) in joined.touched(&range) {
                    ranges.extend(self.lift_to(to, piece.node, piece.in_parent(&local))?);
                }
                Some(ranges)
            }
        }
    }

    /// As [`lift`](Self::lift), but no further than to what is written as one: the body, or the base64 node
    /// that each range is then in.
    pub(crate) fn settle_at(&self, id: NodeId, range: Range<usize>) -> Vec<(NodeId, Range<usize>)> {
        let node = &self.nodes[id];
        match &node.source {
            _ if id == Self::BODY => vec![(id, range)],
            Source::Slice(slice) => {
                let base = slice.range().start;
                self.settle_at(node.parent(), base + range.start..base + range.end)
            }
            Source::Joined(joined) => match &joined.pieces[..] {
                [Piece { coding: Coding::Base64(..) | Coding::Binary(_), .. }] => {
                    vec![(id, range)]
                }
                _ => joined
                    .touched(&range)
                    .flat_map(|(piece, local)| self.settle_at(piece.node, piece.in_parent(&local)))
                    .collect(),
            },
        }
    }

    /// Carries edits of nodes down to the body: what is to be edited there, settled.
    pub(crate) fn edits_of_body(&self, mut edits: BTreeMap<NodeId, Vec<Edit>>) -> Vec<Edit> {
        // Children come after their parents, so the last is always complete.
        while let Some((id, own)) = edits.pop_last() {
            let own = settle(own);
            if id == Self::BODY {
                return own;
            }
            let node = &self.nodes[id];
            match &node.source {
                Source::Slice(slice) => {
                    let carried = carry_slice(slice.range().start, own);
                    edits.entry(node.parent()).or_default().extend(carried);
                }
                Source::Joined(joined) => {
                    for (parent, edit) in joined.carry(&own) {
                        edits.entry(parent).or_default().push(edit);
                    }
                }
            }
        }
        Vec::new()
    }
}

impl Node {
    fn parent(&self) -> NodeId {
        self.parent as NodeId
    }
}

fn carry_slice(base: usize, edits: Vec<Edit>) -> Vec<Edit> {
    let moved = |range: Range<usize>| base + range.start..base + range.end;
    edits.into_iter().map(|edit| Edit { range: moved(edit.range), ..edit }).collect()
}

impl Joined {
    /// The pieces a range of the text touches, each with the touched range in the piece's own
    /// coordinates.
    fn touched(&self, range: &Range<usize>) -> impl Iterator<Item = (&Piece, Range<usize>)> {
        let first = self.pieces.partition_point(|p| p.start + p.len <= range.start);
        let (start, end) = (range.start, range.end);
        self.pieces[first..]
            .iter()
            .take_while(move |p| p.start < end)
            .map(move |p| (p, start.max(p.start) - p.start..end.min(p.start + p.len) - p.start))
    }

    /// Edits of this text as edits of the nodes it was joined from. A replacement goes where the edit
    /// begins; from the other pieces it touches, the text is taken out.
    fn carry(&self, edits: &[Edit]) -> Vec<(NodeId, Edit)> {
        if let [Piece { coding: Coding::Base64(style, utf16), node, parent, .. }] = &self.pieces[..]
        {
            let edited = apply(&self.text, edits);
            let with = style.encode(&utf16.map_or(edited.clone(), |utf16| utf16.encode(&edited)));
            return vec![(*node, Edit { range: parent.clone(), with })];
        }
        if let [Piece { coding: Coding::Binary(instead), node, parent, .. }] = &self.pieces[..] {
            return vec![(*node, Edit { range: parent.clone(), with: instead.to_vec() })];
        }
        let mut carried = Vec::new();
        let mut token: Vec<Edit> = Vec::new();
        let mut last: Option<&Piece> = None;
        for edit in edits {
            let mut with = &edit.with[..];
            for (piece, local) in self.touched(&edit.range) {
                if let Some(done) = last.filter(|done| !std::ptr::eq(*done, piece)) {
                    done.update_copies(&self.text, &std::mem::take(&mut token), &mut carried);
                }
                last = Some(piece);
                let mut written = Vec::new();
                match piece.coding {
                    Coding::Json(_) => escape_into(&mut written, with),
                    Coding::Form(_) => form::encode_into(&mut written, with),
                    Coding::Plain | Coding::Base64(..) | Coding::Binary(_) => {
                        written.extend_from_slice(with);
                    }
                }
                let range = piece.in_parent(&local);
                carried.push((piece.node, Edit { range, with: written }));
                token.push(Edit { range: local, with: with.to_vec() });
                with = &[];
            }
        }
        if let Some(done) = last {
            done.update_copies(&self.text, &token, &mut carried);
        }
        carried
    }
}

impl Piece {
    fn in_parent(&self, local: &Range<usize>) -> Range<usize> {
        let base = self.parent.start;
        match &self.coding {
            Coding::Plain => base + local.start..base + local.end,
            Coding::Json(map) | Coding::Form(map) => {
                base + map.raw(local.start)..base + map.raw(local.end)
            }
            Coding::Base64(..) | Coding::Binary(_) => self.parent.clone(),
        }
    }

    /// Makes the copies of an edited piece agree with it.
    fn update_copies(&self, text: &[u8], edits: &[Edit], carried: &mut Vec<(NodeId, Edit)>) {
        let Some(copies) = self.copies.as_deref() else { return };
        if let Some(range) = copies.bytes.clone() {
            let token = apply(&text[self.start..self.start + self.len], edits);
            let numbers: Vec<_> = token.iter().map(u8::to_string).collect();
            let with = format!("[{}]", numbers.join(",")).into_bytes();
            carried.push((self.node, Edit { range, with }));
        }
        if let Some(range) = copies.alternatives.clone() {
            carried.push((self.node, Edit { range, with: b"[]".to_vec() }));
        }
        if let Some(range) = copies.id.clone() {
            carried.push((self.node, Edit { range, with: b"0".to_vec() }));
        }
    }
}
