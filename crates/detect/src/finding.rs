//! What scanning yields: which rule, where, how sure. Never the text.

use std::ops::Range;

/// A half-open range of **bytes** in the scanned haystack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The number of bytes covered.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is covered. No finding is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The span as a range to index with.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// The place of a rule in its [`RuleSet`](crate::RuleSet); meaningless with any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub(crate) u32);

/// One place where a rule matched, as reported: small, and without the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The rule that matched; [`RuleSet::rule`](crate::RuleSet::rule) gives its id, entity,
    /// category and operator.
    pub rule: RuleIndex,
    /// Where, in bytes of the haystack.
    pub span: Span,
    /// How sure, from 0 to 1.
    pub score: f32,
}
