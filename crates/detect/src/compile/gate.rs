//! The cheapest sure sign that a rule's match may start somewhere.
//!
//! A gate may let through places where nothing starts; it must not hold back one where a match does.
//! The module `naive` has none, and property tests hold the two against each other.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::boundary::Boundary;
use crate::byteset::ByteSet;
use crate::pack::RuleSyntax;

pub(crate) use super::shape::PLACES;

/// How candidates for a match's start are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Every match starts with one of these (ASCII case aside).
    Prefix(Vec<Vec<u8>>),
    /// Every match starts within reach of one of the rule's keywords.
    Keywords,
    /// Every match holds one of these (ASCII case aside), with only bytes of `before`, and at most `reach`
    /// of them, between its start and there.
    Inner { literals: Vec<Vec<u8>>, before: ByteSet, reach: usize },
    /// Every match's first bytes are of a shape that text seldom has.
    Shape,
    /// Nothing cheap is known: the pattern is searched for in every haystack.
    Open,
}

pub(super) fn choose(hir: &Hir, shape: &[ByteSet], rule: &RuleSyntax) -> Gate {
    if let Some(literals) = prefixes(hir) {
        return Gate::Prefix(literals);
    }
    if let Some(inner) = inner(hir) {
        return inner; // before keywords, which only say that a match is somewhere around
    }
    if !rule.keywords.is_empty() {
        return Gate::Keywords;
    }
    if is_seldom(shape, rule.boundary()) { Gate::Shape } else { Gate::Open }
}

/// Whether ordinary text seldom has the shape: if not, candidates by shape would cost more than a search by
/// the pattern.
pub(super) fn is_seldom(shape: &[ByteSet], boundary: Boundary) -> bool {
    chance(shape, boundary) < 0.04
}

/// Shorter prefixes are hit too often; their shape says more.
const MIN_PREFIX: usize = 3;
/// More prefixes than this come from classes that were multiplied out; their shape says it better.
const MAX_LITERALS: usize = 32;

fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let literals = folded(hir)?;
    let long_enough = literals.iter().all(|literal| literal.len() >= MIN_PREFIX);
    (long_enough && literals.len() <= MAX_LITERALS).then_some(literals)
}

/// The literals that matches start with, in lower case, without doubles and extensions of each other.
fn folded(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let seq = Extractor::new().extract(hir);
    let mut literals: Vec<Vec<u8>> =
        seq.literals()?.iter().map(|literal| literal.as_bytes().to_ascii_lowercase()).collect();
    literals.sort();
    // Sorted, an extension follows what it extends.
    literals.dedup_by(|longer, shorter| longer.starts_with(shorter));
    (!literals.is_empty()).then_some(literals)
}

/// The first part of a sequence that is a rare enough literal, if what goes before it is confined to a
/// class of bytes: `@` in an e-mail address, `://` in a URL.
fn inner(hir: &Hir) -> Option<Gate> {
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    let mut before = ByteSet::EMPTY;
    let mut reach = Some(0usize);
    for part in parts {
        if let Some(literals) = exact(part)
            && reach != Some(0)
            && literals.iter().all(|literal| is_rare(literal))
        {
            return Some(Gate::Inner { literals, before, reach: reach.unwrap_or(usize::MAX) });
        }
        bytes_in(part, &mut before);
        reach = match (reach, part.properties().maximum_len()) {
            (Some(sum), Some(more)) => sum.checked_add(more),
            _ => None,
        };
        if before.contains(b' ') {
            return None; // a run of such bytes would be most of the haystack
        }
    }
    None
}

fn flatten<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten(sub, parts)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        _ => parts.push(hir),
    }
}

fn exact(part: &Hir) -> Option<Vec<Vec<u8>>> {
    let seq = Extractor::new().extract(part);
    if !seq.is_exact() || seq.len().is_none_or(|len| len > 8) {
        return None;
    }
    folded(part).filter(|literals| literals.iter().all(|literal| !literal.is_empty()))
}

