//! Edits of a text: ranges and what to put in their place.

use std::ops::Range;

/// Replace this range of a text by these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) with: Vec<u8>,
}

/// Puts edits in order and makes them disjoint. Where two overlap, all that either covers goes, and
/// the replacement of the one that begins first (of the longer, if both begin together) stands for
/// both: nothing that was to be taken out is left standing.
pub(crate) fn settle(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by(|a, b| {
        (a.range.start, std::cmp::Reverse(a.range.end))
            .cmp(&(b.range.start, std::cmp::Reverse(b.range.end)))
    });
    let mut settled: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match settled.last_mut() {
            Some(last) if edit.range.start < last.range.end => {
                last.range.end = last.range.end.max(edit.range.end);
            }
            _ => settled.push(edit),
        }
    }
    settled
}

/// Applies settled edits.
pub(crate) fn apply(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    apply_within(text, 0..text.len(), edits)
}

/// A stretch of a text with those settled edits applied that lie in it. None may lie across its ends.
pub(crate) fn apply_within(text: &[u8], stretch: Range<usize>, edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(stretch.len());
    let mut at = stretch.start;
    let first = edits.partition_point(|edit| edit.range.start < stretch.start);
    for edit in edits[first..].iter().take_while(|edit| edit.range.end <= stretch.end) {
        out.extend_from_slice(&text[at..edit.range.start]);
        out.extend_from_slice(&edit.with);
        at = edit.range.end;
    }
    out.extend_from_slice(&text[at..stretch.end]);
    out
}

/// Where settled edits have left what they put in, in the edited text.
pub(crate) fn written(edits: &[Edit]) -> Vec<Range<usize>> {
    let mut written: Vec<Range<usize>> = Vec::with_capacity(edits.len());
    let (mut at, mut from) = (0, 0);
    for edit in edits {
        at += edit.range.start - from;
        written.push(at..at + edit.with.len());
        at += edit.with.len();
        from = edit.range.end;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, with: &str) -> Edit {
        Edit { range: start..end, with: with.into() }
    }

    #[test]
    fn overlaps_leave_nothing_standing() {
        let edits =
            settle(vec![edit(4, 8, "B"), edit(2, 6, "A"), edit(2, 3, "C"), edit(8, 9, "D")]);
        assert_eq!(edits, [edit(2, 8, "A"), edit(8, 9, "D")]);
        assert_eq!(apply(b"0123456789", &edits), b"01AD9");
        assert_eq!(written(&edits), [2..3, 3..4]);
    }
}
