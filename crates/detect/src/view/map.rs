//! A derived text and the way back.

use std::fmt;
use std::ops::Range;

use crate::finding::Span;

/// A text that was written out of a stretch of another, with the place each of its bytes comes from.
///
/// Only what was changed is remembered, as [`Piece`]s; what stands between them was copied. Pieces of the same
/// kind that follow each other are one, so that a megabyte of `%41` takes as little as a single one.
#[derive(Default)]
pub(super) struct View {
    pub(super) text: Vec<u8>,
    pieces: Vec<Piece>,
    /// The stretch of the original.
    origin: Range<usize>,
    /// Whether the original goes on before and after the stretch.
    cut: (bool, bool),
    /// The encoded run that the text was decoded from, if it was.
    run: Option<Range<usize>>,
}

/// A changed stretch: so many bytes of the view at a time stand for so many of the original.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where it begins in the view's text.
    view: u32,
    view_len: u32,
    /// Where it begins in the original, counted from the view's origin.
    origin: u32,
    origin_len: u32,
    view_unit: u8,
    origin_unit: u8,
}

impl Piece {
    fn view_end(&self) -> u32 {
        self.view + self.view_len
    }
}

/// How near a finding is to what a view changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nearness {
    /// Holds or touches a change.
    Touching,
    /// A change is near enough to have turned a context word or keyword up.
    Near,
    /// Nothing that was changed bears upon it.
    Far,
}

impl View {
    /// Empties the view for a stretch of a text of that length.
    pub(super) fn begin(&mut self, origin: Range<usize>, len: usize) {
        debug_assert!(origin.len() <= MAX_ORIGIN);
        self.text.clear();
        self.pieces.clear();
        self.cut = (origin.start > 0, origin.end < len);
        self.run = None;
        self.origin = origin;
    }

    /// Names the encoded run that the text is decoded from; `cut` says whether the view begins after its start
    /// and ends before its end.
    pub(super) fn decoded_from(&mut self, run: Range<usize>, cut: (bool, bool)) {
        self.run = Some(run);
        self.cut = cut;
    }

    /// Where the view's stretch begins in the original.
    pub(super) fn origin_start(&self) -> usize {
        self.origin.start
    }

    /// Where the view's stretch ends in the original.
    pub(super) fn origin_end(&self) -> usize {
        self.origin.end
    }

    /// Whether a span of the original holds some of what was changed.
    pub(super) fn changes(&self, span: Span) -> bool {
        let inside = |at: usize| at.saturating_sub(self.origin.start);
        let end = |piece: &Piece| (piece.origin + piece.origin_len) as usize;
        let first = self.pieces.partition_point(|piece| end(piece) <= inside(span.start));
        self.pieces.get(first).is_some_and(|piece| (piece.origin as usize) < inside(span.end))
    }

    pub(super) fn is_changed(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Notes that the text from `view_start` on stands for `origin`, so many bytes for so many.
    pub(super) fn changed(&mut self, view_start: usize, origin: Range<usize>, units: (u8, u8)) {
        // Views are made of windows of bounded size.
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let piece = Piece {
            view: narrow(view_start),
            view_len: narrow(self.text.len() - view_start),
            origin: narrow(origin.start - self.origin.start),
            origin_len: narrow(origin.len()),
            view_unit: units.0,
            origin_unit: units.1,
        };
        if let Some(last) = self.pieces.last_mut()
            && last.view_end() == piece.view
            && last.origin + last.origin_len == piece.origin
            && (last.view_unit, last.origin_unit) == units
            && last.view_len % u32::from(units.0.max(1)) == 0
        {
            last.view_len += piece.view_len;
            last.origin_len += piece.origin_len;
        } else {
            self.pieces.push(piece);
        }
    }

    /// The stretch of the original that a span of the text stands for: whole units of what was changed. Most
    /// of a run is the run.
    pub(super) fn original(&self, span: Span) -> Span {
        let start = self.unit(span.start).start;
        let end = self.unit(span.end - 1).end;
        match &self.run {
            Some(run) if 2 * (end - start) > run.len() => Span { start: run.start, end: run.end },
            _ => Span { start, end },
        }
    }

    /// The original of one byte of the text.
    fn unit(&self, at: usize) -> Range<usize> {
        let base = self.origin.start;
        let after = self.pieces.partition_point(|piece| piece.view as usize <= at);
        let Some(piece) = after.checked_sub(1).map(|last| self.pieces[last]) else {
            return base + at..base + at + 1;
        };
        let start = base + piece.origin as usize;
        let end = start + piece.origin_len as usize;
        let inside = at - piece.view as usize;
        if inside >= piece.view_len as usize {
            let plain = end + (inside - piece.view_len as usize);
            return plain..plain + 1;
        }
        let unit = inside / usize::from(piece.view_unit.max(1));
        let first = start + unit * usize::from(piece.origin_unit);
        first..(first + usize::from(piece.origin_unit)).min(end)
    }

    /// The end of the unit that `at`, a place in the original, lies inside of, if it splits one.
    pub(super) fn split_unit_end(&self, at: usize) -> Option<usize> {
        let at = at.checked_sub(self.origin.start)?;
        let after = self.pieces.partition_point(|piece| (piece.origin as usize) < at);
        let piece = self.pieces[after.checked_sub(1)?];
        let inside = at - piece.origin as usize;
        let unit = usize::from(piece.origin_unit.max(1));
        let splits = inside < piece.origin_len as usize && !inside.is_multiple_of(unit);
        splits.then(|| {
            let end = (inside.next_multiple_of(unit)).min(piece.origin_len as usize);
            self.origin.start + piece.origin as usize + end
        })
    }

    /// Whether a finding is whole as far as the view can tell: not cut off where the view ends and the
    /// original does not.
    pub(super) fn is_whole(&self, span: Span) -> bool {
        !(self.cut.0 && span.start == 0 || self.cut.1 && span.end == self.text.len())
    }

    /// How near a span of the text is to a change, and with `reach` for `Near`.
    pub(super) fn nearness(&self, span: Span, reach: usize) -> Nearness {
        if self.has_piece(span.start, span.end) {
            Nearness::Touching
        } else if self.has_piece(span.start.saturating_sub(reach), span.end + reach) {
            Nearness::Near
        } else {
            Nearness::Far
        }
    }

    fn has_piece(&self, start: usize, end: usize) -> bool {
        let first = self.pieces.partition_point(|piece| (piece.view_end() as usize) < start);
        self.pieces.get(first).is_some_and(|piece| piece.view as usize <= end)
    }
}

/// Views hold text that was hidden.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("len", &self.text.len()).finish_non_exhaustive()
    }
}

