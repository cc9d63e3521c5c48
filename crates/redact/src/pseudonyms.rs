//! The names that values go by within one exchange.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::memmem;
use oubliette_detect::{EntityType, RuleIndex};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::form;
use crate::json;

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
    known: HashSet<Value>,
    /// What was learned since it was last asked for.
    fresh: Vec<(Value, RuleIndex)>,
    /// All else that is known. Each level has a few times as many values as the next: a long stream learns them one
    /// by one, and making one automaton of them all anew each time would take the square of their number.
    levels: Vec<Level>,
}

/// Values that are looked for together.
struct Level {
    values: Vec<(Value, RuleIndex)>,
    automaton: AhoCorasick,
}

/// How many times more values a level has than the next.
const STEP: usize = 4;

impl Pseudonyms {
    /// The number of a value among those of its entity, counted from 1 in order of appearance.
    pub(crate) fn number(&mut self, entity: &EntityType, value: &[u8]) -> u32 {
        let numbers = self.numbers.entry(entity.clone()).or_default();
        let next = u32::try_from(numbers.len()).map_or(u32::MAX, |n| n.saturating_add(1));
        *numbers.entry(canonical(value)).or_insert(next)
    }

    /// Remembers a value that a rule found, if a copy of it would be recognisable.
    pub(crate) fn learn(&mut self, rule: RuleIndex, value: &[u8]) {
        if is_telling(value) && self.known.len() < MOST_KNOWN && !self.known.contains(value) {
            self.known.insert(Value::new(value));
            self.fresh.push((Value::new(value), rule));
        }
    }

    /// Calls back for every place in a text where a value stands that is remembered, the longest where several
    /// begin, with the rule that found it first. A place may come several times.
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(Range<usize>, RuleIndex)) {
        for Level { values, automaton } in &self.levels {
            for place in automaton.find_iter(text) {
                found(place.range(), values[place.pattern().as_usize()].1);
            }
        }
    }

    /// Gets ready to find what is remembered; `false` if that is nothing.
    pub(crate) fn prepare(&mut self) -> bool {
        if !self.fresh.is_empty() {
            let mut values = std::mem::take(&mut self.fresh);
            while let Some(level) =
                self.levels.pop_if(|last| last.values.len() < values.len() * STEP)
            {
                values.extend(level.values);
            }
            let mut builder = AhoCorasick::builder();
            builder.match_kind(MatchKind::LeftmostLongest);
            // One body is searched, mostly: what is quickly made is better than what is quick.
            builder.kind(Some(AhoCorasickKind::NoncontiguousNFA)).dense_depth(1);
            let patterns = values.iter().map(|(value, _)| &**value);
            // An automaton too large to build would need values of gigabytes; bodies are bounded.
            if let Ok(automaton) = builder.build(patterns) {
                self.levels.push(Level { values, automaton });
            }
        }
        !self.levels.is_empty()
    }

    /// Whether more is remembered than is looked for yet.
    pub(crate) fn has_news(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub(crate) fn known_count(&self) -> usize {
        self.known.len()
    }
}

/// Values that differ only in how they are written get one number: cards and phones by their
/// digits, all else without regard to ASCII case; escapes of JSON, HTML and URLs count as what they stand for.
pub(crate) fn canonical(value: &[u8]) -> Value {
    let value = &*unescaped(value);
    let separators = |b: &u8| b" -.()/\t\n".contains(b);
    let numeric = value.iter().all(|b| b.is_ascii_digit() || *b == b'+' || separators(b));
    Value(if numeric {
        value.iter().copied().filter(u8::is_ascii_digit).collect()
    } else {
        value.to_ascii_lowercase()
    })
}

/// A value as it would stand without escapes around it.
fn unescaped(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(value.to_vec());
    // Text inside text is escaped again.
    for _ in 0..3 {
        if memchr::memchr3(b'\\', b'%', b'&', &text).is_none() {
            break;
        }
        let undone = Zeroizing::new(json::decode(&text).text.into_owned());
        text = Zeroizing::new(Vec::with_capacity(undone.len()));
        for (at, part) in undone.split(|b| *b == b'+').enumerate() {
            // A plus sign is one here.
            text.extend_from_slice(if at > 0 { b"+" } else { b"" });
            text.extend_from_slice(&form::decode(part).text);
        }
        for at in ["&#64;", "&#x40;", "&commat;"] {
            if let Some(found) = memmem::find(&text, at.as_bytes()) {
                text.splice(found..found + at.len(), *b"@");
            }
        }
    }
    text
}

/// So many values are looked for again; the automaton for them takes a few megabytes then. A body
/// with more is a table of records, not a conversation that repeats itself.
const MOST_KNOWN: usize = 10_000;

/// Whether a value is so particular that other occurrences of the same bytes mean the same thing.
/// Short values and plain words are not; very long ones are not repeated.
fn is_telling(value: &[u8]) -> bool {
    value.len() <= 256 && may_be_telling(value)
}

/// Whether a text can hold such a value at all.
pub(crate) fn may_be_telling(text: &[u8]) -> bool {
    text.len() >= 6 && text.iter().any(|b| b.is_ascii_digit() || *b == b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_learned_is_found_and_there_are_few_levels() {
        let rules = oubliette_detect::RuleSet::standard();
        let mut scanner = oubliette_detect::Scanner::new(&rules);
        let rule = scanner.scan(b"jo@example.com", &Default::default())[0].rule;
        let mut names = Pseudonyms::default();
        assert!(!names.prepare());
        let mut text = Vec::new();
        for n in 0..500 {
            let value = format!("value{n}@");
            names.learn(rule, value.as_bytes());
            text.extend_from_slice(value.as_bytes());
            assert!(names.prepare());
            let mut found = 0;
            names.find(&text, |range, _| found += range.len());
            assert_eq!(found, text.len());
            assert!(names.levels.len() <= 6);
        }
        assert_eq!(names.known_count(), 500);
    }

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
            (&mail, r"jo\u0040example.com", 1),
            (&mail, r"jo\\u0040example.com", 1),
            (&mail, "jo%40example.com", 1),
            (&mail, "jo%2540example.com", 1),
            (&mail, "jo&#64;example.com", 1),
            (&mail, "jo+a@example.com", 2),
            (&mail, "jo%2Ba%40example.com", 2),
            (&card, "4111%201111+1111%201111", 1),
        ] {
            assert_eq!(names.number(entity, value.as_bytes()), number, "{value}");
        }
    }
}
