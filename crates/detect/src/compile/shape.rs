//! The bytes a pattern admits at each of its first places.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

use crate::byteset::ByteSet;

/// How many places are looked at: enough to tell numbers of nine digits from such of ten, and a vendor's prefix
/// from a word.
pub(crate) const PLACES: usize = 16;
/// The same behind a literal: enough to tell a name that something is assigned to from a word of prose.
pub(crate) const TAIL: usize = 6;

/// For each of the first places, up to the shortest match: a set that holds every byte that may stand
/// there, of matches that start where the text does or of all others. Other look-around is taken to hold, so the
/// sets may be too large, never too small.
pub(super) fn of(nfa: &NFA, at_start: bool) -> Vec<ByteSet> {
    let mut shape = Vec::with_capacity(PLACES);
    let mut ways = Ways::new(nfa);
    while shape.len() < PLACES {
        let at_start = at_start && shape.is_empty();
        match ways.step(nfa, ByteSet::ALL, at_start) {
            Some(set) => shape.push(set),
            None => return shape, // a match may end here: no more is required
        }
    }
    shape
}

/// The same of the places behind `literal`, ASCII case aside, of matches that start with it.
pub(super) fn behind(nfa: &NFA, literal: &[u8]) -> Vec<ByteSet> {
    let mut tail = Vec::with_capacity(TAIL);
    let mut ways = Ways::new(nfa);
    for &byte in literal {
        if ways.step(nfa, ByteSet::either_case(byte), true).is_none() {
            return tail;
        }
    }
    while tail.len() < TAIL
        && let Some(set) = ways.step(nfa, ByteSet::ALL, true)
    {
        tail.push(set);
    }
    tail
}

/// All that an automaton may be in after some bytes.
struct Ways {
    places: Vec<StateID>,
    next: Vec<StateID>,
    /// The last step in which each state was met.
    met: Vec<u32>,
    steps: u32,
}

impl Ways {
    fn new(nfa: &NFA) -> Self {
        let met = vec![0; nfa.states().len()];
        Self { places: vec![nfa.start_anchored()], next: Vec::new(), met, steps: 0 }
    }

    /// The bytes of `wanted` that lead on from these places, which become those that they lead to; `None` if a match
    /// may end here. Whether the text's start may be asked for depends.
    fn step(&mut self, nfa: &NFA, wanted: ByteSet, at_start: bool) -> Option<ByteSet> {
        let Self { places, next, met, steps } = self;
        *steps += 1;
        let mut set = ByteSet::EMPTY;
        next.clear();
        let mut over = |first: u8, last: u8, to: StateID| {
            let mut bytes = ByteSet::EMPTY;
            bytes.insert_range(first, last);
            let bytes = bytes.intersection(wanted);
            if bytes != ByteSet::EMPTY {
                set = set.union(bytes);
                next.push(to);
            }
        };
        while let Some(id) = places.pop() {
            if std::mem::replace(&mut met[id.as_usize()], *steps) == *steps {
                continue;
            }
            match nfa.state(id) {
                state @ (State::ByteRange { .. } | State::Sparse(_) | State::Dense(_)) => {
                    transitions(state, &mut over);
                }
                State::Look { look: Look::Start, .. } if !at_start => {}
                State::Look { next, .. } | State::Capture { next, .. } => places.push(*next),
                State::Union { alternates } => places.extend(alternates.iter().copied()),
                State::BinaryUnion { alt1, alt2 } => places.extend([*alt1, *alt2]),
                State::Fail => {}
                State::Match { .. } => return None,
            }
        }
        next.sort_unstable();
        next.dedup();
        std::mem::swap(places, next);
        Some(set)
    }
}

/// Calls `over` with each stretch of bytes that leads on from a state, and where to.
pub(super) fn transitions(state: &State, mut over: impl FnMut(u8, u8, StateID)) {
    match state {
        State::ByteRange { trans } => over(trans.start, trans.end, trans.next),
        State::Sparse(sparse) => {
            sparse.transitions.iter().for_each(|t| over(t.start, t.end, t.next));
        }
        State::Dense(dense) => {
            for (byte, &to) in (0..=255u8).zip(dense.transitions.iter()) {
                if to != StateID::ZERO {
                    over(byte, byte, to);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(pattern: &str) -> Vec<String> {
        let nfa = NFA::compiler()
            .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
            .build(pattern)
            .unwrap();
        of(&nfa, false).iter().map(|set| set.iter().map(char::from).collect()).collect()
    }

    #[test]
    fn sets_follow_the_pattern_up_to_its_shortest_match() {
        assert_eq!(shape("a[bc]d"), ["a", "bc", "d"]);
        assert_eq!(shape(r"\b(?:x|yz)w"), ["xy", "wz"]);
        assert_eq!(shape("a+b?"), ["a"]);
        assert_eq!(shape("[01]{40}").len(), PLACES);
    }
}
