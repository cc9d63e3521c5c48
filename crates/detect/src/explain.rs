//! Why something was found, or was not.
//!
//! Slow on purpose: it follows the definition in `naive`, rule by rule, and keeps what each step said.

use std::fmt;

use crate::context::{self, is_keyword_place, is_whole_word};
use crate::finding::{Finding, RuleIndex, Span};
use crate::naive::{self, Miss};
use crate::rule::Rule;
use crate::ruleset::RuleSet;
use crate::scan::field::FieldWords;
use crate::scan::{ScanOptions, Scanner, overlap, verify};
use crate::terms;
use crate::validate;
use crate::validate::secret::entropy;
use crate::validator::Verdict;

/// A match of a rule's pattern or terms and what became of it. Never the text: words are those of the rule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule.
    pub rule: RuleIndex,
    /// Where, in bytes of the haystack, before overlaps are resolved.
    pub span: Span,
    /// The rule's score of a match that nothing else speaks about.
    pub base_score: f32,
    /// The score with what validator and context words say.
    pub score: f32,
    /// What the rule's validator says, if it has one.
    pub verdict: Option<Verdict>,
    /// The context words that raise the score.
    pub raised_by: Vec<NearWord>,
    /// The words that lower it.
    pub lowered_by: Vec<NearWord>,
    /// For a rule that needs a keyword, the nearest one, if any stands in the haystack or the field's name.
    pub keyword: Option<NearWord>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A word of a rule that stands near a match.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearWord {
    /// The word as the rule lists it.
    pub word: String,
    /// How many bytes lie between it and the span; for keywords, between both starts.
    pub distance: usize,
    /// Where it stands.
    pub place: WordPlace,
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WordPlace {
    /// Before the span.
    Before,
    /// After its start.
    After,
    /// In the name of the field that holds the haystack.
    Field,
}

/// What became of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is reported.
    Found,
    /// The finding of that rule won the overlap.
    LostTo(RuleIndex),
    /// An allow list holds it.
    Allowed,
    /// Its score is below the scan's least score.
    BelowThreshold,
    /// None of the rule's keywords is near.
    NoKeyword,
    /// The rule requires a context word and none is near.
    NoContext,
    /// A character stands beside it that must not.
    Boundary,
    /// It has fewer digits than the rule asks for.
    TooFewDigits,
    /// It has less entropy than the rule asks for.
    TooLittleEntropy,
    /// The validator refuses it.
    Invalid,
}

