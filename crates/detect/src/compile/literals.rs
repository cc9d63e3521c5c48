//! Literals that a pattern cannot do without, in lower case.
//!
//! The extractor of `regex-syntax` multiplies every letter of a case-insensitive pattern out and gives up after a
//! few. Anchors are looked for in either case anyway, so here a letter stays one letter.

use regex_syntax::hir::{Class, Hir, HirKind};

/// More alternatives than this are better told by their shape.
const MAX_LITERALS: usize = 128;
/// Longer literals say no more.
const MAX_LEN: usize = 24;
/// Literals of this length are seldom enough.
const ENOUGH: usize = 6;
/// What is cut is not cut shorter.
const MIN_LEN: usize = 5;
/// More than this are not worth sorting out.
const MANY: usize = 1024;
/// A class of more bytes than this, case aside, ends a literal.
const MAX_CLASS: usize = 4;

/// What every match starts with one of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefixes(Vec<Prefix>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix {
    text: Vec<u8>,
    /// Whether the literal is all that the pattern matches there, so that more may be joined to it.
    exact: bool,
}

impl Prefixes {
    /// The literals that matches of `hir` start with; `None` if there are too many.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(Self::just(Vec::new(), true)),
            HirKind::Literal(literal) => {
                let text = literal.0[..literal.0.len().min(MAX_LEN)].to_ascii_lowercase();
                let exact = text.len() == literal.0.len();
                Some(Self::just(text, exact))
            }
            HirKind::Class(class) => Some(match members(class) {
                Some(members) => {
                    let whole = |text| Prefix { text, exact: true };
                    Self(members.into_iter().map(whole).collect())
                }
                None => Self::just(Vec::new(), false),
            }),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(repetition) => {
                let once = Self::of(&repetition.sub)?;
                let mut all = Self::just(Vec::new(), true);
                for _ in 0..repetition.min.min(4) {
                    all = all.then(&once)?;
                }
                if repetition.max == Some(repetition.min) && repetition.min <= 4 {
                    return Some(all);
                }
                if repetition.min == 0 {
                    let mut once = once;
                    if repetition.max != Some(1) {
                        once.end();
                    }
                    all.0.extend(once.0);
                    return all.tidy();
                }
                all.end();
                Some(all)
            }
            HirKind::Concat(subs) => {
                let mut all = Self::just(Vec::new(), true);
                for sub in subs {
                    if !all.0.iter().any(|prefix| prefix.exact) {
                        break;
                    }
                    let next = Self::of(sub)?;
                    let mut joined = all.clone().then(&next);
                    let grows = joined.as_ref().is_none_or(|joined| joined.0.len() > all.0.len());
                    let is_long = |text: &[u8]| text.len() >= ENOUGH;
                    if grows && all.0.iter().any(|prefix| prefix.exact && is_long(&prefix.text)) {
                        // More literals are worth having only of short ones; what stands behind the others is their tail.
                        all.end_where(is_long);
                        joined = all.clone().then(&next);
                    }
                    let Some(joined) = joined else {
                        all.end();
                        break;
                    };
                    all = joined;
                }
                Some(all)
            }
            HirKind::Alternation(subs) => {
                let mut all = Self(Vec::new());
                for sub in subs {
                    all.0.extend(Self::of(sub)?.0);
                }
                all.tidy()
            }
        }
    }

    /// Whether the literals are the whole pattern.
    pub(super) fn is_exact(&self) -> bool {
        self.0.iter().all(|prefix| prefix.exact)
    }

    /// The literals, none of which starts with another.
    pub(super) fn into_literals(self) -> Vec<Vec<u8>> {
        let mut literals: Vec<Vec<u8>> = self.0.into_iter().map(|prefix| prefix.text).collect();
        literals.sort();
        // Sorted, an extension follows what it extends.
        literals.dedup_by(|longer, shorter| longer.starts_with(shorter));
        literals
    }

    fn just(text: Vec<u8>, exact: bool) -> Self {
        Self(vec![Prefix { text, exact }])
    }

    /// Nothing more may be joined.
    fn end(&mut self) {
        self.end_where(|_| true);
    }

    /// Nothing more may be joined to those of which this is so.
    fn end_where(&mut self, is_so: impl Fn(&[u8]) -> bool) {
        self.0.iter_mut().for_each(|prefix| prefix.exact &= !is_so(&prefix.text));
    }

    /// These, followed by those.
    fn then(self, next: &Self) -> Option<Self> {
        let mut all = Vec::new();
        for prefix in self.0 {
            if !prefix.exact || prefix.text.len() >= MAX_LEN {
                all.push(Prefix { exact: false, ..prefix });
                continue;
            }
            for more in &next.0 {
                let text = [&prefix.text[..], &more.text].concat();
                all.push(Prefix { text, exact: more.exact });
            }
            if all.len() > MANY {
                return None;
            }
        }
        Self(all).tidy()
    }

    /// Sorted, each once, and cut shorter until they are few enough.
    fn tidy(mut self) -> Option<Self> {
        let mut len = MAX_LEN;
        loop {
            self.0.sort();
            self.0.dedup();
            if self.0.len() <= MAX_LITERALS {
                return Some(self);
            }
            if len == MIN_LEN {
                return None;
            }
            len -= 1;
            for prefix in self.0.iter_mut().filter(|prefix| prefix.text.len() > len) {
                prefix.text.truncate(len);
                prefix.exact = false;
            }
        }
    }
}

