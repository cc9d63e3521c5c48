use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::Pack;
use crate::context::KEYWORD_REACH;
use crate::context::WINDOW_AFTER;

/// Toy rules, one or more for each gate, boundary and flag.
const TOYS: &str = r#"
pack = "toy"
[[rule]]
id = "toy.colons"
entity = "OPEN"
category = "pii"
pattern = '(?:\A|[^0-9a-f:])(?P<value>(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,3})?::[0-9a-f]{0,4})'
score = 0.6
[[rule]]
id = "toy.led-shape"
entity = "NUMBER"
category = "pii"
pattern = '(?:\A|[^a-z]|[a-z]-)(?P<value>[0-9]{2}[:@][0-9]{2}[:@])'
score = 0.8
[[rule]]
id = "toy.start"
entity = "KEY"
category = "pii"
pattern = '\A[h-z][a-z](?:[0-9]{2}|[.@])'
score = 0.5
[[rule]]
id = "toy.number"
entity = "NUMBER"
category = "pii"
pattern = '[A-Z]?[0-9]{3}[ -]?[0-9]{4}'
boundary = "word"
score = 0.6
[[rule]]
id = "toy.number-with-word"
entity = "ACCOUNT"
category = "pii"
pattern = '[0-9]{7,9}'
boundary = "digit"
context = ["kw", "acct"]
context_required = true
score = 0.3
[[rule]]
id = "toy.plate"
entity = "PLATE"
category = "pii"
pattern = '[A-Z]{2}[0-9]{2}[A-Z]{1,2}'
score = 0.6
[[rule]]
id = "toy.colon"
entity = "OPEN"
category = "pii"
pattern = '(?:\A|[^0-9a-f:])(?P<value>[0-9a-f]{1,3}:(?:[a-f]{1,2}:){1,2}[0-9a-f]{1,2})'
score = 0.6
[[rule]]
id = "toy.shape"
entity = "PLATE"
category = "pii"
pattern = '[A-Z][.@:][A-Z]'
score = 0.6
[[rule]]
id = "toy.name"
entity = "TOKEN"
category = "secret"
pattern = '(?:[Aa]lpha|[Tt]ok|[Kk]ey[-_ ])(?P<value>[-_ .][a-z0-9]{1,3})'
boundary = "name"
score = 0.7
[[rule]]
id = "toy.key"
entity = "TOKEN"
category = "secret"
pattern = 'a[0-9a-b]{16,20}'
score = 0.7
[[rule]]
id = "toy.key-with-word"
entity = "TOKEN"
category = "secret"
pattern = '[0-9a-f_]{16,18}'
boundary = "token"
keywords = ["kw", "key"]
min_digits = 1
score = 0.7
[[rule]]
id = "toy.prefix"
entity = "TOKEN"
category = "secret"
pattern = 'tok_[a-z]{2,6}'
score = 0.9
[[rule]]
id = "toy.prefixes"
entity = "TOKEN"
category = "secret"
pattern = '(?i)(?:alpha|beta-x)=(?P<value>[^ ]{1,4})'
score = 0.6
negative_context = ["demo"]
[[rule]]
id = "toy.block"
entity = "BLOCK"
category = "secret"
pattern = '<<<[\s\S]+?>>>'
score = 0.8
[[rule]]
id = "toy.keyed"
entity = "KEY"
category = "secret"
pattern = '[a-z0-9]{4}'
keywords = ["kw1", "kw2"]
boundary = "token"
score = 0.7
[[rule]]
id = "toy.mail"
entity = "MAIL"
category = "pii"
pattern = '[a-z.]+@[a-z]+\.[a-z]{2}'
boundary = "word"
score = 0.9
[[rule]]
id = "toy.url"
entity = "URL"
category = "pii"
pattern = '[a-z]{1,5}://[^ ]+'
score = 0.5
[[rule]]
id = "toy.digits"
entity = "NUMBER"
category = "pii"
pattern = '[0-9](?:[ -]?[0-9]){3,6}'
boundary = "digit"
validator = "luhn"
score = 0.3
context = ["card", "számla"]
negative_context = ["order"]
[[rule]]
id = "toy.long"
entity = "NUMBER"
category = "pii"
pattern = '[0-9]{3}-?[0-9]+'
boundary = "word"
score = 0.2
context = ["id no"]
context_required = true
[[rule]]
id = "toy.gated"
entity = "GATED"
category = "pii"
pattern = '[0-9]{2}[a-z]{1,3}'
score = 0.2
context = ["demo", "számla"]
context_required = true
[[rule]]
id = "toy.gated.open"
entity = "GATED"
category = "pii"
pattern = '(?:^|[ ])(?P<value>[a-z]{3}) '
boundary = "digit"
score = 0.3
context = ["id no", "demo"]
negative_context = ["order"]
context_required = true
[[rule]]
id = "toy.gated.keyed"
entity = "GATED"
category = "pii"
pattern = '[0-9]{3}'
keywords = ["kw1"]
validator = "luhn"
score = 0.2
context = ["card"]
context_required = true
[[rule]]
id = "toy.open"
entity = "OPEN"
category = "pii"
pattern = '[a-z ]+!'
score = 0.55
[[rule]]
id = "toy.unicode"
entity = "OPEN"
category = "pii"
pattern = 'né\w+'
unicode = true
score = 0.5
[[rule]]
id = "toy.split"
entity = "SPLIT"
category = "pii"
pattern = '[^a-z@ ]{2}%'
score = 0.5
"#;

