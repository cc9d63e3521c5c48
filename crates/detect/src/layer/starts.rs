//! What is asked of a place before a rule's pattern is walked there, in one cache line for each rule.

use std::collections::BTreeMap;

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::compile::Matcher;
use crate::compile::gate::Gate;
use crate::compile::shape::PLACES;

/// Byte sets by number: rules mostly ask for the same few hundred, which stay in the nearest cache.
#[derive(Debug, Default)]
pub(crate) struct ByteSets(Vec<ByteSet>);

/// The number of a set.
pub(crate) type SetNumber = u16;

impl ByteSets {
    /// As [`ByteSet::all_admit`], of sets by their numbers.
    #[inline]
    pub(crate) fn all_admit(&self, sets: &[SetNumber], text: &[u8], at: usize) -> bool {
        let text = text.get(at..at + sets.len());
        text.is_some_and(|text| sets.iter().zip(text).all(|(&set, &byte)| self.admits(set, byte)))
    }

    #[inline]
    fn admits(&self, set: SetNumber, byte: u8) -> bool {
        self.0[usize::from(set)].contains(byte)
    }
}

/// Numbers sets as they come.
#[derive(Default)]
pub(super) struct ByteSetsBuilder {
    numbers: BTreeMap<ByteSet, SetNumber>,
    sets: ByteSets,
}

impl ByteSetsBuilder {
    /// The set's number; once numbers are used up, that of the set of all bytes, which only lets more through.
    pub(super) fn number(&mut self, set: ByteSet) -> SetNumber {
        if self.sets.0.is_empty() {
            self.sets.0.push(ByteSet::ALL);
            self.numbers.insert(ByteSet::ALL, 0);
        }
        if let Some(&known) = self.numbers.get(&set) {
            return known;
        }
        let Ok(fresh) = SetNumber::try_from(self.sets.0.len()) else { return 0 };
        self.sets.0.push(set);
        self.numbers.insert(set, fresh);
        fresh
    }

    pub(super) fn build(self) -> ByteSets {
        self.sets
    }
}

/// How a match of a rule may start, and what else is asked before it is looked for.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Start {
    shape: [SetNumber; PLACES],
    shape_len: u8,
    /// What may stand before.
    before: SetNumber,
    at_name: bool,
    /// Other things hold where the text starts.
    differs_at_start: bool,
    /// The length of the longest match of a rule that needs context for any threshold above `score`.
    pub(crate) needs_context: Option<u16>,
    pub(crate) score: f32,
    /// Whether keywords are to be looked for before the pattern.
    pub(crate) has_keywords: bool,
    /// Whether places before an anchor are offered as well.
    pub(crate) is_inner: bool,
    /// See [`Matcher::lead`].
    pub(crate) lead: (u8, u8),
    /// See [`Matcher::digit_within`].
    pub(crate) digit_within: Option<u16>,
}

impl Start {
    pub(super) fn new(
        matcher: &Matcher,
        (needs_context, score): (bool, f32),
        has_keywords: bool,
        sets: &mut ByteSetsBuilder,
    ) -> Self {
        const SHORT: &str = "leads and the matches of rules that need context are short";
        let mut shape = [0; PLACES];
        for (place, set) in shape.iter_mut().zip(&matcher.shape) {
            *place = sets.number(*set);
        }
        let max_len = matcher.max_len.filter(|_| needs_context);
        let (min, max) = matcher.lead;
        Self {
            shape,
            shape_len: matcher.shape.len() as u8,
            before: sets.number(ByteSet::ALL.minus(matcher.forbidden_before)),
            at_name: matcher.boundary == Boundary::Name,
            differs_at_start: matcher.shape_at_start.is_some(),
            needs_context: max_len.map(|len| u16::try_from(len).expect(SHORT)),
            score,
            has_keywords,
            is_inner: matches!(matcher.gate, Gate::Inner { .. } | Gate::InnerShape { .. }),
            lead: (u8::try_from(min).expect(SHORT), u8::try_from(max).expect(SHORT)),
            // What is farther off is not worth a look.
            digit_within: matcher.digit_within.and_then(|within| u16::try_from(within).ok()),
        }
    }

    /// As [`Matcher::may_start`].
    #[inline]
    pub(super) fn admits(
        &self,
        sets: &ByteSets,
        matcher: impl FnOnce() -> bool,
        text: &[u8],
        start: usize,
    ) -> bool {
        if start == 0 {
            if self.differs_at_start {
                return matcher();
            }
        } else if !sets.admits(self.before, text[start - 1]) {
            return false;
        }
        sets.all_admit(&self.shape[..usize::from(self.shape_len)], text, start)
            && (!self.at_name || Boundary::Name.admits_start(text, start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Pack, RuleSet};

    proptest! {
        #[test]
        fn packed_starts_admit_what_the_matcher_does(text in "[ab1_ .A-]{0,40}") {
            let mut pack = "pack = 't'\n".to_owned();
            let rules = [
                ("ab[0-9]", "word"),
                ("[a-z]_?1", "name"),
                (r"(?:\A|[^0-9])1[ab]", "none"),
                (r"\Aa.|b[ .]", "none"),
                ("[0-9]{2}-", "digit"),
                ("(?i)a[^1]b", "token"),
            ];
            for (number, (pattern, boundary)) in rules.iter().enumerate() {
                pack.push_str(&format!(
                    "[[rule]]\nid = 't.{number}'\nentity = 'T'\ncategory = 'pii'\nscore = 0.6\n\
                     pattern = '{pattern}'\nboundary = '{boundary}'\n"
                ));
            }
            let pack = Pack::from_toml("t", &pack).unwrap();
            let rules = RuleSet::builder().pack(pack).build().unwrap();
            let layer = &rules.layers()[0].layer;
            for start in 0..=text.len() {
                for (number, with) in (0..).zip(&layer.rules) {
                    let matcher = with.matcher.may_start(text.as_bytes(), start);
                    prop_assert_eq!(layer.may_start(number, text.as_bytes(), start), matcher);
                }
            }
        }
    }
}
