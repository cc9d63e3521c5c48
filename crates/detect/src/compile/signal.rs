//! Runs that every match of a pattern must hold.
//!
//! The pattern's automaton is walked together with the little automaton that watches for a run. If no way
//! leads to a match before the run is long enough, the run is inevitable, and the walk also knows how far
//! behind the match's start it begins at most. Look-around is taken to hold, so more ways are walked than
//! there are, never fewer.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::{Class, ClassBytesRange, ClassUnicodeRange, Hir, HirKind};

use super::shape::transitions;
use crate::prefilter::{DIGIT_RUN, Separated, TOKEN_RUN, is_token_byte};

/// How far behind the start of every match a run of digits begins at most; `None` if a match may have
/// none, or only further away than `reach`.
pub(super) fn digits(nfa: &NFA, reach: usize) -> Option<usize> {
    walk(nfa, (DIGIT_RUN, reach), Separated::default(), Separated::step, Separated::len)
}

/// The same for a run of token bytes.
pub(super) fn token(nfa: &NFA, reach: usize) -> Option<usize> {
    let step = |len, byte| {
        let len = if is_token_byte(byte) { len + 1 } else { 0 };
        (len < TOKEN_RUN).then_some(len)
    };
    walk(nfa, (TOKEN_RUN, reach), 0usize, step, |len| len)
}

/// How far behind the start of every match a digit stands at most: the longest way that holds none. Linear in the
/// size of the automaton, as each state is left behind once for all ways to it.
pub(super) fn digit(nfa: &NFA, reach: usize) -> Option<usize> {
    /// What is known of a state: how many bytes there may be before a digit, if any way leads to one.
    #[derive(Clone, Copy)]
    enum Known {
        Nothing,
        UnderWay,
        Longest(Option<usize>),
    }
    let mut known = vec![Known::Nothing; nfa.states().len()];
    let mut stack = vec![nfa.start_anchored()];
    let mut ways: Vec<(StateID, usize)> = Vec::new();
    while let Some(&id) = stack.last() {
        if let Known::Longest(_) = known[id.as_usize()] {
            stack.pop();
            continue;
        }
        let mut longest = None;
        ways.clear();
        let mut over = |first: u8, last: u8, to: StateID| {
            if first <= b'9' && last >= b'0' {
                longest = longest.max(Some(0));
            }
            if first < b'0' || last > b'9' {
                ways.push((to, 1));
            }
        };
        match nfa.state(id) {
            state @ (State::ByteRange { .. } | State::Sparse(_) | State::Dense(_)) => {
                transitions(state, &mut over);
            }
            State::Look { next, .. } | State::Capture { next, .. } => ways.push((*next, 0)),
            State::Union { alternates } => ways.extend(alternates.iter().map(|&to| (to, 0))),
            State::BinaryUnion { alt1, alt2 } => ways.extend([(*alt1, 0), (*alt2, 0)]),
            State::Fail => {}
            State::Match { .. } => return None,
        }
        known[id.as_usize()] = Known::UnderWay;
        let before = stack.len();
        for &(to, bytes) in &ways {
            match known[to.as_usize()] {
                Known::Nothing => stack.push(to),
                Known::UnderWay => return None, // a circle, so there is no longest way
                Known::Longest(rest) => longest = longest.max(rest.map(|rest| rest + bytes)),
            }
        }
        if stack.len() == before {
            known[id.as_usize()] = Known::Longest(longest);
            stack.pop();
        }
    }
    match known[nfa.start_anchored().as_usize()] {
        Known::Longest(longest) => longest.filter(|&longest| longest <= reach),
        _ => None,
    }
}

/// How many digits every match holds among its first `room` bytes, at least.
pub(super) fn digits_within(hir: &Hir, room: usize) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => {
            literal.0.iter().take(room).filter(|byte| byte.is_ascii_digit()).count()
        }
        HirKind::Class(class) => {
            let is_digit = match class {
                Class::Bytes(class) => {
                    let within = |r: &ClassBytesRange| r.start() >= b'0' && r.end() <= b'9';
                    class.ranges().iter().all(within)
                }
                Class::Unicode(class) => {
                    let within = |r: &ClassUnicodeRange| r.start() >= '0' && r.end() <= '9';
                    class.ranges().iter().all(within)
                }
            };
            usize::from(is_digit && room > 0)
        }
        HirKind::Capture(capture) => digits_within(&capture.sub, room),
        HirKind::Alternation(subs) => {
            subs.iter().map(|sub| digits_within(sub, room)).min().unwrap_or(0)
        }
        HirKind::Concat(subs) => in_sequence(subs.iter(), room),
        HirKind::Repetition(repetition) => {
            in_sequence((0..repetition.min).map(|_| &*repetition.sub), room)
        }
    }
}

fn in_sequence<'h>(subs: impl Iterator<Item = &'h Hir>, room: usize) -> usize {
    let (mut digits, mut used) = (0, 0);
    for sub in subs {
        digits += digits_within(sub, room - used);
        match sub.properties().maximum_len() {
            Some(len) if used + len < room => used += len,
            _ => break, // what follows may be beyond
        }
    }
    digits
}

/// The first byte of each stretch that are all digits, or separators, or token bytes, or none of these.
const KINDS: [u8; 15] = *b"\x00 !-./0:A[_`a{\x80";

/// More ways at once than this come from large Unicode classes, which are no numbers or tokens.
const MAX_WAYS: usize = 512;

