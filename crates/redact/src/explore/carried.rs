//! What is remembered of a stream that is read in parts.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Explored, opens_document};
use crate::json;
use crate::reading::NodeId;
use crate::stream::FAR;

/// What is remembered of a stream that is read in parts.
#[derive(Default)]
pub(crate) struct Carried {
    pub(super) channels: BTreeMap<Vec<u8>, Memory>,
    /// Something has gone.
    pub(super) begun: bool,
    /// Counts what has gone, to tell the channels that have been silent for longest.
    pub(super) time: u64,
}

/// What is remembered of a channel.
#[derive(Default)]
pub(super) struct Memory {
    /// The end of its text, redacted.
    pub(super) tail: Zeroizing<Vec<u8>>,
    /// Where in its JSON it stands, if it is JSON in pieces.
    pub(super) opening: Option<Zeroizing<Vec<u8>>>,
    pub(super) time: u64,
}

/// What deltas of a stream join to, in the part of it that is being read.
pub(crate) struct Channel {
    pub(super) key: Vec<u8>,
    pub(crate) node: NodeId,
    /// So much of its text has gone before.
    pub(super) before: usize,
    /// Whether it is JSON in pieces, and its texts are other nodes.
    pub(crate) json: bool,
}

/// So many channels are remembered; of more, those that have been silent for longest are forgotten.
const MOST_CHANNELS: usize = 64;

impl Explored<'_> {
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
