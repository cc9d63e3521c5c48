//! The cheapest sure sign that a rule's match may start somewhere.
//!
//! A gate may let through places where nothing starts; it must not hold back one where a match does.
//! The module `naive` has none, and property tests hold the two against each other.

use regex_automata::nfa::thompson::NFA;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::literals::Prefixes;
use super::signal;
use crate::byteset::ByteSet;
use crate::pack::RuleSyntax;
use crate::prefilter::{Window, frequency, is_token_byte};

/// How candidates for a match's start are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Every match holds a run of digits that begins at most `reach` bytes behind its start.
    Digits { reach: usize },
    /// Every match holds a run of token bytes that begins at most `reach` bytes behind its start.
    Token { reach: usize },
    /// The same; the run holds a digit, and the first bytes say less than the keyword that must stand near.
    TokenByKeyword { reach: usize },
    /// Every match starts where the text does.
    Start,
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

impl Gate {
    /// What leads to matches, in words for people.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Digits { .. } => "a run of six digits",
            Self::Token { .. } => "a token of sixteen characters and its first characters",
            Self::TokenByKeyword { .. } => {
                "a token of sixteen characters with a digit near a keyword"
            }
            Self::Start => "the start of the text",
            Self::Prefix(_) => "the literals it begins with",
            Self::Keywords => "its keywords",
            Self::Inner { .. } => "a literal inside it",
            Self::Shape => "its first characters",
            Self::Open => "nothing",
        }
    }
}

/// The furthest that runs may begin behind the start of a match. All rules of a kind share the largest, so a
/// generous one costs all of them.
const DIGITS_REACH: usize = 12;
const TOKEN_REACH: usize = 12;
/// Where a keyword leads, each rule has a reach of its own.
const LED_TOKEN_REACH: usize = 96;

/// A shape as rare as this is a prefix; tokens that have it need no keyword to lead to them.
const TELLING: f64 = 1e-5;
/// As many places are looked at to tell.
const TELLING_PLACES: usize = 6;
/// A shape that is as frequent as this is not worth a window.
const SELDOM: f64 = 2e-3;

pub(super) fn choose(hir: &Hir, nfa: &NFA, shape: &[ByteSet], rule: &RuleSyntax) -> Gate {
    if hir.properties().look_set_prefix().contains(Look::Start) {
        return Gate::Start;
    }
    let has_keywords = !rule.keywords.is_empty();
    // The digit that a match must hold then lies in the run that leads to it.
    let led = has_keywords
        && rule.min_digits > 0
        && has_digits_in_token(hir)
        && chance(&shape[..shape.len().min(TELLING_PLACES)]) > TELLING;
    match signal::token(nfa, if led { LED_TOKEN_REACH } else { TOKEN_REACH }) {
        Some(reach) if led => return Gate::TokenByKeyword { reach },
        Some(reach) if !has_keywords || is_telling(shape) => return Gate::Token { reach },
        Some(_) => {}
        None => {}
    }
    if let Some(reach) = signal::digits(nfa, DIGITS_REACH) {
        return Gate::Digits { reach };
    }
    if let Some(literals) = prefixes(hir) {
        return Gate::Prefix(literals);
    }
    if let Some(inner) = inner(hir) {
        return inner; // before keywords, which only say that a match is somewhere around
    }
    if has_keywords {
        return Gate::Keywords;
    }
    if is_seldom(shape) { Gate::Shape } else { Gate::Open }
}

/// What a pattern looks at before the group that is its value, if that is little: the fewest and the most
/// bytes, and the rest of the pattern, which is what text is searched for.
///
/// `(?:\A|[^0-9])(?P<value>...)` says of a neighbour what `boundary` cannot; taken as a whole, such a pattern
/// would start with anything.
pub(super) fn split_lead(hir: &Hir) -> Option<(usize, usize, Hir)> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let is_value = |part: &Hir| matches!(part.kind(), HirKind::Capture(c) if c.name.as_deref() == Some("value"));
    let at = parts.iter().position(is_value).filter(|&at| at > 0)?;
    let lead = Hir::concat(parts[..at].to_vec());
    let (min, max) = (lead.properties().minimum_len()?, lead.properties().maximum_len()?);
    (max <= MAX_LEAD).then(|| (min, max, Hir::concat(parts[at..].to_vec())))
}

/// Every byte more is a place more to try at each candidate.
const MAX_LEAD: usize = 3;

/// Whether all digits of a match lie in one run of token bytes: after parts that hold none, nothing but such.
fn has_digits_in_token(hir: &Hir) -> bool {
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    let holds = |part: &Hir, is: fn(u8) -> bool| {
        let mut bytes = ByteSet::EMPTY;
        bytes_in(part, &mut bytes);
        bytes.iter().any(is)
    };
    parts
        .into_iter()
        .skip_while(|part| !holds(part, |byte| byte.is_ascii_digit()))
        .all(|part| !holds(part, |byte| !is_token_byte(byte)))
}

/// Whether text so seldom has the shape that it is worth looking for.
pub(super) fn is_seldom(shape: &[ByteSet]) -> bool {
    let (_, window) = Window::rarest(shape);
    f64::from(window.chance()) < SELDOM
}

/// Whether candidates by shape are few enough that no word has to lead to them.
pub(crate) fn is_telling(shape: &[ByteSet]) -> bool {
    let (_, window) = Window::rarest(shape);
    f64::from(window.chance()) < TELLING
}

/// Shorter prefixes are hit too often; their shape says more.
const MIN_PREFIX: usize = 3;
fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let literals = Prefixes::of(hir)?.into_literals();
    let tells =
        |literal: &Vec<u8>| literal.len() >= MIN_PREFIX || literal.len() == 2 && is_rare(literal);
    literals.iter().all(tells).then_some(literals)
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
    let prefixes = Prefixes::of(part).filter(Prefixes::is_exact)?;
    let literals = prefixes.into_literals();
    literals.iter().all(|literal| !literal.is_empty()).then_some(literals)
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
fn chance(shape: &[ByteSet]) -> f64 {
    let share = |set: &ByteSet| set.iter().map(|byte| f64::from(frequency(byte))).sum::<f64>();
    shape.iter().map(|set| share(set).min(1.0)).product()
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
        assert_eq!(gate("pattern = '[a-z]{3}-[a-z]'"), Gate::Open);
        assert_eq!(gate("pattern = '\\A[a-z]+'"), Gate::Start);
        assert_eq!(gate("pattern = '[A-Z]{2}[0-9]{2}[A-Z]'"), Gate::Shape);
        assert!(matches!(gate("pattern = '0x[0-9a-f]{40}'"), Gate::Token { reach: 0 }));
        assert!(matches!(
            gate("pattern = '[0-9]{3}-[0-9]{2}-[0-9]{4}'"),
            Gate::Digits { reach: 0 }
        ));
        let by_keyword = gate("pattern = '[0-9a-f]{32}'\nkeywords = ['key']\nmin_digits = 1");
        assert_eq!(by_keyword, Gate::TokenByKeyword { reach: 0 });
        assert_eq!(gate("pattern = '[a-z]+'"), Gate::Open);
    }
}