fn toys() -> RuleSet {
    RuleSet::builder().pack(Pack::from_toml("toy.toml", TOYS).unwrap()).build().unwrap()
}

fn one(fields: &str) -> RuleSet {
    let text =
        format!("pack = 't'\n[[rule]]\nid = 't.t'\nentity = 'T'\ncategory = 'pii'\n{fields}\n");
    RuleSet::builder().pack(Pack::from_toml("t.toml", &text).unwrap()).build().unwrap()
}

fn texts<'h>(rules: &RuleSet, haystack: &'h str, options: &ScanOptions<'_>) -> Vec<&'h str> {
    let findings = Scanner::new(rules).scan(haystack.as_bytes(), options);
    findings.iter().map(|finding| &haystack[finding.span.range()]).collect()
}

fn found<'h>(fields: &str, haystack: &'h str) -> Vec<&'h str> {
    texts(&one(fields), haystack, &ScanOptions::default())
}

#[test]
fn every_gate_is_represented() {
    use crate::compile::gate::Gate;
    let toys = toys();
    let gates: Vec<&Gate> = toys.layers()[0].layer.rules.iter().map(|r| &r.matcher.gate).collect();
    let count = |is: fn(&Gate) -> bool| gates.iter().filter(|gate| is(gate)).count();
    assert_eq!(count(|gate| matches!(gate, Gate::Prefix(_))), 5);
    assert_eq!(count(|gate| matches!(gate, Gate::Keywords)), 2);
    assert_eq!(count(|gate| matches!(gate, Gate::Inner { .. })), 4);
    assert!(count(|gate| matches!(gate, Gate::Shape)) >= 1);
    assert!(count(|gate| matches!(gate, Gate::Digit { .. })) >= 1);
    assert!(count(|gate| matches!(gate, Gate::InnerShape { .. })) >= 1);
    assert!(count(|gate| matches!(gate, Gate::Digits { .. })) >= 2);
    assert!(count(|gate| matches!(gate, Gate::Token { .. })) >= 1);
    assert!(count(|gate| matches!(gate, Gate::TokenByKeyword { .. })) >= 1);
    assert!(count(|gate| matches!(gate, Gate::Open)) >= 1);
    let gated = toys.layers()[0]
        .layer
        .rules
        .iter()
        .filter(|rule| rule.is_led_by_context(DEFAULT_MIN_SCORE));
    assert_eq!(gated.count(), 3);
}

