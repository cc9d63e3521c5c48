//! What may go, and what has to be held back.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem;

use crate::explore::{Channel, Explored};
use crate::hits::Hit;
use crate::reading::{Kind, NodeId};

/// What decides of a value may stand so far behind it: windows for keywords and disguises reach no further.
pub(crate) const FAR: usize = 256;

/// So much of plain words is held back: what is found by the standard rules begins no further before its first
/// digit or sign. A test streams every example of them.
const NEAR: usize = 48;

/// So much of a channel is held back at most, for one long token or key: the longest private keys in use have
/// 13 KiB.
const MOST: usize = 16 << 10;

/// A channel that ends as texts do and has had nothing to say for so many units has ended: APIs do not tell, or each
/// in its way. Channels that take turns are waited for longer, and one that stands in the middle of something for as
/// long as less than [`MOST`] has come of others.
const IDLE: usize = 24;
const MOST_PATIENCE: usize = 512;

/// Where a text may have ended, no sign that values have stands among its last bytes, so many.
const LAST_WORDS: usize = 32;

/// The number of units at the start that may go.
pub(super) fn decided(
    explored: &Explored<'_>,
    ends: &[usize],
    placed: &[(Hit, Vec<Range<usize>>)],
    standard: bool,
) -> usize {
    let reading = &explored.reading;
    let unit_of = |at: usize| ends.partition_point(|end| *end <= at);
    let mut spans: BTreeMap<NodeId, Vec<Range<usize>>> = BTreeMap::new();
    for (hit, _) in placed {
        spans.entry(hit.node).or_default().push(hit.span.clone());
    }
    for (node, aside) in &explored.aside {
        spans.entry(*node).or_default().push(aside.range());
    }
    let mut count = ends.len();
    let patience = IDLE.max(4 * explored.channels.len()).min(MOST_PATIENCE);
    for channel in &explored.channels {
        let pieces: Vec<(usize, usize)> =
            reading.pieces(channel.node).map(|(end, at)| (end, unit_of(at))).collect();
        let Some(&(_, latest)) = pieces.last() else { continue };
        let is_idle = ends.len() - 1 - latest > patience;
        if ends[ends.len() - 1] - ends[latest] > MOST
            || (is_idle && seems_over(reading.text(channel.node), channel.json))
        {
            continue;
        }
        let until = held_from(explored, channel, &spans, standard);
        if let Some((_, unit)) = pieces.iter().find(|(end, _)| *end > until) {
            count = count.min(*unit);
        }
    }
    // A value goes as a whole.
    loop {
        let until = count.checked_sub(1).map_or(0, |at| ends[at]);
        let across = placed.iter().filter_map(|(_, ranges)| {
            let start = ranges.iter().map(|r| r.start).min()?;
            let end = ranges.iter().map(|r| r.end).max()?;
            (start < until && end > until).then(|| unit_of(start))
        });
        match across.min() {
            Some(less) if less < count => count = less,
            _ => return count,
        }
    }
}

/// From where on the text of a channel is held back.
fn held_from(
    explored: &Explored<'_>,
    channel: &Channel,
    spans: &BTreeMap<NodeId, Vec<Range<usize>>>,
    standard: bool,
) -> usize {
    let reading = &explored.reading;
    let length = reading.text(channel.node).len();
    let none = Vec::new();
    let spans_of = |node| spans.get(&node).unwrap_or(&none);
    if !channel.json {
        return safe_end(reading.text(channel.node), spans_of(channel.node), standard);
    }
    // Of JSON, what is complete is decided; what reaches the end may go on.
    let mut until = length;
    for node in reading.texts().filter(|node| *node > channel.node) {
        let text = reading.text(node);
        let ends_there = |range: Range<usize>| {
            let places = reading.lift_to(channel.node, node, range)?;
            (places.last()?.end == length).then(|| places[0].start)
        };
        let Some(start) = ends_there(0..text.len()) else { continue };
        let held = match reading.node(node).kind {
            Kind::Text => safe_end(text, spans_of(node), standard),
            _ if text.len() > MOST => text.len(),
            _ => 0,
        };
        let at = if held < text.len() { ends_there(held..text.len()) } else { Some(length) };
        until = until.min(at.unwrap_or(start));
    }
    for (node, aside) in &explored.aside {
        if let Some(places) = reading.lift_to(channel.node, *node, aside.range())
            && let (Some(first), Some(last)) = (places.first(), places.last())
            && last.end == length
            && length - first.start <= MOST
        {
            until = until.min(first.start);
        }
    }
    until
}

