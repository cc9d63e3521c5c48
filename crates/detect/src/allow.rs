//! Allow lists: findings that are known to be harmless.

use std::collections::{HashMap, HashSet};

use aho_corasick::AhoCorasick;
use regex_automata::meta;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};
use serde::Deserialize;

use crate::entity::EntityType;
use crate::error::{DetectError, DetectErrorKind};
use crate::finding::Finding;
use crate::limits::Limits;
use crate::pack::Pack;
use crate::rule::Rule;
use crate::terms::MAX_TERM_BYTES;

/// An `[[allow]]` table as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowSyntax {
    #[serde(default)]
    pub(crate) entities: Vec<String>,
    #[serde(default)]
    pub(crate) rules: Vec<String>,
    #[serde(default)]
    pub(crate) terms: Vec<String>,
    #[serde(default)]
    pub(crate) contains: Vec<String>,
    #[serde(default)]
    pub(crate) patterns: Vec<String>,
    #[serde(default)]
    pub(crate) case_insensitive: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the pack")]
    pub(crate) description: String,
}

/// What TOML types cannot say about the tables' fields.
pub(crate) fn check(source: &str, tables: &[AllowSyntax]) -> Result<(), DetectError> {
    for (number, table) in (1..).zip(tables) {
        let wrong = |field: &str, mend: &str| {
            let message = format!("{source}: allow table {number}: {field}: {mend}");
            Err(DetectError::new(DetectErrorKind::Syntax, message))
        };
        if table.terms.is_empty() && table.contains.is_empty() && table.patterns.is_empty() {
            return wrong("terms", "missing; give `terms`, `contains` or `patterns`");
        }
        if table.entities.iter().any(|name| name.parse::<EntityType>().is_err()) {
            return wrong("entities", "write each as 1 to 64 of A-Z, 0-9 and `_`");
        }
        for (field, list) in [("terms", &table.terms), ("contains", &table.contains)] {
            let good =
                |term: &String| (1..=MAX_TERM_BYTES).contains(&term.len()) && term.trim() == term;
            if !list.iter().all(good) {
                return wrong(field, "each is 1 to 256 bytes, without space at either end");
            }
        }
    }
    Ok(())
}

/// All allow lists of a set.
#[derive(Debug)]
pub(crate) struct Allow {
    syntax: Vec<AllowSyntax>,
    rules: Vec<Rule>,
    /// The tables, of which the last were added last.
    lists: Vec<(Scope, std::sync::Arc<List>)>,
    /// The lists that rules have of their own.
    of_rules: HashMap<u32, std::sync::Arc<List>>,
}

/// Whose findings a list is about.
#[derive(Debug, Clone)]
struct Scope {
    entities: Vec<String>,
    rules: Vec<String>,
}

impl Scope {
    fn holds(&self, rule: &Rule) -> bool {
        (self.entities.is_empty() && self.rules.is_empty())
            || self.entities.iter().any(|entity| entity == rule.entity().as_str())
            || self.rules.iter().any(|id| id == rule.id())
    }
}