#[test]
fn all_matches_are_found_not_only_the_first() {
    assert_eq!(found("pattern = 'a[0-9]'\nscore = 1", "a1 a2,a3a4"), ["a1", "a2", "a3", "a4"]);
}

#[test]
fn boundaries_hold_at_both_ends() {
    let word = "pattern = '[0-9]{3}'\nscore = 1\nboundary = 'word'";
    assert_eq!(found(word, "123 1234 a123 123_ (123) é123é"), ["123", "123", "123"]);
    let digit = "pattern = '[0-9]{3}'\nscore = 1\nboundary = 'digit'";
    assert_eq!(found(digit, "a123b 1234 12 345"), ["123", "345"]);
    let token = "pattern = '[0-9a-f]{4}'\nscore = 1\nboundary = 'token'";
    assert_eq!(found(token, "k=00ff 00ff= x/00ff 00ff-1 \"00ff\""), ["00ff", "00ff"]);
}

#[test]
fn a_word_boundary_lets_the_pattern_choose_another_end() {
    assert_eq!(
        found("pattern = 'foo|foobar'\nscore = 1\nboundary = 'word'", "foobar foo"),
        ["foobar", "foo"]
    );
}

#[test]
fn a_refused_match_does_not_hide_a_shorter_one_inside() {
    // 79927398713 passes Luhn; with the leading 1 the longer number does not.
    let fields = "pattern = '[0-9]{11,12}'\nscore = 0.3\nvalidator = 'luhn'";
    assert_eq!(found(fields, "179927398713"), ["79927398713"]);
}

#[test]
fn the_value_group_is_the_span_and_the_next_search_starts_behind_it() {
    let fields = "pattern = '(?:^|,)(?P<value>[a-z]+),'\nscore = 1";
    assert_eq!(found(fields, "ab,cd,ef,"), ["ab", "cd", "ef"]);
}

#[test]
fn keywords_must_be_near_the_start() {
    let fields = "pattern = '[a-z]{3}[0-9]{3}'\nkeywords = ['Acme']\nscore = 1";
    assert_eq!(found(fields, "abc123"), Vec::<&str>::new());
    assert_eq!(found(fields, "abc123 for ACME"), ["abc123"]);
    let gap = |spaces: usize| format!("acme{}abc123", " ".repeat(spaces));
    assert_eq!(found(fields, &gap(KEYWORD_REACH - 4)), ["abc123"]);
    assert_eq!(found(fields, &gap(KEYWORD_REACH - 3)), Vec::<&str>::new());
}

#[test]
fn context_raises_and_explains_away() {
    let fields = "pattern = '[0-9]{6}'\nboundary = 'digit'\nscore = 0.3\ncontext = ['badge']\n\
                  negative_context = ['order']";
    assert_eq!(found(fields, "123456"), Vec::<&str>::new());
    assert_eq!(found(fields, "badge 123456"), ["123456"]);
    assert_eq!(found(fields, "badge order 123456"), Vec::<&str>::new());
    let all = ScanOptions { min_score: 0.0, ..ScanOptions::default() };
    let score = |text: &str| Scanner::new(&one(fields)).scan(text.as_bytes(), &all)[0].score;
    assert!((score("123456") - 0.3).abs() < 1e-6);
    assert!((score("badge 123456") - 0.65).abs() < 1e-6);
}

#[test]
fn required_context_holds_back_a_validator() {
    let fields = "pattern = '[0-9]{11}'\nscore = 0.3\nvalidator = 'luhn'\ncontext = ['card']\n\
                  context_required = true";
    assert_eq!(found(fields, "79927398713"), Vec::<&str>::new());
    assert_eq!(found(fields, "card 79927398713"), ["79927398713"]);
}

