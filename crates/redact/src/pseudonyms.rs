//! The names that values go by within one exchange.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use oubliette_detect::{EntityType, RuleIndex};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Raw text, wiped on drop.
#[derive(PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Value(Vec<u8>);

impl Value {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl std::borrow::Borrow<[u8]> for Value {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Numbers for values, and the values themselves so that later copies of them are recognised.
///
/// Lives as long as one exchange and is wiped with it.
#[derive(Default)]
pub(crate) struct Pseudonyms {
    numbers: HashMap<EntityType, HashMap<Value, u32>>,
    known: HashMap<Value, RuleIndex>,
    /// Finds what is known, and says which rule found it first; made when it is asked for.
    automaton: Option<(AhoCorasick, Vec<RuleIndex>)>,
}

impl Pseudonyms {
    /// The number of a value among those of its entity, counted from 1 in order of appearance.
    pub(crate) fn number(&mut self, entity: &EntityType, value: &[u8]) -> u32 {
        let numbers = self.numbers.entry(entity.clone()).or_default();
        let next = u32::try_from(numbers.len()).map_or(u32::MAX, |n| n.saturating_add(1));
        *numbers.entry(canonical(value)).or_insert(next)
    }

    /// Remembers a value that a rule found, if a copy of it would be recognisable.
    pub(crate) fn learn(&mut self, rule: RuleIndex, value: &[u8]) {
        let new = is_telling(value) && !self.known.contains_key(value);
        if new && self.known.len() < MOST_KNOWN {
            self.automaton = None;
            self.known.insert(Value::new(value), rule);
        }
    }

    /// What finds every value remembered, the longest where several begin, and the rules that found them first.
    pub(crate) fn automaton(&mut self) -> Option<(&AhoCorasick, &[RuleIndex])> {
        if self.known.is_empty() {
            return None;
        }
        if self.automaton.is_none() {
            let values = self.known.keys().map(|value| &**value);
            let mut builder = AhoCorasick::builder();
            // An automaton too large to build would need values of gigabytes; bodies are bounded.
            let built = builder.match_kind(MatchKind::LeftmostLongest).build(values).ok()?;
            self.automaton = Some((built, self.known.values().copied().collect()));
        }
        self.automaton.as_ref().map(|(automaton, rules)| (automaton, &rules[..]))
    }

    pub(crate) fn known_count(&self) -> usize {
        self.known.len()
    }
}

/// Values that differ only in how they are written get one number: cards and phones by their
/// digits, all else without regard to ASCII case.
pub(crate) fn canonical(value: &[u8]) -> Value {
    let separators = |b: &u8| b" -.()/\t\n".contains(b);
    let numeric = value.iter().all(|b| b.is_ascii_digit() || *b == b'+' || separators(b));
    Value(if numeric {
        value.iter().copied().filter(u8::is_ascii_digit).collect()
    } else {
        value.to_ascii_lowercase()
    })
}

/// So many values are looked for again; the automaton for them takes a few megabytes then. A body
/// with more is a table of records, not a conversation that repeats itself.
const MOST_KNOWN: usize = 10_000;

/// Whether a value is so particular that other occurrences of the same bytes mean the same thing.
/// Short values and plain words are not; very long ones are not repeated.
fn is_telling(value: &[u8]) -> bool {
    (6..=256).contains(&value.len()) && value.iter().any(|b| b.is_ascii_digit() || *b == b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_number() {
        let mut names = Pseudonyms::default();
        let card: EntityType = "CREDIT_CARD".parse().unwrap();
        let mail: EntityType = "EMAIL_ADDRESS".parse().unwrap();
        for (entity, value, number) in [
            (&card, "4111 1111 1111 1111", 1),
            (&card, "4111-1111-1111-1111", 1),
            (&card, "5555555555554444", 2),
            (&mail, "Jo@Example.com", 1),
            (&mail, "jo@example.com", 1),
            (&card, "4111111111111111", 1),
        ] {
            assert_eq!(names.number(entity, value.as_bytes()), number, "{value}");
        }
    }
}