/// Up to where a text that goes on is decided.
fn safe_end(text: &[u8], spans: &[Range<usize>], standard: bool) -> usize {
    let far = text.len().saturating_sub(FAR);
    let mut end = far;
    if standard {
        let sign =
            text[far..].iter().position(|b| is_telling(*b)).map_or(text.len(), |at| far + at);
        end = far.max(sign.saturating_sub(NEAR)).min(text.len().saturating_sub(NEAR));
    }
    // A private key is over when it says so.
    if let Some(key) = memmem::rfind(text, b"-----BEGIN")
        && memmem::find(&text[key..], b"-----END").is_none()
    {
        end = end.min(key);
    }
    let between_words = |at: usize| {
        at == 0
            || text[at - 1].is_ascii_whitespace()
            || (text[at - 1] >= 0x80 && is_boundary(text, at))
    };
    while !between_words(end) {
        end -= 1;
    }
    while let Some(span) = spans.iter().find(|span| span.start < end && end < span.end) {
        end = span.start;
    }
    if text.len() - end > MOST {
        end = far;
        while end < text.len() && !is_boundary(text, end) {
            end += 1;
        }
    }
    end
}

/// Whether a text may be over where it stands: at the end of a sentence, and in no value.
fn seems_over(text: &[u8], json: bool) -> bool {
    let text = text.trim_ascii_end();
    let last = &text[text.len().saturating_sub(LAST_WORDS)..];
    !json
        && last.last().is_none_or(|b| !b.is_ascii_alphanumeric())
        && !last.iter().any(|b| is_telling(*b))
}

fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

/// Bytes that values have and words do not: digits of any script, the signs of addresses and disguises.
fn is_telling(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'@' | b'%' | b'&' | b'\\' | b'=' | b'_' | b'/' | b'<')
        // Letters of Latin, Greek, Cyrillic and Hebrew begin with these; what else there is may be folded.
        || (byte >= 0xc0 && !(0xc3..=0xd7).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_held_briefly_and_values_until_they_are_over() {
        let words = "The quick brown fox jumps over the lazy dog and sleeps. ";
        let held = |text: &str| text.len() - safe_end(text.as_bytes(), &[], true);
        assert!((NEAR..NEAR + 8).contains(&held(&words.repeat(3))));
        assert!(held(&format!("{}4111 1111 ", words.repeat(8))) <= NEAR + 20);
        assert!(held(&format!("{}4111 1111 {}", words.repeat(8), words.repeat(2))) > 120);
        let key = format!("{words}-----BEGIN PRIVATE KEY-----\n{}", "MIIabc\n".repeat(200));
        assert!(held(&key) >= 1400);
        let token = format!("{words}{}", "x".repeat(3000));
        assert_eq!(held(&token), 3000);
        assert!(held(&format!("{words}{}", "x".repeat(MOST + 1))) <= FAR);
        for (span, end) in [(100..400, 452), (100..490, 100)] {
            assert_eq!(
                safe_end(words.repeat(9).as_bytes(), std::slice::from_ref(&span), true),
                end
            );
        }
        assert!(words.repeat(9).len() - safe_end(words.repeat(9).as_bytes(), &[], false) >= FAR);
    }
}