impl Outcome {
    /// A short name: `found`, `lost`, `allowed`, `below_threshold`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::LostTo(_) => "lost",
            Self::Allowed => "allowed",
            Self::BelowThreshold => "below_threshold",
            Self::NoKeyword => "no_keyword",
            Self::NoContext => "no_context",
            Self::Boundary => "boundary",
            Self::TooFewDigits => "too_few_digits",
            Self::TooLittleEntropy => "too_little_entropy",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Scanner {
    /// Explains each finding of [`scan`](Self::scan), and each near miss: what a pattern or a term matches and is no
    /// finding. Of near misses of one rule that overlap only the first is named. Ordered by place.
    ///
    /// It looks at the text as it stands: what only a view of it shows (undone escapes, look-alikes, base64) is not
    /// explained, and a match inside the base64 of binary data, which a scan drops, is called found.
    ///
    /// Takes about a thousand times as long as a scan, and more on hostile texts.
    #[must_use]
    pub fn explain(&mut self, haystack: &[u8], options: &ScanOptions<'_>) -> Vec<Explanation> {
        let rules = self.rules().clone();
        let mut field = FieldWords::default();
        field.set(options.field);
        let place = Surroundings { haystack, field: field.text().as_bytes() };
        let wanted = |rule: &Rule| options.entities.is_none_or(|list| list.contains(rule.entity()));
        let mut all = Vec::new();
        for based in rules.layers() {
            for (number, with) in (based.base..).zip(&based.layer.rules) {
                let rule = &with.rule;
                if !wanted(rule) {
                    continue;
                }
                let mut misses: Vec<(Span, Miss)> = Vec::new();
                let mut missed = |span: Span, miss| {
                    if misses.last().is_none_or(|(last, _)| last.end <= span.start) {
                        misses.push((span, miss));
                    }
                };
                let raws =
                    naive::matches(with, haystack, place.field, options.min_score, &mut missed);
                for raw in raws {
                    all.push(place.explain(rule, number, &raw, Outcome::Found));
                }
                for (span, miss) in misses {
                    let (verdict, outcome) = why(rule, miss, &haystack[span.range()]);
                    let raw = verify::Raw { rule: number, span, verdict };
                    all.push(place.explain(rule, number, &raw, outcome));
                }
            }
        }
        for based in rules.terms() {
            for (number, rule) in (based.base..).zip(&based.layer.rules) {
                if wanted(rule) {
                    let raws = terms::naive(rule, haystack);
                    all.extend(
                        raws.iter().map(|raw| place.explain(rule, number, raw, Outcome::Found)),
                    );
                }
            }
        }
        settle(&rules, haystack, options, &mut all);
        all.sort_by(|a, b| a.span.cmp(&b.span).then(a.rule.cmp(&b.rule)));
        all
    }
}

/// What a missed match fell short of.
fn why(rule: &Rule, miss: Miss, text: &[u8]) -> (Verdict, Outcome) {
    let syntax = rule.syntax();
    let validator = syntax.validator.as_deref().and_then(validate::by_name);
    let verdict = validator.map_or(Verdict::Unknown, |validator| validator(text));
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let outcome = match miss {
        Miss::Keyword => Outcome::NoKeyword,
        Miss::Boundary => Outcome::Boundary,
        Miss::Context => Outcome::NoContext,
        Miss::Refused if digits < syntax.min_digits as usize => Outcome::TooFewDigits,
        Miss::Refused if syntax.min_entropy > 0.0 && entropy(text) < syntax.min_entropy => {
            Outcome::TooLittleEntropy
        }
        Miss::Refused => Outcome::Invalid,
    };
    (verdict, outcome)
}

/// Decides between what might be found: threshold, allow lists, overlaps.
fn settle(rules: &RuleSet, haystack: &[u8], options: &ScanOptions<'_>, all: &mut [Explanation]) {
    let mut findings = Vec::new();
    for one in all.iter_mut().filter(|one| one.outcome == Outcome::Found) {
        let finding = Finding { rule: one.rule, span: one.span, score: one.score };
        if one.score < options.min_score {
            let lacks = rules.rule(one.rule).syntax().context_required && one.raised_by.is_empty();
            one.outcome = if lacks { Outcome::NoContext } else { Outcome::BelowThreshold };
        } else if rules
            .allow()
            .is_some_and(|allow| allow.drops(&finding, &haystack[one.span.range()]))
        {
            one.outcome = Outcome::Allowed;
        } else {
            findings.push(finding);
        }
    }
    match options.entities {
        None => overlap::Scratch::default().resolve(rules, &mut findings),
        Some(_) => overlap::drop_contained(rules, &mut findings),
    }
    for one in all.iter_mut().filter(|one| one.outcome == Outcome::Found) {
        let beside = |finding: &&Finding| {
            finding.span.start < one.span.end && one.span.start < finding.span.end
        };
        let mut over = findings.iter().filter(beside);
        if over.clone().any(|finding| finding.rule == one.rule && finding.score == one.score) {
            continue;
        }
        let same = |finding: &&Finding| {
            options.entities.is_none()
                || rules.rule(finding.rule).entity() == rules.rule(one.rule).entity()
        };
        let winner = over
            .by_ref()
            .filter(same)
            .max_by(|a, b| a.score.total_cmp(&b.score).then(a.span.len().cmp(&b.span.len())));
        if let Some(winner) = winner {
            one.outcome = Outcome::LostTo(winner.rule);
        }
    }
}

/// What is explained.
struct Surroundings<'h> {
    haystack: &'h [u8],
    field: &'h [u8],
}

