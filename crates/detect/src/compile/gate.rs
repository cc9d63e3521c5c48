//! The cheapest sure sign that a rule's match may start somewhere.
//!
//! A gate may let through places where nothing starts; it must not hold back one where a match does.
//! The module `naive` has none, and property tests hold the two against each other.

use regex_automata::nfa::thompson::NFA;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::literals::Prefixes;
use super::{shape, signal};
use crate::byteset::ByteSet;
use crate::lexicon::Starts;
use crate::pack::RuleSyntax;
use crate::prefilter::{DIGIT_RUN, TOKEN_RUN, Window, is_token_byte};

/// How candidates for a match's start are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Every match holds a run of digits that begins at most `reach` bytes behind its start.
    Digits { reach: usize },
    /// Every match holds a digit at most `reach` bytes behind its start.
    Digit { reach: usize },
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
    /// of them, between its start and there, and goes on as `tail` says.
    Inner { literals: Vec<Vec<u8>>, before: ByteSet, reach: usize, tail: Vec<ByteSet> },
    /// The same of a byte that is common: it and its neighbours are of a shape, and `ahead` says which of these
    /// it is.
    InnerShape { shape: Vec<ByteSet>, ahead: usize, before: ByteSet, reach: usize },
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
            Self::Digit { .. } => "a digit and its first characters",
            Self::Token { .. } => "a token of sixteen characters and its first characters",
            Self::TokenByKeyword { .. } => {
                "a token of sixteen characters with a digit near a keyword"
            }
            Self::Start => "the start of the text",
            Self::Prefix(_) => "the literals it begins with",
            Self::Keywords => "its keywords",
            Self::Inner { .. } | Self::InnerShape { .. } => "a literal inside it",
            Self::Shape => "its first characters",
            Self::Open => "nothing",
        }
    }
}

/// The furthest that runs may begin behind the start of a match. All rules of a kind share the largest, so a
/// generous one costs all of them.
const DIGITS_REACH: usize = 12;
const TOKEN_REACH: usize = 12;
/// How far a lone digit may stand behind the start of a match.
pub(super) const DIGIT_REACH: usize = 16;
const NEAR_DIGIT: usize = 4;
/// Where a keyword leads, each rule has a reach of its own.
const LED_TOKEN_REACH: usize = 128;

/// A shape as rare as this is a prefix; tokens that have it need no keyword to lead to them.
const TELLING: f32 = 1e-5;
/// A shape that is as frequent as this is not worth a window.
const SELDOM: f32 = 2e-3;

pub(super) fn choose(
    hir: &Hir,
    nfa: &NFA,
    shape: &[ByteSet],
    rule: &RuleSyntax,
    starts: Starts,
) -> Gate {
    if hir.properties().look_set_prefix().contains(Look::Start) {
        return Gate::Start;
    }
    // What begins words is found with all other words at no price.
    let literals = prefixes(hir);
    let tells = |literal: &Vec<u8>| literal.len() >= TELLING_PREFIX;
    if starts != Starts::Anywhere
        && let Some(literals) = literals.as_ref().filter(|literals| literals.iter().all(tells))
    {
        return Gate::Prefix(literals.clone());
    }
    let has_keywords = !rule.keywords.is_empty();
    if has_keywords
        && rule.min_digits > 0
        && !is_telling(shape)
        && let Some(reach) = token_value(hir)
    {
        return Gate::TokenByKeyword { reach };
    }
    // So are rare letters in the middle nearly, where runs without them are not.
    let inside = inner(hir, &is_rare);
    if let Some(Gate::Inner { literals: inner, .. }) = &inside
        && literals.is_none()
        && inner.iter().all(tells)
        && inner.iter().all(|text| Window::literal_chance(text) < TELLING)
    {
        return inside.expect("it was there a moment ago");
    }
    // A match shorter than a run cannot hold one.
    let min_len = hir.properties().minimum_len().unwrap_or(0);
    if min_len >= TOKEN_RUN
        && let Some(reach) = signal::token(nfa, TOKEN_REACH)
        && (!has_keywords || is_telling(shape))
    {
        return Gate::Token { reach };
    }
    if min_len >= DIGIT_RUN
        && let Some(reach) = signal::digits(nfa, DIGITS_REACH)
    {
        return Gate::Digits { reach };
    }
    if let Some(literals) = literals {
        return Gate::Prefix(literals);
    }
    if let Some(inner) = inside {
        return inner; // before keywords, which only say that a match is somewhere around
    }
    if has_keywords {
        return Gate::Keywords;
    }
    // The further a digit may be, the more places each leads to.
    let digit = signal::digit(nfa, DIGIT_REACH);
    match digit {
        Some(reach) if reach <= NEAR_DIGIT || !is_seldom(shape) => return Gate::Digit { reach },
        _ if is_seldom(shape) => return Gate::Shape,
        _ => {}
    }
    // Better than nothing: a colon after a few bytes of one kind, and what must follow.
    colon(hir).unwrap_or(Gate::Open)
}