#[test]
fn a_field_name_is_context_and_keyword() {
    let context = one("pattern = '[0-9]{6}'\nscore = 0.3\ncontext = ['badge']");
    let keyword = one("pattern = '[0-9]{6}'\nscore = 0.9\nkeywords = ['api_key']");
    let scan = |rules: &RuleSet, field| {
        texts(rules, "123456", &ScanOptions { field, ..ScanOptions::default() }).len()
    };
    assert_eq!(scan(&context, None), 0);
    assert_eq!(scan(&context, Some("user.badgeNumber")), 1);
    assert_eq!(scan(&context, Some("badgers")), 0);
    assert_eq!(scan(&keyword, Some("token")), 0);
    assert_eq!(scan(&keyword, Some("config.apiKey")), 1);
}

#[test]
fn a_scanner_forgets_the_last_haystack() {
    let rules = toys();
    let mut scanner = Scanner::new(&rules);
    let options = ScanOptions { field: Some("kw1"), ..ScanOptions::default() };
    assert_eq!(scanner.scan(b"ab12", &options).len(), 1);
    assert!(scanner.scan(b"ab12", &ScanOptions::default()).is_empty());
    assert!(!scanner.scan(b"card 4242 424", &ScanOptions { min_score: 0.0, ..options }).is_empty());
    assert!(scanner.scan(b"", &options).is_empty());
}

#[test]
fn with_entities_overlapped_findings_are_reported_too() {
    let rules = toys();
    let text = "http://x?tok_abcd";
    assert_eq!(texts(&rules, text, &ScanOptions::default()), [text]);
    let entities = ["URL".parse().unwrap(), "TOKEN".parse().unwrap()];
    let options = |list| ScanOptions { entities: Some(list), ..ScanOptions::default() };
    assert_eq!(texts(&rules, text, &options(&entities)), [text, "tok_abcd"]);
    assert_eq!(texts(&rules, text, &options(&entities[1..])), ["tok_abcd"]);
    assert!(texts(&rules, text, &options(&[])).is_empty());
}

#[test]
fn spans_keep_characters_whole() {
    for text in ["aé€%x", "€€%", "é%", "\u{1F600}%"] {
        let findings = Scanner::new(&toys()).scan(text.as_bytes(), &ScanOptions::default());
        for finding in findings {
            assert!(text.get(finding.span.range()).is_some(), "{text} {finding:?}");
        }
    }
    assert_eq!(texts(&toys(), "a😀%", &ScanOptions::default()), ["😀%"]);
}

#[test]
fn a_match_without_required_context_does_not_hide_one_with_it() {
    // Ten digits far from the word, of which the last six are near enough.
    let fields = "pattern = '[0-9]{6}'\nscore = 0.3\ncontext = ['badge']\ncontext_required = true";
    let text = format!("1234567890{}badge", " ".repeat(WINDOW_AFTER - 5));
    assert_eq!(found(fields, &text), ["567890"]);
}

#[test]
fn debug_shows_neither_text_nor_field_names() {
    let rules = toys();
    let mut scanner = Scanner::new(&rules);
    let options = ScanOptions { field: Some("secretField"), ..ScanOptions::default() };
    let findings = scanner.scan(b"tok_hidden", &options);
    let shown = format!("{options:?} {scanner:?} {findings:?}");
    assert!(!shown.contains("secretField") && !shown.contains("hidden"));
}

#[test]
fn scanners_move_between_threads_and_rule_sets_are_shared() {
    fn check<S: Send, R: Send + Sync>() {}
    check::<Scanner, RuleSet>();
}

#[test]
fn a_layer_of_own_rules_works_beside_another() {
    let below = toys();
    let own = "pack = 'own'\n[[rule]]\nid = 'own.x'\nentity = 'X'\ncategory = 'pii'\n\
               pattern = 'own[0-9]'\nscore = 1.0\n";
    let own = Pack::from_toml("own.toml", own).unwrap();
    let rules = crate::ruleset::assemble(&[below], &[own], &crate::Limits::default()).unwrap();
    let findings = Scanner::new(&rules).scan(b"own1 tok_abc", &ScanOptions::default());
    let ids: Vec<&str> = findings.iter().map(|f| rules.rule(f.rule).id()).collect();
    assert_eq!(ids, ["own.x", "toy.prefix"]);
}