fn walk<S: Copy + Ord>(
    nfa: &NFA,
    (run, reach): (usize, usize),
    begin: S,
    step: impl Fn(S, u8) -> Option<S>,
    len: impl Fn(S) -> usize,
) -> Option<usize> {
    let mut ways = vec![(nfa.start_anchored(), begin)];
    let mut next = Vec::new();
    let mut furthest = None;
    let mut depth = 0;
    loop {
        next.clear();
        // States without a byte of their own lead on at once; in a pattern they never lead in a circle without
        // one that is a union, so what was seen is kept for these only.
        let mut unions = Vec::new();
        while let Some((id, state)) = ways.pop() {
            let mut over = |first: u8, last: u8, to: StateID| {
                // Bytes that change the state alike are one way: one of each kind is tried.
                let mut previous = None;
                let kinds = KINDS.iter().copied().filter(|&byte| first < byte && byte <= last);
                for byte in std::iter::once(first).chain(kinds) {
                    let after = step(state, byte);
                    if previous != Some(after) {
                        previous = Some(after);
                        match after {
                            Some(after) => next.push((to, after)),
                            None => {
                                furthest = furthest.max(Some((depth + 1usize).saturating_sub(run)));
                            }
                        }
                    }
                }
            };
            match nfa.state(id) {
                state @ (State::ByteRange { .. } | State::Sparse(_) | State::Dense(_)) => {
                    transitions(state, &mut over);
                }
                State::Look { next, .. } | State::Capture { next, .. } => ways.push((*next, state)),
                State::Union { alternates } => {
                    if !unions.contains(&(id, state)) {
                        unions.push((id, state));
                        ways.extend(alternates.iter().map(|&to| (to, state)));
                    }
                }
                State::BinaryUnion { alt1, alt2 } => {
                    if !unions.contains(&(id, state)) {
                        unions.push((id, state));
                        ways.extend([(*alt1, state), (*alt2, state)]);
                    }
                }
                State::Fail => {}
                State::Match { .. } => return None,
            }
        }
        if next.is_empty() {
            return furthest.filter(|&furthest| furthest <= reach);
        }
        next.sort_unstable();
        next.dedup();
        depth += 1;
        // A way on which a run could begin only further away ends the walk early: most patterns have one.
        let too_far = next.iter().any(|&(_, state)| depth - len(state) > reach);
        if too_far || next.len() > MAX_WAYS {
            return None;
        }
        std::mem::swap(&mut ways, &mut next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nfa(pattern: &str) -> NFA {
        let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
        NFA::compiler().syntax(syntax).build(pattern).unwrap()
    }

    #[test]
    fn digits_are_counted_as_far_as_they_must_be_there() {
        for (pattern, room, expected) in [
            ("[0-9]{3}-[0-9]{2}-[0-9]{4}", 64, 9),
            ("[0-9]{3}-[0-9]{2}-[0-9]{4}", 5, 4),
            ("[0-9]{3}-?[0-9]{2}", 4, 3),
            ("(?:4[0-9]|[A-Z]{9}12)x?", 64, 2),
            ("[A-Z0-9]{4}7+", 64, 1),
            ("[A-Z]+[0-9]", 64, 0),
            ("(?:[0-9] {0,3}){6}", 12, 3),
            ("a{1000}[0-9]", 64, 0),
        ] {
            let hir = regex_syntax::parse(pattern).unwrap();
            assert_eq!(digits_within(&hir, room), expected, "{pattern}");
        }
    }

    #[test]
    fn a_kind_is_known_by_its_first_byte() {
        let kind = |byte: u8| {
            let digit = Separated::default().step(b'1').and_then(|state| state.step(byte));
            (digit, is_token_byte(byte))
        };
        for byte in 1..=255u8 {
            assert!(kind(byte) == kind(byte - 1) || KINDS.contains(&byte), "{byte}");
        }
    }

    #[test]
    fn runs_are_seen_where_no_match_can_do_without() {
        for (pattern, expected) in [
            ("[0-9]{6}", Some(0)),
            ("[0-9]{5}", None),
            ("[A-Z]{2}[0-9]{6,9}", Some(2)),
            ("[A-Z]{0,3}[0-9]{3}-[0-9]{2}-[0-9]{4}", Some(3)),
            ("[0-9]{3}--[0-9]{3}", None),
            ("[0-9]{3}[ -]?[0-9]{3}", Some(0)),
            ("(?:[0-9]{1,3}\\.){3}[0-9]{1,3}", Some(1)),
            ("[A-Z]+[0-9]{6}", None),
            ("[A-Z]?[0-9]{6}|[a-z]", None),
        ] {
            assert_eq!(digits(&nfa(pattern), 8), expected, "{pattern}");
        }
        for (pattern, expected) in [
            ("[A-Z]{2}-?[0-9]", Some(3)),
            ("[a-z]+[0-9]", None),
            ("[a-z][0-9]?", None),
            ("(?:[a-z]{2}|[a-z]{4}-?)(?:[0-9]|[a-z0-9][0-9])", Some(6)),
            ("[0-9]+(?:[a-z]{99})*x", Some(0)),
            ("(?:a|[0-9]b)*c", None),
        ] {
            assert_eq!(digit(&nfa(pattern), 8), expected, "{pattern}");
        }
        for (pattern, expected) in [
            ("ghp_[A-Za-z0-9]{36}", Some(0)),
            ("SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}", Some(3)),
            ("[a-f0-9]{15}", None),
            ("key=[a-f0-9]{32}", Some(4)),
            ("[a-z]*=[a-f0-9]{32}", None),
        ] {
            assert_eq!(token(&nfa(pattern), 12), expected, "{pattern}");
        }
    }
}
