//! One table that tells where a match of any of many shapes may start.

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::compile::Matcher;
use crate::compile::shape::PLACES;

/// For every byte value, which of 64 buckets of rules admit it before a match and at each of its first
/// places. A candidate is where the bits of successive bytes, ANDed, leave one standing; mostly none is
/// left after a few bytes. Bytes that no rule tells apart share a column, so that the table of an account's few
/// rules is small.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    buckets: Vec<Vec<u32>>,
    column: Vec<u8>,
    columns: usize,
    before: Vec<u64>,
    /// Row by row, a row for each place.
    at: Vec<u64>,
    /// The buckets of which some rule asks for at most so many places.
    short: [u64; PLACES],
}

impl Shapes {
    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Calls `found` for every place in `from..to` where a bucket's rules may start, in order of places.
    pub(crate) fn scan(
        &self,
        haystack: &[u8],
        from: usize,
        to: usize,
        mut found: impl FnMut(&[u32], usize),
    ) {
        if self.is_empty() {
            return;
        }
        let to = to.min(haystack.len());
        let column = |byte: u8| usize::from(self.column[usize::from(byte)]);
        let mut before = match from.checked_sub(1) {
            Some(at) if from < to => self.before[column(haystack[at])],
            _ => u64::MAX,
        };
        for start in from..to {
            let first = column(haystack[start]);
            let mut bits = self.at[first] & before;
            before = self.before[first];
            let mut row = 0;
            for place in 1..PLACES {
                if bits == 0 {
                    break;
                }
                row += self.columns;
                bits &= match haystack.get(start + place) {
                    Some(&byte) => self.at[row + column(byte)],
                    None => self.short[place],
                };
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
    /// What may not stand before a match.
    forbidden: ByteSet,
    sets: Vec<ByteSet>,
    /// How many places a match has at least.
    needed: usize,
    rules: Vec<u32>,
}

impl Builder {
    pub(super) fn add(&mut self, rule: u32, matcher: &Matcher) {
        let around = (matcher.forbidden_before, matcher.boundary);
        self.add_sets(rule, around, &matcher.shape, matcher.len);
    }

    fn add_sets(
        &mut self,
        rule: u32,
        (forbidden, boundary): (ByteSet, Boundary),
        sets: &[ByteSet],
        len: Option<usize>,
    ) {
        let mut sets = sets.to_vec();
        let needed = sets.len();
        // What may not follow a match of fixed length tells nine digits from ten.
        if len == Some(needed) && needed < PLACES && boundary != Boundary::None {
            sets.push(ByteSet::ALL.minus(boundary.forbidden_before()));
        }
        let known = self
            .kinds
            .iter_mut()
            .find(|kind| kind.forbidden == forbidden && kind.needed == needed && kind.sets == sets);
        match known {
            Some(kind) => kind.rules.push(rule),
            None => self.kinds.push(Kind { forbidden, sets, needed, rules: vec![rule] }),
        }
    }

    pub(super) fn build(mut self) -> Shapes {
        if self.kinds.is_empty() {
            return Shapes::default();
        }
        // Beyond 64 kinds some share a bucket: more candidates, none missed. Neighbours in order are alike, and
        // kinds of different boundaries keep apart, or each place in a long number would be a candidate.
        self.kinds.sort_by(|a, b| (a.forbidden, &a.sets).cmp(&(b.forbidden, &b.sets)));
        let alike = |a: &Kind, b: &Kind| a.forbidden == b.forbidden;
        let share = self.kinds.len().div_ceil(BUCKETS - self.kinds.chunk_by(alike).count());
        let mut before = [0u64; 256];
        let mut at = [[0u64; PLACES]; 256];
        let mut short = [0; PLACES];
        let mut buckets = Vec::new();
        for (bucket, kinds) in
            self.kinds.chunk_by(alike).flat_map(|kinds| kinds.chunks(share)).enumerate()
        {
            let bit = 1u64 << bucket;
            buckets.push(kinds.iter().flat_map(|kind| kind.rules.iter().copied()).collect());
            for kind in kinds {
                for byte in 0..=255u8 {
                    if !kind.forbidden.contains(byte) {
                        before[usize::from(byte)] |= bit;
                    }
                    for (place, bits) in at[usize::from(byte)].iter_mut().enumerate() {
                        if kind.sets.get(place).is_none_or(|set| set.contains(byte)) {
                            *bits |= bit;
                        }
                    }
                }
                short[kind.needed..].iter_mut().for_each(|bits| *bits |= bit);
            }
        }
        let mut seen: Vec<usize> = Vec::new();
        let mut column = vec![0u8; 256];
        for byte in 0..256 {
            let known = seen.iter().position(|&s| before[s] == before[byte] && at[s] == at[byte]);
            let number = known.unwrap_or_else(|| {
                seen.push(byte);
                seen.len() - 1
            });
            column[byte] = u8::try_from(number).expect("there are 256 bytes");
        }
        Shapes {
            buckets,
            column,
            columns: seen.len(),
            before: seen.iter().map(|&byte| before[byte]).collect(),
            at: (0..PLACES)
                .flat_map(|place| seen.iter().map(move |&b| (place, b)))
                .map(|(place, byte)| at[byte][place])
                .collect(),
            short,
        }
    }
}

const BUCKETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn around(boundary: Boundary) -> (ByteSet, Boundary) {
        (boundary.forbidden_before(), boundary)
    }

    #[test]
    fn candidates_are_where_all_places_fit() {
        let mut digits = ByteSet::EMPTY;
        digits.insert_range(b'0', b'9');
        let mut letters = ByteSet::EMPTY;
        letters.insert_range(b'a', b'z');
        let mut builder = Builder::default();
        builder.add_sets(0, around(Boundary::Digit), &[digits, digits], None);
        builder.add_sets(1, around(Boundary::None), &[letters, digits], None);
        builder.add_sets(2, around(Boundary::None), &[digits], None);
        builder.add_sets(3, around(Boundary::Digit), &[digits, digits], Some(2));
        let table = builder.build();
        let find = |from, to| {
            let mut found = Vec::new();
            table.scan(b"a12 345", from, to, |rules, at| {
                found.extend(rules.iter().map(|&rule| (rule, at)));
            });
            found.sort_unstable();
            found
        };
        let all = [(0, 1), (0, 4), (1, 0), (2, 1), (2, 2), (2, 4), (2, 5), (2, 6), (3, 1)];
        assert_eq!(find(0, 7), all);
        assert_eq!(find(5, 99), [(2, 5), (2, 6)]);
    }

    #[test]
    fn more_kinds_than_buckets_share() {
        let mut builder = Builder::default();
        for rule in 0..200u32 {
            let mut set = ByteSet::EMPTY;
            set.insert(u8::try_from(rule).unwrap());
            builder.add_sets(rule, around(Boundary::None), &[set], None);
        }
        let table = builder.build();
        for byte in 0..200u8 {
            let mut hit = false;
            table.scan(&[byte], 0, 1, |rules, _| hit |= rules.contains(&u32::from(byte)));
            assert!(hit, "{byte}");
        }
    }
}
