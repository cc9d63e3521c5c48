use super::*;
use crate::{Pack, RuleSet, ScanOptions, Scanner};

/// What the imported rules find, as entity and text.
fn found<'t>(imported: &Imported, text: &'t str) -> Vec<(String, &'t str)> {
    let pack = Pack::from_toml("imported.toml", &imported.toml).unwrap();
    let rules = RuleSet::builder().pack(pack).build().unwrap();
    let options = ScanOptions { min_score: 0.0, ..ScanOptions::default() };
    let found = Scanner::new(&rules).scan(text.as_bytes(), &options);
    found.iter().map(|f| (rules.rule(f.rule).entity().to_string(), &text[f.span.range()])).collect()
}

fn notes(imported: &Imported) -> Vec<String> {
    imported.notes.iter().map(ToString::to_string).collect()
}

const GITLEAKS: &str = r#"
title = "ours"
[extend]
useDefault = true
[[rules]]
id = "acme-token"
description = "Acme's token"
regex = '''(?i)\bacme[_-]token\b.{0,5}[=:]\s*['"]?([a-z0-9]{16})(?:['"\s]|\z)'''
entropy = 3.0
keywords = ["acme_token", "acme-token"]
tags = ["x"]
  [[rules.allowlists]]
  description = "samples"
  condition = "OR"
  regexTarget = "secret"
  regexes = ['''^0123''']
  stopwords = ["example"]
  paths = ['''\.md$''']
[[rules]]
id = "second"
regex = '''(a)(SECRET-[0-9]{4})'''
secretGroup = 2
keywords = ["x"]
[[rules]]
id = "second"
regex = '''THIRD-\d{4}'''
[[rules]]
id = "pem"
path = '''\.pem$'''
[[rules]]
id = "bad"
regex = '''SECRET(unclosed'''
[[rules]]
id = "empty"
regex = '''SECRET*|'''
[[rules]]
id = "odd"
regex = 7
[allowlist]
paths = ["go.sum"]
stopwords = ["THIRD-0000"]
"#;

#[test]
fn gitleaks_rules_are_carried_over_with_what_limits_them() {
    let imported = gitleaks_toml("conf/My gitleaks.toml", GITLEAKS).unwrap();
    assert_eq!(imported.carried, 3);
    let pack = Pack::from_toml("x", &imported.toml).unwrap();
    assert_eq!(pack.id(), "my-gitleaks");
    let ids: Vec<&str> = pack.rule_ids().collect();
    assert_eq!(ids, ["my-gitleaks.acme-token", "my-gitleaks.second", "my-gitleaks.second-2"]);
    let cases: &[(&str, &[&str])] = &[
        ("ACME_TOKEN = 'k3j9x0q2w8e7r6t5'", &["k3j9x0q2w8e7r6t5"]),
        ("acme-token: aaaaaaaaaaaaaaaa ", &[]), // too little entropy
        ("acme-token: k3jexampleq2w8e7 ", &[]), // a stop word
        ("acme-token: 0123x0q2w8e7r6t5 ", &[]), // allowed by its start
        ("acme-token: k3j0123xq2w8e7r6 ", &["k3j0123xq2w8e7r6"]),
        ("aSECRET-1234", &["SECRET-1234"]),
        ("THIRD-1234 THIRD-0000", &["THIRD-1234"]),
    ];
    for (text, expected) in cases {
        let found: Vec<&str> = found(&imported, text).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, *expected, "{text}");
    }
    let notes = notes(&imported);
    for (number, start) in [
        "refused: [extend]: no other file is read",
        "acme-token: changed: allow list: paths and commits left out",
        "second: changed: without its keywords",
        "second: carried over",
        "pem: refused: it is about paths",
        "bad: refused: an open group",
        "empty: refused: pattern: matches the empty text",
        "odd: refused: a field has not the form",
        "changed: the allow list of all rules; allow list: paths and commits left out",
    ]
    .iter()
    .enumerate()
    {
        assert!(notes[number].starts_with(start), "{start}: {notes:#?}");
    }
    assert!(notes.iter().all(|note| !note.contains("SECRET") && !note.contains('\n')));
}

