//! One table that tells where a match of any of many shapes may start.

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::compile::gate::PLACES;

/// For every byte value, which of 64 buckets of rules admit it before a match and at each of its first
/// places. A candidate is where the bits of successive bytes, ANDed, leave one standing; mostly none is
/// left after one or two bytes.
#[derive(Debug)]
pub(crate) struct Shapes {
    buckets: Vec<Vec<u32>>,
    before: Box<[u64; 256]>,
    at: Box<[[u64; 256]; PLACES]>,
    /// The buckets of which some rule asks for at most so many places.
    short: [u64; PLACES],
    /// The buckets with a rule that is not led by words.
    ungated: u64,
}

impl Shapes {
    /// Calls `found` for every place where a bucket's rules may start, in order of places. Without `gated`,
    /// rules that are led by words may be left out.
    pub(crate) fn scan(&self, haystack: &[u8], gated: bool, mut found: impl FnMut(&[u32], usize)) {
        let wanted = if gated { u64::MAX } else { self.ungated };
        if self.buckets.is_empty() || wanted == 0 {
            return;
        }
        let mut before = u64::MAX;
        for (start, &byte) in haystack.iter().enumerate() {
            let mut bits = self.at[0][usize::from(byte)] & before & wanted;
            before = self.before[usize::from(byte)];
            if bits == 0 {
                continue;
            }
            for place in 1..PLACES {
                bits &= match haystack.get(start + place) {
                    Some(&byte) => self.at[place][usize::from(byte)],
                    None => self.short[place],
                };
                if bits == 0 {
                    break;
                }
            }
            while bits != 0 {
                found(&self.buckets[bits.trailing_zeros() as usize], start);
                bits &= bits - 1;
            }
        }
    }
}

/// Gathers shapes; equal ones share a bucket.
#[derive(Default)]
pub(super) struct Builder {
    kinds: Vec<Kind>,
}

struct Kind {
    boundary: Boundary,
    sets: Vec<ByteSet>,
    gated: bool,
    rules: Vec<u32>,
}

impl Builder {
    pub(super) fn add(&mut self, rule: u32, boundary: Boundary, sets: &[ByteSet], gated: bool) {
        let known = self
            .kinds
            .iter_mut()
            .find(|kind| kind.boundary == boundary && kind.gated == gated && kind.sets == sets);
        match known {
            Some(kind) => kind.rules.push(rule),
            None => {
                let kind = Kind { boundary, sets: sets.to_vec(), gated, rules: vec![rule] };
                self.kinds.push(kind);
            }
        }
    }

    pub(super) fn build(mut self) -> Shapes {
        // Those that every text is searched for come first, so that as few as possible of their buckets are
        // shared.
        self.kinds.sort_by_key(|kind| kind.gated);
        let mut shapes = Shapes {
            buckets: vec![Vec::new(); self.kinds.len().min(BUCKETS)],
            before: Box::new([0; 256]),
            at: Box::new([[0; 256]; PLACES]),
            short: [0; PLACES],
            ungated: 0,
        };
        for (number, kind) in self.kinds.into_iter().enumerate() {
            let Kind { boundary, sets, gated, rules } = kind;
            // Beyond 64 kinds some share a bucket: more candidates, none missed.
            let bucket = number % BUCKETS;
            let bit = 1u64 << bucket;
            shapes.buckets[bucket].extend(rules);
            shapes.ungated |= if gated { 0 } else { bit };
            let forbidden = boundary.forbidden_before();
            for byte in 0..=255u8 {
                if !forbidden.contains(byte) {
                    shapes.before[usize::from(byte)] |= bit;
                }
                for (place, row) in shapes.at.iter_mut().enumerate() {
                    if sets.get(place).is_none_or(|set| set.contains(byte)) {
                        row[usize::from(byte)] |= bit;
                    }
                }
            }
            for place in sets.len()..PLACES {
                shapes.short[place] |= bit;
            }
        }
        shapes
    }
}

const BUCKETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_where_all_places_fit() {
        let mut digits = ByteSet::EMPTY;
        digits.insert_range(b'0', b'9');
        let mut letters = ByteSet::EMPTY;
        letters.insert_range(b'a', b'z');
        let mut builder = Builder::default();
        builder.add(0, Boundary::Digit, &[digits, digits], false);
        builder.add(1, Boundary::None, &[letters, digits], true);
        builder.add(2, Boundary::None, &[digits], false);
        for rule in 3..200 {
            let sets = vec![ByteSet::ALL; 1 + rule as usize % PLACES];
            builder.add(rule, Boundary::None, &sets, true);
        }
        let shapes = builder.build();
        let find = |gated: bool| {
            let mut found = Vec::new();
            shapes.scan(b"a12 345", gated, |rules, at| {
                found.extend(rules.iter().filter(|&&rule| rule < 3).map(|&rule| (rule, at)));
            });
            found.sort_unstable();
            found
        };
        let ungated = [(0, 1), (0, 4), (2, 1), (2, 2), (2, 4), (2, 5), (2, 6)];
        assert_eq!(find(false), ungated);
        assert_eq!(find(true), [&ungated[..2], &[(1, 0)], &ungated[2..]].concat());
        assert_eq!(shapes.buckets.iter().map(Vec::len).sum::<usize>(), 200);
    }
}
