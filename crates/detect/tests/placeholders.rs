//! What redaction puts in place of a finding is not found again: redacting twice equals redacting
//! once.

use oubliette_detect::{RuleSet, ScanOptions, Scanner, standard_packs};
use sha2::{Digest, Sha256};

/// One marked example of a rule: the text before, the marked part and the text after.
struct Example {
    rule: String,
    entity: String,
    before: String,
    marked: String,
    after: String,
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for (name, text) in standard_packs() {
        let pack: toml::Table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        for rule in pack["rule"].as_array().expect("packs have rules") {
            let field = |field: &str| rule[field].as_str().expect("a string").to_owned();
            for example in rule["examples"].as_array().expect("a list") {
                let example = example.as_str().expect("a string");
                let (before, rest) = example.split_once("[[").expect("examples are marked");
                let (marked, after) = rest.split_once("]]").expect("examples are marked");
                examples.push(Example {
                    rule: field("id"),
                    entity: field("entity"),
                    before: before.to_owned(),
                    marked: marked.to_owned(),
                    after: after.to_owned(),
                });
            }
        }
    }
    assert!(examples.len() > 200, "the packs hold {} examples", examples.len());
    examples
}

/// Each operator's output for the example.
fn placeholders(example: &Example) -> Vec<String> {
    let Example { entity, marked, .. } = example;
    let digest = hex::encode(Sha256::digest(marked.as_bytes()));
    // As the operator masks: of a number of twelve digits or more the last four stay.
    let numeric = !marked.chars().any(char::is_alphabetic);
    let digits = marked.chars().filter(char::is_ascii_digit).count();
    let kept = if numeric && digits >= 12 { 4 } else { 0 };
    let length = marked.chars().count();
    let tail: String = marked.chars().skip(length - kept).collect();
    let masked = "*".repeat(length - kept);
    // What is left of `user:password` before `@host` is an address again; nobody masks those.
    let masked =
        if entity == "URL_CREDENTIALS" { String::new() } else { format!("{masked}{tail}") };
    vec![
        format!("<{entity}_1>"),
        format!("<{entity}_23>"),
        format!("<{entity}>"),
        "[REDACTED]".to_owned(),
        "<REDACTED>".to_owned(),
        format!("<{entity}:{}>", &digest[..16]),
        format!("<{entity}:{}>", &digest[..32]),
        masked,
        "*".repeat(marked.chars().count()),
        String::new(),
    ]
}

#[test]
fn no_rule_finds_what_redaction_leaves() {
    let mut scanner = Scanner::new(&RuleSet::standard());
    let mut wrong = Vec::new();
    for example in examples() {
        for placeholder in placeholders(&example) {
            let Example { rule, before, after, .. } = &example;
            let text = format!("{before}{placeholder}{after}");
            let place = before.len()..before.len() + placeholder.len();
            for finding in scanner.scan(text.as_bytes(), &ScanOptions::default()) {
                let span = finding.span.range();
                if span.start < place.end && place.start < span.end {
                    let by = scanner.rules().rule(finding.rule).id().to_owned();
                    wrong.push(format!("{rule}: {by} finds {:?} in {text:?}", &text[span]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} finds:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same fields by name, as JSON values are scanned.
#[test]
fn no_rule_finds_what_redaction_leaves_in_a_field() {
    let fields = [
        "ssn",
        "password",
        "api_key",
        "token",
        "client_secret",
        "phone",
        "email",
        "date_of_birth",
        "card",
        "iban",
        "ip_address",
        "passport",
        "account_number",
        "routing_number",
        "driver_license",
        "authorization",
        "mac",
    ];
    let mut scanner = Scanner::new(&RuleSet::standard());
    let mut wrong = Vec::new();
    for example in examples() {
        for placeholder in placeholders(&example) {
            for field in fields {
                let options = ScanOptions { field: Some(field), ..ScanOptions::default() };
                let found = scanner.scan(placeholder.as_bytes(), &options);
                for finding in found {
                    let by = scanner.rules().rule(finding.rule).id().to_owned();
                    wrong.push(format!("{by} finds {placeholder:?} in field {field}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} finds:\n{}", wrong.len(), wrong.join("\n"));
}