#[test]
fn allow_lists_that_ask_for_more_than_a_text_are_refused() {
    let list = |fields: &str| {
        let text = format!(
            "[[rules]]\nid = 'a'\nregex = 'tok_([0-9]{{4}})'\n[[rules.allowlists]]\n{fields}\n"
        );
        notes(&gitleaks_toml("g.toml", &text).unwrap()).remove(0)
    };
    let cases = [
        ("regexTarget = 'line'\nregexes = ['x']", "regexes left out that look at more"),
        ("regexTarget = 'match'\nregexes = ['x']", "regexes left out that look at more"),
        ("condition = 'AND'\nregexes = ['x']\npaths = ['y']", "left out, since it needs paths"),
        (
            "condition = 'AND'\nregexes = ['x']\nstopwords = ['y']",
            "left out, since it needs regexes",
        ),
        ("regexes = ['(x', 'y']", "1 regexes left out that are not read"),
        ("commits = ['abc']", "paths and commits left out"),
        ("stopwords = ['']", "1 stop words left out"),
    ];
    for (fields, message) in cases {
        let note = list(fields);
        assert!(note.starts_with("a: changed: allow list: ") && note.contains(message), "{note}");
    }
    assert_eq!(list("regexes = ['^12']"), "a: carried over");
}

const PRESIDIO: &str = r#"
supported_languages: [en]
global_regex_flags: 26
recognizers:
  - name: "Zip code Recognizer"
    supported_languages:
      - language: en
        context: [zip, code]
      - language: es
        context: [código]
    patterns:
      - name: "zip code (weak)"
        regex: "(\\b\\d{5}(?:\\-\\d{4})?\\b)"
        score: 0.2
      - name: no
        regex: '(?!000)SECRET'
        score: 0.9
    supported_entity: ZIP
  - name: Titles
    supported_language: en
    supported_entity: title
    deny_list: [Mr., Mrs, 42, ""]
  - name: Faint
    supported_entity: FAINT
    patterns: [{name: a, regex: 'faint-\d', score: 0.01}]
  - EmailRecognizer
  - name: CreditCardRecognizer
    type: predefined
  - name: Mine
    type: predefined
    class_name: UsSsnRecognizer
  - name: "Off"
    enabled: false
    supported_entity: OFF
    deny_list: [off]
  - name: Bad
    supported_entity: BAD
    patterns: [{name: a, regex: '(SECRET', score: 0.5}, {name: b, regex: 'b\1', score: 0.5}]
"#;

#[test]
fn presidio_recognizers_are_carried_over_by_pattern_and_by_list() {
    let imported = presidio_yaml("recognizers.yaml", PRESIDIO).unwrap();
    assert_eq!(imported.carried, 3);
    let pair = |entity: &str, text: &'static str| (entity.to_owned(), text);
    let cases = [
        ("zip 12345-6789", vec![pair("ZIP", "12345-6789")]),
        ("x123456", vec![]),
        (
            "MR. and mrs, Mrss 42",
            vec![pair("TITLE", "MR."), pair("TITLE", "mrs"), pair("TITLE", "42")],
        ),
        ("FAINT-1", vec![pair("FAINT", "FAINT-1")]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(&imported, text), expected, "{text}");
    }
    let notes = notes(&imported);
    for (number, parts) in [
        &[
            "Zip code Recognizer: changed: ",
            "its language is not looked at",
            "in part: pattern 2: a negative",
        ][..],
        &["Titles: changed: ", "called TITLE", "without 1 empty"],
        &["Faint: changed: on request"],
        &["EmailRecognizer: refused: not needed: the standard rules find EMAIL_ADDRESS"],
        &["CreditCardRecognizer: refused: not needed", "CREDIT_CARD"],
        &["Mine: refused: not needed", "US_SSN"],
        &["Off: refused: it is not enabled"],
        &["Bad: refused: pattern 1: an open group; pattern 2: it refers back"],
    ]
    .iter()
    .enumerate()
    {
        assert!(parts.iter().all(|part| notes[number].contains(part)), "{parts:?}: {notes:#?}");
    }
    assert!(notes.iter().all(|note| !note.contains("SECRET")));
}

