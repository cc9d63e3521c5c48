use proptest::prelude::*;

use super::*;
use crate::{Pack, RuleSet, ScanOptions, Scanner, naive};

fn set(rules: &[&str]) -> Result<RuleSet, DetectError> {
    let mut text = "pack = 't'\n".to_owned();
    for (number, fields) in rules.iter().enumerate() {
        text += &format!(
            "[[rule]]\nid = 't.{number}'\nentity = 'T{number}'\ncategory = 'pii'\nscore = 0.6\n{fields}\n"
        );
    }
    RuleSet::builder().pack(Pack::from_toml("t.toml", &text)?).build()
}

fn found(fields: &str, text: &str) -> Vec<String> {
    let rules = set(&[fields]).unwrap();
    let found = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
    assert_eq!(found, naive::scan(&rules, text.as_bytes(), &ScanOptions::default()));
    found.iter().map(|f| text[f.span.range()].to_owned()).collect()
}

#[test]
fn terms_stand_as_whole_words_the_longest_first() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("terms = ['Ann', 'Ann Lee']", "Ann Lee, Ann, Anna, ann, ann_b", &["Ann Lee", "Ann"]),
        ("terms = ['Ann', 'Ann Lee']", "Ann Leeds", &["Ann"]),
        ("terms = ['Ann']\ncase_insensitive = true", "ANN ann xAnn", &["ANN", "ann"]),
        ("terms = ['Zoë']\ncase_insensitive = true", "zoë ZOË zoe", &["zoë", "ZOË"]),
        ("terms = ['Zoë']", "zoë ZOË Zoë", &["Zoë"]),
        ("terms = ['nn', 'ann']\nboundary = 'none'", "annn", &["ann"]),
        ("terms = ['42']\nboundary = 'digit'", "a42b 421 142 42", &["42", "42"]),
        ("terms = ['ab']\nboundary = 'token'", "ab ab= x-ab =ab", &["ab", "ab"]),
        ("terms = ['@jo', 'C++']", "x @jo, @joe C++ C+++ xC++", &["@jo", "C++", "C++"]),
        ("terms = ['東京']", "在東京都", &["東京"]),
        ("terms = ['a']", "a b a", &["a", "a"]),
        ("terms = ['Ann']", "", &[]),
        // A term that ends where another begins, and one inside another.
        ("terms = ['ab', 'abab']\nboundary = 'none'", "ababab", &["abab", "ab"]),
    ];
    for (fields, text, expected) in cases {
        assert_eq!(found(fields, text), *expected, "{fields} in {text}");
    }
}

#[test]
fn context_entities_and_overlaps_work_as_for_patterns() {
    let quiet =
        "terms = ['Titan']\nscore = 0.3\ncontext = ['project']".replace("score = 0.3\n", "");
    assert_eq!(found(&quiet, "Titan"), ["Titan"]);
    let rules = set(&["terms = ['ann lee']", "terms = ['lee']", "pattern = 'lee [0-9]+'"]).unwrap();
    // Rules of terms come last, whatever their place in the pack.
    let ids: Vec<&str> = rules.rules().iter().map(Rule::id).collect();
    assert_eq!(ids, ["t.2", "t.0", "t.1"]);
    let text = b"ann lee, lee 12";
    let found = Scanner::new(&rules).scan(text, &ScanOptions::default());
    let ids: Vec<&str> = found.iter().map(|f| rules.rule(f.rule).id()).collect();
    assert_eq!(ids, ["t.0", "t.2"]);
    let entities = ["T1".parse().unwrap()];
    let options = ScanOptions { entities: Some(&entities), ..ScanOptions::default() };
    let found = Scanner::new(&rules).scan(text, &options);
    assert_eq!(found.iter().map(|f| f.span.start).collect::<Vec<_>>(), [4, 9]);
}

#[test]
fn rules_of_terms_that_cannot_be_used_are_refused_with_a_mend() {
    let cases = [
        ("", "rule t.0: pattern: missing; give a `pattern`, or `terms`"),
        ("terms = ['a']\npattern = 'a'", "rule t.0: terms: give either"),
        ("terms = ['']", "rule t.0: terms: each is 1 to 256"),
        ("terms = [' a']", "rule t.0: terms: each is 1 to 256"),
        ("terms = ['a']\nvalidator = 'luhn'", "rule t.0: validator: is for patterns"),
        ("terms = ['a']\nkeywords = ['ab']", "rule t.0: keywords: is for patterns"),
    ];
    for (fields, message) in cases {
        let error = set(&[fields]).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let few = Limits { terms: 2, ..Limits::default() };
    let text = "pack = 't'\n[[rule]]\nid = 't.a'\nentity = 'T'\ncategory = 'pii'\nscore = 1\nterms = ['a', 'b', 'c']";
    let pack = Pack::from_toml("t", text).unwrap();
    let error = RuleSet::builder().limits(few).pack(pack).build().unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::TooLarge);
}

#[test]
fn the_digest_follows_the_terms() {
    let digest = |fields: &str| set(&[fields]).unwrap().digest().to_string();
    let base = digest("terms = ['a', 'b']");
    assert_eq!(base, digest("terms = ['a', 'b']\nboundary = 'word'"));
    for other in [
        "terms = ['a', 'c']",
        "terms = ['ab']",
        "terms = ['a', 'b']\nboundary = 'none'",
        "terms = ['a', 'b']\ncase_insensitive = true",
        "terms = ['a', 'b']\nallow = ['b']",
        "pattern = 'a'",
    ] {
        assert_ne!(base, digest(other), "{other}");
    }
}

/// Ten thousand made-up names: compiled in a moment, and few places are walked from.
#[test]
fn many_terms_are_cheap() {
    let syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "ze", "pu"];
    let name = |n: usize| {
        let at = |power: u32| syllables[n / 10usize.pow(power) % 10];
        format!("{}{}{}{}", at(3), at(2), at(1), at(0))
    };
    let names: Vec<String> = (0..10_000).map(name).collect();
    let fields = format!("terms = {names:?}\ncase_insensitive = true");
    let rules = set(&[&fields]).unwrap();
    let gate = &rules.terms()[0].layer.words.gate;
    let prose =
        "The quick brown fox jumps over the lazy dog while kalomine waits for the next tram ";
    let walked = prose.split(' ').filter(|word| gate.admits(word.as_bytes())).count();
    assert_eq!(walked, 1);
    let text = prose.repeat(100);
    let found = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
    assert_eq!(found.len(), 100);
}

proptest! {
    #[test]
    fn the_scanner_finds_what_the_definition_says(
        text in "[aAbBé_ -]{0,60}",
        terms in prop::collection::vec("[abé][aAb é-]{0,3}[abé]|[aé-]", 1..12),
        folds: bool,
        boundary in prop::sample::select(vec!["none", "word", "digit", "token"]),
    ) {
        let fields = format!("terms = {terms:?}\ncase_insensitive = {folds}\nboundary = '{boundary}'");
        let rules = set(&[&fields, "terms = ['ab', 'é a', '-b']", "pattern = 'a[ab]+'"]).unwrap();
        let found = Scanner::new(&rules).scan(text.as_bytes(), &ScanOptions::default());
        prop_assert_eq!(found, naive::scan(&rules, text.as_bytes(), &ScanOptions::default()));
    }
}