fn colon(hir: &Hir) -> Option<Gate> {
    let Gate::Inner { before, reach, .. } = inner(hir, &|literal| literal == b":")? else {
        return None;
    };
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    let at = parts.iter().position(|part| exact(&[part]).is_some_and(|texts| texts == [b":"]))?;
    let mut shape = Vec::new();
    if parts[..at].iter().any(|part| part.properties().minimum_len() > Some(0)) {
        shape.push(before);
    }
    let ahead = shape.len();
    shape.push(ByteSet::either_case(b':'));
    shape.extend(behind(&parts[at + 1..]));
    Some(Gate::InnerShape { shape, ahead, before, reach })
}

/// What the places admit where these parts of a pattern begin.
fn behind(parts: &[&Hir]) -> Vec<ByteSet> {
    let rest = Hir::concat(parts.iter().map(|&part| part.clone()).collect());
    let mut tail = super::automaton(&rest, None).map_or(Vec::new(), |nfa| shape::of(&nfa, false));
    tail.truncate(shape::TAIL);
    tail
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

/// How far behind the start of a match its value begins at most, if that is a run of token bytes: the digit that
/// it must hold lies in the same run.
fn token_value(hir: &Hir) -> Option<usize> {
    let mut parts = Vec::new();
    flatten_to_value(hir, &mut parts);
    // Parts without digits may come before a value that is not marked as one.
    let is_value = |part: &Hir| match part.kind() {
        HirKind::Capture(capture) => capture.name.as_deref() == Some("value"),
        _ => false,
    };
    let at = match parts.iter().position(|part| is_value(part)) {
        Some(at) => at,
        None => parts.iter().position(|part| holds(part, |byte| byte.is_ascii_digit()))?,
    };
    let marked = is_value(parts[at]);
    let value = if marked { &parts[at..=at] } else { &parts[at..] };
    let len: usize = value.iter().map(|part| part.properties().minimum_len().unwrap_or(0)).sum();
    let lead = parts[..at]
        .iter()
        .try_fold(0usize, |sum, part| sum.checked_add(part.properties().maximum_len()?))?;
    let is_token = value.iter().all(|part| !holds(part, |byte| !is_token_byte(byte)));
    (is_token && len >= TOKEN_RUN && lead <= LED_TOKEN_REACH).then_some(lead)
}

/// Whether a match of a part can hold such a byte.
fn holds(part: &Hir, is: fn(u8) -> bool) -> bool {
    let mut bytes = ByteSet::EMPTY;
    bytes_in(part, &mut bytes);
    bytes.iter().any(is)
}

/// The parts of a sequence, without looking into the group that is the value.
fn flatten_to_value<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten_to_value(sub, parts)),
        HirKind::Capture(capture) if capture.name.as_deref() != Some("value") => {
            flatten_to_value(&capture.sub, parts);
        }
        _ => parts.push(hir),
    }
}

/// Whether text so seldom has the shape that it is worth looking for.
pub(super) fn is_seldom(shape: &[ByteSet]) -> bool {
    Window::least_chance(shape) < SELDOM
}

/// Whether candidates by shape are few enough that no word has to lead to them.
pub(crate) fn is_telling(shape: &[ByteSet]) -> bool {
    Window::least_chance(shape) < TELLING
}

/// Prefixes as long as this say more than a run.
const TELLING_PREFIX: usize = 4;
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
fn inner(hir: &Hir, is_rare: &dyn Fn(&[u8]) -> bool) -> Option<Gate> {
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    let mut before = ByteSet::EMPTY;
    let mut reach = Some(0usize);
    for at in 0..parts.len() {
        // Letters that match in either case are parts of their own.
        let joined = (1..=(parts.len() - at).min(MAX_JOINED))
            .map_while(|count| Some((count, exact(&parts[at..at + count])?)))
            .last();
        if let Some((count, literals)) = joined
            && reach != Some(0)
            && literals.iter().all(|literal| is_rare(literal))
        {
            let reach = reach.unwrap_or(usize::MAX);
            let tail = behind(&parts[at + count..]);
            return Some(Gate::Inner { literals, before, reach, tail });
        }
        let part = parts[at];
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

/// As many parts are joined to a literal.
const MAX_JOINED: usize = 16;

fn exact(parts: &[&Hir]) -> Option<Vec<Vec<u8>>> {
    let joined = Hir::concat(parts.iter().map(|&part| part.clone()).collect());
    let prefixes = Prefixes::of(&joined).filter(Prefixes::is_exact)?;
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
        assert_eq!(gate("pattern = '[a-z]{3}-[0-9]'"), Gate::Digit { reach: 4 });
        assert_eq!(gate("pattern = '\\A[a-z]+'"), Gate::Start);
        assert_eq!(gate("pattern = '[A-Z]{2}[0-9]{2}[A-Z]'"), Gate::Digit { reach: 2 });
        assert_eq!(gate("pattern = '[A-Z]{4}'"), Gate::Shape);
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