#[test]
fn presidio_flags_hold() {
    let rule = |flags: &str| {
        let text = format!(
            r#"{{"name":"n","supported_entity":"E","patterns":[{{"name":"p","regex":"^ab.c","score":1}}]{flags}}}"#
        );
        presidio_json("a.json", &text).unwrap()
    };
    let texts = |imported: &Imported, text: &'static str| found(imported, text).len();
    let default = rule("");
    assert_eq!(texts(&default, "x\nAB\nc"), 1);
    let exact = rule(r#","global_regex_flags":0"#);
    assert_eq!((texts(&exact, "x\nab-c"), texts(&exact, "ab-c"), texts(&exact, "AB-c")), (0, 1, 0));
    let verbose = rule(r#","global_regex_flags":66"#);
    assert_eq!((verbose.carried, notes(&verbose)[0].contains("verbose")), (0, true));
}

#[test]
fn ad_hoc_recognizers_come_as_list_or_alone_or_in_a_request() {
    let one =
        r#"{"name":"Mr","supported_language":"en","deny_list":["Mr"],"supported_entities":["T"]}"#;
    for text in [
        one.to_owned(),
        format!("[{one}]"),
        format!(r#"{{"text":"x","language":"en","ad_hoc_recognizers":[{one}]}}"#),
    ] {
        let imported = presidio_json("a.json", &text).unwrap();
        assert_eq!((imported.carried, notes(&imported)), (1, vec!["Mr: carried over".to_owned()]));
        assert_eq!(presidio_yaml("a.json", &text).unwrap(), imported, "JSON is YAML, too");
    }
}

#[test]
fn files_that_are_none_are_named_without_a_word_of_theirs() {
    let deep = format!("{}SECRET{}", "[".repeat(100), "]".repeat(100));
    let mut bomb = "a0: &a0 [SECRET]\n".to_owned();
    for level in 1..20 {
        let below = level - 1;
        bomb += &format!(
            "a{level}: &a{level} [*a{below}, *a{below}, *a{below}, *a{below}, *a{below}]\n"
        );
    }
    type Import = fn(&str, &str) -> Result<Imported, DetectError>;
    let cases: &[(Import, &str, &str)] = &[
        (gitleaks_toml, "a = 'SECRET", "f:1: not a configuration of gitleaks"),
        (gitleaks_toml, "\nrules = 'SECRET'", "f:2: not a configuration of gitleaks"),
        (presidio_yaml, "a: [SECRET", "not YAML within the limits"),
        (presidio_yaml, &deep, "not YAML within the limits"),
        (presidio_yaml, &bomb, "not YAML within the limits"),
        (presidio_yaml, "SECRET", "f: neither recognizers of Presidio"),
        (presidio_yaml, "a: SECRET", "f: neither recognizers of Presidio"),
        (presidio_json, "{\"a\": SECRET", "f:1: not JSON"),
        (presidio_json, &deep, "f:1: not JSON"),
        (presidio_json, "7", "f: neither recognizers of Presidio"),
    ];
    for (import, text, message) in cases {
        let error = import("f", text).unwrap_err();
        assert!(error.to_string().contains(message), "{message}: {error}");
        assert!(!error.to_string().contains("SECRET") && error.kind() == DetectErrorKind::Syntax);
    }
    let large = "#".repeat(MAX_SOURCE_BYTES + 1);
    assert_eq!(gitleaks_toml("f", &large).unwrap_err().kind(), DetectErrorKind::TooLarge);
}

/// Names and lists that try to break out of the pack's syntax.
#[test]
fn whatever_it_is_called_the_pack_can_be_read() {
    let nasty =
        ["'", "\"", "\\", "\n[[allow]]\nterms=['x']", "'''", "\"\"\"", "\u{7f}\u{1}é", "", "  "];
    for name in nasty {
        let recognizer = serde_json::json!([{
            "name": name, "supported_entity": name, "deny_list": [name, "x"], "context": [name],
            "patterns": [{"name": name, "regex": format!("abc{}", regex_syntax::escape(name)), "score": 0.5}],
        }]);
        let imported = presidio_json(name, &recognizer.to_string()).unwrap();
        let pack = Pack::from_toml("x", &imported.toml).unwrap();
        assert!(pack.len() == 2 && pack.allow().is_empty(), "{}", imported.toml);
        assert!(notes(&imported).iter().all(|note| !note.contains('\n')));
    }
}
