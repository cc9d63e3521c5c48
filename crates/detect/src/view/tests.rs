use std::fmt::Write as _;

use proptest::prelude::*;

use crate::{RuleSet, ScanOptions, Scanner};

/// Findings of the standard rules, as `ENTITY text`.
fn found(text: &str) -> Vec<String> {
    let rules = RuleSet::standard();
    let options = ScanOptions::default();
    let fast = Scanner::new(&rules).scan(text.as_bytes(), &options);
    assert_eq!(fast, crate::naive::scan(&rules, text.as_bytes(), &options), "{text}");
    fast.iter()
        .map(|finding| {
            format!("{} {}", rules.rule(finding.rule).entity(), &text[finding.span.range()])
        })
        .collect()
}

/// Texts in which `[[` and `]]` mark the one finding.
const DRESSED: &[(&str, &str)] = &[
    // Digits and letters of other scripts.
    ("CREDIT_CARD", "card [[４１１１１１１１１１１１１１１１]] ok"),
    ("CREDIT_CARD", "カード番号は[[４１１１　１１１１　１１１１　１１１１]]です"),
    ("CREDIT_CARD", "رقم البطاقة [[٤١١١١١١١١١١١١١١١]] شكرا"),
    ("CREDIT_CARD", "[[۴۱۱۱-۱۱۱۱-۱۱۱۱-۱۱۱۱]]"),
    ("CREDIT_CARD", "[[४१११११११११११११११]]"),
    ("CREDIT_CARD", "[[𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏]]"),
    ("CREDIT_CARD", "[[④①①①①①①①①①①①①①①①]]"),
    ("CREDIT_CARD", "card [[4111\u{2011}1111\u{2011}1111\u{2011}1111]]"),
    ("CREDIT_CARD", "card [[4111\u{2003}1111\u{2003}1111\u{2003}1111]]"),
    ("EMAIL_ADDRESS", "an: [[ｍａｒｔａ＠ｅｘａｍｐｌｅ．ｃｏｍ]]"),
    ("EMAIL_ADDRESS", "[[marta＠example.com]]"),
    ("EMAIL_ADDRESS", "联系[[marta@example。com]]"),
    ("EMAIL_ADDRESS", "[[𝗺𝗮𝗿𝘁𝗮@𝗲𝘅𝗮𝗺𝗽𝗹𝗲.𝗰𝗼𝗺]]"),
    ("US_SSN", "SSN [[５３６－９０－４３９９]]"),
    ("IBAN_CODE", "[[ＤＥ８９３７０４００４４０５３２０１３０００]]"),
    // Invisible characters.
    ("CREDIT_CARD", "card [[4111\u{200B}1111\u{200B}1111\u{200B}1111]]"),
    (
        "CREDIT_CARD",
        "[[4\u{200D}1\u{2060}1\u{FEFF}1\u{AD}1\u{34F}1\u{61C}1\u{180E}1\u{FE0F}1\u{E0041}1\u{200E}1\u{200F}1\u{2063}1\u{200C}1\u{200B}\u{200B}1\u{200B}1]]",
    ),
    ("EMAIL_ADDRESS", "mail [[mar\u{200B}ta@exam\u{AD}ple.com]]"),
    ("US_SSN", "s\u{200B}sn [[536904399]] there"),
    // Percent-encoding, entities, backslashes.
    ("EMAIL_ADDRESS", "GET /u?mail=[[marta%2Bnews%40example%2Ecom]]&x=1"),
    ("EMAIL_ADDRESS", "[[%6D%61%72%74%61%40%65%78%61%6D%70%6C%65%2E%63%6F%6D]]"),
    ("EMAIL_ADDRESS", "q=[[marta%2540example.com]]"),
    ("CREDIT_CARD", "card=[[4111+1111+1111+1111]]&cvv="),
    ("CREDIT_CARD", "a=b&card=[[4111%201111%201111%201111]]"),
    ("EMAIL_ADDRESS", "<a>[[marta&#64;example&#x2e;com]]</a>"),
    ("EMAIL_ADDRESS", "[[marta&commat;example&period;com]]"),
    ("EMAIL_ADDRESS", "[[&#109;&#97;&#114;&#116;&#97;&#64;example.com]]"),
    ("EMAIL_ADDRESS", "[[marta&amp;#64;example.com]]"),
    ("CREDIT_CARD", "card [[4111&nbsp;1111&nbsp;1111&nbsp;1111]]"),
    ("CREDIT_CARD", "card [[4111&hyphen;1111&hyphen;1111&hyphen;1111]]"),
    ("EMAIL_ADDRESS", "\"[[marta\\u0040example.com]]\""),
    ("EMAIL_ADDRESS", "\"[[marta\\x40example.com]]\""),
    ("CREDIT_CARD", "numbers:\\n[[4111111111111111]]\\n"),
    ("CREDIT_CARD", "numbers:\\t[[4111 1111 1111 1111]]\\tok"),
    ("CREDIT_CARD", "numbers:\\\\n[[4111111111111111]]\\\\n"),
    ("EMAIL_ADDRESS", "to:\\n[[marta@example.com]]\\nbye"),
    ("EMAIL_ADDRESS", "\\u003c[[marta@example.com]]\\u003e"),
    ("CREDIT_CARD", "[[\\uff14\\u003111111111111111]]"),
    // Spelt out and set apart.
    ("EMAIL_ADDRESS", "[[marta dot okafor at example dot com]]"),
    ("CREDIT_CARD", "[[4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1]]"),
    ("CREDIT_CARD", "[[４ １ １ １ １ １ １ １ １ １ １ １ １ １ １ １]]"),
    ("IBAN_CODE", "[[D E 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0]]"),
    ("US_SSN", "my ssn: [[5 3 6 9 0 4 3 9 9]]"),
];

fn unmark(marked: &str) -> (String, &str) {
    let (before, rest) = marked.split_once("[[").unwrap();
    let (value, after) = rest.split_once("]]").unwrap();
    (format!("{before}{value}{after}"), value)
}

#[test]
fn dressed_values_are_found_whole() {
    let mut wrong = String::new();
    for (entity, marked) in DRESSED {
        let (text, value) = unmark(marked);
        let found = found(&text);
        if found != [format!("{entity} {value}")] {
            writeln!(wrong, "{marked}\n  {found:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