fn is_rare(literal: &[u8]) -> bool {
    match literal {
        // Single bytes that prose, code and JSON hold seldom.
        [byte] => b"@#$%&^~|`".contains(byte),
        _ => literal.len() >= 3 || literal.iter().any(|b| !b.is_ascii_alphanumeric() && *b != b' '),
    }
}

/// Adds every byte that a match of `hir` can hold.
fn bytes_in(hir: &Hir, set: &mut ByteSet) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|&byte| set.insert(byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().for_each(|range| set.insert_range(range.start(), range.end()));
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                let (start, end) = (u32::from(range.start()), u32::from(range.end()));
                for code in start..=end.min(0x7F) {
                    set.insert(u8::try_from(code).expect("at most 0x7F"));
                }
                if end > 0x7F {
                    set.insert_range(0x80, 0xFF);
                }
            }
        }
        HirKind::Repetition(repetition) => bytes_in(&repetition.sub, set),
        HirKind::Capture(capture) => bytes_in(&capture.sub, set),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            subs.iter().for_each(|sub| bytes_in(sub, set));
        }
    }
}

/// The share of places in ordinary text that a shape lets through, places taken as independent.
fn chance(shape: &[ByteSet], boundary: Boundary) -> f64 {
    let forbidden = boundary.forbidden_before();
    let before: f64 = (0..=255).filter(|&b| !forbidden.contains(b)).map(frequency).sum();
    shape.iter().map(|set| set.iter().map(frequency).sum::<f64>()).product::<f64>()
        * before.min(1.0)
}

/// Roughly how often a byte stands in prompts, code and JSON.
fn frequency(byte: u8) -> f64 {
    match byte {
        b' ' => 0.15,
        b'a'..=b'z' => 0.62 / 26.0,
        b'A'..=b'Z' => 0.04 / 26.0,
        b'0'..=b'9' => 0.06 / 10.0,
        b'\n' | b'"' | b',' | b'.' | b'_' | b'-' | b':' | b'/' => 0.10 / 8.0,
        0x21..=0x7E => 0.02 / 23.0,
        0x80..=0xFF => 0.01 / 128.0,
        _ => 0.001,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(fields: &str) -> Gate {
        let pack = format!(
            "pack = 't'\n[[rule]]\nid = 't.t'\nentity = 'T'\ncategory = 'pii'\nscore = 1\n{fields}\n"
        );
        let pack = crate::Pack::from_toml("t.toml", &pack).unwrap();
        super::super::Matcher::new(&pack.rules()[0], &crate::Limits::default()).unwrap().gate
    }

    #[test]
    fn the_most_telling_sign_is_chosen() {
        let prefix =
            |list: &[&str]| Gate::Prefix(list.iter().map(|l| l.as_bytes().to_vec()).collect());
        assert_eq!(gate("pattern = 'ghp_[a-z]+'"), prefix(&["ghp_"]));
        assert_eq!(gate("pattern = 'PassWord=[a-z]+'\ncase_insensitive = true").clone(), {
            let Gate::Prefix(found) = gate("pattern = '(?i)password=[a-z]+'") else { panic!() };
            assert_eq!(found.len(), 1);
            assert!(b"password=".starts_with(&found[0]) && found[0].len() >= 4);
            Gate::Prefix(found)
        });
        assert_eq!(gate("pattern = '[a-z]{9}'\nkeywords = ['key']"), Gate::Keywords);
        assert!(matches!(gate("pattern = '[a-z.]+@[a-z.]+'"),
            Gate::Inner { literals, reach: usize::MAX, .. } if literals == [b"@"]));
        assert!(matches!(gate("pattern = '[a-z]{1,9}://[a-z.]+'"),
            Gate::Inner { literals, reach: 9, .. } if literals == [b"://"]));
        assert!(matches!(gate("pattern = '[0-9]{3}-[0-9]{2}'"), Gate::Shape));
        assert!(matches!(gate("pattern = '0x[0-9a-f]{40}'"), Gate::Shape));
        assert_eq!(gate("pattern = '[a-z]+'"), Gate::Open);
    }
}