/// Text that is made to hurt one gate or another.
fn hostile(bytes: usize) -> Vec<(&'static str, String)> {
    let repeat = |unit: &str| unit.repeat(bytes / unit.len());
    vec![
        ("digits", repeat("7")),
        ("digit groups", repeat("1234 ")),
        ("at signs", repeat("@")),
        ("addresses cut short", repeat("a@")),
        ("a run before an at sign", format!("{}@", repeat("a"))),
        ("blocks that never end", repeat("<<<a ")),
        ("tokens cut short", repeat("tok_")),
        ("keywords", repeat("kw1")),
        ("schemes", repeat("a://")),
        ("exclamations that never come", repeat("a ")),
        ("percent", repeat("%")),
        ("context words", repeat("card 1234567 ")),
        ("percent signs after letters", repeat("é%")),
        ("key headers", repeat("-----BEGIN RSA PRIVATE KEY-----\n")),
        ("hexadecimal groups", repeat("12:ab-")),
        ("dots", repeat("1.")),
        ("assignments", repeat("password=\"")),
        ("base64", repeat("eyJhbGciOiJIUzI1NiJ9")),
    ]
}

#[test]
fn hostile_text_costs_a_bounded_multiple_of_its_length() {
    let rules = toys();
    let mut scanner = Scanner::new(&rules);
    for (name, text) in hostile(1 << 20) {
        let options = ScanOptions { min_score: 0.0, ..ScanOptions::default() };
        let _ = scanner.scan(text.as_bytes(), &options);
        let per_byte = scanner.steps() as f64 / text.len() as f64;
        let bound = (64 + 2 * 16 + 2) * rules.rules().len();
        assert!(per_byte < bound as f64, "{name}: {per_byte} steps a byte");
        // What the bounds promise is far above what any of these really costs.
        assert!(per_byte < 60.0, "{name}: {per_byte} steps a byte");
    }
}

#[test]
fn giving_up_on_candidates_loses_no_match() {
    // Each "aaa" costs a walk to the end of the text, until the search takes over in the middle of a unit.
    let text = format!("aaab{}", ".".repeat(96)).repeat(40);
    let matches = found("pattern = 'aaa[^z]*z|aab'\nscore = 1", &text);
    assert_eq!(matches, vec!["aab"; 40]);
}

#[test]
fn hostile_text_costs_the_standard_rules_little() {
    let mut scanner = Scanner::new(&RuleSet::standard());
    for (name, text) in hostile(1 << 16) {
        let _ = scanner.scan(text.as_bytes(), &ScanOptions::default());
        let per_byte = scanner.steps() as f64 / text.len() as f64;
        assert!(per_byte < 100.0, "{name}: {per_byte} steps a byte");
    }
}

#[test]
fn hostile_text_is_scanned_right() {
    let rules = toys();
    let mut scanner = Scanner::new(&rules);
    for (name, text) in hostile(6000) {
        let text = format!("{text}>>> x@y.zz");
        for min_score in [0.0, DEFAULT_MIN_SCORE] {
            let options = ScanOptions { min_score, ..ScanOptions::default() };
            let fast = scanner.scan(text.as_bytes(), &options);
            assert!(fast == crate::naive::scan(&rules, text.as_bytes(), &options), "{name}");
        }
    }
}