impl Allow {
    /// The lists of sets that are compiled already, of `packs`, and of `rules` from `base` on.
    pub(crate) fn new<'b>(
        below: impl Iterator<Item = &'b Allow>,
        packs: &[Pack],
        rules: &[Rule],
        base: usize,
        limits: &Limits,
    ) -> Result<Option<Self>, DetectError> {
        let mut allow = Self {
            syntax: Vec::new(),
            rules: rules.to_vec(),
            lists: Vec::new(),
            of_rules: HashMap::new(),
        };
        for other in below {
            allow.syntax.extend(other.syntax.iter().cloned());
            allow.lists.extend(other.lists.iter().cloned());
            allow.of_rules.extend(other.of_rules.iter().map(|(&at, list)| (at, list.clone())));
        }
        let mut spent = Spent::default();
        for (number, rule) in (0u32..).zip(rules).skip(base) {
            let syntax = rule.syntax();
            if !syntax.allow.is_empty() {
                let place = &rule.source().place;
                let wrong = |mend: &str| place.error(DetectErrorKind::TooLarge, "allow", mend);
                spent.terms(&syntax.allow, limits).map_err(wrong)?;
                let list = List::of_terms(&syntax.allow, syntax.case_insensitive);
                allow.of_rules.insert(number, list.into());
            }
        }
        for pack in packs {
            for (number, table) in (1..).zip(pack.allow()) {
                let wrong = |kind: DetectErrorKind, field: &str, mend: &str| {
                    let source = pack.source_name();
                    let message = format!("{source}: allow table {number}: {field}: {mend}");
                    DetectError::new(kind, message)
                };
                let too_large = |mend: &str| wrong(DetectErrorKind::TooLarge, "terms", mend);
                spent.terms(&table.terms, limits).map_err(too_large)?;
                spent.terms(&table.contains, limits).map_err(too_large)?;
                spent.patterns += table.patterns.len();
                if spent.patterns > limits.allow_patterns {
                    let mend = format!("more than {} in all lists", limits.allow_patterns);
                    return Err(wrong(DetectErrorKind::TooLarge, "patterns", &mend));
                }
                if let Some(id) = table.rules.iter().find(|id| !rules.iter().any(|r| r.id() == *id))
                {
                    let mend = format!("there is no rule `{id}`");
                    return Err(wrong(DetectErrorKind::Syntax, "rules", &mend));
                }
                let list = List::new(table, limits)
                    .map_err(|(kind, field, mend)| wrong(kind, field, &mend))?;
                spent.bytes += list.bytes;
                if spent.bytes > limits.compiled_bytes {
                    let mend = "the patterns together compile to more than the limit";
                    return Err(wrong(DetectErrorKind::TooLarge, "patterns", mend));
                }
                let scope = Scope { entities: table.entities.clone(), rules: table.rules.clone() };
                allow.lists.push((scope, list.into()));
                allow.syntax.push(table.clone());
            }
        }
        let empty = allow.lists.is_empty() && allow.of_rules.is_empty();
        Ok((!empty).then_some(allow))
    }

    /// Whether the finding, whose text this is, is known to be harmless.
    pub(crate) fn drops(&self, finding: &Finding, text: &[u8]) -> bool {
        let rule = &self.rules[finding.rule.0 as usize];
        let own = self.of_rules.get(&finding.rule.0).is_some_and(|list| list.holds(text));
        own || self.lists.iter().any(|(scope, list)| scope.holds(rule) && list.holds(text))
    }

    /// The tables, for the digest.
    pub(crate) fn syntax(&self) -> impl Iterator<Item = &AllowSyntax> {
        self.syntax.iter()
    }
}

/// What the lists took of the limits so far.
#[derive(Default)]
struct Spent {
    terms: usize,
    term_bytes: usize,
    patterns: usize,
    bytes: usize,
}

impl Spent {
    fn terms(&mut self, list: &[String], limits: &Limits) -> Result<(), &'static str> {
        self.terms += list.len();
        self.term_bytes += list.iter().map(String::len).sum::<usize>();
        let much = self.terms > limits.terms || self.term_bytes > limits.term_bytes;
        if much { Err("the terms of all lists are more than the limit") } else { Ok(()) }
    }
}

/// Texts and patterns, ready to compare with.
#[derive(Debug)]
struct List {
    /// In lower case if the case does not matter.
    terms: HashSet<Vec<u8>>,
    folds: bool,
    contains: Option<AhoCorasick>,
    /// Each matches a whole finding or nothing.
    patterns: Option<meta::Regex>,
    bytes: usize,
}