impl Surroundings<'_> {
    fn explain(
        &self,
        rule: &Rule,
        number: u32,
        raw: &verify::Raw,
        outcome: Outcome,
    ) -> Explanation {
        let syntax = rule.syntax();
        let near = naive::neighbours(rule, self.haystack, self.field, raw.span);
        Explanation {
            rule: RuleIndex(number),
            span: raw.span,
            base_score: syntax.score,
            score: raw.score(syntax, near),
            verdict: syntax.validator.is_some().then_some(raw.verdict),
            raised_by: self.near(
                raw.span,
                context::supporting(self.haystack, raw.span),
                &syntax.context,
            ),
            lowered_by: self.near(
                raw.span,
                context::explaining(self.haystack, raw.span),
                &syntax.negative_context,
            ),
            keyword: self.nearest_keyword(raw.span, &syntax.keywords),
            outcome,
        }
    }

    /// The context words that count for a span, each once, where it stands nearest.
    fn near(&self, span: Span, window: Span, words: &[String]) -> Vec<NearWord> {
        let Span { start: from, end: until } = window;
        let in_window = |start: usize, end: usize| {
            (start >= from && end <= span.start) || (start >= span.end && end <= until)
        };
        let of_word = |word: &String| {
            let mut nearest: Option<NearWord> = None;
            for spelling in context::spellings(word) {
                for start in naive::places(&self.haystack[from..until], &spelling) {
                    let (start, end) = (from + start, from + start + spelling.len());
                    if !in_window(start, end) || !is_whole_word(self.haystack, Span { start, end })
                    {
                        continue;
                    }
                    let (place, distance) = match end <= span.start {
                        true => (WordPlace::Before, span.start - end),
                        false => (WordPlace::After, start - span.end),
                    };
                    if nearest.as_ref().is_none_or(|other| distance < other.distance) {
                        nearest = Some(NearWord { word: word.clone(), distance, place });
                    }
                }
                let in_field = naive::places(self.field, &spelling).any(|start| {
                    is_whole_word(self.field, Span { start, end: start + spelling.len() })
                });
                if nearest.is_none() && in_field && from == 0 {
                    let distance = span.start;
                    nearest =
                        Some(NearWord { word: word.clone(), distance, place: WordPlace::Field });
                }
            }
            nearest
        };
        let mut near: Vec<NearWord> = words.iter().filter_map(of_word).collect();
        near.sort_by_key(|word| word.distance);
        near
    }

    fn nearest_keyword(&self, span: Span, keywords: &[String]) -> Option<NearWord> {
        let of_word = |word: &String| {
            let word_at = |distance, place| NearWord { word: word.clone(), distance, place };
            let in_text = naive::places(self.haystack, word)
                .filter(|&start| is_keyword_place(self.haystack, start))
                .map(|start| match start < span.start {
                    true => word_at(span.start - start, WordPlace::Before),
                    false => word_at(start - span.start, WordPlace::After),
                });
            let in_field = naive::places(self.field, word).next();
            let in_field = in_field.map(|_| word_at(span.start, WordPlace::Field));
            in_text.chain(in_field).min_by_key(|word| word.distance)
        };
        keywords.iter().filter_map(of_word).min_by_key(|word| word.distance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Pack;

    const RULES: &str = r#"
pack = "t"
[[rule]]
id = "card"
entity = "CARD"
category = "pii"
pattern = '[0-9]{11}'
boundary = "digit"
validator = "luhn"
score = 0.3
context = ["card"]
negative_context = ["order"]
[[rule]]
id = "key"
entity = "KEY"
category = "secret"
pattern = '[a-z0-9]{12}'
keywords = ["secret"]
min_digits = 2
min_entropy = 2.0
score = 0.7
[[rule]]
id = "id"
entity = "ID"
category = "pii"
pattern = '#[0-9]+'
score = 0.2
context = ["ticket"]
context_required = true
[[rule]]
id = "name"
entity = "NAME"
category = "pii"
terms = ["jo moss", "moss"]
score = 0.9
[[rule]]
id = "faint"
entity = "FAINT"
category = "pii"
pattern = 'jo [a-z]+'
score = 0.6
[[allow]]
terms = ["jo house"]
"#;

    fn rules() -> RuleSet {
        RuleSet::builder().pack(Pack::from_toml("t", RULES).unwrap()).build().unwrap()
    }

    /// Rule, text and what became of it.
    fn explained(text: &str, options: &ScanOptions<'_>) -> Vec<String> {
        let rules = rules();
        let mut scanner = Scanner::new(&rules);
        let all = scanner.explain(text.as_bytes(), options);
        let describe = |one: &Explanation| {
            let mut line = format!(
                "{} {} {}",
                rules.rule(one.rule).id(),
                &text[one.span.range()],
                one.outcome
            );
            if let Outcome::LostTo(winner) = one.outcome {
                line += &format!(" to {}", rules.rule(winner).id());
            }
            let words = [("+", &one.raised_by), ("-", &one.lowered_by)];
            for (sign, word) in
                words.iter().flat_map(|(sign, list)| list.iter().map(move |w| (sign, w)))
            {
                line += &format!(" {sign}{}:{}{:?}", word.word, word.distance, word.place);
            }
            if let Some(word) = &one.keyword {
                line += &format!(" {}:{}{:?}", word.word, word.distance, word.place);
            }
            line
        };
        all.iter().map(describe).collect()
    }

    #[test]
    fn each_outcome_is_named_with_its_reason() {
        let cases: &[(&str, &[&str])] = &[
            ("card 79927398713", &["card 79927398713 found +card:1Before"]),
            ("order 79927398713", &["card 79927398713 found -order:1Before"]),
            ("79927398710", &["card 79927398710 invalid"]),
            ("799273987130", &["card 79927398713 boundary", "key 799273987130 no_keyword"]),
            ("secret ab12cd34ef56", &["key ab12cd34ef56 found secret:7Before"]),
            ("ab12cd34ef56", &["key ab12cd34ef56 no_keyword"]),
            ("secret abcdefghijkl", &["key abcdefghijkl too_few_digits secret:7Before"]),
            (
                "secret 111111111111",
                &[
                    "card 11111111111 boundary",
                    "key 111111111111 too_little_entropy secret:7Before",
                ],
            ),
            ("#12", &["id #12 no_context"]),
            ("ticket #12", &["id #12 found +ticket:1Before"]),
            ("jo moss", &["name jo moss found", "faint jo moss lost to name"]),
            ("jo house", &["faint jo house allowed"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let mut expected: Vec<&str> = expected.to_vec();
            let mut found = explained(text, &ScanOptions::default());
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
        let high = ScanOptions { min_score: 0.8, ..ScanOptions::default() };
        assert_eq!(explained("jo house jo", &high)[0], "faint jo house below_threshold");
        let field = ScanOptions { field: Some("cardNumber"), ..ScanOptions::default() };
        assert_eq!(explained("79927398713", &field), ["card 79927398713 found +card:0Field"]);
        let field = ScanOptions { field: Some("secret"), ..ScanOptions::default() };
        assert_eq!(explained("ab12cd34ef56", &field), ["key ab12cd34ef56 found secret:0Field"]);
    }

    #[test]
    fn scores_are_told_before_and_after() {
        let rules = rules();
        let all = Scanner::new(&rules).explain(b"order 79927398713", &ScanOptions::default());
        assert_eq!((all[0].base_score, all[0].verdict), (0.3, Some(Verdict::Valid)));
        assert!((all[0].score - 0.65).abs() < 1e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_finding_is_explained_and_nothing_else_is_called_found(
            parts in prop::collection::vec(prop::sample::select(vec![
                "card ", "order ", "79927398713", "secret ", "ab12cd34ef56", "ticket ", "#12", "jo ", "moss",
                "house", " ", "1", "é", "x",
            ]), 0..14),
            min_score in 0.0f32..1.0,
            some in prop::option::of(Just(["CARD", "NAME", "FAINT"].map(|e| e.parse().unwrap()))),
        ) {
            let text = parts.concat();
            let rules = rules();
            let entities = some.as_ref().map(|list| &list[..]);
            let options = ScanOptions { min_score, entities, field: Some("a.b") };
            let mut scanner = Scanner::new(&rules);
            let found = scanner.scan(text.as_bytes(), &options);
            let all = scanner.explain(text.as_bytes(), &options);
            let of = |finding: &Finding| all.iter().any(|one| {
                one.outcome == Outcome::Found && one.rule == finding.rule && one.score == finding.score
                    && one.span.start < finding.span.end && finding.span.start < one.span.end
            });
            prop_assert!(found.iter().all(of));
            for one in &all {
                let reported = found.iter().any(|f| f.rule == one.rule && f.span.start < one.span.end
                    && one.span.start < f.span.end);
                prop_assert!(one.outcome != Outcome::Found || reported);
            }
        }
    }
}