/// The members of a small class, case aside.
fn members(class: &Class) -> Option<Vec<Vec<u8>>> {
    let mut members = Vec::new();
    let mut add = |text: Vec<u8>| {
        if !members.contains(&text) {
            members.push(text);
        }
        members.len() <= MAX_CLASS
    };
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                for byte in range.start()..=range.end() {
                    if !add(vec![byte.to_ascii_lowercase()]) {
                        return None;
                    }
                }
            }
        }
        Class::Unicode(class) => {
            for range in class.ranges() {
                for c in range.start()..=range.end() {
                    if !add(c.to_ascii_lowercase().to_string().into_bytes()) {
                        return None;
                    }
                }
            }
        }
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(pattern: &str) -> Vec<String> {
        let hir =
            regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        let text = |literal: Vec<u8>| String::from_utf8(literal).unwrap();
        let all = Prefixes::of(&hir.unwrap()).map(Prefixes::into_literals).unwrap_or_default();
        all.into_iter().map(text).collect()
    }

    #[test]
    fn letters_stay_one_letter() {
        assert_eq!(literals("(?i)Authorization: Bearer"), ["authorization: bearer"]);
        assert_eq!(literals("(?i)api[_-]?key[ ]*="), ["api-key", "api_key", "apikey"]);
        assert_eq!(literals("(?i)pass(?:word|wd)[:=]"), ["passwd", "password"]);
        assert_eq!(literals("(?:ab){2}c"), ["ababc"]);
        assert_eq!(literals("a+b"), ["a"]);
        assert_eq!(literals("x?y"), ["xy", "y"]);
        assert_eq!(literals("(?:a|bc)[0-9]"), ["a", "bc"]);
        assert_eq!(literals("[a-z]b"), [""]);
        assert!(literals("[abc][abc][abc][abc][abc]").iter().all(|literal| literal.len() == 4));
        // What is long enough goes on as its tail says; only what is short is joined to more.
        let many = literals("(?:token|credential)[-_.]?(?:id|key)[-_.]?(?:old|new)");
        let expected = ["credential", "token-", "token.", "token_", "tokenid", "tokenkey"];
        assert_eq!(many, expected);
        let many = literals("[abcd](?:a|bc|cd|d)[-_. ]?(?:id|key|value)[-_. ]?(?:old|new|last)");
        assert!(many.len() <= MAX_LITERALS, "{many:?}");
    }
}
