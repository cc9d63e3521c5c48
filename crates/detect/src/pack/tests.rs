use super::*;

const RULE: &str = "\
pack = 'demo'
[[rule]]
id = 'demo.a'
entity = 'A'
category = 'pii'
pattern = 'aaa'
score = 0.5
";

fn error(text: &str) -> DetectError {
    Pack::from_toml("demo.toml", text).unwrap_err()
}

#[test]
fn a_pack_is_read() {
    let pack = Pack::from_toml("demo.toml", RULE).unwrap();
    assert_eq!((pack.id(), pack.len(), pack.source_name()), ("demo", 1, "demo.toml"));
}

#[test]
fn errors_name_file_line_rule_field_and_mend() {
    let cases = [
        (
            "score = 0.5",
            "score = 1.5",
            "demo.toml:7: rule demo.a: score: write a number from 0 to 1",
        ),
        ("'A'", "'a b'", "demo.toml:4: rule demo.a: entity: write 1 to 64 of"),
        ("'demo.a'", "'Demo a'", "demo.toml:3: rule Demo a: id: write 1 to 96 of"),
        (
            "score = 0.5",
            "score = 0.5\nvalidator = 'no'",
            "demo.toml:8: rule demo.a: validator: there is no",
        ),
        (
            "score = 0.5",
            "score = 0.5\ncontext_required = true",
            "demo.toml:8: rule demo.a: context_required",
        ),
        (
            "score = 0.5",
            "score = 0.5\nkeywords = ['a']",
            "demo.toml:8: rule demo.a: keywords: each is 2",
        ),
        (
            "score = 0.5",
            "score = 0.5\ncontext = [' a']",
            "demo.toml:8: rule demo.a: context: each is 1",
        ),
        ("pii", "pie", "demo.toml:5: rule demo.a: unknown variant `pie`"),
        ("score", "scores", "demo.toml:7: rule demo.a: unknown field `scores`"),
        ("'demo'", "'Demo'", "demo.toml: pack: write"),
        ("pack = 'demo'", "pack = 'demo'\nversion = 1", "demo.toml:2: unknown field `version`"),
    ];
    for (from, to, message) in cases {
        let error = error(&RULE.replacen(from, to, 1));
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.kind(), DetectErrorKind::Syntax);
        assert!(!error.to_string().contains('\n'));
    }
    assert!(error("pack = ").to_string().starts_with("demo.toml:1: "));
}

#[test]
fn a_missing_field_is_named() {
    let error = error(&RULE.replace("score = 0.5\n", ""));
    assert!(error.to_string().contains("rule demo.a: missing field `score`"), "{error}");
}

#[test]
fn a_huge_pack_is_refused() {
    assert_eq!(error(&"#\n".repeat(MAX_PACK_BYTES)).kind(), DetectErrorKind::TooLarge);
}

#[test]
fn a_filtered_pack_has_the_wanted_rules_and_what_is_said_about_them() {
    let second = RULE.replace("pack = 'demo'\n", "").replace("demo.a", "demo.b");
    let lists = "[[allow]]\nterms = ['x']\n[[allow]]\nrules = ['demo.a']\nterms = ['y']\n\
                 [[allow]]\nrules = ['demo.a', 'demo.b']\nterms = ['z']\n";
    let pack = Pack::from_toml("demo.toml", &format!("{RULE}{second}{lists}")).unwrap();
    let left = pack.filtered(|id| id == "demo.b");
    assert_eq!(left.rule_ids().collect::<Vec<_>>(), ["demo.b"]);
    let terms: Vec<&str> = left.allow().iter().map(|table| table.terms[0].as_str()).collect();
    assert_eq!(terms, ["x", "z"]);
    assert_eq!(left.allow()[1].rules, ["demo.b"]);
}