type Wrong = (DetectErrorKind, &'static str, String);

impl List {
    fn of_terms(terms: &[String], folds: bool) -> Self {
        let term = |text: &String| match folds {
            true => text.as_bytes().to_ascii_lowercase(),
            false => text.clone().into_bytes(),
        };
        let terms = terms.iter().map(term).collect();
        Self { terms, folds, contains: None, patterns: None, bytes: 0 }
    }

    fn new(table: &AllowSyntax, limits: &Limits) -> Result<Self, Wrong> {
        let mut list = Self::of_terms(&table.terms, table.case_insensitive);
        if !table.contains.is_empty() {
            let mut builder = AhoCorasick::builder();
            builder.ascii_case_insensitive(table.case_insensitive);
            let built = builder.build(&table.contains).map_err(|_| {
                (DetectErrorKind::TooLarge, "contains", "too many terms".to_owned())
            })?;
            list.contains = Some(built);
        }
        if !table.patterns.is_empty() {
            let whole = |(number, pattern): (usize, &String)| {
                let wrong = |what: &str| {
                    let mend = format!("pattern {}: {what}", number + 1);
                    (DetectErrorKind::Pattern, "patterns", mend)
                };
                if pattern.len() > limits.pattern_bytes {
                    return Err(wrong("too long"));
                }
                let hir = ParserBuilder::new()
                    .unicode(false)
                    .utf8(false)
                    .case_insensitive(table.case_insensitive)
                    .nest_limit(limits.nesting)
                    .build()
                    .parse(pattern)
                    .map_err(|error| wrong(&crate::compile::reason(&error)))?;
                Ok(Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]))
            };
            let hirs: Vec<Hir> =
                table.patterns.iter().enumerate().map(whole).collect::<Result<_, Wrong>>()?;
            let regex = meta::Builder::new()
                .configure(
                    meta::Config::new()
                        .utf8_empty(false)
                        .dfa(false)
                        .nfa_size_limit(Some(4 * limits.pattern_compiled_bytes)),
                )
                .build_many_from_hir(&hirs)
                .map_err(|_| {
                    let mend = "compile to more than the limit; split the list".to_owned();
                    (DetectErrorKind::TooLarge, "patterns", mend)
                })?;
            list.bytes = regex.memory_usage();
            list.patterns = Some(regex);
        }
        Ok(list)
    }

    fn holds(&self, text: &[u8]) -> bool {
        let is_term = match self.folds {
            _ if self.terms.is_empty() || text.len() > MAX_TERM_BYTES => false,
            true => self.terms.contains(&text.to_ascii_lowercase()),
            false => self.terms.contains(text),
        };
        is_term
            || self.contains.as_ref().is_some_and(|contains| contains.is_match(text))
            || self.patterns.as_ref().is_some_and(|patterns| patterns.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use crate::{DetectErrorKind, Pack, RuleSet, ScanOptions, Scanner, naive};

    const RULES: &str = r#"
pack = "t"
[[rule]]
id = "t.mail"
entity = "MAIL"
category = "pii"
pattern = '[A-Za-z.]+@[A-Za-z.]+'
score = 0.9
allow = ["me@here.example"]
[[rule]]
id = "t.host"
entity = "HOST"
category = "pii"
pattern = '[A-Za-z]+\.example'
score = 0.6
[[rule]]
id = "t.badge"
entity = "BADGE"
category = "pii"
terms = ["b-1", "b-12", "B-3"]
case_insensitive = true
score = 0.9
allow = ["b-3"]
"#;

    fn found(tables: &str, text: &str) -> Vec<String> {
        let pack = Pack::from_toml("t.toml", &format!("{RULES}{tables}")).unwrap();
        let rules = RuleSet::builder().pack(pack).build().unwrap();
        let found = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
        assert_eq!(found, naive::scan(&rules, text.as_bytes(), &ScanOptions::default()));
        found.iter().map(|f| text[f.span.range()].to_owned()).collect()
    }

    #[test]
    fn what_is_allowed_is_dropped_before_overlaps_are_resolved() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("", "jo@x.example", &["jo@x.example"]),
            ("", "me@here.example", &["here.example"]),
            ("", "ME@here.example", &["ME@here.example"]),
            ("", "b-3 B-3 b-1", &["b-1"]),
            ("[[allow]]\nterms = ['jo@x.example']", "jo@x.example", &["x.example"]),
            ("[[allow]]\nterms = ['x.example']", "jo@x.example x.example", &["jo@x.example"]),
            ("[[allow]]\npatterns = ['.*x[.]example']", "jo@x.example ax.example", &[]),
            ("[[allow]]\npatterns = ['x[.]example']", "jo@x.example", &["jo@x.example"]),
            ("[[allow]]\npatterns = ['a|x[.]example']", "x.example", &[]),
            ("[[allow]]\ncontains = ['o@x']", "jo@x.example", &["x.example"]),
            ("[[allow]]\nterms = ['X.example']", "x.example", &["x.example"]),
            ("[[allow]]\nterms = ['X.example']\ncase_insensitive = true", "x.example", &[]),
            ("[[allow]]\npatterns = ['X.*']\ncase_insensitive = true", "x.example", &[]),
            ("[[allow]]\ncontains = ['X.E']\ncase_insensitive = true", "x.example", &[]),
            (
                "[[allow]]\nentities = ['MAIL']\npatterns = ['.*']",
                "a@x.example b-1",
                &["x.example", "b-1"],
            ),
            ("[[allow]]\nrules = ['t.badge']\nterms = ['b-1']", "b-1 b-12", &["b-12"]),
        ];
        for (tables, text, expected) in cases {
            assert_eq!(found(tables, text), *expected, "{tables} on {text}");
        }
    }

    #[test]
    fn a_pack_of_lists_alone_reaches_the_standard_rules() {
        let text =
            "pack = 'a'\n[[allow]]\nentities = ['EMAIL_ADDRESS']\nterms = ['help@acme.com']\n";
        let pack = Pack::from_toml("a.toml", text).unwrap();
        let rules = RuleSet::builder().standard().pack(pack).build().unwrap();
        let text = b"help@acme.com or jo.moss@acme.com";
        let found = Scanner::new(&rules).scan(text, &ScanOptions::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].span.start, 17);
        assert_ne!(rules.digest(), RuleSet::standard().digest());
    }

    #[test]
    fn lists_that_cannot_be_used_are_refused_with_a_mend() {
        let cases = [
            ("[[allow]]\nentities = ['A']", "t.toml: allow table 1: terms: missing"),
            ("[[allow]]\nterms = ['']", "t.toml: allow table 1: terms: each is 1 to 256"),
            ("[[allow]]\nterms = ['a']\nentities = ['a b']", "t.toml: allow table 1: entities:"),
            ("[[allow]]\nterms = ['a']\nrule = ['t.mail']", "unknown field `rule`"),
            (
                "[[allow]]\nterms = ['a']\nrules = ['t.male']",
                "t.toml: allow table 1: rules: there is no rule `t.male`",
            ),
            (
                "[[allow]]\npatterns = ['a', '(b']",
                "t.toml: allow table 1: patterns: pattern 2: unclosed group",
            ),
            (
                "[[allow]]\npatterns = ['(?x)a # b']\n[[allow]]\npatterns = ['(?=a)']",
                "allow table 2: patterns: pattern 1: look-around",
            ),
        ];
        for (tables, message) in cases {
            let error = Pack::from_toml("t.toml", &format!("{RULES}{tables}"))
                .and_then(|pack| RuleSet::builder().pack(pack).build())
                .unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        let many = format!("{RULES}[[allow]]\npatterns = [{}]", "'a',".repeat(1_001));
        let pack = Pack::from_toml("t.toml", &many).unwrap();
        let error = RuleSet::builder().pack(pack).build().unwrap_err();
        assert_eq!(error.kind(), DetectErrorKind::TooLarge);
    }
}
