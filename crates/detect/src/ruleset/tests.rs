use super::*;

fn pack(name: &str, rules: &[(&str, &str)]) -> Pack {
    let mut text = format!("pack = '{name}'\n");
    for (id, fields) in rules {
        text += &format!(
            "[[rule]]\nid = '{id}'\nentity = 'T'\ncategory = 'pii'\nscore = 1.0\n{fields}\n"
        );
    }
    Pack::from_toml(&format!("{name}.toml"), &text).unwrap()
}

fn build(rules: &[(&str, &str)]) -> Result<RuleSet, DetectError> {
    RuleSet::builder().pack(pack("t", rules)).build()
}

#[test]
fn patterns_that_do_not_run_are_refused_with_a_mend() {
    let cases = [
        ("pattern = 'a*'", "t.toml:7: rule t.a: pattern: matches the empty text"),
        ("pattern = '(a'", "t.toml:7: rule t.a: pattern: unclosed group"),
        ("pattern = '(?=a)b'", "t.toml:7: rule t.a: pattern: look-around"),
        ("pattern = '[a&&b]'", "t.toml:7: rule t.a: pattern: can never match"),
        (
            "unicode = true\npattern = '\\bx'",
            "t.toml:8: rule t.a: pattern: a Unicode word boundary",
        ),
    ];
    for (fields, message) in cases {
        let error = build(&[("t.a", fields)]).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.kind(), DetectErrorKind::Pattern);
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let kind = |fields: &str| build(&[("t.a", fields)]).unwrap_err().kind();
    assert_eq!(kind("pattern = '(?:[a-z]{1000}){1000}'"), DetectErrorKind::TooLarge);
    assert_eq!(kind("unicode = true\npattern = '\\w{900}'"), DetectErrorKind::TooLarge);
    assert_eq!(kind(&format!("pattern = '{}'", "a".repeat(9000))), DetectErrorKind::TooLarge);
    let deep = format!("pattern = '{}a{}'", "(".repeat(200), ")".repeat(200));
    assert_eq!(kind(&deep), DetectErrorKind::Pattern);
    let words = format!("pattern = 'aaa'\ncontext = [{}]", "'w', ".repeat(300));
    assert_eq!(kind(&words), DetectErrorKind::TooLarge);

    let wordy = Limits { word_bytes: 10, ..Limits::default() };
    let rule = pack("t", &[("t.a", "pattern = 'aaa'\nkeywords = ['more than ten bytes']")]);
    let error = RuleSet::builder().pack(rule).limits(wordy).build().unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::TooLarge);

    let few = Limits { rules: 1, ..Limits::default() };
    let two = pack("t", &[("t.a", "pattern = 'aaa'"), ("t.b", "pattern = 'bbb'")]);
    let error = RuleSet::builder().pack(two).limits(few).build().unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::TooLarge);
}

#[test]
fn an_id_stands_once() {
    let error = build(&[("t.a", "pattern = 'aaa'"), ("t.a", "pattern = 'bbb'")]).unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::Duplicate);
    assert!(
        error.to_string().contains("t.toml:9: rule t.a: id: stands already in t.toml:2"),
        "{error}"
    );
}

#[test]
fn the_digest_follows_what_decides_and_nothing_else() {
    let digest = |fields: &str| build(&[("t.a", fields)]).unwrap().digest().to_string();
    let base = digest("pattern = 'aaa'");
    assert_eq!(base.len(), 64);
    assert_eq!(base, digest("pattern = 'aaa'\ndescription = 'x'\nexamples = ['[[aaa]]']"));
    for other in [
        "pattern = 'aab'",
        "pattern = 'aaa'\ncontext = ['x']",
        "pattern = 'aaa'\nnegative_context = ['x']",
        "pattern = 'aaa'\nkeywords = ['xx']",
        "pattern = 'aaa'\nboundary = 'word'",
        "pattern = 'aaa'\noperator = 'mask'",
        "pattern = 'aaa'\ncase_insensitive = true",
    ] {
        assert_ne!(base, digest(other), "{other}");
    }
}

#[test]
fn the_standard_rules_are_compiled_once_and_come_first() {
    let own = pack("mine", &[("mine.a", "pattern = 'aaa'")]);
    let set = RuleSet::builder().standard().pack(own).build().unwrap();
    let standard = RuleSet::standard();
    assert_eq!(set.rules().len(), standard.rules().len() + 1);
    assert_eq!(set.rules().last().unwrap().id(), "mine.a");
    for (mine, theirs) in set.layers().iter().zip(standard.layers()) {
        assert!(Arc::ptr_eq(&mine.layer, &theirs.layer));
    }
    let (index, rule) = set.rule_by_id("mine.a").unwrap();
    assert_eq!(set.rule(index).id(), rule.id());
    let alone = RuleSet::builder().standard().build().unwrap();
    assert_eq!(alone.digest(), standard.digest());
}