/// Pieces that toy rules match, nearly match, or care about.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "tok_",
        "abcd",
        "ALPHA=",
        "beta-x=",
        "<<<",
        ">>>",
        "kw1",
        "KW2 ",
        "ab12",
        "a.b",
        "@",
        "x.yz",
        ".",
        "http",
        "://",
        "1234",
        "::",
        "12:",
        "AB",
        "a12ab00ba9ab12ab0",
        "4242",
        "79927398713",
        "-",
        " ",
        "  ",
        "card",
        " order ",
        "id no ",
        "számla ",
        "SZÁMLA ",
        "!",
        "né",
        "é",
        "€",
        "😀",
        "%",
        "_",
        "=",
        "/",
        "+",
        "demo",
        "\n",
        "0",
    ]);
    prop::collection::vec(
        prop_oneof![8 => piece.prop_map(str::to_owned),
        1 => "[ -~]{1,3}", 1 => Just(" ".repeat(90)), 1 => Just(" ".repeat(250))],
        0..30,
    )
    .prop_map(|pieces| pieces.concat())
}

fn options<'a>(
    entities: &'a [EntityType],
    min_score: f32,
    field: Option<&'a str>,
) -> ScanOptions<'a> {
    let entities = (!entities.is_empty()).then_some(entities);
    ScanOptions { min_score, entities, field }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn gates_change_nothing(
        text in fragments(),
        // Far from the words that lead to some rules, so that they are seldom in their haystack.
        padding in prop_oneof![3 => Just(0usize), 1 => 2000usize..4000],
        raw in prop::collection::vec(any::<u8>(), 0..6),
        at in any::<prop::sample::Index>(),
        min_score in prop::sample::select(vec![0.0, 0.5, 0.8]),
        filter in prop::sample::subsequence(vec!["TOKEN", "NUMBER", "KEY", "OPEN"], 0..3),
        field in prop::option::of(prop::sample::select(vec!["cardNo", "x.kw1", "content"])),
    ) {
        let rules = toys_once();
        let mut haystack = text.into_bytes();
        let at = at.index(haystack.len() + 1);
        haystack.splice(at..at, raw);
        haystack.extend("ab12 ".bytes().cycle().take(padding));
        let filter: Vec<EntityType> = filter.iter().map(|name| name.parse().unwrap()).collect();
        let options = options(&filter, min_score, field);
        let mut scanner = Scanner::new(rules);
        let fast = scanner.scan(&haystack, &options);
        prop_assert_eq!(&fast, &crate::naive::scan(rules, &haystack, &options));
        prop_assert_eq!(&fast, &scanner.scan(&haystack, &options)); // a used scanner finds the same
    }

    #[test]
    fn the_standard_rules_find_the_same_without_gates(seed in example_text()) {
        let rules = RuleSet::standard();
        for min_score in [0.0, DEFAULT_MIN_SCORE] {
            let options = ScanOptions { min_score, ..ScanOptions::default() };
            let fast = Scanner::new(&rules).scan(seed.as_bytes(), &options);
            prop_assert_eq!(fast, crate::naive::scan(&rules, seed.as_bytes(), &options));
        }
    }
}

fn toys_once() -> &'static RuleSet {
    static TOYS: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(toys);
    &TOYS
}

/// Examples of the standard rules, cut and joined.
fn example_text() -> impl Strategy<Value = String> {
    let mut examples: Vec<String> = vec!["a 1".to_owned()];
    for rule in RuleSet::standard().rules() {
        let syntax = rule.syntax();
        examples.extend(syntax.examples.iter().map(|e| e.replace("[[", "").replace("]]", "")));
        examples.extend(syntax.negative_examples.iter().cloned());
    }
    let cut = (prop::sample::select(examples), any::<prop::sample::Index>(), any::<bool>());
    let part = cut.prop_map(|(text, at, keep)| {
        let at = text.char_indices().map(|(at, _)| at).nth(at.index(text.chars().count().max(1)));
        let at = at.unwrap_or(0);
        if keep { text } else { text[at..].to_owned() }
    });
    prop::collection::vec(part, 1..4).prop_map(|parts| {
        parts.into_iter().fold(String::new(), |mut all, part| {
            write!(all, "{part} ").unwrap();
            all
        })
    })
}
