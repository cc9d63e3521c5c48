//! Whether a body that has been redacted has to be read again.
//!
//! It is read until nothing is found, and mostly the second reading finds nothing. Where edits change nothing but some
//! texts, and these are texts still, reading it again would give the same texts but for those: to look into them is
//! enough. Wherever that is not sure, the answer is no.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use oubliette_detect::ScanOptions;
use zeroize::Zeroizing;

use crate::edit::{Edit, apply, settle, written};
use crate::explore::{Explored, is_prose};
use crate::hits::{Hits, stands_alone};
use crate::pool::Warm;
use crate::reading::{Kind, NodeId};
use crate::redactor::ExchangeRedactor;
use crate::report::Format;

/// A header of an event stream is cut there.
const LONGEST_HEADER: usize = u16::MAX as usize;

impl ExchangeRedactor {
    /// Whether texts hold nothing once they are edited, and are read in no other way.
    pub(crate) fn settles(
        &mut self,
        explored: &Explored<'_>,
        edits: &BTreeMap<NodeId, Vec<Edit>>,
    ) -> bool {
        let reading = &explored.reading;
        let streams = explored.format == Format::EventStream;
        let is_read_by_texts =
            streams || matches!(explored.format, Format::Json | Format::Ndjson | Format::Sse);
        // Whether base64 counts as such depends on its length, and protobuf may begin with a line end.
        let is_odd = reading.is_encoded() || reading.body().first() == Some(&b'\n');
        if !is_read_by_texts || is_odd || explored.loses_tail || self.pseudonyms.has_news() {
            return false;
        }
        edits.iter().all(|(&node, edits)| {
            match reading.node(node).kind {
                // A zero.
                Kind::Number => return true,
                Kind::Container => return false,
                Kind::Text | Kind::Schema => {}
            }
            // What stands for a value is no base64, no number and no beginning of JSON.
            let tame = |edit: &Edit| edit.with.iter().any(|b| b"<*".contains(b));
            if !reading.is_seamless(node) || !edits.iter().all(tame) {
                return false;
            }
            let edits = settle(edits.clone());
            let text = Zeroizing::new(apply(reading.text(node), &edits));
            if (streams && text.len() > LONGEST_HEADER) || !is_prose(&text, reading.field(node)) {
                return false;
            }
            // Where a private key is, there is no saying.
            let is_known =
                self.redactor.is_standard() && memmem::find(&text, b"-----BEGIN").is_none();
            let whole = 0..text.len();
            let near = if is_known { near(&text, &written(&edits)) } else { vec![whole] };
            near.into_iter().all(|stretch| self.finds_nothing(explored, node, &text[stretch]))
        })
    }

    /// Whether nothing is found in a stretch of text that stands where a node does.
    fn finds_nothing(&mut self, explored: &Explored<'_>, node: NodeId, text: &[u8]) -> bool {
        let reading = &explored.reading;
        let policy = Arc::clone(&self.redactor.policy);
        let options = ScanOptions {
            min_score: policy.min_score,
            entities: policy.entities.as_deref(),
            field: reading.field(node),
        };
        let Warm { scanner, .. } = &mut *self.scanner;
        let mut hits = Hits::default();
        hits.scan_text(node, text, reading.node(node).kind, scanner, &options);
        hits.drop_kept(self.redactor.rules(), &policy);
        let mut again = false;
        self.pseudonyms.find(text, |span, _| again |= stands_alone(text, &span));
        hits.found.is_empty() && !again
    }
}

/// Whether edits of a body lie in or beside texts other than those that they were made for.
pub(crate) fn reaches_others(
    explored: &Explored<'_>,
    own: BTreeMap<NodeId, Vec<Edit>>,
    edits: &[Edit],
) -> bool {
    let reading = &explored.reading;
    let places: Vec<_> = edits.iter().map(|edit| edit.range.clone()).collect();
    let others = |node: &NodeId| !own.contains_key(node);
    if reading.texts().filter(others).any(|node| reading.touches(node, &places)) {
        return true;
    }
    own.into_iter().any(|(node, edits)| {
        let mut theirs = BTreeMap::new();
        theirs.insert(node, edits);
        reading.touching(node, &places) != reading.edits_of_body(theirs).len()
    })
}

/// Nothing decides of a value that is further off, but that a word goes on: what is in disguise is undone with 256 bytes
/// around it and on to the next white space, and from there rules look for words 128 bytes away.
const REACH: usize = 384;

/// The stretches of a text, from white space to white space, that these places may have changed.
fn near(text: &[u8], places: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut near: Vec<Range<usize>> = Vec::new();
    for place in places {
        let from = place.start.saturating_sub(REACH);
        let until = (place.end + REACH).min(text.len());
        let before = text[..from].iter().rposition(u8::is_ascii_whitespace);
        let behind = text[until..].iter().position(u8::is_ascii_whitespace);
        let (from, until) = (before.unwrap_or(0), behind.map_or(text.len(), |at| until + at));
        match near.last_mut() {
            Some(last) if from <= last.end => last.end = until,
            _ => near.push(from..until),
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_goes_from_white_space_to_white_space() {
        let text = ["word ".repeat(1000), "x".repeat(2000), " word".repeat(1000)].concat();
        for (places, expected) in [
            (vec![(2500, 2501)], vec![(2114, 2889)]),
            (vec![(0, 0), (2000, 2010), (9000, 9001)], vec![(0, 384), (1614, 2394), (8615, 9385)]),
            (vec![(4990, 4990)], vec![(4604, 7000)]),
            (vec![], vec![]),
        ] {
            let places: Vec<_> = places.into_iter().map(|(start, end)| start..end).collect();
            let near = near(text.as_bytes(), &places);
            assert_eq!(near.iter().map(|r| (r.start, r.end)).collect::<Vec<_>>(), expected);
        }
    }
}