/// The longest stretch that one view is made of: the memory a view may take, within a small factor.
pub(super) const MAX_ORIGIN: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// "a%40%41b", the decoding of which is "a@Ab".
    fn percent() -> View {
        let mut view = View::default();
        view.begin(10..18, 30);
        for (text, origin) in [("a", None), ("@", Some(11..14)), ("A", Some(14..17)), ("b", None)] {
            let start = view.text.len();
            view.text.extend_from_slice(text.as_bytes());
            if let Some(origin) = origin {
                view.changed(start, origin, (1, 3));
            }
        }
        view
    }

    #[test]
    fn spans_lead_back_to_whole_units() {
        let view = percent();
        assert_eq!(view.pieces.len(), 1, "equal pieces are one");
        let back = |start, end| {
            let span = view.original(Span { start, end });
            (span.start, span.end)
        };
        assert_eq!(back(0, 1), (10, 11));
        assert_eq!(back(0, 4), (10, 18));
        assert_eq!(back(1, 2), (11, 14));
        assert_eq!(back(2, 4), (14, 18));
        let split: Vec<_> = (9..19).map(|at| view.split_unit_end(at)).collect();
        let (first, second) = (Some(14), Some(17));
        let want = [None, None, None, first, first, None, second, second, None, None];
        assert_eq!(split, want);
    }

    #[test]
    fn changes_are_told_in_the_original() {
        let changes = |start, end| percent().changes(Span { start, end });
        assert!(!changes(0, 11) && changes(0, 12) && changes(12, 13) && changes(16, 30));
        assert!(!changes(17, 30) && !changes(10, 11));
    }

    #[test]
    fn nearness_counts_touching_edges() {
        let view = percent();
        let near = |start, end| view.nearness(Span { start, end }, 0);
        assert_eq!(near(0, 1), Nearness::Touching);
        assert_eq!(near(3, 4), Nearness::Touching);
        assert!(!view.is_whole(Span { start: 0, end: 2 }));
        assert!(view.is_whole(Span { start: 1, end: 2 }));
        assert!(!view.is_whole(Span { start: 1, end: 4 }));
    }

    #[test]
    fn what_was_removed_lies_outside_what_follows_it() {
        let mut view = View::default();
        view.begin(0..5, 5); // "a", three invisible bytes, "b"
        view.text.push(b'a');
        view.changed(1, 1..4, (0, 3));
        view.text.push(b'b');
        assert_eq!(view.original(Span { start: 0, end: 2 }), Span { start: 0, end: 5 });
        assert_eq!(view.original(Span { start: 1, end: 2 }), Span { start: 4, end: 5 });
        assert_eq!(view.original(Span { start: 0, end: 1 }), Span { start: 0, end: 1 });
    }

    #[test]
    fn debug_does_not_print_the_text() {
        assert_eq!(format!("{:?}", percent()), "View { len: 4, .. }");
    }
}
